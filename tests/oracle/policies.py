"""Drawn policies: several kinds of rules over drawn conditions, groups, globs, `except`, `let`, params, data, layers."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from policy_engine import Policy, loads
from tests.oracle.decide import Decider
from tests.oracle.drawn import DYN_TOOL, TOOLS, Conditions, schemas
from tests.oracle.world import File, World, parsed

DATA = '{"small": 5.0, "big": 100.0}'
SHAPES = (
    'principal { id: string, role: "support" | "lead", level: int, clearance: int? }\n'
    'context { env: "dev" | "prod" }\nagent { id: string? }\n'
)
SETS = {
    "amount": "50.0", "count": "2", "to": "args.to + \"b\"", "tags": "args.tags + [\"a\"]", "limit": "10", "note": "null",
    "flag": "true",
}  # fmt: skip
ENDS = ("", " else deny", " else reply \"no\"", " else set args.count to 1")
TARGETS = (
    ("crm.*", ("crm.refund", "crm.search")), ("crm.refund", ("crm.refund",)), ("crm.search", ("crm.search",)),
    ("reads", ("crm.search", "fs.read")), ("fs.read", ("fs.read",)), ("crm.* except crm.search", ("crm.refund",)),
    ("reads, crm.refund", ("crm.refund", "crm.search", "fs.read")), ("*.read", ("fs.read",)),
    (DYN_TOOL, (DYN_TOOL,)), ("\"ops.any\"", (DYN_TOOL,)), ("ops.*", (DYN_TOOL,)),
    (f"* except {DYN_TOOL}", tuple(TOOLS)), ("* except reads", ("crm.refund", DYN_TOOL)),
)  # fmt: skip


@dataclass(frozen=True)
class Drawn:
    """One drawn policy: its files, the layers above it, and whether it declares who may ask."""

    files: Mapping[str, str]
    layers: tuple[tuple[str, ...], ...]
    params: Mapping[str, Any]
    shaped: bool
    run: bool

    def load(self, **options: Any) -> Policy:
        """The engine's policy; raises `PolicyError`."""
        extra = {"tools.json": schemas(), "limits.json": DATA, **self.files}
        return loads(self.files["policy"], files=extra, params=dict(self.params), **options)

    def world(self) -> World:
        """The same for the oracle."""
        layers: list[list[File]] = [[parsed(self.files[name], name) for name in layer] for layer in self.layers]
        return World(layers, TOOLS, self.params, {"limits": {"small": 5.0, "big": 100.0}})

    def decider(self) -> Decider:
        return Decider(self.world())


@dataclass
class Writer:
    """Writes the rules of one file."""

    draw: random.Random
    shaped: bool
    run: bool
    prefix: str
    lets: tuple[str, ...] = ()
    number: int = 0
    written: frozenset[str] = frozenset()

    def conditions(self, tools: tuple[str, ...]) -> Conditions:
        fields = dict.fromkeys(TOOLS["crm.refund"]) if DYN_TOOL not in tools else {}
        for tool in tools:
            if tool in TOOLS:
                fields = {name: None for name in fields if name in TOOLS[tool]}
        if tools == ("fs.read",):
            fields = dict(TOOLS["fs.read"])
        lets = ["is_lead", f"over({self.draw.choice((1, 2, 50))})", "over(threshold)", "unit"] if self.lets else []
        if "count" in fields and self.lets:
            lets += ["busy", "between(args.count, size(args.to), 50)"]
        return Conditions(self.draw, fields, tools == (DYN_TOOL,), lets, self.shaped, self.run)

    def rule(self, kinds: tuple[str, ...]) -> str:
        """One rule of one of these kinds."""
        text, tools = self.draw.choice(TARGETS)
        made = self.conditions(tools)
        kind = self.draw.choice(kinds)
        self.number += 1
        name = f"{self.prefix}{self.number}"
        when = f" when {made.condition()}" if self.draw.random() < 0.85 else ""
        unless = "".join(f" unless {made.condition(1)}" for _ in range(self.draw.choice((0, 0, 0, 1, 2))))
        observe = "observe " if self.draw.random() < 0.1 else ""
        phrase = self.phrase(kind, made)
        if phrase is None:
            kind, phrase = "deny", ""
        head, tail = ("", phrase) if kind == "escalate" else (phrase, "")
        because = ' because "words"' if self.draw.random() < 0.2 else ""
        return f"{observe}{kind} {name} on {text}{head}{when}{unless}{tail}{because}\n"

    def phrase(self, kind: str, made: Conditions) -> str | None:
        if kind == "escalate":
            tiers = self.draw.choice([" to ops within 10m", " to 2 of ops within 1h", " to user within 5m",
                                      " to ops within 5m else to managers within 1h"])  # fmt: skip
            ends = ENDS if "count" in made.fields else ENDS[:3]
            return tiers + self.draw.choice(ends)
        if kind == "limit":
            return self.limit(made)
        if kind == "timeout":
            return f" after {self.draw.choice(('5s', '10s', '1m'))}"
        if kind != "rewrite":
            return ""
        field = next((name for name in SETS if name in made.fields and name not in self.written), None)
        if field is None:
            return None
        self.written |= {field}
        if field in ("tags", "to") and self.draw.random() < 0.5:
            return f" redact args.{field}" + self.draw.choice(["", " with \"*\"" if field == "to" else " with [\"z\"]"])
        return f" set args.{field} to {SETS[field]}"


    def limit(self, made: Conditions) -> str:
        """`to BOUND of AMOUNT per WINDOW by KEYS`: mostly numbers and texts, sometimes not."""
        known, draw = made.fields, self.draw
        bounds = ["5", "100.5", "cap", 'limits["big"]', 'limits["gone"]']
        amounts = ["", "", " of call.cost reserve 0.5", " of call.cost reserve cap - 30.0"]
        keys = ["", " by principal.id", " by principal.level, principal.role"]
        if "count" in known:
            bounds.append("args.count / (args.count - 1)")
            amounts += [" of args.count", " of distinct args.count"]
        if "amount" in known:
            amounts += [" of args.amount", " of args.amount * args.amount"]
        if "to" in known:
            amounts.append(" of distinct args.to")
            keys += [" by args.to", " by args.to == \"a\", principal.id"]
        if "tags" in known:
            amounts.append(" of distinct args.tags")
            keys.append(" by args.tags")
        if made.dyn:
            amounts += [" of args.a", " of distinct args.b"]
            keys.append(" by args.c")
        window = draw.choice((" per 1h30m", " per day", ' per week in "Europe/Berlin"', " per month", " per run", " at once"))
        return f" to {draw.choice(bounds)}{draw.choice(amounts)}{window}{draw.choice(keys)}"


LETS = (
    "let is_lead = principal.role == \"lead\"\nlet over(n) = size(args) > n\nlet busy = args.count > threshold\n"
    "let between(x, low, high) = x >= low && x <= high\nlet unit on crm.* = args.amount > cap\n"
    "let unit on fs.read = args.count > 1\nlet unit on ops.any = args.a == 1\n"
)  # fmt: skip
KINDS = ("allow", "allow", "allow", "allow", "deny", "deny", "escalate", "escalate", "limit", "limit", "timeout", "rewrite")
ABOVE = ("allow", "allow", "deny", "escalate", "limit", "timeout")
COMMON = (
    'use tools "tools.json"\nuse data "limits.json" as limits: map(string, double)\nparam cap: double = 20.0\n'
    "param threshold: int = 2\nqueues ops, managers\ngroup reads = crm.search, fs.read\n"
)


def drawn(seed: int, *, rewrites: bool = True, shaped: bool | None = None) -> Drawn:
    """The policy of a seed: a main file, sometimes more rules in a second one, sometimes a layer above."""
    draw = random.Random(seed)
    shaped = draw.random() < 0.7 if shaped is None else shaped
    run = draw.random() < 0.4
    kinds = KINDS if rewrites else KINDS[:-1]
    split, layered = draw.random() < 0.3, draw.random() < 0.35
    writer = Writer(draw, shaped, run, "r", ("yes",))
    common = COMMON + (SHAPES if shaped else "") + LETS
    default = draw.choice(("", "", "", "default abstain\n", "default escalate to ops within 10m\n", "default deny\n"))
    ground = "allow ground on * when threshold != 77\n" if draw.random() < 0.4 else ""
    known = ground + f"allow base on {DYN_TOOL} when principal.role == \"lead\" && args.a == 77\n"
    body = known + "".join(writer.rule(kinds) for _ in range(draw.randrange(2, 8)))
    files = {}
    if split:
        files["more.policy"] = "policy more\n" + "".join(writer.rule(kinds) for _ in range(draw.randrange(1, 4)))
    head = "policy main" + (" under \"above.policy\"" if layered else "") + "\n"
    files["policy"] = head + ('use rules "more.policy"\n' if split else "") + common + default + body
    layers: list[tuple[str, ...]] = [("policy", "more.policy") if split else ("policy",)]
    if layered:
        above = Writer(draw, shaped, run, "top", ("yes",))
        default = draw.choice(("default abstain\n", "default abstain\n", "", "default escalate to managers within 10m\n"))
        everything = "allow all on * when threshold != 77\n" if draw.random() < 0.7 else ""
        rules = "".join(above.rule(ABOVE if not rewrites else (*ABOVE, "rewrite")) for _ in range(draw.randrange(1, 4)))
        files["above.policy"] = "policy above\n" + common.replace('use tools "tools.json"\n', "") + default + everything + rules
        layers.append(("above.policy",))
    params = {"cap": draw.choice((0.0, 50.0))} if draw.random() < 0.4 else {}
    return Drawn(files, tuple(layers), params, shaped, run)


RESULTS = (
    "result.ok == true", "has(result.text) && result.text.startsWith('a')", "size(result) > 1", "result.items.all(i, i > 0)",
    "result.text == args.to", "result.?text.orValue('a') != 'ab b'", "!result.ok", "result.items[0] == 1", "call.cost < 2.0",
    "call.duration < duration('1m') || result.ok", "result.exists(k, k == 'text')", "type(result) == map",
)  # fmt: skip
CHANGES = ("redact result.text with \"*\"", "redact result.items[*]", "set result.ok to false", "redact result.meta.owner")
PLACES = ("", " at result.text", " at result.items[*]", " at result.text, result.meta.owner", " at result[*]")
RESULT_ENDS = ("", " else withhold", " else deny", " else reply \"no\"")


def drawn_results(seed: int) -> Drawn:
    """A policy whose rules are about results, on the tools that share `args.to`."""
    draw = random.Random(seed)
    changes = draw.sample(CHANGES, len(CHANGES))
    lines = []
    for number in range(draw.randrange(1, 7)):
        target = draw.choice(("crm.refund", "crm.*", "fs.read", "reads", "crm.* except crm.search"))
        made = Conditions(draw, dict.fromkeys(("to",)), False, [], True)
        condition = draw.choice((draw.choice(RESULTS), f"{draw.choice(RESULTS)} && {made.atom()}"))
        when = f" when {condition}" if draw.random() < 0.6 else ""
        when += f" unless {draw.choice(RESULTS)}" if draw.random() < 0.3 else ""
        kind = draw.choice(("validate", "validate", "rewrite", "label", "declassify"))
        observe = "observe " if kind == "validate" and draw.random() < 0.15 else ""
        if kind == "validate":
            needs = f" require {draw.choice(RESULTS)}"
            lines.append(f"{observe}validate v{number} on {target}{when}{needs}{draw.choice(RESULT_ENDS)}\n")
        elif kind == "rewrite" and changes:
            lines.append(f"rewrite w{number} on {target} {changes.pop()}{when}\n")
        elif kind == "label":
            lines.append(f"label l{number} on {target} as {draw.choice(('untrusted', 'payee'))}{draw.choice(PLACES)}{when}\n")
        else:
            lines.append(f"declassify d{number} on {target} of untrusted{when}\n")
    text = "policy main\n" + COMMON + "labels untrusted, payee\n" + SHAPES + "allow all on *\n" + "".join(lines)
    return Drawn({"policy": text}, (("policy",),), {}, True, False)


EVENTS = {
    "@answer": ("answer.text", "answer.data"), "@input": ("input.text", "input.source"),
    "@resource": ("resource.uri", "resource.server"), "@delegate": ("delegate.text", "delegate.agent"),
}  # fmt: skip


def drawn_events(seed: int) -> Drawn:
    """A policy whose rules are about events."""
    draw = random.Random(seed)
    lines, rewritten = [], set()
    for number in range(draw.randrange(1, 6)):
        event = draw.choice(sorted(EVENTS))
        one, two = EVENTS[event]
        tests = (
            f"{one}.contains('a')", f"size({one}) > 2", f"{two} == 'x'", f"has({two})", f"{one} == {two}",
            "principal.role == \"lead\"",
            f"{one}.matches('^b')", f"{one} in ['a', 'b']", "now.getHours() > 18", "run.calls.size() > 0",
        )  # fmt: skip
        condition = draw.choice((draw.choice(tests), f"({draw.choice(tests)} || {draw.choice(tests)})"))
        when = f" when {condition}" + (f" unless {draw.choice(tests)}" if draw.random() < 0.3 else "")
        observe = "observe " if draw.random() < 0.2 else ""
        kind = draw.choice(("deny", "deny", "escalate", "escalate", "validate", "label", "rewrite", "limit", "limit", "timeout"))
        if kind == "escalate":
            end = draw.choice(("", "", ' else reply "no"', f" else reply {one}", f" else reply {two}"))
            lines.append(f"{observe}escalate e{number} on {event}{when} to {draw.choice(('ops', 'user'))} within 5m{end}\n")
        elif kind == "limit":
            amount = draw.choice(("", f" of {one}.size()", f" of distinct {two}", " of principal.level"))
            by = draw.choice(("", " by principal.id", f" by {two}"))
            lines.append(f"{observe}limit t{number} on {event} to 9{amount} per 1h{by}{when}\n")
        elif kind == "timeout":
            lines.append(f"{observe}timeout m{number} on {event} after {draw.choice((2, 3))}s{when}\n")
        elif kind == "validate":
            lines.append(f"{observe}validate v{number} on {event}{when} require {draw.choice(tests)}{draw.choice(RESULT_ENDS)}\n")
        elif kind == "label":
            lines.append(f"label l{number} on {event} as untrusted{draw.choice(('', f' at {one}'))}{when}\n")
        elif kind == "rewrite" and event not in rewritten:
            rewritten.add(event)
            lines.append(f"rewrite w{number} on {event} redact {one} with \"*\"{when}\n")
        else:
            lines.append(f"{observe}deny d{number} on {draw.choice((event, event, '@*'))} when principal.level == 5\n")
    text = "policy main\n" + COMMON + "labels untrusted, payee\n" + SHAPES + "allow all on *\n" + "".join(lines)
    return Drawn({"policy": text}, (("policy",),), {}, True, False)


def with_text(policy: Drawn, name: str, text: str) -> Drawn:
    """The same policy with another text for one of its files."""
    return replace(policy, files={**policy.files, name: text})
