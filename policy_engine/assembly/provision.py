"""What `load` and `loads` were given, written down so that `redo` can load the very same policy from a store alone.

Nothing is written down before somebody asks (`Policy.provision`): the audit does, once for each policy.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from policy_engine.assembly.host_functions import HostFunction
from policy_engine.audit.encoding import Unreadable, from_json, to_json
from policy_engine.base.provision import Provision, ProvisionError
from policy_engine.base.source import Source
from policy_engine.base.version import ENGINE_VERSION
from policy_engine.compiler.caching.plain import Decoder, Encoder, Unencodable
from policy_engine.compiler.cel.type_text import read_type
from policy_engine.semantics.artifact import CompiledPolicy, EventPlan, ToolPlan
from policy_engine.semantics.schema.tools import ToolSchema
from policy_engine.semantics.types import Type

FORMAT: Final = 1
_TOOL_PARTS: Final = ("name", "input", "output", "annotations", "description", "span")


@dataclass(frozen=True)
class Given:
    """What the host gave beside the files."""

    params: Mapping[str, Any]
    functions: Sequence[HostFunction]
    tools: Sequence[ToolSchema]


@dataclass(frozen=True)
class Files:
    """What was read: `entries` and `under` are names of files to begin with, `references` leads from (what a file refers to,
    that file) to a name, `shown` is how messages call a file."""

    entries: Sequence[str]
    under: Sequence[str]
    references: Mapping[tuple[str, str], str]
    shown: Mapping[str, str]
    contents: Mapping[str, bytes]


def provision_of(policy: CompiledPolicy, files: Files, given: Given) -> Provision:
    """The provision of a policy; raises `ProvisionError` for a param, schema or type that cannot be written down."""
    sources: list[Source] = []
    encoder = Encoder(sources)
    try:
        tools = [[to_json(encoder.encode(getattr(tool, part))) for part in _TOOL_PARTS] for tool in given.tools]
        functions = [
            {
                "name": host.name, "pure": host.pure, "params": [_type(one, encoder) for one in host.params],
                "result": _type(host.result, encoder), "meaning": host.meaning,
            }
            for host in given.functions
        ]  # fmt: skip
    except Unencodable as fault:
        raise ProvisionError(f"a tool or function of the host cannot be written down: {fault}") from None
    params = {name: to_json(value) for name, value in given.params.items()}
    for name, value in params.items():
        if isinstance(from_json(value), Unreadable):
            raise ProvisionError(f"the value of the param `{name}` cannot be written down")
    about = {
        "format": FORMAT, "engine": ENGINE_VERSION, "name": policy.name, "version": policy.version,
        "entries": list(files.entries), "under": list(files.under),
        "references": sorted([reference, file, found] for (reference, file), found in files.references.items()),
        "shown": dict(files.shown), "params": params, "tools": tools, "functions": functions,
        "texts": [[source.name, source.text] for source in sources], "tags": tags_of(policy),
    }  # fmt: skip
    return Provision(dict(files.contents), about)


def _type(given: str | Type, encoder: Encoder) -> Any:
    return to_json(encoder.encode(read_type(given) if isinstance(given, str) else given))


def tags_of(policy: CompiledPolicy) -> dict[str, list[str]]:
    """The tags of every rule that has any."""
    found: dict[str, set[str]] = {}
    plans: list[ToolPlan | EventPlan] = [*policy.tools.values(), *policy.events.values()]
    for plan in plans:
        for section in (plan.rewrites, plan.decide, plan.result):
            for rule in section.rules:
                if rule.tags:
                    found.setdefault(rule.id, set()).update(rule.tags)
    return {rule: sorted(tags) for rule, tags in sorted(found.items())}


def given_again(about: Mapping[str, Any]) -> tuple[dict[str, Any], list[ToolSchema], list[dict[str, Any]]]:
    """Params, live tools and declared functions (with `Type`s) of an `about`."""
    decoder = Decoder([Source(name, text) for name, text in about["texts"]], _no_parts)
    alive: list[Any] = []  # the decoder knows tuples by their identity, so none may go before the last is decoded

    def decoded(data: Any) -> Any:
        alive.append(_tuples(from_json(data)))
        return decoder.decode(alive[-1])

    params = {name: from_json(value) for name, value in about["params"].items()}
    tools = [ToolSchema(*map(decoded, tool)) for tool in about["tools"]]
    functions = [
        {**one, "params": list(map(decoded, one["params"])), "result": decoded(one["result"])} for one in about["functions"]
    ]
    return params, tools, functions


def _tuples(value: Any) -> Any:
    """The encoder writes tuples; JSON made lists of them."""
    return tuple(map(_tuples, value)) if type(value) is list else value


def _no_parts(number: int) -> Any:
    raise ProvisionError(f"part {number} is not there")
