"""All six words by scan, over everything a view of a run holds. Tests compare the index with it; nothing else calls it.

Takes time in proportion to the run at each question, so a run longer than `MAX_SCANNED_CALLS` is not scanned.
"""

from __future__ import annotations

from functools import cached_property
from typing import Any

from policy_engine.base.errors import EvaluationError
from policy_engine.runtime.trace.provenance.leaves import MAX_SEEN_LEAVES, Leaf
from policy_engine.runtime.trace.provenance.scan import carried, coverage, labels, origins, pointed, said
from policy_engine.runtime.trace.provenance.tokens import Text
from policy_engine.runtime.trace.view import RunView


class ScannedProvenance:
    """Implements `semantics.context.Provenance` for the moment of one view."""

    def __init__(self, view: RunView) -> None:
        self._view = view

    def said(self, value: Any) -> bool:
        """Whether the user's own words contain the value."""
        return said.said(value, self._words)

    def origins(self, value: Any) -> list[dict[str, Any]]:
        """Records `{source, tool, path, call}` of where the value was seen, in the order of events."""
        return [leaf.origin for leaf in origins.origins(value, self._leaves)]

    def labels(self, value: Any) -> list[str]:
        """The labels at those places, sorted; all labels of the run for a value seen nowhere."""
        self._view.scannable()
        entered = frozenset(mark.label for record in self._view.records for mark in record.labels if mark.add)
        return sorted(labels.labels(value, self._leaves, entered))

    def pointed(self, value: Any) -> bool:
        """Whether it came from a call whose argument the user said."""
        return pointed.pointed(value, self._leaves, self._pointed_at)

    def coverage(self, value: Any) -> float:
        """The share (0.0 … 1.0) of its words that the user said."""
        return coverage.coverage(value, self._words)

    def carried(self, value: Any) -> bool:
        """Whether it was an argument of an earlier allowed call."""
        self._view.scannable()
        earlier = [leaf for call in self._view.attempts if call.executed for leaf in call.argument_leaves]
        return carried.carried(value, earlier)

    @cached_property
    def _words(self) -> tuple[Text, ...]:
        self._view.scannable()
        return tuple(words for entry in self._view.inputs if (words := entry.own_words) is not None)

    @cached_property
    def _leaves(self) -> tuple[Leaf, ...]:
        self._view.scannable()
        found: list[Leaf] = []
        for entry in self._view.records:
            found.extend(entry.leaves)
            if len(found) > MAX_SEEN_LEAVES:
                raise EvaluationError("too_costly", "the run holds more values than a condition may scan")
        return tuple(found)

    @cached_property
    def _pointed_at(self) -> frozenset[Leaf]:
        return frozenset(
            leaf
            for call in self._view.attempts
            if any(pointed.points(argument.value) and self.said(argument.value) for argument in call.argument_leaves)
            for leaf in call.leaves
        )
