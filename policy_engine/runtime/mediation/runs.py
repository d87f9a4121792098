"""The state of one mediated run: its history, its deadline, the calls it knows, and the digest of all that happened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import count
from threading import Lock
from typing import Any, Literal as OneOf

from policy_engine.base.request import Agent, Principal, RunPrincipal
from policy_engine.runtime.mediation.world import World
from policy_engine.runtime.ports.telemetry import Span
from policy_engine.runtime.trace.run import Run


@dataclass(frozen=True, slots=True)
class Earlier:
    """What is recorded of a call that another process let pass: it `returned` a value that the agent saw, its value is
    `hidden`, or nobody knows what came of it."""

    status: OneOf["returned", "hidden", "unknown"]
    value: Any = None


@dataclass(slots=True)
class KnownCall:
    """A call that was asked before, by its host's id. `digest` binds the id to tool and arguments.

    `made` is the call itself once it has returned; `waiting` = its result waits for people.
    """

    digest: str
    name: str
    claim: str
    """Under what this process uses up approvals: another process that resumes the same call cannot use them too."""
    tries: int = 0
    busy: bool = False
    made: Any = None
    waiting: bool = False
    earlier: Earlier | None = None


@dataclass(slots=True, eq=False)
class MediatedRun:
    """`history` is what conditions read; whoever reads it to decide and writes what was decided holds `lock` meanwhile, and
    does nothing under it that could wait. `deadline` is on the monotonic clock (nanoseconds). `only` are the tools that a
    sub-agent was given; None = those of the policy.
    """

    world: World
    id: str
    root: str
    parent: MediatedRun | None
    history: Run
    principal: Principal | Mapping[str, Any] | None
    agent: Agent | Mapping[str, Any] | str | None
    context: Mapping[str, Any]
    salt: bytes
    begun: int
    deadline: int | None = None
    only: frozenset[str] | None = None
    task: str | None = None
    span: Span | None = None
    lock: Lock = field(default_factory=Lock)
    calls: dict[str, KnownCall] = field(default_factory=dict)
    outputs: dict[str, int] = field(default_factory=dict)
    """How often an output of this name was sent back to be made again."""
    words: str | None = None
    """The model's own last words, as the host told them in a step."""
    numbers: Iterator[int] = field(default_factory=lambda: count(1))
    """For calls without an id of the host's."""
    made: int = 0
    """Calls that ran."""
    per_run: set[str] = field(default_factory=set)
    """Counters that count this run with all that it began; nobody asks for them once it is completed."""
    resumed: bool = False
    open: bool = True
    answered: bool = False
    completed: bool | None = None
    """What the host says of it; None = whether an answer passed tells."""
    prefix: str = field(init=False)
    """Of the names of its calls."""
    _happened: Any = field(default_factory=sha256, init=False)

    def __post_init__(self) -> None:
        if type(self.principal) is Principal or type(self.principal) is dict:
            fields = self.principal.fields if isinstance(self.principal, Principal) else self.principal
            self.principal = RunPrincipal(fields)
        self.prefix = f"{self.id.replace('%', '%25').replace('/', '%2F')}/"

    def note(self, what: bytes) -> None:
        """Carry the digest of everything that happened on. Under the lock."""
        self._happened.update(b"%d:%b" % (len(what), what))

    @property
    def state(self) -> str:
        """The digest (hex) of everything that happened. Under the lock."""
        return str(self._happened.copy().hexdigest())

    def digest(self, name: str, value: bytes) -> str:
        """The digest (hex) of something named, which nobody can compare without this run's salt."""
        return sha256(b"%b%d:%b%b" % (self.salt, len(name), name.encode(errors="replace"), value)).hexdigest()

    @property
    def first(self) -> MediatedRun:
        """The run that began all."""
        run = self
        while run.parent is not None:
            run = run.parent
        return run

    def left(self) -> int | None:
        """Nanoseconds until the deadline; None = there is none."""
        return None if self.deadline is None else self.deadline - self.world.clocks.monotonic()
