"""Checks of a layer's `default escalate` ladder, and of its histories' keys. Both are about any tool."""

from __future__ import annotations

from policy_engine.compiler.analysis.checking import Bench, LayerTools
from policy_engine.compiler.analysis.draft import Subject
from policy_engine.compiler.analysis.executability import check_default_executable
from policy_engine.compiler.analysis.outcomes import check_ladder

ANY_TOOL = Subject("any tool", False)
"""Stands for whatever tool a default is about: its arguments are of any type."""


def check_default(tools: LayerTools) -> None:
    """Findings about the default and the histories of a layer."""
    bench = Bench(tools, ANY_TOOL, "call", None)
    default = tools.layer.default
    if default is not None and default.ladder is not None:
        check_ladder(bench, default.ladder, output=False)
    for history in tools.layer.histories.values():
        bench.checked(history.key)
    if tools.draft.executable:
        check_default_executable(bench, default)
    for diagnostic in bench.collector.diagnostics:
        tools.draft.collector.add(diagnostic)
