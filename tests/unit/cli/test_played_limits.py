"""Limits over recorded traffic and in cases: counted as a mediator would."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

Policy = Callable[..., Result]
HEAD = "policy p\nqueues finance\nprincipal { id: string }\nallow all on t.*\n"


@pytest.fixture
def decided(policy: Policy, tmp_path: Path) -> Callable[..., list[dict[str, Any]]]:
    """The answers to lines under more rules."""

    def decide(rules: str, *lines: dict[str, Any]) -> list[dict[str, Any]]:
        (tmp_path / "p.policy").write_text(HEAD + rules)
        (tmp_path / "calls.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
        done = policy("decide", "p.policy", "--calls", "calls.jsonl")
        assert done.exit_code in (0, 1), done.output
        return [json.loads(line) for line in done.stdout.splitlines()]

    return decide


def pay(minute: int = 0, user: str = "u1", **more: Any) -> dict[str, Any]:
    """A call at a minute past nine."""
    return {
        "tool": "t.pay", "args": {"amount": 60.0}, "principal": {"id": user}, "at": f"2026-03-02T09:{minute:02}:00Z", **more,
    }  # fmt: skip


def effects(answers: list[dict[str, Any]]) -> list[str]:
    return [answer["effect"] for answer in answers]


def test_a_limit_refuses_what_does_not_fit_its_window(decided: Callable[..., list[dict[str, Any]]]) -> None:
    """The third call of ten minutes is denied by the rule, another principal's is not, and later there is room again."""
    answers = decided(
        "limit two on t.pay to 2 per 10m by principal.id", pay(0), pay(1), pay(2), pay(2, user="u2"), pay(12),
    )  # fmt: skip
    assert effects(answers) == ["allow", "allow", "deny", "allow", "allow"]
    assert answers[2]["rules"] == ["p/two"]


def test_only_what_passes_counts(decided: Callable[..., list[dict[str, Any]]]) -> None:
    """Denied calls and those that wait for people use nothing up."""
    rules = (
        "limit one on t.pay to 1 per 10m by principal.id\n"
        'deny closed on t.pay when has(args.closed)\nescalate big on t.pay when has(args.big) to finance within 30m\n'
    )
    answers = decided(rules, pay(args={"closed": True}), pay(args={"big": True}), pay(), pay())
    assert effects(answers) == ["deny", "escalate", "allow", "deny"]


def test_a_call_uses_what_its_outcome_tells(decided: Callable[..., list[dict[str, Any]]]) -> None:
    """Reserved are ten, used is one, so that there is room for the next."""
    rules = "limit spend on t.pay to 12.0 of call.cost reserve 10.0 per 1h by principal.id"
    named = {"run": "r", "call": "c1"}
    ended = decided(rules, pay(**named), {**named, "result": "ok", "cost": 1.0}, pay(1, run="r"))
    assert effects(ended) == ["allow", "pass", "allow"]
    assert effects(decided(rules, pay(**named), pay(1, run="r"))) == ["allow", "deny"]


def test_places_are_free_when_the_outcome_arrives(decided: Callable[..., list[dict[str, Any]]]) -> None:
    """One at once: the second call waits for the end of the first, the third does not."""
    rules = 'limit place on t.pay to 1 at once by "all"'
    first = {"run": "r", "call": "c1"}
    answers = decided(rules, pay(**first), pay(run="r", call="c2"), {**first, "result": "ok"}, pay(run="r", call="c3"))
    assert effects(answers) == ["allow", "deny", "pass", "allow"]


def test_limits_per_run_and_of_events_are_counted(decided: Callable[..., list[dict[str, Any]]]) -> None:
    """Each run has its own; a step beyond its tokens is refused."""
    rules = "limit one on t.pay to 1 per run\nlimit tokens on @step to 100 of step.tokens per run\n"
    step = {"kind": "model", "text": "", "tokens": 80, "cost": 0.0}
    lines = [pay(run="r1"), pay(run="r1"), pay(run="r2"), {"run": "r1", "step": step}, {"run": "r1", "step": step}]
    assert effects(decided(rules, *lines)) == ["allow", "deny", "allow", "pass", "deny"]


def test_what_a_limit_says_instead_is_played(decided: Callable[..., list[dict[str, Any]]]) -> None:
    """A smaller call, a person, or only a note."""
    sum_of = "limit sum on t.pay to 100.0 of args.amount per 1h by principal.id else set args.amount to 40.0"
    smaller = decided(sum_of, pay(), pay(), pay())
    assert effects(smaller) == ["allow", "allow", "deny"]
    assert [one["args"]["amount"] for one in smaller[:2]] == [60.0, 40.0]
    asked = decided("limit sum on t.pay to 1 per 1h by principal.id else escalate to finance within 30m", pay(), pay())
    assert effects(asked) == ["allow", "escalate"] and asked[1]["rules"] == ["p/sum"]
    noted = decided("observe limit sum on t.pay to 1 per 1h by principal.id", pay(), pay())
    assert effects(noted) == ["allow", "allow"] and [one["observed"] for one in noted] == [[], ["p/sum"]]


def test_cases_expect_refusals_by_limits(policy: Policy, tmp_path: Path) -> None:
    """Each case counts from nothing."""
    (tmp_path / "p.policy").write_text(HEAD + "limit five on t.pay to 5 per 1h by principal.id\n")
    steps = "\n".join(["        - request: {tool: t.pay, args: {}}\n          expect: allow"] * 5)
    case = (
        "  - name: %s\n    run:\n      steps:\n" + steps + "\n        - request: {tool: t.pay, args: {}}\n"
        "          expect: {effect: deny, rules: [five]}\n"
    )
    head = "policy: p.policy\ndefaults:\n  principal: {id: u1}\ncases:\n"
    (tmp_path / "p.cases.yaml").write_text(head + case % "the sixth" + case % "the sixth again")
    done = policy("test")
    assert done.exit_code == 0, done.output
    assert "2 passed" in done.output


def test_an_explained_line_is_counted_over_those_before_it(policy: Policy, tmp_path: Path) -> None:
    """`explain` says of a line what `decide` says."""
    (tmp_path / "p.policy").write_text(HEAD + "limit one on t.pay to 1 per 10m by principal.id\n")
    (tmp_path / "calls.jsonl").write_text("".join(json.dumps(pay(minute)) + "\n" for minute in (0, 1)))
    first, second = (policy("explain", "p.policy", "--calls", "calls.jsonl", "--line", line) for line in ("1", "2"))
    assert (first.exit_code, second.exit_code) == (0, 1)
    assert "deny" in second.output.splitlines()[0] and "p/one" in second.output
