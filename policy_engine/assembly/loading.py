"""`load` and `check`: from files to a policy that decides, or to every diagnostic there is to say."""

from __future__ import annotations

import marshal
import os
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial
from typing import Any, TypeAlias

from policy_engine.assembly.caching.recording import RecordingResolver
from policy_engine.assembly.caching.store import Found, shelf
from policy_engine.assembly.clock import clock_from
from policy_engine.assembly.collecting import uncollected
from policy_engine.assembly.files import FileResolver, MemoryResolver, entries
from policy_engine.assembly.host_functions import HostFunction
from policy_engine.assembly.provision import Files, Given, provision_of
from policy_engine.base.provision import ProvisionError
from policy_engine.compiler.caching.earlier import Earlier
from policy_engine.compiler.pipeline import Compilation, SourceResolver, compile_policy
from policy_engine.diagnostics.model import Diagnostic, PolicyError, has_errors
from policy_engine.runtime.engine import Policy
from policy_engine.runtime.ports.history import HistoryStore
from policy_engine.semantics.linking import Linked
from policy_engine.semantics.schema.tools import ToolSchema
from policy_engine.stores.memory.history import MemoryHistory

Paths: TypeAlias = str | os.PathLike[str] | Sequence[str | os.PathLike[str]]


def load(
    path: Paths,
    *,
    under: Sequence[str | os.PathLike[str]] = (),
    params: Mapping[str, Any] | None = None,
    functions: Sequence[HostFunction] = (),
    tools: Sequence[ToolSchema] = (),
    clock: Callable[[], datetime] | None = None,
    history: HistoryStore | None = None,
) -> Policy:
    """Read, check and compile a policy: a `.policy` file, several, or a folder of them (one layer).

    `under` imposes layers above it, which the policy cannot drop; `params` gives values to its `param`s; `functions` are
    those of the host that conditions may call; `tools` adds live tools' schemas to those of `use tools`; `clock`
    replaces the machine's (aware datetimes); `history` keeps calls across runs for `history NAME by …` (None = in memory,
    for this policy alone).
    Raises `PolicyError` with every diagnostic, so that a policy that does not load stops the start; `FileNotFoundError`
    for a path that is not there.
    A policy that was compiled before, of the same files, engine and Python, is taken from the cache; where the files have
    changed, what has not changed in them is (docs/threat-model.md; `POLICY_CACHE=off` for none).
    """
    files, resolver = entries(path), RecordingResolver(FileResolver())
    place = None if functions else shelf(files, [os.fspath(layer) for layer in under], params or {}, tools)
    known = None if place is None else place.find()
    given = Given(dict(params or {}), tuple(functions), tuple(tools))
    if isinstance(known, Found):
        return Policy(
            known.policy, clock_from(clock), history=history or MemoryHistory(),
            provider=partial(provision_of, known.policy, known.files, given),
        )  # fmt: skip
    compilation = compiled(
        resolver, files, under=under, params=params, functions=functions, tools=tools, executable=True,
        keep=place is not None, before=known,
    )  # fmt: skip
    if place is not None and compilation.left is not None:
        if not compilation.extras:  # each start must see that an extra is still there
            place.keep(compilation.left, resolver)
        compilation = _without_rests(compilation)
    resolver.pack()
    return _policy(compilation, clock, history, given, partial(_read, resolver, files, under))


def loads(
    text: str,
    *,
    files: Mapping[str, str | bytes] | None = None,
    under: Sequence[str] = (),
    params: Mapping[str, Any] | None = None,
    functions: Sequence[HostFunction] = (),
    tools: Sequence[ToolSchema] = (),
    clock: Callable[[], datetime] | None = None,
    history: HistoryStore | None = None,
) -> Policy:
    """The same from a text; `files` holds what it uses, by the names it uses. Raises `PolicyError`."""
    resolver = RecordingResolver(MemoryResolver({**(files or {}), "policy": text}))
    compilation = compiled(
        resolver, ["policy"], under=under, params=params, functions=functions, tools=tools, executable=True
    )
    given = Given(dict(params or {}), tuple(functions), tuple(tools))
    resolver.pack()
    return _policy(compilation, clock, history, given, partial(_read, resolver, ["policy"], under))


def check(
    path: Paths,
    *,
    under: Sequence[str | os.PathLike[str]] = (),
    params: Mapping[str, Any] | None = None,
    functions: Sequence[HostFunction] = (),
    tools: Sequence[ToolSchema] = (),
) -> tuple[Diagnostic, ...]:
    """Everything there is to say about a policy, errors first; empty = nothing. Knows the whole language.

    `functions` declares what the host registers, so that rules using it can be checked. Raises `FileNotFoundError`.
    """
    return compiled(
        FileResolver(), entries(path), under=under, params=params, functions=functions, tools=tools, executable=False
    ).diagnostics


def compiled(
    resolver: SourceResolver,
    files: Sequence[str],
    *,
    under: Sequence[str | os.PathLike[str]] = (),
    params: Mapping[str, Any] | None = None,
    functions: Sequence[HostFunction] = (),
    tools: Sequence[ToolSchema] = (),
    executable: bool,
    keep: bool = False,
    before: Earlier | None = None,
) -> Compilation:
    """The compilation itself, for commands that need files and diagnostics together."""
    with uncollected():
        return compile_policy(
            files, resolver, under=[os.fspath(layer) for layer in under], params=params or {},
            functions=[one.function for one in functions], tools=tools, executable=executable, keep=keep, before=before,
        )  # fmt: skip


def _policy(
    compilation: Compilation, clock: Callable[[], datetime] | None, history: HistoryStore | None, given: Given,
    files: Callable[[], Files],
) -> Policy:  # fmt: skip
    policy = compilation.policy
    if policy is None or has_errors(compilation.diagnostics):
        raise PolicyError(compilation.diagnostics)
    return Policy(
        policy, clock_from(clock), records=bool(given.functions), history=history or MemoryHistory(),
        provider=lambda: provision_of(policy, files(), given),
    )  # fmt: skip


def _without_rests(compilation: Compilation) -> Compilation:
    """The same without what was for the cache, and with code that was never written to it: Python holds what it wrote of a
    function beside the function."""
    policy = compilation.policy
    if policy is not None and not isinstance(policy.constants, Linked):
        policy = replace(policy, code=marshal.loads(marshal.dumps(policy.code)))
    return replace(compilation, policy=policy, left=None)


def _read(resolver: RecordingResolver, files: Sequence[str], under: Sequence[str | os.PathLike[str]]) -> Files:
    """What was read to make a policy."""
    if not resolver.complete:
        raise ProvisionError("a file of the policy was changed while it was loaded: load it again")
    entered = resolver.entered
    return Files(
        [entered[file] for file in files], [entered[os.fspath(layer)] for layer in under], resolver.references,
        resolver.shown, resolver.unpacked(),
    )  # fmt: skip
