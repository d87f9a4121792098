"""Reaching into values: `in`, `m[k]`, `m[?k]`, `m.f`, `m.?f`, `has(m.f)`, for both back ends.

Promises that what is not there is an error with the name of the field (never of a key that was computed), except
where the optional forms make it an absent optional. On an optional each of them reaches into the value it holds and
gives an optional again.
"""

from __future__ import annotations

from typing import Any, Final, NoReturn

from policy_engine.base.errors import EvaluationError
from policy_engine.base.values import NONE, Optional
from policy_engine.semantics.operations.bounds import MAX_VALUE_ELEMENTS
from policy_engine.semantics.operations.equality import MISSING, equals, equals_within, find
from policy_engine.semantics.operations.kinds import KEYS, NUMBERS, no_overload, spoken_type

_NESTED: Final = frozenset((list, dict, Optional))


def contains(item: Any, container: Any) -> bool:
    """`item in container`: an element of a list, a key of a map."""
    kind = type(container)
    if kind is list:
        if type(item) not in _NESTED:
            return any(equals(item, element) for element in container)
        budget = [MAX_VALUE_ELEMENTS]
        return any(equals_within(item, element, budget) for element in container)
    if kind is dict and (type(item) in KEYS or type(item) is float):
        return find(container, item) is not MISSING
    no_overload("in", item, container)


def index(container: Any, key: Any) -> Any:
    """`container[key]`: an element of a list by a whole number, the value of a map at a key."""
    kind = type(container)
    if kind is dict:
        value = find(container, key)
        if value is not MISSING:
            return value
        _check_key(key)
        raise EvaluationError("no_such_key", f"the map has no such key (a key of type {spoken_type(key)})")
    if kind is list:
        place = _place(container, key)
        if 0 <= place < len(container):
            return container[place]
        raise EvaluationError("index_out_of_range", "the list is not that long")
    if kind is Optional:
        return optional_index(container, key)
    no_overload("[]", container, key)


def optional_index(container: Any, key: Any) -> Optional:
    """`container[?key]`: an optional of what is there, absent when nothing is."""
    kind = type(container)
    if kind is dict:
        value = find(container, key)
        if value is not MISSING:
            return Optional(True, value)
        _check_key(key)
        return NONE
    if kind is list:
        place = _place(container, key)
        return Optional(True, container[place]) if 0 <= place < len(container) else NONE
    if kind is Optional:
        return optional_index(container.value, key) if container.present else NONE
    no_overload("[?]", container, key)


def select(operand: Any, field: str) -> Any:
    """`operand.field`."""
    kind = type(operand)
    if kind is dict:
        value = operand.get(field, MISSING)
        if value is not MISSING:
            return value
        raise EvaluationError("no_such_field", f"there is no field `{field}`")
    if kind is Optional:
        return optional_select(operand, field)
    _no_fields(operand, field)


def optional_select(operand: Any, field: str) -> Optional:
    """`operand.?field`: an optional of the field, absent when there is none."""
    kind = type(operand)
    if kind is dict:
        value = operand.get(field, MISSING)
        return NONE if value is MISSING else Optional(True, value)
    if kind is Optional:
        return optional_select(operand.value, field) if operand.present else NONE
    _no_fields(operand, field)


def has_field(operand: Any, field: str) -> bool:
    """`has(operand.field)`; an error where the operand is nothing that could have fields."""
    kind = type(operand)
    if kind is dict:
        return field in operand
    if kind is Optional:
        return bool(operand.present) and has_field(operand.value, field)
    _no_fields(operand, field)


def _no_fields(operand: Any, field: str) -> NoReturn:
    raise EvaluationError("no_such_overload", f"a value of type {spoken_type(operand)} has no field `{field}`")


def _check_key(key: Any) -> None:
    """A missing key is one thing, a value that can be no key of any map another."""
    if type(key) not in KEYS and type(key) is not float:
        raise EvaluationError("no_such_overload", f"a value of type {spoken_type(key)} is no key of a map")


def _place(container: list[Any], key: Any) -> int:
    """The position `key` means, maybe outside the list; a double counts when it is whole."""
    kind = type(key)
    if kind is float:
        if key.is_integer():
            return int(key)
        raise EvaluationError("invalid_argument", "a position in a list is a whole number")
    if kind in NUMBERS:
        return int(key)
    no_overload("[]", container, key)
