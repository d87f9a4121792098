"""A call through the mediator: what runs, with what, what comes back, and what the record says."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from policy_engine import Denied, Mediator, NotRun, Principal

USER = Principal(id="u1", tenant="acme")
GOOD = {"id": "7", "card": "1", "tenant": "acme"}


def records(mediator: Mediator, kind: str) -> list[Any]:
    return [entry for entry in mediator.audit.entries() if entry.kind == kind]


def test_a_call_runs_with_exactly_the_decided_arguments(mediate: Callable[..., Mediator]) -> None:
    """A rewrite happens before the tool runs, and numbers have the type that the schema says."""
    seen: list[Any] = []
    mediator = mediate("rewrite cap on crm.refund set args.amount to 50.0 when args.amount > 50.0")
    with mediator.run(principal=USER) as run:
        answer = run.call("crm.refund", {"id": "7", "amount": 900}, execute=lambda **args: seen.append(args) or "done")
    assert seen == [{"id": "7", "amount": 50.0}]
    assert answer == "done"


def test_a_denied_call_never_runs_and_is_recorded(mediate: Callable[..., Mediator]) -> None:
    """The refusal carries the reason and the hint, and stands in the audit with its rule."""
    mediator = mediate('deny large on crm.refund when args.amount > 100.0 because "too much"')
    with mediator.run(principal=USER) as run, pytest.raises(Denied, match="too much") as refused:
        run.call("crm.refund", {"id": "7", "amount": 900.0}, execute=lambda **args: pytest.fail("it ran"))
    assert "args.amount at most 100" in str(refused.value)
    (decision,) = records(mediator, "decision")
    assert decision.body["effect"] == "deny"
    assert decision.body["rules"] == ["shop/large"]
    assert decision.body["cause"] == "policy"


def test_the_decision_is_recorded_before_the_tool_runs(mediate: Callable[..., Mediator]) -> None:
    """When the tool looks, its own decision is there and its outcome is not."""
    mediator = mediate()
    seen: list[list[str]] = []

    def look(id: str) -> dict[str, str]:
        seen.append([entry.kind for entry in mediator.audit.entries() if entry.call])
        return {"id": id, "card": "1", "tenant": "acme"}

    with mediator.run(principal=USER) as run:
        run.call("crm.look", {"id": "7"}, execute=look)
    assert seen == [["decision"]]
    assert [entry.kind for entry in mediator.audit.entries() if entry.call] == ["decision", "outcome"]


def test_a_redacted_result_is_what_the_agent_sees(mediate: Callable[..., Mediator]) -> None:
    """Redaction keeps the rest of the result."""
    mediator = mediate('rewrite card on crm.look redact result.card with "****"')
    with mediator.run(principal=USER) as run:
        seen = run.call("crm.look", {"id": "7"}, execute=lambda id: {"id": id, "card": "4111", "tenant": "acme"})
    assert seen == {"id": "7", "card": "****", "tenant": "acme"}


def test_a_withheld_result_says_that_the_call_was_made(mediate: Callable[..., Mediator]) -> None:
    """A validation that fails hides the result, not the fact."""
    mediator = mediate("validate mine on crm.look require result.tenant == principal.tenant else withhold")
    with mediator.run(principal=USER) as run, pytest.raises(Denied, match="call was made") as hidden:
        run.call("crm.look", {"id": "7"}, execute=lambda id: {"id": id, "card": "4111", "tenant": "other"})
    assert hidden.value.decision.phase == "result"


def test_what_the_tool_raises_is_raised_and_recorded(mediate: Callable[..., Mediator]) -> None:
    """The host's own exception passes through; the outcome names its class."""
    mediator = mediate()
    with mediator.run(principal=USER) as run, pytest.raises(ZeroDivisionError):
        run.call("crm.look", {"id": "7"}, execute=lambda id: 1 / 0)
    (outcome,) = records(mediator, "outcome")
    assert outcome.body["status"] == "error"
    assert outcome.body["error"] == "ZeroDivisionError"


def test_the_same_id_and_arguments_run_once(mediate: Callable[..., Mediator]) -> None:
    """Asked again, the call is decided again, and answered without running, counting or recording twice."""
    runs: list[str] = []

    def look(id: str) -> dict[str, str]:
        runs.append(id)
        return {"id": id, "card": "1", "tenant": "a"}

    mediator = mediate("limit few on crm.look to 2 per 1h by principal.id")
    with mediator.run(principal=USER) as run:
        answers = [run.call("crm.look", {"id": "7"}, id="c1", execute=look) for _ in range(5)]
    assert runs == ["7"]
    assert answers == [answers[0]] * 5
    assert len(records(mediator, "decision")) == len(records(mediator, "outcome")) == 1


def test_the_same_id_with_other_arguments_is_refused(mediate: Callable[..., Mediator]) -> None:
    """An id names one call."""
    mediator = mediate()
    with mediator.run(principal=USER) as run:
        run.call("crm.look", {"id": "7"}, id="c1", execute=lambda id: {"id": id, "card": "1", "tenant": "a"})
        with pytest.raises(Denied, match="id of its own"):
            run.call("crm.look", {"id": "8"}, id="c1", execute=lambda id: pytest.fail("it ran"))
    assert records(mediator, "decision")[-1].body["cause"] == "identity"


def test_a_call_that_provably_did_not_run_gives_its_place_back(mediate: Callable[..., Mediator]) -> None:
    """`NotRun` refunds the limit, another exception does not."""
    mediator = mediate("limit one on crm.look to 1 per 1h by principal.id")

    def refused(id: str) -> None:
        raise NotRun("connection refused")

    with mediator.run(principal=USER) as run:
        with pytest.raises(NotRun):
            run.call("crm.look", {"id": "7"}, execute=refused)
        with pytest.raises(ZeroDivisionError):
            run.call("crm.look", {"id": "7"}, execute=lambda id: 1 / 0)
        with pytest.raises(Denied):
            run.call("crm.look", {"id": "7"}, execute=lambda id: pytest.fail("it ran"))


def test_nothing_passes_in_a_run_that_has_ended(mediate: Callable[..., Mediator]) -> None:
    """After the block the run is closed."""
    mediator = mediate()
    with mediator.run(principal=USER) as run:
        pass
    with pytest.raises(Denied, match="ended"):
        run.call("crm.look", {"id": "7"}, execute=lambda id: pytest.fail("it ran"))


async def test_async_tools_run_in_the_task(mediate: Callable[..., Mediator]) -> None:
    """The async twin awaits coroutine functions and runs sync ones in a thread."""
    mediator = mediate()

    async def look(id: str) -> dict[str, str]:
        return {"id": id, "card": "1", "tenant": "a"}

    async with mediator.run(principal=USER) as run:
        assert (await run.call("crm.look", {"id": "7"}, execute=look))["id"] == "7"
        assert await run.call("crm.refund", {"id": "7", "amount": 1.0}, execute=lambda id, amount: amount) == 1.0
        assert await run.answer("done") == "done"
    (ended,) = records(mediator, "run.ended")
    assert ended.body["completed"] is True
    assert ended.body["calls"] == 2


def test_refusals_that_could_not_be_recorded_are_counted(mediate: Callable[..., Mediator]) -> None:
    """The refusal stands; the host sees that its log has failed."""
    mediator = mediate("deny all-looks on crm.look")
    run = mediator.run(principal=USER).__enter__()
    kept = mediator._stores.ledger.follow
    mediator._stores.ledger.follow = lambda row: (_ for _ in ()).throw(OSError("full"))  # type: ignore[method-assign]
    with pytest.raises(Denied) as refused:
        run.call("crm.look", {"id": "7"}, execute=lambda id: pytest.fail("it ran"))
    mediator._stores.ledger.follow = kept  # type: ignore[method-assign]
    assert "full" not in str(refused.value)
    assert mediator.unrecorded == 1
    run.close(None)


def test_a_commit_that_failed_stands_in_the_outcome(mediate: Callable[..., Mediator]) -> None:
    """What could not be settled is told where the call's outcome is."""
    mediator = mediate("limit two on crm.look to 2 per 1h by principal.id")
    kept = mediator._stores.counters.commit
    with mediator.run(principal=USER) as run:
        mediator._stores.counters.commit = lambda *a, **k: (_ for _ in ()).throw(OSError("full"))  # type: ignore[method-assign]
        run.call("crm.look", {"id": "7"}, execute=lambda id: {"id": id, "card": "1", "tenant": "a"})
        mediator._stores.counters.commit = kept  # type: ignore[method-assign]
    (outcome,) = records(mediator, "outcome")
    assert ["commit", "failed"] in outcome.body["limits"]


@pytest.mark.parametrize("rules", ["", 'rewrite card on crm.look redact result.card with "****"'])
def test_functions_of_the_host_are_never_asked_under_the_lock_of_a_run(rules: str, mediate: Callable[..., Mediator]) -> None:
    """They may use the run: what a call cost, and what its result is as data, also where the first look was interrupted."""
    locked: list[bool] = []
    interrupts = [KeyboardInterrupt()]

    def to_data(value: Any) -> Any:
        locked.append(run._run.lock.locked())
        if interrupts:
            raise interrupts.pop()
        return value

    def cost(tool: str, value: Any) -> float:
        locked.append(run._run.lock.locked())
        return 1.0

    with mediate(rules, to_data=to_data, cost=cost).run(principal=USER) as run:
        with pytest.raises(KeyboardInterrupt):
            run.call("crm.look", {"id": "7"}, execute=lambda id: GOOD)
        run.call("crm.look", {"id": "7"}, execute=lambda id: GOOD)
    assert len(locked) >= 4 and not any(locked)


def test_a_run_goes_on_for_whom_it_began(mediate: Callable[..., Mediator]) -> None:
    """What the host does to the principal's record afterwards changes nothing."""
    mediator = mediate('deny strangers on crm.look when principal.tenant != "acme"')
    for given in (Principal(id="u1", tenant="acme"), {"id": "u1", "tenant": "acme"}):
        with mediator.run(principal=given) as run:
            fields: Any = given if isinstance(given, dict) else given.fields
            fields["tenant"] = "evil"
            assert run.call("crm.look", {"id": "7"}, execute=lambda id: GOOD) == GOOD


def test_a_field_of_a_principal_may_have_any_name(mediate: Callable[..., Mediator]) -> None:
    """Those that Python takes for its own too."""
    with mediate().run(principal={"id": "u1", "tenant": "acme", "self": "me"}) as run:
        assert run.call("crm.look", {"id": "7"}, execute=lambda id: GOOD) == GOOD
