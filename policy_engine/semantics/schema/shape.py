"""What a schema says, as its reader works it out: a type, and what is demanded beyond."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from policy_engine.semantics.types import DYN, Bounds, EnumType, Type


@dataclass(frozen=True)
class Shape:
    """A type and what is demanded beyond it."""

    type: Type
    bounds: Bounds | None = None


NOTHING: Final = EnumType(())
"""The type that no value fits."""
ANY: Final = Shape(DYN)
NEVER: Final = Shape(NOTHING)
