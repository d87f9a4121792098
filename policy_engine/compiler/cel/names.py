"""Names the parser must know: functions called through a namespace, `math.greatest(1, 2)`, which are no methods."""

from __future__ import annotations

from typing import Final

from policy_engine.semantics.functions.catalogue import FUNCTIONS

DOTTED_FUNCTIONS: Final = frozenset(function.name for function in FUNCTIONS if "." in function.name)
"""Names with a dot that are functions of their own."""
NAMESPACES: Final = frozenset(name.rpartition(".")[0] for name in DOTTED_FUNCTIONS)
