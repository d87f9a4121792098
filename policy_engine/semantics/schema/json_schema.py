"""JSON Schema → types. One reader a schema; what a type cannot say becomes `Bounds`, what neither can say is noted.

Called for every tool's arguments and result. Promises that a value which the schema accepts fits the type, except that
properties nobody declared are refused unless the schema opens its object (LANGUAGE.md, *Types*): by
`additionalProperties`, by `patternProperties`, or by declaring no properties at all below the top. References are
followed in the document only; a recursive one is followed twice and is `dyn` below.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import re2  # type: ignore[import-untyped, unused-ignore]

from policy_engine.diagnostics.model import Code, Collector, Diagnostic, Label
from policy_engine.diagnostics.suggest import did_you_mean
from policy_engine.semantics.schema.bounds import canonical
from policy_engine.semantics.schema.combining import ANNOTATIONS, Contradiction, Schema, merged, types_in
from policy_engine.semantics.schema.positions import Path, Places
from policy_engine.semantics.schema.strict_json import clipped
from policy_engine.semantics.schema.summing import combined_bounds, merged_records, simplified
from policy_engine.semantics.types import (
    BOOL,
    DOUBLE,
    DYN,
    INT,
    NULL,
    STRING,
    Bounds,
    EnumType,
    ListType,
    MapType,
    RecordField,
    RecordType,
    Type,
    UnionType,
    union,
)

BAD_SCHEMA: Final = Code(
    "bad-schema",
    "A tool's schema is not a JSON Schema that arguments can be validated against",
    """\
Arguments are validated before any rule, so a schema that cannot be understood stops the load: a type that does not
exist, a reference that leads nowhere, an empty `enum`, conditions that contradict each other.

```json
{"type": "object", "properties": {"amount": {"$ref": "#/$defs/Amount"}}}
```

The definition must be in the same document:

```json
{"type": "object", "properties": {"amount": {"$ref": "#/$defs/Amount"}}, "$defs": {"Amount": {"type": "number"}}}
```
""",
)
ODD_TYPE: Final = Code(
    "odd-schema-type",
    "A schema names a type by a word of another language",
    """\
JSON Schema has `string number integer boolean null array object`. Words such as `float` or `str` are understood here,
but other readers of the schema (the model, the server) may ignore them.

```json
{"type": "float"}
```

```json
{"type": "number"}
```
""",
    "warning",
)
NOT_ENFORCED: Final = Code(
    "schema-not-enforced",
    "A part of a schema is left to the tool to enforce",
    """\
Types, required properties, enums, bounds, lengths, RE2 patterns and tuples are enforced before any rule. `not`,
`if`/`then`/`else`, `contains`, `propertyNames`, `dependentRequired` and patterns beyond RE2 are not.

```json
{"type": "string", "pattern": "^(?!admin).*$"}
```

Where it matters to a decision, a rule says so:

```policy
deny admin-names on users.add when args.name.startsWith("admin")
```
""",
    "note",
)
CODES: Final = (BAD_SCHEMA, ODD_TYPE, NOT_ENFORCED)

_KINDS: Final = ("string", "number", "integer", "boolean", "null", "array", "object")
_FOREIGN: Final = {
    "float": "number", "double": "number", "decimal": "number", "int": "integer", "long": "integer", "str": "string",
    "text": "string", "bool": "boolean", "list": "array", "dict": "object", "map": "object", "None": "null",
}  # fmt: skip
_UNCHECKED: Final = (
    "not", "if", "then", "else", "contains", "propertyNames", "dependentRequired", "dependentSchemas", "dependencies",
    "minProperties", "maxProperties", "unevaluatedItems", "$dynamicRef",
)  # fmt: skip
_OBJECT_WORDS: Final = ("properties", "required", "additionalProperties", "patternProperties")
_ARRAY_WORDS: Final = ("items", "prefixItems")
_MAX_NODES: Final = 20_000
_CAREFUL_NODES: Final = 2_000
_MAX_REFERENCES: Final = 64
_MAX_PATH: Final = 110
_STOPPED: Final = "the policy is not loaded, so every call is refused"

Trail = tuple[str, ...]


@dataclass(frozen=True)
class Shape:
    """What a schema says: the type, and what it demands beyond."""

    type: Type
    bounds: Bounds | None = None


_ANY: Final = Shape(DYN)


class SchemaReader:
    """Reads one schema of one tool. `result` = its type is only for the checker, so an object without declared properties is no fault."""

    def __init__(
        self, places: Places, collector: Collector, tool: str, schema: Any, path: Path, *, result: bool = False
    ) -> None:
        self._places = places
        self._collector = collector
        self._tool = tool
        self._root = schema
        self._path = path
        self._result = result
        self._nodes = 0
        self._failed = False
        self._unchecked: dict[str, Path] = {}

    def type(self) -> Type:
        """The type of a result; `DYN` after a fault."""
        shape = self._read(self._root, self._path, ())
        self._note_unchecked()
        return DYN if self._failed or shape is None else shape.type

    def record(self, name: str) -> RecordType | None:
        """The record that arguments must fit; None after a fault."""
        if isinstance(self._root, dict) and self._root.get("type", "object") == "object" and not _speaks(self._root):
            return RecordType(name, ())  # it declares no arguments, so there are none
        shape = self._read(self._root, self._path, ())
        self._note_unchecked()
        if self._failed:
            return None
        made = None if shape is None else _as_record(shape.type)
        if made is None:
            self._fault(
                self._path,
                f"the arguments of `{self._tool}` are an object, but its schema says otherwise",
                '"type": "object"',
            )
            return None
        return RecordType(name, made.fields, made.rest)

    # ------------------------------------------------------------------ one schema
    def _read(self, schema: Any, path: Path, trail: Trail) -> Shape | None:
        """The shape of a schema; None = nothing fits (`false`)."""
        self._nodes += 1
        if schema is True or schema == {} or self._nodes > _MAX_NODES or len(path) > _MAX_PATH:
            return _ANY
        if schema is False:
            return None
        if not isinstance(schema, dict):
            return self._fault(
                path, f"a schema in `{self._tool}` is neither an object nor a boolean", '{"type": "string"}'
            )
        try:
            flat, trail = self._flat(schema, path, trail)
        except Contradiction as fault:
            return self._fault(
                path, f"no value can fit a schema in `{self._tool}`: {fault}", "remove one of the conditions"
            )
        if flat is None:
            return _ANY
        return self._read_flat(flat, path, trail)

    def _read_flat(self, schema: Schema, path: Path, trail: Trail) -> Shape | None:
        for keyword in _UNCHECKED:
            if keyword in schema:
                self._unchecked.setdefault(keyword, (*path, keyword))
        for keyword in ("anyOf", "oneOf"):
            if keyword in schema:
                return self._alternatives(keyword, schema, path, trail)
        if "const" in schema or "enum" in schema:
            return self._closed(schema, path)
        shape = self._by_kind(schema, path, trail)
        if schema.get("nullable") is True and shape is not None:
            return Shape(union(shape.type, NULL), shape.bounds)
        return shape

    def _alternatives(self, keyword: str, schema: Schema, path: Path, trail: Trail) -> Shape | None:
        branches = schema[keyword]
        if not isinstance(branches, list) or not branches:
            return self._fault(
                (*path, keyword), f"`{keyword}` of `{self._tool}` lists no alternatives", f'"{keyword}": [{{…}}]'
            )
        rest = {name: value for name, value in schema.items() if name != keyword}
        bare = all(name in ANNOTATIONS for name in rest)
        shapes = []
        for index, branch in enumerate(branches):
            here = (*path, keyword, index)
            whole = branch if bare else {"allOf": [rest, branch]}
            shape = self._read_possible(whole, here, trail)
            if shape is not None:
                shapes.append(shape)
        if not shapes:
            return self._fault(path, f"no value can fit a schema in `{self._tool}`", "remove one of the conditions")
        return Shape(
            simplified([shape.type for shape in shapes]), combined_bounds([(s.type, s.bounds) for s in shapes])
        )

    def _read_possible(self, schema: Any, path: Path, trail: Trail) -> Shape | None:
        """As `_read`, but an alternative that contradicts its surroundings is only left out."""
        if isinstance(schema, dict):
            try:
                self._flat(schema, path, trail)
            except Contradiction:
                return None
        return self._read(schema, path, trail)

    # ------------------------------------------------------------------ $ref and allOf
    def _flat(self, schema: Schema, path: Path, trail: Trail) -> tuple[Schema | None, Trail]:
        """The schema without `$ref` and `allOf` at its top; None = cut here, anything fits."""
        schema = self._sound(schema, path)
        flat: Schema = {name: value for name, value in schema.items() if name not in ("$ref", "allOf")}
        if "$ref" in schema:
            reference = schema["$ref"]
            target = self._target(reference, path)
            limit = 2 if self._nodes < _CAREFUL_NODES else 1
            if target is None or trail.count(reference) >= limit or len(trail) > _MAX_REFERENCES:
                return None, trail
            trail = (*trail, reference)
            if not isinstance(target, dict):
                return ({"enum": []} if target is False else None), trail
            inner, trail = self._flat(target, path, trail)
            if inner is None:
                return None, trail
            flat = merged(inner, flat)
        parts = schema.get("allOf", [])
        if not isinstance(parts, list):
            self._fault((*path, "allOf"), f"`allOf` of `{self._tool}` is not a list of schemas", '"allOf": [{…}]')
            parts = []
        for part in parts:
            if isinstance(part, dict):
                inner, trail = self._flat(part, path, trail)
                flat = flat if inner is None else merged(flat, inner)
            elif part is False:
                raise Contradiction("`false` fits nothing")
        return flat, trail

    def _sound(self, schema: Schema, path: Path) -> Schema:
        """Keywords of the wrong form are faults, here, once; what follows can rely on them."""
        for keyword, kind, form in _FORMS:
            if keyword not in schema:
                continue
            value = schema[keyword]
            if not isinstance(value, kind) or (keyword in _NAMES and isinstance(value, list) and not _all_text(value)):
                self._fault(
                    (*path, keyword), f"`{keyword}` in the schema of `{self._tool}` is not {form}", f"write {form}"
                )
                schema = {name: value for name, value in schema.items() if name != keyword}
        return schema

    def _target(self, reference: Any, path: Path) -> Any:
        found: Any = self._root
        if not isinstance(reference, str) or not (reference == "#" or reference.startswith("#/")):
            self._fault(
                (*path, "$ref"), f"`{self._tool}` refers to a schema outside the file", '"$ref": "#/$defs/NAME"'
            )
            return None
        for part in reference.split("/")[1:]:
            key = part.replace("~1", "/").replace("~0", "~")
            known: Any = found
            if isinstance(found, dict) and key in found:
                found = found[key]
            elif isinstance(found, list) and key.isdecimal() and int(key) < len(found):
                found = found[int(key)]
            else:
                near = did_you_mean(key, known) if isinstance(known, dict) else None
                self._fault(
                    (*path, "$ref"),
                    f"`{clipped(reference)}` in `{self._tool}` leads nowhere",
                    near or "define it under $defs",
                )
                return None
        return found

    # ------------------------------------------------------------------ closed values
    def _closed(self, schema: Schema, path: Path) -> Shape | None:
        values = [schema["const"]] if "const" in schema else schema["enum"]
        kinds = types_in(schema)
        if kinds is not None:
            known = self._known(kinds, path)
            values = [value for value in values if any(_is_of(value, kind) for kind in known)]
            if "number" in known and "integer" not in known:
                values = [float(v) if type(v) is int else v for v in values]
        if schema.get("nullable") is True and None not in values:
            values = [*values, None]
        if not values:
            return self._fault((*path, "enum"), f"an `enum` in `{self._tool}` allows no value", '"enum": ["…"]')
        options: list[Type] = []
        words = sorted({value for value in values if isinstance(value, str)})
        if words:
            options.append(EnumType(tuple(words)))
        if any(isinstance(value, bool) for value in values):
            options.append(BOOL)
        numbers = [value for value in values if type(value) in (int, float)]
        if numbers:
            options.append(INT if all(type(value) is int for value in numbers) else DOUBLE)
        if None in values:
            options.append(NULL)
        if any(isinstance(value, dict | list) for value in values):
            options.append(DYN)
        exact = len(words) + (None in values) == len(values)
        return Shape(union(*options), None if exact else Bounds(options=tuple(sorted({canonical(v) for v in values}))))

    # ------------------------------------------------------------------ by kind
    def _by_kind(self, schema: Schema, path: Path, trail: Trail) -> Shape | None:
        kinds = types_in(schema)
        if kinds is None:
            if any(word in schema for word in _OBJECT_WORDS):
                kinds = ("object",)
            elif any(word in schema for word in _ARRAY_WORDS):
                kinds = ("array",)
        bounds = self._bounds(schema, path)
        if kinds is None:
            return Shape(DYN, bounds)
        options: list[Type] = []
        for kind in self._known(kinds, path):
            if kind == "array":
                made, bounds = self._list(schema, path, trail, bounds)
                options.append(made)
            elif kind == "object":
                options.append(self._object(schema, path, trail))
            else:
                options.append(_SCALARS[kind])
        return Shape(union(*options), bounds) if options else _ANY

    def _known(self, kinds: Sequence[Any], path: Path) -> list[str]:
        known: list[str] = []
        for kind in kinds:
            if kind in _KINDS:
                known.append(kind)
            elif isinstance(kind, str) and kind in _FOREIGN:
                known.append(_FOREIGN[kind])
                self._report(
                    ODD_TYPE, f"`{kind}` is no type of JSON Schema; `{self._tool}` means `{_FOREIGN[kind]}`", (*path, "type"),
                    f"it is read as `{_FOREIGN[kind]}`", f'"type": "{_FOREIGN[kind]}"',
                )  # fmt: skip
            else:
                shown = clipped(kind) if isinstance(kind, str) else "…"
                near = did_you_mean(shown, _KINDS)
                self._fault(
                    (*path, "type"),
                    f"`{shown}` in `{self._tool}` is no type of JSON Schema",
                    near or f"one of {' '.join(_KINDS)}",
                )
        return known

    def _list(self, schema: Schema, path: Path, trail: Trail, bounds: Bounds | None) -> tuple[Type, Bounds | None]:
        items = schema.get("items", True)
        prefix = schema.get("prefixItems", [])
        if isinstance(items, list):  # the older spelling of a tuple
            prefix, items = items, schema.get("additionalItems", True)
        ahead = [self._read(item, (*path, "prefixItems", index), trail) or _ANY for index, item in enumerate(prefix)]
        after = self._read(items, (*path, "items"), trail)
        limits = bounds or Bounds()
        most = limits.max_items
        if after is None:  # nothing may follow
            most = len(ahead) if most is None else min(most, len(ahead))
        element = simplified([shape.type for shape in [*ahead, *([after] if after else [])]]) if ahead or after else DYN
        made = Bounds(
            limits.minimum, limits.maximum, limits.above, limits.below, limits.multiple_of, limits.min_length,
            limits.max_length, limits.pattern, limits.min_items, most, limits.unique, limits.options,
            tuple(shape.type for shape in ahead), after.bounds if after and not ahead else None,
        )  # fmt: skip
        return ListType(element), (None if made == Bounds() else made)

    def _object(self, schema: Schema, path: Path, trail: Trail) -> Type:
        required = schema.get("required", [])
        properties = schema.get("properties", {})
        fields: dict[str, RecordField] = {}
        for name, inner in properties.items():
            shape = self._read(inner, (*path, "properties", name), trail)
            if shape is not None:
                fields[name] = RecordField(name, shape.type, name in required, shape.bounds)
        for name in required:
            if isinstance(name, str) and name not in properties:
                fields[name] = RecordField(name, DYN, True)
        rest = self._rest(schema, path, trail)
        if not fields and rest is not None:
            return MapType(STRING, rest)
        return RecordType("", tuple(fields[name] for name in sorted(fields)), rest)

    def _rest(self, schema: Schema, path: Path, trail: Trail) -> Type | None:
        """The type of properties that are not declared; None = there are none."""
        patterns = [
            shape.type
            for pattern, inner in schema.get("patternProperties", {}).items()
            if (shape := self._read(inner, (*path, "patternProperties", pattern), trail)) is not None
        ]
        word = "additionalProperties" if "additionalProperties" in schema else "unevaluatedProperties"
        closed = "properties" in schema or patterns
        shape = self._read(schema.get(word, not closed), (*path, word), trail)
        options = [*patterns, *([shape.type] if shape is not None else [])]
        return simplified(options) if options else None

    def _bounds(self, schema: Schema, path: Path) -> Bounds | None:
        above, below = schema.get("exclusiveMinimum"), schema.get("exclusiveMaximum")
        minimum, maximum = _number(schema.get("minimum")), _number(schema.get("maximum"))
        if above is True:  # draft 4: a flag beside `minimum`
            above, minimum = minimum, None
        if below is True:
            below, maximum = maximum, None
        step = _number(schema.get("multipleOf"))
        made = Bounds(
            minimum, maximum, _number(above), _number(below), step if step else None,
            _count(schema.get("minLength")), _count(schema.get("maxLength")), self._pattern(schema, path),
            _count(schema.get("minItems")), _count(schema.get("maxItems")), schema.get("uniqueItems") is True,
        )  # fmt: skip
        return None if made == Bounds() else made

    def _pattern(self, schema: Schema, path: Path) -> str | None:
        pattern = schema.get("pattern")
        if not isinstance(pattern, str):
            return None
        options = re2.Options()
        options.log_errors = False
        try:
            re2.compile(pattern, options)
        except re2.error:
            self._unchecked.setdefault("pattern", (*path, "pattern"))
            return None
        return pattern

    # ------------------------------------------------------------------ faults
    def _note_unchecked(self) -> None:
        if self._unchecked and not self._result:
            words = ", ".join(f"`{word}`" for word in self._unchecked)
            self._report(
                NOT_ENFORCED, f"{words} in the schema of `{self._tool}` is left to the tool to enforce",
                next(iter(self._unchecked.values())), "arguments that break it reach the rules and the tool",
                "write a deny rule where a decision depends on it",
            )  # fmt: skip

    def _fault(self, path: Path, message: str, suggestion: str) -> Shape | None:
        """Report it; the answer is that nothing fits."""
        self._failed = True
        self._report(BAD_SCHEMA, message, path, _STOPPED, suggestion)
        return None

    def _report(self, code: Code, message: str, path: Path, effect: str, suggestion: str) -> None:
        label = Label(self._places.of(path), "here")
        self._collector.add(Diagnostic(code, message, (label,), effect=effect, suggestion=suggestion))


_SCALARS: Final[dict[str, Type]] = {"string": STRING, "number": DOUBLE, "integer": INT, "boolean": BOOL, "null": NULL}
_FORMS: Final[tuple[tuple[str, Any, str], ...]] = (
    ("properties", dict, "an object"), ("patternProperties", dict, "an object"), ("required", list, "a list of names"),
    ("enum", list, "a list of values"), ("prefixItems", list, "a list of schemas"), ("type", str | list, "a word or a list"),
    ("anyOf", list, "a list of schemas"), ("oneOf", list, "a list of schemas"),
)  # fmt: skip


_NAMES: Final = ("required", "type")


def _all_text(values: list[Any]) -> bool:
    return all(isinstance(value, str) for value in values)


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
        records = [_as_record(option) for option in _without_null(made)]
        whole = [record for record in records if record is not None]
        if whole and len(whole) == len(records):
            return merged_records(whole)
    return None


def _without_null(made: UnionType) -> Iterator[Type]:
    return (option for option in made.options if option != NULL)


def _is_of(value: Any, kind: str) -> bool:
    match kind:
        case "integer":
            return type(value) is int or (type(value) is float and value.is_integer())
        case "number":
            return type(value) in (int, float)
        case _:
            kinds: dict[str, Any] = {"string": str, "boolean": bool, "null": type(None), "array": list, "object": dict}
            return isinstance(value, kinds[kind])


def _number(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _count(value: Any) -> int | None:
    return int(value) if isinstance(value, int | float) and not isinstance(value, bool) and value >= 0 else None
