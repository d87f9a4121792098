"""Immutable records made fast, for code that makes some on every call.

A frozen dataclass sets each of its fields through `object.__setattr__`, which costs more than all the rest of making it. A
draft has the same slots and can be assigned to; when it is filled in, its class becomes that of the record, and from then on
nothing can be assigned. Every field must be filled in: a draft knows no defaults.
"""

from __future__ import annotations

from typing import Any


def draft_of(kind: type) -> Any:
    """A class of drafts of a frozen dataclass with slots."""
    return type(f"{kind.__name__}Draft", (), {"__slots__": kind.__slots__})  # type: ignore[attr-defined]
