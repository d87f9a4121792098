"""Follows a log from its first record to its last, and names every record that is not as it was kept.

Works on a ledger and on an export alike: both are told as `Link`s. Whoever cannot forge a signature, or does not hold what a
witness holds, cannot change, drop, add or move a record without being found here.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any, Protocol

import orjson

from policy_engine.audit.chain import content_of, genesis, link
from policy_engine.audit.checkpoints import problem
from policy_engine.audit.payloads import faults
from policy_engine.audit.signing import Verifier


@dataclass(frozen=True, slots=True)
class Link:
    """A record as it stands there. `data` are its bytes, None where an export left it out and tells only its `content`;
    `run` and `at` are what it is filed under, None where it is filed under nothing."""

    sequence: int
    digest: str
    data: bytes | None
    beside: bytes | None
    content: bytes = b""
    run: str | None = None
    at: int | None = None


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong. `sequence` is the number of the record, `name` what it says it is."""

    sequence: int
    name: str
    problem: str

    def __str__(self) -> str:
        return f"record {self.sequence}{f' ({self.name})' if self.name else ''} {self.problem}"


@dataclass(slots=True)
class Report:
    """What came of it. `signed` is the last record that a signature vouches for, `erased` counts records without payloads."""

    log: str
    records: int = 0
    digest: str = ""
    signed: int = 0
    checkpoints: int = 0
    erased: int = 0
    faults: list[Fault] = field(default_factory=list)


class Shelves(Protocol):
    """Where kept policies stand."""

    def policy(self, digest: str) -> Mapping[str, bytes] | None:
        """What was kept of a policy."""
        ...


class Verification:
    """One walk along a log. `end` is the number and digest of its last record as the log itself tells it."""

    def __init__(
        self, log: str, *, policies: Shelves | None = None, public: Verifier | None = None,
        witness: Sequence[Mapping[str, Any]] = (),
    ) -> None:  # fmt: skip
        self.report = Report(log)
        self._policies = policies
        self._public = public
        self._witness: dict[int, list[Mapping[str, Any]]] = {}
        for statement in witness:
            self._hear(statement)
        self._before: str | None = genesis(log)
        self._last = 0
        self._bare: list[tuple[int, str]] = []
        self._erased: list[tuple[int, int]] = []

    def _hear(self, statement: Mapping[str, Any]) -> None:
        sequence = statement.get("sequence")
        found = self._unproved(statement)
        if found is not None or type(sequence) is not int:
            self._fault(0, "", f"is not there: the witness' statement {found or 'cannot be read'}")
        elif statement.get("log") != self.report.log:
            self._fault(sequence, "", f"was witnessed of another log ({statement.get('log')}): this log is {self.report.log}")
        else:
            self._witness.setdefault(sequence, []).append(statement)

    def _unproved(self, statement: Mapping[str, Any]) -> str | None:
        return None if self._public is None else problem(statement, self._public)

    def _fault(self, sequence: int, name: str, what: str) -> None:
        self.report.faults.append(Fault(sequence, name, what))

    def follow(self, links: Iterable[Link]) -> None:
        """Look at the records in the order they stand."""
        for one in links:
            self.look(one)

    def look(self, one: Link) -> None:
        """Look at the next record."""
        said = _said(one.data)
        name = _name(said)
        if one.sequence != self._last + 1:
            self._place(one, name)
        content = content_of(one.data) if one.data is not None else one.content
        if self._before is not None and not _holds(self._before, one, content):
            self._fault(
                one.sequence, name, "is not what followed the record before it: it was changed, or put here from elsewhere, "
                f"or record {one.sequence - 1} was" if one.sequence > 1 else
                "was changed, or belongs to another log"
            )  # fmt: skip
        if one.data is not None:
            self._inside(one, said, name)
        for statement in self._witness.pop(one.sequence, ()):
            if statement.get("digest") != one.digest:
                self._fault(one.sequence, name, "is not the one that was witnessed: the log was written anew")
            else:
                self.report.signed = max(self.report.signed, one.sequence)
        self._before, self._last = one.digest, one.sequence
        self.report.records += 1
        self.report.digest = one.digest

    def _place(self, one: Link, name: str) -> None:
        expected = self._last + 1
        if one.sequence <= self._last:
            self._fault(one.sequence, name, f"stands after record {self._last}")
        elif one.sequence == expected + 1:
            self._fault(expected, "", "is missing")
        else:
            self._fault(expected, "", f"and those up to {one.sequence - 1} are missing")
        self._before = None

    def _inside(self, one: Link, said: Mapping[str, Any] | None, name: str) -> None:
        if said is None:
            self._fault(one.sequence, "", "cannot be read")
            return
        if (one.run is not None and one.run != said["run"]) or (one.at is not None and one.at != said["at"]):
            self._fault(one.sequence, name, "is filed under another run or moment than its own")
        promises = said["payloads"]
        if promises and one.beside is None:
            self._bare.append((one.sequence, name))
        elif one.beside is not None:
            for what in faults(promises, one.beside):
                self._fault(one.sequence, name, what)
        match said["kind"]:
            case "checkpoint":
                self._checkpoint(one, said["body"], name)
            case "erased":
                self._erased.extend((low, high) for low, high in said["body"]["ranges"])
            case "policy" if self._policies is not None:
                self._policy(one, said["body"], name)

    def _checkpoint(self, one: Link, body: Mapping[str, Any], name: str) -> None:
        found = self._unproved(body)
        if found is not None:
            self._fault(one.sequence, name, found)
        elif (body.get("log"), body.get("sequence")) != (self.report.log, one.sequence - 1):
            self._fault(one.sequence, name, "is a checkpoint of another log or place")
        elif self._before is not None and body.get("digest") != self._before:
            self._fault(one.sequence, name, f"vouches for another record {one.sequence - 1} than the one that is there")
        else:
            self.report.checkpoints += 1
            if self._public is not None:
                self.report.signed = max(self.report.signed, one.sequence)

    def _policy(self, one: Link, body: Mapping[str, Any], name: str) -> None:
        assert self._policies is not None
        kept = self._policies.policy(body["policy"])
        digests = None if kept is None else {part: sha256(content).hexdigest() for part, content in kept.items()}
        if digests is None:
            self._fault(one.sequence, name, "kept a policy that is not there any more")
        elif digests != body["sources"]:
            changed = [part for part in {*digests, *body["sources"]} if digests.get(part) != body["sources"].get(part)]
            told = ", ".join(sorted(part or "how to load it" for part in changed))
            self._fault(one.sequence, name, f"kept a policy of which parts were changed: {told}")

    def end(self, sequence: int, digest: str) -> Report:
        """The log says that it ends here. Call it last."""
        if self._last < sequence:
            some = "is" if self._last + 1 == sequence else f"and those up to {sequence} are"
            self._fault(self._last + 1, "", f"{some} missing at the end")
        elif self._last > sequence:
            self._fault(sequence + 1, "", "stands after the end of the log")
        elif sequence and digest != self._before:
            self._fault(sequence, "", "is not the last record that the log tells of")
        for missing in sorted(self._witness):
            self._fault(missing, "", f"is missing: it was witnessed, and the log ends with record {self._last}")
        for number, name in self._bare:
            if not any(low <= number <= high for low, high in self._erased):
                self._fault(number, name, "has lost its payloads, and nobody recorded that they were erased")
        self.report.erased = len(self._bare)
        if self._public is not None and not self.report.checkpoints and self._last and not self.report.signed:
            self._fault(self._last, "", "and all before it are not signed: no checkpoint holds with this key")
        return self.report


def _holds(before: str, one: Link, content: bytes) -> bool:
    try:
        return link(before, one.sequence, content) == one.digest
    except (ValueError, OverflowError):  # no digest, no number of a record
        return False


def _said(data: bytes | None) -> Mapping[str, Any] | None:
    """A record's parts, where they are those of one."""
    try:
        said = orjson.loads(data or b"")
        kinds = [type(said[part]) for part in ("kind", "at", "run", "body", "payloads")]
        return said if kinds == [str, int, str, dict, dict] and "call" in said else None
    except (ValueError, TypeError, LookupError):
        return None


def _name(said: Mapping[str, Any] | None) -> str:
    if said is None:
        return ""
    about = [f"{part} {said[part]}" for part in ("call", "run") if said[part]]
    return ", ".join([said["kind"], *about])
