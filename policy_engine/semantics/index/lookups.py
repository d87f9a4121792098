"""How each family of tables finds rules by a value that was read. Called by `search.py`; one function a family.

Each takes a `Room`, arranges its rows once, and gives a function from the value to the mask of the rules found. Where
the value makes the tested conjuncts an error (a text's test of a number), it gives what `failing` gives.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Any, Final, TypeAlias

from policy_engine.base.values import UInt
from policy_engine.semantics.artifact import IndexFamily
from policy_engine.semantics.functions.patterns import all_of
from policy_engine.semantics.index.masks import Bits, mask_of

Run: TypeAlias = Callable[[Any, Any, Any], int]
Ready: TypeAlias = "int | tuple[int, Run] | Run"
"""A bucket made ready: a rule with nothing left to test, a rule and its test, or a function for several."""
Found: TypeAlias = Callable[[Any, Any, Any, Any], int]

_KEYED: Final = frozenset((str, int, float, UInt, bytes, type(None)))
_NUMBERS: Final = frozenset((int, float, UInt))
_MAIN_MARK_BYTES: Final = 1280
_MARK_BYTES: Final = 320
_FAILED_MARK_BYTES: Final = 64
"""Memory a rule for masks of bounds: most where most rules of the batch are of that one table, least in failed nodes,
which few requests reach."""


@dataclass(frozen=True, slots=True)
class Room:
    """What a family has to work with: its rows, and what to do with the rules it finds."""

    rows: list[tuple[Any, Ready]]
    failing: Run
    take: Callable[[Ready, Any, Any, Any], int]
    bits: Bits
    failed: bool
    encoded: bool


def _equal(room: Room) -> Found:
    """By the value itself. Python finds 1, 1.0 and 1u by each other, as CEL does, but True by 1, as CEL does not."""
    table = {key: bucket for key, bucket in room.rows if type(key) is not bool}
    flags = {key: bucket for key, bucket in room.rows if type(key) is bool}
    take = room.take

    def found(value: Any, args: Any, principal: Any, environment: Any) -> int:
        if value.__class__ is str or value.__class__ in _KEYED:
            bucket = table.get(value)
        elif value.__class__ is bool:
            bucket = flags.get(value)
        else:
            return 0
        if bucket is None:
            return 0
        if callable(bucket):
            return bucket(args, principal, environment)
        return take(bucket, args, principal, environment)

    return found


def _text(room: Room, look: Found) -> Found:
    """A text that the rows' tests can read, or their error."""
    failing, encoded = room.failing, room.encoded

    def found(value: Any, args: Any, principal: Any, environment: Any) -> int:
        if value.__class__ is not str or (encoded and not (value.isascii() or _encodable(value))):
            return failing(args, principal, environment)
        return look(value, args, principal, environment)

    return found


def _encodable(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _whole(room: Room) -> Found:
    table, take = dict(room.rows), room.take

    def look(value: Any, args: Any, principal: Any, environment: Any) -> int:
        bucket = table.get(value)
        return 0 if bucket is None else take(bucket, args, principal, environment)

    return _text(room, look)


def _begins(room: Room) -> Found:
    """By the first few letters, as many as nearly all keys have; then among those few. The short keys beside them.

    Most values end at the first step, which looks at one small table: a search among all keys visits memory everywhere.
    """
    head, heads, short = _headed(room, room.rows)
    failing, encoded = room.failing, room.encoded

    def found(value: Any, args: Any, principal: Any, environment: Any) -> int:
        if value.__class__ is not str or (encoded and not (value.isascii() or _encodable(value))):
            return failing(args, principal, environment)
        search = heads.get(value[:head])
        mask = 0 if search is None else search(value, args, principal, environment)
        return mask if short is None else mask | short(value, args, principal, environment)

    return found


def _ends(room: Room) -> Found:
    """As `begins`, everything turned round."""
    longest = max((len(key) for key, _ in room.rows), default=0) or 1
    head, heads, short = _headed(room, [(key[::-1], bucket) for key, bucket in room.rows])
    failing, encoded = room.failing, room.encoded

    def found(value: Any, args: Any, principal: Any, environment: Any) -> int:
        if value.__class__ is not str or (encoded and not (value.isascii() or _encodable(value))):
            return failing(args, principal, environment)
        turned = value[: -longest - 1 : -1]
        search = heads.get(turned[:head])
        mask = 0 if search is None else search(turned, args, principal, environment)
        return mask if short is None else mask | short(turned, args, principal, environment)

    return found


def _headed(room: Room, rows: list[tuple[str, Ready]]) -> tuple[int, dict[str, Found], Found | None]:
    """How many letters nearly all keys have, the search among the keys that begin with the same, and among the shorter."""
    head = sorted(len(key) for key, _ in rows)[len(rows) // 16] if rows else 0
    by_head: dict[str, list[tuple[str, Ready]]] = {}
    for key, bucket in rows:
        if len(key) >= head:
            by_head.setdefault(key[:head], []).append((key, bucket))
    heads = {beginning: _searched(room, members) for beginning, members in by_head.items()}
    short = [(key, bucket) for key, bucket in rows if len(key) < head]
    return head, heads, _searched(room, short) if short else None


def _searched(room: Room, rows: list[tuple[str, Ready]]) -> Found:
    """One search among few keys."""
    return _alone(room.take, *rows[0]) if len(rows) == 1 else _sorted(room, rows)


def _alone(take: Callable[[Ready, Any, Any, Any], int], key: str, bucket: Ready) -> Found:
    def look(value: Any, args: Any, principal: Any, environment: Any) -> int:
        return take(bucket, args, principal, environment) if value.startswith(key) else 0

    return look


def _sorted(room: Room, rows: list[tuple[str, Ready]]) -> Found:
    """Sorted texts, each with the longest other that it begins with.

    Any key that a value begins with sorts before the value, and the greatest key that does begins with all those keys:
    one binary search, then up the chain.
    """
    ordered = sorted(rows, key=lambda row: row[0])
    keys, buckets = [key for key, _ in ordered], [bucket for _, bucket in ordered]
    shorter: list[int] = []
    for place, key in enumerate(keys):
        before = place - 1
        while before >= 0 and not key.startswith(keys[before]):
            before = shorter[before]
        shorter.append(before)
    take = room.take

    def look(value: Any, args: Any, principal: Any, environment: Any) -> int:
        place = bisect_right(keys, value) - 1
        while place >= 0 and not value.startswith(keys[place]):
            place = shorter[place]
        mask = 0
        while place >= 0:
            mask |= take(buckets[place], args, principal, environment)
            place = shorter[place]
        return mask

    return look


def _pattern(room: Room) -> Found:
    """All patterns at once."""
    matching, take = all_of([pattern for pattern, _ in room.rows]), room.take
    buckets = [bucket for _, bucket in room.rows]

    def look(value: Any, args: Any, principal: Any, environment: Any) -> int:
        mask = 0
        for number in matching(value):
            mask |= take(buckets[number], args, principal, environment)
        return mask

    return _text(room, look)


def _bounds(room: Room, *, upwards: bool, bisect: Callable[[list[Any], Any], int]) -> Found:
    """Rules in the order in which a growing (or falling) value reaches their bounds: those reached come first.

    Where nothing is left to test, the masks of those reached are kept for every so many rules.
    """
    ordered = sorted(room.rows, key=lambda row: row[0])
    settled = [(key, bucket) for key, bucket in ordered if isinstance(bucket, int)]
    tested = [(key, bucket) for key, bucket in ordered if not isinstance(bucket, int)]
    plain_keys, tested_keys = [key for key, _ in settled], [key for key, _ in tested]
    numbers = [bucket for _, bucket in settled if isinstance(bucket, int)]
    buckets = [bucket for _, bucket in tested]
    if not upwards:
        numbers.reverse()
    bits, failed, total = room.bits, room.failed, len(numbers)
    kept = _FAILED_MARK_BYTES if failed else _MAIN_MARK_BYTES if 2 * total > bits.size else _MARK_BYTES
    step = max(1, bits.size // 8 // kept)
    marks = [0]
    for place in range(0, total - step + 1, step):
        marks.append(marks[-1] | mask_of(numbers[place : place + step], bits.size))
    plain = _passed(upwards, bisect, step)(plain_keys, numbers, marks, room.failing)
    if not failed and not buckets:
        return plain
    failing, take = room.failing, room.take

    def found(value: Any, args: Any, principal: Any, environment: Any) -> int:
        if value.__class__ not in _NUMBERS:
            return failing(args, principal, environment)
        mask = plain(value, args, principal, environment)
        if failed:
            mask = bits.errors(mask)
        if buckets and value == value:
            place = bisect(tested_keys, value)
            for bucket in buckets[:place] if upwards else buckets[place:]:
                mask |= take(bucket, args, principal, environment)
        return mask

    return found


@cache
def _passed(
    upwards: bool, bisect: Callable[[list[Any], Any], int], step: int
) -> Callable[[list[Any], list[int], list[int], Run], Found]:
    """Makes searches among bounds with nothing left to test: from the nearest mark, and the few rules between.

    What each search has of its own is bound as defaults. A cell for each would be a visit to memory of its own.
    """
    half = step // 2

    def made(keys: list[Any], numbers: list[int], marks: list[int], failing: Run) -> Found:
        def found(
            value: Any, args: Any, principal: Any, environment: Any, keys: list[Any] = keys, marks: list[int] = marks,
            numbers: list[int] = numbers, failing: Run = failing,
        ) -> int:  # fmt: skip
            if value.__class__ is not int:
                if value.__class__ not in _NUMBERS:
                    return failing(args, principal, environment)
                if value != value:
                    return 0
            count = bisect(keys, value)
            if not upwards:
                count = len(keys) - count
            if step == 1:
                return marks[count]
            nearest = (count + half) // step
            if nearest == len(marks):
                nearest -= 1
            mask, there = marks[nearest], nearest * step
            if there != count:
                for number in numbers[there:count] or numbers[count:there]:
                    mask ^= 1 << number
            return mask

        return found

    return made


LOOKUPS: Final[Mapping[IndexFamily, Callable[[Room], Found]]] = {
    "equal": _equal,
    "whole": _whole,
    "begins": _begins,
    "ends": _ends,
    "pattern": _pattern,
    "above": lambda room: _bounds(room, upwards=True, bisect=bisect_left),
    "reaches": lambda room: _bounds(room, upwards=True, bisect=bisect_right),
    "below": lambda room: _bounds(room, upwards=False, bisect=bisect_right),
    "within": lambda room: _bounds(room, upwards=False, bisect=bisect_left),
}
"""The families that look a value up, by name."""
