"""What hosts do with a shop, each with the rules that it is about, and what must be so whatever its ports did meanwhile."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from policy_engine import DeadlineExceeded, Denied, Pending, Policy, loads
from policy_engine.assembly.approvers import Approvers

from ..unit.mediation.conftest import HEAD, TOOLS
from ..unit.mediation.persons import Person, registry
from .hosts import USER, AsyncHost, Shop, SyncHost

FAY = Person("fay", "finance")
PEOPLE: Approvers = registry(FAY)
GOOD = {"id": "7", "card": "4111 1111", "tenant": "acme"}
SECRETS = ("secret-of-the-store", "sda1", "Fault", "Nonsense", "Traceback", "sqlite", ".py", "hidden-text", "object at", "None")
"""What no agent may read: words of stores, paths, exceptions, and the texts of rules that have no `because`."""


class Lost(ConnectionError):
    """What a tool of the shop raises."""


@dataclass
class Play:
    """A host at work: what it got, and what its tools did. `said` are the messages that agents read."""

    shop: Shop
    host: SyncHost | AsyncHost
    values: list[Any] = field(default_factory=list)
    refused: list[BaseException] = field(default_factory=list)
    ran: Counter[str] = field(default_factory=Counter)
    fails: Counter[str] = field(default_factory=Counter)
    run: Any = None

    def attempt(self, act: Callable[[], Any]) -> Any:
        """Do something that may be refused, and in no other way than hosts are told."""
        try:
            value = act()
        except (Denied, Pending, DeadlineExceeded, Lost) as refused:
            self.refused.append(refused)
            return None
        self.values.append(value)
        return value

    def within(self, acts: Callable[[], None], **named: Any) -> None:
        """A run, which may not begin, and in it some acts."""

        def whole() -> None:
            with self.host.inside(self.shop.mediator.run(principal=USER, **named)) as self.run:
                acts()

        self.attempt(whole)

    def refund(self, key: str, /, amount: float = 1.0, **named: Any) -> Any:
        return self._call("crm.refund", {"id": key, "amount": amount}, lambda: f"refunded {amount}", **named)

    def look(self, key: str, /, run: Any = None, **named: Any) -> Any:
        return self._call("crm.look", {"id": key}, lambda: GOOD, run=run, **named)

    def cached(self, id: str) -> Any:
        return self._call("crm.cached", {"key": id}, lambda: id)

    def _call(self, tool: str, args: dict[str, Any], answer: Callable[[], Any], run: Any = None, **named: Any) -> Any:
        name = str(args.get("id", args.get("key")))

        def execute(**given: Any) -> Any:
            self.ran[name] += 1
            if self.fails[name] > 0:
                self.fails[name] -= 1
                raise Lost
            return answer()

        called = (run or self.run).call
        return self.attempt(lambda: self.host.do(called, tool, args, execute=self.host.tool(execute), **named))


@dataclass(frozen=True)
class Scenario:
    """`most` is how often a call may run; `after` are ids of calls that must be possible at the end, in a run of their own."""

    rules: str
    act: Callable[[Play], None]
    most: int = 1
    options: dict[str, Any] = field(default_factory=dict)

    @property
    def policy(self) -> Policy:
        return _policy(self.rules)


@cache
def _policy(rules: str) -> Policy:
    return loads(HEAD + rules, files={"tools.json": TOOLS})


def plain(play: Play) -> None:
    play.within(lambda: [play.look("a"), play.refund("b"), play.look("c", id="mine"), play.look("c", id="mine")])


def limited(play: Play) -> None:
    play.within(lambda: [play.refund(id, 40.0) for id in ("a", "b", "c")])


def escalated(play: Play) -> None:
    def acts() -> None:
        play.refund("a", 500.0, id="mine")
        with suppress(IndexError):  # where nobody could be asked
            FAY.say(play.shop.approvals, time.time_ns())
        play.refund("a", 500.0, id="mine")
        play.refund("b", 600.0, id="other")

    play.within(acts)


def broken(play: Play) -> None:
    play.fails["a"] = play.fails["b"] = 1
    play.within(lambda: [play.look(id) for id in ("a", "b", "c")])


def retried(play: Play) -> None:
    play.fails["a"] = 2
    play.within(lambda: [play.look("a"), play.look("b")])


def redacted(play: Play) -> None:
    play.within(lambda: [play.look("a"), play.look("b")])


def spoken(play: Play) -> None:
    def acts() -> None:
        do, run = play.host.do, play.run
        play.attempt(lambda: do(run.step, "model", text="hm", tokens=3))
        play.attempt(lambda: do(run.plan, ["crm.look"]))
        play.attempt(lambda: do(run.input, "and order 8"))
        play.attempt(lambda: do(run.answer, "done with it"))

    play.within(acts, input="look up order 7")


def delegated(play: Play) -> None:
    def acts() -> None:
        def child() -> None:
            handle = play.host.do(play.run.delegate, "helper", tools=["crm.look"], text="look up 8")
            with play.host.inside(handle) as run:
                play.look("a", run=run)

        play.attempt(child)
        play.look("b")

    play.within(acts, input="look up order 7")


def remembered(play: Play) -> None:
    play.within(lambda: [play.refund("a", 40.0), play.refund("b", 40.0), play.refund("c", 40.0)])


BREAKER = 'breaker crm on crm.look open after 2 failures in 30s probe after 1m else reply "down"\n'
RETRY = "retry reads on crm.look up to 3 times backoff 1ms..2ms when error.retryable\n"
VOLUME = "limit volume on crm.refund to 100.0 of args.amount per 1d by principal.id\n"
SINGLE = "limit single on crm.* except crm.cached to 1 at once by principal.id\n"
SCENARIOS = {
    "plain": Scenario("", plain),
    "limited": Scenario(VOLUME + SINGLE, limited),
    "escalated": Scenario(
        "escalate big on crm.refund when args.amount > 100.0 to finance within 30m\n" + SINGLE, escalated,
        options={"approvers": PEOPLE},
    ),
    "broken": Scenario(BREAKER + SINGLE, broken),
    "retried": Scenario(RETRY + BREAKER + SINGLE, retried, most=4),
    "redacted": Scenario('rewrite card on crm.look redact result.card with "****"\n' + SINGLE, redacted),
    "spoken": Scenario(
        "limit thinking on @step to 3 per run\nlimit answers on @answer to 2 per run\n"
        'deny never on @answer when answer.text.contains("hidden-text")\n', spoken,
    ),
    "delegated": Scenario("limit three on crm.look to 3 per run\n" + SINGLE, delegated),
    "remembered": Scenario(
        "history customer by principal.id for 30d\n"
        'deny often on crm.refund when customer.calls.exists(c, c.tool == "crm.refund" && c.args.id == "b")\n', remembered,
    ),
}  # fmt: skip
