"""Which answers to questions a store takes: the same for all of them."""

from __future__ import annotations

from policy_engine.runtime.ports.approvals import Answer, Question


def refusal_of(question: Question | None, answer: Answer) -> str | None:
    """Why an answer is not kept; None where it is. A refusal is kept however late, while the question can still hear it."""
    if question is None:
        return "there is no such question"
    if question.state != "open" and not (question.state == "refused" and answer.answer == "refused"):
        return f"the question is {question.state}, nobody asks it any more"
    if answer.answer == "refused":
        asked = {tier.queue for tier in question.tiers[: question.tier + 1]}
        return None if answer.queue in asked else f"`{answer.queue}` is not asked"
    if question.over:
        return "the time for an answer is over"
    if answer.queue != question.queue:
        return f"`{answer.queue}` is not asked now, `{question.queue}` is"
    return "the time for an answer is over" if answer.at > question.until else None
