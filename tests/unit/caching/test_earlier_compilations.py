"""A policy compiled with what an earlier compilation left is the one compiled from nothing: findings, plans, decisions."""

from __future__ import annotations

import random
from collections.abc import Mapping
from types import CodeType
from typing import Any

import pytest

from policy_engine import Policy, Request
from policy_engine.assembly.files import MemoryResolver
from policy_engine.base.source import Source
from policy_engine.base.values import timestamp_of
from policy_engine.compiler.caching.earlier import Earlier, earlier_of
from policy_engine.compiler.caching.places import Places
from policy_engine.compiler.caching.plain import Encoder
from policy_engine.compiler.language import parser
from policy_engine.compiler.language.remembering import Remembered
from policy_engine.compiler.pipeline import Compilation, compile_policy
from policy_engine.semantics.artifact import CompiledPolicy
from policy_engine.semantics.linking import link
from tests.oracle.compare import CASES, past, whole
from tests.oracle.drawn import NOW, request, schemas
from tests.oracle.edits import edited
from tests.oracle.policies import DATA, Drawn, drawn, drawn_events, drawn_results

EDITS = 8
RICH = """policy rich
use tools "tools.json"
use data "limits.json" as limits: map(string, double)
param cap: double = 20.0
queues ops
labels untrusted, payee
principal { id: string, role: "support" | "lead", level: int, clearance: int? }
history customer by args.to for 30d
group reads = crm.search, fs.read
let known(x) = run.calls.exists(c, c.tool == "crm.search" && c.args.to == x)
let large = args.amount > limits["small"]
let big on crm.refund = large && args.amount < cap
let big on crm.search = args.count > 2
default escalate to ops within 10m
allow r1 on crm.refund when args.amount <= cap because "at most {cap}" detail "a \\"{args.amount}\\""
allow reading on reads
deny r2 on crm.refund unless known(args.to) because "look first"
deny r3 on crm.* when big && principal.role == "lead"
deny r4 on crm.refund when customer.calls.size() > 3
deny shaped on crm.search when !fits(args, "order.json")
escalate r5 on crm.refund when args.kind in ["a", "b"] to 2 of ops where approver.id != principal.id within 1h
  else set args.count to 2
label outside on fs.read as untrusted
validate fine on crm.refund require result.ok else retry up to 2 times else escalate to ops within 1h
limit rate on crm.refund to 3.0 of call.cost reserve 0.5 per day in "Europe/Berlin" by principal.id else escalate to ops within 1h
timeout slow on * after 10s else reply "slow"
retry again on reads up to 2 times
breaker broken on crm.* open after 5 failures in 30s probe after 1m else call ops.any with {"a": 1}
deny texts on @answer when secrets(answer.text)
limit steps on @step to 5 per run
"""


def rich(seed: int) -> Drawn:
    """Nearly every word of the language in one policy."""
    return Drawn({"policy": RICH, "order.json": '{"type": "object"}'}, (("policy",),), {}, True, bool(seed % 2))


def compiled(drawn: Drawn, files: Mapping[str, str], before: Earlier | None) -> Compilation:
    """The policy of these files, as a process of its own would compile it."""
    parser._ITEMS = Remembered()  # type: ignore[misc]
    return compile_policy(
        ["policy"], MemoryResolver(files), params=dict(drawn.params), executable=True, keep=True, before=before
    )


def told(compilation: Compilation) -> list[Any]:
    """Every finding with all its words and places."""
    return [
        (
            found.code.name, found.message, found.effect, found.suggestion, found.notes,
            [(label.span.source.name, label.span.start, label.span.end, label.text) for label in found.labels],
        )
        for found in compilation.diagnostics
    ]  # fmt: skip


def shape(policy: CompiledPolicy) -> Any:
    """Everything about a policy, with every place, and the code of every function that its plans reach."""
    sources: list[Source] = []
    encoder = Encoder(sources)
    parts = [
        policy.name, policy.version, policy.digest, policy.layers, dict(policy.tools.items()), dict(policy.events.items()),
        policy.records, policy.labels, policy.queues, policy.params, policy.folds, policy.histories, policy.mediated,
    ]  # fmt: skip
    encoded = encoder.encode(parts)
    assert None not in sources
    return encoded, [(source.name, source.text) for source in sources]


def code_of(code: CodeType) -> Any:
    """What a function does, wherever it stands in its module."""
    return code.co_code, code.co_names, code.co_varnames, [_constant(one) for one in code.co_consts]


def _constant(value: Any) -> Any:
    if isinstance(value, CodeType):
        return code_of(value)
    if isinstance(value, frozenset):
        return sorted(map(repr, value))
    return type(value), repr(value)


def same_code(mine: CompiledPolicy, its: CompiledPolicy) -> None:
    """Each function of the one is there in the other, and does the same."""
    theirs = link(its.code, its.constants)
    found = {name: one for name, one in link(mine.code, mine.constants).items() if hasattr(one, "__code__")}
    compared = 0
    for name, function in found.items():
        if function.__code__.co_filename.startswith("<policy"):
            assert code_of(function.__code__) == code_of(theirs[name].__code__), name
            compared += 1
    assert compared


def through_bytes(compilation: Compilation) -> Earlier:
    """What a cache gives back."""
    assert compilation.left is not None
    return earlier_of(compilation.left.memory, compilation.left.made)


def decided_alike(draw: random.Random, drawn: Drawn, mine: CompiledPolicy, its: CompiledPolicy) -> None:
    """Decisions and explanations of drawn requests, some with a run before them."""
    policy, other = (Policy(one, lambda: timestamp_of(NOW)) for one in (mine, its))
    for number in range(3):
        one, before = request(draw, drawn.shaped), past(draw)
        run, its_run = (before.run(policy), before.run(other)) if number == 0 else (None, None)
        assert whole(policy.decide(one, run=run)) == whole(other.decide(one, run=its_run))
        assert list(map(repr, policy.explain(one).rules)) == list(map(repr, other.explain(one).rules))


@pytest.mark.parametrize(
    ("make", "first"), [(drawn, 40_000), (drawn_results, 41_000), (drawn_events, 42_000), (rich, 43_000)]
)
def test_edited_policies_are_those_compiled_from_nothing(make: Any, first: int) -> None:
    """Changes, new and lost rules, moves, other lets, data and schemas, faults that come and go: edit after edit."""
    kept = facts = 0
    for seed in range(first, first + max(CASES // 60, 12)):
        draw, one = random.Random(seed), make(seed)
        files = {"tools.json": schemas(), "limits.json": DATA, **one.files}
        before: Earlier | None = None
        for number in range(EDITS):
            mine, its = compiled(one, files, before), compiled(one, files, None)
            assert told(mine) == told(its), (seed, number)
            assert (mine.policy is None) == (its.policy is None), (seed, number)
            if mine.policy is not None and its.policy is not None:
                assert shape(mine.policy) == shape(its.policy), (seed, number)
                same_code(mine.policy, its.policy)
                decided_alike(draw, one, mine.policy, its.policy)
                assert mine.left is not None
                kept += len(mine.left.kept)
                facts += before is not None and bool(before.memory.facts)
                before = through_bytes(mine)
            files = dict(edited(draw, files).files)
    assert kept > CASES // 60 and facts > CASES // 60


def small(number: int) -> dict[str, str]:
    """A policy of two tools; the rule about one of them changes with the number."""
    text = f'policy p\nallow a on shop.one when args.n > {number}\nallow b on shop.two when args.n > 1 because "b"\n'
    return {"policy": text}


def test_what_cannot_be_placed_again_is_compiled_from_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """No place, no plan: the policy is whole all the same, and so is what it leaves."""
    one = Drawn({}, (), {}, False, False)
    before = through_bytes(compiled(one, small(1), None))
    assert len(compiled(one, small(2), before).left.kept) == 1  # type: ignore[union-attr]
    monkeypatch.setattr(Places, "named", lambda places, name: None)
    again = compiled(one, small(2), before)
    assert again.policy is not None and again.left is not None
    assert shape(again.policy) == shape(compiled(one, small(2), None).policy)  # type: ignore[arg-type]
    assert again.left.kept == frozenset()


def test_without_keeping_nothing_is_drawn_on() -> None:
    """A policy that lacks plans never leaves the compiler."""
    one = Drawn({}, (), {}, False, False)
    before = through_bytes(compiled(one, small(1), None))
    found = compile_policy(["policy"], MemoryResolver(small(2)), executable=True, before=before)
    assert found.policy is not None and found.left is None
    assert list(found.policy.tools) == ["shop.one", "shop.two"]


def test_a_changed_schema_of_fits_is_seen() -> None:
    """No key covers the file, so what reads it is never drawn on."""
    text = 'policy p\nallow a on shop.one when fits(args, "s.json")\nallow b on shop.two\n'
    one, before = Drawn({}, (), {}, False, False), None
    for wanted in ("x", "y"):
        schema = f'{{"type": "object", "properties": {{"{wanted}": {{"type": "integer"}}}}, "required": ["{wanted}"]}}'
        made = compiled(one, {"policy": text, "s.json": schema}, before)
        assert made.policy is not None
        policy = Policy(made.policy, lambda: timestamp_of(NOW))
        assert policy.decide(Request(tool="shop.one", args={wanted: 1})).effect == "allow"
        before = through_bytes(made)


def test_a_tool_without_rules_has_the_schema_of_now() -> None:
    """Its plan is its schema, and nobody reads a rule for it."""
    text = 'policy p\nuse tools "t.json"\nallow a on one\n'
    one, before = Drawn({}, (), {}, False, False), None
    for wanted in ("x", "y"):
        schema = f'{{"type": "object", "properties": {{"{wanted}": {{"type": "integer"}}}}}}'
        made = compiled(
            one, {"policy": text, "t.json": f'[{{"name": "one"}}, {{"name": "two", "inputSchema": {schema}}}]'}, before
        )
        assert made.policy is not None
        record = made.policy.tools["two"].input
        assert record is not None and [field.name for field in record.fields] == [wanted]
        before = through_bytes(made)
