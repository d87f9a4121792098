"""The one model of a diagnostic. Checks make it, renderers show it, nobody formats messages anywhere else."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal as OneOf, TypeAlias

from policy_engine.base.source import Span

Severity: TypeAlias = OneOf["error", "warning", "note"]


@dataclass(frozen=True, slots=True)
class Code:
    """A stable code (`type-mismatch`) with its page: `policy rule type-mismatch` prints it, offline.

    Declared in the file of the check that raises it. `explanation` is Markdown: what it means, why it matters, a
    policy that has it and the same policy mended. `severity` is that of every diagnostic with this code.
    """

    name: str
    title: str
    explanation: str
    severity: Severity = "error"


@dataclass(frozen=True, slots=True)
class Label:
    """A stretch of source to underline, with words beside it (may be empty). The first label of a diagnostic is its place."""

    span: Span
    text: str = ""


@dataclass(frozen=True, slots=True)
class Edit:
    """Replace the text of `span` by `text`."""

    span: Span
    text: str


@dataclass(frozen=True, slots=True)
class Fix:
    """A change that removes the finding. `safe` = it cannot change a decision in a direction nobody asked for."""

    title: str
    edits: tuple[Edit, ...]
    safe: bool


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding.

    `message` is complete in itself; `effect` says what the mistake does to decisions; `suggestion` (the `try:` line)
    is what to write instead; `notes` are further lines.
    """

    code: Code
    message: str
    labels: tuple[Label, ...]
    effect: str | None = None
    suggestion: str | None = None
    notes: tuple[str, ...] = ()
    fixes: tuple[Fix, ...] = ()

    @property
    def severity(self) -> Severity:
        """`error`, `warning` or `note`; only errors stop a load."""
        return self.code.severity

    @property
    def span(self) -> Span:
        """Its place."""
        return self.labels[0].span


class PolicyError(Exception):
    """A policy that cannot be used. `diagnostics` holds every finding of the run, errors first."""

    def __init__(self, diagnostics: Iterable[Diagnostic]) -> None:
        self.diagnostics = tuple(diagnostics)
        super().__init__("\n".join(f"{d.span}: {d.severity}[{d.code.name}]: {d.message}" for d in self.diagnostics))


def has_errors(diagnostics: Iterable[Diagnostic]) -> bool:
    """Whether any of them stops a load."""
    return any(diagnostic.severity == "error" for diagnostic in diagnostics)


class Collector:
    """Where passes put what they find. Not thread-safe; one a run."""

    def __init__(self) -> None:
        self.diagnostics: list[Diagnostic] = []
        self.told = 0

    def add(self, diagnostic: Diagnostic) -> None:
        """Keep it, unless the very same finding is there already; `told` counts each time."""
        self.told += 1
        if diagnostic not in self.diagnostics:
            self.diagnostics.append(diagnostic)

    @property
    def failed(self) -> bool:
        """Whether an error was added."""
        return has_errors(self.diagnostics)
