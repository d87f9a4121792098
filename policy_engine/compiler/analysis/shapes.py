"""Pass: what principals, contexts, agents and approvers look like, as each layer declares them.

Rules are checked against the closed record of their own layer, so that a misspelt field is an error; at run time a
value must have what *every* layer declares, and may have more.
"""

from __future__ import annotations

from dataclasses import replace

from policy_engine.base.source import Span
from policy_engine.compiler.analysis.draft import Draft, Layer
from policy_engine.compiler.analysis.written_types import record_of
from policy_engine.diagnostics.model import Code
from policy_engine.semantics.ast.policy import Shape
from policy_engine.semantics.types import DYN, STRING, EnumType, RecordField, RecordType

CONFLICTING_SHAPES = Code(
    "conflicting-shapes",
    "Two declarations of one field cannot both be met",
    "`principal`, `context`, `agent` and `approver` are given by the host and must fit every declaration of every layer."
    " Two that give one field different types would refuse every request.\n\n"
    "```\nprincipal { id: string, level: int }        // policy\n"
    "principal { level: string }                 // layer above\n```\n"
    "Give both the same type.",
)
CODES = (CONFLICTING_SHAPES,)


def read_shapes(draft: Draft) -> None:
    """Fill `layer.shapes` (closed, for checking) and `draft.records` (open, for requests)."""
    demanded: dict[str, list[RecordType]] = {}
    first: dict[tuple[str, str], tuple[RecordField, Span]] = {}
    seen: set[int] = set()
    for layer in draft.layers:
        for _, item in layer.items():
            if isinstance(item, Shape):
                record = record_of(draft, item)
                _join(layer, record)
                if id(item) not in seen:
                    seen.add(id(item))
                    _compare(draft, item, record, first)
                    demanded.setdefault(item.subject, []).append(replace(record, rest=DYN))
    draft.records = {subject: tuple(records) for subject, records in demanded.items()}


def _join(layer: Layer, record: RecordType) -> None:
    known = layer.shapes.get(record.name)
    if known is not None:
        fields = {field.name: field for field in (*record.fields, *known.fields)}
        for name in fields:
            ours, theirs = record.field(name), known.field(name)
            if ours is not None and theirs is not None:
                fields[name] = replace(ours, required=ours.required or theirs.required)
        record = replace(record, fields=tuple(fields[name] for name in sorted(fields)))
    layer.shapes[record.name] = record


def _compare(
    draft: Draft, shape: Shape, record: RecordType, first: dict[tuple[str, str], tuple[RecordField, Span]]
) -> None:
    for written in shape.fields:
        declared = record.field(written.name.text)
        assert declared is not None
        other, place = first.setdefault((shape.subject, declared.name), (declared, written.name.span))
        if declared.type == other.type or _compatible(declared, other):
            continue
        draft.report(
            CONFLICTING_SHAPES,
            f"`{shape.subject}.{declared.name}` is declared {declared.type} here and {other.type} elsewhere",
            (written.name.span, str(declared.type)), (place, str(other.type)),
            effect="no request could fit both, so every call would be denied",
            suggestion=f"give `{declared.name}` one type in all files",
        )  # fmt: skip


def _compatible(one: RecordField, other: RecordField) -> bool:
    """A closed set of words and plain text can be met together, as can two sets that share a word, and `dyn` with all."""
    if DYN in (one.type, other.type):
        return True
    if isinstance(one.type, EnumType) and isinstance(other.type, EnumType):
        return bool(set(one.type.options) & set(other.type.options))
    return all(field.type == STRING or isinstance(field.type, EnumType) for field in (one, other))
