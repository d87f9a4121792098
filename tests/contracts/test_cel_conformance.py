"""The official cel-spec vectors that plain Python values can express, each on both back ends."""

from __future__ import annotations

import base64
import json
import math
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from policy_engine import cel
from policy_engine.base.values import TypeValue, UInt

VECTORS = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "cel" / "cel_conformance.jsonl"
PLAIN = 1_726
ENOUGH = 1_600
CORE = (
    "basic", "comparisons", "conversions", "fields", "fp_math", "integer_math", "lists", "logic", "macros", "namespace",
    "parse", "plumbing", "string", "timestamps",
)  # fmt: skip
BACKENDS: tuple[cel.Backend, ...] = ("generated", "interpreter")

_LOST_BACKSLASH = (
    "the recorded expression lost its backslash, the recorded value kept it; Google's C++ CEL differs as well"
)
KNOWN: tuple[tuple[str, str], ...] = (
    ("parse/bytes_literals/triple_single_quoted_unescaped_punctuation", _LOST_BACKSLASH),
    ("parse/bytes_literals/triple_double_quoted_unescaped_punctuation", _LOST_BACKSLASH),
    (
        "string_ext/format/map support (all key types)",
        "a map with both `true` and `1` as keys is refused: Python's dict holds them for one key",
    ),
)
"""Vectors that do not pass, as `file/section/name`, with the reason. At most five are of the core files."""


class Vector(NamedTuple):
    """One recorded test."""

    name: str
    file: str
    data: dict[str, Any]


def _vectors() -> list[Vector]:
    if not VECTORS.exists():
        return []
    lines = [json.loads(line) for line in VECTORS.read_text(encoding="utf-8").splitlines()]
    return [Vector(f"{d['file']}/{d['section']}/{d['name']}", d["file"], d) for d in lines if d["plain"]]


ALL = _vectors()
pytestmark = pytest.mark.skipif(not ALL, reason="../shared is not here: the official CEL vectors were not run")


def _value(recorded: Any) -> Any:
    """The Python value that a recorded JSON value stands for."""
    match recorded:
        case {"$uint": number}:
            return UInt(number)
        case {"$double": number}:
            return float(number)
        case {"$bytes": text}:
            return base64.b64decode(text)
        case {"$type": name}:
            return TypeValue(name)
        case dict():
            return {key: _value(item) for key, item in recorded.items()}
        case list():
            return [_value(item) for item in recorded]
        case _:
            return recorded


def _same(left: Any, right: Any) -> bool:
    """Equal in value and in type, NaN and the sign of zero included."""
    if type(left) is not type(right):
        return False
    if isinstance(left, float):
        if left != left or right != right:
            return left != left and right != right
        return left == right and math.copysign(1, left) == math.copysign(1, right)
    if isinstance(left, list):
        return len(left) == len(right) and all(map(_same, left, right))
    if isinstance(left, dict):
        return left.keys() == right.keys() and all(_same(left[key], right[key]) for key in left)
    return bool(left == right)


def _fault(vector: Vector, backend: cel.Backend) -> str | None:
    """What is wrong with our answer to one vector; None if nothing is."""
    data = vector.data
    variables = None if data.get("disable_check") else data.get("type_env", {})
    bindings = {name: _value(value) for name, value in data["bindings"].items()}
    if variables is not None:
        variables = {**dict.fromkeys(bindings, "dyn"), **variables}
    try:
        program = cel.compile(data["expr"], variables, container=data.get("container"))
        answer = program.evaluate(bindings, backend=backend)
    except (cel.EvaluationError, cel.PolicyError) as problem:
        return None if "error" in data else f"{type(problem).__name__}: {problem}"
    if "error" in data:
        return f"{answer!r} instead of an error"
    expected = _value(data["value"])
    return None if _same(answer, expected) else f"{answer!r} instead of {expected!r}"


def _run(vectors: Iterable[Vector], backend: cel.Backend) -> dict[str, str]:
    faults = ((vector, _fault(vector, backend)) for vector in vectors)
    return {vector.name: f"{vector.data['expr']} -> {fault}" for vector, fault in faults if fault is not None}


@pytest.fixture(scope="module", params=BACKENDS)
def faults(request: pytest.FixtureRequest) -> dict[str, str]:
    """Name and fault of each vector that one back end does not pass."""
    return _run(ALL, request.param)


def test_only_the_known_vectors_fail(faults: dict[str, str]) -> None:
    """Every vector passes but those listed with a reason, and one that is listed and passes is taken off the list."""
    known = dict(KNOWN)
    assert {name: fault for name, fault in faults.items() if name not in known} == {}
    assert set(known) <= set(faults), "a known exception passes now: take it off the list"


def test_enough_vectors_pass(faults: dict[str, str]) -> None:
    """The whole plain suite was run, and nearly all of it passes."""
    assert len(ALL) == PLAIN
    assert len(ALL) - len(faults) >= ENOUGH
    report = os.environ.get("POLICY_CEL_REPORT")
    if report:
        Path(report).write_text(f"{len(ALL)}\n", encoding="utf-8")


def test_the_core_has_few_exceptions() -> None:
    """At most five vectors of the core files are excepted."""
    assert sum(name.split("/")[0] in CORE for name, _ in KNOWN) <= 5
