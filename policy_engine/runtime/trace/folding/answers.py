"""Questions to tracks. Each gives its answer, or says that the calls themselves must be looked at, or whom to blame.

*Blame* = the answer is an error, and these calls have it: evaluated over them, the question's template raises the very
error. *Unknown* = the state cannot tell; the template is evaluated over all calls.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any, Final, NamedTuple

from policy_engine.base.errors import EvaluationError
from policy_engine.base.limits import MAX_SCANNED_CALLS
from policy_engine.base.values import Duration, Timestamp
from policy_engine.runtime.trace.folding.buckets import Bucket, Ledger, Since
from policy_engine.runtime.trace.folding.tracks import FAILED, NEVER, ODD, START, Row, TrackState, combine, key_of
from policy_engine.runtime.trace.log import Entry
from policy_engine.semantics.artifact import Fold, Window
from policy_engine.semantics.interpreter.names import Lazy

_LONGEST: Final = (1 << 63) - 1
_MOST_BLAMED: Final = 50
_NONE: Final = Bucket(frozenset())


class Unknown(Exception):
    """The state cannot know the exact answer."""


class Blame(Exception):
    """The answer is the error that the template raises over these calls."""

    def __init__(self, entries: Sequence[Entry]) -> None:
        super().__init__()
        self.entries = entries


class Found(NamedTuple):
    """What a question is about, at one moment: buckets of calls that count, and of calls in doubt; and open ones."""

    certain: Bucket
    doubtful: list[Bucket]
    open_certain: list[Row]
    open_doubtful: list[Row]
    since: Since | None
    length: int

    def doubts(self) -> bool:
        """Whether a call is in doubt."""
        return bool(self.open_doubtful) or any(bucket.any(self.length, self.since) for bucket in self.doubtful)

    def holds(self) -> bool:
        """Whether a call counts."""
        return bool(self.open_certain) or self.certain.any(self.length, self.since)

    def first_doubts(self) -> list[Entry]:
        """The first of the calls in doubt, from the first on."""
        entries = [row.entry for row in self.open_doubtful]
        for bucket in self.doubtful:
            first = bucket.first(self.length, self.since)
            entries += [] if first is None else [first]
        return sorted(entries, key=lambda entry: entry.place)[:_MOST_BLAMED]

    def last(self, *, certain: bool) -> Entry | None:
        """The last call that counts, or that is in doubt."""
        rows, buckets = (self.open_certain, [self.certain]) if certain else (self.open_doubtful, self.doubtful)
        found = [row.entry for row in rows]
        for bucket in buckets:
            last = bucket.last(self.length, self.since)
            found += [] if last is None else [last]
        return max(found, key=lambda entry: entry.place, default=None)


def answer(fold: Fold, tracks: Sequence[TrackState], arguments: Sequence[Any], length: int) -> Any:
    """The answer to a question; raises `Unknown`, `Blame`, or an `EvaluationError`."""
    found = _found(fold, tracks[fold.track], arguments, length)
    if fold.after is not None:
        return _exists_after(_found(fold.after, tracks[fold.after.track], arguments, length), found)
    match fold.kind:
        case "exists":
            if found.holds():
                return True
            _no_doubt(found)
            return False
        case "count":
            _no_doubt(found)
            return found.certain.count(length, found.since) + len(found.open_certain)
        case "uniform":
            return _uniform(found, tracks[fold.track])
        case "last":
            return _last(found)
        case "reduce":
            return _reduced(found, tracks[fold.track])


def _no_doubt(found: Found) -> None:
    if found.doubts():
        raise Blame(found.first_doubts())


def _last(found: Found) -> Any:
    passes, doubt = found.last(certain=True), found.last(certain=False)
    if doubt is not None and (passes is None or doubt.place > passes.place):
        raise Blame([doubt])
    if passes is None:
        raise Blame([])
    return passes


def _exists_after(since: Found, asked: Found) -> bool:
    passes, doubt = since.last(certain=True), since.last(certain=False)
    if doubt is not None and (passes is None or doubt.place > passes.place):
        raise Blame([doubt])
    start = -1 if passes is None else passes.place
    latest = asked.last(certain=True)
    if latest is not None and latest.place > start:
        return True
    doubt = asked.last(certain=False)
    if doubt is not None and doubt.place > start:
        raise Blame([doubt])
    return False


def _uniform(found: Found, state: TrackState) -> bool:
    """Whether all calls have the value: certain ones that do not make it false, doubtful ones that do not an error."""
    length = found.length
    visible = _open_rows(state, length)
    certain = state.all_certain.count(length) + sum(row.certain for row in visible)
    doubtful = state.all_doubtful.count(length) + sum(not row.certain for row in visible)
    if certain > found.certain.count(length) + len(found.open_certain):
        return False
    equal = sum(FAILED not in row.keys for row in found.open_doubtful)
    readable = [bucket for bucket, whole in zip(found.doubtful, _wholes(state), strict=False) if whole]
    if doubtful > sum(bucket.count(length) for bucket in readable) + equal:
        raise Unknown  # which of them is first is not kept by value
    return True


def _wholes(state: TrackState) -> Iterator[bool]:
    return (not any(mask) for mask in sorted(state.masks))


def _reduced(found: Found, state: TrackState) -> Any:
    _no_doubt(found)
    if found.open_certain:
        raise Unknown
    bucket, start = found.certain, state.start
    if isinstance(bucket, Ledger):
        since = found.since
        result = bucket.result(found.length, start) if since is None else bucket.result_since(found.length, since, start)
    else:
        result = start
    if result is START:
        assert state.track.reduce is not None
        return combine(state.track.reduce, [])
    if isinstance(result, EvaluationError):
        raise EvaluationError(result.kind, result.message)
    return result


# ------------------------------------------------------------------ finding
def _found(fold: Fold, state: TrackState, arguments: Sequence[Any], length: int) -> Found:
    if state.full_at is not None and state.full_at < length:
        raise EvaluationError("too_costly", "the run holds more than is remembered for a condition about its calls")
    if state.pruned >= length:
        raise Unknown
    since = None if fold.window is None else _since(fold.window, state, arguments)
    if not fold.keys:
        wanted: tuple[Any, ...] | None = ()
    else:
        wanted = _wanted(fold, state, arguments, length)
    rows = _open_rows(state, length) if state.open else []
    rows = [row for row in rows if (since is None or since.holds(row.entry.at)) and _may_equal(row.keys, wanted)]
    certain = state.certain.get(wanted, _NONE) if wanted is not None else _NONE
    doubtful = []
    for mask in sorted(state.masks):
        key = tuple(FAILED if failed else one for failed, one in zip(mask, wanted or (), strict=True))
        doubtful.append(state.doubtful.get(key, _NONE))
    return Found(certain, doubtful, [r for r in rows if r.certain], [r for r in rows if not r.certain], since, length)


def _wanted(fold: Fold, state: TrackState, arguments: Sequence[Any], length: int) -> tuple[Any, ...]:
    """The keys that are asked for. A value that is an error leaves no answer but where there is nothing to compare."""
    keys: list[Any] = []
    for position in fold.keys:
        try:
            keys.append(key_of(_read(arguments[position])))
        except EvaluationError:
            nothing = not (state.all_certain.any(length) or state.all_doubtful.any(length) or state.open)
            if nothing:
                keys.append(NEVER)
                continue
            first = [bucket.first(length) for bucket in (state.all_certain, state.all_doubtful)]
            blamed = sorted((entry for entry in first if entry is not None), key=lambda entry: entry.place)
            if len(fold.keys) > 1 or fold.window is not None or fold.kind != "exists" or fold.after or state.open:
                raise Unknown from None
            raise Blame(blamed[:1]) from None
    if ODD in keys and (state.odd or state.open):
        raise Unknown
    return tuple(keys)


def _since(window: Window, state: TrackState, arguments: Sequence[Any]) -> Since:
    """The window at this moment; `Unknown` where working it out is, or may be, an error."""
    try:
        moment, span = _read(arguments[window.moment]), _read(arguments[window.span])
    except EvaluationError:
        raise Unknown from None
    if type(moment) is not Timestamp or type(span) is not Duration:
        raise Unknown
    if state.earliest is not None:
        farthest = max(abs(moment.nanos - state.earliest), abs(moment.nanos - state.latest))
        if farthest > _LONGEST:
            raise Unknown
    return Since(moment.nanos - span.nanos, window.inclusive)


def _open_rows(state: TrackState, length: int) -> list[Row]:
    visible = list(islice((row for row in state.open if row.entry.visible(length)), MAX_SCANNED_CALLS // 10 + 1))
    if len(visible) > MAX_SCANNED_CALLS // 10:
        raise EvaluationError("too_costly", "too many calls of the run have not ended yet")
    return visible


def _may_equal(keys: tuple[Any, ...], wanted: tuple[Any, ...] | None) -> bool:
    """Whether no key that can be read is another than the one asked for."""
    if wanted is None:
        return True
    pairs = zip(keys, wanted, strict=True)
    return all(key is FAILED or (key == one and key is not NEVER and key is not ODD) for key, one in pairs)


def _read(argument: Any) -> Any:
    return argument() if isinstance(argument, Lazy) else argument
