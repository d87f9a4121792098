"""People through the mediator: every row of the ladder's meaning, over both stores, and across processes that end."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from policy_engine import Denied, Mediator, Pending, Principal
from policy_engine.assembly.mediating.modes import NotAuthorised, Switch, statement_of
from policy_engine.runtime.ports.approvals import NotAsked

from .conftest import FakeTime
from .persons import Person, registry

USER = Principal(id="u1", tenant="acme")
FAY, MAX, MIA, UMA = Person("fay", "finance"), Person("max", "managers"), Person("mia", "managers"), Person("u1", "finance")
OPS = Person("olga", "operators")
PEOPLE = registry(FAY, MAX, MIA, UMA, OPS)
ONE = "escalate big on crm.refund when args.amount > 100.0 to finance within 30m\n"
TWO = (
    "escalate big on crm.refund when args.amount > 100.0 to finance within 30m"
    " else to 2 of managers within 1h else set args.amount to 100.0\n"
)


class Shop:
    """A mediator, and a refund that is asked again and again under one id."""

    def __init__(self, mediator: Mediator, time: FakeTime) -> None:
        self.mediator = mediator
        self.time = time
        self.ran: list[float] = []
        self.store = mediator._stores.approvals

    def say(self, person: Person, answer: str = "approved", queue: str | None = None) -> None:
        person.say(self.store, self.now, answer, queue)

    @property
    def now(self) -> int:
        return self.mediator._world.clocks.now()

    def refund(self, run: Any, amount: float = 500.0, id: str | None = "c1") -> Any:
        def execute(id: str, amount: float) -> str:
            self.ran.append(amount)
            return f"refunded {amount}"

        return run.call("crm.refund", {"id": "7", "amount": amount}, id=id, execute=execute)

    def waits(self, run: Any, **call: Any) -> Pending:
        with pytest.raises(Pending) as pending:
            self.refund(run, **call)
        return pending.value

    def kinds(self) -> list[str]:
        told = [entry for entry in self.mediator.audit.entries() if entry.kind in ("ask", "answer")]
        return [f"{entry.body.get('answer', 'ask')} {entry.body['queue']}" for entry in told]

    def bodies(self, kind: str) -> list[Any]:
        return [entry.body for entry in self.mediator.audit.entries() if entry.kind == kind]


@pytest.fixture
def open_shop(mediate: Callable[..., Mediator], time: FakeTime) -> Callable[..., Shop]:
    return lambda rules, **options: Shop(mediate(rules, approvers=PEOPLE, **options), time)


def test_an_approved_call_runs_once(open_shop: Callable[..., Shop]) -> None:
    """It waits, is approved, runs, and the approval counts for no other call."""
    shop = open_shop(ONE)
    with shop.mediator.run(principal=USER) as run:
        asked = shop.waits(run)
        assert asked.decision.asks[0].queue == "finance"
        assert "waits for approval" in str(asked)
        shop.say(FAY)
        assert shop.refund(run) == "refunded 500.0"
        assert shop.refund(run) == "refunded 500.0"
        shop.waits(run, id="c2")
    assert shop.ran == [500.0]
    assert shop.kinds() == ["ask finance", "approved finance", "ask finance"]
    allowed = [body for body in shop.bodies("decision") if body["effect"] == "allow"]
    assert allowed[0]["approvers"] == ["fay"]


def test_a_refusal_is_final(open_shop: Callable[..., Shop]) -> None:
    """However often it is asked again, and whoever else approves."""
    shop = open_shop(ONE)
    with shop.mediator.run(principal=USER) as run:
        shop.waits(run)
        shop.say(FAY, "refused")
        for _ in range(2):
            with pytest.raises(Denied):
                shop.refund(run)
    assert shop.ran == []


def test_silence_climbs_and_then_makes_the_call_smaller(open_shop: Callable[..., Shop]) -> None:
    """Nobody in finance, not enough managers: the call is made smaller and decided again."""
    shop = open_shop(TWO)
    with shop.mediator.run(principal=USER) as run:
        shop.waits(run)
        shop.time.passed += 31 * 60
        assert shop.waits(run).decision.asks[0].queue == "managers"
        shop.say(MAX)
        shop.waits(run)
        shop.time.passed += 61 * 60
        assert shop.refund(run) == "refunded 100.0"
    assert shop.ran == [100.0]


def test_two_different_managers_are_needed(open_shop: Callable[..., Shop]) -> None:
    """One person counts once."""
    shop = open_shop(TWO)
    with shop.mediator.run(principal=USER) as run:
        shop.waits(run)
        shop.time.passed += 31 * 60
        shop.waits(run)
        shop.say(MAX)
        shop.say(MAX)
        shop.waits(run)
        shop.say(MIA)
        assert shop.refund(run) == "refunded 500.0"


def test_nobody_approves_their_own_request(open_shop: Callable[..., Shop]) -> None:
    """The principal's own approval does not count."""
    shop = open_shop(ONE)
    with shop.mediator.run(principal=USER) as run:
        shop.waits(run)
        shop.say(UMA)
        shop.waits(run)
        shop.say(FAY)
        assert shop.refund(run) == "refunded 500.0"


def test_every_escalation_must_be_met(open_shop: Callable[..., Shop]) -> None:
    """Two rules ask two queues; one approval is not enough."""
    shop = open_shop(ONE + "escalate huge on crm.refund when args.amount > 400.0 to managers within 1h\n")
    with shop.mediator.run(principal=USER) as run:
        assert {ask.queue for ask in shop.waits(run).decision.asks} == {"finance", "managers"}
        from_finance = next(one for one in shop.store.list() if one.queue == "finance")
        _answer(FAY, shop, from_finance)
        shop.waits(run)
        from_managers = next(one for one in shop.store.list() if one.queue == "managers")
        _answer(MAX, shop, from_managers)
        assert shop.refund(run) == "refunded 500.0"


def _answer(person: Person, shop: Shop, question: Any) -> None:
    class One:
        def list(self, **_: Any) -> list[Any]:
            return [question]

        def answer(self, answer: Any) -> None:
            shop.store.answer(answer)

    person.say(One(), shop.now)  # type: ignore[arg-type]


def test_a_deny_that_came_meanwhile_counts(open_shop: Callable[..., Shop]) -> None:
    """An approval is not access: the call is decided again when it resumes."""
    shop = open_shop(ONE + "deny twice on crm.refund when run.calls.exists(c, c.tool == \"crm.look\")\n")
    with shop.mediator.run(principal=USER) as run:
        shop.waits(run)
        shop.say(FAY)
        run.call("crm.look", {"id": "7"}, execute=lambda id: {"id": id, "card": "1", "tenant": "a"})
        with pytest.raises(Denied):
            shop.refund(run)
    assert shop.ran == []


def test_an_edit_of_the_arguments_is_a_new_call(open_shop: Callable[..., Shop]) -> None:
    """What was approved is this amount and no other."""
    shop = open_shop(ONE)
    with shop.mediator.run(principal=USER) as run:
        shop.waits(run)
        shop.say(FAY)
        shop.waits(run, amount=501.0, id="c2")
    assert shop.ran == []


def test_an_approval_outlives_the_run_and_the_mediator(
    open_shop: Callable[..., Shop], store: str, mediate: Callable[..., Mediator], time: FakeTime
) -> None:
    """Asked in one process, approved, resumed in another: the same question, used once."""
    if store.startswith("memory"):
        pytest.skip("memory ends with its process")
    shop = open_shop(ONE)
    with shop.mediator.run(principal=USER, id="r1") as run:
        shop.waits(run)
    shop.say(FAY)
    shop.mediator.close()
    again = Shop(mediate(ONE, approvers=PEOPLE), time)
    with again.mediator.run(principal=USER, id="r1") as run:
        assert again.refund(run) == "refunded 500.0"
        again.waits(run, id="c9")
    assert again.ran == [500.0]


def test_a_question_survives_a_reload_that_leaves_its_rule(
    open_shop: Callable[..., Shop], shop: Callable[[str], Any]
) -> None:
    """Another rule changes: the approval counts. The asking rule changes: it does not."""
    shop_ = open_shop(ONE)
    with shop_.mediator.run(principal=USER) as run:
        shop_.waits(run)
        shop_.say(FAY)
        shop_.mediator.reload(shop(ONE + 'deny never on crm.look when args.id == "x"\n'))
        assert shop_.refund(run) == "refunded 500.0"
        shop_.waits(run, id="c2")
        shop_.say(FAY)
        shop_.mediator.reload(shop(ONE.replace("100.0", "50.0")))
        shop_.waits(run, id="c2")
    assert shop_.ran == [500.0]


def test_sums_are_held_while_a_person_thinks_and_places_are_not(open_shop: Callable[..., Shop]) -> None:
    """Another call finds the amount taken, and the place free."""
    shop = open_shop(
        ONE + "limit volume on crm.refund to 600.0 of args.amount per 1d by principal.id\n"
        "limit single on crm.refund to 1 at once by principal.id\n"
    )
    with shop.mediator.run(principal=USER) as run:
        shop.waits(run)
        assert shop.refund(run, amount=100.0, id="c2") == "refunded 100.0"
        with pytest.raises(Denied):
            shop.refund(run, amount=50.0, id="c3")
        shop.say(FAY)
        assert shop.refund(run) == "refunded 500.0"


def test_waiting_blocks_until_somebody_answers(mediate: Callable[..., Mediator], time: FakeTime) -> None:
    """`pending="wait"`: the call returns once it was approved, or its ladder ended."""
    mediator = mediate(ONE, approvers=PEOPLE, pending="wait")
    shop = Shop(mediator, time)
    slept = time.sleep

    def sleep(seconds: float) -> None:
        slept(seconds)
        if len(time.slept) == 3:
            shop.say(FAY)

    mediator._drivers.sync._sleep = sleep
    with mediator.run(principal=USER) as run:
        assert shop.refund(run) == "refunded 500.0"
        with pytest.raises(Denied):
            shop.refund(run, id="c2")
    assert time.passed > 30 * 60
    assert shop.ran == [500.0]


def test_a_host_can_be_called_back(mediate: Callable[..., Mediator], time: FakeTime) -> None:
    """`pending=function`: it hears of the open questions, once a tier, and the call waits meanwhile."""
    heard: list[list[str]] = []

    def ask(questions: Any) -> None:
        heard.append([question.queue for question in questions])
        if questions[0].queue == "managers":
            shop.say(MAX)
            shop.say(MIA)

    mediator = mediate(TWO, approvers=PEOPLE, pending=ask)
    shop = Shop(mediator, time)
    with mediator.run(principal=USER) as run:
        assert shop.refund(run) == "refunded 500.0"
    assert heard == [["finance"], ["managers"]]


def test_the_user_of_the_conversation_answers_through_the_host(open_shop: Callable[..., Shop]) -> None:
    """The queue `user` is answered by the host for the user, and is silent at once where nobody attends."""
    shop = open_shop("escalate big on crm.refund when args.amount > 100.0 to user within 10m\n")
    with shop.mediator.run(principal=USER) as run:
        shop.waits(run)
        (question,) = run.questions("c1")
        run.user_says(question.id, True)
        assert shop.refund(run) == "refunded 500.0"
    with shop.mediator.run(principal=USER, attended=False) as run, pytest.raises(Denied):
        shop.refund(run)


def test_the_user_cannot_answer_for_others(open_shop: Callable[..., Shop]) -> None:
    """In any other queue people sign with their keys."""
    shop = open_shop(ONE)
    with shop.mediator.run(principal=USER) as run:
        shop.waits(run)
        (question,) = run.questions("c1")
        with pytest.raises(NotAsked):
            run.user_says(question.id, True)
        shop.waits(run)


def test_a_call_that_is_given_up_needs_no_answer(open_shop: Callable[..., Shop]) -> None:
    """Its question is withdrawn, its amount is given back, and its id is free."""
    shop = open_shop(ONE + "limit volume on crm.refund to 600.0 of args.amount per 1d by principal.id\n")
    with shop.mediator.run(principal=USER) as run:
        shop.waits(run)
        run.withdraw("c1")
        assert shop.store.list() == []
        with pytest.raises(LookupError):
            run.withdraw("c1")
        shop.waits(run, id="c2", amount=600.0)
    assert shop.kinds() == ["ask finance", "withdrawn finance", "ask finance"]


def test_people_of_the_next_tier_are_told_though_nobody_asks_again(mediate: Callable[..., Mediator], time: FakeTime) -> None:
    """`tick` moves what waits; with a notifier it happens by itself."""
    told: list[str] = []

    class Notes:
        def tell(self, notice: Any) -> None:
            told.append(notice.queue)

    mediator = mediate(TWO, approvers=PEOPLE, notifier=Notes())
    shop = Shop(mediator, time)
    with mediator.run(principal=USER) as run:
        shop.waits(run)
        time.passed += 31 * 60
        mediator.tick()
    assert told == ["finance", "managers"]


def test_a_run_cannot_flood_people(open_shop: Callable[..., Shop]) -> None:
    """Open questions of a run are capped; beyond the cap calls are refused, not asked."""
    shop = open_shop(ONE)
    with shop.mediator.run(principal=USER) as run:
        asked = 0
        for number in range(60):
            try:
                shop.refund(run, amount=200.0 + number, id=None)
            except Pending:
                asked += 1
            except Denied as refused:
                assert "too many requests" in str(refused)
                break
    assert 5 <= asked < 60


def test_a_result_can_wait_for_people(open_shop: Callable[..., Shop]) -> None:
    """The call has happened; its result is shown once somebody approved, without running again."""
    shop = open_shop('validate small on crm.refund require result != "refunded 500.0" else escalate to finance within 30m\n')
    with shop.mediator.run(principal=USER) as run:
        waiting = shop.waits(run)
        assert waiting.decision.phase == "result"
        shop.waits(run)
        shop.say(FAY)
        assert shop.refund(run) == "refunded 500.0"
    assert shop.ran == [500.0]


def test_only_an_operator_with_a_key_switches_to_observing(open_shop: Callable[..., Shop]) -> None:
    """The switch is signed for this policy and this time, recorded, and ends by itself."""
    shop = open_shop("deny all-refunds on crm.refund\n")
    mediator = shop.mediator
    until = shop.now + 60 * 10**9
    said = statement_of("shop", mediator.policy.digest, "observe", "olga", until)
    with pytest.raises(NotAuthorised):
        mediator.switch(Switch("observe", "olga", until, FAY.sign(said)))
    with pytest.raises(NotAuthorised):
        mediator.switch(Switch("observe", "fay", until, FAY.sign(said)))
    mediator.switch(Switch("observe", "olga", until, OPS.sign(said)))
    with mediator.run(principal=USER) as run:
        assert shop.refund(run, id=None) == "refunded 500.0"
        shop.time.passed += 61
        with pytest.raises(Denied):
            shop.refund(run, id=None)
    (mode,) = [entry.body for entry in mediator.audit.entries() if entry.kind == "mode"]
    assert mode["by"] == "olga"


def test_a_broken_version_leaves_the_old_one_in_force(open_shop: Callable[..., Shop], tmp_path: Any) -> None:
    """It says so, to the caller and in the audit."""
    shop = open_shop(ONE)
    (tmp_path / "broken.policy").write_text("policy shop\nallow everything on nothing.known when args.x +\n")
    before = shop.mediator.policy
    with pytest.raises(Exception, match="error"):
        shop.mediator.reload(tmp_path / "broken.policy")
    assert shop.mediator.policy is before
    (reload,) = [entry.body for entry in shop.mediator.audit.entries() if entry.kind == "reload"]
    assert reload["after"] is None and "broken.policy" in reload["problem"]
