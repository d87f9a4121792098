"""What a running condition may ask about its surroundings, beside the plain values it is given by name."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol

FOLDED: Final = "%folded"
"""The call that stands in a condition for a question about history that is answered from state: its first argument is
the number of the question in the policy's `FoldPlan`, the others are the question's. With the name of a history instead
of a number it gives that history's record for the key that follows. Nobody can write this name."""


class Provenance(Protocol):
    """Where values came from (LANGUAGE.md, *provenance*). The scan of `runtime/trace` is one; an index will be another.

    All arguments and results are engine values. Any of these may raise `EvaluationError`.
    """

    def said(self, value: Any) -> bool:
        """Whether the user's own words contain the value."""
        ...

    def origins(self, value: Any) -> list[dict[str, Any]]:
        """Records `{source, tool, path, call}` of where the value was seen."""
        ...

    def labels(self, value: Any) -> list[str]:
        """The labels at those places, sorted; all labels of the run for a value seen nowhere."""
        ...

    def pointed(self, value: Any) -> bool:
        """Whether it came from a call whose argument the user said."""
        ...

    def coverage(self, value: Any) -> float:
        """The share (0.0 … 1.0) of its words that the user said."""
        ...

    def carried(self, value: Any) -> bool:
        """Whether it was an argument of an earlier allowed call."""
        ...


class EvaluationContext(Protocol):
    """Passed to functions declared with `needs_context`, and nowhere else."""

    def once(self, function: str, arguments: tuple[Any, ...], ask: Callable[[], Any]) -> Any:
        """The value of a function that is not pure: what `ask` answers, asked once a decision for these arguments.

        Raises `EvaluationError`, the same one each time.
        """
        ...

    @property
    def provenance(self) -> Provenance:
        """Raises `EvaluationError("not_available")` where the decision has no run."""
        ...

    def folded(self, number: int | str, arguments: Sequence[Any]) -> Any:
        """The answer to a question about history. An argument may be a `Lazy` one, which raises when it is called."""
        ...
