"""Reading the text of data files: YAML without its surprises, CSV by the shape that is wanted.

YAML: the safe core only. No duplicate keys; dates stay text; `yes`, `no` and `12:30` are text, as YAML 1.2 has it.
CSV: `list(T)` one value a line; `map(K, T)` two columns, key and value; a list or map of maps, or no type: the first
line names the fields (for a map, its first column is the key).
"""

from __future__ import annotations

import csv
import io
import re
from typing import Any

import yaml

from policy_engine.base.errors import MisfitError
from policy_engine.semantics.types import DYN, ListType, MapType, Type


class _Loader(yaml.SafeLoader):
    """The safe loader with YAML 1.2's plain scalars and without duplicate keys."""

    yaml_implicit_resolvers: dict[str, list[tuple[str, re.Pattern[str]]]] = {}  # noqa: RUF012 (PyYAML's own attribute)


for _tag, _pattern, _first in (
    ("bool", r"true|True|TRUE|false|False|FALSE", "tTfF"),
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
    ("int", r"[-+]?[0-9]+|0x[0-9a-fA-F]+", "-+0123456789"),
    ("float", r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?", "-+.0123456789"),
):
    _Loader.add_implicit_resolver(f"tag:yaml.org,2002:{_tag}", re.compile(f"^(?:{_pattern})$"), list(_first))


def _int(loader: _Loader, node: yaml.ScalarNode) -> int:
    text = str(loader.construct_scalar(node))
    return int(text, 16) if text.startswith("0x") else int(text)  # `010` is ten, not eight


def _mapping(loader: _Loader, node: yaml.MappingNode) -> dict[Any, Any]:
    seen = set()
    for key_node, _ in node.value:
        key = loader.construct_object(key_node, deep=True)
        if isinstance(key, list | dict):
            raise MisfitError(f"line {key_node.start_mark.line + 1}", "a key is text, a number or a boolean")
        if key in seen:
            raise MisfitError(f"line {key_node.start_mark.line + 1}", f"the key `{key}` is there twice")
        seen.add(key)
    return dict(loader.construct_mapping(node, deep=True))


_Loader.add_constructor("tag:yaml.org,2002:int", _int)
_Loader.add_constructor("tag:yaml.org,2002:map", _mapping)


def parse_yaml(text: str) -> Any:
    """The one document of a YAML text; raises `MisfitError`."""
    try:
        return yaml.load(text, Loader=_Loader)
    except yaml.MarkedYAMLError as fault:
        mark = fault.problem_mark or fault.context_mark
        place = f"line {mark.line + 1}" if mark is not None else "the file"
        raise MisfitError(place, f"is not YAML: {fault.problem or fault.context}") from None
    except (yaml.YAMLError, RecursionError, ValueError, TypeError) as fault:
        raise MisfitError("the file", f"is not YAML: {type(fault).__name__}") from None


def parse_csv(text: str, wanted: Type) -> Any:
    """A CSV text in the shape of `wanted`, every cell as text; raises `MisfitError`."""
    try:
        rows = [row for row in csv.reader(io.StringIO(text), strict=True) if any(cell.strip() for cell in row)]
    except csv.Error as fault:
        raise MisfitError("the file", f"is not CSV: {fault}") from None
    cells = [[cell.strip() for cell in row] for row in rows]
    if isinstance(wanted, ListType) and wanted.element != DYN and not isinstance(wanted.element, MapType):
        return [_width(row, 1, number)[0] for number, row in enumerate(cells, 1)]
    if isinstance(wanted, MapType) and not isinstance(wanted.value, MapType):
        return _unique([tuple(_width(row, 2, number)) for number, row in enumerate(cells, 1)])
    if not cells:
        return {} if isinstance(wanted, MapType) else []
    header, *body = cells
    if len(set(header)) != len(header):
        raise MisfitError("line 1", "names a column twice")
    records = [dict(zip(header, _width(row, len(header), n), strict=True)) for n, row in enumerate(body, 2)]
    if not isinstance(wanted, MapType):
        return records
    keyed = [(record[header[0]], {name: record[name] for name in header[1:]}) for record in records]
    return _unique(keyed)


def _width(row: list[str], width: int, number: int) -> list[str]:
    if len(row) != width:
        raise MisfitError(f"row {number}", f"has {len(row)} cells where {width} are expected")
    return row


def _unique(pairs: list[Any]) -> dict[str, Any]:
    table: dict[str, Any] = {}
    for number, (key, value) in enumerate(pairs, 1):
        if key in table:
            raise MisfitError(f"row {number}", f"the key `{key}` is there twice")
        table[key] = value
    return table
