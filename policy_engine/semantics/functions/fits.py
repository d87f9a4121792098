"""`fits(x, schema)`: whether a value fits a JSON Schema. The compiler puts the schema's text where a policy names its file.

Stricter than JSON Schema where the whole engine is: properties that nobody declared do not fit unless the schema opens
its object. A schema with words that are not checked here (`not`, `if`, `contains` …) is refused, never half believed.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any, Final

from policy_engine.base.errors import MisfitError
from policy_engine.base.source import Source
from policy_engine.diagnostics.model import Collector
from policy_engine.semantics.functions.declaration import Function
from policy_engine.semantics.functions.signatures import counted, examples, invalid, takes
from policy_engine.semantics.operations import no_overload
from policy_engine.semantics.schema.faults import NOT_ENFORCED, Faults
from policy_engine.semantics.schema.json_schema import SchemaReader
from policy_engine.semantics.schema.normalise import normaliser
from policy_engine.semantics.schema.positions import Places
from policy_engine.semantics.schema.strict_json import parse_json
from policy_engine.semantics.types import BOOL, DYN, STRING, RecordField, RecordType

_MAX_SCHEMA_CHARS: Final = 400_000


def read_schema(text: str, name: str, collector: Collector) -> RecordType | None:
    """A record whose one field `value` must fit the schema; None after what is wrong with it went to the collector.

    Raises `MisfitError` for what is no JSON.
    """
    source = Source(name, text)
    schema = parse_json(text, name, max_chars=_MAX_SCHEMA_CHARS)
    faults = Faults(Places(source), collector, name)
    shape = SchemaReader(faults, schema, ()).shape()
    if shape is None or any(one.code is NOT_ENFORCED for one in collector.diagnostics):
        return None
    return RecordType(name, (RecordField("value", shape.type, True, shape.bounds),))


@lru_cache(maxsize=256)
def _checker(text: str) -> Any:
    try:
        record = read_schema(text, "the schema", Collector())
    except MisfitError:
        record = None
    return None if record is None else normaliser(record, "value")


def fits(value: Any, schema: Any) -> bool:
    """Whether the value fits the schema, which is given as its JSON text."""
    if type(schema) is not str:
        no_overload("fits", value, schema)
    check = _checker(schema)
    if check is None:
        raise invalid("the text is not a JSON Schema whose every word is checked here")
    try:
        check({"value": value})
    except MisfitError:
        return False
    return True


FUNCTIONS: Final = (
    Function(
        "fits",
        (takes(DYN, STRING, to=BOOL),),
        "Whether the value fits a JSON Schema: the name of its file, beside the policy, or its text. Undeclared properties "
        "do not fit unless the schema opens its object.",
        examples(
            ("""fits({'a': 1}, '{"properties": {"a": {"type": "integer"}}}')""", "true"),
            ("""fits('x', '{"type": "integer"}')""", "false"),
        ),
        counted("fits", fits, 2),
        cost=100,
        source="policy language",
    ),
)
