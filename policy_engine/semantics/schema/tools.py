"""Tool lists as frameworks and servers write them → the types of every tool's arguments and results.

Called by `use tools` and by adapters that pass live tools. Reads MCP `tools/list` (bare, in its JSON-RPC envelope, or
in a recording), plain lists, function-calling lists of OpenAI, Anthropic, Bedrock and Gemini, objects that map names to
schemas, and one single tool. Every fault is a diagnostic at its place in the file; a tool with one is left out.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

from policy_engine.base.errors import MisfitError
from policy_engine.base.limits import MAX_SOURCE_CHARS
from policy_engine.base.source import NOWHERE, Source, Span
from policy_engine.diagnostics.model import Code, Collector, Diagnostic, Label, PolicyError
from policy_engine.semantics.schema.faults import Faults
from policy_engine.semantics.schema.json_schema import SchemaReader
from policy_engine.semantics.schema.positions import Places
from policy_engine.semantics.schema.strict_json import clipped, parse_json
from policy_engine.semantics.types import DYN, RecordField, RecordType, Type

NOT_JSON: Final = Code(
    "not-json",
    "A tools file is not JSON that every reader understands alike",
    """\
The file cannot be read, or two readers could read it differently: a key that occurs twice in one object, `NaN`, half of
a character, a number beyond 64 bits.

```json
{"name": "refund", "name": "lookup", "inputSchema": {"type": "object"}}
```

Keep one of the two:

```json
{"name": "refund", "inputSchema": {"type": "object"}}
```
""",
)
NOT_TOOLS: Final = Code(
    "not-a-tool-list",
    "A tools file does not list tools",
    """\
`use tools` reads the answer of MCP's `tools/list`, a list of tools, a function-calling list, an object that maps names
to JSON Schemas, or one tool. A tool has a `name` and an `inputSchema` (also `input_schema`, `parameters`).

```json
[{"title": "Refund", "inputSchema": {"type": "object"}}]
```

The tool needs its name:

```json
[{"name": "refund", "inputSchema": {"type": "object"}}]
```
""",
)
REPEATED_TOOL: Final = Code(
    "repeated-tool",
    "A tools file lists one name twice",
    """\
Arguments are validated against the one schema of their tool, so a name can be listed once.

```json
[{"name": "refund", "inputSchema": {"type": "object"}}, {"name": "refund", "inputSchema": {"type": "object"}}]
```

Remove one of them, or put them into two files and give each its prefix:

```policy
use tools "crm.json" as crm
use tools "billing.json" as billing
```
""",
)
CODES: Final = (NOT_JSON, NOT_TOOLS, REPEATED_TOOL)

_MAX_FILE_DEPTH: Final = 200
_INPUTS: Final = ("inputSchema", "input_schema", "parameters", "args_schema")
_OUTPUTS: Final = ("outputSchema", "output_schema")
_ENVELOPES: Final = ("result", "tools", "tools_list", "functionDeclarations", "function_declarations", "functions")
_LEFT_OUT: Final = "the policy is not loaded, so every call is refused"

Path = tuple[str | int, ...]


@dataclass(frozen=True)
class ToolSchema:
    """One tool: the record its arguments must fit, the type of its result, and what its author says about it.

    `annotations` are MCP's hints (`readOnlyHint` …): claims of the server, not facts. `span` is the place of its name.
    """

    name: str
    input: RecordType
    output: Type = DYN
    annotations: dict[str, Any] = field(default_factory=dict)
    description: str = ""
    span: Span = field(default=NOWHERE, compare=False)

    @staticmethod
    def from_live(tools: Any) -> tuple[ToolSchema, ...]:
        """The schemas of tools that are at hand as JSON-like data (a list of `{"name", "description", "inputSchema"}`).

        Raises `PolicyError` with every fault, also for what is no JSON.
        """
        collector = Collector()
        try:
            text = json.dumps(tools, indent=1, allow_nan=False)
        except (TypeError, ValueError, RecursionError) as fault:
            place = Label(Span(Source("<live tools>", ""), 0, 0))
            raise PolicyError(
                [Diagnostic(NOT_JSON, f"the live tools are no JSON: {fault}", (place,), _LEFT_OUT)]
            ) from None
        schemas = read_tools(Source("<live tools>", text), collector)
        if collector.failed:
            raise PolicyError(collector.diagnostics)
        return schemas


def read_tools(source: Source, collector: Collector) -> tuple[ToolSchema, ...]:
    """Every tool of a tools file, in the order listed. Faults go to the collector; never raises."""
    try:
        document = parse_json(source.text, "the file", max_chars=MAX_SOURCE_CHARS, max_depth=_MAX_FILE_DEPTH)
    except MisfitError as fault:
        place = Label(_place_of(fault.problem, source))
        again = "write the file again with a JSON tool, or fetch it again from the server"
        collector.add(Diagnostic(NOT_JSON, f"{source.name} {fault.problem}", (place,), _LEFT_OUT, again))
        return ()
    return _File(source, document, collector).tools()


def _place_of(problem: str, source: Source) -> Span:
    """The place that the JSON reader names in words, as a span; else the start of the file."""
    words = problem.replace(",", "").split()
    if "line" in words and "column" in words:
        number, column = int(words[words.index("line") + 1]), int(words[words.index("column") + 1])
        start = min(source.line_start(number) + column - 1, max(len(source.text) - 1, 0))
        return Span(source, start, min(start + 1, len(source.text)))
    return Span(source, 0, min(1, len(source.text)))


class _File:
    """One reading of one file."""

    def __init__(self, source: Source, document: Any, collector: Collector) -> None:
        self.source = source
        self.document = document
        self.collector = collector
        self.places = Places(source)
        self._alike: dict[tuple[RecordField, ...], tuple[RecordField, ...]] = {}

    def tools(self) -> tuple[ToolSchema, ...]:
        found: dict[str, ToolSchema] = {}
        for path, name, tool in self._listed(self.document, ()):
            made = self._tool(path, name, tool)
            if made is None:
                continue
            if made.name in found:
                self._report(
                    REPEATED_TOOL, f"`{clipped(made.name)}` is listed twice", made.span, "listed again here",
                    "nobody could say which arguments are valid; the policy is not loaded",
                    "remove one of them, or give the files different prefixes",
                    Label(found[made.name].span, "first listed here"),
                )  # fmt: skip
            else:
                found[made.name] = made
        return tuple(found.values())

    # ------------------------------------------------------------------ the shapes a list can have
    def _listed(self, node: Any, path: Path) -> Iterator[tuple[Path, str | None, Any]]:
        """Every tool with its path, and its name where the list gives it as a key."""
        if isinstance(node, list):
            for index, item in enumerate(node):
                inner = next(
                    (key for key in ("functionDeclarations", "function_declarations") if _has(item, key)), None
                )
                if inner is not None:
                    yield from self._listed(item[inner], (*path, index, inner))
                else:
                    yield (*path, index), None, item
            return
        if isinstance(node, dict):
            if _is_tool(node):
                yield path, None, node
                return
            envelope = next((key for key in _ENVELOPES if isinstance(node.get(key), dict | list)), None)
            if envelope is not None and not (envelope == "result" and _looks_like_schema(node[envelope])):
                yield from self._listed(node[envelope], (*path, envelope))
                return
            if node and all(_looks_like_schema(value) or _is_anonymous_tool(value) for value in node.values()):
                for name, value in node.items():
                    yield (*path, name), name, value
                return
        self._report(
            NOT_TOOLS, f"{self.source.name} does not list tools", self.places.of(path), "this is no list of tools",
            _LEFT_OUT, 'the answer of tools/list: {"tools": [{"name": …, "inputSchema": …}]}',
        )  # fmt: skip

    def _tool(self, path: Path, name: str | None, node: Any) -> ToolSchema | None:
        path, node = _unwrapped(path, node)
        if not isinstance(node, dict):
            self._fault(path, "a tool is an object with a `name` and an `inputSchema`")
            return None
        key = next((key for key in _INPUTS if key in node), None)
        if name is None:
            given = node.get("name")
            if not isinstance(given, str) or not given:
                self._fault(path, "a tool has no name")
                return None
            name, span = given, self.places.of((*path, "name"))
        else:
            span = self.places.key(path)
            if key is None and _looks_like_schema(node):
                return self._made(name, path, node, span, {})
        if key is None:
            return self._made(name, path, {"type": "object", "properties": {}}, span, node)
        schema_path: Path = (*path, key)
        schema = node[key]
        if isinstance(schema, dict) and set(schema) == {"json"} and isinstance(schema["json"], dict):
            schema_path, schema = (*schema_path, "json"), schema["json"]
        if schema is None:
            schema = {"type": "object", "properties": {}}
        return self._made(name, schema_path, schema, span, node, path)

    def _made(
        self, name: str, schema_path: Path, schema: Any, span: Span, node: dict[str, Any], path: Path = ()
    ) -> ToolSchema | None:
        shown = clipped(name)
        record = SchemaReader(Faults(self.places, self.collector, shown), schema, schema_path).record(
            f"{shown} arguments"
        )
        output: Type = DYN
        key = next((key for key in _OUTPUTS if node.get(key) is not None), None)
        if key is not None:
            output = SchemaReader(Faults(self.places, self.collector, shown), node[key], (*path, key)).type()
        annotations = node.get("annotations")
        if annotations is not None and not isinstance(annotations, dict):
            self._fault((*path, "annotations"), f"the annotations of `{shown}` are not an object")
            return None
        if record is None:
            return None
        said = node.get("description")
        record = replace(record, fields=self._alike.setdefault(record.fields, record.fields))  # tools are declared alike
        return ToolSchema(name, record, output, annotations or {}, said if isinstance(said, str) else "", span)

    # ------------------------------------------------------------------ faults
    def _fault(self, path: Path, message: str) -> None:
        self._report(
            NOT_TOOLS,
            message,
            self.places.of(path),
            "here",
            _LEFT_OUT,
            '{"name": …, "inputSchema": {"type": "object", …}}',
        )

    def _report(
        self, code: Code, message: str, span: Span, beside: str, effect: str, suggestion: str, *more: Label
    ) -> None:
        self.collector.add(
            Diagnostic(code, message, (Label(span, beside), *more), effect=effect, suggestion=suggestion)
        )


def _has(node: Any, key: str) -> bool:
    return isinstance(node, dict) and isinstance(node.get(key), list)


def _is_tool(node: dict[str, Any]) -> bool:
    """Whether an object is one tool, not a list in an envelope."""
    wrapped = any(isinstance(node.get(key), dict) for key in ("function", "toolSpec"))
    return wrapped or (isinstance(node.get("name"), str) and any(key in node for key in _INPUTS))


def _is_anonymous_tool(node: Any) -> bool:
    return isinstance(node, dict) and any(isinstance(node.get(key), dict) for key in _INPUTS)


def _looks_like_schema(node: Any) -> bool:
    return isinstance(node, dict) and (
        node.get("type") == "object" or any(isinstance(node.get(key), dict) for key in ("properties", "$defs"))
    )


def _unwrapped(path: Path, node: Any) -> tuple[Path, Any]:
    """OpenAI and Bedrock put a tool into a further object."""
    for key in ("function", "toolSpec"):
        if isinstance(node, dict) and isinstance(node.get(key), dict) and "name" not in node:
            return (*path, key), node[key]
    return path, node
