"""Coherence: within 0…1, blind to names, never raised by a planted fault, and each fault told by its name."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given, strategies as st

from policy_engine.audit.metrics.coherence import Coherence, coherence_of, longest_common, on_plan
from policy_engine.audit.metrics.runs import MOST_LINKS, RunFacts
from policy_engine.audit.metrics.told import Line
from tests.unit.metrics.drawn_records import TOOLS, runs

SECOND = 1_000_000_000


class Chain:
    """A run written down act by act, a second apart."""

    def __init__(self) -> None:
        self.lines: list[Line] = []

    def _at(self) -> int:
        return len(self.lines) * SECOND

    def call(self, tool: str, args: str = "", effect: str = "allow", **more: Any) -> Chain:
        """A call, decided; `returned=False` tells that it ran and failed."""
        returned = more.pop("returned", True)
        call = more.pop("id", f"c{len(self.lines)}")
        body = {"tool": tool, "effect": effect, "rules": ["cap"], "event": args, "enforced": True, **more}
        self.lines.append(Line("decision", self._at(), "r", call, body))
        if not returned:
            self.lines.append(Line("outcome", self._at(), "r", call, {"tool": tool, "status": "error"}))
        return self

    def calls(self, tools: str) -> Chain:
        """Calls by one letter each."""
        for tool in tools:
            self.call(tool)
        return self

    def plan(self, tools: str) -> Chain:
        """A plan by one letter a tool."""
        self.lines.append(Line("plan", self._at(), "r", None, {"tools": list(tools)}))
        return self

    def event(self, name: str, kind: str | None = None) -> Chain:
        """An event, each of its own."""
        body = {"name": name, "event": str(len(self.lines)), "effect": "allow", "rules": [], "kind": kind}
        self.lines.append(Line("event", self._at(), "r", None, body))
        return self

    def end(self) -> Chain:
        """The run ends."""
        self.lines.append(Line("run.ended", self._at(), "r", None, {"completed": True}))
        return self

    def judged(self) -> Coherence:
        """Its coherence."""
        facts = RunFacts("r")
        for line in self.lines:
            facts.add(line)
        found = facts.coherence()
        assert found is not None
        return found


def _faults(chain: Chain) -> dict[str, int]:
    return {name: count for name, count in chain.judged().counts.items() if count}


def test_a_chain_in_which_everything_led_on_is_fully_coherent() -> None:
    """Different calls and an answer score one."""
    assert Chain().calls("abc").event("@answer").judged().score == 1.0


def test_a_call_made_again_at_once_counts_as_a_whole_fault() -> None:
    """One good call and three repetitions: a quarter led on."""
    chain = Chain().calls("aaaa")
    assert chain.judged().score == 0.25
    assert _faults(chain) == {"repeated": 3}


def test_reading_again_after_something_new_was_done_counts_half() -> None:
    """Read, write, read: four halves on, one half lost."""
    assert Chain().calls("aba").judged().score == pytest.approx(4 / 5, abs=1e-6)


def test_the_same_tool_with_other_arguments_is_no_repetition() -> None:
    """Pages of a list are read one after the other."""
    assert Chain().call("list", "1").call("list", "2").call("list", "3").judged().score == 1.0


def test_trying_again_what_failed_counts_half() -> None:
    """An agent may hope once more, but pays for it."""
    assert Chain().call("a", returned=False).call("a").judged().losses() == {"repeated": 1 / 3}


def test_a_b_a_b_is_told_as_oscillation() -> None:
    """From the fourth act on the pattern is known by its name."""
    assert _faults(Chain().calls("ababab")) == {"repeated": 1, "oscillating": 3}


def test_asking_again_for_what_was_refused_is_a_fault_and_being_refused_once_is_none() -> None:
    """The first refusal says nothing about the agent; the second ask does."""
    heeded = Chain().calls("a").call("b", effect="deny").event("@answer")
    ignored = Chain().calls("a").call("b", effect="deny").call("b", effect="deny").event("@answer")
    assert heeded.judged().score == 1.0
    assert _faults(ignored) == {"after_refusal": 1}


def test_asking_again_after_the_wait_that_was_told_is_no_fault() -> None:
    """A limit said two seconds; the agent asked after one, and after three."""
    early = Chain().call("a", effect="deny", wait=2 * SECOND).call("a", effect="deny", wait=2 * SECOND)
    late = Chain().call("a", effect="deny", wait=SECOND).call("a", effect="deny", wait=SECOND)
    assert _faults(early) == {"after_refusal": 1}
    assert _faults(late) == {}


def test_a_call_that_passes_after_its_refusal_led_on() -> None:
    """Verify first, then refund: the refusal was heeded."""
    assert Chain().call("refund", effect="deny").call("verify").call("refund").judged().score == 1.0


def test_another_value_that_the_same_rule_refuses_ignores_the_hint() -> None:
    """Told «at most 100», the agent tries 400: a fault; without a hint it could not know."""
    told = Chain().call("refund", "500", "deny", hinted=True).call("refund", "400", "deny")
    guessed = Chain().call("refund", "500", "deny").call("refund", "400", "deny")
    assert _faults(told) == {"after_refusal": 1}
    assert _faults(guessed) == {}


def test_a_call_resumed_is_one_call() -> None:
    """The same id and request decided twice, as after a person's approval, is not a loop."""
    assert Chain().call("a", effect="escalate", id="1").call("a", id="1", tries=1).judged().score == 1.0


def test_an_observed_denial_stopped_nothing() -> None:
    """What an observing run would have refused went on, so it led on."""
    assert Chain().call("a", effect="deny", enforced=False).judged().score == 1.0


def test_calls_beside_the_plan_and_plans_left_undone_are_faults() -> None:
    """A plan of three: one call in its place, one foreseen by nobody, two left out."""
    chain = Chain().plan("abc").calls("ax").end()
    assert _faults(chain) == {"off_plan": 1, "left_out": 2}


def test_a_step_of_a_plan_may_take_several_calls() -> None:
    """«search, send» is fulfilled by three searches and a send."""
    assert Chain().plan("ab").call("a", "1").call("a", "2").call("a", "3").call("b").end().judged().score == 1.0


def test_what_a_new_plan_replaces_is_not_left_out() -> None:
    """An agent may change its mind, and say so."""
    assert Chain().plan("xyz").plan("a").calls("a").end().judged().score == 1.0


def test_an_open_run_has_left_nothing_out_yet() -> None:
    """Until its end a run may still do what it planned."""
    assert Chain().plan("ab").calls("a").judged().score == 1.0


def test_thinking_again_before_anything_is_done_is_idle() -> None:
    """Two steps of the same kind in a row: the second is idle; of different kinds, none."""
    assert _faults(Chain().event("@step", "model").event("@step", "model").calls("a")) == {"idle": 1}
    assert _faults(Chain().event("@step", "model").event("@step", "plan").calls("a")) == {}


def test_new_words_of_the_user_excuse_what_was_done_before() -> None:
    """In a conversation the same call may be asked for twice: half a fault, not a whole one."""
    assert Chain().calls("a").event("@input").calls("a").judged().losses() == {"repeated": 1 / 3}


def test_a_run_of_refusals_alone_has_nothing_to_judge() -> None:
    """Refused once and ended: coherent, as far as anybody can see."""
    assert Chain().call("a", effect="deny").end().judged().score == 1.0


def test_a_run_in_an_endless_loop_is_judged_by_its_first_links() -> None:
    """Memory is bounded, and the score is as low as it should be."""
    chain = Chain()
    for number in range(MOST_LINKS + 10):
        chain.lines.append(Line("decision", number, "r", str(number), {"tool": "a", "effect": "allow", "event": "x"}))
    assert chain.judged().score == pytest.approx(1 / MOST_LINKS, abs=1e-6)


# ------------------------------------------------------------------ properties
def _judged(lines: list[Line]) -> Coherence | None:
    facts = RunFacts("r")
    for line in lines:
        facts.add(line)
    return facts.coherence()


@given(runs())
def test_the_score_and_its_losses_add_up_to_one(lines: list[Line]) -> None:
    """Within 0…1, and every part of what is missing has a name."""
    found = _judged(lines)
    if found is not None:
        assert 0.0 <= found.score <= 1.0
        assert found.score + sum(found.losses().values()) == pytest.approx(1.0, abs=1e-5)


@given(runs(), st.permutations(TOOLS))
def test_names_do_not_matter(lines: list[Line], others: list[str]) -> None:
    """With tools, runs and calls renamed the score is the same."""
    names = dict(zip(TOOLS, others, strict=True))
    renamed = []
    for line in lines:
        body = dict(line.body)
        if "tool" in body:
            body["tool"] = names[body["tool"]]
        if "tools" in body:
            body["tools"] = [names[tool] for tool in body["tools"]]
        renamed.append(replace(line, run=f"other {line.run}", call=line.call and f"other {line.call}", body=body))
    before, after = _judged(lines), _judged(renamed)
    assert (before and before.weights, before and before.on) == (after and after.weights, after and after.on)


@given(runs(), st.data())
def test_records_may_come_in_any_order(lines: list[Line], data: st.DataObject) -> None:
    """Threads tell records in another order than they are kept; the score does not see it."""
    shuffled = data.draw(st.permutations(lines))
    assert _judged(list(lines)) == _judged(list(shuffled))


@given(runs(), st.data())
def test_a_planted_fault_never_raises_the_score(lines: list[Line], data: st.DataObject) -> None:
    """A call or step of the run, made again anywhere later, whatever the run is, unless a plan had left it out."""
    before = _judged(lines)
    copied = [line for line in lines if line.kind == "decision" or line.body.get("name") == "@step"]
    if before is None or not copied or before.counts["left_out"]:
        return
    original = data.draw(st.sampled_from(copied))
    waits = original.body.get("wait") is not None and original.body["effect"] != "allow"
    at = original.at + 2 if waits else data.draw(st.integers(original.at + 2, 200))
    planted = replace(original, at=at, call=original.call and "planted")
    after = _judged([*lines, planted])
    assert after is not None
    assert after.millionths <= before.millionths


@given(st.lists(st.sampled_from("abc"), max_size=6), st.lists(st.sampled_from("abc"), max_size=6))
def test_the_plan_is_matched_as_well_as_it_can_be(plan: list[str], calls: list[str]) -> None:
    """Both ways of matching agree with trying everything."""

    def fit(step: int, rest: list[str], *, several: bool) -> int:
        if not rest or step == len(plan):
            return 0
        here = plan[step] == rest[0]
        stay = (1 + fit(step if several else step + 1, rest[1:], several=several)) if here else 0
        return max(stay, fit(step, rest[1:], several=several), fit(step + 1, rest, several=several))

    assert on_plan(plan, calls) == fit(0, calls, several=True)
    assert longest_common(plan, calls) == fit(0, calls, several=False)


def test_an_empty_chain_has_nothing_to_judge() -> None:
    """No links, no faults."""
    assert coherence_of([], ended=True).score == 1.0
