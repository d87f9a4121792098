"""Sizes beyond which the engine refuses to look, so that no input can make it slow. All are inclusive maxima."""

from __future__ import annotations

from typing import Final

MAX_SOURCE_CHARS: Final = 4_000_000
"""Characters in one policy file; checked before lexing."""
MAX_ITEM_CHARS: Final = 64_000
"""Characters in one rule or declaration; checked before lexing."""
MAX_EXPRESSION_CHARS: Final = 64_000
"""Characters in one CEL expression; checked before lexing."""
MAX_NESTING: Final = 100
"""Depth of brackets in an expression, checked before lexing, and of the tree it makes."""
MAX_EXPRESSION_NODES: Final = 10_000
"""Nodes in one expression after `let` is expanded."""
MAX_EVALUATION_STEPS: Final = 1_000_000
"""Steps of one evaluation; macros over long lists reach it first."""
MAX_ARGS_CHARS: Final = 4_000_000
"""Characters of text in the arguments of one request, all strings together."""
MAX_ARGS_NODES: Final = 100_000
"""Values (of any kind) in the arguments of one request."""
MAX_ARGS_DEPTH: Final = 64
"""Depth of lists and maps in the arguments of one request."""
MAX_SCANNED_CALLS: Final = 10_000
"""Calls of a run that a condition may scan; beyond it the condition is an error."""
