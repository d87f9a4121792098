"""A policy in pieces of which an earlier compilation left some: what did not change is taken as it is, not made again.

`left` joins what was built now with what is kept, called by the pipeline; `earlier_of` reads what a cache has of an
earlier compilation. A kept piece is the very bytes that were written then; only the rows beside it are written anew.
"""

from __future__ import annotations

import marshal
from array import array
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final

from policy_engine.base.source import Source
from policy_engine.compiler.analysis.draft import Draft
from policy_engine.compiler.analysis.memory import Fact, Memory
from policy_engine.compiler.caching.artifact import Stored, Writer, rest_of
from policy_engine.compiler.caching.generated import Generated
from policy_engine.compiler.caching.places import Places
from policy_engine.compiler.caching.plain import Unencodable
from policy_engine.semantics.artifact import CompiledPolicy
from policy_engine.semantics.ast.policy import PolicyFile

_NAME_BYTES: Final = 16


@dataclass(frozen=True)
class Earlier:
    """What an earlier compilation left. `names` are those of the places in `made`, one after another."""

    memory: Memory
    made: Stored
    names: bytes


@dataclass(frozen=True)
class Left:
    """What this compilation leaves. `built` holds the plans that were made now, `kept` the tools whose plans were not;
    `memory` is for `earlier_of`."""

    made: Stored
    built: CompiledPolicy
    kept: frozenset[str]
    memory: bytes


def earlier_of(memory: bytes, made: Stored) -> Earlier:
    """What was left, of bytes whose integrity is proved."""
    names, items, facts, plans = marshal.loads(memory)
    return Earlier(Memory(items, {key: Fact(*fact) for key, fact in facts.items()}, plans), made, names)


def left(draft: Draft, files: Iterable[tuple[Source, PolicyFile]], before: Earlier | None) -> Left:
    """The whole of a policy that was built; raises `Unencodable` where a part of it cannot be stored, or not be moved."""
    built = draft.policy
    assert built is not None
    places = Places(files)
    writer = Writer(Generated(built.code, built.constants), places)
    rest = writer.piece(rest_of(built))
    copied = None if before is None else _Copying(before, writer)
    tools: dict[str, int] = {}
    for name in draft.tools:
        if name in built.tools:
            tools[name] = writer.piece(built.tools[name])
        elif copied is not None:
            tools[name] = copied.plan(draft.kept[name])
    made = writer.stored((rest, tools, {name: writer.piece(plan) for name, plan in built.events.items()}))
    lasting = {key: name for key, name in draft.after.plans.items() if tools[name] not in writer.passing}
    return Left(made, built, frozenset(draft.kept), _written(draft.after, lasting, places))


def _written(memory: Memory, plans: Mapping[bytes, str], places: Places) -> bytes:
    facts = {key: tuple(fact) for key, fact in memory.facts.items()}
    return marshal.dumps((b"".join(places.names), memory.items, facts, dict(plans)))


class _Copying:
    """Takes pieces of an earlier store into a new one, each once."""

    def __init__(self, before: Earlier, writer: Writer) -> None:
        self._before = before
        self._writer = writer
        self._copied: dict[int, int] = {}

    def plan(self, key: bytes) -> int:
        """The number that the plan of this key has now."""
        return self._piece(self._before.made.plan[1][self._before.memory.plans[key]])

    def _piece(self, number: int) -> int:
        if number not in self._copied:
            anchors, parts = self._before.made.rows[number]
            row = self._moved(anchors), tuple(map(self._piece, parts))
            self._copied[number] = self._writer.add(self._before.made.pieces[number], row)
        return self._copied[number]

    def _moved(self, anchors: bytes) -> bytes:
        moved = array("I")
        for number in array("I", anchors):
            name = self._before.names[_NAME_BYTES * number : _NAME_BYTES * (number + 1)]
            place = self._writer.places.named(name)
            if place is None:
                raise Unencodable("a place that is no more")
            moved.append(place)
        return moved.tobytes()
