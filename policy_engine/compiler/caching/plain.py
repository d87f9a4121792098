"""Values of the engine as what `marshal` can write, and back: syntax trees, types, plans, constants of generated code.

Called by `artifact.py`. An encoded value is an atom (None, bool, int, float, str, bytes, code) or a tuple that begins
with a tag. What is one object stays one object, also after `marshal`. What has no encoding raises `Unencodable`: then a
policy is not cached, and works as well.
"""

from __future__ import annotations

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import fields, is_dataclass
from sys import intern
from types import CodeType, MappingProxyType, MethodType, ModuleType
from typing import Any, Final, Protocol

from policy_engine.base import values
from policy_engine.base.source import Source, Span
from policy_engine.base.values import UInt
from policy_engine.semantics import artifact, types
from policy_engine.semantics.ast import expressions
from policy_engine.semantics.functions.catalogue import BY_NAME
from policy_engine.semantics.functions.patterns import compiled

MODULES: Final[tuple[ModuleType, ...]] = (values, types, expressions, artifact)
"""Their dataclasses are records of plain parts: any of them can be stored field by field."""
NEVER: Final = (artifact.CompiledPolicy,)
"""Stored in parts, by `artifact.py`."""


def _records() -> tuple[type, ...]:
    return tuple(
        found
        for module in MODULES
        for _, found in sorted(vars(module).items())
        if isinstance(found, type)
        and is_dataclass(found)
        and found.__module__ == module.__name__
        and found not in NEVER
    )


RECORDS: Final = _records()
_TUPLE, _LIST, _DICT, _SET, _FROZENSET, _UINT, _SEARCH, _SPAN, _SOURCE, _FUNCTIONS, _PART, _NO_RULES, _PLACED = range(
    13
)
_FIRST_RECORD: Final = 16
_TAGS: Final = {record: _FIRST_RECORD + number for number, record in enumerate(RECORDS)}
_FIELDS: Final = {record: tuple(field.name for field in fields(record)) for record in RECORDS}
_ATOMS: Final = (bool, int, float, str, bytes, CodeType)
_BUILT_IN: Final[Mapping[type, int]] = {tuple: _TUPLE, list: _LIST, set: _SET, frozenset: _FROZENSET}
_PATTERN: Final = type(compiled(""))


class Unencodable(Exception):
    """A part of a policy that cannot be stored; names its class."""


class Anchors(Protocol):
    """Tells where the item around a span begins."""

    def around(self, span: Span) -> tuple[int, int]:
        """The number of the item, and the offset of its first character."""
        ...


class Encoder:
    """Encodes the values of one piece. `part` gives the number of a section that is stored as a piece of its own.

    `names` are those of generated functions; `called` gathers the ones that the encoded values speak of. With
    `anchors`, spans are told from where the item around them begins, and change only with its text.
    """

    def __init__(
        self, sources: list[Source], names: Container[str] = (),
        part: Callable[[artifact.Section], int | None] = lambda _: None, anchors: Anchors | None = None,
    ) -> None:  # fmt: skip
        self.called: set[str] = set()
        self._sources = sources
        self._names = names
        self._part = part
        self._anchors = anchors
        self._made: dict[int, tuple[Any, tuple[Any, ...]]] = {}
        self._last: Source | None = None
        self._last_source: Any = None

    def encode(self, value: Any) -> Any:
        """The value as an atom or a tagged tuple; raises `Unencodable`."""
        kind = type(value)
        if kind is str:
            if value in self._names:
                self.called.add(value)
            return intern(value) if value.isidentifier() else value  # one object for `marshal`, in whichever piece
        if value is None or kind in _ATOMS:
            return value
        made = self._made.get(id(value))
        if made is None:
            made = self._made[id(value)] = value, self._tagged(kind, value)
        return made[1]

    def _tagged(self, kind: type, value: Any) -> tuple[Any, ...]:
        if kind is Span:
            return self._span(value)
        if value is artifact.NO_RULES:
            return (_NO_RULES,)
        if kind in _TAGS:
            return self._record(kind, value)
        if kind in (set, frozenset):
            return (_BUILT_IN[kind], *sorted((self.encode(item) for item in value), key=repr))
        if kind in _BUILT_IN:
            return (_BUILT_IN[kind], *map(self.encode, value))
        if kind in (dict, MappingProxyType):
            if _is_language(value):
                return (_FUNCTIONS,)
            return (_DICT, *(self.encode(part) for pair in value.items() for part in pair))
        if kind is UInt:
            return (_UINT, int(value))
        if kind is Source and self._anchors is None:
            return (_SOURCE, self._number(value))
        if kind is MethodType and type(value.__self__) is _PATTERN and value.__name__ == "search":
            return (_SEARCH, value.__self__.pattern)
        raise Unencodable(kind.__name__)

    def _record(self, kind: type, value: Any) -> tuple[Any, ...]:
        if kind is artifact.Section:
            number = self._part(value)
            if number is not None:
                return (_PART, number)
        parts: list[Any] = [_TAGS[kind]]
        for name in _FIELDS[kind]:
            part = getattr(value, name)
            inner = part.__class__
            if inner is Span:
                parts.append(self._span(part))
            elif part is None or inner is bool or inner is int:
                parts.append(part)
            else:
                parts.append(self.encode(part))
        return tuple(parts)

    def _span(self, value: Span) -> tuple[Any, ...]:
        """Spans are small and many: they are not kept one by one."""
        if self._anchors is not None:
            number, begin = self._anchors.around(value)
            return (_PLACED, number, value.start - begin, value.end - begin)
        if value.source is not self._last:
            self._last, self._last_source = value.source, self.encode(value.source)
        return (_SPAN, self._last_source, value.start, value.end)

    def _number(self, source: Source) -> int:
        for number, known in enumerate(self._sources):
            if known is source:
                return number
        self._sources.append(source)
        return len(self._sources) - 1


def _is_language(value: Mapping[Any, Any]) -> bool:
    """Whether these are the language's own functions, and none of the host's."""
    return value is BY_NAME or (len(value) == len(BY_NAME) and all(BY_NAME.get(key) is value[key] for key in value))


class Decoder:
    """Decodes the values of one piece; `part` gives what is stored as a piece of its own, `places` where items begin."""

    def __init__(
        self, sources: list[Source], part: Callable[[int], Any], places: Sequence[tuple[Source, int]] = ()
    ) -> None:
        self._sources = sources
        self._part = part
        self._places = places
        self._spans: dict[tuple[Any, ...], Span] = {}
        self._made: dict[int, Any] = {}

    def decode(self, value: Any) -> Any:
        """The value that was encoded; its tuples must live until the piece is decoded."""
        if value.__class__ is not tuple:
            return value
        key = id(value)
        if key in self._made:
            return self._made[key]
        made = self._made[key] = self._value(value)
        return made

    def _value(self, value: tuple[Any, ...]) -> Any:
        tag = value[0]
        if tag >= _FIRST_RECORD:
            return RECORDS[tag - _FIRST_RECORD](*map(self.decode, value[1:]))
        if tag == _PLACED:
            span = self._spans.get(value)
            if span is None:
                source, begin = self._places[value[1]]
                span = self._spans[value] = Span(source, begin + value[2], begin + value[3])
            return span
        if tag == _SPAN:
            return Span(self.decode(value[1]), value[2], value[3])
        return _DECODERS[tag](self, value)

    def _plain(self, value: tuple[Any, ...]) -> list[Any]:
        return [self.decode(part) for part in value[1:]]


_DECODERS: Final[Mapping[int, Callable[[Decoder, tuple[Any, ...]], Any]]] = {
    _TUPLE: lambda decoder, value: tuple(decoder._plain(value)),
    _LIST: lambda decoder, value: decoder._plain(value),
    _SET: lambda decoder, value: set(decoder._plain(value)),
    _FROZENSET: lambda decoder, value: frozenset(decoder._plain(value)),
    _DICT: lambda decoder, value: dict(zip(*[iter(decoder._plain(value))] * 2, strict=True)),
    _UINT: lambda decoder, value: UInt(value[1]),
    _SEARCH: lambda decoder, value: compiled(value[1]).search,
    _SOURCE: lambda decoder, value: decoder._sources[value[1]],
    _FUNCTIONS: lambda decoder, value: BY_NAME,
    _PART: lambda decoder, value: decoder._part(value[1]),
    _NO_RULES: lambda decoder, value: artifact.NO_RULES,
}
