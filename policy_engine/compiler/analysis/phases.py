"""Which kinds act where, and which names they can read there: the phase table of LANGUAGE.md as data."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal as OneOf, TypeAlias

from policy_engine.base.source import Span
from policy_engine.compiler.analysis.draft import Draft, Layer, Subject
from policy_engine.compiler.cel.checker import Scope
from policy_engine.diagnostics.model import Code
from policy_engine.semantics.ast.policy import Rule, Targets, kind_of
from policy_engine.semantics.types import (
    BOOL,
    DOUBLE,
    DURATION,
    DYN,
    INT,
    NULL,
    STRING,
    TIMESTAMP,
    EnumType,
    ListType,
    MapType,
    RecordField,
    RecordType,
    Type,
    union,
)

WRONG_KIND_FOR_TARGET = Code(
    "wrong-kind-for-target",
    "A kind of rule that cannot act on this target",
    "Tools are allowed, denied, escalated, rewritten, labelled, validated, limited, timed, retried. Events (`@answer`,"
    " `@input` …) pass unless a `deny` or `escalate` stops them, and are validated, rewritten, labelled and limited;"
    " nothing needs to `allow` them.\n\n"
    "```\nallow answers on @answer                            // refused: events need no permission\n"
    "deny secrets-out on @answer when secrets(answer.text)\n```",
)
CODES = (WRONG_KIND_FOR_TARGET,)

Phase: TypeAlias = OneOf["call", "result", "error", "event"]

EVENT_KINDS: Final = frozenset({"deny", "escalate", "validate", "label", "limit", "timeout", "rewrite"})
_PHASE_OF_KIND: Final[Mapping[str, Phase]] = {
    "allow": "call", "deny": "call", "escalate": "call", "rewrite": "call", "limit": "call", "timeout": "call",
    "invariant": "call", "validate": "result", "label": "result", "declassify": "result",
    "retry": "error", "breaker": "error",
}  # fmt: skip


def _record(name: str, rest: Type | None = None, /, **fields: Type) -> RecordType:
    made = (RecordField(field, fields[field], True) for field in sorted(fields))
    return RecordType(name, tuple(made), rest)


EVENT_RECORDS: Final[Mapping[str, RecordType]] = {
    "input": _record("input", text=STRING, source=STRING, verified=BOOL),
    "step": _record("step", kind=STRING, text=STRING, tokens=INT, cost=DOUBLE),
    "answer": _record("answer", text=STRING, data=DYN),
    "delegate": _record("delegate", agent=STRING, tools=ListType(STRING), text=STRING),
    "resource": _record("resource", uri=STRING, server=STRING),
    "prompt": _record("prompt", name=STRING, server=STRING),
}
"""The fields of each event by the name they are read under."""

AGENT: Final = _record(
    "agent", id=STRING, model=STRING, prompt_version=STRING, tools=ListType(STRING), delegated_by=STRING
)
CALL: Final = _record("call", duration=DURATION, cost=DOUBLE)
ERROR: Final = _record("error", kind=STRING, message=STRING, attempt=INT, retryable=BOOL)
OUTCOMES: Final = EnumType(("denied", "error", "pending", "returned", "running"))
ORIGIN_SOURCES: Final = EnumType(("error", "input", "result", "user"))

_ELSEWHERE: Final[Mapping[str, str]] = {
    "args": "events have no arguments; `args` is read in rules about tools",
    "tool": "events have no tool; `tool` is read in rules about tools",
    "result": "a call has no result yet; `result` is read in validate, label, declassify, and rewrites of `result`",
    "call": "`call.duration` and `call.cost` are known when the call has returned: in validate, label and `of … reserve`",
    "error": "`error` is read in retry and breaker, after a call has failed",
    "approver": "`approver` is read in the `where` of an escalation's tier, once somebody answers",
    "step": "`step` is read in rules on @step",
    "answer": "`answer` is read in rules on @answer",
    "delegate": "`delegate` is read in rules on @delegate",
    "resource": "`resource` is read in rules on @resource",
    "prompt": "`prompt` is read in rules on @prompt",
}


def phase_of(rule: Rule, subject: Subject) -> Phase:
    """Where a rule acts on a subject; a rewrite's own paths may move it to `result`."""
    return "event" if subject.event else _PHASE_OF_KIND[kind_of(rule)]


def event_root(name: str) -> str:
    """The name under which an event's fields are read: `@answer` → `answer`."""
    return name.removeprefix("@")


def check_kind(draft: Draft, rule: Rule, subjects: tuple[Subject, ...]) -> tuple[Subject, ...]:
    """The subjects the kind can act on; a diagnostic for the events it cannot."""
    kind = kind_of(rule)
    if kind in EVENT_KINDS:
        return subjects
    events = [subject.name for subject in subjects if subject.event]
    if events:
        suggestions = {
            "allow": "leave the rule out: events pass unless a deny or escalate stops them",
            "declassify": "labels are taken off the results of tools only",
        }
        draft.report(
            WRONG_KIND_FOR_TARGET, f"`{kind}` cannot act on {', '.join(events)}",
            (_place(rule.targets, events), "an event"), (rule.keyword_span, ""),
            effect=f"`{rule.name.text}` would never apply to {'it' if len(events) == 1 else 'them'}",
            suggestion=suggestions.get(kind, "write the rule for tools, or use deny, escalate, validate, limit or timeout"),
        )  # fmt: skip
    return tuple(subject for subject in subjects if not subject.event)


def _place(targets: Targets, events: list[str]) -> Span:
    return next((one.span for one in targets.included if one.text in (*events, "@*")), targets.span)


class Scopes:
    """The scopes of one layer: what is promised to the writer (`strict`) and what is certain at run time (`certain`).

    The strict one finds mistakes; code is generated from the certain one, in which everything that nobody validated
    (results, runs, events) is `dyn` and keeps its guards.
    """

    def __init__(self, draft: Draft, layer: Layer) -> None:
        self._draft = draft
        self._layer = layer
        tools = EnumType(tuple(draft.tools))
        labels = EnumType(tuple(sorted(draft.labels)))
        self._run = run_record(tools, labels)
        self._tool = _record(
            "tool", name=tools if tools.options else STRING, annotations=MapType(STRING, DYN), digest=union(STRING, NULL)
        )
        self._overrides: dict[str, Type] = {
            "labels": ListType(labels),
            "origins": ListType(_record("origin", source=ORIGIN_SOURCES, tool=tools, path=STRING, call=STRING)),
        }
        self._host = {name: layer.shapes.get(name, DYN) for name in ("principal", "agent", "context", "approver")}
        self._kept: dict[tuple[str, str, bool], Scope] = {}

    def strict(self, subject: Subject, phase: Phase, *, approver: bool = False) -> Scope:
        """What the writer of a rule may read about `subject` in `phase`; `approver` in the `where` of a tier."""
        key = (subject.name, phase, approver)
        kept = self._kept.get(key)
        if kept is None:
            kept = self._kept[key] = self._strict(subject, phase, approver)
        return kept

    def _strict(self, subject: Subject, phase: Phase, approver: bool) -> Scope:
        host = self._host
        names: dict[str, Type] = {
            "principal": host["principal"], "context": host["context"],
            "agent": AGENT if host["agent"] == DYN else host["agent"],
            "input": EVENT_RECORDS["input"], "run": self._run, "now": TIMESTAMP,
        }  # fmt: skip
        for name, constant in self._layer.constants.items():
            names[name] = constant.type
        for name in self._layer.histories:
            names[name] = _record(name, calls=self._run.fields[1].type, attempts=self._run.fields[0].type)
        if subject.event:
            root = event_root(subject.name)
            if root in EVENT_RECORDS:
                names[root] = EVENT_RECORDS[root]
        else:
            names["args"] = subject.args_type
            names["tool"] = self._tool
        if phase == "result" and not subject.event:
            names["result"] = subject.output
            names["call"] = CALL
        if phase == "error":
            names["error"] = ERROR
        if approver:
            names["approver"] = host["approver"]
        elsewhere = {name: why for name, why in _ELSEWHERE.items() if name not in names}
        return Scope(names=names, functions=self._draft.functions, elsewhere=elsewhere, overrides=self._overrides)

    def anywhere(self, subject: Subject, parameters: Mapping[str, Type]) -> Scope:
        """The names of all phases at once, for a `let` that no rule uses; `parameters` are its own."""
        strict = self._strict(subject, "result", approver=True)
        names = {**dict.fromkeys(_ELSEWHERE, DYN), **strict.names, **parameters}
        return Scope(names=names, functions=strict.functions, overrides=strict.overrides)

    def certain(self, subject: Subject) -> Scope:
        """What holds for certain when a rule about `subject` is evaluated. Knows every name of every phase."""
        names: dict[str, Type] = dict.fromkeys(_ELSEWHERE, DYN)
        names |= {"run": DYN, "input": DYN, "now": TIMESTAMP}
        names |= {name: self._host[name] for name in ("principal", "agent", "context")}
        names["args"] = subject.args_type
        names |= dict.fromkeys(self._layer.histories, DYN)
        return Scope(names=names, functions=self._draft.functions, elsewhere={})


def run_record(tools: EnumType, labels: EnumType) -> RecordType:
    """The type of `run`: its calls name tools that exist, and labels that are declared."""
    element = _record(
        "call", tool=tools if tools.options else STRING, args=DYN, result=DYN, outcome=OUTCOMES, at=TIMESTAMP,
        id=STRING, labels=ListType(labels if labels.options else STRING),
    )  # fmt: skip
    step = _record("step", kind=STRING, text=STRING, tokens=INT, cost=DOUBLE)
    return _record(
        "run", attempts=ListType(element), calls=ListType(element), id=STRING, input=EVENT_RECORDS["input"],
        labels=ListType(labels if labels.options else STRING), started=TIMESTAMP, steps=ListType(step),
    )  # fmt: skip
