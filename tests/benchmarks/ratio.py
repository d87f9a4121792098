"""Our generated evaluators against hand-written Python on the workload W(n): `python -m tests.benchmarks.ratio`.

Both decide the same calls in turn, in short slices whose order rotates, beside a second copy of the hand-written code
(A/A: what the machine itself adds). Our row includes finding the tool, evaluating its rules and turning the bits into an
effect. Exits 1 when a decision is wrong, or the median ratio exceeds 1.2 at 10 or 100 rules, 1.5 at 1,000 or 10,000; 2
without `../shared`.
"""

from __future__ import annotations

import importlib.util
import statistics
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import ModuleType
from typing import Any

from policy_engine.base.source import Source, Span
from policy_engine.compiler.cel.parser import parse_expression
from policy_engine.compiler.codegen.module import ModuleBuilder
from policy_engine.diagnostics.model import Collector
from policy_engine.semantics.artifact import Batch
from policy_engine.semantics.ast.expressions import Expr, Name, children
from policy_engine.semantics.linking import link
from policy_engine.semantics.types import INT, STRING, ListType, RecordField, RecordType, Type

WORKLOAD = Path(__file__).resolve().parents[2] / ".." / "shared" / "perf" / "workload.py"
SIZES = (10, 100, 1_000, 10_000)
BOUND = {10: 1.2, 100: 1.2, 1_000: 1.5, 10_000: 1.5}
ROUNDS, SLICE = 401, 400
ARGS = RecordType(
    "args",
    (
        RecordField("account", STRING, True), RecordField("amount", INT, True), RecordField("path", STRING, True),
        RecordField("tags", ListType(STRING), True), RecordField("to", STRING, True),
    ),
)  # fmt: skip
PRINCIPAL = RecordType("principal", (RecordField("id", STRING, True), RecordField("role", STRING, True)))

Decide = Callable[[dict[str, Any]], str]


def load_workload() -> ModuleType:
    """The shared workload, unchanged; exits 2 when it is not there."""
    spec = importlib.util.spec_from_file_location("workload", WORKLOAD)
    if spec is None or spec.loader is None or not WORKLOAD.exists():
        print(f"skipped: {WORKLOAD} is not there")
        raise SystemExit(2)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def generated(workload: ModuleType, rules: Sequence[dict[str, Any]]) -> Decide:
    """Our decider: one generated function a tool, all in one module."""
    builder = ModuleBuilder(f"<workload of {len(rules)} rules>")
    batches: dict[str, tuple[Batch, list[bool]]] = {}
    by_tool: dict[str, list[dict[str, Any]]] = {}
    for rule in rules:
        by_tool.setdefault(rule["tool"], []).append(rule)
    for tool, own in by_tool.items():
        conditions = [_parsed(workload.cel(rule)) for rule in own]
        types = {name: type_ for condition in conditions for name, type_ in _declared(condition)}
        forbids = [rule["effect"] == "forbid" for rule in own]
        batches[tool] = builder.batch(tool, conditions, forbids, types), forbids
    namespace = link(*builder.build())
    tools: dict[str, tuple[Any, dict[int, str], int]] = {}
    for tool, (batch, forbids) in batches.items():
        restricting = sum(1 << bit for bit, forbid in enumerate(forbids) if forbid)
        tools[tool] = namespace[batch.function], {}, restricting

    def decide(call: dict[str, Any]) -> str:
        try:
            evaluate, verdicts, restricting = tools[call["tool"]]
        except KeyError:
            return "deny"
        mask = evaluate(call["args"], call["principal"], None)
        try:
            return verdicts[mask]
        except KeyError:
            verdicts[mask] = "allow" if mask and not mask & restricting else "deny"
            return verdicts[mask]

    return decide


def handwritten(workload: ModuleType, rules: Sequence[dict[str, Any]], name: str) -> Decide:
    """The hand-written decider of the workload, compiled afresh."""
    source, constants = workload.handwritten_source(rules)
    namespace = dict(constants)
    exec(compile(source, name, "exec"), namespace)
    decide: Decide = namespace["decide"]
    return decide


def measure(deciders: dict[str, Decide], calls: Sequence[dict[str, Any]]) -> dict[str, list[float]]:
    """Nanoseconds a call, slice by slice, of each decider; the order rotates from round to round."""
    times: dict[str, list[float]] = {name: [] for name in deciders}
    names = list(deciders)
    for turn in range(ROUNDS):
        start = (turn * 137) % (len(calls) - SLICE)
        part = calls[start : start + SLICE]
        for name in names[turn % len(names) :] + names[: turn % len(names)]:
            decide, began = deciders[name], time.perf_counter_ns()
            for call in part:
                decide(call)
            times[name].append((time.perf_counter_ns() - began) / SLICE)
    return times


def compare(workload: ModuleType, size: int) -> bool:
    """Measure and print one size; whether decisions and ratio are as they should be."""
    rules, calls = workload.make_rules(size), workload.make_calls(size)
    hand = handwritten(workload, rules, "hand")
    deciders = {"hand": hand, "hand again (A/A)": handwritten(workload, rules, "again"), "ours": generated(workload, rules)}
    expected = workload.expected(rules, calls)
    wrong = sum(deciders["ours"](call) != effect for call, effect in zip(calls, expected, strict=True))
    times = measure(deciders, calls)
    fine = not wrong
    for name in list(deciders)[1:]:
        ratios = sorted(one / base for one, base in zip(times[name], times["hand"], strict=True))
        median = statistics.median(ratios)
        spread = f"{ratios[len(ratios) // 4]:.2f}-{ratios[3 * len(ratios) // 4]:.2f}"
        medians = f"{statistics.median(times[name]):6.0f} ns (hand {statistics.median(times['hand']):6.0f})"
        print(f"n={size:<6} {name:17} {medians}  ratio {median:.2f}  IQR {spread}  wrong {wrong}", flush=True)
        if name == "ours" and median > BOUND.get(size, float("inf")):
            fine = False
    return fine


def _parsed(text: str) -> Expr:
    source, collector = Source("rule", text), Collector()
    expression = parse_expression(Span(source, 0, len(text)), collector)
    assert expression is not None, text
    return expression


def _declared(expression: Expr) -> list[tuple[Expr, Type]]:
    if isinstance(expression, Name):
        known = {"args": ARGS, "principal": PRINCIPAL}.get(expression.name)
        return [] if known is None else [(expression, known)]
    return [pair for child in children(expression) for pair in _declared(child)]


def main(arguments: Sequence[str]) -> int:
    """Measure the sizes named, or all."""
    workload = load_workload()
    sizes = [int(argument) for argument in arguments] or SIZES
    outcomes = [compare(workload, size) for size in sizes]
    return 0 if all(outcomes) else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
