"""What the passes of the compiler work on: one draft a compilation, filled pass by pass, read by later ones.

A pass is a function `(Draft) -> None`. It reads what earlier passes filled in, fills in its own part and puts what it
finds into `draft.collector`. No pass stops the others: many findings in one run.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal as OneOf, Protocol

from policy_engine.base.source import Source, Span
from policy_engine.compiler.analysis.memory import Memory
from policy_engine.diagnostics.model import Code, Collector, Diagnostic, Label
from policy_engine.semantics.artifact import CompiledPolicy
from policy_engine.semantics.ast.policy import (
    Declaration,
    Default,
    Group,
    History,
    Item,
    Let,
    PolicyFile,
    Rule,
    RuleHead,
    Target,
    Targets,
)
from policy_engine.semantics.functions.declaration import Function
from policy_engine.semantics.schema.tools import ToolSchema
from policy_engine.semantics.types import DYN, RecordType, Type


class SourceResolver(Protocol):
    """The compiler's only way to files. Implemented at `assembly`, and in memory by tests."""

    def resolve(self, reference: str, relative_to: str | None) -> str:
        """The canonical id of a file named in the file `relative_to`; raises `FileNotFoundError`."""
        ...

    def read(self, canonical: str) -> bytes:
        """Its content; raises `OSError`."""
        ...

    def display(self, canonical: str) -> str:
        """What a person would call it."""
        ...


@dataclass(frozen=True, eq=False)
class LoadedFile:
    """One policy file that was read and parsed. `rules` and `declarations` are its items in the order written."""

    canonical: str
    source: Source
    tree: PolicyFile

    @property
    def name(self) -> str:
        """The policy's name, with which its rules are cited."""
        return self.tree.header.name.text

    @property
    def rules(self) -> Iterator[Rule]:
        """Its rules."""
        return (item for item in self.tree.items if isinstance(item, RuleHead))

    @property
    def declarations(self) -> Iterator[Declaration]:
        """Everything else."""
        return (item for item in self.tree.items if not isinstance(item, RuleHead))


@dataclass(frozen=True, eq=False)
class Constant:
    """A name whose value is known when the policy is compiled: a `param`, a datum or a group."""

    kind: OneOf["param", "data", "group"]
    value: Any
    type: Type
    span: Span


class TargetTable(Protocol):
    """Resolves the targets of one layer; see `targets.TargetResolver`."""

    used_groups: set[str]

    def resolve(self, targets: Targets, what: str) -> tuple[Subject, ...]:
        """The tools and events these targets stand for; `what` is for messages."""
        ...

    def one_tool(self, target: Target) -> Subject | None:
        """The tool that `else call` names."""
        ...


@dataclass(eq=False)
class Layer:
    """One layer: files that speak with one voice. Index 0 is the policy; imposed layers are the highest.

    `read_names` collects the declared names that some rule reads, for the check of unused ones.
    """

    index: int
    files: list[LoadedFile]
    imposed: bool = False
    lets: dict[str, list[Let]] = field(default_factory=dict)
    groups: dict[str, Group] = field(default_factory=dict)
    histories: dict[str, History] = field(default_factory=dict)
    constants: dict[str, Constant] = field(default_factory=dict)
    shapes: dict[str, RecordType] = field(default_factory=dict)
    default: Default | None = None
    read_names: set[str] = field(default_factory=set)
    targets: TargetTable = field(init=False)

    @property
    def name(self) -> str:
        """The name of the layer's first file."""
        return self.files[0].name

    def items(self) -> Iterator[tuple[LoadedFile, Item]]:
        """Every item of every file of the layer, with its file."""
        for file in self.files:
            for item in file.tree.items:
                yield file, item

    def rules(self) -> Iterator[tuple[LoadedFile, Rule]]:
        """Every rule of the layer, with its file."""
        for file in self.files:
            for rule in file.rules:
                yield file, rule


@dataclass(frozen=True, eq=False)
class Subject:
    """What a rule is checked for: a tool (with its types; `input` None = any arguments) or an event such as `@answer`."""

    name: str
    event: bool
    input: RecordType | None = None
    output: Type = DYN
    annotations: Mapping[str, Any] = field(default_factory=dict)
    span: Span | None = None

    @property
    def args_type(self) -> Type:
        """The type of the name `args`."""
        return DYN if self.input is None else self.input


@dataclass(eq=False)
class Draft:
    """The state of one compilation: what it was asked (the first block) and what the passes worked out.

    `checked` holds `rules.CheckedRule`, `layer_tools` a `checking.LayerTools` a layer; both stand above this module.
    `before` is what an earlier compilation left, `after` what this one leaves; tools in `kept` have the plan of that key
    in `before`, and none in `policy`. `shared` is the part of every key that stands for all that is no rule (`keys`).
    """

    entry: Sequence[str]
    under: Sequence[str]
    resolver: SourceResolver
    params: Mapping[str, Any]
    host_functions: Sequence[Function]
    host_tools: Sequence[ToolSchema]
    executable: bool
    collector: Collector = field(default_factory=Collector)

    functions: Mapping[str, Function] = field(default_factory=dict)
    layers: list[Layer] = field(default_factory=list)
    tools: dict[str, Subject] = field(default_factory=dict)
    labels: dict[str, Span] = field(default_factory=dict)
    queues: dict[str, Span] = field(default_factory=dict)
    used_labels: set[str] = field(default_factory=set)
    used_queues: set[str] = field(default_factory=set)
    records: dict[str, tuple[RecordType, ...]] = field(default_factory=dict)
    given_params: dict[str, Any] = field(default_factory=dict)
    material: list[tuple[str, bytes]] = field(default_factory=list)
    checked: list[Any] = field(default_factory=list)
    layer_tools: list[Any] = field(default_factory=list)
    shared: bytes | None = None
    schemas: dict[tuple[str | None, str], str] = field(default_factory=dict)
    extras: set[str] = field(default_factory=set)
    schemas_missing: bool = False
    policy: CompiledPolicy | None = None
    before: Memory = field(default_factory=Memory)
    after: Memory = field(default_factory=Memory)
    kept: dict[str, bytes] = field(default_factory=dict)

    def report(
        self,
        code: Code,
        message: str,
        *labels: tuple[Span, str] | Span,
        effect: str | None = None,
        suggestion: str | None = None,
        notes: tuple[str, ...] = (),
    ) -> None:
        """Put one finding into the collector; the first label is its place."""
        self.collector.add(finding(code, message, *labels, effect=effect, suggestion=suggestion, notes=notes))

    def files(self) -> Iterator[LoadedFile]:
        """Every file once, in the order of the layers."""
        seen: set[str] = set()
        for layer in self.layers:
            for file in layer.files:
                if file.canonical not in seen:
                    seen.add(file.canonical)
                    yield file


def finding(
    code: Code,
    message: str,
    *labels: tuple[Span, str] | Span,
    effect: str | None = None,
    suggestion: str | None = None,
    notes: tuple[str, ...] = (),
) -> Diagnostic:
    """A diagnostic from spans with or without words beside them."""
    made = tuple(Label(*label) if isinstance(label, tuple) else Label(label) for label in labels)
    return Diagnostic(code, message, made, effect, suggestion, notes)
