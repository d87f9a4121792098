"""The line between what is decided here and what is left to the full engine."""

from __future__ import annotations


class NotSimple(BaseException):
    """The full engine must answer. No `Exception`, so that no handler of generated code takes it for CEL's error."""


class Misfit(Exception):
    """A value that does not fit its schema; the full engine finds the words for it."""
