"""Types of macros: what they range over, what their variables are, what they give."""

from __future__ import annotations

from typing import Final, NamedTuple, assert_never

from policy_engine.compiler.cel.checker.access import POSSIBLY_NULL
from policy_engine.compiler.cel.checker.matching import NUMBERS, any_field, field_names, is_text, join, members
from policy_engine.compiler.cel.checker.operators import TYPE_MISMATCH
from policy_engine.compiler.cel.checker.report import Report
from policy_engine.compiler.cel.checker.words import code, quoted, words
from policy_engine.semantics.ast.expressions import Comprehension, Expr
from policy_engine.semantics.types import (
    BOOL,
    BYTES,
    DURATION,
    DYN,
    INT,
    NULL,
    TIMESTAMP,
    UINT,
    ListType,
    MapType,
    RecordType,
    Type,
)  # fmt: skip

_KEYS: Final = (BOOL, INT, UINT, DYN)
_LISTS_ONLY: Final = ("last", "after", "sortBy")
_SORTABLE: Final = (*NUMBERS, BOOL, BYTES, TIMESTAMP, DURATION, DYN)


class Ranged(NamedTuple):
    """The variables of a macro: `single` where it has one, `key` and `value` where it has two."""

    single: Type
    key: Type
    value: Type


def ranged(node: Comprehension, over: Type, report: Report) -> Ranged:
    """What the variables of a macro are, for each option of its range joined."""
    found: list[Ranged] = []
    for option in members(over):
        match option:
            case ListType(element=element):
                found.append(Ranged(element, INT, element))
            case MapType() | RecordType() if node.kind in _LISTS_ONLY:
                message = (
                    f"{quoted(node.range)} is {words(option)}; `{node.kind}` goes over lists only, which have an order"
                )
                report.fault(TYPE_MISMATCH, message, (node.range, words(option)))
            case MapType(key=key, value=value):
                found.append(Ranged(key, key, value))
            case RecordType():
                names = field_names(option)
                found.append(Ranged(names, names, any_field(option)))
            case _ if option == DYN:
                found.append(Ranged(DYN, DYN, DYN))
            case _ if option == NULL and over != NULL:
                report.fault(
                    POSSIBLY_NULL, f"{quoted(node.range)} may be null, and `{node.kind}` does not go over null",
                    (node.range, words(over)), suggestion=f"{code(node.range)} != null && …",
                )  # fmt: skip
            case _:
                report.fault(
                    TYPE_MISMATCH, f"{quoted(node.range)} is {words(option)}; `{node.kind}` goes over lists, maps and records",
                    (node.range, words(option)),
                )  # fmt: skip
    if not found:
        return Ranged(DYN, DYN, DYN)
    return Ranged(*(join(kinds) for kinds in zip(*found, strict=True)))


def result_of(node: Comprehension, over: Ranged, body: Type, report: Report) -> Type:
    """What the macro gives; `body` is the type of its last expression."""
    match node.kind:
        case "all" | "exists" | "exists_one":
            return BOOL
        case "filter" | "after":
            return ListType(over.single)
        case "map" | "transformList":
            return ListType(body)
        case "last":
            return over.single
        case "sortBy":
            _sortable(node, body, report)
            return ListType(over.single)
        case "transformMap":
            return MapType(over.key, body)
        case "transformMapEntry":
            return _entries(node, body, report)
    assert_never(node.kind)


def key_fault(node: Expr, kind: Type, report: Report) -> None:
    """Report a type that cannot be the key of a map."""
    if all(option in _KEYS or is_text(option) for option in members(kind)):
        return
    report.fault(
        TYPE_MISMATCH, f"{quoted(node)} is {words(kind)}; the key of a map is text, a whole number or a boolean",
        (node, words(kind)),
    )  # fmt: skip


def _sortable(node: Comprehension, body: Type, report: Report) -> None:
    if not all(option in _SORTABLE or is_text(option) for option in members(body)):
        report.fault(
            TYPE_MISMATCH,
            f"{quoted(node.bodies[-1])} is {words(body)}, which has no order",
            (node.bodies[-1], words(body)),
        )


def _entries(node: Comprehension, body: Type, report: Report) -> Type:
    if body == DYN or isinstance(body, MapType):
        return MapType(DYN, DYN) if body == DYN else body
    report.fault(
        TYPE_MISMATCH, f"{quoted(node.bodies[-1])} is {words(body)}; `transformMapEntry` needs a map of one entry",
        (node.bodies[-1], words(body)), suggestion="{key: value}",
    )  # fmt: skip
    return DYN
