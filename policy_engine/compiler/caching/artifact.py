"""A compiled policy as bytes, and back: one piece a plan, one a section, one for the rest.

`stored` is called after a compilation, `restored` where a cache has what fits. Sections that several tools share are
one piece. A restored policy reads a plan's pieces when its tool is first used, so that ten thousand rules cost what
the used ones cost; what it then decides is what the policy would have decided that was stored. Pieces hold neither
offsets in a text nor numbers of other pieces: those stand in rows beside them, so that a later store can take a piece as
it is (`earlier.py`).
"""

from __future__ import annotations

import marshal
from array import array
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from types import FunctionType
from typing import Any, Final, TypeAlias

from policy_engine.base.lazily import Lazily
from policy_engine.base.source import Source
from policy_engine.compiler.caching.generated import Generated, functions_of
from policy_engine.compiler.caching.places import Anchors, Places
from policy_engine.compiler.caching.plain import Decoder, Encoder, Unencodable
from policy_engine.semantics.artifact import CompiledPolicy, Section
from policy_engine.semantics.ast.policy import PolicyFile
from policy_engine.semantics.linking import Linked

Row: TypeAlias = tuple[bytes, tuple[int, ...]]
"""Of one piece: the places it speaks of (numbers of four bytes), and the pieces that are parts of it."""
_IN_PIECES: Final = ("tools", "events", "code", "constants")
_NOTHING: Final = compile("", "<cached policy>", "exec", dont_inherit=True)


@dataclass(frozen=True)
class Stored:
    """A policy in pieces. `plan` tells which piece is what: the rest, and those of the tools and events by name.

    `source_of` and `begins` tell of each place which of the sources it is in and where it begins there.
    """

    plan: tuple[int, dict[str, int], dict[str, int]]
    pieces: Sequence[bytes]
    rows: Sequence[Row]
    sources: Sequence[Source]
    source_of: array[int]
    begins: array[int]

    def places(self, piece: int) -> list[tuple[Source, int]]:
        """The places that a piece speaks of."""
        numbers = array("I", self.rows[piece][0])
        return [(self.sources[self.source_of[number]], self.begins[number]) for number in numbers]


class Writer:
    """Writes pieces, sections before the plans that name them. `passing` are those that mean nothing to a later store."""

    def __init__(self, generated: Generated, places: Places) -> None:
        self.pieces: list[bytes] = []
        self.rows: list[Row] = []
        self.passing: set[int] = set()
        self.places = places
        self._generated = generated
        self._numbers: dict[int, int] = {}

    def piece(self, value: Any) -> int:
        """The number of the piece that holds `value`."""
        anchors = Anchors(self.places)
        parts: dict[int, int] = {}

        def part(section: Section) -> int | None:
            if section is value:
                return None
            if type(value) is Section:
                raise Unencodable("a section within a section")
            return parts.setdefault(self._section(section), len(parts))

        encoder = Encoder([], self._generated.functions, part, anchors)
        encoded = encoder.encode(value)
        functions, constants = functions_of(self._generated, encoder)
        number = self.add(
            marshal.dumps((encoded, functions, constants)), (array("I", anchors.numbers).tobytes(), tuple(parts))
        )
        if not anchors.lasting or not self.passing.isdisjoint(parts):
            self.passing.add(number)
        return number

    def add(self, piece: bytes, row: Row) -> int:
        """The number of a piece that is written already."""
        self.pieces.append(piece)
        self.rows.append(row)
        return len(self.pieces) - 1

    def stored(self, plan: tuple[int, dict[str, int], dict[str, int]]) -> Stored:
        """Everything written."""
        places = self.places
        return Stored(plan, self.pieces, self.rows, places.sources, places.source_of, places.begins)

    def _section(self, value: Section) -> int:
        number = self._numbers.get(id(value))
        if number is None:
            number = self._numbers[id(value)] = self.piece(value)
        return number


def stored(policy: CompiledPolicy, files: Iterable[tuple[Source, PolicyFile]] = ()) -> Stored:
    """The policy in pieces; raises `Unencodable` where a part of it cannot be stored."""
    writer = Writer(Generated(policy.code, policy.constants), Places(files))
    number = writer.piece(rest_of(policy))
    tools = {name: writer.piece(plan) for name, plan in policy.tools.items()}
    return writer.stored((number, tools, {name: writer.piece(plan) for name, plan in policy.events.items()}))


def rest_of(policy: CompiledPolicy) -> tuple[Any, ...]:
    """What is stored of a policy beside its plans and its code."""
    return tuple(getattr(policy, field.name) for field in fields(CompiledPolicy) if field.name not in _IN_PIECES)


def restored(made: Stored) -> CompiledPolicy:
    """The policy that was stored. The integrity of the pieces must be proved: they are unmarshalled and run."""
    number, tools, events = made.plan
    reader = _Reader(made)
    names = [field.name for field in fields(CompiledPolicy) if field.name not in _IN_PIECES]
    rest: dict[str, Any] = dict(zip(names, reader.read(number), strict=True))
    return CompiledPolicy(
        **rest, code=_NOTHING, constants=reader.linked,
        tools=Lazily(tools, lambda name: reader.read(tools[name])),
        events=Lazily(events, lambda name: reader.read(events[name])),
    )  # fmt: skip


class _Reader:
    """Reads pieces, each once, and puts the functions that come with them into the policy's namespace."""

    def __init__(self, made: Stored) -> None:
        self.linked = Linked()
        self._made = replace(made, pieces=())
        self._pieces: list[bytes | None] = list(made.pieces)
        self._read: dict[int, Any] = {}

    def read(self, number: int) -> Any:
        if number in self._read:
            return self._read[number]
        piece = self._pieces[number]
        if piece is not None:  # otherwise another thread has read it just now
            encoded, functions, constants = marshal.loads(piece)
            parts = self._made.rows[number][1]
            decoder = Decoder([], lambda part: self.read(parts[part]), self._made.places(number))
            namespace = self.linked.namespace  # a name stands for one thing, whichever piece brings it
            for name, constant in constants.items():
                if name not in namespace:
                    namespace[name] = decoder.decode(constant)
            for name, code in functions.items():
                if name not in namespace:
                    namespace[name] = FunctionType(code, namespace, name)
            self._read.setdefault(number, decoder.decode(encoded))
            self._pieces[number] = None
        return self._read[number]
