"""Every code there is, in one visible tuple of the modules that declare them: what `policy rule` can explain."""

from __future__ import annotations

from typing import Final, Protocol

from policy_engine.cli.cases import codes as cases
from policy_engine.compiler.analysis import (
    conflicts,
    constancy,
    data,
    duplicates,
    executability,
    grants,
    host_functions,
    labelling,
    lets,
    limits,
    notes,
    outcomes,
    phases,
    reading,
    repeating,
    schema_files,
    shapes,
    targets,
    tools,
    unused,
    written_types,
)
from policy_engine.compiler.cel import codes as expressions
from policy_engine.compiler.cel.checker import access, calls, equality, names, operators
from policy_engine.compiler.language import checks, codes as language
from policy_engine.diagnostics.model import Code
from policy_engine.semantics.schema import faults as schemas, tools as tool_lists


class _Declaring(Protocol):
    """A module with codes."""

    @property
    def CODES(self) -> tuple[Code, ...]: ...


MODULES: Final[tuple[_Declaring, ...]] = (
    language, checks,
    expressions, names, access, operators, equality, calls,
    schemas, tool_lists,
    reading, duplicates, tools, targets, shapes, written_types, data, lets, phases, labelling, outcomes, limits, notes,
    conflicts, constancy, grants, repeating, unused, host_functions, schema_files, executability,
    cases,
)  # fmt: skip
"""A new module with codes is added here; a test compares the row with the source."""
ALL_CODES: Final = tuple(code for module in MODULES for code in module.CODES)
BROKEN_INPUT: Final = frozenset({
    "unreadable-file", "not-utf8", "use-cycle", "under-cycle", "duplicate-name", "missing-header", "empty-policy",
    "broken-data", "not-json", "not-a-tool-list", "cases-unreadable", "duplicate-tool", "repeated-tool",
    "unknown-target",
})  # fmt: skip
"""Codes that say a file cannot be taken for a policy at all: `policy check` exits 2 for them, 1 for other findings."""
