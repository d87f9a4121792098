"""Which guard a policy or a mediator needs."""

from __future__ import annotations

from policy_engine import Mediator, Policy
from policy_engine_adapters.gate import Gate
from policy_engine_adapters.mediated import Mediated
from policy_engine_adapters.protocol import Approvals, Guard


def guard_of(policy: Policy | Mediator, approvals: Approvals | None) -> Guard:
    """Raises `ValueError` for a policy that needs a mediator, `TypeError` for `approvals` beside a mediator."""
    if isinstance(policy, Policy):
        return Gate(policy, approvals)
    if approvals is not None:
        raise TypeError("a mediator asks people itself: give `approvers` to the Mediator instead of `approvals`")
    return Mediated(policy)
