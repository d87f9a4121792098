"""`policy plan`: how each rule is evaluated."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

Policy = Callable[..., Result]

TEXT = """policy p
allow all on t.pay, t.get
deny unseen on t.pay when !run.calls.exists(c, c.tool == "t.get" && c.args.id == args.id)
deny larger on t.pay when run.calls.exists(c, c.args.amount > args.amount)
deny since on t.pay when run.calls.after(c, c.tool == "t.get").exists(d, d.tool == "t.pay")
"""


@pytest.fixture
def written(tmp_path: Path) -> Path:
    """A policy whose rules read history."""
    (tmp_path / "p.policy").write_text(TEXT)
    return tmp_path / "p.policy"


def test_folded_state_and_scans_are_told_rule_by_rule(policy: Policy, written: Path) -> None:
    """What is kept of which calls, and why something else is gone through."""
    told = policy("plan", str(written), "t.pay")
    assert told.exit_code == 0
    text = told.stdout
    assert 'folded:  run.calls.exists(c, c.tool == "t.get" && c.args.id == args.id)' in text
    assert 'kept per call of t.get: run.calls by (c.tool == "t.get", c.args.id)' in text
    assert "scanned: run.calls.exists(c, c.args.amount > args.amount)" in text
    assert "a test is neither of the call alone" in text and "whether one came since another" in text


def test_a_scan_names_its_bound_and_a_rule_why_nothing_finds_it(policy: Policy, written: Path) -> None:
    """Who reads that a rule is tested each time, or scans, reads what that means."""
    text = policy("plan", str(written), "t.pay").stdout
    assert "with more than 10,000 calls in the run it is an error" in text
    assert "access:  tested at every decision: so few rules need no index" in text


def test_words_about_where_values_came_from_are_told(policy: Policy, tmp_path: Path) -> None:
    """A rule lists the words it asks, in the text and for programs; a rule without any lists none."""
    odd = 'deny odd on t.pay when !said(args.to) && "untrusted" in labels(args.to)'
    (tmp_path / "p.policy").write_text(f"policy p\nlabels untrusted\nallow all on t.pay\n{odd}\n")
    text = policy("plan", str(tmp_path / "p.policy"), "t.pay").stdout
    assert "values:  labels, said" in text and text.count("values:") == 1
    data = json.loads(policy("plan", str(tmp_path / "p.policy"), "--format", "json").stdout)
    assert {one["rule"]: one["values"] for one in data["t.pay"]} == {"p/all": [], "p/odd": ["labels", "said"]}


def test_json_says_the_same(policy: Policy, written: Path) -> None:
    """Programs get access, folded state and scans of every tool."""
    data = json.loads(policy("plan", str(written), "--format", "json").stdout)
    rules = {one["rule"]: one for one in data["t.pay"]}
    assert rules["p/all"]["access"] == "always holds"
    assert [track["tools"] for track in rules["p/since"]["folded"][0]["tracks"]] == [["t.get"], ["t.pay"]]
    assert rules["p/larger"]["folded"] == [] and len(rules["p/larger"]["scanned"]) == 1
    assert [one["rule"] for one in data["t.get"]] == ["p/all"]


def test_many_rules_on_a_tool_are_found_by_what_they_test(policy: Policy, tmp_path: Path) -> None:
    """The access path of an indexed rule names the argument."""
    rules = [f'deny r{number} on t.pay when args.to == "a{number}"' for number in range(40)]
    (tmp_path / "p.policy").write_text("\n".join(("policy p", "allow all on t.pay", *rules)))
    text = policy("plan", str(tmp_path / "p.policy"), "t.pay").stdout
    assert "access:  found by args.to equal to a literal" in text


def test_an_unknown_tool_is_a_wrong_question(policy: Policy, written: Path) -> None:
    """Exit code 2, and the tools there are."""
    result = policy("plan", str(written), "t.pat")
    assert result.exit_code == 2 and "t.pay" in result.stderr
