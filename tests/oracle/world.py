"""What the oracle decides in: layers of parsed policies, tools with simple schemas, and naive reading of arguments.

A simple type is `string int double bool any`, `("enum", "a", "b")`, `("list", T)`, `("nullable", T)`,
`("record", {name: (T, required)})`; closed unless `("record", fields, "open")`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from policy_engine.base.request import Agent, Principal
from policy_engine.base.source import Source
from policy_engine.base.values import Duration, Timestamp, UInt, duration_of, timestamp_of
from policy_engine.compiler.language.parser import parse_policy
from policy_engine.diagnostics.model import Collector
from policy_engine.semantics.ast import policy as tree

SimpleType = Any
Fields = Mapping[str, tuple[SimpleType, bool]]


class Misfit(Exception):
    """A value that does not fit."""


@dataclass(frozen=True)
class File:
    """One parsed file of a layer."""

    name: str
    parsed: tree.PolicyFile


@dataclass(frozen=True)
class World:
    """Layers (the policy itself first, the highest last), each a list of files; tools; values of params and data."""

    layers: Sequence[Sequence[File]]
    tools: Mapping[str, Fields | None]
    params: Mapping[str, Any] = field(default_factory=dict)
    data: Mapping[str, Any] = field(default_factory=dict)

    def known_tools(self) -> dict[str, Fields | None]:
        """Those with a schema, and those that a rule, or a group for rules, names exactly."""
        known = dict(self.tools)
        for layer in self.layers:
            groups = {item.name.text for item in items(layer, tree.Group)}
            for item in [*items(layer, tree.RuleHead), *items(layer, tree.Group)]:
                for target in item.targets.included:
                    exact = target.kind == "quoted" or (target.kind == "name" and target.text not in groups)
                    if exact and target.text not in known:
                        known[target.text] = None
        return known


def parsed(text: str, name: str = "policy") -> File:
    """A file from its text."""
    collector = Collector()
    file = parse_policy(Source(name, text), collector)
    assert file is not None and not collector.failed, collector.diagnostics
    return File(file.header.name.text, file)


def items(layer: Sequence[File], kind: type[Any]) -> list[Any]:
    """All items of one class in a layer."""
    return [item for file in layer for item in file.parsed.items if isinstance(item, kind)]


# ------------------------------------------------------------------ targets
def targeted(targets: tree.Targets, layer: Sequence[File], known: Mapping[str, Any]) -> set[str]:
    """The tools and events that targets stand for."""
    return _all(targets.included, layer, known) - _all(targets.excluded, layer, known)


def _all(targets: Sequence[tree.Target], layer: Sequence[File], known: Mapping[str, Any]) -> set[str]:
    found: set[str] = set()
    for target in targets:
        found |= set(_one(target, layer, known))
    return found


EVENTS = ("@input", "@step", "@answer", "@delegate", "@resource", "@prompt", "@run")


def _one(target: tree.Target, layer: Sequence[File], known: Mapping[str, Any]) -> Iterator[str]:
    if target.kind == "event":
        yield from EVENTS if target.text == "@*" else (target.text,)
    elif target.kind == "glob":
        yield from (name for name in known if glob(target.text, name))
    else:
        group = next((g for g in items(layer, tree.Group) if g.name.text == target.text), None)
        if target.kind == "name" and group is not None:
            yield from targeted(group.targets, layer, known)
        else:
            yield target.text


def glob(pattern: str, name: str) -> bool:
    """`*` stands for any characters, dots too."""
    if not pattern:
        return not name
    if pattern[0] == "*":
        return any(glob(pattern[1:], name[start:]) for start in range(len(name) + 1))
    return name[:1] == pattern[0] and glob(pattern[1:], name[1:])


# ------------------------------------------------------------------ values
def fit(kind: SimpleType, value: Any) -> Any:
    """The value as the rules see it; raises `Misfit`."""
    if isinstance(kind, tuple):
        return _fit_made(kind, value)
    if kind == "any":
        return anything(value)
    if kind == "string" and isinstance(value, str):
        return anything(value)
    if kind == "bool" and isinstance(value, bool):
        return value
    if kind == "int" and type(value) in (int, float) and value == value and abs(value) != math.inf and int(value) == value:
        return anything(int(value))
    if kind == "double" and type(value) in (int, float):
        return float(anything(value))
    raise Misfit(kind)


def _fit_made(kind: tuple[Any, ...], value: Any) -> Any:
    if kind[0] == "enum" and isinstance(value, str) and value in kind[1:]:
        return value
    if kind[0] == "nullable":
        return None if value is None else fit(kind[1], value)
    if kind[0] == "list" and isinstance(value, list):
        return [fit(kind[1], element) for element in value]
    if kind[0] == "record" and isinstance(value, Mapping):
        fields: Fields = kind[1]
        made = {}
        for name, item in value.items():
            if name in fields:
                made[name] = fit(fields[name][0], item)
            elif len(kind) == 3:
                made[name] = anything(item)
            else:
                raise Misfit(name)
        if any(required and name not in value for name, (_, required) in fields.items()):
            raise Misfit("missing")
        return made
    raise Misfit(kind)


def anything(value: Any) -> Any:
    """A value without a schema: JSON, 64 bits, no NaN, no half characters."""
    if isinstance(value, dict):
        return {anything(key): anything(item) for key, item in value.items()}
    if isinstance(value, list):
        return [anything(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        raise Misfit("no number")
    if type(value) is int and not -(2**63) <= value < 2**63:
        raise Misfit("64 bits")
    if isinstance(value, str) and any(0xD800 <= ord(c) < 0xE000 for c in value):
        raise Misfit("surrogate")
    return value


def given(value: Any) -> Any:
    """A host's value (principal, context, agent) as rules see it."""
    if isinstance(value, Principal | Agent):
        return given(dict(value.fields))
    if isinstance(value, Mapping):
        return {key: given(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [given(item) for item in value]
    if isinstance(value, datetime):
        return timestamp_of(value)
    if isinstance(value, timedelta):
        return duration_of(value)
    return value


WRITTEN = {"string": str, "int": int, "double": float, "bool": bool, "bytes": bytes, "uint": UInt,
           "timestamp": Timestamp, "duration": Duration}  # fmt: skip


def fits_shape(value: Any, shape: tree.Shape) -> Any:
    """A record against `principal { … }`: declared fields must fit, there may be more; raises `Misfit`."""
    made = dict(value)
    for declared in shape.fields:
        name = declared.name.text
        if name not in made:
            if declared.optional:
                continue
            raise Misfit(name)
        made[name] = fit_written(declared.type, made[name])
    return made


def fit_written(kind: tree.TypeExpr, value: Any) -> Any:
    """A value against a type as written in a policy."""
    if kind.name == "enum":
        return fit(("enum", *kind.options), value)
    if kind.name in ("list", "map"):
        raise Misfit("the oracle's shapes are flat")
    if kind.name in ("string", "int", "double", "bool"):
        return fit(kind.name, value)
    if type(value) is not WRITTEN[kind.name]:
        raise Misfit(kind.name)
    return value
