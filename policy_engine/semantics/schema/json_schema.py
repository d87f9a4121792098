"""JSON Schema → types. One reader a schema; what a type cannot say becomes `Bounds`, what neither can say is noted.

Called for every tool's arguments and result. Promises that a value which the schema accepts fits the type, except that
properties nobody declared are refused unless the schema opens its object (LANGUAGE.md, *Types*): by
`additionalProperties`, by `patternProperties`, or by declaring no properties at all below the top. References are
followed in the document only; a recursive one is followed twice and is `dyn` below.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, Final

from policy_engine.semantics.schema.closed import closed_values, known_kinds
from policy_engine.semantics.schema.combining import ANNOTATIONS, Contradiction, Schema, types_in
from policy_engine.semantics.schema.demands import demands
from policy_engine.semantics.schema.faults import Faults
from policy_engine.semantics.schema.flattening import Flattener, Trail
from policy_engine.semantics.schema.positions import Path
from policy_engine.semantics.schema.shape import ANY, NEVER, Shape
from policy_engine.semantics.schema.summing import combined_bounds, merged_records, simplified
from policy_engine.semantics.types import (
    BOOL,
    DOUBLE,
    DYN,
    INT,
    NULL,
    STRING,
    Bounds,
    ListType,
    MapType,
    RecordField,
    RecordType,
    Type,
    UnionType,
    union,
)

_UNCHECKED: Final = (
    "not", "if", "then", "else", "contains", "propertyNames", "dependentRequired", "dependentSchemas", "dependencies",
    "minProperties", "maxProperties", "unevaluatedItems", "$dynamicRef",
)  # fmt: skip
_OBJECT_WORDS: Final = ("properties", "required", "additionalProperties", "patternProperties")
_ARRAY_WORDS: Final = ("items", "prefixItems")
_MAX_NODES: Final = 20_000
_CAREFUL_NODES: Final = 2_000
_MAX_PATH: Final = 110


class SchemaReader:
    """Reads one schema of one tool: `record` for its arguments, or `type` for its result."""

    def __init__(self, faults: Faults, schema: Any, path: Path) -> None:
        self._faults = faults
        self._flattener = Flattener(schema, faults)
        self._root = schema
        self._path = path
        self._nodes = 0

    def type(self) -> Type:
        """The type of a result; `DYN` after a fault."""
        shape = self._read(self._root, self._path, ())
        return DYN if self._faults.failed or shape == NEVER else shape.type

    def shape(self) -> Shape | None:
        """The type and the bounds of any value that fits; None after a fault. Notes what is not checked."""
        shape = self._read(self._root, self._path, ())
        self._faults.note_unchecked()
        return None if self._faults.failed or shape == NEVER else shape

    def record(self, name: str) -> RecordType | None:
        """The record that arguments must fit; None after a fault."""
        if isinstance(self._root, dict) and self._root.get("type", "object") == "object" and not _speaks(self._root):
            return RecordType(name, ())  # it declares no arguments, so there are none
        shape = self._read(self._root, self._path, ())
        self._faults.note_unchecked()
        if self._faults.failed:
            return None
        made = _as_record(shape.type)
        if made is None:
            tool = self._faults.tool
            message = f"the arguments of `{tool}` are an object, but its schema says otherwise"
            self._faults.bad(self._path, message, '"type": "object"')
            return None
        return RecordType(name, made.fields, made.rest)

    # ------------------------------------------------------------------ one schema
    def _read(self, schema: Any, path: Path, trail: Trail) -> Shape:
        self._nodes += 1
        if schema is True or schema == {} or self._nodes > _MAX_NODES or len(path) > _MAX_PATH:
            return ANY
        if schema is False:
            return NEVER
        if not isinstance(schema, dict):
            message = f"a schema in `{self._faults.tool}` is neither an object nor a boolean"
            self._faults.bad(path, message, '{"type": "string"}')
            return NEVER
        try:
            flat, trail = self._flat(schema, path, trail)
        except Contradiction as fault:
            self._faults.unfillable(path, str(fault))
            return NEVER
        return ANY if flat is None else self._read_flat(flat, path, trail)

    def _flat(self, schema: Schema, path: Path, trail: Trail) -> tuple[Schema | None, Trail]:
        return self._flattener.flat(schema, path, trail, careful=self._nodes < _CAREFUL_NODES)

    def _read_flat(self, schema: Schema, path: Path, trail: Trail) -> Shape:
        for keyword in _UNCHECKED:
            if keyword in schema:
                self._faults.unchecked((*path, keyword), keyword)
        for keyword in ("anyOf", "oneOf"):
            if keyword in schema:
                return self._alternatives(keyword, schema, path, trail)
        if "const" in schema or "enum" in schema:
            return closed_values(schema, path, self._faults)
        shape = self._by_kind(schema, path, trail)
        if schema.get("nullable") is True:
            return Shape(union(shape.type, NULL), shape.bounds)
        return shape

    def _alternatives(self, keyword: str, schema: Schema, path: Path, trail: Trail) -> Shape:
        branches = schema[keyword]
        rest = {name: value for name, value in schema.items() if name != keyword}
        bare = all(name in ANNOTATIONS for name in rest)
        shapes = []
        for index, branch in enumerate(branches):
            shape = self._possible(branch if bare else {"allOf": [rest, branch]}, (*path, keyword, index), trail)
            if shape != NEVER:
                shapes.append(shape)
        if not shapes:
            self._faults.unfillable(path, f"no alternative of `{keyword}` fits its surroundings")
            return NEVER
        bounds = combined_bounds([(shape.type, shape.bounds) for shape in shapes])
        return Shape(simplified([shape.type for shape in shapes]), bounds)

    def _possible(self, schema: Any, path: Path, trail: Trail) -> Shape:
        """As `_read`, but an alternative that contradicts its surroundings is left out without a word."""
        if isinstance(schema, dict):
            try:
                self._flat(schema, path, trail)
            except Contradiction:
                return NEVER
        return self._read(schema, path, trail)

    # ------------------------------------------------------------------ by kind
    def _by_kind(self, schema: Schema, path: Path, trail: Trail) -> Shape:
        kinds = types_in(schema)
        if kinds is None:
            if any(word in schema for word in _OBJECT_WORDS):
                kinds = ("object",)
            elif any(word in schema for word in _ARRAY_WORDS):
                kinds = ("array",)
        bounds = demands(schema, path, self._faults)
        if kinds is None:
            return Shape(DYN, bounds)
        options: list[Type] = []
        for kind in known_kinds(kinds, path, self._faults):
            if kind == "array":
                made, bounds = self._list(schema, path, trail, bounds)
                options.append(made)
            elif kind == "object":
                made, bounds = self._object(schema, path, trail, bounds)
                options.append(made)
            else:
                options.append(_SCALARS[kind])
        return Shape(union(*options), bounds) if options else ANY

    def _list(self, schema: Schema, path: Path, trail: Trail, bounds: Bounds | None) -> tuple[Type, Bounds | None]:
        items = schema.get("items", True)
        prefix = schema.get("prefixItems", [])
        if isinstance(items, list):  # the older spelling of a tuple
            prefix, items = items, schema.get("additionalItems", True)
        ahead = [self._read(item, (*path, "prefixItems", index), trail) for index, item in enumerate(prefix)]
        after = self._read(items, (*path, "items"), trail)
        limits = bounds or Bounds()
        most = limits.max_items
        if after == NEVER:  # nothing may follow
            most = len(ahead) if most is None else min(most, len(ahead))
        element = simplified([shape.type for shape in (*ahead, after)])
        positions = tuple(RecordField(str(index), one.type, True, one.bounds) for index, one in enumerate(ahead))
        made = replace(limits, max_items=most, positions=positions, items=None if ahead else after.bounds)
        return ListType(element), (None if made == Bounds() else made)

    def _object(self, schema: Schema, path: Path, trail: Trail, bounds: Bounds | None) -> tuple[Type, Bounds | None]:
        required = schema.get("required", [])
        properties = schema.get("properties", {})
        fields: dict[str, RecordField] = {}
        for name, inner in properties.items():
            shape = self._read(inner, (*path, "properties", name), trail)
            if shape != NEVER or inner is not False or name in required:
                fields[name] = RecordField(name, shape.type, name in required, shape.bounds)
        for name in required:
            if name not in properties:
                fields[name] = RecordField(name, DYN, True)
        rest = self._rest(schema, path, trail)
        if not fields and rest is not None:
            limits = replace(bounds or Bounds(), values=rest.bounds)
            return MapType(STRING, rest.type), (None if limits == Bounds() else limits)
        declared = tuple(fields[name] for name in sorted(fields))
        return RecordType("", declared, None if rest is None else rest.type), bounds

    def _rest(self, schema: Schema, path: Path, trail: Trail) -> Shape | None:
        """The shape of properties that are not declared; None = there are none."""
        patterns = [
            self._read(inner, (*path, "patternProperties", pattern), trail)
            for pattern, inner in schema.get("patternProperties", {}).items()
        ]
        word = "additionalProperties" if "additionalProperties" in schema else "unevaluatedProperties"
        closed = "properties" in schema or bool(patterns)
        shape = self._read(schema.get(word, not closed), (*path, word), trail)
        options = [one for one in (*patterns, shape) if one != NEVER]
        if not options:
            return None
        bounds = combined_bounds([(one.type, one.bounds) for one in options])
        return Shape(simplified([one.type for one in options]), bounds)


_SCALARS: Final[dict[str, Type]] = {"string": STRING, "number": DOUBLE, "integer": INT, "boolean": BOOL, "null": NULL}


def _speaks(schema: Schema) -> bool:
    """Whether a schema says anything about which properties there are."""
    words = (*_OBJECT_WORDS, "unevaluatedProperties", "$ref", "allOf", "anyOf", "oneOf", "enum", "const")
    return any(word in schema for word in words)


def _as_record(made: Type) -> RecordType | None:
    if isinstance(made, RecordType):
        return made
    if isinstance(made, MapType):
        return RecordType("", (), made.value)
    if isinstance(made, UnionType):
        records = [_as_record(option) for option in made.options if option != NULL]
        whole = [record for record in records if record is not None]
        if whole and len(whole) == len(records):
            return merged_records(whole)
    return None
