"""Metrics of OpenTelemetry, made of the very records that the audit keeps. `docs/telemetry.md` lists each."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import Any, Final

from opentelemetry import metrics
from opentelemetry.metrics import Counter, Histogram, Meter, MeterProvider

from policy_engine.base.version import ENGINE_VERSION
from policy_engine.runtime.ports.audit import Record
from policy_engine.telemetry.presence import Presence, of_api
from policy_engine.telemetry.spans import MAX_NAME, SCOPE

MAX_NAMES: Final = 1_000
"""Names told apart of tools, rules and the like: each is a time series, and agents may invent tools. The rest is `(other)`."""
_SECONDS: Final = (0.00001, 0.00005, 0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1.0, 5.0, 10.0, 60.0, 600.0, 3600.0)
"""Bounds of the buckets: from a decision to a person's answer."""
_TOOL: Final = "gen_ai.tool.name"


class Instruments:
    """Counters and histograms. Implements `runtime.ports.audit.Watcher`; thread-safe as the SDK is; never raises.

    Without a `meter_provider` the global one is used, also one that is installed later.
    """

    def __init__(
        self, *, meter_provider: MeterProvider | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._provider = meter_provider
        self._present = Presence(self._installed, clock)
        self._made: _Made | None = None

    def _installed(self) -> bool:
        provider = self._provider if self._provider is not None else metrics.get_meter_provider()
        if of_api(provider):
            return False
        self._made = _Made(provider.get_meter(SCOPE, ENGINE_VERSION))
        return True

    def on_record(self, record: Record) -> None:
        """Measure a record; nothing happens where no SDK is installed."""
        try:
            if self._present() and self._made is not None:
                self._made.measure(record)
        except Exception:  # an SDK, view or exporter that fails, or a body that is not as it should be
            return


class _Made:
    """The instruments of a meter."""

    def __init__(self, meter: Meter) -> None:
        self._meter = meter
        self._names: set[str] = set()
        self._tool = self._seconds("gen_ai.execute_tool.duration", "A tool, all attempts and the waits between them")
        self._run = self._seconds("policy.run.duration", "Runs, from their beginning to their end")
        self._stage = self._seconds("policy.stage.duration", "Stages of the mediation")
        self._wait = self._seconds("policy.answer.wait", "How long people took to answer")
        self._decisions = self._count("policy.decisions", "{decision}", "Decisions about calls, results and events")
        self._rules = self._count("policy.rules", "{decision}", "Decisions that each rule made")
        self._asks = self._count("policy.asks", "{question}", "Questions to people, each tier")
        self._answers = self._count("policy.answers", "{answer}", "What became of questions")
        self._retries = self._count("policy.retries", "{attempt}", "Attempts after the first")
        self._breakers = self._count("policy.breaker.changes", "{change}", "Breakers that opened or closed")
        self._leaks = self._count("policy.leaks", "{call}", "Sync calls that went on after their time was over")
        self._tokens = self._count("policy.tokens", "{token}", "Tokens that steps of agents used")
        self._cost = self._count("policy.cost", "1", "What calls and steps cost, in the unit of the host")

    def _seconds(self, name: str, about: str) -> Histogram:
        return self._meter.create_histogram(name, unit="s", description=about, explicit_bucket_boundaries_advisory=_SECONDS)

    def _count(self, name: str, unit: str, about: str) -> Counter:
        return self._meter.create_counter(name, unit=unit, description=about)

    def measure(self, record: Record) -> None:
        """Feed the instruments that a record is about."""
        body = record.body
        match record.kind:
            case "decision":
                self._decided("call", body, {_TOOL: self._name(body.get("tool"))})
            case "event":
                self._decided(self._name(body.get("name")), body, {})
                self._tokens.add(body.get("tokens", 0))
                self._cost.add(body.get("cost", 0.0))
            case "outcome":
                self._came_of(body)
            case "run.ended":
                self._run.record(_seconds(body["duration"]), {"policy.completed": body.get("completed") is True})
            case "ask":
                self._asks.add(1, {"policy.queue": self._name(body.get("queue")), "policy.tier": body.get("tier", 0)})
            case "answer":
                told = {"policy.queue": self._name(body.get("queue")), "policy.answer": self._name(body.get("answer"))}
                self._answers.add(1, told)
                self._wait.record(_seconds(body.get("waited", 0)), told)
            case "breaker":
                told = {"policy.rule": self._name(body.get("rule")), "policy.breaker.state": self._name(body.get("state"))}
                self._breakers.add(1, told)
            case "leak":
                self._leaks.add(1, {_TOOL: self._name(body.get("tool"))})
            case "run.begun" | "plan" | "mode" | "reload" | "checkpoint":
                return

    def _decided(self, phase: str, body: Mapping[str, Any], about: dict[str, str]) -> None:
        effect = self._name(body.get("effect"))
        told = {"policy.phase": phase, "policy.effect": effect, **about}
        if "cause" in body:
            told["policy.cause"] = self._name(body["cause"])
        self._decisions.add(1, told)
        for rule in body.get("rules", ()):
            self._rules.add(1, {"policy.rule": self._name(rule), "policy.effect": effect})
        for stage, nanos in (body.get("took") or {}).items():
            self._stage.record(_seconds(nanos), {"policy.stage": self._name(stage)})

    def _came_of(self, body: Mapping[str, Any]) -> None:
        tool = {_TOOL: self._name(body.get("tool"))}
        status = body.get("status")
        failed = {} if status == "returned" else {"error.type": self._name(body.get("error") or status)}
        self._tool.record(_seconds(body["duration"]), {**tool, **failed})
        self._cost.add(body.get("cost", 0.0), tool)
        if body.get("tries", 1) > 1:
            self._retries.add(body["tries"] - 1, tool)
        self._decided("result", body, tool)

    def _name(self, name: object) -> str:
        """A name as it may be told: cut, and one of a bounded number."""
        told = name[:MAX_NAME] if isinstance(name, str) else "(none)"
        if told not in self._names:
            if len(self._names) >= MAX_NAMES:
                return "(other)"
            self._names.add(told)
        return told


def _seconds(nanos: int) -> float:
    return nanos / 1_000_000_000
