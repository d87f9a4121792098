"""The type checker of CEL: flow-sensitive, over records, enums, unions and what nobody declared (`dyn`).

Called once for each tool a rule targets. It reports into a `Collector` and answers the types the code generator uses;
evaluation never depends on it.
"""

from __future__ import annotations

from policy_engine.compiler.cel.checker import access, calls, equality, names, operators
from policy_engine.compiler.cel.checker.facts import NO_FACTS, Facts
from policy_engine.compiler.cel.checker.scope import Checked, Scope
from policy_engine.compiler.cel.checker.walk import check_condition, check_expression

CODES = (*access.CODES, *operators.CODES, *equality.CODES, *calls.CODES, *names.CODES)

__all__ = ["CODES", "NO_FACTS", "Checked", "Facts", "Scope", "check_condition", "check_expression"]
