"""A compiled policy in pieces of bytes, and back: one piece a plan, one a section, one for the rest.

`stored` is called after a compilation, `restored` where a cache has what fits. Sections that several tools share are
one piece. A restored policy reads a plan's pieces when its tool is first used, so that ten thousand rules cost what
the used ones cost; what it then decides is what the policy would have decided that was stored.
"""

from __future__ import annotations

import marshal
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, fields
from types import CodeType, FunctionType
from typing import Any, Final

from policy_engine.base.lazily import Lazily
from policy_engine.base.source import Source
from policy_engine.compiler.caching.plain import Decoder, Encoder, Unencodable
from policy_engine.semantics.artifact import CompiledPolicy, Section
from policy_engine.semantics.linking import Linked, link
from policy_engine.semantics.prelude import PRELUDE

_IN_PIECES: Final = ("tools", "events", "code", "constants")
_NOTHING: Final = compile("", "<cached policy>", "exec", dont_inherit=True)


class Generated:
    """The generated functions of a policy one by one, each with what it reaches: other functions, constants."""

    def __init__(self, code: CodeType, constants: Mapping[str, Any]) -> None:
        if isinstance(constants, Linked):
            raise Unencodable("a policy that was stored already")
        self.constants = constants
        self.functions: dict[str, CodeType] = {}
        for name, found in link(code, constants).items():
            if name in PRELUDE or name in constants:
                continue
            if type(found) is not FunctionType or found.__closure__ or found.__defaults__ or found.__kwdefaults__:
                raise Unencodable(f"generated {name}")
            self.functions[name] = found.__code__

    def reached(self, names: Iterable[str]) -> tuple[dict[str, CodeType], dict[str, Any]]:
        """These functions and all they reach, and the constants that any of them reads; in a fixed order."""
        functions: dict[str, CodeType] = {}
        constants: dict[str, Any] = {}
        waiting = sorted(names, reverse=True)
        while waiting:
            name = waiting.pop()
            if name in functions:
                continue
            functions[name] = self.functions[name]
            for word in sorted(set(_words(functions[name])), reverse=True):
                if word in self.functions:
                    waiting.append(word)
                elif word in self.constants:
                    constants[word] = self.constants[word]
        return functions, constants


def _words(code: CodeType) -> Iterator[str]:
    """Every global name (and attribute) that the code speaks of, in inner functions too."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _words(constant)


@dataclass(frozen=True)
class Stored:
    """A policy in pieces. `plan` tells which piece is what: the rest, and those of the tools and events by name."""

    plan: tuple[int, dict[str, int], dict[str, int]]
    pieces: list[bytes]
    sources: list[Source]


def stored(policy: CompiledPolicy) -> Stored:
    """The policy in pieces; raises `Unencodable` where a part of it cannot be stored."""
    writer = _Writer(Generated(policy.code, policy.constants))
    rest = tuple(getattr(policy, field.name) for field in fields(CompiledPolicy) if field.name not in _IN_PIECES)
    number = writer.piece(rest)
    tools = {name: writer.piece(plan) for name, plan in policy.tools.items()}
    events = {name: writer.piece(plan) for name, plan in policy.events.items()}
    return Stored((number, tools, events), writer.pieces, writer.sources)


class _Writer:
    """Writes pieces, sections before the plans that name them."""

    def __init__(self, generated: Generated) -> None:
        self.pieces: list[bytes] = []
        self.sources: list[Source] = []
        self._generated = generated
        self._numbers: dict[int, int] = {}

    def piece(self, value: Any, part: Callable[[Section], int | None] | None = None) -> int:
        encoder = Encoder(self.sources, self._generated.functions, part or self._section)
        encoded = encoder.encode(value)
        functions, constants = self._generated.reached(encoder.called)
        named = {name: encoder.encode(constant) for name, constant in constants.items()}
        missed = encoder.called - set(functions)  # constants that speak of functions
        while missed:
            more, others = self._generated.reached(missed)
            functions |= more
            named |= {name: encoder.encode(constant) for name, constant in others.items() if name not in named}
            missed = encoder.called - set(functions)
        self.pieces.append(marshal.dumps((encoded, functions, named)))
        return len(self.pieces) - 1

    def _section(self, value: Section) -> int:
        number = self._numbers.get(id(value))
        if number is None:
            number = self._numbers[id(value)] = self.piece(value, _part_of(value))
        return number


def _part_of(section: Section) -> Callable[[Section], int | None]:
    """Within its own piece a section is no part."""

    def part(value: Section) -> int | None:
        if value is not section:
            raise Unencodable("a section within a section")
        return None

    return part


def restored(
    plan: tuple[int, dict[str, int], dict[str, int]], piece: Callable[[int], bytes], sources: list[Source]
) -> CompiledPolicy:
    """The policy that was stored. `piece` gives bytes whose integrity is proved: they are unmarshalled and run."""
    number, tools, events = plan
    reader = _Reader(piece, sources)
    names = [field.name for field in fields(CompiledPolicy) if field.name not in _IN_PIECES]
    rest: Mapping[str, Any] = dict(zip(names, reader.read(number), strict=True))
    return CompiledPolicy(
        **rest, code=_NOTHING, constants=reader.linked,
        tools=Lazily(tools, lambda name: reader.read(tools[name])),
        events=Lazily(events, lambda name: reader.read(events[name])),
    )  # fmt: skip


class _Reader:
    """Reads pieces, each once, and puts the functions that come with them into the policy's namespace."""

    def __init__(self, piece: Callable[[int], bytes], sources: list[Source]) -> None:
        self.linked = Linked()
        self._piece = piece
        self._sources = sources
        self._made: dict[int, Any] = {}

    def read(self, number: int) -> Any:
        if number not in self._made:
            encoded, functions, constants = marshal.loads(self._piece(number))
            decoder = Decoder(self._sources, self.read)
            namespace = self.linked.namespace
            for name, constant in constants.items():
                if name not in namespace:
                    namespace[name] = decoder.decode(constant)
            for name, code in functions.items():
                if name not in namespace:
                    namespace[name] = FunctionType(code, namespace, name)
            self._made.setdefault(number, decoder.decode(encoded))
        return self._made[number]
