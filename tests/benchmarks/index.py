"""Ten thousand rules on one tool against ten: `python -m tests.benchmarks.index [n]`.

One family of conditions a row, and a mixture of which one in a hundred cannot be indexed, also with a field left out.
Generated evaluator and verdict together, as a decision uses them; both sizes decide in turn, in one run, beside the
small size again (A/A). Exits 1 when an answer differs from the linear twin's or a ratio is beyond its bar.
`--sweep` shows where an index begins to pay; memory is counted for each family.
"""

from __future__ import annotations

import argparse
import gc
import statistics
import sys
import time
import tracemalloc
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from random import Random
from typing import Any, Final

from policy_engine.base.source import NOWHERE, Source, Span
from policy_engine.compiler.cel.parser import parse_expression
from policy_engine.compiler.codegen.module import ModuleBuilder
from policy_engine.diagnostics.model import Collector
from policy_engine.runtime.judging import Judge
from policy_engine.semantics.artifact import CompiledLayer, CompiledRule, Section
from policy_engine.semantics.ast.expressions import Expr, Name, children
from policy_engine.semantics.linking import link
from policy_engine.semantics.types import INT, STRING, RecordField, RecordType, Type

FEW: Final = 10
ROUNDS, SLICE = 101, 100
KILOBYTES_A_RULE: Final = 3.0
WORDS = ("alpha", "bravo", "delta", "echo", "gamma", "kilo", "lima", "oscar", "tango", "victor")
ARGS = RecordType(
    "args",
    (
        RecordField("account", STRING, False), RecordField("amount", INT, False), RecordField("path", STRING, False),
        RecordField("to", STRING, False),
    ),
)  # fmt: skip
PRINCIPAL = RecordType("principal", (RecordField("id", STRING, True), RecordField("role", STRING, True)))

Request = tuple[dict[str, Any], dict[str, Any]]
Decide = Callable[[dict[str, Any], dict[str, Any]], str]


@dataclass(frozen=True)
class Family:
    """`condition(i, n)` is rule i of n, `args(random, n)` a request; `bar` = the ratio allowed."""

    name: str
    condition: Callable[[int, int], str]
    bar: float
    missing: str | None = None


def equality(i: int, n: int) -> str:
    return f'args.account == "acct-{i}" && args.amount > {i * 37 % 5000}'


def prefix(i: int, n: int) -> str:
    return f'args.path.startsWith("{folder(i)}")'


def folder(i: int) -> str:
    return f"/{WORDS[i % 10]}{i % 601}/{WORDS[i // 10 % 10]}{i}/"


def suffix(i: int, n: int) -> str:
    return f'args.to.endsWith("@d{i}.{("com", "io", "org", "example")[i % 4]}")'


def pattern(i: int, n: int) -> str:
    kinds = f"(?:{('csv', 'json', 'txt')[i % 3]}|{('log', 'bak', 'tmp')[i % 3]})"
    return f'args.path.matches(r"^{folder(i)}[a-z0-9_]+\\.{kinds}$")'


def open_pattern(i: int, n: int) -> str:
    return f'args.path.matches(r"[0-9]+/{WORDS[i % 10]}{i}/[a-z]+\\.csv")'


def threshold(i: int, n: int) -> str:
    return f"args.amount > {i * 7919 % 10_000}"


def by_role(i: int, n: int) -> str:
    return f'args.amount > {i * 7919 % 10_000 + 4_000} && principal.role == "role{i % 200}"'


def mixed(i: int, n: int) -> str:
    if i % 100 == 57 or (n <= FEW and i == 7):
        return f"args.amount + size(args.to) == {100_000 + i}"
    kind = (equality, prefix, equality, suffix, threshold_high)[i % 5]
    return kind(i, n)


def threshold_high(i: int, n: int) -> str:
    return f"args.amount > {5_000 + i * 7919 % 10_000}"


FAMILIES = (
    Family("equality && bound", equality, 4),
    Family("prefix", prefix, 4),
    Family("suffix", suffix, 4),
    Family("anchored pattern", pattern, 4),
    Family("pattern", open_pattern, 4),
    Family("threshold", threshold, 4),
    Family("role && bound", by_role, 4),
    Family("mixed", mixed, 15),
    Family("equality, account left out", equality, 20, "account"),
    Family("equality, amount left out", equality, 20, "amount"),
    Family("prefix, path left out", prefix, 20, "path"),
    Family("suffix, to left out", suffix, 20, "to"),
    Family("threshold, amount left out", threshold, 20, "amount"),
    Family("mixed, account left out", mixed, 20, "account"),
    Family("mixed, path left out", mixed, 20, "path"),
    Family("mixed, to left out", mixed, 20, "to"),
    Family("mixed, amount left out", mixed, 20, "amount"),
)


def requests(family: Family, n: int) -> list[Request]:
    """Requests of which three in ten meet a rule of n."""
    random, made = Random(5), []
    for _ in range(1_000):
        i = random.randrange(n) if random.random() < 0.3 else n + random.randrange(100 * n)
        args = {
            "account": f"acct-{i}", "amount": random.randrange(6_000), "path": folder(i) + "abc_1.csv",
            "to": f"bob{i}@d{i}.{('com', 'io', 'org', 'example')[i % 4]}",
        }  # fmt: skip
        if family.missing is not None:
            del args[family.missing]
        made.append((args, {"id": f"u{i % 50}", "role": f"role{random.randrange(220)}"}))
    return made


def decider(family: Family, n: int, *, index_from: int | None, effects: Sequence[str] = ("deny",)) -> Decide:
    """Generated evaluator and verdict of n rules of the family."""
    conditions = [_parsed(family.condition(i, n)) for i in range(n)]
    types = {name: type_ for condition in conditions for name, type_ in _declared(condition)}
    kinds = [effects[i % len(effects)] for i in range(n)]
    builder = ModuleBuilder(f"<{family.name} {n} {index_from}>", index_from=index_from)
    batch = builder.batch("bench", conditions, [kind != "allow" for kind in kinds], types)
    rules = tuple(
        CompiledRule(f"r{i:05}", kind, 0, False, condition, NOWHERE)  # type: ignore[arg-type]
        for i, (kind, condition) in enumerate(zip(kinds, conditions, strict=True))
    )
    judge = Judge(Section(rules, batch), (CompiledLayer("bench", "deny", None, True),), grants_needed=True)
    evaluate = link(*builder.build())[batch.function]

    # compiled afresh: twins that share code share what the interpreter learns of it, and read up to 40 % apart
    scope = {"evaluate": evaluate, "judge": judge}
    exec("def decide(args, principal):\n    return judge.verdict(evaluate(args, principal, None)).effect", scope)
    decide: Any = scope["decide"]
    decide.evaluate = evaluate
    return decide  # type: ignore[no-any-return]


def measure(deciders: dict[str, tuple[Decide, list[Request]]]) -> dict[str, float]:
    """Median nanoseconds of processor time a call, in slices that take turns: what else the machine does is not counted."""
    times: dict[str, list[float]] = {name: [] for name in deciders}
    names = list(deciders)
    for turn in range(ROUNDS):
        order = names[turn % len(names) :] + names[: turn % len(names)]
        for name in order if turn % 2 else order[::-1]:  # so that nobody always comes after the same other
            decide, made = deciders[name]
            start = turn * 37 % (len(made) - 2 * SLICE)
            for args, principal in made[start : start + SLICE]:  # what ran before has left the processor's caches
                decide(args, principal)
            part = made[start + SLICE : start + 2 * SLICE]
            began = time.thread_time_ns()
            for args, principal in part:
                decide(args, principal)
            times[name].append((time.thread_time_ns() - began) / SLICE)
    return {name: statistics.median(values) for name, values in times.items()}


def compare(family: Family, n: int) -> bool:
    """Measure and print one family; whether answers, ratio and memory are as they should be."""
    few = decider(family, FEW, index_from=None)
    again = decider(family, FEW, index_from=None)
    gc.collect()
    tracemalloc.start()
    began = time.perf_counter()
    many = decider(family, n, index_from=24)
    many(*requests(family, n)[0])
    took = time.perf_counter() - began
    gc.collect()
    kilobytes = tracemalloc.get_traced_memory()[0] / n / 1_000
    tracemalloc.stop()
    sample = requests(family, n)[:40]
    linear = decider(family, n, index_from=None)
    wrong = sum(many.evaluate(*one, None) != linear.evaluate(*one, None) for one in sample)  # type: ignore[attr-defined]
    del linear
    # the base: ten rules and whole requests, so that a field left out is held against the ordinary case
    whole = requests(Family(family.name, family.condition, 0), FEW)
    times = measure({"few": (few, whole), "again": (again, whole), "many": (many, requests(family, n))})
    ratio = times["many"] / min(times["few"], times["again"])
    fine = not wrong and ratio <= family.bar and kilobytes <= KILOBYTES_A_RULE
    print(
        f"{family.name:28} {FEW} rules {times['few']:6.0f} ns (A/A {times['again'] / times['few']:.2f})   {n} rules"
        f" {times['many']:8.0f} ns   ratio {ratio:6.2f} (bar {family.bar:g})   {kilobytes:4.1f} kB a rule"
        f"   built in {took:4.1f} s traced   wrong {wrong}{'' if fine else '   BEYOND ITS BAR'}",
        flush=True,
    )
    return fine


def sweep() -> None:
    """Indexed against linear at small sizes."""
    for family in FAMILIES[:8]:
        cells = []
        for n in (6, 8, 12, 16, 24, 32, 48, 64):
            made = requests(family, n)
            times = measure({
                "linear": (decider(family, n, index_from=None), made), "indexed": (decider(family, n, index_from=1), made)
            })  # fmt: skip
            cells.append(f"{n}: {times['indexed'] / times['linear']:.2f}")
        print(f"{family.name:28} indexed/linear  {'  '.join(cells)}", flush=True)


def _parsed(text: str) -> Expr:
    expression = parse_expression(Span(Source("rule", text), 0, len(text)), Collector())
    assert expression is not None, text
    return expression


def _declared(expression: Expr) -> list[tuple[Expr, Type]]:
    if isinstance(expression, Name):
        known = {"args": ARGS, "principal": PRINCIPAL}.get(expression.name)
        return [] if known is None else [(expression, known)]
    return [pair for child in children(expression) for pair in _declared(child)]


def main(arguments: Sequence[str]) -> int:
    """Measure every family."""
    parser = argparse.ArgumentParser()
    parser.add_argument("rules", type=int, nargs="?", default=10_000)
    parser.add_argument("--only", default="")
    parser.add_argument("--sweep", action="store_true")
    options = parser.parse_args(arguments)
    if options.sweep:
        sweep()
        return 0
    outcomes = [compare(family, options.rules) for family in FAMILIES if options.only in family.name]
    return 0 if all(outcomes) else 1


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
