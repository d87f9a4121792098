"""Arguments and records against plain descriptions of their types (`assembly/caching/lean_form.spec_of`).

The twin of `semantics/schema/normalise` for values that JSON has; what does not fit raises `Misfit` without words.
"""

from __future__ import annotations

from policy_engine.lean.simple import Misfit

TYPE_CHECKING = False
if TYPE_CHECKING:  # type checkers take this for true; the imports would cost half a start
    from collections.abc import Callable
    from typing import Any, TypeAlias

    Spec: TypeAlias = tuple[Any, ...]

_MIN_INT, _MAX_INT = -(1 << 63), (1 << 63) - 1


def fitted(spec: Spec, value: Any) -> Any:
    """The value as rules see it; raises `Misfit`."""
    return _CHECKS[spec[0]](spec, value)


def _any(spec: Spec, value: Any) -> Any:
    return value


def _text(spec: Spec, value: Any) -> Any:
    if value.__class__ is str:
        return value
    raise Misfit


def _int(spec: Spec, value: Any) -> Any:
    if value.__class__ is int:
        return value
    if value.__class__ is float and _MIN_INT <= value <= _MAX_INT and value.is_integer():
        made = int(value)
        if made <= _MAX_INT:
            return made
    raise Misfit


def _number(spec: Spec, value: Any) -> Any:
    if value.__class__ is float:
        return value
    if value.__class__ is int:
        return float(value)
    raise Misfit


def _bool(spec: Spec, value: Any) -> Any:
    if value.__class__ is bool:
        return value
    raise Misfit


def _null(spec: Spec, value: Any) -> Any:
    if value is None:
        return None
    raise Misfit


def _enum(spec: Spec, value: Any) -> Any:
    if value.__class__ is str and value in spec[1]:
        return value
    raise Misfit


def _list(spec: Spec, value: Any) -> Any:
    if value.__class__ is not list:
        raise Misfit
    return [fitted(spec[1], item) for item in value]


def _map(spec: Spec, value: Any) -> Any:
    if value.__class__ is not dict:
        raise Misfit
    return {key: fitted(spec[1], item) for key, item in value.items()}


def _record(spec: Spec, value: Any) -> Any:
    _, fields, required, rest = spec
    if value.__class__ is not dict:
        raise Misfit
    made = {}
    for name, item in value.items():
        inner = fields.get(name, rest)
        if inner is None:
            raise Misfit
        made[name] = fitted(inner, item)
    for name in required:
        if name not in made:
            raise Misfit
    return made


def _nullable(spec: Spec, value: Any) -> Any:
    return None if value is None else fitted(spec[1], value)


def _bounded(spec: Spec, value: Any) -> Any:
    made = fitted(spec[1], value)
    for test, low, high in spec[2]:
        if not _TESTS[test](made, low, high):
            raise Misfit
    return made


def _is_number(value: Any) -> bool:
    return value.__class__ is int or value.__class__ is float


def _within(value: Any, low: Any, high: Any) -> bool:
    return not _is_number(value) or ((low is None or low <= value) and (high is None or value <= high))


def _between(value: Any, low: Any, high: Any) -> bool:
    return not _is_number(value) or ((low is None or low < value) and (high is None or value < high))


def _characters(value: Any, low: Any, high: Any) -> bool:
    return value.__class__ is not str or _sized(value, low, high)


def _items(value: Any, low: Any, high: Any) -> bool:
    return value.__class__ is not list or _sized(value, low, high)


def _sized(value: Any, low: Any, high: Any) -> bool:
    return (low is None or len(value) >= low) and (high is None or len(value) <= high)


_TESTS: dict[str, Callable[[Any, Any, Any], bool]] = {
    "within": _within, "between": _between, "characters": _characters, "items": _items,
}  # fmt: skip
_CHECKS: dict[str, Callable[[Spec, Any], Any]] = {
    "any": _any, "text": _text, "int": _int, "number": _number, "bool": _bool, "null": _null, "enum": _enum,
    "list": _list, "map": _map, "record": _record, "nullable": _nullable, "bounded": _bounded,
}  # fmt: skip
