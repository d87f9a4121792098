"""What is drawn for the comparisons: typed conditions, policies over them, requests that fit and requests that do not.

Everything is drawn from a seeded `random.Random`, one seed a case, so that a failing case is named by its seed.
"""

from __future__ import annotations

import json
import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from policy_engine import Agent, Principal, Request
from policy_engine.base.values import UInt

RECORD = ("record", {"level": ("int", True), "owner": ("string", False)})
TOOLS: dict[str, Any] = {
    "crm.refund": {
        "amount": ("double", True), "count": ("int", True), "to": ("string", True), "kind": (("enum", "a", "b", "c"), True),
        "note": (("nullable", "string"), False), "flag": ("bool", False), "tags": (("list", "string"), True),
        "meta": (RECORD, False),
    },
    "crm.search": {
        "amount": ("double", True), "count": ("int", True), "to": ("string", True), "limit": ("int", False),
        "kind": (("enum", "a", "b"), True), "tags": (("list", "string"), True),
    },
    "fs.read": {"count": ("int", True), "to": ("string", True), "any": ("any", False)},
}  # fmt: skip
"""The same names mean the same types, so that a rule over several tools passes the checker."""
DYN_TOOL = "ops.any"
NOW = datetime(2026, 1, 30, 17, 30, tzinfo=UTC)
INTS = (0, 1, 2, 3, 5, -1, 50, 2**53, 2**53 + 1, 2**63 - 1, -(2**63))
DOUBLES = (0.0, 1.0, 1.5, -0.5, 50.0, 100.0, 2.0**53, 9.3e18, 1e300)
TEXTS = ("", "a", "b", "ab", "a@x.org", "A", "ä", "50", "long text of several words", "2026-01-30")
LEAVES = (None, True, False, *INTS, *DOUBLES, *TEXTS)


def schemas() -> str:
    """The tools file of `TOOLS`."""
    listed = [
        {"name": name, "inputSchema": json_schema(("record", fields)), "outputSchema": {"type": "object"}}
        for name, fields in TOOLS.items()
    ]
    return json.dumps({"tools": listed})


def json_schema(kind: Any) -> dict[str, Any]:
    """JSON Schema of a simple type."""
    if isinstance(kind, str):
        named = {"int": "integer", "double": "number", "bool": "boolean", "string": "string"}
        return {"type": named[kind]} if kind in named else {}
    if kind[0] == "enum":
        return {"type": "string", "enum": list(kind[1:])}
    if kind[0] == "list":
        return {"type": "array", "items": json_schema(kind[1])}
    if kind[0] == "nullable":
        return {"anyOf": [json_schema(kind[1]), {"type": "null"}]}
    properties = {name: json_schema(inner) for name, (inner, _) in kind[1].items()}
    required = [name for name, (_, needed) in kind[1].items() if needed]
    return {"type": "object", "properties": properties, "required": required, "additionalProperties": False}


@dataclass
class Conditions:
    """Draws boolean expressions that pass the checker for certain tools."""

    draw: random.Random
    fields: Mapping[str, Any]
    dyn: bool = False
    lets: list[str] = field(default_factory=list)
    shaped: bool = True
    run: bool = False

    def condition(self, depth: int = 2) -> str:
        pick = self.draw.random()
        if depth == 0 or pick < 0.4:
            return self.atom()
        if pick < 0.6:
            return f"(({self.condition(depth - 1)}) && ({self.condition(depth - 1)}))"
        if pick < 0.8:
            return f"(({self.condition(depth - 1)}) || ({self.condition(depth - 1)}))"
        if pick < 0.9:
            return f"!({self.condition(depth - 1)})"
        return f"(({self.condition(depth - 1)}) ? ({self.condition(depth - 1)}) : ({self.condition(depth - 1)}))"

    def atom(self) -> str:
        choices = [self.numeric, self.textual, self.surroundings]
        if self.dyn:
            choices += [self.loose] * 3
        else:
            choices += [self.optional, self.listed, self.numeric]
        if self.lets:
            choices.append(lambda: self.draw.choice(self.lets))
        if self.run:
            choices += [self.history] * 2
        return self.draw.choice(choices)()

    # ------------------------------------------------------------------ typed
    def number(self) -> str:
        """An int expression, or a double one."""
        if self.draw.random() < 0.5:
            return self.whole(1)
        return self.real(1)

    def whole(self, depth: int) -> str:
        leaves = [str(self.draw.choice(INTS)), "threshold", "size(args)"]
        leaves += ["args.count"] * 3 if "count" in self.fields else []
        leaves += ["size(args.to)"] if "to" in self.fields else []
        leaves += ["size(args.tags)"] if "tags" in self.fields else []
        leaves += ["args.?limit.orValue(7)"] if "limit" in self.fields else []
        leaves += ["args.?meta.?level.orValue(2)"] if "meta" in self.fields else []
        leaves += ["principal.level"] if self.shaped else []
        if depth and self.draw.random() < 0.4:
            return f"({self.whole(0)} {self.draw.choice('+-*/%')} {self.whole(0)})"
        return self.draw.choice(leaves)

    def real(self, depth: int) -> str:
        leaves = [repr(self.draw.choice(DOUBLES)), "cap", "limits.small", "double(threshold)"]
        leaves += ["args.amount"] * 4 if "amount" in self.fields else []
        if depth and self.draw.random() < 0.3:
            return f"({self.real(0)} {self.draw.choice('+-*/')} {self.real(0)})"
        return self.draw.choice(leaves)

    def numeric(self) -> str:
        return f"{self.number()} {self.draw.choice(['<', '<=', '>', '>=', '==', '!='])} {self.number()}"

    def text(self) -> str:
        leaves = [json.dumps(self.draw.choice(TEXTS), ensure_ascii=False), "principal.id" if self.shaped else "string(threshold)"]
        leaves += ["args.to"] * 3 if "to" in self.fields else []
        leaves += ["args.to.lowerAscii()", "(args.to + \"b\")", "args.to.replace('a', 'b')"] if "to" in self.fields else []
        return self.draw.choice(leaves)

    def textual(self) -> str:
        left, right = self.text(), self.text()
        form = self.draw.choice(
            ["{0} == {1}", "{0} != {1}", "{0} < {1}", "{0}.startsWith({1})", "{0}.endsWith({1})", "{0}.contains({1})",
             "{0}.matches('^[a-b]+@?')", "{0} in [{1}, \"a\"]", "size({0}) <= {2}", "{0}.substring({2}) == {1}",
             "int({0}) > {2}", "{0}.split('a').size() == {2}"]
        )  # fmt: skip
        return form.format(left, right, self.draw.choice((0, 1, 2, 50)))

    def optional(self) -> str:
        inner = self.draw.choice(INTS)
        forms = {
            "note": ["has(args.note) && args.note != null && args.note.size() > 1", "has(args.note)",
                     "args.?note.orValue(null) == null", "(has(args.note) ? args.note : \"x\") == \"a\""],
            "flag": ["has(args.flag) && args.flag", "args.?flag.orValue(false)", "!has(args.flag) || !args.flag"],
            "meta": [f"has(args.meta) && args.meta.level > {inner}", "args.?meta.?owner.hasValue()",
                     "args.?meta.?owner.orValue('a') == \"a\"",
                     "args.?meta.optMap(m, m.level * 2).orValue(1) > 3",
                     f"has(args.meta) && has(args.meta.owner) && args.meta.level == {inner}"],
            "limit": [f"has(args.limit) && args.limit > {inner}", "!has(args.limit)", "args.?limit.hasValue()"],
            "any": ["has(args.any) && args.any > 3", "args.?any.orValue(1) == 1", "has(args.any) && size(args.any) > 1"],
            "kind": ["args.kind == \"a\"", "args.kind in [\"a\", \"b\"]", "args.kind != \"b\""],
        }  # fmt: skip
        usable = [form for name, some in forms.items() if name in self.fields for form in some]
        return self.draw.choice(usable) if usable else self.numeric()

    def listed(self) -> str:
        if "tags" not in self.fields:
            return self.numeric()
        return self.draw.choice([
            "args.tags.exists(t, t == {0})", "args.tags.all(t, t != {0})", "args.tags.exists_one(t, t.startsWith({0}))",
            "args.tags.filter(t, t == {0}).size() > 0", "args.tags.map(t, t.size()).sum() > 2", "{0} in args.tags",
            "args.tags[0] == {0}", "args.tags.exists(i, t, i > 0 && t == {0})", "args.tags.all(t, t.charAt(0) != 'a')",
            "args.tags[?1].orValue('') == {0}", "cel.bind(x, args.tags[1], args.tags.size() > 1 && x == {0})",
            "args.tags.map(t, t.size() > 1, t).join() == {0}", "args.tags.last(t, t.size() > 0) == {0}",
            "args.tags.after(t, t == {0}).size() == 1", "args.tags.distinct().size() < args.tags.size()",
        ]).format(json.dumps(self.draw.choice(TEXTS), ensure_ascii=False))  # fmt: skip

    # ------------------------------------------------------------------ hostile and host-given
    def literal(self) -> str:
        value = self.draw.choice(LEAVES)
        made = "null" if value is None else json.dumps(value, ensure_ascii=False)
        if isinstance(value, float):
            made = repr(value)
        others = ("dyn(3u)", "dyn([1, 'a'])", "dyn({'a': 1})", "args.b", "args.c", "principal.quota")
        return self.draw.choice([f"dyn({made})", *others])

    def loose(self) -> str:
        form = self.draw.choice([
            "args.a == {0}", "args.a != {0}", "args.a < {0}", "args.a >= {0}", "args.a in {0}", "{0} in args.a",
            "args.a + {0} == {0}", "args.a * 2 > {0}", "args.a / {0} > 1", "-args.a < {0}", "size(args.a) > 1",
            "args.a.b == {0}", "has(args.a) && args.a == {0}", "has(args.a.b)", "args.?a.orValue(1) == {0}",
            "args.?a.?b.hasValue()", "args.a[0] == {0}", "args.a['b'] == {0}", "args.a[?0].orValue(1) == {0}",
            "args.a.exists(x, x == {0})", "args.a.all(x, x > {0})", "args.a.map(x, x).size() > 0", "args.a",
            "args.a.filter(x, x > 0).size() > 0", "!args.a", "args.all(k, args[k] != {0})", "args.a ? true : false",
            "type(args.a) == type({0})", "string(args.a) == 'a'", "int(args.a) > 0", "args.a.startsWith('a')",
            "args.a.matches('a')", "[args.a, {0}].distinct().size() == 1", "cel.bind(x, args.a + 1, x > 1 || args.b == 1)",
            "args.exists_one(k, args[k] == {0})", "[args.a, args.b].exists(x, x)", "double(args.a) == {0}",
            "args.a.last(x, x == {0}) == {0}", "args.a[args.b] == {0}", "uint(args.a) == 3u", "{{'x': args.a}} == {{'x': {0}}}",
        ])  # fmt: skip
        return form.format(self.literal())

    def surroundings(self) -> str:
        return self.draw.choice([
            "context.env == \"dev\"" if self.shaped else "context.since < now", "principal.role == \"lead\"",
            "now.getHours() < 18", "tool.name in reads", "tool.name == \"crm.refund\"",
            "has(context.flag)" if not self.shaped else "has(principal.clearance)",
            "now > timestamp('2026-01-30T17:00:00Z')", "now.getDayOfWeek('Asia/Tokyo') == 6",
            "principal.clearance > 2" if not self.shaped else "has(principal.clearance) && principal.clearance > 2",
            "has(agent.id) && agent.id == 'bot'", "now - timestamp('2026-01-30T17:00:00Z') < duration('1h')",
            "context.wait < duration('10s')" if not self.shaped else "now.date('Asia/Tokyo') == '2026-01-31'",
            "principal.quota > 2" if not self.shaped else "threshold in [1, 2, 5]", "cap >= limits.small",
        ])  # fmt: skip

    def history(self) -> str:
        return self.draw.choice([
            "run.calls.exists(c, c.tool == \"fs.read\")", "run.calls.all(c, c.args.count < 3)", "run.calls.size() > 1",
            "run.calls.filter(c, c.tool == \"crm.refund\").size() >= 2",
            "run.calls.filter(c, c.tool == \"crm.refund\").map(c, c.args.amount).sum() > 50.0",
            "run.calls.exists(c, c.tool == tool.name && now - c.at < duration('5m'))",
            "run.calls.last(c, c.tool == \"fs.read\").args.count > 1", "run.calls.map(c, c.at).max() < now",
            "run.calls.after(c, c.tool == \"crm.search\").exists(c, c.tool == \"fs.read\")",
            "run.calls.exists(c, c.tool == \"fs.read\" && c.result.ok == true)",
            "said(args.to)" if "to" in self.fields else "said(args.a)",
            "labels(args.to).size() == 0" if "to" in self.fields else "origins(args.a).size() > 0",
            "origins(args.to).exists(o, o.source == 'result')" if "to" in self.fields else "coverage(args.a) > 0.5",
            "run.attempts.size() > 2", "run.labels.size() > 0",
        ])  # fmt: skip


# ------------------------------------------------------------------ requests
def value_of(draw: random.Random, kind: Any) -> Any:
    """A JSON value that fits a simple type."""
    if kind == "int":
        return draw.choice([*INTS, 4.0])
    if kind == "double":
        return draw.choice([*DOUBLES, 7])
    if kind == "bool":
        return draw.random() < 0.5
    if kind == "string":
        return draw.choice(TEXTS)
    if kind == "any":
        return loose_value(draw, 1)
    if kind[0] == "enum":
        return draw.choice(kind[1:])
    if kind[0] == "nullable":
        return None if draw.random() < 0.4 else value_of(draw, kind[1])
    if kind[0] == "list":
        return [value_of(draw, kind[1]) for _ in range(draw.randrange(4))]
    return {
        name: value_of(draw, inner) for name, (inner, needed) in kind[1].items() if needed or draw.random() < 0.5
    }  # fmt: skip


def loose_value(draw: random.Random, depth: int) -> Any:
    """Any JSON value."""
    pick = draw.random()
    if depth and pick < 0.2:
        return [loose_value(draw, depth - 1) for _ in range(draw.randrange(3))]
    if depth and pick < 0.4:
        return {key: loose_value(draw, depth - 1) for key in draw.sample(["a", "b", "x"], draw.randrange(3))}
    return draw.choice(LEAVES)


BROKEN: tuple[Any, ...] = (float("nan"), float("inf"), 2**63, -(2**63) - 1, "\ud800", [], {}, None, "x", True, 1.5)


def arguments(draw: random.Random, tool: str) -> dict[str, Any]:
    """Arguments of a tool: mostly right, sometimes not."""
    fields = TOOLS.get(tool)
    if fields is None:
        made: dict[str, Any] = {key: loose_value(draw, 2) for key in ("a", "b", "c") if draw.random() < 0.8}
    else:
        made = value_of(draw, ("record", fields))
    if draw.random() < 0.08 and made:
        made[draw.choice(sorted(made))] = draw.choice(BROKEN)
    if draw.random() < 0.03:
        made["extra"] = 1
    if draw.random() < 0.03 and made:
        made.pop(draw.choice(sorted(made)))
    return made


def request(draw: random.Random, shaped: bool) -> Request:
    """A request; what the host gives fits the shapes, mostly."""
    tool = draw.choice([*TOOLS, *TOOLS, DYN_TOOL, DYN_TOOL, "crm.nope"] if draw.random() < 0.2 else [*TOOLS, DYN_TOOL])
    role = draw.choice(["support", "lead"])
    principal: dict[str, Any] = {"id": draw.choice(["u1", "a"]), "role": role, "level": draw.choice(INTS)}
    context: dict[str, Any] = {"env": draw.choice(["dev", "prod"])}
    if draw.random() < 0.5:
        principal["clearance"] = draw.choice((1, 2, 3))
    if not shaped:
        principal["quota"] = draw.choice((UInt(3), UInt(2**64 - 1), float("nan"), 3, 2.5, "x", None))
        principal = {name: value for name, value in principal.items() if draw.random() < 0.9}
        context = {"since": NOW - timedelta(hours=1), "wait": timedelta(seconds=draw.choice((1, 60))), "flag": True}
        context = {name: value for name, value in context.items() if draw.random() < 0.8}
    elif draw.random() < 0.05:
        principal.pop(draw.choice(sorted(principal)))
    agent = Agent(id=draw.choice(["bot", "other"])) if draw.random() < 0.8 else None
    return Request(
        tool=tool, args=arguments(draw, tool), principal=Principal(**principal), agent=agent, context=context,
        at=NOW + timedelta(hours=draw.choice((0, 2, 5))),
    )  # fmt: skip
