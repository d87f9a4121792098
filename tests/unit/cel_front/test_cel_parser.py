"""The front end of CEL: every text becomes a tree or diagnostics, and spans cover what was written."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings, strategies as st

from policy_engine.base.source import Source, Span
from policy_engine.base.values import Duration, UInt
from policy_engine.compiler.cel.parser import parse_expression
from policy_engine.diagnostics.model import Collector, Diagnostic
from policy_engine.semantics.ast.expressions import (
    And,
    Binary,
    Bind,
    Call,
    Comprehension,
    Expr,
    Has,
    Index,
    Literal,
    Name,
    Or,
    Select,
    children,
    shape,
)

CONFORMANCE = Path(__file__).parents[4] / "shared" / "data" / "cel" / "cel_conformance.jsonl"


def read(text: str) -> tuple[Expr | None, list[Diagnostic]]:
    collector = Collector()
    return parse_expression(Span(Source("test", text), 0, len(text)), collector), collector.diagnostics


def tree(text: str) -> Expr:
    node, diagnostics = read(text)
    assert node is not None, diagnostics
    assert not diagnostics
    return node


def fault(text: str) -> Diagnostic:
    node, diagnostics = read(text)
    assert node is None
    assert diagnostics
    return diagnostics[0]


def every(node: Expr) -> Iterator[Expr]:
    yield node
    for child in children(node):
        yield from every(child)


# ------------------------------------------------------------------ literals
@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("42", 42),
        ("-9223372036854775808", -(2**63)),
        ("- 5", -5),
        ("0x1F", 31),
        ("0x1fu", UInt(31)),
        ("7U", UInt(7)),
        (".5", 0.5),
        ("-2.3e+1", -23.0),
        ("1e3", 1000.0),
        ("30m", Duration(1_800_000_000_000)),
        ("1h30m", Duration(5_400_000_000_000)),
        ("200ms", Duration(200_000_000)),
        (r'"a\n\x41\u00e9\U0001F431\101"', "a\nA\u00e9\U0001f431A"),
        ('r"\\d+"', "\\d+"),
        ("'''it's'''", "it's"),
        ('"""a "quoted" word"""', 'a "quoted" word'),
        ("R'''\\'''", "\\"),
        ('b"\\xff\\377é"', b"\xff\xff\xc3\xa9"),
        ('bR"\\x"', b"\\x"),
        ("B'''a'b'''", b"a'b"),
        ("''", ""),
        ("null", None),
        ("true", True),
    ],
)
def test_a_literal_is_its_value(text: str, value: Any) -> None:
    """Numbers, texts, bytes and durations come out as cel-spec (durations: LANGUAGE.md) says, of the very type."""
    node = tree(text)
    assert isinstance(node, Literal)
    assert node.value == value
    assert type(node.value) is type(value)
    assert node.span.text == text


@pytest.mark.parametrize(
    ("text", "place"),
    [
        ("1 + 9223372036854775808", "9223372036854775808"),
        ("18446744073709551616u", "18446744073709551616u"),
        ("1e999", "1e999"),
        ('"a\\d"', "\\d"),
        ('"\\ud800"', "\\ud800"),
        ('b"\\u0041"', "\\u0041"),
        ("30m1h", "1h"),
        ("-(9223372036854775808)", "9223372036854775808"),
    ],
)
def test_a_literal_without_a_value_is_refused_where_it_stands(text: str, place: str) -> None:
    """The fault underlines the part of the literal that is to blame."""
    found = fault(text)
    assert found.code.name == "bad-literal"
    assert found.span.text == place


# ------------------------------------------------------------------ trees
def test_rows_of_and_are_one_node_and_do_not_nest() -> None:
    """Ten thousand conjuncts are one `And`; brackets inside the row change nothing."""
    node = tree(" && ".join(["a"] * 10_000))
    assert isinstance(node, And)
    assert len(node.operands) == 10_000
    assert shape(tree("a && (b && c) && d")) == shape(tree("a && b && c && d"))
    assert isinstance(tree("a && b || c && d"), Or)


def test_operators_bind_as_in_cel() -> None:
    """`*` before `+` before comparison before `&&` before `||` before `? :`."""
    assert shape(tree("a + b * c == d && e || f ? g : h")) == shape(
        tree("(((((a + (b * c)) == d) && e) || f) ? g : h)")
    )
    assert shape(tree("a == b == c")) == shape(tree("(a == b) == c"))


def test_spans_cover_exactly_what_was_written() -> None:
    """Brackets belong to the operand they enclose, comments and blanks around do not."""
    node = tree(" (a.b + 1) /* */".replace("/* */", "* f(x) // end"))
    assert isinstance(node, Binary)
    assert node.span.text == "(a.b + 1) * f(x)"
    assert node.left.span.text == "a.b + 1"
    assert node.right.span.text == "f(x)"


def test_words_are_keywords_only_where_they_can_be() -> None:
    """Fields and methods may be called as anything; a keyword followed by letters is a name."""
    assert shape(tree("a.in(b)")) == ("Call", "in", True, ("Name", "a", False), ("Name", "b", False))
    assert shape(tree("a.for.true")) == ("Select", "true", False, ("Select", "for", False, ("Name", "a", False)))
    assert isinstance(tree("truex"), Name)
    assert isinstance(tree("a.`content-type`"), Select)


def test_functions_of_a_namespace_have_no_target() -> None:
    """`math.greatest(a, b)` is one function; `a.size()` is a method of `a`."""
    node, method = tree("math.greatest(1, 2)"), tree("math.size()")
    assert isinstance(node, Call)
    assert (node.function, node.target) == ("math.greatest", None)
    assert isinstance(method, Call)
    assert isinstance(method.target, Name)


def test_optional_syntax() -> None:
    """`.?`, `[?]`, `[?x]` and `{?k: v}` are marked on their nodes."""
    assert shape(tree("a.?b")) == ("Select", "b", True, ("Name", "a", False))
    index = tree("a[?0]")
    assert isinstance(index, Index)
    assert index.optional
    assert shape(tree("[?a, b]")) == ("ListExpr", (True, False), ("Name", "a", False), ("Name", "b", False))
    assert shape(tree("{?a: b,}")) == ("MapExpr", (True,), ("Name", "a", False), ("Name", "b", False))


@pytest.mark.parametrize(
    ("text", "kind", "variables", "bodies"),
    [
        ("a.all(x, p)", "all", ("x",), 1),
        ("a.exists(k, v, p)", "exists", ("k", "v"), 1),
        ("a.existsOne(x, p)", "exists_one", ("x",), 1),
        ("a.map(x, p, e)", "map", ("x",), 2),
        ("a.transformMap(k, v, p, e)", "transformMap", ("k", "v"), 2),
        ("a.last(x, p)", "last", ("x",), 1),
        ("a.after(x, p)", "after", ("x",), 1),
        ("a.sortBy(x, x.price)", "sortBy", ("x",), 1),
    ],
)
def test_macros_keep_their_variables(text: str, kind: str, variables: tuple[str, ...], bodies: int) -> None:
    """A macro becomes one node with its variables and bodies, not a loop."""
    node = tree(text)
    assert isinstance(node, Comprehension)
    assert (node.kind, node.variables, len(node.bodies)) == (kind, variables, bodies)


def test_the_other_macros() -> None:
    """`has`, `cel.bind` and blocks."""
    assert isinstance(tree("has(a.b)"), Has)
    assert isinstance(tree("cel.bind(x, 1, x + x)"), Bind)
    assert shape(tree("cel.block([1, cel.index(0)], cel.index(1))")) == shape_of_block()


def shape_of_block() -> tuple[Any, ...]:
    inner = ("Bind", "@index1", ("Name", "@index0", False), ("Name", "@index1", False))
    return ("Bind", "@index0", ("Literal", "int", "1"), inner)


# ------------------------------------------------------------------ messages
@pytest.mark.parametrize(
    ("text", "says", "place"),
    [
        ("a and b", "`&&`", "and"),
        ("a > 1 OR b", "`||`", "OR"),
        ("not a", "`!`", "not"),
        ("a = b", "single `=`", "="),
        ("a === b", "`===`", "==="),
        ("a & b", "single `&`", "&"),
        ("a | b", "single `|`", "|"),
        ("'abc", "never ends", "'abc"),
        ('"""abc', "never ends", '"""'),
        ("x not in y", "`not in`", "not in"),
        ("5000usd", "runs into a name", "5000usd"),
        ("1in x", "runs into a name", "1in"),
        ("a?.b", "the other way round", "?."),
        ("Foo{a: 1}", "messages cannot be made", "{"),
        ("(a", "never closed", "("),
        ("a)", "closes nothing", ")"),
        ("(a]", "closed by", "]"),
        ("a +", "too early: a value", "+"),
        ("", "missing", ""),
        ("a b", "an operator or the end was expected", "b"),
        ("1_000", "without `_`", "1_000"),
        ("x => y", "arrow", "=>"),
        ("a # c", "// …", "#"),
        ("a /* c */", "// …", "/*"),
        ('f"x"', "interpolated", "f"),
        ("“a”", "typographic", "“"),
        ("a\u00a0b", "special blank", "\u00a0"),
        ('a contains "b"', "a method", "contains"),
        ("for", "keeps for itself", "for"),
        ("has(a)", "one field", "has(a)"),
        ("a.exists(b)", "variable of its own", "exists"),
        ("a.map(1, 2)", "plain name", "1"),
    ],
)
def test_a_common_mistake_is_named(text: str, says: str, place: str) -> None:
    """The message says what was meant, at the place where it was written."""
    found = fault(text)
    assert says in found.message + (found.suggestion or "")
    assert found.span.text == place


def test_what_deceives_the_eye_is_refused() -> None:
    """Characters that turn the direction of writing, and NUL outside of text."""
    for text in ("a \u202e&& b", "a // \u2066", '"\u202e"', "a\x00"):
        assert fault(text).code.name == "hidden-character"
    assert tree("b'\x00'")


# ------------------------------------------------------------------ hostile input
@pytest.mark.parametrize(
    "text",
    [
        "(" * 10_000,
        "!" * 60_000 + "a",
        "-" * 60_000 + "a",
        "a" + ".b" * 20_000,
        "+".join("a" * 20_000),
        "a?b:" * 15_000 + "c",
        "x" * 1_000_000,
        '"' * 60_000,
        "'\\" * 30_000,
        'r"' * 30_000,
        "1" * 60_000,
        "a(" * 10_000 + ")" * 10_000,
    ],
    ids=lambda text: text[:6],
)
def test_hostile_text_is_refused_in_a_moment(text: str) -> None:
    """Depth, length and unterminated text end in a diagnostic, never in a hang or a traceback."""
    start = time.monotonic()
    assert fault(text).message
    assert time.monotonic() - start < 5


WORDS = st.sampled_from(
    'a b args . .? ? : , ( ) [ ] { } && || ! - + * / % < <= == != in true null 1 2u 1.5 30m "x" r"\\d" b"x" has all exists '
    "map cel bind math greatest for `q` // @ # = & | ' \" \\ \n é \x00 \u202e $ ; if not 9223372036854775808".split(" ")
)


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.text(max_size=60), st.lists(WORDS, max_size=25).map(" ".join), st.lists(WORDS, max_size=25).map("".join)
    )
)
def test_any_text_is_a_tree_or_diagnostics(text: str) -> None:
    """Nothing is raised; without a tree there is a diagnostic, and every span lies inside the text."""
    node, diagnostics = read(text)
    assert (node is None) == bool(diagnostics)
    for diagnostic in diagnostics:
        for label in diagnostic.labels:
            assert 0 <= label.span.start <= label.span.end <= len(text)
    for inner in every(node) if node else ():
        assert inner.span.text


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=80))
def test_any_bytes_are_a_tree_or_diagnostics(data: bytes) -> None:
    """Bytes decoded as Latin-1, control characters and all."""
    node, diagnostics = read(data.decode("latin-1"))
    assert (node is None) == bool(diagnostics)


# ------------------------------------------------------------------ conformance
def test_every_plain_conformance_expression_parses() -> None:
    """All 1,726 expressions of cel-spec's suite that need no messages are trees, and text literals have their values."""
    if not CONFORMANCE.exists():
        pytest.skip("../shared/data/cel is not here")
    cases = [case for line in CONFORMANCE.open(encoding="utf-8") if (case := json.loads(line))["plain"]]
    assert len(cases) == 1726
    for case in cases:
        node = tree(case["expr"])
        if isinstance(node, Literal) and isinstance(node.value, str):
            assert node.value == case["value"], case["expr"]
