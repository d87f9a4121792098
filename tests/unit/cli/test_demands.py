"""What limits, timeouts, retries and breakers demand, as the commands tell it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Policy = Callable[..., Result]

TEXT = """policy p
principal { id: string }
allow all on t.pay
limit rate on t.pay to 5 per 1h30m by principal.id
limit daily on t.pay to 3 of distinct args.to per day in "Europe/Berlin" by args.to
limit spend on t.pay to 2.5 of call.cost reserve 0.5 per run
observe limit places on t.pay to 4 at once
timeout slow on t.pay after 10s
retry again on t.pay up to 3 times backoff 200ms..5s
breaker down on t.pay open after 5 failures in 30s probe after 1m
timeout whole on @run after 10m
"""
CALL = '{"tool": "t.pay", "args": {"to": "bob"}, "principal": {"id": "u1"}}'


@pytest.fixture
def written(tmp_path: Path) -> str:
    """A policy with one rule of each form."""
    (tmp_path / "p.policy").write_text(TEXT)
    return str(tmp_path / "p.policy")


def test_decide_writes_every_obligation_in_full(policy: Policy, written: str, tmp_path: Path) -> None:
    """Amount, bound, window, keys, the counted value, whether it is settled later or only observed; then the time."""
    (tmp_path / "calls.jsonl").write_text(f"{CALL}\n")
    done = policy("decide", written, "--calls", str(tmp_path / "calls.jsonl"))
    daily, places, rate, spend, slow = json.loads(done.stdout)["obligations"]
    assert daily == {
        "kind": "reserve", "rule": "p/daily", "amount": 1.0, "keys": ["text:bob"], "bound": 3.0,
        "window": {"kind": "calendar", "unit": "day", "zone": "Europe/Berlin"}, "item": "text:bob", "settles": False,
        "observe": False,
    }  # fmt: skip
    assert (places["window"], places["observe"]) == ({"kind": "at_once"}, True)
    assert (rate["window"], rate["keys"]) == ({"kind": "sliding", "seconds": 5400.0}, ["text:u1"])
    assert (spend["window"], spend["amount"], spend["settles"]) == ({"kind": "run"}, 0.5, True)
    assert slow == {"kind": "timeout", "rule": "p/slow", "after_seconds": 10.0}


def test_explain_tells_what_the_call_owes(policy: Policy, written: str) -> None:
    """In words, with the rules among those that target the call."""
    text = policy("explain", written, "--call", CALL).stdout
    assert "owes:    reserves 1 of 5 per 5400s by text:u1 (p/rate)" in text
    assert "owes:    reserves 1 of 4 at once (p/places, observed)" in text
    assert "owes:    ends after 10s (p/slow)" in text
    assert "true   limit p/rate" in text and "true   timeout p/slow" in text


def test_plan_tells_what_each_rule_demands(policy: Policy, written: str) -> None:
    """Of tools and of runs."""
    text = policy("plan", written).stdout
    for told in (
        "counts calls per 5400s by principal.id", "counts different args.to per day in Europe/Berlin by args.to",
        "counts call.cost per run, known after the call", "ends what takes longer than 10s",
        "up to 3 more tries, 0.2s to 5s apart, of what is read-only or idempotent",
        "refuses after 5 failures in 30s, for 60s", "ends what takes longer than 600s",
    ):  # fmt: skip
        assert f"demands: {told}" in text
