"""A policy that was stored and restored is the policy that was compiled."""

from __future__ import annotations

import marshal
import math
import random
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from policy_engine import Policy, PolicyError, Request, load, loads
from policy_engine.base.source import Source, Span
from policy_engine.base.values import NONE, Duration, Optional, Timestamp, TypeValue, UInt, timestamp_of
from policy_engine.compiler.caching.artifact import restored, stored
from policy_engine.compiler.caching.plain import RECORDS, Decoder, Encoder, Unencodable
from policy_engine.semantics.artifact import NO_RULES, CompiledPolicy
from policy_engine.semantics.ast.expressions import Name
from policy_engine.semantics.linking import Linked
from tests.oracle.compare import CASES, clock, past, twin, whole
from tests.oracle.drawn import NOW, request
from tests.oracle.policies import drawn

ROOT = Path(__file__).resolve().parents[3]
SHARED = """policy p
use tools "t.json"
queues boss
principal { id: string }
allow all on * when principal.id != ""
deny long on * when args.text.matches("a+b") because "too long"
escalate ask on one when args.n > 5 to boss within 5m else set args.n to 3
"""
_INPUT = '{"properties": {"text": {"type": "string"}, "n": {"type": "integer"}}, "required": ["text", "n"]}'
TOOLS = f'[{{"name": "one", "inputSchema": {_INPUT}}}, {{"name": "two", "inputSchema": {_INPUT}}}]'


def again(policy: CompiledPolicy) -> CompiledPolicy:
    """The policy after it was stored and restored."""
    return restored(stored(policy))


def test_restored_policies_decide_what_compiled_ones_do() -> None:
    """Drawn policies, requests and runs: effect, rules, words, hints, errors, obligations, and the explanation."""
    wanted, cases, seed = max(CASES // 10, 60), 0, 50_000
    while cases < wanted:
        seed += 1
        try:
            policy = drawn(seed).load(clock=clock)
        except PolicyError:
            continue
        other = Policy(again(policy.compiled), lambda: timestamp_of(NOW))
        draw = random.Random(seed)
        for number in range(6):
            one, before = request(draw, number % 2 == 0), past(draw)
            mine, its = (before.run(policy), before.run(other)) if number % 3 == 0 else (None, None)
            assert whole(other.decide(one, run=its)) == whole(policy.decide(one, run=mine)), (seed, one)
            rows = [list(map(repr, judge.explain(one).rules)) for judge in (policy, other)]
            assert rows[0] == rows[1], (seed, one)
            cases += 1


@pytest.mark.parametrize("name", ["rulesets/banking/banking.policy", "rulesets/starter/support.policy"])
def test_everything_about_a_real_policy_is_stored(name: str) -> None:
    """Stored again after being interpreted back, plan by plan, it is the same: no part is lost on the way."""
    policy = load(ROOT / name).compiled
    back = again(policy)
    assert list(back.tools) == list(policy.tools)
    assert list(back.events) == list(policy.events)
    for tool in policy.tools:
        assert _shape(back.tools[tool]) == _shape(policy.tools[tool])
    for field in ("name", "version", "digest", "records", "labels", "queues", "params"):
        assert _shape(getattr(back, field)) == _shape(getattr(policy, field))


def test_limits_times_and_failures_are_stored() -> None:
    """With their expressions and windows; the empty section stays the one there is."""
    policy = loads("""policy p
queues boss
allow all on shop.pay, shop.note
limit a on shop.pay to 5.0 of call.cost reserve args.n per day in "Europe/Berlin" by args.k else escalate to boss within 1h
timeout b on shop.pay after 10s else reply "slow"
retry c on shop.pay up to 3 times backoff 1s..2s when error.retryable
breaker d on shop.pay open after 5 failures in 30s probe after 1m else call shop.note with {"x": args.k}
limit e on @answer to 3 per run
timeout f on @run after 10m
""").compiled
    back = again(policy)
    for name in policy.tools:
        assert _shape(back.tools[name]) == _shape(policy.tools[name])
    for name in policy.events:
        assert _shape(back.events[name]) == _shape(policy.events[name])
    assert back.mediated
    assert back.tools["shop.note"].limits is NO_RULES
    call = Request(tool="shop.pay", args={"n": 1.5, "k": "x"}, at=NOW)
    one, other = (Policy(each, lambda: timestamp_of(NOW)) for each in (policy, back))
    assert other.decide(call).obligations == one.decide(call).obligations
    assert len(one.decide(call).obligations) == 2


def _shape(value: Any) -> Any:
    return Encoder([]).encode(value)


def test_a_section_that_tools_share_is_stored_once() -> None:
    """Tools with the very same rules have one section, in the store and after it."""
    policy = loads(SHARED.replace("on one when", "on * when"), files={"t.json": TOOLS}).compiled
    back = again(policy)
    assert policy.tools["one"].decide is policy.tools["two"].decide
    assert back.tools["one"].decide is back.tools["two"].decide


def test_plans_are_read_when_their_tool_is_first_used() -> None:
    """A policy of many tools costs what the used ones cost."""
    made = stored(loads(SHARED, files={"t.json": TOOLS}).compiled)
    broken = [b"" if number == made.plan[1]["two"] else piece for number, piece in enumerate(made.pieces)]
    policy = restored(replace(made, pieces=broken))
    assert policy.tools["one"].name == "one"
    with pytest.raises(EOFError):
        policy.tools["two"]


def test_values_of_the_engine_keep_their_kind() -> None:
    """What is equal in Python and not in CEL stays apart; floats are the same bits."""
    values: list[Any] = [
        UInt(3), 3, 3.0, True, -0.0, math.inf, "a\ud800", b"\0", None, Timestamp(5), Duration(-7), TypeValue("int"), NONE,
        Optional(True, [1, {"a": UInt(2)}]), (1, (2,)), frozenset({"x", "y"}), {1: "one", True and "k": 2.5},
    ]  # fmt: skip
    back = Decoder([], lambda _: None).decode(Encoder([]).encode(values))
    assert [(type(value), repr(value)) for value in back] == [(type(value), repr(value)) for value in values]
    assert math.isnan(Decoder([], lambda _: None).decode(Encoder([]).encode(math.nan)))


def test_what_is_one_object_stays_one() -> None:
    """A node that stands in a rule and in its batch is the same node afterwards, also through `marshal`."""
    source = Source("x", "text")
    node = Name("args", False, Span(source, 0, 1))
    sources: list[Source] = []
    encoded = marshal.loads(marshal.dumps(Encoder(sources).encode([node, (node,), source])))
    one, (other,), found = Decoder(sources, lambda _: None).decode(encoded)
    assert one is other
    assert one.span.source is found is source


def test_what_cannot_be_stored_is_refused_by_name() -> None:
    """An object that nobody knows: no guess, and no cache."""
    with pytest.raises(Unencodable, match="object"):
        Encoder([]).encode({"a": [object()]})
    with pytest.raises(Unencodable):
        Encoder([]).encode(len)


def test_a_restored_policy_is_not_stored_again() -> None:
    """It lies in the cache already."""
    back = again(loads("policy p\nallow a on shop.t").compiled)
    assert isinstance(back.constants, Linked)
    with pytest.raises(Unencodable):
        stored(back)


def test_the_interpreter_agrees_with_restored_code_too() -> None:
    """The reference reads the restored trees, the restored code its own: both decide alike."""
    policy = Policy(again(loads(SHARED, files={"t.json": TOOLS}).compiled), lambda: timestamp_of(NOW))
    draw = random.Random(1)
    for _ in range(20):
        one = request(draw, False)
        assert whole(policy.decide(one)) == whole(twin(policy).decide(one))


def test_every_record_of_the_engine_can_be_stored() -> None:
    """Plans, sections, rules and syntax trees are all among the records; the policy itself goes in pieces."""
    names = {record.__name__ for record in RECORDS}
    assert {"ToolPlan", "Section", "CompiledRule", "Batch", "Value", "Binary", "Comprehension", "RecordType"} <= names
    assert "CompiledPolicy" not in names


def test_many_threads_may_read_a_plan_at_once() -> None:
    """Pieces are forgotten once they are read; whoever comes in between gets what the other has made."""
    made = stored(loads(SHARED, files={"t.json": TOOLS}).compiled)
    for _ in range(20):
        policy = restored(made)
        with ThreadPoolExecutor(8) as pool:
            plans = list(pool.map(policy.tools.__getitem__, ["one", "two"] * 8))
        assert {plan.name for plan in plans} == {"one", "two"}
        assert len(set(map(id, plans))) == 2
