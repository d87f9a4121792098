"""Types of the strict check are taken for the generated code only where a second check would say the very same."""

from __future__ import annotations

from policy_engine import PolicyError
from policy_engine.compiler.analysis.checking import LayerTools
from policy_engine.compiler.cel.checker import check_expression
from policy_engine.diagnostics.model import Collector
from tests.oracle.policies import drawn


def test_kept_types_are_those_of_a_second_check(monkeypatch: object) -> None:
    """For every expression of drawn policies: node by node."""
    compared = 0
    plain = LayerTools.certain_types

    def both(self: LayerTools, expression: object, subject: object) -> object:
        nonlocal compared
        found = plain(self, expression, subject)  # type: ignore[arg-type]
        again = check_expression(expression.final, self.scopes.certain(subject), Collector())  # type: ignore[attr-defined, arg-type]
        assert found == again.types
        compared += 1
        return found

    monkeypatch.setattr(LayerTools, "certain_types", both)  # type: ignore[attr-defined]
    for seed in range(40):
        try:
            drawn(seed).load()
        except PolicyError:
            continue
    assert compared > 200
