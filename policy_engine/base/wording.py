"""What an agent reads when it does not get what it asked for. Built from `reason` and `hint`, which leak nothing."""

from __future__ import annotations

from policy_engine.base.decision import Decision

_MADE = "the call was made"
"""How the engine begins when a rule gives no reason of its own for hiding something."""


def message_of(decision: Decision) -> str:
    """What the agent reads of a decision that does not let a call, its result or an event pass. Leaks neither policy nor data."""
    if decision.phase == "event":
        return unsaid(decision)
    if decision.phase == "result":
        return hidden(decision)
    return waiting(decision) if decision.effect == "escalate" else refusal(decision)


def refusal(decision: Decision) -> str:
    """Why a call was not made, and the nearest call that would be."""
    if decision.degradation is not None and decision.degradation.kind == "reply" and decision.degradation.text:
        return decision.degradation.text
    said = [f"This call was not made: {_sentence(decision.reason)}"]
    if decision.degradation is not None and decision.degradation.kind == "call" and decision.degradation.tool:
        said.append(f"Call {decision.degradation.tool} instead.")
    if decision.hint:
        said.append(f"It would be permitted with {_sentence(decision.hint)}")
    return " ".join(said)


def waiting(decision: Decision) -> str:
    """Which approvals are awaited. A reference is the start of the request's digest: enough to find it, no more."""
    asked = ", ".join(f"{ask.queue} (approval {ask.digest[:12]})" for ask in decision.asks) or "a person"
    if decision.phase == "call":
        return (
            f"This call waits for approval: {_sentence(decision.reason)} It was not made and will not be until it is"
            f" approved by {asked}. Do not try to reach the same end in another way."
        )
    return f"This waits for approval by {asked}: {_sentence(decision.reason)}"


def hidden(decision: Decision) -> str:
    """What stands in the place of a result that may not be seen."""
    if decision.effect == "escalate":
        return f"The call was made, but its result cannot be shown yet. {waiting(decision)}"
    if decision.effect == "reply" and decision.degradation is not None and decision.degradation.text is not None:
        return decision.degradation.text
    if decision.reason.lower().startswith(_MADE):
        return f"{_sentence(decision.reason.capitalize())} Do not make it again for this reason."
    return f"The call was made, but its result cannot be shown: {_sentence(decision.reason)}"


def _sentence(text: str) -> str:
    text = text.strip() or "this is not permitted"
    return text if text[-1] in ".!?" else f"{text}."


def unsaid(decision: Decision) -> str:
    """What stands in the place of an answer, a step or an input that must not go on."""
    if decision.effect == "reply" and decision.degradation is not None and decision.degradation.text is not None:
        return decision.degradation.text
    if decision.effect == "retry":
        why = "" if "did not pass a check" in decision.reason else f" {_sentence(decision.reason)}"
        return f"Your answer did not pass a check.{why} Answer again so that it does."
    if decision.effect == "escalate":
        return waiting(decision)
    if decision.reason.lower().startswith(_MADE):
        return "This cannot be said."
    return f"This cannot be said: {_sentence(decision.reason)}"
