"""Threads for calls with a bound: reused while there is work, gone afterwards."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

import pytest

from policy_engine import DeadlineExceeded, Mediator, Principal
from policy_engine.assembly.mediating import pools
from policy_engine.assembly.mediating.pools import Pool

USER = Principal(id="u1", tenant="acme")


def working() -> int:
    return sum(thread.name == "policy tool" for thread in threading.enumerate())


def settled(wanted: int) -> bool:
    """Whether so many threads are left, soon."""
    for _ in range(200):
        if working() <= wanted:
            return True
        time.sleep(0.02)
    return False


def test_a_closed_mediator_leaves_no_thread(mediate: Callable[..., Mediator]) -> None:
    """Idle ones end at once, one that was left behind when its call does."""
    before = working()
    mediator = mediate("timeout quick on crm.* after 30ms")
    release = threading.Event()
    with mediator.run(principal=USER) as run, pytest.raises(DeadlineExceeded):
        run.call("crm.look", {"id": "7"}, execute=lambda id: release.wait(30))
    with mediator.run(principal=USER) as run:
        assert run.call("crm.refund", {"id": "7", "amount": 1.0}, execute=lambda id, amount: "ok") == "ok"
    mediator._pool.close()
    assert settled(before + 1)
    release.set()
    assert settled(before)


def test_idle_threads_end_by_themselves(monkeypatch: pytest.MonkeyPatch) -> None:
    """A pool that nobody closes keeps no thread for long, and works on."""
    monkeypatch.setattr(pools, "_IDLE_SECONDS", 0.05)
    before, pool = working(), Pool()
    assert [pool.run("a", lambda: 1, 5.0).value for _ in range(3)] == [1, 1, 1]
    assert settled(before)
    assert pool.run("a", lambda: 2, 5.0).value == 2
