"""Us and other policy engines on the workload W(n): `python -m tests.benchmarks.peers [--sizes 10,100] [--rounds 15]`.

Everybody decides the same calls in one process, in turn, in slices whose order changes; hand-written Python is the
unit, a second copy of it shows what the machine adds (A/A). Time is the processor's: neighbours do not count. A
decision includes turning the call into what the engine wants; our public row alone is given a request made before. A
peer that is not installed is named, one that is slow is capped, and each row says how many decisions agree with the
reference. Exits 1 where we decide wrongly, 2 without `../shared`. The peers are listed in `peers.txt`.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import json
import logging
import random
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from types import ModuleType
from typing import Any

from policy_engine import Request, load
from tests.benchmarks.ratio import generated, handwritten, load_workload

Call = dict[str, Any]
Rules = Sequence[dict[str, Any]]
Decide = Callable[[Any], Any]
SIZES = (10, 100, 1_000, 10_000)
ROUNDS, SLICE_SECONDS, CHECK_SECONDS = 15, 0.02, 2.0
LEAST_NANOS = 4_000_000


@dataclass(frozen=True)
class Peer:
    """One way to decide. `build` makes a decider, `prepare` what it is given (untimed; only ours uses it)."""

    name: str
    package: str
    build: Callable[[ModuleType, Rules], Decide]
    most: int = 10_000
    note: str = ""
    prepare: Callable[[Call], Any] = lambda call: call
    read: Callable[[Any], str] = str


@dataclass
class Row:
    """One peer at one size. `micros` a decision is the lower quartile of its slices, `ratio` that to hand-written."""

    peer: str
    size: int
    load_seconds: float = 0.0
    micros: float = 0.0
    ratio: float = 0.0
    agreeing: int = 0
    checked: int = 0
    fault: str = ""
    times: list[float] = field(default_factory=list, repr=False)


# ------------------------------------------------------------------ us
def policy_of(workload: ModuleType, rules: Rules) -> Decide:
    """The public door, without a run."""
    names = sorted({rule["tool"] for rule in rules}, key=lambda name: int(name.rpartition("_")[2]))
    text = {"type": "string"}
    properties: dict[str, Any] = {"amount": {"type": "integer"}, "to": text, "path": text, "account": text}
    properties["tags"] = {"type": "array", "items": text}
    schema = {"type": "object", "properties": properties, "required": sorted(properties), "additionalProperties": False}
    lines = ["policy bench", 'use tools "tools.json"', "principal { id: string, role: string }", "default deny"]
    for rule in rules:
        kind = "deny" if rule["effect"] == "forbid" else "allow"
        lines.append(f"{kind} {rule['id']} on {rule['tool']} when {workload.cel(rule)}")
    with tempfile.TemporaryDirectory() as folder:
        tools = {"tools": [{"name": name, "inputSchema": schema} for name in names]}
        (Path(folder) / "tools.json").write_text(json.dumps(tools), encoding="utf-8")
        path = Path(folder) / "bench.policy"
        path.write_text("\n".join(lines), encoding="utf-8")
        return load(path).decide


def _request(call: Call) -> Request:
    return Request(tool=call["tool"], args=call["args"], principal=call["principal"], id="c")


# ------------------------------------------------------------------ Cedar
def _cedar_request(call: Call) -> dict[str, Any]:
    return {
        "principal": f'User::"{call["principal"]["id"]}"', "action": f'Action::"{call["tool"]}"',
        "resource": 'Sys::"s"', "context": {"args": call["args"]},
    }  # fmt: skip


def _cedar(workload: ModuleType, rules: Rules) -> Decide:
    cedarpy: Any = importlib.import_module("cedarpy")
    people = [
        {"uid": {"type": "User", "id": name}, "attrs": {"role": role}, "parents": []}
        for name, role in workload.USER_ROLE.items()
    ]
    policies = cedarpy.PolicySet.from_str(workload.cedar(rules))
    entities = cedarpy.Entities.from_json_str(json.dumps(people))
    return lambda call: _effect(cedarpy.is_authorized(_cedar_request(call), policies, entities).allowed)


def _effect(allowed: Any) -> str:
    return "allow" if allowed else "deny"


# ------------------------------------------------------------------ CEL libraries, behind a dict of tools
def _by_tool(rules: Rules) -> dict[str, tuple[list[Any], list[Any]]]:
    table: dict[str, tuple[list[Any], list[Any]]] = {}
    for rule in rules:
        table.setdefault(rule["tool"], ([], []))[rule["effect"] == "permit"].append(rule)
    return table


def _cel(
    workload: ModuleType,
    rules: Rules,
    compiled: Callable[[str], Any],
    bound: Callable[[Call], Any],
    run: Callable[[Any, Any], Any],
) -> Decide:
    table = {
        tool: tuple([compiled(workload.cel(rule)) for rule in some] for some in pair)
        for tool, pair in _by_tool(rules).items()
    }

    def decide(call: Call) -> str:
        forbids, permits = table.get(call["tool"], ((), ()))
        names = bound(call)
        if any(run(program, names) for program in forbids):
            return "deny"
        return _effect(any(run(program, names) for program in permits))

    return decide


def _cel_python(workload: ModuleType, rules: Rules) -> Decide:
    celpy: Any = importlib.import_module("celpy")
    parser: Any = importlib.import_module("celpy.celparser").CELParser
    parser.CEL_PARSER = None  # the tree class of one runner would be kept for the other
    environment = celpy.Environment(runner_class=celpy.CompiledRunner)
    return _cel(
        workload, rules, lambda text: environment.program(environment.compile(text)),
        lambda call: {name: celpy.json_to_cel(call[name]) for name in ("args", "principal")},
        lambda program, names: program.evaluate(names),
    )  # fmt: skip


def _rust_cel(workload: ModuleType, rules: Rules) -> Decide:
    cel: Any = importlib.import_module("cel")
    return _cel(
        workload, rules, cel.compile,
        lambda call: cel.Context({"args": call["args"], "principal": call["principal"]}),
        lambda program, names: program.execute(names),
    )  # fmt: skip


def _google_cel(workload: ModuleType, rules: Rules) -> Decide:
    cel: Any = importlib.import_module("cel_expr_python.cel")
    record = cel.Type.Map(cel.Type.STRING, cel.Type.DYN)
    environment = cel.NewEnv(variables={"args": record, "principal": record})
    return _cel(
        workload, rules, environment.compile,
        lambda call: environment.Activation({"args": call["args"], "principal": call["principal"]}),
        lambda program, names: program.eval(names).value(),
    )  # fmt: skip


# ------------------------------------------------------------------ Rego, casbin, agent-os
def _rego(workload: ModuleType, rules: Rules) -> Decide:
    regopy: Any = importlib.import_module("regopy")
    maker = regopy.Interpreter()
    maker.add_module("p", workload.rego(rules))
    bundle = maker.build("x=data.p.allow")
    if not bundle.ok():
        raise RuntimeError("the bundle cannot be built")
    runner = regopy.Interpreter()

    def decide(call: Call) -> str:
        runner.set_input({name: call[name] for name in ("tool", "args", "principal")})
        return _effect(runner.query_bundle(bundle).results[0].bindings["x"] is True)

    return decide


_CASBIN = """[request_definition]
r = sub, obj
[policy_definition]
p = sub_rule, obj, eft
[policy_effect]
e = some(where (p.eft == allow)) && !some(where (p.eft == deny))
[matchers]
m = r.obj == p.obj && eval(p.sub_rule)
"""


class _Subject:
    pass


def _casbin_of(workload: ModuleType, rules: Rules) -> Callable[[Call], bool]:
    casbin: Any = importlib.import_module("casbin")
    logging.disable(logging.INFO)
    model = casbin.Model()
    model.load_model_from_text(_CASBIN)
    enforcer = casbin.Enforcer(model)
    enforcer.add_function("ends", lambda text, end: text.endswith(end))
    enforcer.add_function("starts", lambda text, start: text.startswith(start))
    enforcer.add_function("subset", lambda some, all_: set(some) <= set(all_))
    enforcer.add_function("notsubset", lambda some, all_: not set(some) <= set(all_))
    enforcer.add_policies([list(row) for row in workload.casbin_rules(rules)])

    def enforce(call: Call) -> bool:
        subject = _Subject()
        subject.__dict__.update(call["args"], role=call["principal"]["role"])
        return bool(enforcer.enforce(subject, call["tool"]))

    return enforce


def _casbin(workload: ModuleType, rules: Rules) -> Decide:
    enforce = _casbin_of(workload, rules)
    return lambda call: _effect(enforce(call))


def _casbin_by_tool(workload: ModuleType, rules: Rules) -> Decide:
    table = {tool: _casbin_of(workload, forbids + permits) for tool, (forbids, permits) in _by_tool(rules).items()}
    return lambda call: _effect(call["tool"] in table and table[call["tool"]](call))


_AGENT_OS = {"gt": "gt", "le": "lte", "eq": "eq", "in": "in", "rx": "matches", "ends": "matches", "starts": "matches"}


def _pattern(workload: ModuleType, operator: str, value: Any) -> Any:
    if operator == "rx":
        return workload.rx_text(value)
    return {"ends": f".*{re.escape(str(value))}$", "starts": f"^{re.escape(str(value))}"}.get(operator, value)


def _agent_os(workload: ModuleType, rules: Rules) -> Decide:
    """A rule of theirs is one condition on one flat field: what that cannot say is computed for it, in its favour."""
    schema: Any = importlib.import_module("agent_os.policies.schema")
    derived: dict[str, list[tuple[str, Any]]] = {}
    made = []
    for rule in rules:
        atoms = rule["atoms"]
        if len(atoms) == 1 and atoms[0][0] in _AGENT_OS:
            operator, name, value = atoms[0]
            value = _pattern(workload, operator, value)
            condition = schema.PolicyCondition(field=f"{rule['tool']}.{name}", operator=_AGENT_OS[operator], value=value)
        else:
            derived.setdefault(rule["tool"], []).append((rule["id"], atoms))
            condition = schema.PolicyCondition(field=f"d.{rule['id']}", operator="eq", value=True)
        forbid = rule["effect"] == "forbid"
        action = schema.PolicyAction.DENY if forbid else schema.PolicyAction.ALLOW
        made.append(schema.PolicyRule(name=rule["id"], condition=condition, action=action, priority=100 if forbid else 10))
    document = schema.PolicyDocument(rules=made, defaults=schema.PolicyDefaults(action=schema.PolicyAction.DENY))
    evaluator = importlib.import_module("agent_os.policies.evaluator").PolicyEvaluator([document])

    def decide(call: Call) -> str:
        tool = call["tool"]
        context: dict[str, Any] = {f"{tool}.args.{name}": value for name, value in call["args"].items()}
        context[f"{tool}.principal.role"] = call["principal"]["role"]
        for name, atoms in derived.get(tool, ()):
            context["d." + name] = all(workload.atom_true(atom, call) for atom in atoms)
        return _effect(evaluator.evaluate(context).allowed)

    return decide


HAND, AGAIN, GENERATED, PUBLIC = "hand-written", "hand-written again (A/A)", "ours, generated", "ours, policy.decide()"
OURS = (GENERATED, PUBLIC)
PEERS = (
    Peer(HAND, "", lambda workload, rules: handwritten(workload, rules, "hand"), note="`handwritten_source`, unchanged"),
    Peer(AGAIN, "", lambda workload, rules: handwritten(workload, rules, "again"), note="what the machine adds"),
    Peer(GENERATED, "", generated, note="finding the tool, its rules, the effect"),
    Peer(PUBLIC, "", policy_of, note="validation, normalising, a whole `Decision`; the request is made before",
         prepare=_request, read=lambda decision: str(decision.effect)),
    Peer("cedarpy", "cedarpy", _cedar, note="policies and entities parsed before"),
    Peer("cel-python", "cel-python", _cel_python, most=1_000, note="CompiledRunner, behind our dict of tools"),
    Peer("common-expression-language", "common-expression-language", _rust_cel, note="Rust, behind our dict of tools"),
    Peer("cel-expr-python", "cel-expr-python", _google_cel, note="Google's C++, behind our dict of tools"),
    Peer("regopy", "regopy", _rego, most=1_000, note="rego-cpp, bundle built before"),
    Peer("pycasbin", "casbin", _casbin, most=1_000, note="all rules in one enforcer"),
    Peer("pycasbin, one a tool", "casbin", _casbin_by_tool, most=1_000, note="behind our dict of tools"),
    Peer("agent-os-kernel", "agent-os-kernel", _agent_os, note="one condition a rule; the rest computed for it"),
)  # fmt: skip


# ------------------------------------------------------------------ measuring
def measure(sizes: Iterable[int] = SIZES, rounds: int = ROUNDS, peers: Sequence[Peer] = PEERS) -> list[Row]:
    """A row for each peer and size; those not measured have a `fault` that says why."""
    workload = load_workload()
    return [row for size in sizes for row in _measured(workload, size, rounds, peers)]


def _measured(workload: ModuleType, size: int, rounds: int, peers: Sequence[Peer]) -> list[Row]:
    rules, calls = workload.make_rules(size), workload.make_calls(size)
    expected = workload.expected(rules, calls)
    rows: list[Row] = []
    ready: list[tuple[Row, Decide, list[Any]]] = []
    for peer in peers:
        row = Row(peer.name, size)
        rows.append(row)
        if size > peer.most:
            row.fault = f"not run beyond {peer.most:,} rules"
            continue
        try:
            begun = time.perf_counter()
            decide = peer.build(workload, rules)
            row.load_seconds = time.perf_counter() - begun
            given = [peer.prepare(call) for call in calls]
            slice_ = _checked(row, peer, decide, given, expected)
        except ImportError:
            row.fault = f"{peer.package} is not installed"
            continue
        except Exception as failure:
            row.fault = f"{type(failure).__name__}: {str(failure)[:80]}"
            continue
        ready.append((row, decide, given[:slice_]))
    gc.collect()
    gc.freeze()
    order = random.Random(size)
    near = [one for one in ready if one[0].peer in (HAND, AGAIN, *OURS)]
    far = [one for one in ready if one not in near]
    for _ in range(rounds):
        for some in (far, near, near, near):  # small ratios need neighbours and more slices
            for row, decide, given in order.sample(some, len(some)):
                row.times.append(_timed(decide, given))
    gc.unfreeze()
    unit = _quartile(ready[0][0].times)
    for row, _, _ in ready:
        row.micros = _quartile(row.times)
        row.ratio = row.micros / unit
    return rows


def _quartile(times: Sequence[float]) -> float:
    """The lower one: what else the machine does only ever makes a slice slower."""
    return statistics.quantiles(times, n=4)[0] if len(times) > 1 else times[0]


def _checked(row: Row, peer: Peer, decide: Decide, given: list[Any], expected: Sequence[str]) -> int:
    """Compare as many decisions as there is time for; how many calls make a slice."""
    begun = time.perf_counter()
    for one, effect in zip(given, expected, strict=True):
        row.agreeing += peer.read(decide(one)) == effect
        row.checked += 1
        if time.perf_counter() - begun > CHECK_SECONDS and peer.name not in OURS:
            break
    warm = time.perf_counter()
    some = given[: max(1, row.checked // 20)]
    for one in some:
        decide(one)
    each = (time.perf_counter() - warm) / len(some)
    return max(1, min(len(given), int(SLICE_SECONDS / each)))


def _timed(decide: Decide, given: list[Any]) -> float:
    """Microseconds of the processor a decision, once what another has pushed out of the caches is back."""
    for one in given[: len(given) // 2]:
        decide(one)
    count, begun = 0, time.process_time_ns()
    while (spent := time.process_time_ns() - begun) < LEAST_NANOS:
        for one in given:
            decide(one)
        count += len(given)
    return spent / count / 1_000


# ------------------------------------------------------------------ showing
def grid(rows: Sequence[Row]) -> str:
    """A Markdown table: a row a peer, a column a size."""
    sizes = sorted({row.size for row in rows})
    lines = ["| | " + " | ".join(f"{size:,} rules" for size in sizes) + " | agree |", "|---|" + "---:|" * (len(sizes) + 1)]
    for peer in PEERS:
        own = {row.size: row for row in rows if row.peer == peer.name}
        if not own:
            continue
        cells = [_cell(own[size]) if size in own else "–" for size in sizes]
        measured = [row for row in own.values() if not row.fault]
        agree = f"{sum(row.agreeing for row in measured):,} of {sum(row.checked for row in measured):,}" if measured else "–"
        lines.append(f"| {peer.name} | " + " | ".join(cells) + f" | {agree} |")
    return "\n".join(lines)


def _cell(row: Row) -> str:
    if row.fault:
        return "–"
    time_ = f"{row.micros:,.0f} µs" if row.micros >= 100 else f"{row.micros:.3g} µs"
    return f"{time_} (×{row.ratio:.2f})" if row.ratio < 100 else f"{time_} (×{row.ratio:,.0f})"


def nearest(rows: Sequence[Row], ours: str) -> dict[int, tuple[str, float]]:
    """By size: the peer that comes nearest to a row of ours, and how many times slower it is."""
    found: dict[int, tuple[str, float]] = {}
    for size in sorted({row.size for row in rows}):
        here = {row.peer: row for row in rows if row.size == size and not row.fault}
        others = [row for name, row in here.items() if name not in (HAND, AGAIN, *OURS)]
        if ours in here and others:
            best = min(others, key=lambda row: row.ratio)
            found[size] = best.peer, best.ratio / here[ours].ratio
    return found


def faults(rows: Sequence[Row]) -> list[str]:
    """Where we decide wrongly, or not at all."""
    return [
        f"{row.peer} at {row.size:,} rules: {row.fault or f'{row.agreeing} of {row.checked} decisions agree'}"
        for row in rows if row.peer in OURS and (row.fault or row.agreeing != row.checked)
    ]  # fmt: skip


def remarks(rows: Sequence[Row]) -> list[str]:
    """Why cells are empty."""
    return list(dict.fromkeys(f"{row.peer}: {row.fault}" for row in rows if row.fault))


def main(arguments: Sequence[str] | None = None) -> int:
    """Print the table."""
    reader = argparse.ArgumentParser(description="Us and other engines, interleaved.")
    reader.add_argument("--sizes", default=",".join(map(str, SIZES)), help="how many rules, comma-separated")
    reader.add_argument("--rounds", type=int, default=ROUNDS, help="how often each is measured")
    chosen = reader.parse_args(arguments)
    rows = measure([int(size) for size in chosen.sizes.split(",")], chosen.rounds)
    print(grid(rows))
    for ours in OURS:
        for size, (peer, times) in nearest(rows, ours).items():
            print(f"{size:,} rules: nearest to «{ours}» is {peer}, {times:.1f} times slower")
    print("\n".join(remarks(rows)))
    print("\n".join(f"WRONG: {fault}" for fault in faults(rows)))
    return 1 if faults(rows) else 0


if __name__ == "__main__":
    raise SystemExit(main())
