"""The parser of policies: everything the language has parses, faults stay in their item, spans are exact."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from lark import Lark, logger

from policy_engine.base.limits import MAX_ITEM_CHARS, MAX_SOURCE_CHARS
from policy_engine.base.source import Source
from policy_engine.compiler.language.grammar import grammar_text
from policy_engine.compiler.language.parser import read_policy
from policy_engine.compiler.language.splitting import split
from policy_engine.compiler.language.words import KEYWORDS
from policy_engine.diagnostics.model import Diagnostic
from policy_engine.semantics.ast.policy import Escalation, Limit, Permission, PolicyFile, RuleHead
from policy_engine.semantics.ast.shapes import shape_of_file

ROOT = Path(__file__).resolve().parents[3]
EXAMPLES = sorted((ROOT / "tests/data").rglob("*.policy"))
SHARED = ROOT.parent / "shared"


def read(text: str) -> tuple[PolicyFile | None, tuple[Diagnostic, ...]]:
    """A policy with the header put before it."""
    return read_policy(Source("t.policy", f"policy t\n{text}"))


def parsed(text: str) -> PolicyFile:
    """The file, which must have no findings."""
    file, found = read(text)
    assert file is not None and not found, [str(diagnostic) for diagnostic in found]
    return file


@pytest.mark.parametrize("path", EXAMPLES, ids=lambda path: path.stem)
def test_example_policies_parse(path: Path) -> None:
    """Real policies have no findings."""
    file, found = read_policy(Source(path.name, path.read_text(encoding="utf-8")))
    assert file is not None and file.items and not found


def test_the_block_of_the_language_page_parses() -> None:
    """Everything LANGUAGE.md shows is part of the grammar, and our copy of it is the current one."""
    page = SHARED / "LANGUAGE.md"
    if not page.is_file():
        pytest.skip("../shared is not here")
    block = re.search(r"```\n(policy [\s\S]*?)```", page.read_text(encoding="utf-8"))
    assert block is not None
    file, found = read_policy(Source("LANGUAGE.md", block[1]))
    assert file is not None and not found and len(file.items) == 39
    assert block[1] == (ROOT / "tests/data/tour.policy").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", sorted((SHARED / "language/examples").glob("*.policy")), ids=lambda path: path.stem)
def test_the_unmended_examples_parse(path: Path) -> None:
    """They parse as they are; only types needed mending."""
    assert read_policy(Source(path.name, path.read_text(encoding="utf-8")))[1] == ()


def test_the_words_are_those_of_the_grammar() -> None:
    """No keyword is in one place only."""
    policy_part = grammar_text().partition("EVENT:")[0]
    assert {name.lower() for name in re.findall(r"^([A-Z]+)\.3: /", policy_part, re.MULTILINE)} | {"in"} == KEYWORDS


@pytest.mark.parametrize(
    "text",
    [
        "deny a on @input when true",
        "label a on @answer as secret at answer.text",
        "label a on @answer as secret",
        "label a on x as secret at result",
        "deny a on x unless a unless b unless c",
        "validate a on x require true else set result.a to 1 set result.b to 2",
        "timeout a on x after 1s else call y.z with {}",
        "timeout a on x after 1s else call y.z",
        "escalate a on x to user within 10m",
        'deny a on x because """three\nquotes"""',
        "deny a on x when args.when == args.to && c.at > x.by && y.on && z.else",
        "deny a on x when args.`content-type` == r'\\d'",
        'deny a on "odd name", @step except "other"',
        "limit a on x to 5 of args.n per week in 'UTC' by args.a, args.b when args.c else reply 'no'",
        "rewrite a on x redact result.a, result[0].b, result['c'][*]",
        "observe escalate a on x to f within 1h",
        "rewrite a on x when true set args.a to 1 because 'b' unless false",
        "validate a on @answer require true else retry up to 2 times else escalate to f within 1m else withhold",
        "default abstain",
        "principal {}",
        "let f(a, b) on x, y.* = a + b",
        "deny in on x when limit in on",
        "allow on on x",
        "use data 'a.json' as labels\nqueues when, to, ops\nlabels deny, on",
    ],
)  # fmt: skip
def test_unusual_sentences_parse(text: str) -> None:
    """Forms that no example has."""
    assert parsed(text).items


def test_layout_is_free() -> None:
    """A file on one line is the file."""
    text = (ROOT / "tests/data/tour.policy").read_text(encoding="utf-8")
    line = " ".join(re.sub(r"(?m)//.*$", "", text).split())
    spread = line.replace(" ", "\n\n\t")
    files = [read_policy(Source("t", variant))[0] for variant in (text, line)]
    assert files[0] is not None and files[1] is not None
    assert shape_of_file(files[0]) == shape_of_file(files[1])
    assert len(split(Source("t", spread))) == len(split(Source("t", line)))


def test_hint_off_is_kept() -> None:
    """`hint off` in the header switches hints off."""
    file, _ = read_policy(Source("t", "policy t hint off version '1'"))
    assert file is not None and not file.header.hint and file.header.version is not None


def test_a_fault_in_one_item_hides_no_other() -> None:
    """Whatever is cut from one rule, the rules after it are read."""
    good = "\nallow first on a\n{}\nallow last on z when true\nparam p: int\ndefault deny\n"
    rule = "escalate big on crm.refund when (args.a > 1) to 2 of managers where approver.id != \"x\" within 2h else deny"
    for end in range(12, len(rule)):
        file, found = read(good.format(rule[:end]))
        if file is None:
            items = split(Source("t", "policy t\n" + good.format(rule[:end])))
            assert [piece.keyword for piece in items][-3:] == ["allow", "param", "default"], rule[:end]
            assert len(found) == 1, rule[:end]


def test_spans_cover_what_is_to_be_underlined() -> None:
    """Words, clauses and rules know where they stand."""
    file = parsed("  observe escalate big on crm.refund when (args.a > 1)\n to 2 of ops within 2h  // end")
    rule = file.items[0]
    assert isinstance(rule, Escalation)
    assert rule.observe and rule.span.text.startswith("observe") and rule.span.text.endswith("2h")
    assert rule.name.span.text == "big" and rule.keyword_span.text == "escalate"
    assert rule.targets.span.text == "crm.refund" and rule.ladder.span.text == "to 2 of ops within 2h"
    assert rule.guards.when is not None and rule.guards.when.span.text == "args.a > 1"


def test_durations_and_counts_have_their_values() -> None:
    """`1h30m` is 5,400 seconds."""
    file = parsed("limit a on x to 5 per 1h30m\nescalate b on x to 3 of ops within 200ms")
    limit, escalation = file.items
    assert isinstance(limit, Limit) and limit.window.duration is not None
    assert limit.window.duration.nanos == 5_400 * 10**9
    assert isinstance(escalation, Escalation) and escalation.ladder.tiers[0].count == 3


def test_names_in_expressions_are_not_heads() -> None:
    """A condition may use the words that begin items, after a dot and as names."""
    file = parsed("deny a on x when args.deny && context.default in labels(args.let) && principal.on")
    assert len(file.items) == 1 and isinstance(file.items[0], Permission)


def test_comments_and_text_hold_no_heads() -> None:
    """`deny x on y` in a comment or in text is no rule."""
    file = parsed('allow a on x because "deny b on y" // deny c on z\n  detail """\ndeny d on w\n"""')
    assert [item.name.text for item in file.items if isinstance(item, RuleHead)] == ["a"]


def test_sizes_are_looked_at_before_lexing() -> None:
    """A file or a rule over its bound is refused in a moment."""
    assert [d.code.name for d in read("a" * MAX_SOURCE_CHARS)[1]] == ["text-too-long"]
    long = f'deny a on x when args.a in ["{"b" * MAX_ITEM_CHARS}"]\nallow last on z'
    assert [d.code.name for d in read(long)[1]] == ["text-too-long"]
    assert [d.code.name for d in read("deny a on x when " + "(" * 5000)[1]] == ["expression-too-large"]


def test_hidden_characters_are_refused_in_code_and_warned_of_in_text() -> None:
    """A NUL or a bidi control never passes unseen; a byte order mark at the start does."""
    assert [(d.code.name, d.severity) for d in read("deny a\u202e on x")[1]] == [("hidden-character", "error")]
    assert [(d.code.name, d.severity) for d in read("deny a on x\0")[1]] == [("hidden-character", "error")]
    assert [(d.code.name, d.severity) for d in read("deny a on x // \u2066 b")[1]] == [("bidi-in-text", "warning")]
    assert [(d.code.name, d.severity) for d in read("deny a on x because '\u202e'")[1]] == [("bidi-in-text", "warning")]
    file, found = read_policy(Source("t", "\ufeffpolicy t\ndefault deny"))
    assert file is not None and not found


def test_no_rule_hides_behind_a_line_end_that_only_editors_know() -> None:
    """A lone carriage return in a comment is an error, a line separator a warning; Windows' line ends are fine."""
    assert [(d.code.name, d.severity) for d in read("allow a on x // b\rdeny c on x")[1]] == [("hidden-character", "error")]
    for separator in "\x85\u2028\u2029":
        found = read(f"allow a on x // b{separator}deny c on x")[1]
        assert [(d.code.name, d.severity) for d in found] == [("bidi-in-text", "warning")]
    assert read("allow a on x // b\r\ndeny c on x\r\n// end\r\n")[1] == ()


def test_the_grammar_has_no_conflicts(caplog: pytest.LogCaptureFixture) -> None:
    """LALR(1), with no shift preferred to a reduction in silence."""
    logger.setLevel("DEBUG")
    with caplog.at_level("DEBUG", logger=logger.name):
        Lark(grammar_text(), parser="lalr", lexer="contextual", start=["header", "item"], debug=True)
    assert [record.getMessage() for record in caplog.records if "onflict" in record.getMessage()] == []
