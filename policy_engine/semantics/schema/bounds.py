"""What a schema demands beyond the type: numbers between bounds, lengths, patterns, allowed values, tuples.

Applied to the value as it was normalised. As JSON Schema has it, a bound speaks only of values of its own kind.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from typing import Any

from policy_engine.semantics.functions.patterns import compiled
from policy_engine.semantics.schema.budget import Budget, Check, Misfit
from policy_engine.semantics.schema.containers import items
from policy_engine.semantics.types import Bounds, RecordField

Test = Callable[[Any], str | None]
"""Takes a normalised value; says what is wrong with it."""


def bounded(check: Check, bounds: Bounds, check_of: Callable[[RecordField], Check]) -> Check:
    """`check`, and then the bounds. `check_of` makes the checks of a tuple's positions.

    `items` and `values` are not looked at: the checks of lists and maps carry them.
    """
    if bounds.positions:
        check = _positioned(check, [check_of(position) for position in bounds.positions])
    tests = tests_of(bounds)
    if not tests:
        return check
    first = check

    def strict(value: Any, budget: Budget) -> Any:
        made = first(value, budget)
        for test in tests:
            problem = test(made)
            if problem is not None:
                raise Misfit(problem)
        return made

    return strict


def tests_of(bounds: Bounds) -> tuple[Test, ...]:
    """The bounds as tests, in the order in which they are tried."""
    tests: list[Test] = []
    if bounds.options is not None:
        tests.append(_options(bounds.options))
    if bounds.minimum is not None or bounds.maximum is not None:
        tests.append(_range(bounds.minimum, bounds.maximum))
    if bounds.above is not None or bounds.below is not None:
        tests.append(_open_range(bounds.above, bounds.below))
    if bounds.multiple_of is not None:
        tests.append(_multiple(bounds.multiple_of))
    if bounds.min_length is not None or bounds.max_length is not None:
        tests.append(_sized(str, "characters", bounds.min_length, bounds.max_length))
    if bounds.pattern is not None:
        tests.append(_pattern(bounds.pattern))
    if bounds.min_items is not None or bounds.max_items is not None:
        tests.append(_sized(list, "items", bounds.min_items, bounds.max_items))
    if bounds.unique:
        tests.append(_unique)
    return tuple(tests)


def canonical(value: Any) -> str:
    """One text for equal JSON values: `1` and `1.0` are the same number, `true` is not."""
    return json.dumps(_without_integral_floats(value), sort_keys=True)


def _without_integral_floats(value: Any) -> Any:
    if isinstance(value, float) and value.is_integer():
        return int(value)
    if isinstance(value, list):
        return [_without_integral_floats(item) for item in value]
    if isinstance(value, dict):
        return {name: _without_integral_floats(item) for name, item in value.items()}
    return value


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _options(options: tuple[str, ...]) -> Test:
    allowed = frozenset(options)

    def test(value: Any) -> str | None:
        try:
            return None if canonical(value) in allowed else "is none of the declared values"
        except TypeError:
            return "is none of the declared values"

    return test


def _range(minimum: float | None, maximum: float | None) -> Test:
    low = -math.inf if minimum is None else minimum
    high = math.inf if maximum is None else maximum
    words = " and ".join(
        [f"at least {low:g}" for _ in (0,) if minimum is not None]
        + [f"at most {high:g}" for _ in (0,) if maximum is not None]
    )
    return lambda value: None if not _is_number(value) or low <= value <= high else f"must be {words}"


def _open_range(above: float | None, below: float | None) -> Test:
    low = -math.inf if above is None else above
    high = math.inf if below is None else below
    words = " and ".join(
        [f"more than {low:g}" for _ in (0,) if above is not None]
        + [f"less than {high:g}" for _ in (0,) if below is not None]
    )
    return lambda value: None if not _is_number(value) or low < value < high else f"must be {words}"


def _multiple(step: float) -> Test:
    def test(value: Any) -> str | None:
        if not _is_number(value):
            return None
        if isinstance(value, int) and float(step).is_integer():
            fits = value % int(step) == 0
        else:
            fits = math.isclose(value / step, round(value / step), rel_tol=1e-12, abs_tol=0.0)
        return None if fits else f"must be a multiple of {step:g}"

    return test


def _sized(kind: type, unit: str, least: int | None, most: int | None) -> Test:
    def test(value: Any) -> str | None:
        if not isinstance(value, kind):
            return None
        if least is not None and len(value) < least:  # type: ignore[arg-type]
            return f"must have at least {least} {unit}"
        if most is not None and len(value) > most:  # type: ignore[arg-type]
            return f"must have at most {most} {unit}"
        return None

    return test


def _pattern(pattern: str) -> Test:
    wanted = compiled(pattern)
    return lambda value: None if not isinstance(value, str) or wanted.search(value) else "does not match its pattern"


def _unique(value: Any) -> str | None:
    if not isinstance(value, list):
        return None
    return None if len({canonical(item) for item in value}) == len(value) else "must not hold the same item twice"


def _positioned(check: Check, positions: list[Check]) -> Check:
    """A tuple: the first items each by their own check, whose answer stays.

    The check of the list is of any item at any place: it looks at all, but might take one for the shape of another.
    """

    def strict(value: Any, budget: Budget) -> Any:
        if not isinstance(value, list | tuple):
            return check(value, budget)
        given = items(value)
        own = []
        for index, (position, item) in enumerate(zip(positions, given, strict=False)):
            try:
                own.append(position(item, budget))
            except Misfit as fault:
                raise fault.within(index) from None
        made = check([*own, *given[len(own) :]], budget)
        if isinstance(made, list):
            made[: len(own)] = own
        return made

    return strict
