"""The type checker: what cannot work is told before any decision, and what a test made sure of is known after it."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path

import pytest
from hypothesis import given, settings, strategies as st

from policy_engine.base.source import Source, Span
from policy_engine.compiler.cel.checker import CODES, NO_FACTS, Checked, Facts, Scope, check_condition, check_expression
from policy_engine.compiler.cel.parser import parse_expression
from policy_engine.diagnostics.model import Collector, Diagnostic
from policy_engine.semantics.ast.expressions import Expr, children
from policy_engine.semantics.functions.catalogue import BY_NAME
from policy_engine.semantics.types import (
    BOOL,
    BYTES,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    NULL,
    STRING,
    TIMESTAMP,
    TYPE,
    UINT,
    EnumType,
    ListType,
    MapType,
    OptionalType,
    RecordField,
    RecordType,
    Type,
    union,
)

CONFORMANCE = Path(__file__).parents[4] / "shared" / "data" / "cel" / "cel_conformance.jsonl"


def record(name: str, **fields: Type) -> RecordType:
    """A closed record; a field whose name ends in `_` is optional."""
    parts = [RecordField(key.rstrip("_"), kind, not key.endswith("_")) for key, kind in fields.items()]
    return RecordType(name, tuple(sorted(parts, key=lambda field: field.name)))


ARGS = record(
    "crm.refund arguments",
    amount=DOUBLE,
    count=INT,
    to=STRING,
    limit_=INT,
    note=union(STRING, NULL),
    tags=ListType(STRING),
    kind=EnumType(("big", "small")),
    box_=record("box", x=INT, y_=STRING),
    either=union(INT, STRING),
    maybe=union(record("maybe", z=INT), NULL),
)
SCOPE = Scope(
    {
        "args": ARGS,
        "principal": record("principal", role=EnumType(("lead", "support")), id=STRING),
        "now": TIMESTAMP,
        "run": DYN,
        "limits": MapType(STRING, DOUBLE),
    },
    BY_NAME,
    {"result": "it is known after the call"},
    overrides={"labels": ListType(EnumType(("payee", "untrusted")))},
)


def parsed(text: str) -> Expr:
    collector = Collector()
    node = parse_expression(Span(Source("test", text), 0, len(text)), collector)
    assert node is not None, collector.diagnostics
    return node


def check(text: str, facts: Facts = NO_FACTS) -> tuple[Checked, list[Diagnostic]]:
    collector = Collector()
    return check_expression(parsed(text), SCOPE, collector, facts), collector.diagnostics


def codes(text: str) -> list[str]:
    return [diagnostic.code.name for diagnostic in check(text)[1]]


@pytest.mark.parametrize(
    "text",
    [
        "args.amount <= 50",
        "args.amount <= 50u",
        "has(args.limit) && args.limit > 3",
        "!has(args.limit) || args.limit > 3",
        "has(args.limit) ? args.limit > 3 : false",
        "!has(args.limit) ? true : args.limit > 3",
        "!(!has(args.limit) || args.limit < 3) && args.limit > 3",
        '"limit" in args && args.limit > 3',
        "args.?limit.orValue(5) > 3",
        "args.?limit.hasValue() && args.limit > 3",
        "(has(args.limit) && args.count > 1 || has(args.limit)) && args.limit > 3",
        'has(args.box) && has(args.box.y) && args["box"].y == "s"',
        'args.?box.?y.orValue("") == "x"',
        'args.?box.y.orValue("") == "x"',
        'args.note != null && args.note.contains("x")',
        "args.note == null || args.note.size() > 3",
        'args.note == "x" && args.note.size() > 0',
        'args.note == "x"',
        "args.maybe != null && args.maybe.z > 3",
        "type(args.either) == int && args.either > 3",
        "args.either == 3",
        "cel.bind(x, args.note, x != null && x.size() > 2)",
        "args.note != null && cel.bind(x, args.note, x.size() > 2)",
        "args.all(k, said(args[k]))",
        "args.exists(k, v, k == 'to' && said(v))",
        "args.tags.map(t, size(t)).max() > 3",
        'run.calls.exists(c, c.tool == "x" && c.args.id == args.to && now - c.at < 30m)',
        "limits[principal.id] > 3 && limits.vip == 2.0",
        'args.kind == args.to || args.kind in ["big"]',
        '"untrusted" in labels(args.to)',
        'url(args.to).host == "x"',
        "[1, 'a'].exists(x, x == 2.0)",
        "args.count in [1.0, 2.0]",
        "now - 30d > timestamp('2026-01-01T00:00:00Z')",
    ],
)
def test_what_works_is_let_through(text: str) -> None:
    """Sound conditions, guarded where a field may be missing or null, get no finding and are bool."""
    checked, diagnostics = check(text)
    assert diagnostics == []
    assert checked.type == BOOL


@pytest.mark.parametrize(
    ("text", "code", "suggestion"),
    [
        ("args.amount + 1", "type-mismatch", "args.amount + 1.0"),
        ("args.count * args.amount", "type-mismatch", "double(args.count) * args.amount"),
        ("args.to <= 5000.0", "type-mismatch", "double(args.to) <= 5000.0     if the text is a number"),
        ("1 < args.count < 5", "type-mismatch", "1 < args.count && args.count < 5"),
        ('now > "2026-01-01T00:00:00Z"', "type-mismatch", 'now > timestamp("2026-01-01T00:00:00Z")'),
        ("args.either > 3", "type-mismatch", "type(args.either) == int && …"),
        ("args.to.endsWith(5)", "type-mismatch", "string(5)"),
        ("args.amout > 1.0", "unknown-field", "did you mean `amount`?"),
        ("args.limit > 3", "unguarded-optional", "has(args.limit) && …"),
        ('args["limit"] > 3', "unguarded-optional", '"limit" in args && …'),
        ("args.limit != null", "unguarded-optional", "has(args.limit) && …"),
        ("has(args.limit) || args.limit > 3", "unguarded-optional", "has(args.limit) && …"),
        ("args.limit > 3 && has(args.limit)", "unguarded-optional", "has(args.limit) && …"),
        ("has(args.box) && args.box.y == 's'", "unguarded-optional", "has(args.box.y) && …"),
        ("args.note.contains('x')", "possibly-null", "args.note != null && …"),
        ("args.maybe.z > 3", "possibly-null", "args.maybe != null && …"),
        ("args.note < 'x'", "possibly-null", "args.note != null && …"),
        ("args.to.domain == 'x'", "no-fields", "email(args.to).domain"),
        ("args.tags['0'] == 'x'", "wrong-key", None),
        ('principal.role == "suport"', "unknown-option", "did you mean `support`?"),
        ('args.kind in ["big", "smal"]', "unknown-option", "did you mean `small`?"),
        ('"untrustd" in labels(args.to)', "unknown-option", "did you mean `untrusted`?"),
        ('labels(args.to).exists(l, l == "paye")', "unknown-option", "did you mean `payee`?"),
        ('args.kind == (args.count > 1 ? "big" : "smal")', "unknown-option", "did you mean `small`?"),
        ("principal.role == args.kind", "never-equal", None),
        ("args.to == 5", "never-equal", "int(args.to) == 5     if the text is a number"),
        ("args.tags.exists(t, t == 5)", "never-equal", "int(t) == 5     if the text is a number"),
        ("'.ru' in args.to", "not-a-holder", "args.to.contains('.ru')"),
        ("args.to && true", "not-a-condition", 'args.to != ""'),
        ("args.tags.all(t, size(t))", "not-a-condition", "size(t) != 0"),
        ("result.x == 1", "wrong-phase", None),
        ("amount > 5.0", "unknown-name", "args.amount"),
        ("argz.to == 'x'", "unknown-name", "did you mean `args`?"),
        ("args.to.endswith('x')", "unknown-function", "did you mean `endsWith`?"),
        ("math.greatst(1, 2) > 1", "unknown-function", "did you mean `math.greatest`?"),
        ("endsWith(args.to, 'x')", "wrong-call-form", "args.to.endsWith('x')"),
        ("args.to.endsWith('x', 'y')", "wrong-argument-count", None),
        ("args.to.matches('*a')", "bad-constant", None),
        ("timestamp('x') < now", "bad-constant", None),
        ("{1.5: 2} == {}", "type-mismatch", None),
    ],
)
def test_what_cannot_work_is_told_with_a_way_out(text: str, code: str, suggestion: str | None) -> None:
    """One finding with the right code, and the text to write instead."""
    _, diagnostics = check(text)
    assert [diagnostic.code.name for diagnostic in diagnostics] == [code]
    assert diagnostics[0].suggestion == suggestion
    assert all(label.span.text for label in diagnostics[0].labels)


def test_a_needless_test_for_null_is_only_a_warning() -> None:
    """A required field that is never null may be tested for it; the writer is told that it says nothing."""
    (found,) = check("args.amount == null")[1]
    assert (found.code.name, found.severity) == ("never-null", "warning")


def test_one_fault_is_told_once() -> None:
    """What depends on a faulty part is not blamed as well."""
    assert codes("args.amout + 1 > args.count && args.amout.x.y") == ["unknown-field", "unknown-field"]


def test_facts_of_one_guard_hold_in_the_next() -> None:
    """`when` and `unless` are and-ed: what the first made sure of needs no test in the second."""
    first, _ = check("has(args.limit) && args.note != null")
    assert check("args.limit > 3 && args.note.size() > 1", first.when_true)[1] == []
    unless, _ = check("!has(args.limit)")
    assert check("args.limit > 3", unless.when_false)[1] == []


def test_a_variable_of_a_macro_hides_facts_about_the_outer_name() -> None:
    """What is known of `args` is not known of a variable called `args`."""
    collector = Collector()
    scope = Scope({"x": union(STRING, NULL), "xs": ListType(union(STRING, NULL))}, BY_NAME)
    check_expression(parsed("x != null && xs.all(x, x.size() > 1)"), scope, collector)
    assert [diagnostic.code.name for diagnostic in collector.diagnostics] == ["possibly-null"]


def test_a_condition_must_be_true_or_false() -> None:
    """`check_condition` names the place that needs it."""
    collector = Collector()
    check_condition(parsed("args.amount"), SCOPE, collector, where="`when`")
    assert "`when` needs true or false" in collector.diagnostics[0].message


def test_every_node_has_a_type() -> None:
    """The code generator finds each node in `types`."""
    node = parsed("has(args.limit) && args.tags.map(t, [t, args.to])[0].size() > args.?limit.orValue(2)")
    types = check_expression(node, SCOPE, Collector()).types

    def visit(part: Expr) -> None:
        assert part in types
        for child in children(part):
            visit(child)

    visit(node)


def test_codes_are_unique_and_explained() -> None:
    """Each has a page with the faulty and the mended policy."""
    assert len({code.name for code in CODES}) == len(CODES)
    assert all(code.explanation.count("```policy") >= 2 for code in CODES)


PIECES = st.sampled_from(
    ["args", "args.limit", "args.note", "args.to", "args.kind", "args.box", "args.either", "principal.role", "run", "now", "1",
     "2.5", '"x"', "null", "true", "[]", "{}", "30m", "nothing", "math"]
)  # fmt: skip
SHAPES = st.sampled_from(
    ["({} == {})", "({} && {})", "({} + {})", "({} in {})", "{}.all(x, {})", "{}.map(y, {})", "{}[{}]", "{}.size() < {}",
     "({} ? {} : null)", "[{}, {}]", "{{{}: {}}}", "{}.foo({})", "cel.bind(z, {}, {})", "{}.?b.orValue({})", "!({} || {})",
     "{}.optMap(v, {})", "{}.transformMap(k, v, {})", "has(args.box) || {} < {}"]
)  # fmt: skip


@settings(max_examples=300, deadline=None)
@given(
    st.recursive(
        PIECES, lambda inner: st.builds(lambda form, a, b: form.format(a, b), SHAPES, inner, inner), max_leaves=12
    )
)
def test_any_expression_can_be_checked(text: str) -> None:
    """However wrong the types, the checker answers with findings and gives every node a type."""
    collector = Collector()
    node = parse_expression(Span(Source("test", text), 0, len(text)), collector)
    if node is not None:
        checked = check_expression(node, SCOPE, collector)
        assert node in checked.types


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("(", " ? run.a : run.b)"),
        ("(run.a ? run.b : ", ")"),
        ("(run.a && (run.b || ", "))"),
        ("!(", ")"),
        ("[", "]"),
        ("run.all(x, ", ")"),
        ("cel.bind(x, run.c ? [x] : {'k': x}, ", ")"),
        ("math.greatest(", ", 1)"),
        ("optional.of(", ")"),
    ],
)
def test_deep_expressions_are_checked_in_a_moment(before: str, after: str) -> None:
    """No nesting that the parser lets through takes more than a moment, whatever types it builds."""
    depth = 45
    start = time.monotonic()
    inside = f"cel.bind(x, args.either, {before * depth}args.either{after * depth})"
    check(inside)
    assert time.monotonic() - start < 2


# ------------------------------------------------------------------ conformance
BASIC: dict[str, Type] = {
    "bool": BOOL, "int": INT, "uint": UINT, "double": DOUBLE, "string": STRING, "bytes": BYTES, "null": NULL, "dyn": DYN,
    "timestamp": TIMESTAMP, "duration": DURATION, "type": TYPE,
}  # fmt: skip


def conformance_type(text: str) -> Type:
    """`map(string,list(int))` and its like as a type; anything with messages is `dyn`."""
    match = re.fullmatch(r"(list|map|optional|optional_type)\((.*)\)", text)
    if match is None:
        return BASIC.get(text, DYN)
    depth, parts = 0, [""]
    for character in match[2]:
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            parts.append("")
        else:
            parts[-1] += character
    inner = [conformance_type(part.strip()) for part in parts]
    return (
        ListType(inner[0]) if match[1] == "list" else MapType(*inner) if match[1] == "map" else OptionalType(inner[0])
    )


def test_sound_conformance_expressions_type_check() -> None:
    """Every plain expression of cel-spec's suite that yields a value with checking on has no finding; deduced types agree."""
    if not CONFORMANCE.exists():
        pytest.skip("../shared/data/cel is not here")
    cases = [json.loads(line) for line in CONFORMANCE.open(encoding="utf-8")]
    sound = [case for case in cases if case["plain"] and "value" in case and not case.get("disable_check")]
    assert len(sound) == 1500
    for case in sound:
        names = {name: conformance_type(text) for name, text in case.get("type_env", {}).items()}
        collector = Collector()
        checked = check_expression(
            parsed(case["expr"]), Scope(names, BY_NAME, container=case.get("container")), collector
        )
        assert collector.diagnostics == [], case["expr"]
        if "deduced_type" in case:
            assert checked.type == conformance_type(case["deduced_type"]), case["expr"]
