"""Names the parser must know: functions called through a namespace, `math.greatest(1, 2)`, which are no methods."""

from __future__ import annotations

from typing import Final

DOTTED_FUNCTIONS: Final = frozenset(
    {
        "math.abs", "math.bitAnd", "math.bitNot", "math.bitOr", "math.bitShiftLeft", "math.bitShiftRight", "math.bitXor",
        "math.ceil", "math.floor", "math.greatest", "math.isFinite", "math.isInf", "math.isNaN", "math.least",
        "math.round", "math.sign", "math.sqrt", "math.trunc",
        "optional.of", "optional.none", "optional.ofNonZeroValue", "optional.unwrap",
        "strings.quote", "base64.encode", "base64.decode", "ip.isCanonical", "lists.range",
        "sets.contains", "sets.equivalent", "sets.intersects", "regex.extract", "regex.extractAll", "regex.replace",
    }
)  # fmt: skip
"""Names with a dot that are functions of their own."""
NAMESPACES: Final = frozenset(name.rpartition(".")[0] for name in DOTTED_FUNCTIONS)
