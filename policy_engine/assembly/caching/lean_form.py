"""A compiled policy as the lean entry reads it: per tool one piece of plain data and code, without a class of ours.

Only what is simple is written: a tool with arguments that need more than plain checks, or a note that needs an
evaluation, is marked or left out, and the lean entry leaves such calls to the full engine.
"""

from __future__ import annotations

import marshal
from collections.abc import Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, Final, TypeAlias

from policy_engine.compiler.caching.generated import Generated
from policy_engine.compiler.codegen.module import ModuleBuilder
from policy_engine.runtime.hints import changes
from policy_engine.runtime.messages import shown
from policy_engine.semantics.artifact import Batch, CompiledPolicy, CompiledRule, Index, Message, Section, ToolPlan
from policy_engine.semantics.ast.expressions import Literal
from policy_engine.semantics.types import (
    BOOL,
    DOUBLE,
    DYN,
    INT,
    NULL,
    STRING,
    BasicType,
    Bounds,
    EnumType,
    ListType,
    MapType,
    RecordType,
    Type,
    UnionType,
)

Spec: TypeAlias = tuple[Any, ...]
ANY: Final[Spec] = ("any",)
_WORDS: Final = {STRING: "text", INT: "int", DOUBLE: "number", BOOL: "bool", NULL: "null", DYN: "any"}
_FREE: Final = Bounds()
_MOST_CHANGES: Final = 25
_ATOMS: Final = (str, int, float, bool)


class NotSimple(Exception):
    """The lean entry cannot do this; the full engine will."""


class LeanWriter:
    """The pieces of the lean form, numbered from `first`, and their table; `kept` are those of tools that did not change."""

    def __init__(
        self, policy: CompiledPolicy, generated: Generated, first: int, kept: Mapping[str, bytes] = MappingProxyType({})
    ) -> None:
        self.pieces: list[bytes] = []
        self._generated = generated
        self._first = first
        self._tools: dict[str, int] = {}
        try:
            self.index: dict[str, Any] = {
                "policy": policy.digest,
                "layers": [(layer.name, layer.default) for layer in policy.layers],
                "hints": all(layer.hint for layer in policy.layers),
                "records": {
                    subject: [spec_of(record) for record in policy.records.get(subject, ())]
                    for subject in ("principal", "agent", "context")
                },
                "tools": self._tools,
            }
        except NotSimple:
            self.index = {}
            return
        for name, plan in policy.tools.items():
            try:
                piece = marshal.dumps(self._tool(plan))
            except (NotSimple, ValueError):
                continue
            self._add(name, piece)
        for name, piece in kept.items():
            self._add(name, piece)

    def _add(self, name: str, piece: bytes) -> None:
        self._tools[name] = self._first + len(self.pieces)
        self.pieces.append(piece)

    def _tool(self, plan: ToolPlan) -> dict[str, Any]:
        if plan.limits.rules or plan.timeouts.rules or plan.errors.rules:
            raise NotSimple  # the lean entry knows no obligations
        names = [section.batch.function if section.rules else None for section in (plan.rewrites, plan.decide)]
        generated = self._generated
        functions, constants = generated.reached([name for name in names if name is not None])
        if any(isinstance(value, Index) for value in constants.values()):
            generated, names = _linear((plan.rewrites, plan.decide))
            functions, constants = generated.reached([name for name in names if name is not None])
        plain = {name: value for name, value in constants.items() if is_plain(value)}
        batches = {name: None for name, value in constants.items() if isinstance(value, Batch)}
        return {
            "args": ANY if plan.input is None else spec_of(plan.input),
            "rewrites": names[0], "decide": names[1],
            "functions": functions, "constants": {**plain, **batches},
            "rules": [_rule(rule) for rule in plan.decide.rules],
        }  # fmt: skip


def _linear(sections: Sequence[Section]) -> tuple[Generated, list[str | None]]:
    """The batches of an indexed plan again, one test after another: for one decision an index is not worth its making."""
    module = ModuleBuilder("<lean>", index_from=None)
    names: list[str | None] = []
    for section in sections:
        known: str | None = None
        if section.rules:
            known = module.batch("lean", section.batch.conditions, section.batch.on_error, {}).function
        names.append(known)
    return Generated(*module.build()), names


def _rule(rule: CompiledRule) -> tuple[Any, ...]:
    hints: tuple[Any, ...] | None = ()
    if rule.because is not None and not rule.observe:
        found = []
        for change, _ in zip(changes(rule.condition, rule.kind == "allow"), range(_MOST_CHANGES), strict=False):
            absent = type(change.value) not in _ATOMS
            found.append((change.steps, absent, None if absent else change.value, change.text))
        hints = tuple(found)
    return (rule.id, rule.kind, rule.layer, rule.observe, _note(rule.because), _note(rule.detail), hints)


def _note(message: Message | None) -> str | bool | None:
    """The text of a note; False where it needs the full engine, None where there is none."""
    if message is None:
        return None
    pieces = []
    for part in message.parts:
        if isinstance(part, str):
            pieces.append(part)
        elif isinstance(part.expression, Literal):
            pieces.append(shown(part.expression.value))
        else:
            return False
    return "".join(pieces)


def is_plain(value: Any) -> bool:
    """Whether a constant of generated code means the same without the engine's classes."""
    if value is None or type(value) in (bool, int, float, str, bytes):
        return True
    if type(value) in (list, tuple, frozenset, set):
        return all(is_plain(item) for item in value)
    return type(value) is dict and all(is_plain(part) for pair in value.items() for part in pair)


def spec_of(wanted: Type, bounds: Bounds | None = None) -> Spec:
    """What a value must be, for `lean/shapes.py`; raises `NotSimple`."""
    spec = _spec(wanted, bounds or _FREE)
    tests = tuple(_tests(bounds or _FREE))
    return ("bounded", spec, tests) if tests else spec


def _spec(wanted: Type, bounds: Bounds) -> Spec:
    match wanted:
        case BasicType() if wanted in _WORDS:
            return (_WORDS[wanted],)
        case EnumType(options) if options:
            return ("enum", frozenset(options))
        case ListType(element):
            return ("list", spec_of(element, bounds.items))
        case MapType(key, value) if key == STRING:
            return ("map", spec_of(value, bounds.values))
        case RecordType():
            fields = {field.name: spec_of(field.type, field.bounds) for field in wanted.fields}
            required = [field.name for field in wanted.fields if field.required]
            return ("record", fields, required, None if wanted.rest is None else spec_of(wanted.rest))
        case UnionType(options) if len(options) == 2 and NULL in options:
            other = options[0] if options[1] == NULL else options[1]
            return ("nullable", _spec(other, bounds))
        case _:
            raise NotSimple


def _tests(bounds: Bounds) -> Iterator[tuple[str, float | None, float | None]]:
    if bounds.options is not None or bounds.multiple_of is not None or bounds.pattern is not None:
        raise NotSimple
    if bounds.unique or bounds.positions:
        raise NotSimple
    if bounds.minimum is not None or bounds.maximum is not None:
        yield "within", bounds.minimum, bounds.maximum
    if bounds.above is not None or bounds.below is not None:
        yield "between", bounds.above, bounds.below
    if bounds.min_length is not None or bounds.max_length is not None:
        yield "characters", bounds.min_length, bounds.max_length
    if bounds.min_items is not None or bounds.max_items is not None:
        yield "items", bounds.min_items, bounds.max_items
