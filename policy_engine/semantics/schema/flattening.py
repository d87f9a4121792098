"""`$ref` and `allOf` taken out of the top of a schema, so that everything it says stands in one object."""

from __future__ import annotations

from typing import Any, Final

from policy_engine.diagnostics.suggest import did_you_mean
from policy_engine.semantics.schema.combining import Contradiction, Schema, merged
from policy_engine.semantics.schema.faults import Faults
from policy_engine.semantics.schema.positions import Path
from policy_engine.semantics.schema.strict_json import clipped

_MAX_REFERENCES: Final = 64
Trail = tuple[str, ...]
"""The references that were followed to reach a schema."""

_FORMS: Final[tuple[tuple[str, Any, str], ...]] = (
    ("properties", dict, "an object"), ("patternProperties", dict, "an object"), ("required", list, "a list of names"),
    ("enum", list, "a list of values"), ("prefixItems", list, "a list of schemas"),
    ("type", str | list, "a word or a list"), ("anyOf", list, "a list of schemas"),
    ("oneOf", list, "a list of schemas"),
    ("allOf", list, "a list of schemas"),
)  # fmt: skip


_NAMES: Final = ("required", "type")


def _all_text(values: list[Any]) -> bool:
    return all(isinstance(value, str) for value in values)


class Flattener:
    """Follows the references of one document. `careful` = a recursive reference is followed twice, else once."""

    def __init__(self, root: Any, faults: Faults) -> None:
        self._root = root
        self._faults = faults

    def flat(self, schema: Schema, path: Path, trail: Trail, *, careful: bool = True) -> tuple[Schema | None, Trail]:
        """The schema without `$ref` and `allOf` at its top; None = cut here, anything fits."""
        schema = self._sound(schema, path)
        flat: Schema = {name: value for name, value in schema.items() if name not in ("$ref", "allOf")}
        if "$ref" in schema:
            reference = schema["$ref"]
            target = self._target(reference, path)
            limit = 2 if careful else 1
            if target is None or trail.count(reference) >= limit or len(trail) > _MAX_REFERENCES:
                return None, trail
            trail = (*trail, reference)
            if not isinstance(target, dict):
                if target is False:
                    raise Contradiction("`false` fits nothing")
                return None, trail
            inner, trail = self.flat(target, path, trail, careful=careful)
            if inner is None:
                return None, trail
            flat = merged(inner, flat)
        for part in schema.get("allOf", []):
            if isinstance(part, dict):
                inner, trail = self.flat(part, path, trail, careful=careful)
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
                self._faults.bad(
                    (*path, keyword),
                    f"`{keyword}` in the schema of `{self._faults.tool}` is not {form}",
                    f"write {form}",
                )
                schema = {name: value for name, value in schema.items() if name != keyword}
        return schema

    def _target(self, reference: Any, path: Path) -> Any:
        found: Any = self._root
        if not isinstance(reference, str) or not (reference == "#" or reference.startswith("#/")):
            self._faults.bad(
                (*path, "$ref"), f"`{self._faults.tool}` refers to a schema outside the file", '"$ref": "#/$defs/NAME"'
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
                self._faults.bad(
                    (*path, "$ref"),
                    f"`{clipped(reference)}` in `{self._faults.tool}` leads nowhere",
                    near or "define it under $defs",
                )
                return None
        return found
