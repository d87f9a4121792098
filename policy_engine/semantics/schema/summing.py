"""`anyOf`: several shapes of which one must fit, as one type and the bounds that can be kept.

Never tighter than the alternatives together: where a bound of one could refuse a value of another, it is dropped.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from policy_engine.semantics.schema.bounds import canonical
from policy_engine.semantics.schema.shape import NOTHING
from policy_engine.semantics.types import (
    DOUBLE,
    DYN,
    INT,
    NULL,
    STRING,
    Bounds,
    EnumType,
    ListType,
    MapType,
    RecordField,
    RecordType,
    Type,
    UnionType,
    union,
)

Alternative = tuple[Type, Bounds | None]


def simplified(types: Sequence[Type]) -> Type:
    """The union, with closed strings gathered into one enum, or swallowed where any string fits."""
    made = union(*([one for one in types if one != NOTHING] or [NOTHING]))
    if not isinstance(made, UnionType):
        return made
    words = [option for enum in made.options if isinstance(enum, EnumType) for option in enum.options]
    if not words:
        return made
    others = [option for option in made.options if not isinstance(option, EnumType)]
    gathered = () if STRING in others else (EnumType(tuple(sorted(set(words)))),)
    return union(*gathered, *others)


def combined_bounds(alternatives: Sequence[Alternative]) -> Bounds | None:
    """The bounds that hold whichever alternative fits."""
    if len(alternatives) == 1:
        return alternatives[0][1]
    options = _options(alternatives)
    if options is not None:
        return Bounds(options=options)
    made = Bounds()
    for kind in ("number", "text", "list", "object"):
        owners = [bounds for type, bounds in alternatives if kind in _kinds(type)]
        if len(owners) == 1 and owners[0] is not None:
            made = _with(made, owners[0], kind)
    return None if made == Bounds() else made


def _options(alternatives: Sequence[Alternative]) -> tuple[str, ...] | None:
    """The values allowed, where every alternative is a closed set and one of them is not of strings alone."""
    if not any(bounds is not None and bounds.options is not None for _, bounds in alternatives):
        return None
    found: set[str] = set()
    for made, bounds in alternatives:
        if bounds is not None and bounds.options is not None:
            found.update(bounds.options)
        elif isinstance(made, EnumType):
            found.update(canonical(option) for option in made.options)
        elif made == NULL:
            found.add("null")
        else:
            return None
    return tuple(sorted(found))


def _kinds(made: Type) -> set[str]:
    if made == DYN:
        return {"number", "text", "list", "object"}
    kinds: set[str] = set()
    for option in made.options if isinstance(made, UnionType) else (made,):
        if option in (INT, DOUBLE):
            kinds.add("number")
        elif option == STRING or isinstance(option, EnumType):
            kinds.add("text")
        elif isinstance(option, ListType):
            kinds.add("list")
        elif isinstance(option, RecordType | MapType):
            kinds.add("object")
    return kinds


def _with(made: Bounds, bounds: Bounds, kind: str) -> Bounds:
    match kind:
        case "number":
            return replace(
                made, minimum=bounds.minimum, maximum=bounds.maximum, above=bounds.above, below=bounds.below,
                multiple_of=bounds.multiple_of,
            )  # fmt: skip
        case "text":
            return replace(made, min_length=bounds.min_length, max_length=bounds.max_length, pattern=bounds.pattern)
        case "object":
            return replace(made, values=bounds.values)
        case _:
            return replace(
                made, min_items=bounds.min_items, max_items=bounds.max_items, unique=bounds.unique,
                positions=bounds.positions, items=bounds.items,
            )  # fmt: skip


def merged_records(records: Sequence[RecordType]) -> RecordType:
    """One record that every value of any of them fits: required is what all require."""
    names = sorted({field.name for record in records for field in record.fields})
    rests = [record.rest for record in records if record.rest is not None]
    fields = []
    for name in names:
        found = [record.field(name) for record in records]
        declared = [field for field in found if field is not None]
        types = [field.type for field in declared]
        types += [record.rest for record in records if record.field(name) is None and record.rest is not None]
        required = len(declared) == len(records) and all(field.required for field in declared)
        everywhere = len(types) == len(declared)
        bounds = combined_bounds([(field.type, field.bounds) for field in declared]) if everywhere else None
        fields.append(RecordField(name, simplified(types), required, bounds))
    return RecordType("", tuple(fields), simplified(rests) if rests else None)
