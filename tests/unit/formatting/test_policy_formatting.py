"""The formatter: stable, faithful, and no comment lost."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings, strategies as st

from policy_engine.base.source import Source
from policy_engine.compiler.formatting.formatter import format_policy
from policy_engine.compiler.formatting.layout import LINE_WIDTH
from policy_engine.compiler.language.parser import read_policy
from policy_engine.compiler.language.scanning import scan
from policy_engine.diagnostics.model import PolicyError
from policy_engine.semantics.ast.shapes import shape_of_file

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = [path.read_text(encoding="utf-8") for path in sorted((ROOT / "tests/data").rglob("*.policy"))]


def check_formatting(text: str) -> str:
    """The three promises: same meaning, same comments, nothing changes twice."""
    before, found = read_policy(Source("before", text))
    assert before is not None, [str(diagnostic) for diagnostic in found]
    formatted = format_policy(Source("before", text))
    after, _ = read_policy(Source("after", formatted))
    assert after is not None, formatted
    assert shape_of_file(before) == shape_of_file(after)
    assert comments_of(text) == comments_of(formatted)
    assert format_policy(Source("after", formatted)) == formatted
    return formatted


def comments_of(text: str) -> list[str]:
    """The comments, in no order."""
    return sorted(scrap.text.rstrip() for scrap in scan(text) if scrap.kind == "comment")


def test_a_comment_between_the_guard_and_the_phrase_of_an_invariant_stays_behind_the_guard() -> None:
    """A comment is no place for `never` to begin at."""
    text = "policy t\ninvariant i on x\n  // above\n  when args.a > 1  // never mind\n  never allow\n"
    assert check_formatting(text) == text


@pytest.mark.parametrize("text", EXAMPLES, ids=lambda text: text.split(None, 2)[1])
def test_example_policies_format_stably(text: str) -> None:
    """Real policies keep meaning and comments, in lines that fit where they can."""
    formatted = check_formatting(text)
    code = [line.partition("//")[0] for line in formatted.splitlines() if '"' not in line]
    assert max(map(len, code)) <= LINE_WIDTH


def test_short_rules_take_one_line_and_long_ones_a_line_a_clause() -> None:
    """The layout of LANGUAGE.md."""
    text = """policy t
deny   a on
  x   because "no" when ( args.a>1 )
escalate large-refund on crm.refund to finance within 30m else to 2 of managers where approver.id != args.author
  within 2h else set args.amount to cap because "a refund of {args.amount} needs a person" when args.amount > cap
"""
    assert check_formatting(text) == """policy t
deny a on x when args.a > 1 because "no"
escalate large-refund on crm.refund
  when args.amount > cap
  to finance within 30m
  else to 2 of managers where approver.id != args.author within 2h
  else set args.amount to cap
  because "a refund of {args.amount} needs a person"
"""


def test_comments_stay_with_their_clause() -> None:
    """Above a clause, behind a clause, inside a condition, between items."""
    text = """// top

policy t // head
// above a


deny a on x // behind on
  // above because
  because "no" // behind because
  when args.a // inside
    > 1 // behind when
principal { id: string, // who
  // what
  role: string }
// the end"""
    assert check_formatting(text) == """// top

policy t  // head
// above a

deny a on x  // behind on
  // inside
  when args.a > 1  // behind when
  // above because
  because "no"  // behind because
principal {
  id: string,  // who
  // what
  role: string,
}
// the end
"""


def test_a_file_with_errors_is_not_formatted() -> None:
    """What does not parse has no canonical form."""
    with pytest.raises(PolicyError) as caught:
        format_policy(Source("t", "policy t\nalow x on y"))
    assert [diagnostic.code.name for diagnostic in caught.value.diagnostics] == ["unknown-kind"]


NAMES = st.sampled_from(["a", "args.b", "c.to", ".d", "xs", "m.`e-f`", "run.calls"])
LITERALS = st.sampled_from(
    ["1", "-1", "2u", "1.50", "-.5", "1e3", '"t // no"', "'q'", 'r"\\d"', 'b"x"', "1h30m", "true", "null", '"""l\nm"""']
)


def _composed(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    two = st.tuples(inner, inner)
    operator = st.sampled_from(["&&", "||", "+", "-", "*", "/", "%", "==", "!=", "<", ">=", "in"])
    return st.one_of(
        st.tuples(two, operator).map(lambda parts: f"({parts[0][0]}) {parts[1]} ({parts[0][1]})"),
        st.tuples(NAMES, operator, inner).map(lambda parts: f"{parts[0]} {parts[1]} ({parts[2]})"),
        inner.map(lambda text: f"!({text})"),
        inner.map(lambda text: f"-({text})"),
        inner.map(lambda text: f"--({text})"),
        st.tuples(inner, inner, inner).map(lambda parts: f"({parts[0]}) ? ({parts[1]}) : ({parts[2]})"),
        inner.map(lambda text: f"({text}).size()"),
        inner.map(lambda text: f"({text}).?f.g"),
        two.map(lambda parts: f"({parts[0]})[?{parts[1]}]"),
        two.map(lambda parts: f"[{parts[0]}, ?{parts[1]},]"),
        two.map(lambda parts: f"{{({parts[0]}): {parts[1]}, ?'k': 1}}"),
        two.map(lambda parts: f"({parts[0]}).exists(v, {parts[1]})"),
        two.map(lambda parts: f"({parts[0]}).map(v, v, {parts[1]})"),
        two.map(lambda parts: f"cel.bind(v, {parts[0]}, {parts[1]})"),
        two.map(lambda parts: f"({parts[0]}).optMap(v, {parts[1]})"),
        two.map(lambda parts: f"math.greatest({parts[0]}, {parts[1]})"),
        st.just("has(args.z)"),
    )


EXPRESSIONS = st.recursive(NAMES | LITERALS, _composed, max_leaves=6)
TOOLS = st.sampled_from(["crm.*", "x", '"odd tool"', "@answer", "*", "a_rather.long_tool_name"])
TARGETS = st.lists(TOOLS, min_size=1, max_size=5).map(", ".join)
TIERS = st.tuples(st.sampled_from(["", "1 of ", "2 of "]), st.one_of(st.none(), EXPRESSIONS)).map(
    lambda parts: f"to {parts[0]}ops{f' where {parts[1]}' if parts[1] else ''} within 1h30m"
)
CALL_ENDS = st.one_of(
    st.sampled_from(["else deny", "else call crm.x", ""]),
    EXPRESSIONS.map(lambda text: f"else reply {text}"),
    EXPRESSIONS.map(lambda text: f"else set args.a[0] to {text} set args['b c'][*] to 1"),
    EXPRESSIONS.map(lambda text: f"else call crm.x with {text}"),
)
LADDERS = st.tuples(st.lists(TIERS, min_size=1, max_size=3).map(" else ".join), CALL_ENDS).map(" ".join)
EXTRAS = st.tuples(
    st.one_of(st.just(""), EXPRESSIONS.map(lambda text: f"when {text}")),
    st.lists(EXPRESSIONS.map(lambda text: f"unless {text}"), max_size=2),
    st.sampled_from(["", 'because "why // not"']),
    st.sampled_from(["", 'detail """two\nlines"""']),
    st.sampled_from(["", "tags 'a', 'b'"]),
    st.randoms(use_true_random=False),
)


def _shuffled(parts: tuple[str, list[str], str, str, str, random.Random]) -> str:
    clauses = [parts[0], *parts[1], parts[2], parts[3], parts[4]]
    parts[5].shuffle(clauses)
    return " ".join(clause for clause in clauses if clause)


PHRASES = st.one_of(
    st.sampled_from(["allow", "deny"]).map(lambda kind: (kind, "")),
    LADDERS.map(lambda text: ("escalate", text)),
    EXPRESSIONS.map(lambda text: ("rewrite", f"set args.a to {text} redact result.b, result.c with {text}")),
    st.just(("label", "as secret, other at result.a, result[*].b")),
    st.just(("declassify", "of secret")),
    EXPRESSIONS.map(lambda text: ("validate", f"require {text} else retry up to 2 times else withhold")),
    EXPRESSIONS.map(lambda text: ("validate", f"require {text} else escalate to ops within 1m else withhold")),
    EXPRESSIONS.map(lambda text: ("limit", f"to ({text}) of distinct {text} reserve 1.0 per month in 'UTC' by a, {text}")),
    st.just(("limit", "to 4 at once by principal.id")),
    st.just(("timeout", "after 10s")),
    st.just(("retry", "up to 3 times backoff 200ms..5s")),
    st.just(("breaker", "open after 5 failures in 30s probe after 1m")),
    st.just(("invariant", "never allow")),
)
RULES = st.tuples(PHRASES, TARGETS, EXTRAS.map(_shuffled)).map(
    lambda parts: f"{parts[0][0]} rule-name on {parts[1]} {parts[0][1]} {parts[2]}"
)
DECLARATIONS = st.one_of(
    EXPRESSIONS.map(lambda text: f"let f(x, y) on a.b, c except d = {text}"),
    EXPRESSIONS.map(lambda text: f"param p: map(string, list(int)) = {text}"),
    EXPRESSIONS.map(lambda text: f"history h by {text} for 30d"),
    TARGETS.map(lambda text: f"group g = {text} except {text}"),
    st.just("principal { id: string, role: 'a' | \"b|c\", tenant: string?, }"),
    st.just("queues finance, ops\nlabels one, two\nuse data 'a.yaml' as data: list(string)"),
)


def _commented(text: str, random_: random.Random) -> str:
    """The text with comments and line breaks strewn between its scraps."""
    pieces: list[str] = []
    end = 0
    for number, scrap in enumerate(scan(text)):
        pieces.append(text[end : scrap.start])
        separable = scrap.start > end or scrap.text in "()[]{}," or (number and text[end - 1] in "()[]{},")
        if separable and random_.random() < 0.06:
            pieces.append(random_.choice([f" // c{number}\n", f"\n// c{number}\n", "\n", "\n\n\n"]))
        pieces.append(scrap.text)
        end = scrap.end
    return "".join(pieces) + random_.choice(["", " // last", "\n// last\n\n"])


THOROUGH = settings(
    max_examples=25,
    deadline=None,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)
"""No shrinking: the text found is short enough, and shrinking it takes minutes."""


@THOROUGH
@given(st.lists(RULES | DECLARATIONS, min_size=1, max_size=4), st.randoms(use_true_random=False))
def test_generated_policies_keep_meaning_and_comments(items: list[str], random_: random.Random) -> None:
    """Whatever the clauses, their order and the comments between any two words."""
    text = "policy t under 'a' hint off owner \"b\"\n" + "\n".join(items)
    check_formatting(_commented(text, random_))


@pytest.mark.parametrize("seed", range(6))
def test_examples_with_strewn_comments_keep_them(seed: int) -> None:
    """Comments between any two words of a real policy survive, once each."""
    random_ = random.Random(seed)
    check_formatting(_commented(EXAMPLES[seed % len(EXAMPLES)], random_))
