"""The compiler on one screen: a policy's files go through these passes, one after the other, and come out compiled.

Called by `assembly` (`load`, `check`). Pure but for the `SourceResolver` it is given. Every pass reports all it finds;
what is built is built only when no error was found.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

from policy_engine.base.source import Source
from policy_engine.compiler.analysis.building import build_policy
from policy_engine.compiler.analysis.conflicts import check_conflicts
from policy_engine.compiler.analysis.constancy import check_constancy
from policy_engine.compiler.analysis.data import read_data
from policy_engine.compiler.analysis.draft import Draft, SourceResolver
from policy_engine.compiler.analysis.duplicates import gather
from policy_engine.compiler.analysis.grants import check_grants
from policy_engine.compiler.analysis.host_functions import known_functions
from policy_engine.compiler.analysis.keys import take_shared
from policy_engine.compiler.analysis.reading import read_layers
from policy_engine.compiler.analysis.repeating import check_retries
from policy_engine.compiler.analysis.rules import check_rules
from policy_engine.compiler.analysis.shapes import read_shapes
from policy_engine.compiler.analysis.targets import read_groups
from policy_engine.compiler.analysis.tools import read_tool_schemas
from policy_engine.compiler.analysis.unused import check_unused
from policy_engine.compiler.caching.artifact import restored
from policy_engine.compiler.caching.earlier import Earlier, Left, left
from policy_engine.compiler.caching.plain import Unencodable
from policy_engine.diagnostics.model import Diagnostic
from policy_engine.semantics.artifact import CompiledPolicy
from policy_engine.semantics.ast.policy import PolicyFile
from policy_engine.semantics.functions.declaration import Function
from policy_engine.semantics.schema.tools import ToolSchema

__all__ = ["PASSES", "Compilation", "SourceResolver", "compile_policy"]

PASSES: Final[tuple[Callable[[Draft], None], ...]] = (
    read_layers,  # files → layers
    known_functions,  # the language's functions and the host's
    gather,  # declarations → tables; one name, one thing
    read_shapes,  # principal, context, agent, approver
    read_data,  # use data, param → constants
    read_tool_schemas,  # use tools, live tools, exact names → the tools there are
    read_groups,  # groups → their tools
    take_shared,  # all that is no rule → a part of every key
    check_rules,  # names, types, phases: each rule once for each of its tools
    check_conflicts,  # two rewrites of one place
    check_constancy,  # always and never
    check_grants,  # policies that say nothing, or grant nothing
    check_retries,  # retries that never happen
    check_unused,  # declared and never read
)
"""Every pass that looks, in order; `build_policy` follows where a policy is wanted and no error was found."""


@dataclass(frozen=True)
class Compilation:
    """What came of it. `policy` is None after an error, or where nothing executable was asked for.

    `extras` are the optional parts of the installation that it stands on. `left` is what a cache keeps of it, None where
    nobody asked, or a part cannot be kept.
    """

    policy: CompiledPolicy | None
    diagnostics: tuple[Diagnostic, ...]
    files: tuple[tuple[Source, PolicyFile], ...]
    extras: frozenset[str] = frozenset()
    left: Left | None = None


def compile_policy(
    entry: Sequence[str],
    resolver: SourceResolver,
    *,
    under: Sequence[str] = (),
    params: Mapping[str, Any] | None = None,
    functions: Sequence[Function] = (),
    tools: Sequence[ToolSchema] = (),
    executable: bool,
    keep: bool = False,
    before: Earlier | None = None,
) -> Compilation:
    """Compile the policy that begins with the files `entry`, beneath the layers `under` that the host imposes.

    `executable=True` (load) builds the policy, and refuses what is checked but not executed yet; with False (check)
    the findings are all there is. `keep` asks for what a cache keeps; then `before` is what an earlier compilation left,
    by the same engine, of the same entry, layers, params and tools: what has not changed since is not made again.
    """
    draft = Draft(entry, under, resolver, params or {}, functions, tools, executable)
    if keep and before is not None:
        draft.before = before.memory
    read_layers(draft)
    if draft.layers:
        for one in PASSES[1:]:
            one(draft)
    if executable and draft.layers and not draft.collector.failed:
        build_policy(draft)
    order = {"error": 0, "warning": 1, "note": 2}
    found = sorted(draft.collector.diagnostics, key=lambda diagnostic: order[diagnostic.severity])
    files = tuple((file.source, file.tree) for file in draft.files())
    done = Compilation(draft.policy, tuple(found), files, frozenset(draft.extras))
    if not keep or done.policy is None or draft.collector.failed:
        return done
    try:
        kept = left(draft, files, before)
    except Unencodable:
        if not draft.kept:
            return done
        return compile_policy(
            entry, resolver, under=under, params=params, functions=functions, tools=tools, executable=executable, keep=keep
        )  # fmt: skip
    return replace(done, policy=restored(kept.made) if kept.kept else done.policy, left=kept)
