"""Metrics, as the SDK reads them, agree with the metrics of the audit over the same records."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from opentelemetry.sdk.metrics import MeterProvider
from opentelemetry.sdk.metrics.export import InMemoryMetricReader

from policy_engine.audit.metrics.stats import Stats
from policy_engine.audit.metrics.told import Line
from policy_engine.runtime.ports.audit import Record
from policy_engine.telemetry.instruments import MAX_NAMES, Instruments
from tests.unit.metrics.drawn_records import logs


class Measured:
    """Instruments over the real SDK, and what it read from them."""

    def __init__(self) -> None:
        self._reader = InMemoryMetricReader()
        self.instruments = Instruments(meter_provider=MeterProvider([self._reader]))

    def points(self, name: str) -> dict[tuple[tuple[str, Any], ...], Any]:
        """Data points of an instrument by their attributes."""
        data = self._reader.get_metrics_data()
        return {
            tuple(sorted((point.attributes or {}).items())): point
            for resource in (data.resource_metrics if data else ())
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
        }

    def total(self, name: str, **attributes: Any) -> float:
        """The sum over the points of a counter, or the count of a histogram, that carry these attributes."""
        wanted = {(key.replace("__", "."), value) for key, value in attributes.items()}
        return sum(
            getattr(point, "value", None) if hasattr(point, "value") else point.count
            for told, point in self.points(name).items()
            if wanted <= set(told)
        )


def _tell(measured: Measured, lines: list[Line]) -> None:
    for line in lines:
        measured.instruments.on_record(Record(line.kind, line.at, line.run, line.call, line.body))  # type: ignore[arg-type]


@settings(max_examples=40)
@given(logs())
def test_both_count_the_same(runs: list[list[Line]]) -> None:
    """Decisions by effect, retries, questions, openings, leaks, tokens: the SDK's numbers are those of `Stats`."""
    measured = Measured()
    lines = [line for run in runs for line in run]
    _tell(measured, lines)
    stats = Stats().add_all(lines).result()
    for effect, count in stats["decisions"]["by_phase"].get("call", {}).items():
        assert measured.total("policy.decisions", policy__phase="call", policy__effect=effect) == count
    assert measured.total("policy.retries") == stats["retries"]["retries"]
    assert measured.total("policy.asks", policy__tier=0) == stats["escalations"]["asked"]
    assert measured.total("policy.breaker.changes", policy__breaker__state="open") == stats["breakers"]["opened"]
    assert measured.total("policy.leaks") == stats["leaks"]["abandoned"]
    assert measured.total("policy.tokens") == stats["spending"]["tokens"]
    assert measured.total("gen_ai.execute_tool.duration") == stats["calls"]["ran"]
    assert abs(measured.total("policy.cost") - stats["spending"]["cost"]) < 1e-6


def test_durations_are_seconds_by_tool_and_error() -> None:
    """Two seconds of a tool that timed out."""
    measured = Measured()
    body = {"tool": "t", "status": "timeout", "error": "timeout", "duration": 2_000_000_000, "tries": 1, "cost": 0.0,
            "effect": "fail", "rules": []}  # fmt: skip
    _tell(measured, [Line("outcome", 1, "r", "c", body)])
    ((told, point),) = measured.points("gen_ai.execute_tool.duration").items()
    assert dict(told) == {"gen_ai.tool.name": "t", "error.type": "timeout"}
    assert (point.sum, point.count) == (2.0, 1)


def test_an_agent_that_invents_tools_makes_a_bounded_number_of_series() -> None:
    """Beyond a thousand names they are counted together."""
    measured = Measured()
    _tell(measured, [Line("leak", 1, "r", None, {"tool": f"t{number}", "abandoned": 1}) for number in range(MAX_NAMES + 50)])
    assert len(measured.points("policy.leaks")) == MAX_NAMES + 1
    assert measured.total("policy.leaks", gen_ai__tool__name="(other)") == 50


def test_a_broken_record_is_not_measured_and_raises_nothing() -> None:
    """A body without its fields, and one whose fields are of other kinds."""
    measured = Measured()
    for kind in ("decision", "outcome", "event", "run.ended", "ask", "answer", "breaker", "leak", "plan", "?"):
        _tell(measured, [Line(kind, 1, "r", None, {}), Line(kind, 1, "r", None, {"rules": 5, "took": 5, "duration": "x"})])


def test_without_an_sdk_nothing_is_made() -> None:
    """The API alone records nothing, and nothing fails."""
    instruments = Instruments()
    instruments.on_record(Record("leak", 1, "r", None, {"tool": "t", "abandoned": 1}))
    assert instruments._made is None
