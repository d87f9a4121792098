"""Where the audit log keeps its rows. Implemented in `policy_engine/stores`; what the rows mean is `policy_engine/audit`'s.

One ledger holds one log. Rows are numbered from 1 without gaps and never changed; payloads and policies stand beside them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Literal as OneOf, NamedTuple, Protocol, TypeAlias

Durability = OneOf["memory", "process", "fsync"]


Parts: TypeAlias = tuple[int, str, str, int, bytes, bytes | None]
"""A row by position, for code that makes some on every call."""


class Row(NamedTuple):
    """One record as it is kept. `data` are its bytes, `digest` (hex) chains it to the row before, `run` and `at`
    (nanoseconds) repeat what `data` says so that rows can be found. `payload` are the bytes beside it; None = none, or erased."""

    sequence: int
    digest: str
    run: str
    at: int
    data: bytes
    payload: bytes | None


class Head(NamedTuple):
    """The last row: its number and its digest; `(0, "")` while there is none."""

    sequence: int
    digest: str


class Batch(NamedTuple):
    """What is kept together or not at all: rows that follow the head, the numbers of rows whose payloads are erased, and
    policies by digest, each a mapping of names to bytes."""

    rows: Sequence[Row]
    erased: Sequence[int] = ()
    policies: Mapping[str, Mapping[str, bytes]] = {}


class UnreadableRows(Exception):
    """Rows were kept that cannot be read, from `sequence` on; `problem` says why. Nothing is appended behind them."""

    def __init__(self, sequence: int, problem: str) -> None:
        super().__init__(f"record {sequence} {problem}")
        self.sequence = sequence
        self.problem = problem


class Ledger(Protocol):
    """Thread- and process-safe. `id` is a name that no other log has, made with the log.

    `durability` is what a batch survives once `append` has returned: `memory` nothing, `process` the death of this
    process, `fsync` the loss of power.
    """

    blocking: bool
    durability: Durability

    @property
    def id(self) -> str:
        """The name of this log."""
        ...

    def append(self, build: Callable[[Head], Batch]) -> None:
        """Keep what `build` makes of the head, while nobody else writes. Raises, and keeps nothing, where that fails.

        `build` may be called again after a failure that is worth another try; what it returned last is what is kept.
        """
        ...

    def follow(self, row: Parts) -> bool:
        """Keep a row right behind the last one. False, and nothing kept, where its number does not follow (another process has
        written, and `append` tells what), or where `append` has something to do first. Raises, and keeps nothing, where that
        fails."""
        ...

    def head(self) -> Head:
        """The last row that is kept. Raises `UnreadableRows` where nothing tells which it is."""
        ...

    def rows(self, *, after: int = 0, upto: int | None = None, run: str | None = None) -> Iterator[Row]:
        """The rows with numbers beyond `after`, up to and including `upto`, in order; those of one run, if one is named.

        What is appended meanwhile may be among them or not. Raises `UnreadableRows` behind the last one that can be read.
        """
        ...

    def policy(self, digest: str) -> Mapping[str, bytes] | None:
        """What was kept of a policy."""
        ...

    def close(self) -> None:
        """Let go of files. Nothing is lost by not calling it."""
        ...
