"""All that is measured, in one table: `python -m tests.benchmarks.table --all` (`make bench-all`) writes docs/benchmarks.md.

Without `--all` a smaller set runs in a minute and a half at most (`make bench`, CI). Each part is a module of this folder
with a `main` of its own, run in a process of its own; the peers run beside us in one. What a part prints is kept as it
is, and its ratios are compared with those in `recorded.json` (`--record` writes them): 1.15 times as much is a warning,
a wrong decision or a ratio beyond its bar a failure, unless it was beyond when it was recorded (then it is named
again each time). Times and bytes beyond a bar count with `--all` only: those bars are for an idle machine.
"""

from __future__ import annotations

import argparse
import importlib.util
import json
import os
import platform
import re
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tests.benchmarks import peers

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "benchmarks.md"
KEPT = ROOT / ".cache" / "benchmarks"
RECORDED = Path(__file__).with_name("recorded.json")
DRIFT = 1.15
PART_SECONDS = 600.0
PEERS_APART = 10.0


@dataclass(frozen=True)
class Part:
    """One benchmark. `small` are its arguments in the smaller set; None leaves it out of that."""

    module: str
    title: str
    small: tuple[str, ...] | None = None
    full: tuple[str, ...] = ()


PARTS = (
    Part("ratio", "Generated evaluators and hand-written Python", small=("10", "1000")),
    Part("decide", "`policy.decide()` and a hand-written function that validates too", small=()),
    Part("index", "Ten thousand rules on one tool and ten", small=("--only", "equality", "1000")),
    Part("mediate", "A whole mediated call, stage by stage", small=("--short", "--rounds", "9")),
    Part("history", "Decisions after many events and few", small=()),
    Part("provenance", "Where values come from", small=()),
    Part("compile", "Compiling, and compiling again after a change"),
    Part("load", "Loading from the cache"),
    Part("cold", "One decision, from process start to exit"),
    Part("counters", "What a limit costs"),
    Part("audit", "What a record costs"),
    Part("coherence", "Coherence of recorded runs, and of the same with faults planted"),
    Part("memory", "What a rule weighs"),
    Part("agentdojo", "Recorded agents: attacks stopped, work unhindered", full=("--all",)),
)
# What other things in this folder are for, so that none is forgotten.
OTHERS = ("agent_control", "peers", "table", "stress", "traces")


@dataclass(frozen=True)
class Finished:
    """What a part printed, how it ended and how long it took; `absent` where there is no such part yet."""

    part: Part
    output: str
    code: int
    seconds: float
    absent: bool = False
    when: str = ""

    def keep(self) -> None:
        """For the page, when other parts are measured again."""
        _keep(self.part.module, {"output": self.output, "code": self.code, "seconds": self.seconds, "when": moment()})

    @classmethod
    def kept(cls, part: Part) -> Finished:
        """As it ended when it was last measured with `--all`."""
        found = _kept(part.module)
        return cls(part, **found) if found else cls(part, "", 0, 0.0, absent=True)


def _keep(name: str, value: Any) -> None:
    KEPT.mkdir(parents=True, exist_ok=True)
    (KEPT / f"{name}.json").write_text(json.dumps(value), encoding="utf-8")


def _kept(name: str) -> Any:
    file = KEPT / f"{name}.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.exists() else None


# ------------------------------------------------------------------ running
def run(part: Part, full: bool) -> Finished | None:
    """One part in a process of its own; None where the smaller set leaves it out."""
    arguments = part.full if full else part.small
    if arguments is None:
        return None
    if importlib.util.find_spec(f"tests.benchmarks.{part.module}") is None:
        return Finished(part, "", 0, 0.0, absent=True)
    print(f"\n== {part.title}", flush=True)
    begun = time.monotonic()
    command = [sys.executable, "-m", f"tests.benchmarks.{part.module}", *arguments]
    lines: list[str] = []
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        assert process.stdout is not None
        for line in process.stdout:
            print(line, end="", flush=True)
            lines.append(line)
            if time.monotonic() - begun > PART_SECONDS:
                process.kill()
    return Finished(part, "".join(lines), process.returncode, time.monotonic() - begun)


# ------------------------------------------------------------------ ratios, and how they drift
_RATIO = re.compile(r"\bratio\s+(\d+\.\d+)|(?<![\d.])(\d+\.\d+)\s?[x×](?!\w)|×\s?(\d+\.\d+)")
_FIGURE = re.compile(r"\d[\d.,]*\s*(ns|µs|us|ms|s|kB|MB|x|×|rules)\b|\bbar\b|\bratio\b")


def _named(module: str, output: str) -> Iterator[tuple[tuple[str, float | None], str]]:
    """Each line with its name, the words before its first figure, and its first ratio. Indented: of the line above."""
    above = ""
    for line in output.splitlines():
        words: list[str] = []
        for cell in re.split(r"\s{2,}", line.strip()):
            if figure := _FIGURE.search(cell):
                words += [cell[: figure.start()].strip(" ,:")] if not words else []
                break
            words.append(cell)
        label = " ".join(words)
        if not line.startswith(" "):
            above = label
        elif label:
            label = f"{above}, {label}"
        found = _RATIO.search(line)
        yield (f"{module}: {label}", float(next(filter(None, found.groups()))) if found else None), line


def ratios(one: Finished) -> dict[str, float]:
    """The ratios of a part by name, those of code against itself left out."""
    named = (name for name, _ in _named(one.part.module, one.output))
    return {name: value for name, value in named if value is not None and not name.endswith("(A/A)")}


@dataclass(frozen=True)
class Records:
    """What was measured before: ratios by name, and the names of those that were beyond their bar then."""

    ratios: dict[str, float]
    beyond: tuple[str, ...]

    @classmethod
    def read(cls) -> Records:
        """From `recorded.json`; nothing where there is none."""
        found = json.loads(RECORDED.read_text(encoding="utf-8")) if RECORDED.exists() else {}
        return cls(found.get("ratios", {}), tuple(found.get("beyond", ())))

    def write(self) -> None:
        """To `recorded.json`."""
        found = {"ratios": {name: round(value, 3) for name, value in sorted(self.ratios.items())}, "beyond": sorted(self.beyond)}
        RECORDED.write_text(json.dumps(found, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")

    def drifts(self, now: dict[str, float]) -> list[str]:
        """What became slower than recorded by more than `DRIFT`."""
        return [
            f"{name}: {value:.2f}, recorded {self.ratios[name]:.2f}, ×{value / self.ratios[name]:.2f}"
            for name, value in now.items()
            if self.ratios.get(name) and value / self.ratios[name] >= DRIFT
        ]


_BAR = re.compile(r"\bbar\s+(\d+(?:\.\d+)?)")
_MARK = re.compile(r"BEYOND|^beyond the bar")
_WRONG = re.compile(r"\bwrong\s+[1-9]|\bWRONG\b")


def beyond(one: Finished) -> dict[str, str]:
    """The ratios beyond their bar, and wrong decisions: the line by its name."""
    found: dict[str, str] = {}
    for (name, value), line in _named(one.part.module, one.output):
        bar = _BAR.search(line)
        if _WRONG.search(line) or ("BEYOND" in line and value is not None and not (bar and value <= float(bar.group(1)))):
            found[name] = line.strip()
    return found


def failures(one: Finished, full: bool) -> dict[str, str]:
    """How a part fails, by name. In the smaller set nanoseconds and bytes beyond a bar are not counted."""
    if one.code in (0, 2):
        return {}
    marked = {name: line.strip() for (name, _), line in _named(one.part.module, one.output) if _MARK.search(line)}
    if found := beyond(one) | (marked if full else {}):
        return found
    return {} if marked else {f"{one.part.module} ended with {one.code}": f"{one.part.module} ended with {one.code}"}


# ------------------------------------------------------------------ the page
def page(finished: Sequence[Finished], rows: Sequence[peers.Row], faults: Sequence[str]) -> str:
    """docs/benchmarks.md."""
    day = datetime.now(UTC).strftime("%Y-%m-%d")
    head = f"""# Benchmarks

Generated by `tests/benchmarks/table.py` (`make bench-all`) on {day}, {machine()}. Do not edit.
Each section says when it was measured and how many processes wanted to run then.

Read ratios, not times: a virtual machine changes its speed by half between runs, and everything here is measured in
turn within one run. A/A is the same code twice: what the machine adds.

## Beyond a bar today

{chr(10).join(f"- {fault}" for fault in faults) or "Nothing."}

## Peers

W(n): n rules over n/5 tools, 2,000 calls, default deny, forbids win. Microseconds a decision (times hand-written).
`agree`: decisions equal to the reference, all sizes together; slow peers are compared for as long as there is time.
Among others of very unlike speed small ratios are coarse: for our own read the sections below.
`python -m tests.benchmarks.peers`, {(_kept("peers") or {}).get("when", moment())}

{peers.grid(rows)}

{chr(10).join(f"- {peer.name}: {peer.note}." for peer in peers.PEERS)}
{chr(10).join(f"- Not measured: {remark}." for remark in peers.remarks(rows))}
- {f"{chr(10)}- ".join(_distances(rows))}
"""
    return head + "".join(f"\n## {one.part.title}\n\n{_body(one)}\n" for one in finished)


def _distances(rows: Sequence[peers.Row]) -> list[str]:
    return [
        f"Nearest to «{ours}» at {size:,} rules: {name}, {times:.1f} times slower."
        for ours in peers.OURS
        for size, (name, times) in peers.nearest(rows, ours).items()
    ]


def _body(one: Finished) -> str:
    if one.absent:
        return "Not there yet."
    command = " ".join(["python -m", f"tests.benchmarks.{one.part.module}", *one.part.full])
    return f"`{command}`, {one.seconds:.0f} s, {one.when or moment()}\n\n```text\n{one.output.strip()}\n```"


def moment() -> str:
    """When it was measured, and how busy the machine was."""
    return f"{datetime.now(UTC):%Y-%m-%d %H:%M} UTC, load average {os.getloadavg()[0]:.1f}"


def machine() -> str:
    """What it was measured on."""
    info = Path("/proc/cpuinfo")
    models = re.findall(r"model name\s*: (.+)", info.read_text(encoding="utf-8")) if info.exists() else []
    model = models[0] if models else platform.machine()
    return f"{os.cpu_count()} processors ({model}), {platform.system()}, Python {platform.python_version()}"


# ------------------------------------------------------------------ all together
def main(arguments: Sequence[str] | None = None) -> int:
    """Run the parts; 1 where a bar is missed or a decision is wrong."""
    reader = argparse.ArgumentParser(description="All benchmarks in one table.")
    reader.add_argument("--all", action="store_true", help="everything, into docs/benchmarks.md; about ten minutes")
    reader.add_argument("--only", default="", help="with --all: measure these parts again, comma-separated, keep the others")
    reader.add_argument("--record", action="store_true", help="keep the ratios of today as those to compare with")
    chosen = reader.parse_args(arguments)
    only = set(chosen.only.split(",")) if chosen.only else {"peers", *(part.module for part in PARTS)}
    finished = [one for part in PARTS if (one := _twice(part, chosen.all, part.module in only)) is not None]
    rows = _peers(chosen.all, "peers" in only)
    print("\n".join([peers.grid(rows), *peers.remarks(rows), *_distances(rows)]))
    now = {name: value for one in finished for name, value in ratios(one).items()}
    now |= {f"peers: {row.peer}, {row.size} rules": row.ratio for row in rows if row.peer in peers.OURS and not row.fault}
    records = Records.read()
    found = {name: line for one in finished for name, line in failures(one, chosen.all).items()}
    faults = [line for name, line in found.items() if name not in records.beyond] + peers.faults(rows) + _too_near(rows)
    print("\n== Verdict")
    _list("not there yet", [one.part.module for one in finished if one.absent])
    _list("slower than recorded", records.drifts(now))
    _list("still beyond its bar, as recorded", [name for name in found if name in records.beyond])
    _list("BEYOND A BAR", faults)
    print("nothing new beyond a bar" if not faults else "")
    if chosen.record:
        missed = {name for one in finished for name in beyond(one)}
        kept = {name for name in records.beyond if name not in now} | missed
        Records(records.ratios | now, tuple(kept)).write()
    if chosen.all:
        PAGE.write_text(page(finished, rows, [*found.values(), *peers.faults(rows), *_too_near(rows)]), encoding="utf-8")
        print(f"written: {PAGE.relative_to(ROOT)}")
    return 1 if faults else 0


def _twice(part: Part, full: bool, wanted: bool) -> Finished | None:
    """A part, and in the smaller set once more if it failed: who misses a bar twice misses it."""
    if not wanted:
        return Finished.kept(part) if full else None
    one = run(part, full)
    if one is not None and full:
        one.keep()
    return run(part, full) if one is not None and not full and failures(one, full) else one


def _peers(full: bool, wanted: bool) -> list[peers.Row]:
    print("\n== Peers", flush=True)
    if full and not wanted:
        return [peers.Row(**row) for row in (_kept("peers") or {"rows": ()})["rows"]]
    if not full:
        return peers.measure((10, 100), rounds=7)
    rows = peers.measure()
    _keep("peers", {"rows": [asdict(row) | {"times": []} for row in rows], "when": moment()})
    return rows


def _list(title: str, lines: Sequence[str]) -> None:
    for line in lines:
        print(f"{title}: {line}")


def _too_near(rows: Sequence[peers.Row]) -> list[str]:
    return [
        f"peers: {name} is only {times:.1f} times slower than «{peers.GENERATED}» at {size:,} rules"
        for size, (name, times) in peers.nearest(rows, peers.GENERATED).items()
        if times < PEERS_APART
    ]


if __name__ == "__main__":
    raise SystemExit(main())
