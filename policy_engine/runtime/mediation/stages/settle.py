"""Limits get what was really used, or all back where the call provably did not run."""

from __future__ import annotations

from policy_engine.base.refusals import NotRun
from policy_engine.runtime.mediation.call import Call
from policy_engine.runtime.mediation.stages.check import outcome_of
from policy_engine.runtime.mediation.stages.reserve import commit, give_back


def settle(call: Call) -> None:
    """Commit or refund what is held."""
    attempted = call.attempted
    if not call.held or attempted is None:
        return
    if attempted.status == "busy" or isinstance(attempted.error, NotRun):
        give_back(call)
        return
    amounts: dict[str, float] = {}
    if attempted.status == "returned" and any(owed.settles for owed in call.reserves):
        spent = call.policy.bounds.settle(call.request, outcome_of(call), call.decided, run=call.run.history)
        amounts = {
            counter: spent[owed.rule]
            for counter, owed in zip(call.counters, call.reserves, strict=True)
            if owed.rule in spent
        }
    commit(call, amounts)
