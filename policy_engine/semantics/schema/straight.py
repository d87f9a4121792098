"""The straight way through a record that fits: the same answer as its check, in a few steps that Python takes in C.

Called by `normaliser`. It answers only for a plain `dict` that holds every declared property, each of exactly the class
it should have, in plain characters; anything else is handed to the check, which says what it is. So it never refuses
anything, and what it accepts the check would have accepted with the same result (`test_schema_twin`).
"""

from __future__ import annotations

from collections.abc import Callable
from math import isfinite
from operator import itemgetter
from typing import Any, Final

from policy_engine.base.limits import MAX_ARGS_CHARS, MAX_ARGS_NODES
from policy_engine.base.values import MAX_INT, MIN_INT
from policy_engine.semantics.types import BOOL, DOUBLE, INT, STRING, EnumType, ListType, RecordType

Way = Callable[[Any], dict[str, Any]]

_CLASSES: Final = {STRING: str, INT: int, DOUBLE: float, BOOL: bool, ListType(STRING): list}
_FEWEST: Final = 2
"""`itemgetter` of one key gives no tuple."""


def straight(record: RecordType, check: Way) -> Way:
    """The straight way for a record, `check` where it ends; `check` alone where a property is of another kind or bounded."""
    fields = record.fields
    if len(fields) < _FEWEST or any(field.bounds is not None for field in fields):
        return check
    classes = tuple(str if isinstance(field.type, EnumType) else _CLASSES.get(field.type) for field in fields)
    if None in classes:
        return check
    if all(field.type == STRING for field in fields):
        return _of_texts(tuple(field.name for field in fields), check)
    names = tuple(field.name for field in fields)
    enums = tuple((field.name, frozenset(field.type.options)) for field in fields if isinstance(field.type, EnumType))
    texts = tuple(place for place, field in enumerate(fields) if field.type == STRING)
    some_texts = itemgetter(*texts) if len(texts) > 1 else None
    numbers = tuple(place for place, field in enumerate(fields) if field.type == INT)
    floats = tuple(place for place, field in enumerate(fields) if field.type == DOUBLE)
    lists = tuple(field.name for field in fields if isinstance(field.type, ListType))
    pick, count, kinds = itemgetter(*names), len(names), (*(str,) * len(names), *classes)

    def way(value: Any) -> dict[str, Any]:
        if type(value) is not dict:
            return check(value)
        given: dict[str, Any] = value.copy()
        try:
            values = pick(given)
        except KeyError:
            return check(value)
        if (*map(type, given), *map(type, values)) != kinds:  # nor are there others
            return check(value)
        chars = 0
        if texts:
            together = values[texts[0]] if some_texts is None else "".join(some_texts(values))
            chars = len(together)
            if chars > MAX_ARGS_CHARS or not together.isascii():
                return check(value)
        for place in numbers:
            if not MIN_INT <= values[place] <= MAX_INT:
                return check(value)
        for place in floats:
            if not isfinite(values[place]):
                return check(value)
        return given if plain or fits(given, chars) else check(value)

    def fits(given: dict[str, Any], chars: int) -> bool:
        for name, options in enums:
            if given[name] not in options:
                return False
        nodes = count
        for name in lists:
            items = given[name] = given[name].copy()
            nodes += len(items)
            for text in items:
                if type(text) is not str or not text.isascii():
                    return False
                chars += len(text)
        return chars <= MAX_ARGS_CHARS and nodes <= MAX_ARGS_NODES

    plain = not enums and not lists and count <= MAX_ARGS_NODES
    return way


def _of_texts(names: tuple[str, ...], check: Way) -> Way:
    """The straight way for a record of texts alone, such as a principal mostly is."""
    pick, classes = itemgetter(*names), (str,) * (2 * len(names))

    def way(value: Any) -> dict[str, Any]:
        if type(value) is not dict:
            return check(value)
        given: dict[str, Any] = value.copy()
        try:
            values = pick(given)
        except KeyError:
            return check(value)
        if (*map(type, given), *map(type, values)) != classes:  # nor are there others
            return check(value)
        together = "".join(values)
        return given if len(together) <= MAX_ARGS_CHARS and together.isascii() else check(value)

    return way
