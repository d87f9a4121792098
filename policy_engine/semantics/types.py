"""The types the checker knows. Small, structural, hashable; `DYN` is what nobody declared.

From JSON Schema: string `STRING`, integer `INT`, number `DOUBLE`, boolean `BOOL`, null `NULL`, enum `EnumType`,
array `ListType`, object `RecordType` (closed unless the schema opens it), anyOf `UnionType`, anything else `DYN`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, TypeAlias


@dataclass(frozen=True, slots=True)
class BasicType:
    """A type without parts; compare with the constants below."""

    name: str

    def __str__(self) -> str:
        return self.name


DYN: Final = BasicType("dyn")
NULL: Final = BasicType("null")
BOOL: Final = BasicType("bool")
INT: Final = BasicType("int")
UINT: Final = BasicType("uint")
DOUBLE: Final = BasicType("double")
STRING: Final = BasicType("string")
BYTES: Final = BasicType("bytes")
TIMESTAMP: Final = BasicType("timestamp")
DURATION: Final = BasicType("duration")
TYPE: Final = BasicType("type")


@dataclass(frozen=True, slots=True)
class EnumType:
    """Closed strings: one of `options`, sorted. Usable wherever a string is."""

    options: tuple[str, ...]

    def __str__(self) -> str:
        return " | ".join(f'"{option}"' for option in self.options)


@dataclass(frozen=True, slots=True)
class ListType:
    """`list(element)`."""

    element: Type

    def __str__(self) -> str:
        return f"list({self.element})"


@dataclass(frozen=True, slots=True)
class MapType:
    """`map(key, value)`."""

    key: Type
    value: Type

    def __str__(self) -> str:
        return f"map({self.key}, {self.value})"


@dataclass(frozen=True, slots=True)
class OptionalType:
    """`optional(inner)`: what `.?` and `[?]` give."""

    inner: Type

    def __str__(self) -> str:
        return f"optional({self.inner})"


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a schema demands of a value beyond its type. Enforced on arrival; types, rules and checks need not know.

    Numbers are bounded as JSON Schema has it (`above`, `below` exclude the bound), texts in characters, lists in items.
    `pattern` is RE2. `options` are the JSON texts of the values allowed. `positions` describe the first items of a list
    one by one (a tuple), `items` bounds every item, `values` every value of a map.
    """

    minimum: float | None = None
    maximum: float | None = None
    above: float | None = None
    below: float | None = None
    multiple_of: float | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    min_items: int | None = None
    max_items: int | None = None
    unique: bool = False
    options: tuple[str, ...] | None = None
    positions: tuple[RecordField, ...] = ()
    items: Bounds | None = None
    values: Bounds | None = None


@dataclass(frozen=True, slots=True)
class RecordField:
    """One property of a record. `bounds` are what its schema demands beyond the type."""

    name: str
    type: Type
    required: bool
    bounds: Bounds | None = None


@dataclass(frozen=True, slots=True)
class RecordType:
    """An object with named properties, sorted by name. `rest` types undeclared properties; None = there are none.

    `name` is how people know it (`crm.refund arguments`, `principal`); it takes no part in comparison of meaning.
    """

    name: str
    fields: tuple[RecordField, ...]
    rest: Type | None = None

    def field(self, name: str) -> RecordField | None:
        """The declared property of that name."""
        return next((field for field in self.fields if field.name == name), None)

    def __str__(self) -> str:
        return self.name or "{" + ", ".join(f"{f.name}: {f.type}{'' if f.required else '?'}" for f in self.fields) + "}"


@dataclass(frozen=True, slots=True)
class UnionType:
    """One of several types, none of them a union or `DYN`; nullable is a union with `NULL`. Build with `union`."""

    options: tuple[Type, ...]

    def __str__(self) -> str:
        return " | ".join(str(option) for option in self.options)


@dataclass(frozen=True, slots=True)
class OpaqueType:
    """What a function made that has only methods or listed fields: `path`, `url`, `sql`, an IP address, a CIDR range."""

    name: str

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True)
class TypeVariable:
    """Stands for one type throughout a function's signature: `A` in `list(A)`."""

    name: str

    def __str__(self) -> str:
        return self.name


Type: TypeAlias = (
    BasicType | EnumType | ListType | MapType | OptionalType | RecordType | UnionType | OpaqueType | TypeVariable
)


def union(*types: Type) -> Type:
    """The least type that holds all of `types`: flattened, without repetition, `DYN` if any is."""
    flat: list[Type] = []
    for option in types:
        for part in option.options if isinstance(option, UnionType) else (option,):
            if part == DYN:
                return DYN
            if part not in flat:
                flat.append(part)
    return flat[0] if len(flat) == 1 else UnionType(tuple(flat))
