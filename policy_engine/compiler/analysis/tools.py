"""Pass: which tools there are. A tool is known when a schema lists it or a rule names it exactly; a glob never does.

At run time a tool that is not in this table is denied, so the table is the whole world of the policy.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Final

from policy_engine.base.source import Span
from policy_engine.compiler.analysis.draft import Draft, Layer, LoadedFile, Subject
from policy_engine.compiler.analysis.reading import read_text
from policy_engine.diagnostics.model import Code, Collector
from policy_engine.diagnostics.suggest import nearest
from policy_engine.semantics.ast.policy import (
    Breaker,
    Default,
    ElseCall,
    ElseEscalate,
    ElseRetry,
    Escalation,
    Group,
    Limit,
    Otherwise,
    RuleHead,
    Target,
    Timeout,
    UseTools,
    Validation,
)
from policy_engine.semantics.schema.tools import ToolSchema, read_tools

DUPLICATE_TOOL = Code(
    "duplicate-tool",
    "Two schemas describe one tool differently",
    "Arguments are validated against a tool's schema before any rule; two that disagree would leave open what passes."
    ' Give the files different prefixes.\n\n```\nuse tools "crm.tools.json" as crm\n'
    'use tools "billing.tools.json" as billing\n```',
)
TOOL_DIFFERS = Code(
    "tool-differs",
    "A live tool differs from its schema in the policy's files",
    "The host offers a tool whose schema is not the one the policy was written for. The file stands: arguments are"
    " validated against what the rules were checked with.\n\nUpdate the schema file from the live server, and read the"
    " rules about this tool again.",
    "warning",
)
UNTYPED_TOOL = Code(
    "untyped-tool",
    "A rule names a tool that no schema lists",
    "The tool is known by this name, its arguments are of any type (`dyn`), so a misspelt argument is found only at run"
    ' time, where it is an error and falls to the safe side.\n\n```\nuse tools "crm.tools.json" as crm      // types for'
    " crm.refund\n```",
    "note",
)
MISSPELT_TOOL = Code(
    "misspelt-tool",
    "A tool is not in the schema its prefix belongs to",
    "The prefix was given to a file with `use tools … as`, and that file does not list the tool but one with a similar"
    " name. A `deny` on a misspelt tool protects nothing.\n\n"
    "```\ndeny no-refunds on crm.refnd      // the file lists crm.refund\ndeny no-refunds on crm.refund\n```",
    "warning",
)
CODES = (DUPLICATE_TOOL, TOOL_DIFFERS, UNTYPED_TOOL, MISSPELT_TOOL)

MAX_KEPT_FILES: Final = 16
"""Schema files without a fault that are kept as they were read, so that loading again reads only what changed."""
_KEPT: Final[dict[tuple[str, str], tuple[ToolSchema, ...]]] = {}


def read_tool_schemas(draft: Draft) -> None:
    """Fill `draft.tools` from schema files, the host, and the exact names in rules and groups."""
    aliases = set()
    read: dict[tuple[str, str], tuple[ToolSchema, ...]] = {}
    for layer in draft.layers:
        for file, item in layer.items():
            if isinstance(item, UseTools):
                aliases.add("" if item.alias is None else item.alias.text)
                _read(draft, file, item, read)
    for schema in draft.host_tools:
        _live(draft, schema)
    for layer in draft.layers:
        for target in exact_targets(layer):
            if target.text not in draft.tools:
                _untyped(draft, target, aliases)
    draft.tools = {name: draft.tools[name] for name in sorted(draft.tools)}
    known = [(name, tool.input, tool.output, sorted(tool.annotations.items())) for name, tool in draft.tools.items()]
    draft.material.append(("tools", repr(known).encode()))


def _read(
    draft: Draft, file: LoadedFile, item: UseTools, read: dict[tuple[str, str], tuple[ToolSchema, ...]]
) -> None:
    text = read_text(draft, item.file.text, file.canonical, item.file.span)
    if text is None:
        draft.schemas_missing = True
        return
    canonical, source = text
    prefix = "" if item.alias is None else f"{item.alias.text}."
    if (canonical, prefix) in read:
        return
    findings = Collector()
    schemas = _KEPT.get((source.name, source.text)) or read_tools(source, findings)
    read[canonical, prefix] = schemas
    draft.schemas_missing |= findings.failed
    for diagnostic in findings.diagnostics:
        draft.collector.add(diagnostic)
    if schemas and not findings.diagnostics:
        while len(_KEPT) >= MAX_KEPT_FILES:
            _KEPT.pop(next(iter(_KEPT)), None)
        _KEPT[source.name, source.text] = schemas
    draft.material.append((f"tools {prefix}", source.text.encode()))
    for schema in schemas:
        name = prefix + schema.name
        record = replace(schema.input, name=f"{name} arguments")  # how messages call it
        _add(draft, replace(schema, name=name, input=record), item.file.span)


def _add(draft: Draft, schema: ToolSchema, place: Span) -> None:
    tool = subject_of(schema)
    known = draft.tools.setdefault(tool.name, tool)
    if known is tool or (known.input, known.output) == (tool.input, tool.output):
        return
    draft.report(
        DUPLICATE_TOOL, f"two schemas describe `{tool.name}` differently", (place, "this file lists it again"),
        schema.span, *([known.span] if known.span is not None else []),
        effect="nobody could say which arguments are valid", suggestion="give each file its own prefix: use tools … as NAME",
    )  # fmt: skip


def _live(draft: Draft, schema: ToolSchema) -> None:
    tool = subject_of(schema)
    known = draft.tools.setdefault(tool.name, tool)
    if known is not tool and (known.input, known.output) != (tool.input, tool.output):
        draft.report(
            TOOL_DIFFERS, f"the live tool `{tool.name}` differs from its schema in the policy's files",
            known.span or schema.span, effect="arguments are validated against the file, not the live tool",
            suggestion="update the schema file from the server",
        )  # fmt: skip


def subject_of(schema: ToolSchema) -> Subject:
    """A tool as rules see it."""
    return Subject(schema.name, False, schema.input, schema.output, dict(schema.annotations), schema.span)


def _untyped(draft: Draft, target: Target, aliases: set[str]) -> None:
    name = target.text
    siblings = [tool for tool, subject in draft.tools.items() if subject.input is not None]
    near = nearest(name, siblings)
    draft.tools[name] = Subject(name, False, span=target.span)
    prefix = name.rpartition(".")[0]
    if prefix in aliases and near is not None and near.rpartition(".")[0] == prefix:
        draft.report(
            MISSPELT_TOOL, f"the schema behind `{prefix}` does not list `{name}`", target.span,
            effect=f"the rule speaks of a tool that may not exist; `{near}` is not touched by it",
            suggestion=f"did you mean `{near}`?",
        )  # fmt: skip
        return
    draft.report(
        UNTYPED_TOOL, f"no schema lists `{name}`; its arguments are of any type", target.span,
        effect="misspelt arguments are found only when a call is decided",
        suggestion=f"did you mean `{near}`?" if near else 'list it in a schema: use tools "….json"',
    )  # fmt: skip


def is_bare(target: Target) -> bool:
    """Whether a target is one word, which may be a group or a tool."""
    return target.kind == "name" and target.text.isidentifier()


def exact_targets(layer: Layer) -> Iterator[Target]:
    """Every target that names one tool exactly and so makes it known. A `let` does not: it is a word about tools."""
    for _, item in layer.items():
        for target in _included(item):
            if target.kind == "quoted" or (target.kind == "name" and not is_bare(target)):
                yield target


def _included(item: object) -> Iterator[Target]:
    match item:
        case RuleHead() | Group():
            yield from item.targets.included
        case _:
            pass
    match item:
        case Validation() | Limit() | Timeout() | Breaker():
            yield from _called(item.otherwise)
        case Escalation():
            yield from _called(item.ladder.otherwise)
        case Default() if item.ladder is not None:
            yield from _called(item.ladder.otherwise)
        case _:
            pass


def _called(otherwise: Otherwise | None) -> Iterator[Target]:
    """The tools that an `else call` names."""
    match otherwise:
        case ElseCall():
            yield otherwise.tool
        case ElseRetry():
            yield from _called(otherwise.otherwise)
        case ElseEscalate():
            yield from _called(otherwise.ladder.otherwise)
        case _:
            pass
