"""The builder of policies: the CEL callbacks, the declarations and the rules in one transformer, run while parsing."""

from __future__ import annotations

from policy_engine.compiler.language.declarations import DeclarationBuilder
from policy_engine.compiler.language.rules import RuleBuilder


class PolicyBuilder(DeclarationBuilder, RuleBuilder):
    """One method for each production of `policy.lark` and `cel.lark`; `begin`, one parse, then `failed`."""
