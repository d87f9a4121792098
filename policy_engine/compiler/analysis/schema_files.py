"""Schemas that policies name as `fits(x, "invoice.schema.json")`: read when the policy is, part of its digest.

Called by `lets`, which puts the schema's text where its file's name stood.
"""

from __future__ import annotations

from policy_engine.base.errors import MisfitError
from policy_engine.base.source import Span
from policy_engine.compiler.analysis.draft import Draft
from policy_engine.compiler.analysis.reading import read_text
from policy_engine.diagnostics.model import Code, Collector
from policy_engine.semantics.functions.fits import read_schema

UNUSABLE_SCHEMA = Code(
    "unusable-schema",
    "`fits` names a schema that values cannot be checked against",
    "The second word of `fits` is the name of a JSON Schema file, relative to the policy, or the schema's text. Words that"
    " are not checked here (`not`, `if`, `contains` …) are refused: a value would seem to fit that does not.\n\n"
    '```\nvalidate shape on @answer require fits(answer.data, "invoice.schema.json") else withhold\n'
    '# invoice.schema.json, refused:   {"not": {"type": "string"}}\n'
    '# invoice.schema.json, mended:    {"type": "object"}\n```',
)
CODES = (UNUSABLE_SCHEMA,)

_NOT_LOADED = "the policy is not loaded, and nothing is permitted"


def schema_text(draft: Draft, named: str, place: Span) -> str:
    """The text of the schema that is named at `place`, read once; the name itself after a diagnostic."""
    if named.lstrip().startswith("{"):
        _check(draft, named, "the schema", place)
        return named
    file = next((file.canonical for file in draft.files() if file.source is place.source), None)
    key = (file, named)
    if key not in draft.schemas:
        read = read_text(draft, named, file, place)
        draft.schemas[key] = named if read is None else read[1].text
        if read is not None:
            draft.material.append((f"schema {named}", read[1].text.encode()))
            _check(draft, read[1].text, named, place)
    return draft.schemas[key]


def _check(draft: Draft, text: str, name: str, place: Span) -> None:
    found = Collector()
    try:
        problem = None if read_schema(text, name, found) is not None else "values cannot be checked against it"
    except MisfitError as fault:
        problem = fault.problem
    if problem is not None:
        told = "; ".join(one.message for one in found.diagnostics)
        draft.report(
            UNUSABLE_SCHEMA, f"`{name}`: {told or problem}", (place, "named here"), effect=_NOT_LOADED,
            suggestion="mend the schema; rules can check what it cannot say",
        )  # fmt: skip
