"""Errors a caller may catch. Those that carry diagnostics (`PolicyError`) live one floor up, in `diagnostics`."""

from __future__ import annotations

from typing import Literal

ErrorKind = Literal[
    "no_such_field", "no_such_key", "no_such_overload", "index_out_of_range", "overflow", "divide_by_zero",
    "invalid_argument", "undeclared", "duplicate_key", "too_costly", "too_deep", "not_available", "internal",
]  # fmt: skip
"""The classes of evaluation errors; stable, they appear in decisions and metrics."""


class EvaluationError(Exception):
    """A CEL expression came to no value. `kind` classifies it; the message names fields and types, never values."""

    def __init__(self, kind: ErrorKind, message: str) -> None:
        super().__init__(message)
        self.kind: ErrorKind = kind

    @property
    def message(self) -> str:
        """What went wrong, in words for the writer of the policy."""
        return str(self)


class MisfitError(Exception):
    """A request does not fit its schema or record; a decision turns it into a deny.

    `path` is where (`args.amount`), `problem` what, without the value itself.
    """

    def __init__(self, path: str, problem: str) -> None:
        super().__init__(f"{path}: {problem}")
        self.path = path
        self.problem = problem
