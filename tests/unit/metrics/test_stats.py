"""`Stats`: the same live and from the log, in any order, merged in any order; and each metric as its page defines it."""

from __future__ import annotations

import json
import threading
from collections.abc import Mapping
from typing import Any, Literal

import pytest
from hypothesis import given, strategies as st

from policy_engine.assembly.watching import WatchedLog
from policy_engine.audit.metrics.stats import Stats
from policy_engine.audit.metrics.told import Line, line_of
from policy_engine.runtime.ports.audit import Record
from tests.unit.metrics.drawn_records import logs


class ListLog:
    """Keeps records as lines of text; refuses to keep those of a run named `refused`."""

    blocking = False
    durability: Literal["memory", "process", "fsync"] = "memory"

    def __init__(self) -> None:
        self.lines: list[str] = []
        self._lock = threading.Lock()

    def append(self, record: Record) -> str:
        if record.run == "refused":
            raise OSError("disk full")
        with self._lock:
            self.lines.append(json.dumps({"kind": record.kind, "at": record.at, "run": record.run, "call": record.call,
                                          "body": dict(record.body)}))  # fmt: skip
        return "digest"

    def keep_policy(self, digest: str, sources: Mapping[str, bytes], about: Mapping[str, Any]) -> None:
        self.lines.append(digest)


def _record(line: Line) -> Record:
    return Record(line.kind, line.at, line.run, line.call, line.body)  # type: ignore[arg-type]


def _read(log: ListLog) -> Stats:
    return Stats().add_all(line_of(json.loads(line)) for line in log.lines)


@given(logs())
def test_live_metrics_are_those_of_the_log(runs: list[list[Line]]) -> None:
    """Told record by record as they are kept, or read from the log afterwards: the same numbers."""
    live, log = Stats(), ListLog()
    watched = WatchedLog(log, [live])
    for run in runs:
        for line in run:
            watched.append(_record(line))
    assert live.result() == _read(log).result()


def test_threads_that_tell_at_the_same_time_lose_nothing() -> None:
    """Eight runs at once, each told by a thread of its own."""
    live, log = Stats(), ListLog()
    watched = WatchedLog(log, [live])

    def run(name: str) -> None:
        for number in range(200):
            body = {"tool": "t", "effect": "allow", "rules": ["r"], "event": str(number % 7), "enforced": True, "tries": 0}
            watched.append(Record("decision", number, name, f"{number}", body))

    threads = [threading.Thread(target=run, args=(f"run {number}",)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert live.result()["records"]["count"] == 1600
    assert live.result() == _read(log).result()


def test_a_record_that_was_not_kept_is_not_counted() -> None:
    """What the log refused has not happened."""
    live = Stats()
    watched = WatchedLog(ListLog(), [live])
    with pytest.raises(OSError, match="disk full"):
        watched.append(Record("leak", 1, "refused", None, {"tool": "t", "abandoned": 1}))
    assert live.result()["records"]["count"] == 0


def test_a_watcher_that_fails_stops_neither_calls_nor_other_watchers() -> None:
    """Counting is not worth a call: the fault is counted, and the next watcher told."""

    class Broken:
        def on_record(self, record: Record) -> None:
            raise RuntimeError("counting failed")

    live = Stats()
    watched = WatchedLog(ListLog(), [Broken(), live])
    assert watched.append(Record("leak", 1, "r", None, {"tool": "t", "abandoned": 1})) == "digest"
    watched.keep_policy("p", {}, {})
    assert (watched.faults, live.result()["records"]["count"]) == (1, 1)


@given(logs(), st.data())
def test_the_order_of_merging_does_not_matter(runs: list[list[Line]], data: st.DataObject) -> None:
    """Each run counted apart and merged in any order is the whole log counted at once."""
    merged = Stats()
    for run in data.draw(st.permutations(runs)):
        merged.merge(Stats().add_all(run))
    assert merged.result() == Stats().add_all(line for run in runs for line in run).result()


@given(logs(most=2), st.data())
def test_the_order_of_records_does_not_matter(runs: list[list[Line]], data: st.DataObject) -> None:
    """Records of different threads are told in any order."""
    lines = [line for run in runs for line in run]
    assert Stats().add_all(data.draw(st.permutations(lines))).result() == Stats().add_all(lines).result()


FIELDS = ("tool", "effect", "rules", "tries", "cost", "took", "errors", "duration", "wait", "event", "status", "completed")
SHAPES = (None, 1, -1, "x", [], [1], [[]], {}, float("nan"), True)
KINDS = ("decision", "outcome", "event", "plan", "ask", "answer", "breaker", "leak", "run.begun", "run.ended", "?")


@given(st.dictionaries(st.sampled_from(FIELDS), st.sampled_from(SHAPES)), st.sampled_from(KINDS))
def test_a_body_of_any_shape_is_counted(body: dict[str, Any], kind: str) -> None:
    """A log that somebody edited cannot stop the counting, whatever it says."""
    result = Stats().add_all([Line(kind, 1, "r", "c", body)]).result()
    assert result["records"]["count"] == (kind != "?")


def _decision(at: int, effect: str = "allow", **more: Any) -> Line:
    body = {"tool": "t", "effect": effect, "rules": ["r"], "cause": "policy", "event": str(at), "enforced": True, "tries": 0}
    return Line("decision", at, "run", f"c{at}", {**body, **more})


def _outcome(status: str, **more: Any) -> Line:
    body = {"tool": "t", "status": status, "tries": 1, "duration": 10, "cost": 0.0, "effect": "pass", "rules": []}
    return Line("outcome", 1, "run", "c", {**body, **more})


def test_completion_is_completed_over_ended_tasks() -> None:
    """Sub-agents' runs are no tasks; an open run is neither completed nor failed."""
    ends = [{"completed": True}, {"completed": False, "cause": "deadline"}, {"completed": True, "parent": "run"}]
    lines = [Line("run.begun", 0, "open", None, {"parent": None}),
             *(Line("run.begun", 0, str(n), None, {"parent": end.get("parent")}) for n, end in enumerate(ends)),
             *(Line("run.ended", 1, str(n), None, end) for n, end in enumerate(ends))]  # fmt: skip
    assert Stats().add_all(lines).result()["completion"] == {
        "rate": 0.5, "completed": 1, "ended": 2, "begun": 3, "open": 1, "sub_runs": 1, "causes": {"deadline": 1},
    }  # fmt: skip


def test_success_is_returned_over_ran() -> None:
    """By tool too; what was withheld has returned."""
    found = Stats().add_all([_outcome("returned"), _outcome("returned", effect="withhold"), _outcome("timeout")]).result()
    assert found["calls"]["success"] == pytest.approx(2 / 3)
    assert found["calls"]["by_tool"]["t"]["statuses"] == {"returned": 2, "timeout": 1}
    assert found["decisions"]["by_phase"]["result"] == {"pass": 2, "withhold": 1}


def test_refusals_are_told_by_cause_and_observed_ones_apart() -> None:
    """One by a rule, one by a limit with a wait, one that only would have been."""
    limited = _decision(2, "deny", cause="limit", wait=5)
    lines = [_decision(1, "deny"), limited, _decision(3, "deny", enforced=False), _decision(4)]
    found = Stats().add_all(lines).result()
    assert found["refusals"]["by_cause"] == {"limit": 1, "policy": 1}
    assert (found["refusals"]["rate"], found["refusals"]["observed"]) == (0.5, 1)
    assert (found["limits"]["refused"], found["limits"]["by_rule"], found["limits"]["wait"]["p50"]) == (1, {"r": 1}, 5)


def test_retries_count_attempts_after_the_first() -> None:
    """Three attempts that helped and two that did not: three retries, half of the calls recovered."""
    found = Stats().add_all([_outcome("returned", tries=3), _outcome("error", tries=2), _outcome("returned")]).result()
    assert found["retries"] == {"retries": 3, "calls": 2, "recovered": 0.5, "by_tool": {"t": 3}}


def test_escalations_are_questions_over_calls_with_the_wait_for_answers() -> None:
    """Two calls, one asked about in two tiers; a resume is no new call."""
    ask = {"request": "q", "rule": "r", "queue": "ops", "tier": 0}
    answer = {"request": "q", "rule": "r", "queue": "ops", "answer": "approved", "waited": 9}
    lines = [_decision(1), _decision(2, "escalate"), _decision(2, tries=1), Line("ask", 2, "run", "c2", ask),
             Line("ask", 3, "run", "c2", {**ask, "tier": 1}), Line("answer", 4, "run", "c2", answer)]  # fmt: skip
    found = Stats().add_all(lines).result()["escalations"]
    assert (found["rate"], found["asked"], found["later_tiers"]) == (0.5, 1, 1)
    assert (found["answers"], found["wait"]["p50"], found["wait_by_queue"]["ops"]["count"]) == ({"approved": 1}, 9, 1)


def test_costs_are_added_exactly() -> None:
    """A tenth ten times is one, whatever doubles say."""
    found = Stats().add_all([_outcome("returned", cost=0.1)] * 10).result()["spending"]
    assert (found["cost"], found["cost_by_tool"]) == (1.0, {"t": 1.0})


def test_breakers_leaks_failures_and_stages() -> None:
    """Openings and refusals of a breaker, abandoned calls, classes of errors, times by stage."""
    lines = [Line("breaker", 1, "run", None, {"rule": "b", "state": "open"}), _decision(2, "deny", cause="breaker", rules=["b"]),
             Line("leak", 3, "run", None, {"tool": "t", "abandoned": 2}), _outcome("error", error="ConnectionError"),
             _decision(4, errors=[["r", "a.policy:1:2"]], took={"decide": 7})]  # fmt: skip
    found = Stats().add_all(lines).result()
    assert (found["breakers"]["opened"], found["breakers"]["refused_by_rule"]) == (1, {"b": 1})
    assert found["leaks"] == {"abandoned": 1, "most_at_once": 2, "by_tool": {"t": 1}}
    assert (found["failures"]["classes"], found["failures"]["rules"]) == ({"ConnectionError": 1}, {"r": 1})
    assert (found["latency"]["decide"]["p50"], found["latency"]["tool"]["p50"]) == (7, 10)


@pytest.mark.parametrize("line", ["[]", '{"kind": "decision"}', '{"kind": 1, "at": 1, "run": "r", "body": {}}',
                                  '{"kind": "leak", "at": 1, "run": "r", "body": {}, "call": 5}'])  # fmt: skip
def test_a_line_that_is_no_record_is_named_as_such(line: str) -> None:
    """Broken input is said, never counted as nothing."""
    with pytest.raises(ValueError, match=r"object|record|call"):
        line_of(json.loads(line))
