"""Any Python function behind a policy: it runs only when allowed, and with exactly what was decided."""

from __future__ import annotations

import asyncio
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

import pytest

from policy_engine import Approval, Denied, Pending, Policy, PolicyError, Principal, Request, Run, loads
from policy_engine_adapters.generic import guarded, tools_of

TEXT = """
policy shop.refunds
queues finance
labels untrusted

principal { id: string }

allow small on crm.refund when args.amount <= 100.0
  because "support may refund up to 100"
allow reading on crm.lookup, crm.note, crm.broken
allow big on crm.refund when args.amount > 1000.0
escalate big-asked on crm.refund when args.amount > 1000.0
  to finance within 30m
  because "finance looks at refunds above 1000"
allow odd on crm.refund when args.order == "special"
rewrite no-cents on crm.refund set args.amount to 99.0 when args.amount == 99.5
deny twice on crm.refund when run.attempts.exists(c, c.tool == "crm.refund" && c.outcome in ["returned", "running"])
  because "one refund a conversation"
rewrite card on crm.lookup redact result.card with "****" when args.order != "plain"
validate no-secret on crm.note require result != "secret" else withhold
"""
NOW = datetime(2026, 3, 1, tzinfo=UTC)
USER = Principal(id="u1")


@dataclass
class Order:
    """What the lookup returns."""

    id: str
    card: str


class Shop:
    """Tools of a shop, as functions and methods; `seen` is what really ran."""

    def __init__(self) -> None:
        """Nothing ran yet."""
        self.seen: list[tuple[Any, ...]] = []

    def refund(self, order: str, amount: float, note: str = "none") -> str:
        """Refund an order."""
        self.seen.append((order, amount, note))
        return f"refunded {amount}"

    async def refund_later(self, order: str, amount: float, note: str = "none") -> str:
        """Refund an order, when the bank has time."""
        await asyncio.sleep(0)
        return self.refund(order, amount, note)


@pytest.fixture(scope="module")
def policy() -> Policy:
    """The shop's policy with a fixed clock."""
    return loads(TEXT, clock=lambda: NOW)


@pytest.fixture
def run(policy: Policy) -> Run:
    """A conversation."""
    return policy.run(input="refund order o1")


@pytest.fixture
def shop() -> Shop:
    """The tools, bare."""
    return Shop()


def both_ways(policy: Policy, shop: Shop, asynchronous: bool, **options: Any) -> Any:
    """The refund as a plain function, whether it is sync or async underneath."""
    options.setdefault("run", lambda: policy.run())
    guard = guarded(policy, tool="crm.refund", principal=USER, **options)
    if not asynchronous:
        return guard(shop.refund)
    later = guard(shop.refund_later)
    return lambda *args, **kwargs: asyncio.run(later(*args, **kwargs))


@pytest.mark.parametrize("asynchronous", [False, True])
class TestSyncAndAsync:
    """What holds for both kinds of functions."""

    def test_an_allowed_call_runs_and_answers(self, policy: Policy, shop: Shop, asynchronous: bool) -> None:
        """The function runs once; its default is its own."""
        assert both_ways(policy, shop, asynchronous)("o1", 50.0) == "refunded 50.0"
        assert shop.seen == [("o1", 50.0, "none")]

    def test_a_denied_call_does_not_run(self, policy: Policy, shop: Shop, asynchronous: bool) -> None:
        """`Denied` carries the decision, the reason and what would pass."""
        with pytest.raises(Denied, match=r"100") as caught:
            both_ways(policy, shop, asynchronous)("o1", 500.0)
        assert shop.seen == []
        assert caught.value.decision.effect == "deny"
        assert caught.value.decision.hint and caught.value.decision.hint in str(caught.value)

    def test_the_decided_arguments_are_executed(self, policy: Policy, shop: Shop, asynchronous: bool) -> None:
        """A rewrite reaches the function."""
        both_ways(policy, shop, asynchronous)(order="o1", amount=99.5)
        assert shop.seen == [("o1", 99.0, "none")]

    def test_an_escalated_call_waits(self, policy: Policy, shop: Shop, asynchronous: bool) -> None:
        """`Pending` names the approval; after the answer the same call runs, once."""
        answers: list[Approval] = []
        run = policy.run()
        call = both_ways(policy, shop, asynchronous, run=run, approvals=lambda request: answers)
        with pytest.raises(Pending, match="finance") as caught:
            call("o1", 2000.0)
        (ask,) = caught.value.decision.asks
        assert shop.seen == [] and ask.digest[:12] in str(caught.value)
        bound = {"rule": ask.rule, "queue": ask.queue, "digest": ask.digest, "expires": ask.expires}
        answers.append(Approval(**bound, approver={"id": "f"}))
        call("o1", 2000.0)
        assert shop.seen == [("o1", 2000.0, "none")]

    def test_an_approval_counts_once_even_without_a_run(self, policy: Policy, shop: Shop, asynchronous: bool) -> None:
        """The same answer does not let a second call pass, in this run or in none."""
        answers: list[Approval] = []
        call = both_ways(policy, shop, asynchronous, approvals=lambda request: answers)
        with pytest.raises(Pending) as caught:
            call("o1", 2000.0)
        (ask,) = caught.value.decision.asks
        bound = {"rule": ask.rule, "queue": ask.queue, "digest": ask.digest, "expires": ask.expires}
        answers.append(Approval(**bound, approver={"id": "f"}))
        call("o1", 2000.0)
        with pytest.raises(Pending):
            call("o1", 2000.0)
        assert len(shop.seen) == 1

    def test_refusals_can_be_returned_as_text(self, policy: Policy, shop: Shop, asynchronous: bool) -> None:
        """With `on_refusal="return"` the agent's text comes back in place of the result."""
        call = both_ways(policy, shop, asynchronous, on_refusal="return")
        assert "was not made" in call("o1", 500.0)
        assert "waits for approval" in call("o1", 2000.0)
        assert shop.seen == []

    def test_unknown_and_unfit_arguments_are_denied(self, policy: Policy, shop: Shop, asynchronous: bool) -> None:
        """A value that is no data never reaches the function."""
        with pytest.raises(Denied):
            both_ways(policy, shop, asynchronous)("o1", float("nan"))
        with pytest.raises(TypeError):
            both_ways(policy, shop, asynchronous)("o1")
        assert shop.seen == []

    def test_the_run_keeps_history(self, policy: Policy, shop: Shop, asynchronous: bool) -> None:
        """A second refund of the same conversation is denied by what the first one left behind."""
        run = policy.run()
        call = both_ways(policy, shop, asynchronous, run=run)
        call("o1", 50.0)
        with pytest.raises(Denied, match="one refund a conversation"):
            call("o2", 50.0)
        assert [c["outcome"] for c in run.snapshot().value["attempts"]] == ["returned", "denied"]


def test_positional_and_keyword_calls_are_decided_alike(policy: Policy) -> None:
    """The policy sees one record, whichever way Python passed it."""
    seen: list[Any] = []

    def approvals(request: Request) -> tuple[Approval, ...]:
        seen.append(request.args)
        return ()

    @guarded(policy, tool="crm.refund", principal=USER, run=lambda: policy.run(), approvals=approvals)
    def refund(order: str, /, amount: float, *more: str, note: str = "", **extra: Any) -> Any:
        return order, amount, more, note, extra

    assert refund("o", 5.0, "a", "b", note="n", x=1) == ("o", 5.0, ("a", "b"), "n", {"x": 1})
    assert refund("o", amount=5.0) == ("o", 5.0, (), "", {})
    given = {"order": "o", "amount": 5.0}
    assert seen == [{**given, "more": ["a", "b"], "note": "n", "x": 1}, given]
    with pytest.raises(TypeError, match="twice"):
        refund("o", 5.0, order="special")


def test_methods_keep_their_self_and_hidden_parameters(policy: Policy) -> None:
    """`self` and what the host hides stay the host's: neither shown nor changed."""

    class Desk:
        def __init__(self) -> None:
            self.name = "desk"

        @guarded(policy, tool="crm.refund", principal=USER, run=lambda: policy.run(), hide=["session"])
        def refund(self, session: object, order: str, amount: float) -> Any:
            """Refund."""
            return self.name, session, order, amount

    token = object()
    with pytest.raises(Denied, match="cannot be shown"):  # the session is no data, so the result is withheld
        Desk().refund(token, "o", 5.0)
    assert Desk().refund("s", "o", 5.0) == ("desk", "s", "o", 5.0)
    assert Desk.refund.__doc__ == "Refund."


def test_results_are_redacted_withheld_or_left_alone(policy: Policy) -> None:
    """Redacted results are plain data, unobjected ones the very object; a withheld one says that it happened."""
    ran: list[str] = []

    @guarded(policy, tool="crm.lookup", principal=USER)
    def lookup(order: str) -> Order:
        return Order(order, "4111")

    @guarded(policy, tool="crm.note", principal=USER)
    def note(text: str) -> str:
        ran.append(text)
        return text

    assert lookup("o1") == {"id": "o1", "card": "****"}
    assert lookup("plain") == Order("plain", "4111")
    assert note("hello") == "hello"
    with pytest.raises(Denied, match="The call was made") as caught:
        note("secret")
    assert caught.value.decision.phase == "result" and ran == ["hello", "secret"]
    assert "secret" not in str(caught.value)


def test_exceptions_are_recorded_and_pass_through(policy: Policy, run: Run) -> None:
    """The function's own exception arrives unchanged; the run remembers an error."""

    @guarded(policy, tool="crm.broken", principal=USER, run=run)
    def broken() -> None:
        raise KeyError("order")

    with pytest.raises(KeyError):
        broken()
    assert [c["outcome"] for c in run.snapshot().value["attempts"]] == ["error"]


def test_cancelled_calls_are_recorded_as_errors(policy: Policy, run: Run) -> None:
    """A task that is cancelled in the middle of a call leaves no call running for ever."""

    @guarded(policy, tool="crm.broken", principal=USER, run=run)
    async def slow() -> None:
        await asyncio.sleep(60)

    async def main() -> None:
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(slow(), 0.02)

    asyncio.run(main())
    assert [c["outcome"] for c in run.snapshot().value["attempts"]] == ["error"]


def test_of_parallel_calls_only_one_passes_a_rule_over_history(policy: Policy, run: Run) -> None:
    """Twenty threads ask for the one refund a conversation may have: one gets it."""
    barrier = threading.Barrier(20)
    done: list[str] = []

    @guarded(policy, tool="crm.refund", principal=USER, run=run, on_refusal="return")
    def refund(order: str, amount: float) -> str:
        return "done"

    def work() -> None:
        barrier.wait()
        done.append(refund("o", 5.0))

    threads = [threading.Thread(target=work) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert done.count("done") == 1 and len(done) == 20


def test_changing_an_argument_during_the_call_changes_nothing(policy: Policy) -> None:
    """The function gets its own copy of what was decided."""
    lines = [1, 2]

    @guarded(policy, tool="crm.note", principal=USER)
    def note(text: list[int]) -> Any:
        lines.append(3)
        return text

    assert note(lines) == [1, 2]


def test_streams_cannot_be_guarded(policy: Policy) -> None:
    """A generator is refused when it is decorated, not when it is used."""

    def pieces() -> Any:
        yield 1

    with pytest.raises(TypeError, match="pieces"):
        guarded(policy)(pieces)
    with pytest.raises(TypeError, match="tool="):
        guarded(policy)(lambda: 1)


def test_tools_of_functions_are_typed_by_their_annotations() -> None:
    """A policy over live functions is checked against their parameters."""

    def refund(order: str, amount: float, copy: Literal["full", "part"] = "full", *_tags: str) -> dict[str, float]:
        """Refund an order."""
        raise AssertionError

    (schema,) = tools_of({"crm.refund": refund})
    assert [(f.name, str(f.type), f.required) for f in schema.input.fields] == [
        ("_tags", "list(string)", False), ("amount", "double", True), ("copy", '"full" | "part"', False),
        ("order", "string", True),
            ]  # fmt: skip
    assert schema.description == "Refund an order." and str(schema.output) == "map(string, double)"
    loads('policy a\nallow r on crm.refund when has(args.copy) && args.copy == "part"', tools=[schema])
    with pytest.raises(PolicyError):
        loads('policy a\nallow r on crm.refund when has(args.copy) && args.copy == "prat"', tools=[schema])


def test_a_policy_that_needs_a_mediator_is_refused_at_once() -> None:
    """Nobody here counts, so a limit would be a promise that nobody keeps; the message says what to give instead."""
    policy = loads("policy p\nallow all on crm.refund\nlimit rate on crm.refund to 5 per 1h")
    with pytest.raises(ValueError, match="Mediator"):
        guarded(policy)
