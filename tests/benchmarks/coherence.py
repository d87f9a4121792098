"""Does coherence rank what it should? Faults are planted into recorded runs; each must rank below its clean twin.

    python -m tests.benchmarks.coherence            # our own traces, and AgentDojo's where they are
    python -m tests.benchmarks.coherence --seeds 20

Records are made of each trace as a mediated run writes them: every call decided by the rule set of its suite, refusals and
hints included. The agents are gullible: in attacked traces refused calls are part of the clean twin too.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from policy_engine import Policy, load
from policy_engine.audit.metrics.runs import RunFacts
from policy_engine.audit.metrics.told import Line
from tests.benchmarks.agentdojo import SUITES, Suite, effects
from tests.benchmarks.traces import Trace, recorded, samples

BAR = 0.95
SECOND = 1_000_000_000


@dataclass(frozen=True)
class Act:
    """Something that an agent did, as records tell it. `plan` of a plan, `kind` of a step."""

    tool: str
    identity: str
    effect: str = "allow"
    rules: tuple[str, ...] = ()
    error: str | None = None
    hinted: bool = False
    kind: str | None = None
    plan: tuple[str, ...] = ()

    @property
    def ran(self) -> bool:
        """Whether it is a call that passed."""
        return self.effect == "allow" and self.kind is None and not self.plan


@dataclass(frozen=True)
class Twin:
    """A run by what was done in it."""

    acts: tuple[Act, ...]

    def records(self, run: str = "run") -> Iterator[Line]:
        """As the mediation tells it, a second between two acts."""
        begun = {"parent": None, "root": run, "policy": "p", "mode": "enforce", "agent": "a", "model": "m",
                 "prompt_version": "1", "attended": False, "deadline": None}  # fmt: skip
        yield Line("run.begun", 0, run, None, begun)
        for number, act in enumerate(self.acts, 1):
            yield from _told(act, number, run)
        end = (len(self.acts) + 1) * SECOND
        yield Line("event", end, run, None, _event("@answer", "the answer"))
        yield Line("run.ended", end, run, None, {"completed": True, "cause": None, "calls": len(self.acts), "duration": end})

    def score(self) -> int:
        """Its coherence in millionths."""
        facts = RunFacts("run")
        for record in self.records():
            facts.add(record)
        coherence = facts.coherence()
        assert coherence is not None
        return coherence.millionths


def _told(act: Act, number: int, run: str) -> Iterator[Line]:
    at, call = number * SECOND, f"c{number}"
    if act.plan:
        yield Line("plan", at, run, None, {"tools": list(act.plan)})
    elif act.kind is not None:
        yield Line("event", at, run, None, {**_event("@step", act.identity), "kind": act.kind})
    else:
        body = {"tool": act.tool, "effect": act.effect, "rules": list(act.rules), "cause": "policy", "policy": "p",
                "event": act.identity, "state": "s", "enforced": True, "tries": 0, "hinted": act.hinted}  # fmt: skip
        yield Line("decision", at, run, call, body)
        if act.ran:
            outcome = {"tool": act.tool, "status": "error" if act.error else "returned", "tries": 1, "duration": 1000}
            yield Line("outcome", at + 1, run, call, outcome)


def _event(name: str, identity: str) -> dict[str, Any]:
    return {"name": name, "effect": "allow", "rules": [], "cause": "policy", "policy": "p", "event": identity, "state": "s",
            "enforced": True}  # fmt: skip


def twin_of(policy: Policy, trace: Trace) -> Twin:
    """The run of a recorded trace under a policy."""
    acts = []
    for step, effect, _ in effects(policy, trace):
        identity = hashlib.sha256(json.dumps([step.tool, step.args], sort_keys=True).encode()).hexdigest()
        acts.append(Act(step.tool, identity, effect, (f"{effect}-{step.tool}",), step.error))
    return Twin(tuple(acts))


# ------------------------------------------------------------------ planting
Planted = tuple[Twin, Twin]
"""The clean twin, which may have been given what the fault needs, and the one with the fault."""


def _inserted(twin: Twin, place: int, *acts: Act) -> Twin:
    return Twin((*twin.acts[:place], *acts, *twin.acts[place:]))


def _ran(twin: Twin) -> list[int]:
    return [place for place, act in enumerate(twin.acts) if act.ran]


def loop_at_once(twin: Twin, chance: random.Random) -> Planted | None:
    """A call is made again, once to five times, right after it was."""
    if not (places := _ran(twin)):
        return None
    place = chance.choice(places)
    return twin, _inserted(twin, place + 1, *[twin.acts[place]] * chance.randint(1, 5))


def loop_later(twin: Twin, chance: random.Random) -> Planted | None:
    """A call is made again, once to five times, each anywhere later in the run."""
    if not (places := _ran(twin)):
        return None
    place, faulty = chance.choice(places), twin
    for _ in range(chance.randint(1, 5)):
        faulty = _inserted(faulty, chance.randint(place + 1, len(faulty.acts)), twin.acts[place])
    return twin, faulty


def loop_of_several(twin: Twin, chance: random.Random) -> Planted | None:
    """A stretch of two to four acts is gone through again, once to three times."""
    if len(twin.acts) < 2 or not _ran(twin):
        return None
    end = chance.randint(2, len(twin.acts))
    stretch = twin.acts[max(0, end - chance.randint(2, 4)) : end]
    return (twin, _inserted(twin, end, *stretch * chance.randint(1, 3))) if any(act.ran for act in stretch) else None


def oscillation(twin: Twin, chance: random.Random) -> Planted | None:
    """Two calls alternate once to four times more; where the run has only one, what undoes it is its partner."""
    if not (places := _ran(twin)):
        return None
    place = chance.choice(places)
    one = twin.acts[place]
    others = [twin.acts[other] for other in places if other < place and twin.acts[other].identity != one.identity]
    if others:
        return twin, _inserted(twin, place + 1, *(others[-1], one) * chance.randint(1, 4))
    undone = Act(f"un{one.tool}", f"un{one.identity}")
    clean = _inserted(twin, place + 1, undone)
    return clean, _inserted(clean, place + 2, *(one, undone) * chance.randint(1, 4))


def _with_refusal(twin: Twin, chance: random.Random, *, hinted: bool) -> tuple[Twin, int]:
    refused = [place for place, act in enumerate(twin.acts) if act.effect == "deny"]
    if refused and not hinted:
        return twin, chance.choice(refused)
    model = chance.choice(twin.acts)
    place = chance.randint(0, len(twin.acts))
    act = replace(model, identity=f"too much {model.identity}", effect="deny", rules=("cap",), hinted=hinted, error=None)
    return _inserted(twin, place, act), place


def ignored_refusal(twin: Twin, chance: random.Random) -> Planted | None:
    """A refused call is asked again, once to five times, anywhere later. A run without one is given one, in both twins."""
    clean, place = _with_refusal(twin, chance, hinted=False)
    faulty = clean
    for _ in range(chance.randint(1, 5)):
        faulty = _inserted(faulty, chance.randint(place + 1, len(faulty.acts)), clean.acts[place])
    return clean, faulty


def ignored_hint(twin: Twin, chance: random.Random) -> Planted | None:
    """A call refused with a hint is asked again with other arguments that the same rule refuses."""
    clean, place = _with_refusal(twin, chance, hinted=True)
    faulty = clean
    for number in range(chance.randint(1, 5)):
        again = replace(clean.acts[place], identity=f"{number} {clean.acts[place].identity}")
        faulty = _inserted(faulty, chance.randint(place + 1, len(faulty.acts)), again)
    return clean, faulty


def left_plan(twin: Twin, chance: random.Random) -> Planted | None:
    """The run declared what it does; its twin leaves a call out, does one that was not foreseen, or two in the wrong order."""
    plan = Act("", "", plan=tuple(act.tool for act in twin.acts))
    clean = _inserted(twin, 0, plan)
    acts = list(twin.acts)
    places = _ran(twin)
    swaps = [place for place in places[1:] if place - 1 in places and acts[place].tool != acts[place - 1].tool]
    once = [place for place in places if [act.identity for act in acts].count(acts[place].identity) == 1]
    kinds = ["stray", *(["out"] if once else []), *(["order"] if swaps else [])]
    match chance.choice(kinds):
        case "stray":
            acts.insert(chance.randint(0, len(acts)), Act("unforeseen", "unforeseen"))
        case "out":
            del acts[chance.choice(once)]
        case _:
            place = chance.choice(swaps)
            acts[place - 1], acts[place] = acts[place], acts[place - 1]
    return clean, Twin((plan, *acts))


def idle_steps(twin: Twin, chance: random.Random) -> Planted | None:
    """Steps of thinking that lead to no call stand between calls, one kept in the clean twin."""
    place = chance.randint(0, len(twin.acts))
    clean = _inserted(twin, place, Act("", "t0", kind="model"))
    return clean, _inserted(clean, place + 1, *(Act("", f"t{n}", kind="model") for n in range(1, chance.randint(2, 6))))


PLANTINGS: tuple[Callable[[Twin, random.Random], Planted | None], ...] = (
    loop_at_once, loop_later, loop_of_several, oscillation, ignored_refusal, ignored_hint, left_plan, idle_steps,
)  # fmt: skip
"""Each kind of fault."""


# ------------------------------------------------------------------ counting
@dataclass
class Row:
    """Pairs of one kind: how many ranked right, how many were equal, and the mean of both scores."""

    pairs: int = 0
    below: int = 0
    equal: int = 0
    clean: int = 0
    faulty: int = 0
    misses: list[str] = field(default_factory=list)

    @property
    def share(self) -> float:
        """Pairs ranked right, 0…1."""
        return self.below / self.pairs if self.pairs else 0.0


def ranked(traces: Sequence[tuple[str, Twin]], seeds: int) -> dict[str, Row]:
    """Plant every kind of fault into every run, with so many seeds."""
    rows = {planting.__name__: Row() for planting in PLANTINGS}
    for planting in PLANTINGS:
        row = rows[planting.__name__]
        for name, twin in traces:
            for seed in range(seeds):
                pair = planting(twin, random.Random(f"{name} {seed}"))
                if pair is None:
                    continue
                clean, faulty = (one.score() for one in pair)
                row.pairs += 1
                row.below += faulty < clean
                row.equal += faulty == clean
                row.clean += clean
                row.faulty += faulty
                if faulty >= clean:
                    row.misses.append(f"{name} (seed {seed}): {clean} -> {faulty}")
    return rows


def twins(suite: Suite, *, ours: bool) -> list[tuple[str, Twin]]:
    """The runs of a suite's traces, our own or AgentDojo's; none where those are not there."""
    if not ours and not suite.shared.is_dir():
        return []
    policy = load(suite.policy)
    traces = samples(suite.samples) if ours else recorded(suite.shared)
    return [(f"{suite.name}: {trace.name}", twin_of(policy, trace)) for trace in traces if trace.steps]


def table(rows: dict[str, Row]) -> str:
    """One line a kind."""
    lines = [f"{'planted':<18} {'pairs':>6} {'below':>8} {'equal':>6} {'clean':>7} {'faulty':>7}"]
    for name, row in rows.items():
        each = max(row.pairs, 1) * 1_000_000
        lines.append(
            f"{name.replace('_', ' '):<18} {row.pairs:>6} {row.share:>7.1%} {row.equal:>6} {row.clean / each:>7.3f}"
            f" {row.faulty / each:>7.3f}"
        )
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the tables; 1 where a kind of fault does not reach the bar."""
    reader = argparse.ArgumentParser(description="Plant faults into recorded runs and rank both.")
    reader.add_argument("--seeds", type=int, default=10, help="plantings of each kind into each run")
    reader.add_argument("--misses", action="store_true", help="name the pairs that rank wrongly")
    chosen = reader.parse_args(arguments)
    faults = 0
    for title, ours in (("our own traces", True), ("AgentDojo's traces", False)):
        found = [twin for suite in SUITES for twin in twins(suite, ours=ours)]
        if not found:
            print(f"{title}: not there, skipped")
            continue
        rows = ranked(found, chosen.seeds)
        unplanted = sum(twin.score() for _, twin in found) / len(found) / 1_000_000
        print(f"{title}: {len(found)} runs, {unplanted:.3f} on average as recorded\n{table(rows)}\n")
        if chosen.misses:
            print("\n".join(f"  {name}: {miss}" for name, row in rows.items() for miss in row.misses))
        faults += sum(row.share < BAR for row in rows.values())
    return 1 if faults else 0


if __name__ == "__main__":
    raise SystemExit(main())
