"""Bring people in: find what they answered, decide again with it, and wait or say that the call waits."""

from __future__ import annotations

from contextlib import suppress
from typing import Final

from policy_engine.base.decision import Decision
from policy_engine.base.request import Approval
from policy_engine.base.values import NANOS_PER_SECOND
from policy_engine.runtime.mediation.call import Call, Refused, Waiting, refusal
from policy_engine.runtime.mediation.effects import Flow, Pause
from policy_engine.runtime.mediation.people.desk import Standing
from policy_engine.runtime.mediation.people.rendering import Asked
from policy_engine.runtime.mediation.recording import write, write_people
from policy_engine.runtime.mediation.runs import MediatedRun
from policy_engine.runtime.mediation.stages.decide import decide
from policy_engine.runtime.mediation.stages.reserve import give_back, hold, reserve
from policy_engine.runtime.mediation.world import World
from policy_engine.runtime.ports.approvals import TooManyQuestions
from policy_engine.runtime.ports.audit import Record

_UNASKED: Final = "nobody can be asked about this call now; try again later"
_MANY: Final = "too many requests of this run wait for people already; nothing more is asked until they are answered"
_SPENT: Final = "an approval of this call was used before, so it may have been made already; ask again under another id"
_MOST_STEPS: Final = 1000
FIRST_PAUSE: Final = 0.05
_LONGEST_PAUSE: Final = 1.0


def pause(looks: int) -> float:
    """Seconds until somebody who waits for people looks again: soon at first, then once a second."""
    return min(_LONGEST_PAUSE, FIRST_PAUSE * 1.2 ** min(looks, 50))


def ask(call: Call) -> Flow[None] | None:
    """None where nobody is to be asked; in observe mode nobody ever is."""
    return _ask(call) if call.decided.effect == "escalate" and call.enforced else None


def _ask(call: Call) -> Flow[None]:
    looks = steps = 0
    told: tuple[tuple[str, int], ...] = ()
    while steps < _MOST_STEPS:
        standing = stand(call, call.decided, call.answers)
        if standing.answers != call.answers:
            steps += 1
            _again(call, standing.answers)
            if call.decided.effect != "escalate":
                return
            continue
        until = min((question.until for question in standing.questions), default=call.world.clocks.now())
        if call.world.wishes.pending == "raise":
            hold(call, max((question.expires for question in standing.questions), default=until))
            raise Waiting(call.decided)
        told = tell_host(call.world, standing, told)
        yield from _wait(call, until, looks)
        looks += 1
    raise Refused(refusal(call.policy, call.request.tool, "too_costly", _UNASKED, "a ladder without an end"), "engine")


def tell_host(world: World, standing: Standing, told: tuple[tuple[str, int], ...]) -> tuple[tuple[str, int], ...]:
    """Call the host back where it wants that, once for each question and tier; returns what it was told."""
    asked = tuple((question.id, question.tier) for question in standing.questions)
    if callable(world.wishes.pending) and asked != told:
        world.wishes.pending(standing.questions)
    return asked


def stand(call: Call, decision: Decision, told: tuple[Approval, ...]) -> Standing:
    """Where the questions of a decision stand that was made with the answers `told`. Asks those that nobody was asked yet;
    writes down what is new."""
    now = call.world.clocks.now()
    try:
        standing = call.world.people.standing(asked_of(call, decision), decision.asks, told, now)
        write_people(call, standing, now)
    except TooManyQuestions as fault:
        raise Refused(refusal(call.policy, call.request.tool, "too_costly", _MANY, str(fault)), "busy") from None
    except Exception as fault:
        why = f"{_UNASKED} ({type(fault).__name__})"
        raise Refused(refusal(call.policy, call.request.tool, "not_available", _UNASKED, why), "store") from None
    return standing


def asked_of(call: Call, decision: Decision) -> Asked:
    """What people are to be shown of a call, or of its result."""
    run = call.run
    shown, name, about = decision.engine_args or {}, call.name, "args"
    if decision.phase == "result":
        shown, name, about = decision.engine_result, f"{call.name}/result", "result"
    return Asked(
        run=run.id, root=run.root, call=name, tool=call.request.tool, args=shown, principal=run.principal, agent=run.agent,
        words=run.words, history=run.history.snapshot(), reason=decision.reason, detail=decision.detail, rules=decision.rules,
        about=about,
    )  # fmt: skip


def _again(call: Call, answers: tuple[Approval, ...]) -> None:
    """Decide with the new answers, as LANGUAGE.md has it: denies included, and new escalations ask again."""
    call.answers = answers
    decide(call)
    reserve(call)


def _wait(call: Call, until: int, looks: int) -> Flow[None]:
    """Wait a little, longer each time, not much beyond the tier's time nor the run's. What stops the waiting gives back what
    is held."""
    left = [until - call.world.clocks.now()]
    if (deadline := call.run.left()) is not None:
        left.append(deadline)
    seconds = min(max(0, min(left)) / NANOS_PER_SECOND + FIRST_PAUSE, pause(looks))
    hold(call, until)
    try:
        yield Pause(seconds)
    except BaseException:
        give_back(call)
        withdraw(call.run, call.name)
        raise
    if (remaining := call.run.left()) is not None and remaining <= 0:
        late = "the time for this run is over, and nobody has answered"
        raise Refused(refusal(call.policy, call.request.tool, "not_available", late, late), "deadline")


def withdraw(run: MediatedRun, name: str) -> None:
    """The call is given up: nobody needs to answer for it any more. What cannot be told expires by itself."""
    world = run.world
    with suppress(Exception):
        for event in world.people.withdraw(name):
            write(run, Record("answer", world.clocks.now(), run.id, name, event, {}))


def use_answers(call: Call, answers: tuple[Approval, ...], about: str) -> None:
    """The answers let this call (or its result: `about`) pass, and count never again, in whatever process: one that has died
    after it used them may have made the call."""
    claim = f"{call.name if call.identity is None else call.identity.claim}/{about}"
    try:
        used = call.world.people.use(answers, claim)
    except Exception as fault:
        told = f"{_UNASKED} ({type(fault).__name__})"
        raise Refused(refusal(call.policy, call.request.tool, "not_available", _UNASKED, told), "store") from None
    if not used:
        raise Refused(refusal(call.policy, call.request.tool, "invalid_argument", _SPENT, _SPENT), "identity")
    for answer in answers:
        call.run.history.approval_used(answer)
