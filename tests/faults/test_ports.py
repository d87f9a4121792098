"""Every port fails, hangs or lies at each of its calls: the host hears a refusal, nothing runs unrecorded or twice, the agent
reads nothing of it, other tools go on, and nothing stays held."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from anyio.from_thread import BlockingPortal, start_blocking_portal

from policy_engine.assembly.redoing import Redo
from policy_engine.audit.exporting import verified_ledger
from policy_engine.runtime.ports.counters import Admission, Full
from policy_engine.runtime.ports.ledger import Head

from .hosts import PORTS, AsyncHost, Shop, SyncHost
from .scenarios import SCENARIOS, SECRETS, Play, Scenario

ALL = int(os.environ.get("POLICY_CASES", "0")) >= 100_000
LIES: dict[str, list[Any]] = {
    "nothing": [None, False],
    "wrong type": [7, "yes", b"", object(), [None], {}, ()],
    "numbers": [-1, 10**40, math.nan, -math.inf],
    "words": ["half-open", "zz" * 32, "allow"],
}
_LIES = [lie for lies in LIES.values() for lie in lies]
OF_PORT: dict[str, list[Any]] = {
    "counters": [
        Full(99, 0), Full(-1, 0), Full(0, -(10**30)), Full(0, 10**40), Full(0, "soon"), Full("x", None),  # type: ignore[arg-type]
        Admission("half"), Admission("open", -1), Admission("open", 10**40), Admission("open", None),  # type: ignore[arg-type]
        Admission("open", math.nan),  # type: ignore[arg-type]
    ],
    "ledger": [Head(-1, "x"), Head(10**30, "")],
    "history": [[{"tool": 1}], [{"outcome": "returned"}], [7] * 5],
}  # fmt: skip


@pytest.fixture(scope="module", params=["asyncio", "trio"])
def portal(request: pytest.FixtureRequest) -> Iterator[BlockingPortal]:
    with start_blocking_portal(request.param) as portal:
        yield portal


def calls_of(scenario: Scenario, port: str, host: Any) -> list[str]:
    """What a clean play asks of a port."""
    shop = Shop(scenario.policy, port, "fail", **scenario.options)
    play = Play(shop, host)
    shop.arm(1 << 60)
    scenario.act(play)
    judged(play, scenario, believed=False)
    shop.close()
    return list(shop.faulty.calls)


def judged(play: Play, scenario: Scenario, *, believed: bool, redo: bool = True) -> None:
    """What must be so at the end. `believed` = a lie that nobody can see through: a limit may be passed then."""
    shop = play.shop
    told = [str(one) for one in play.refused] + [getattr(getattr(one, "decision", None), "reason", "") for one in play.refused]
    for text in told:
        assert not [word for word in SECRETS if word in text], text
    log = shop.mediator._audit
    log.ledger = shop.ledger
    kept = list(log.entries())
    decided = {
        value["id"] if "id" in value else value["key"]
        for value in (entry.value("args") for entry in kept if entry.kind == "decision" and entry.body["effect"] == "allow")
    }
    assert set(play.ran) <= decided, "a call ran without its decision record"
    assert max(play.ran.values(), default=0) <= scenario.most, play.ran
    if not believed:
        spent = sum(40.0 for id in play.ran if id in "abc" and scenario is SCENARIOS["limited"])
        assert spent <= 100.0
    assert verified_ledger(shop.ledger).faults == []
    if not redo:
        return
    redone = [one for one in Redo(shop.ledger).redo(lambda entry: True) if one.verdict == "differs"]
    assert [(one.entry.body, one.problem) for one in redone] == []


def others_go_on(play: Play, *, same_run: bool) -> None:
    """Another tool works, in the run in which it happened and in a new one."""
    before = len(play.refused)
    if same_run and play.run is not None and play.run._run.open:
        assert play.cached("same") == "same"
    play.within(lambda: play.cached("new"))
    assert play.ran["new"] == 1 and len(play.refused) == before


def nothing_is_held(play: Play) -> None:
    """Once the store has worked again for a call that it counts, all places are free."""
    play.fails.clear()
    play.within(lambda: play.refund("last"))
    held = [entry for one in play.shop.counters._counters.values() for entry in one.all_entries() if entry.state in (0, 1)]
    assert [entry for entry in held if entry.place] == [], "a place stays held"


def plays(
    scenario: Scenario, port: str, how: Any, at: int, host: Any, *, nonsense: Any = None, late: bool = False, redo: bool = True
) -> None:
    """One play with one fault in it."""
    believed = how == "lie" and nonsense is not None
    shop = Shop(scenario.policy, port, how, nonsense=nonsense, late=late, **scenario.options)
    play = Play(shop, host)
    shop.arm(at)
    scenario.act(play)
    if how != "delay" or port not in ("ledger", "history"):
        others_go_on(play, same_run=True)
    shop.calm()
    if not believed:
        nothing_is_held(play)
    judged(play, scenario, believed=believed, redo=redo and not believed)
    shop.close()


CASES = [(name, port) for name in SCENARIOS for port in PORTS]


@pytest.mark.parametrize(("name", "port"), CASES)
def test_a_port_that_fails_at_any_call(name: str, port: str) -> None:
    """It did nothing, or it did it and the answer was lost."""
    scenario = SCENARIOS[name]
    for at in range(1, len(calls_of(scenario, port, SyncHost())) + 1):
        for late in (False, True) if ALL else (at % 2 == 0,):
            plays(scenario, port, "fail", at, SyncHost(), late=late, redo=ALL or at % 3 == 0)


@pytest.mark.parametrize(("name", "port"), CASES)
def test_a_port_that_hangs_at_any_call(name: str, port: str) -> None:
    """The host is refused in the time that it set; what hangs never runs anything, and gives back what it held when it ends."""
    scenario = SCENARIOS[name]
    for at in range(1, len(calls_of(scenario, port, SyncHost())) + 1):
        plays(scenario, port, "delay", at, SyncHost(), redo=ALL or at % 3 == 0)


@pytest.mark.parametrize(("name", "port"), CASES)
def test_a_port_that_lies_at_any_call(name: str, port: str) -> None:
    """Answers of a wrong type, absurd numbers, unknown words. Some cannot be told from true ones: `None` = there is room."""
    scenario = SCENARIOS[name]
    lies = [*_LIES, *OF_PORT.get(port, [])]
    for at in range(1, len(calls_of(scenario, port, SyncHost())) + 1):
        for number, lie in enumerate([None, *lies]):
            if ALL or number == 0 or (number + at) % 8 == 0:
                plays(scenario, port, "lie", at, SyncHost(), nonsense=_told(lie) if number else None, redo=ALL)


def _told(lie: Any) -> Callable[[], Any]:
    return lambda: lie


@pytest.mark.parametrize("how", ["fail", "delay", "lie"])
@pytest.mark.parametrize(("name", "port"), CASES if ALL else CASES[::2])
def test_tasks_are_refused_as_threads_are(name: str, port: str, how: str, portal: BlockingPortal) -> None:
    """The async twin, under asyncio and trio."""
    scenario, host = SCENARIOS[name], AsyncHost(portal)
    for at in range(1, len(calls_of(scenario, port, host)) + 1):
        if ALL or at % 5 == 1:
            plays(scenario, port, how, at, host, redo=ALL)
