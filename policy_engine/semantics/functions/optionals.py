"""Optional values: what `.?` and `[?]` give, and what may be left out of a list or map literal."""

from __future__ import annotations

from typing import Any, Final

from policy_engine.base.errors import EvaluationError
from policy_engine.base.values import NONE, Duration, Optional, Timestamp
from policy_engine.semantics.functions.declaration import Function
from policy_engine.semantics.functions.signatures import counted, examples, takes, typed
from policy_engine.semantics.operations import no_overload
from policy_engine.semantics.types import BOOL, DYN, ListType, OptionalType, TypeVariable

_A: Final = TypeVariable("A")
_MAYBE: Final = OptionalType(_A)
_EMPTY_TIMES: Final = (Duration(0), Timestamp(-62_135_596_800 * 1_000_000_000))


def _of(value: Any) -> Optional:
    return Optional(True, value)


def of_non_zero(value: Any) -> Optional:
    """Absent for null, false, 0, empty text, bytes, lists and maps, the zero duration; present for anything else."""
    if type(value) is Optional:
        empty = not value.present
    elif type(value) is Duration or type(value) is Timestamp:
        empty = value in _EMPTY_TIMES
    else:
        empty = value is None or (type(value) in (bool, int, float, str, bytes, list, dict) and not value) or value == 0
    return NONE if empty else Optional(True, value)


def _value(optional: Optional) -> Any:
    if optional.present:
        return optional.value
    raise EvaluationError("invalid_argument", "an absent optional has no value")


def _or(optional: Any, other: Any) -> Optional:
    """In the back ends `other` is evaluated only where it is needed."""
    if type(optional) is not Optional:
        no_overload("or", optional, other)
    if optional.present:
        return optional
    if type(other) is not Optional:
        no_overload("or", optional, other)
    return other


def _or_value(optional: Any, other: Any) -> Any:
    if type(optional) is not Optional:
        no_overload("orValue", optional, other)
    return optional.value if optional.present else other


def _unwrap(optionals: list[Any]) -> list[Any]:
    for item in optionals:
        if type(item) is not Optional:
            no_overload("optional.unwrap", item)
    return [item.value for item in optionals if item.present]


FUNCTIONS: Final = (
    Function(
        "optional.of",
        (takes(_A, to=_MAYBE),),
        "A present optional of a value.",
        examples(
            ("optional.of(1).hasValue()", "true"),
        ),
        counted("optional.of", _of, 1),
    ),
    Function(
        "optional.ofNonZeroValue",
        (takes(_A, to=_MAYBE),),
        "A present optional, or an absent one where the value is null, false, zero or empty.",
        examples(
            ("optional.ofNonZeroValue('').hasValue()", "false"),
        ),
        counted("optional.ofNonZeroValue", of_non_zero, 1),
    ),
    Function(
        "optional.none",
        (takes(to=OptionalType(DYN)),),
        "The absent optional.",
        examples(
            ("optional.none().hasValue()", "false"),
        ),
        counted("optional.none", lambda: NONE, 0),
    ),
    Function(
        "hasValue",
        (takes(_MAYBE, to=BOOL),),
        "Whether the optional is present.",
        examples(
            ("{'a': 1}.?a.hasValue()", "true"),
        ),
        typed("hasValue", lambda optional: optional.present, (Optional,)),
        method=True,
    ),
    Function(
        "value",
        (takes(_MAYBE, to=_A),),
        "What the optional holds; an error when it is absent.",
        examples(
            ("optional.of(42).value()", "42"),
        ),
        typed("value", _value, (Optional,)),
        method=True,
    ),
    Function(
        "or",
        (takes(_MAYBE, _MAYBE, to=_MAYBE),),
        "This optional, or the other where this one is absent.",
        examples(
            ("{}.?a.or(optional.of(2)).value()", "2"),
        ),
        counted("or", _or, 2),
        method=True,
    ),
    Function(
        "orValue",
        (takes(_MAYBE, _A, to=_A),),
        "What the optional holds, or the other value where it is absent.",
        examples(
            ("{'a': 1}.?b.orValue(0)", "0"),
        ),
        counted("orValue", _or_value, 2),
        method=True,
    ),
    Function(
        "optional.unwrap",
        (takes(ListType(_MAYBE), to=ListType(_A)),),
        "What the present ones of a list of optionals hold.",
        examples(
            ("optional.unwrap([optional.of(1), optional.none()])", "[1]"),
        ),
        typed("optional.unwrap", _unwrap, (list,)),
    ),
    Function(
        "unwrapOpt",
        (takes(ListType(_MAYBE), to=ListType(_A)),),
        "What the present ones of a list of optionals hold.",
        examples(
            ("[optional.of(1), optional.none()].unwrapOpt()", "[1]"),
        ),
        typed("unwrapOpt", _unwrap, (list,)),
        method=True,
    ),
)
