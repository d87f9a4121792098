"""What expressions come to, where cel-spec's vectors are silent: our macros, laziness, limits, plain Python values."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from policy_engine import cel

BACKENDS: tuple[cel.Backend, ...] = ("generated", "interpreter")


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> cel.Backend:
    """Either back end."""
    chosen: cel.Backend = request.param
    return chosen


CASES: tuple[tuple[str, dict[str, Any], Any], ...] = (
    ("calls.last(c, c.ok).id", {"calls": [{"id": 1, "ok": True}, {"id": 2, "ok": True}, {"id": 3, "ok": False}]}, 2),
    ("[1, 5, 2, 3].after(x, x > 4)", {}, [2, 3]),
    ("[1, 2].after(x, x > 4)", {}, [1, 2]),
    ("[1, 2].after(x, x == 2)", {}, []),
    ("[3, 1, 2].sortBy(x, -x)", {}, [3, 2, 1]),
    ("{'b': 1, 'a': 2}.map(k, k)", {}, ["b", "a"]),
    ("{'a': 1}.transformMapEntry(k, v, {v: k})", {}, {1: "a"}),
    ("cel.bind(x, 1 / 0, true || x == 1)", {}, True),
    ("false && missing.field", {}, False),
    ("missing.field || true", {}, True),
    ("'x' && false", {}, False),
    ("[1, 'a', 3].exists(x, x > 2)", {}, True),
    ("[1, 'a', 0].all(x, x > 0)", {}, False),
    ("optional.of(1).orValue(1 / 0)", {}, 1),
    ("{1: 'a'}[1.0]", {}, "a"),
    ("[10, 20][1u]", {}, 20),
    ("1 in {true: 1}", {}, False),
    ("true in [1, 1.0]", {}, False),
    (
        "now - then < duration('2h')",
        {"now": datetime(2026, 1, 1, 1, tzinfo=UTC), "then": datetime(2026, 1, 1, tzinfo=UTC)},
        True,
    ),
    ("d + d", {"d": timedelta(minutes=5)}, timedelta(minutes=10)),
    ("u + 1u", {"u": cel.UInt(4)}, cel.UInt(5)),
    ("args.all(k, args[k] > 0)", {"args": {"a": 1, "b": 2}}, True),
)


@pytest.mark.parametrize(("text", "bindings", "value"), CASES, ids=[case[0] for case in CASES])
def test_an_expression_comes_to_its_value(
    text: str, bindings: dict[str, Any], value: Any, backend: cel.Backend
) -> None:
    """Both back ends give the value, in its type."""
    answer = cel.evaluate(text, bindings, backend=backend)
    assert answer == value
    assert type(answer) is type(value)


ERRORS = (
    ("[1].last(x, x > 4)", "no_such_key"),
    ("{'a': 1}.last(x, true)", "no_such_overload"),
    ("1 + 1.0", "no_such_overload"),
    ("9223372036854775807 + 1", "overflow"),
    ("1 / 0", "divide_by_zero"),
    ("{'a': 1}.b", "no_such_field"),
    ("[1][1]", "index_out_of_range"),
    ("missing", "undeclared"),
    ("{1: 1, 1u: 2}", "duplicate_key"),
    ("'a'.matches('(')", "invalid_argument"),
    ("said('x')", "not_available"),
    ("nothing('x')", "no_such_overload"),
    ("1 ? 2 : 3", "no_such_overload"),
    ("lists.range(100).map(a, lists.range(100).map(b, lists.range(100).map(c, lists.range(100))))", "too_costly"),
)


@pytest.mark.parametrize(("text", "kind"), ERRORS, ids=[case[0] for case in ERRORS])
def test_an_error_has_its_kind(text: str, kind: str, backend: cel.Backend) -> None:
    """Both back ends raise the same kind of error."""
    with pytest.raises(cel.EvaluationError) as problem:
        cel.evaluate(text, backend=backend)
    assert problem.value.kind == kind


def test_no_operator_hides_an_evaluation_that_was_too_long() -> None:
    """Once the steps are spent, `|| true` does not save the expression."""
    text = "lists.range(1000).all(a, lists.range(1000).all(b, lists.range(1000).all(c, a + b + c >= 0))) || true"
    with pytest.raises(cel.EvaluationError) as problem:
        cel.evaluate(text, backend="interpreter")
    assert problem.value.kind == "too_costly"


def test_a_text_that_doubles_at_every_step_is_stopped(backend: cel.Backend) -> None:
    """`cel.bind` in `cel.bind` grows a text without loops; it ends as an error, not in memory."""
    text = "x39"
    for step in range(39, -1, -1):
        inner = f"x{step - 1}" if step else "start"
        text = f"cel.bind(x{step}, {inner} + {inner}, {text})"
    with pytest.raises(cel.EvaluationError) as problem:
        cel.evaluate(text, {"start": "ab"}, backend=backend)
    assert problem.value.kind == "too_costly"


def test_a_value_that_shares_its_parts_is_not_unfolded(backend: cel.Backend) -> None:
    """Lists of one list twice, forty levels deep, are refused instead of copied 2**40 times."""
    text = "x39"
    for step in range(39, -1, -1):
        inner = f"x{step - 1}" if step else "start"
        text = f"cel.bind(x{step}, [{inner}, {inner}], {text})"
    with pytest.raises(cel.EvaluationError) as problem:
        cel.evaluate(text, {"start": 1}, backend=backend)
    assert problem.value.kind == "too_costly"


def test_bindings_are_neither_changed_nor_shared() -> None:
    """The value returned can be changed without changing what was given."""
    given: dict[str, Any] = {"x": {"items": [1, 2]}}
    answer = cel.evaluate("x", given)
    answer["items"].append(3)
    assert given == {"x": {"items": [1, 2]}}


def test_text_that_is_no_expression_raises_its_diagnostics() -> None:
    """A syntax error is a `PolicyError` with a place, not a Python one."""
    with pytest.raises(cel.PolicyError) as problem:
        cel.compile("1 +")
    assert problem.value.diagnostics[0].span.source.text == "1 +"


def test_declared_variables_are_checked() -> None:
    """With variables declared a wrong type or an unknown name is found before anything runs."""
    assert str(cel.compile("x + 1 > 2", {"x": "int"}).type) == "bool"
    for wrong in ("x + 'a'", "y > 1"):
        with pytest.raises(cel.PolicyError):
            cel.compile(wrong, {"x": "int"})


@pytest.mark.parametrize("wrong", ["integer", "list(", "map(string)", "1", ""])
def test_a_type_that_does_not_exist_is_refused(wrong: str) -> None:
    """A typo in a declared type is an error of its own."""
    with pytest.raises(ValueError, match="is not a type"):
        cel.compile("x", {"x": wrong})


def test_integers_beyond_64_bits_are_no_values() -> None:
    """Python's large integers do not get in."""
    with pytest.raises(cel.EvaluationError):
        cel.evaluate("x", {"x": 2**63})
