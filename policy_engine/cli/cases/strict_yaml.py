"""YAML read strictly, every value with its place: no tags, no duplicate keys, no dates by accident, no endless anchors.

Text that looks like a date stays text, `yes` and `on` stay text: only `true`, `false`, `null` and numbers are not text.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

import yaml

from policy_engine.base.limits import MAX_ARGS_DEPTH, MAX_ARGS_NODES
from policy_engine.base.source import Source, Span
from policy_engine.cli.cases.codes import CASES_UNREADABLE
from policy_engine.diagnostics.model import Diagnostic, Label, PolicyError


@dataclass(frozen=True, slots=True)
class Placed:
    """A value with its place. `value` is a scalar, a list of `Placed`, or a dict from text to (key span, `Placed`)."""

    value: Any
    span: Span

    def plain(self) -> Any:
        """The value without places."""
        if isinstance(self.value, dict):
            return {key: item.plain() for key, (_, item) in self.value.items()}
        if isinstance(self.value, list):
            return [item.plain() for item in self.value]
        return self.value


class _Loader(yaml.SafeLoader):
    """Knows only the scalars of JSON."""


_Loader.yaml_implicit_resolvers = {}
for _tag, _pattern, _first in (
    ("null", r"~|null|", ["~", "n", ""]),
    ("bool", r"true|false", list("tf")),
    ("int", r"[-+]?[0-9]+", list("-+0123456789")),
    (
        "float", r"[-+]?([0-9]+\.[0-9]*|\.[0-9]+|[0-9]+(?=[eE]))([eE][-+]?[0-9]+)?|[-+]?\.inf|\.nan",
        list("-+.0123456789"),
    ),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), _first)

_PLAIN: Final[Mapping[str, Callable[[str], Any]]] = {
    "tag:yaml.org,2002:null": lambda text: None,
    "tag:yaml.org,2002:bool": lambda text: text == "true",
    "tag:yaml.org,2002:int": int,
    "tag:yaml.org,2002:float": lambda text: float(text.replace(".inf", "inf").replace(".nan", "nan")),
    "tag:yaml.org,2002:str": str,
}


def read_yaml(source: Source) -> Placed:
    """The one document of a source; raises `PolicyError`."""
    try:
        node = yaml.compose(source.text, Loader=_Loader)
    except yaml.YAMLError as fault:
        mark = getattr(fault, "problem_mark", None)
        place = min(mark.index if mark is not None else getattr(fault, "position", 0) or 0, len(source.text))
        words = getattr(fault, "problem", None) or getattr(fault, "reason", None) or "this is not YAML"
        raise _fault(Span(source, place, min(place + 1, len(source.text))), f"not YAML: {words}") from None
    except RecursionError:
        raise _fault(Span(source, 0, 0), "lists and maps are nested too deeply") from None
    if node is None:
        raise _fault(Span(source, 0, 0), "the file is empty", "cases: [{name: …, request: …, expect: …}]")
    return _Reader(source).read(node, 0)


def _fault(span: Span, message: str, suggestion: str | None = None) -> PolicyError:
    return PolicyError([Diagnostic(CASES_UNREADABLE, message, (Label(span),), suggestion=suggestion)])


class _Reader:
    """Turns nodes into placed values. An anchor may be used again, but the whole stays within the limits of a request."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._nodes = 0

    def read(self, node: yaml.Node, depth: int) -> Placed:
        """The value of a node; anchors that contain themselves end at the depth limit."""
        span = Span(self._source, node.start_mark.index, node.end_mark.index)
        self._nodes += 1
        if depth > MAX_ARGS_DEPTH or self._nodes > MAX_ARGS_NODES:
            raise _fault(span, "nested too deeply, or an anchor that makes the file far larger than it looks")
        if node.tag == "tag:yaml.org,2002:map" and isinstance(node, yaml.MappingNode):
            return Placed(self._map(node, depth), span)
        if node.tag == "tag:yaml.org,2002:seq" and isinstance(node, yaml.SequenceNode):
            return Placed([self.read(item, depth + 1) for item in node.value], span)
        convert = _PLAIN.get(node.tag)
        if convert is None or not isinstance(node, yaml.ScalarNode):
            raise _fault(span, f"the tag {node.tag} is not allowed here", "plain text, a number, true, false or null")
        try:
            return Placed(convert(node.value), span)
        except ValueError:
            raise _fault(span, "the number has too many digits") from None

    def _map(self, node: yaml.MappingNode, depth: int) -> dict[str, tuple[Span, Placed]]:
        found: dict[str, tuple[Span, Placed]] = {}
        for key_node, value_node in node.value:
            key = self.read(key_node, depth + 1)
            if not isinstance(key.value, str):
                raise _fault(key.span, "a key is text", "put the key in quotes")
            if key.value in found:
                labels = (Label(key.span, "again here"), Label(found[key.value][0], "first here"))
                raise PolicyError([Diagnostic(CASES_UNREADABLE, f"the key `{key.value}` is given twice", labels)])
            found[key.value] = key.span, self.read(value_node, depth + 1)
        return found
