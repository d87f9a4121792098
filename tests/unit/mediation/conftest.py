"""A mediator over a small shop, with a clock that only tests move."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from policy_engine import Mediator, Policy, Principal, loads
from policy_engine.assembly.redoing import Redo
from policy_engine.audit.exporting import verified_ledger

TOOLS = """{"tools": [
  {"name": "refund", "inputSchema": {"type": "object", "additionalProperties": false, "required": ["id", "amount"],
    "properties": {"id": {"type": "string"}, "amount": {"type": "number"}}}},
  {"name": "look", "annotations": {"readOnlyHint": true}, "inputSchema": {"type": "object", "additionalProperties": false,
    "required": ["id"], "properties": {"id": {"type": "string"}}},
    "outputSchema": {"type": "object", "properties": {"id": {"type": "string"}, "card": {"type": "string"},
      "tenant": {"type": "string"}}, "required": ["id", "card", "tenant"]}},
  {"name": "cached", "annotations": {"readOnlyHint": true}, "inputSchema": {"type": "object", "additionalProperties": false,
    "required": ["key"], "properties": {"key": {"type": "string"}}}}
]}"""
HEAD = """policy shop
use tools "tools.json" as crm
queues finance, managers
principal { id: string, tenant: string }
approver { id: string, branch: string? }
allow all on crm.*
"""
START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


class FakeTime:
    """Wall and steady time that pass only when somebody sleeps, or a test says so."""

    def __init__(self) -> None:
        self.passed = 0.0
        self.slept: list[float] = []

    def now(self) -> datetime:
        return START + timedelta(seconds=self.passed)

    def monotonic(self) -> float:
        return 1000.0 + self.passed

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.passed += seconds

    async def async_sleep(self, seconds: float) -> None:
        self.sleep(seconds)


@pytest.fixture
def time() -> FakeTime:
    """The clock of a test."""
    return FakeTime()


@pytest.fixture(params=["memory", "sqlite"])
def store(request: pytest.FixtureRequest, tmp_path: Any) -> str:
    """Every test runs over both stores."""
    return "memory://" if request.param == "memory" else f"sqlite:///{tmp_path}/state.db"


@pytest.fixture
def shop(time: FakeTime) -> Callable[[str], Policy]:
    """A policy of the shop, with more rules."""
    return lambda rules: loads(HEAD + rules, files={"tools.json": TOOLS}, clock=time.now)


@pytest.fixture
def mediate(time: FakeTime, store: str, shop: Callable[[str], Policy], request: pytest.FixtureRequest) -> Callable[..., Mediator]:
    """A mediator of the shop with more rules; `**options` are the mediator's.

    Whatever a test did, afterwards its log verifies, and every decision in it is made again from the log alone, alike.
    """

    def make(rules: str = "", **options: Any) -> Mediator:
        payloads = options.pop("payloads", "whole")
        made = Mediator(
            shop(rules), options.pop("store", store), clock=time.now, monotonic=time.monotonic, sleep=time.sleep,
            async_sleep=time.async_sleep, payloads=payloads, **options,
        )  # fmt: skip
        request.addfinalizer(lambda: _looked_at(made, payloads == "whole"))
        return made

    return make


def _looked_at(mediator: Mediator, whole: bool) -> None:
    ledger = mediator.audit.ledger
    if mediator.closed:
        return
    try:
        assert verified_ledger(ledger).faults == []
        redone = [] if not whole else list(Redo(ledger).redo(lambda entry: True))
        assert [(one.entry.body, one.problem) for one in redone if one.verdict != "equal"] == []
    finally:
        mediator.close()


USER = Principal(id="u1", tenant="acme")
