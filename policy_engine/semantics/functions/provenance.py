"""Where a value came from: `said origins labels pointed coverage carried`, answered by the run's `Provenance`.

`entities` asks nothing of the run: it is in `entities.py`. LANGUAGE.md (*provenance*) has the exact meanings.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from policy_engine.semantics.context import EvaluationContext
from policy_engine.semantics.functions.declaration import Function
from policy_engine.semantics.functions.signatures import takes
from policy_engine.semantics.operations import no_overload
from policy_engine.semantics.types import BOOL, DOUBLE, DYN, STRING, ListType, RecordField, RecordType, Type

ORIGIN: Final = RecordType(
    "origin", tuple(RecordField(name, STRING, required=True) for name in ("call", "path", "source", "tool"))
)
"""One place where a value was seen."""


def _asking(
    name: str, to: Type, meaning: str, ask: Callable[[EvaluationContext, Any], Any], *, cost: int = 100
) -> Function:
    def body(context: EvaluationContext, *arguments: Any) -> Any:
        if len(arguments) != 1:
            no_overload(name, *arguments)
        return ask(context, arguments[0])

    return Function(
        name,
        (takes(DYN, to=to),),
        meaning,
        (),
        body,
        cost=cost,
        needs_context=True,
        source="policy language",
    )


FUNCTIONS: Final = (
    _asking(
        "said",
        BOOL,
        "Whether the user's own words contain the value: numbers equal, dates in ISO or with a month's name, "
        "identifiers as whole tokens, other text as whole words; null counts as said, a list if all of it is.",
        lambda context, value: context.provenance.said(value),
    ),
    _asking(
        "origins",
        ListType(ORIGIN),
        "The places where the value was seen in this run: records of `source`, `tool`, `path`, `call`.",
        lambda context, value: context.provenance.origins(value),
    ),
    _asking(
        "labels",
        ListType(STRING),
        "The labels at the places where the value was seen; for a value seen nowhere, every label of the run.",
        lambda context, value: context.provenance.labels(value),
    ),
    _asking(
        "pointed",
        BOOL,
        "Whether the value comes from a call whose argument the user said: a reason to ask, never to allow.",
        lambda context, value: context.provenance.pointed(value),
    ),
    _asking(
        "coverage",
        DOUBLE,
        "The share, from 0.0 to 1.0, of the value's words that the user said.",
        lambda context, value: context.provenance.coverage(value),
    ),
    _asking(
        "carried",
        BOOL,
        "Whether the value was an argument of an earlier allowed call.",
        lambda context, value: context.provenance.carried(value),
    ),
)
