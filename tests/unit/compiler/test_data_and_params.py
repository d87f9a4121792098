"""Data files and params become constants of the declared types, or the policy is not loaded."""

from __future__ import annotations

from datetime import timedelta
from itertools import pairwise
from typing import Any

import pytest

from policy_engine.base.errors import MisfitError
from policy_engine.base.values import Duration, Timestamp, UInt
from policy_engine.compiler.analysis.data_text import parse_csv, parse_yaml
from policy_engine.compiler.analysis.fitting import fit
from policy_engine.semantics.interpreter import interpret
from policy_engine.semantics.types import (
    DOUBLE,
    DURATION,
    DYN,
    INT,
    STRING,
    TIMESTAMP,
    UINT,
    EnumType,
    ListType,
    MapType,
)  # fmt: skip

BOMB = "a: &a [1, 1]\n" + "".join(f"{b}: &{b} [{', '.join([f'*{a}'] * 9)}]\n" for a, b in pairwise("abcdefgh"))


def datum(compiled: Any, name: str, content: str | bytes, declared: str = "") -> Any:
    """The value of `d` as the compiled condition has it."""
    found = compiled(f'use data "{name}" as d{declared}\nallow x on crm.refund when [d] == []', {name: content})
    condition = found.policy.tools["crm.refund"].decide.rules[0].condition
    return interpret(condition.left.elements[0].value, {})


@pytest.mark.parametrize(
    ("name", "content", "declared", "value"),
    [
        ("d.json", '{"acme": 5, "b": 2.5}', ": map(string, double)", {"acme": 5.0, "b": 2.5}),
        ("d.yaml", "acme: 5\nb: 2.5", ": map(string, double)", {"acme": 5.0, "b": 2.5}),
        ("d.yml", "- no\n- 2026-01-01\n- 12:30\n- 010", ": dyn", ["no", "2026-01-01", "12:30", 10]),
        ("d.csv", "2026-01-01\n2026-05-09\n", ": list(string)", ["2026-01-01", "2026-05-09"]),
        ("d.csv", "a,1\nb,2\n", ": map(string, int)", {"a": 1, "b": 2}),
        ("d.csv", "id,x,y\na,1,2\n", ": map(string, map(string, int))", {"a": {"x": 1, "y": 2}}),
        ("d.csv", "id,x\na,1\n", "", [{"id": "a", "x": "1"}]),
        ("d.json", "\ufeff[1]".encode(), ": list(int)", [1]),
    ],
)
def test_data_is_read_as_declared(compiled: Any, name: str, content: str | bytes, declared: str, value: Any) -> None:
    """Whole numbers become doubles where doubles are declared; YAML has no surprises."""
    assert datum(compiled, name, content, declared) == value


@pytest.mark.parametrize(
    ("name", "content", "declared"),
    [
        ("d.json", '{"a": 1, "a": 2}', ": map(string, int)"),
        ("d.yaml", "a: 1\na: 2", ": map(string, int)"),
        ("d.csv", "a,1\na,2", ": map(string, int)"),
        ("d.json", '{"a": "x"}', ": map(string, int)"),
        ("d.json", "[1, 2", ""),
        ("d.yaml", "a: [", ""),
        ("d.yaml", "!!python/object/apply:os.system ['true']", ""),
        ("d.csv", "a,b,c\n1,2\n", ""),
        ("d.txt", "a", ""),
        ("d.json", "[NaN]", ""),
        ("d.yaml", BOMB, ""),
    ],
)  # fmt: skip
def test_broken_data_is_refused(compiled: Any, name: str, content: str, declared: str) -> None:
    """One error at the file's name, and no policy."""
    found = compiled(f'use data "{name}" as d{declared}\nallow x on crm.refund when d == d', {name: content})
    assert found.errors == ["broken-data"]
    assert found.compilation.policy is None


@pytest.mark.parametrize(
    ("value", "wanted", "fitted"),
    [
        (3, DOUBLE, 3.0), (3, UINT, UInt(3)), ("1h30m", DURATION, Duration(5_400_000_000_000)),
        ("1970-01-01T00:00:01Z", TIMESTAMP, Timestamp(1_000_000_000)), ({"a": [1]}, DYN, {"a": [1]}),
        ("a", EnumType(("a", "b")), "a"), ([1, 2], ListType(INT), [1, 2]), ({"a": 1}, MapType(STRING, DOUBLE), {"a": 1.0}),
    ],
)  # fmt: skip
def test_what_fits_is_taken(value: Any, wanted: Any, fitted: Any) -> None:
    """Equal in value and in kind."""
    given = fit(value, wanted, "d")
    assert given == fitted and type(given) is type(fitted)


@pytest.mark.parametrize(
    ("value", "wanted"),
    [
        ("3", INT), (3.0, INT), (True, INT), (True, DOUBLE), (-1, UINT), (1 << 63, INT), (None, STRING), ("c", EnumType(("a",))),
        ("2026-01-01", TIMESTAMP), ("5 minutes", DURATION), ("", DURATION), ({1: 2}, MapType(STRING, INT)),
        ("x", ListType(STRING)),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_refused(value: Any, wanted: Any) -> None:
    """Nothing is converted by guess."""
    with pytest.raises(MisfitError):
        fit(value, wanted, "d")


def test_yaml_and_csv_refuse_what_cannot_be_read() -> None:
    """A fault is a `MisfitError` with its place, never a traceback of the library."""
    for text in ("a: b: c", "\t- x", "? [1]: 2\n", "a: 1\n--- \nb: 2"):
        with pytest.raises(MisfitError):
            parse_yaml(text)
    with pytest.raises(MisfitError):
        parse_csv('"open', DYN)


def param(compiled: Any, declared: str, **given: Any) -> Any:
    return compiled(f"param v{declared}\nallow x on crm.refund when v == v", params=given)


def test_a_param_is_given_or_has_a_default(compiled: Any) -> None:
    """What is given wins; the compiled policy tells both."""
    assert param(compiled, ": double = 1.0").policy.params == {"v": 1.0}
    assert param(compiled, ": double = 1.0", v=2).policy.params == {"v": 2.0}
    assert param(compiled, ": duration = 5m").policy.params == {"v": Duration(300_000_000_000)}
    assert param(compiled, ": duration", v=timedelta(seconds=1)).policy.params == {"v": Duration(1_000_000_000)}
    assert param(compiled, ': "a" | "b" = "a"').policy.params == {"v": "a"}


@pytest.mark.parametrize(
    ("declared", "given", "code"),
    [
        (": double", {}, "missing-param"),
        (": double = 1.0", {"v": "2"}, "wrong-param"),
        (': double = "1"', {}, "wrong-param"),
        (': "a" | "b" = "c"', {}, "wrong-param"),
        (": double = args.amount", {}, "wrong-param"),
        (": double = 1.0 / nothing", {}, "wrong-param"),
        (": int = 1 / 0", {}, "wrong-param"),
        (": double = 1.0", {"w": 2.0}, "unknown-param"),
        (": dyn = 1", {"v": object()}, "wrong-param"),
    ],
)
def test_a_param_that_does_not_fit_is_refused(compiled: Any, declared: str, given: dict[str, Any], code: str) -> None:
    """Neither the default nor what is given may be of another type; a misspelt name is no silent default."""
    assert param(compiled, declared, **given).errors == [code]


def test_check_needs_no_values_for_params(compiled: Any) -> None:
    """`check` knows the type, which is all it needs."""
    found = compiled("param v: double\nallow x on crm.refund when args.amount < v", executable=False)
    assert found.said == []
