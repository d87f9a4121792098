"""`policy audit stats` and `compare`: from a store or an export, for people and programs."""

from __future__ import annotations

import json
import sqlite3
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner, Result

from policy_engine.audit.log import Audit
from policy_engine.audit.metrics.stats import Stats
from policy_engine.audit.metrics.told import Line
from policy_engine.cli.app import application
from policy_engine.cli.tables import bar, duration, sparkline, table
from policy_engine.runtime.ports.audit import Record
from policy_engine.stores.sqlite.database import Database
from policy_engine.stores.sqlite.ledger import SqliteLedger

TASKS = ("refund order 7", "answer mail")


def _run(model: str, task: str, *, loops: int = 0, fails: bool = False) -> list[Line]:
    run, at = f"{model} {task}", 1_760_000_000_000_000_000
    begun = {"parent": None, "root": run, "policy": "p", "mode": "enforce", "agent": "bot", "model": model,
             "prompt_version": "1", "attended": True, "deadline": None, "task": task}  # fmt: skip
    lines = [Line("run.begun", at, run, None, begun)]
    for number in range(1 + loops):
        body = {"tool": "crm.refund", "effect": "allow", "rules": ["r"], "cause": "policy", "policy": "p", "event": "same",
                "state": "s", "enforced": True, "tries": 0, "took": {"decide": 5000}}  # fmt: skip
        ran = {"tool": "crm.refund", "status": "returned", "decision": "d", "tries": 1, "duration": 1_000_000, "cost": 0.5,
               "effect": "pass", "rules": [], "policy": "p"}  # fmt: skip
        lines.append(Line("decision", at + 2 * number + 1, run, f"c{number}", body))
        lines.append(Line("outcome", at + 2 * number + 2, run, f"c{number}", ran))
    end = {"completed": not fails, "cause": "gave up" if fails else None, "calls": 1, "duration": 10}
    return [*lines, Line("run.ended", at + 100, run, None, end)]


GOOD = [line for task in TASKS for line in _run("m-1", task)]
BAD = [line for task in TASKS for line in _run("m-2", task, loops=3, fails=task == TASKS[0])]


def _export(path: Path, lines: list[Line]) -> Path:
    rows = ({"kind": one.kind, "at": one.at, "run": one.run, "call": one.call, "body": one.body, "digest": "d"} for one in lines)
    first, omitted, last = ({"kind": kind, "at": 0, "run": "", "call": None, "body": {}}
                            for kind in ("export.begun", "omitted", "export.ended"))  # fmt: skip
    path.write_text("".join(json.dumps(row) + "\n" for row in (first, *rows, omitted, last)))
    return path


def _store(path: Path, lines: list[Line]) -> Path:
    audit = Audit(SqliteLedger(Database(path)))
    for one in lines:
        audit.append(Record(one.kind, one.at, one.run, one.call, one.body))  # type: ignore[arg-type]
    audit.keep_policy("p", {"a.policy": b"policy a"}, {})
    audit.close()
    return path


def _policy(*arguments: str | Path) -> Result:
    return CliRunner().invoke(application(), ["audit", *map(str, arguments)])


def _json(*arguments: str | Path) -> Any:
    result = _policy(*arguments, "--format", "json")
    assert result.exit_code in (0, 1), result.output
    return json.loads(result.output)


def test_a_store_and_its_export_tell_the_same(tmp_path: Path) -> None:
    """The file of a store, JSON lines, and the live counting agree in everything."""
    stored, exported = _store(tmp_path / "state.db", GOOD + BAD), _export(tmp_path / "runs.jsonl", GOOD + BAD)
    assert _json("stats", stored) == _json("stats", exported) == json.loads(json.dumps(Stats().add_all(GOOD + BAD).result()))


def test_people_see_rates_tools_and_stages(tmp_path: Path) -> None:
    """Completion with its causes, coherence with its faults, a line a tool and a stage."""
    page = _policy("stats", _export(tmp_path / "runs.jsonl", GOOD + BAD)).output
    assert "3 of 4 tasks: gave up 1" in page
    assert "repeated 6" in page
    assert ["crm.refund", "10", "100.0", "%"] in [line.split()[:4] for line in page.splitlines()]
    assert ["decide", "10", "5", "µs"] in [line.split()[:4] for line in page.splitlines()]
    assert "\x1b" not in page


def test_runs_moments_and_groups_are_chosen(tmp_path: Path) -> None:
    """One run; nothing before a moment; a line for each model, or tool."""
    log = _export(tmp_path / "runs.jsonl", GOOD + BAD)
    assert _json("stats", log, "--run", f"m-1 {TASKS[0]}")["calls"]["ran"] == 1
    assert _json("stats", log, "--since", "2999-01-01")["records"]["count"] == 0
    assert _json("stats", log, "--since", "90000d")["records"]["count"] == len(GOOD + BAD)
    groups = _json("stats", log, "--by", "agent.model")["groups"]
    assert {name: one["calls"]["ran"] for name, one in groups.items()} == {"m-1": 2, "m-2": 8}
    assert _policy("stats", log, "--by", "tool").output.splitlines()[1].split()[:4] == ["crm.refund", "10", "100.0", "%"]


def test_an_empty_log_has_no_records(tmp_path: Path) -> None:
    """Nothing to count is said, and is no fault."""
    result = _policy("stats", _export(tmp_path / "runs.jsonl", []))
    assert (result.exit_code, result.output.splitlines()[0]) == (0, "no records")


def test_a_drift_beyond_what_is_allowed_ends_with_one(tmp_path: Path) -> None:
    """The worse model fails, is named with what changed, and the same bounds let the same model pass."""
    log = _export(tmp_path / "runs.jsonl", GOOD + BAD)
    bad = _policy("compare", log, "--by", "agent.model", "--drift", "completion=2%,coherence=0.05")
    assert bad.exit_code == 1
    assert "2 of 2 paired runs changed" in bad.output
    assert "refund order 7: completed yes -> no" in bad.output
    assert [line.split()[0] for line in bad.output.splitlines() if line.endswith("drift")] == ["completion", "coherence"]
    assert _policy("compare", log, log, "--by", "agent.model", "--a", "m-1", "--b", "m-1", "--drift", "changed=0%").exit_code == 0
    back = ["--a", "m-2", "--b", "m-1", "--drift", "completion=2%,coherence=0.05"]
    assert _policy("compare", log, "--by", "agent.model", *back).exit_code == 0


def test_two_files_are_two_sets(tmp_path: Path) -> None:
    """Before and after; runs pair by their task although their names differ."""
    before, after = _export(tmp_path / "a.jsonl", GOOD), _store(tmp_path / "b.db", BAD)
    told = _json("compare", before, after, "--drift", "changed=10%")
    assert (told["paired"], len(told["changed"]), told["drift"]) == (2, 2, True)
    assert {row["name"]: row["worse"] for row in told["measures"]}["success"] == 0.0


def test_without_bounds_nothing_is_a_drift(tmp_path: Path) -> None:
    """The page alone decides nothing."""
    assert _policy("compare", _export(tmp_path / "a.jsonl", GOOD), _export(tmp_path / "b.jsonl", BAD)).exit_code == 0


def test_what_the_second_set_cannot_show_is_a_drift(tmp_path: Path) -> None:
    """Runs that never ended have no completion: nobody showed that it is as good."""
    before = _export(tmp_path / "a.jsonl", GOOD)
    after = _export(tmp_path / "b.jsonl", [line for line in GOOD if line.kind != "run.ended"])
    assert _policy("compare", before, after, "--drift", "completion=2%").exit_code == 1


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["compare", "LOG"], "--by"),
        (["compare", "LOG", "--by", "colour"], "is not known"),
        (["compare", "LOG", "--a", "m-1"], "--by"),
        (["compare", "LOG", "--by", "agent.model", "--a", "m-9", "--b", "m-1"], "no runs of `m-9`"),
        (["compare", "LOG", "--by", "agent.prompt_version"], "1 sets"),
        (["compare", "LOG", "LOG", "--drift", "completion"], "no bound"),
        (["compare", "LOG", "LOG", "--drift", "beauty=2%"], "is not measured"),
        (["compare", "LOG", "LOG", "--drift", "p99=1%,p99=2%"], "twice"),
        (["compare", "LOG", "EMPTY"], "no runs"),
        (["stats", "LOG", "--by", "colour"], "is not known"),
        (["stats", "LOG", "--since", "yesterday"], "is no time"),
        (["stats", "LOG", "--run", "nobody"], "no records of the run"),
        (["stats", "MISSING"], "cannot be read"),
        (["stats", "BROKEN"], "BROKEN:2 is no record"),
        (["stats", "OTHER"], "without an audit log"),
    ],
)
def test_input_that_cannot_be_used_ends_with_two(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], said: str
) -> None:
    """Each says what is wrong, none shows a traceback, and no file is made or changed."""
    monkeypatch.chdir(tmp_path)
    _export(Path("LOG"), GOOD + BAD)
    _export(Path("EMPTY"), [])
    Path("BROKEN").write_text(Path("LOG").read_text().splitlines()[0] + "\n{]\n")
    sqlite3.connect("OTHER").executescript("CREATE TABLE other (x)").connection.close()
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir()}
    result = _policy(*arguments)
    assert result.exit_code == 2, result.output
    assert said in result.output
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == before


def test_names_in_a_log_cannot_speak_to_the_terminal(tmp_path: Path) -> None:
    """A tool that an agent named with an escape sequence is spelled out."""
    lines = [Line("outcome", 1, "r", "c", {"tool": "\x1b[2Jgone", "status": "returned", "duration": 1, "effect": "pass"})]
    log = _export(tmp_path / "runs.jsonl", lines)
    assert "\x1b" not in _policy("stats", log).output + _policy("stats", log, "--by", "tool").output


def test_bars_and_sparklines_never_hide_what_is_there() -> None:
    """An eighth of a column is drawn; the smallest height is not nothing; what is no share is empty."""
    assert (bar(1.0, 4), bar(0.5, 4), bar(None, 4), bar(7.0, 4)) == ("████", "██··", "····", "████")
    assert bar(0.04, 4) == "▏···"
    assert sparkline([0, 1, 1000]) == " ▂█"
    assert sparkline([0, 0]) == ""
    assert [duration(value) for value in (None, 12, 1500, 2e9, 7.2e12)] == ["–", "12 ns", "1.5 µs", "2 s", "2 h"]
    assert table([("a", "b"), ("long", "1")], indent="") == ["a     b", "long  1"]
