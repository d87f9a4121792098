"""The largest values an expression may build. Called wherever values grow; promises an error before memory runs out."""

from __future__ import annotations

from typing import Final

from policy_engine.base.errors import EvaluationError
from policy_engine.base.limits import MAX_ARGS_CHARS, MAX_EVALUATION_STEPS

MAX_VALUE_CHARS: Final = 2 * MAX_ARGS_CHARS
"""Characters (or bytes) of one text that an expression makes."""
MAX_VALUE_ELEMENTS: Final = MAX_EVALUATION_STEPS
"""Elements of one list that an expression makes, and elements two values may be compared by."""


def bound_chars(count: int) -> None:
    """Raises `EvaluationError("too_costly")` where a text of that many characters would be too long."""
    if count > MAX_VALUE_CHARS:
        raise EvaluationError("too_costly", f"a text would grow beyond {MAX_VALUE_CHARS} characters")


def bound_elements(count: int) -> None:
    """Raises `EvaluationError("too_costly")` where a list of that many elements would be too long."""
    if count > MAX_VALUE_ELEMENTS:
        raise EvaluationError("too_costly", f"a list would grow beyond {MAX_VALUE_ELEMENTS} elements")
