"""A span for each call, where somebody records."""

from __future__ import annotations

from contextlib import nullcontext
from typing import Any

from policy_engine.runtime.mediation.call import Call


def spanned(call: Call) -> None:
    """Begin the span of a call, as a child of its run's."""
    telemetry, run = call.world.telemetry, call.run
    if telemetry is None:
        return
    attributes = {"gen_ai.tool.call.id": call.name, "gen_ai.conversation.id": run.id, "policy.digest": call.policy.digest}
    with nullcontext() if run.span is None else run.span.current():
        call.span = telemetry.begin("execute_tool", call.request.tool, attributes)


def ended(call: Call, error: str | None) -> None:
    """End it with what was decided."""
    span, decision, output = call.span, call.decision, call.output
    if span is None:
        return
    told: dict[str, Any] = {"policy.tries": call.tries, "policy.enforced": call.enforced, "policy.decision.id": call.record}
    if decision is not None:
        told |= {"policy.effect": decision.effect, "policy.rules": list(decision.rules)}
    if output is not None:
        told["policy.result.effect"] = output.effect
    span.tell(told)
    span.end(error)
