"""What an earlier compilation left in the cache is drawn on after a change, and never once somebody touched it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from policy_engine import Policy, PolicyError, Request, load
from policy_engine.assembly.caching.store import Shelf
from policy_engine.compiler.caching.earlier import Earlier
from policy_engine.lean.serving import desk_for
from tests.contracts.test_cache_poison import POISONS, Home, _flip, warm

ROOT = Path(__file__).resolve().parents[2]
TEXT = """policy p
let small = args.amount <= 10.0
allow pay on shop.pay when small
deny odd on shop.pay when args.amount == 7.0 because "unlucky"
allow note on shop.note when args.amount <= 5.0
deny far on shop.note when args.amount == args.missing
"""


class Shop(Home):
    """A policy of two tools, of which rules about one are changed."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.policy.write_text(TEXT)

    def edit(self, old: str, new: str) -> None:
        """Change the policy's text."""
        text = self.policy.read_text()
        assert old in text
        self.policy.write_text(text.replace(old, new))

    def effect(self, policy: Policy, tool: str, amount: float) -> str:
        """What is decided of a call."""
        return policy.decide(Request(tool=tool, args={"amount": amount})).effect

    def load(self) -> Policy:
        """The policy, loaded and asked about everything it says."""
        policy = load(self.policy)
        assert [self.effect(policy, "shop.pay", amount) for amount in (6.0, 7.0, 10.5)] == ["allow", "deny", "deny"]
        assert [self.effect(policy, "shop.note", amount) for amount in (5.0, 5.5)] == [
            "deny",
            "deny",
        ]  # an error denies
        return policy


@pytest.fixture
def shop(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Shop:
    """A warm cache."""
    made = Shop(tmp_path)
    monkeypatch.setenv("POLICY_CACHE", str(made.cache))
    monkeypatch.setenv("POLICY_CACHE_KEY", str(made.key))
    assert not warm(made.load())
    return made


def test_what_did_not_change_is_taken_and_stands_where_it_stands_now(shop: Shop) -> None:
    """A rule about one tool changes and pushes the others down: those are not made again, and errors show the new lines."""
    before = shop.load().decide(Request(tool="shop.note", args={"amount": 1.0}))
    shop.edit("allow pay on", "// a remark\n\nallow pay-less on")
    policy = shop.load()
    assert warm(policy)
    (one,), (other,) = before.errors, policy.decide(Request(tool="shop.note", args={"amount": 1.0})).errors
    assert (one.place, other.place) == (f"{shop.policy}:6:1", f"{shop.policy}:8:1")
    assert (one.rule, one.message) == (other.rule, other.message)
    assert shop.load().digest == policy.digest
    assert len(list(shop.cache.iterdir())) == 1


def test_the_entry_after_a_change_is_a_whole_one(shop: Shop) -> None:
    """Also for the lean entry, which finds the tools that were taken and those that were made."""
    shop.edit("<= 10.0", "<= 10.25")
    shop.edit('because "unlucky"', 'because "odd"')
    shop.load()
    shop.edit('because "odd"', 'because "even"')
    assert warm(shop.load())
    desk = desk_for(str(shop.policy))
    assert desk is not None
    for tool, amount, effect in (("shop.pay", 10.25, "allow"), ("shop.pay", 7.0, "deny")):
        text, _ = desk.answer(json.dumps({"tool": tool, "args": {"amount": amount}}).encode())
        assert json.loads(text)["effect"] == effect
    assert "even" in text


@pytest.mark.parametrize("poison", [*POISONS, _flip(-1)], ids=lambda one: one.__name__.strip("_"))
def test_what_somebody_touched_is_not_drawn_on(shop: Shop, poison: Callable[[Home], None]) -> None:
    """Nothing of a poisoned entry lives on in the policy that is compiled after a change, nor in the next entry."""
    poison(shop)
    shop.edit('because "unlucky"', 'because "odd"')
    policy = shop.load()
    assert not warm(policy)
    assert "POISONED" not in os.environ
    assert policy.decide(Request(tool="shop.pay", args={"amount": 7.0})).reason == "odd"


def test_an_older_entry_of_ours_does_no_harm(shop: Shop, tmp_path: Path) -> None:
    """Put back by somebody: what it holds was made for exactly the texts it is taken for, then as now."""
    entry, old = shop.entry, tmp_path / "old"
    shutil.copy(entry, old)
    shop.edit("args.amount <= 5.0", "args.amount <= 500.0")
    shop.edit("deny far on shop.note when args.amount == args.missing\n", "")
    shop.edit("<= 10.0", "<= 11.0")
    assert shop.effect(load(shop.policy), "shop.pay", 10.75) == "allow"
    shutil.copy(old, entry)
    shop.edit("<= 11.0", "<= 10.0")
    policy = load(shop.policy)
    assert [shop.effect(policy, "shop.pay", amount) for amount in (10.0, 10.75)] == ["allow", "deny"]
    assert [shop.effect(policy, "shop.note", amount) for amount in (400.0, 501.0)] == ["allow", "deny"]


def test_a_fault_that_was_put_in_is_told_and_the_entry_stays(shop: Shop) -> None:
    """A policy that does not load leaves the earlier one's entry, which serves again once the fault is mended."""
    shop.edit("args.amount == 7.0", "args.amount ==")
    with pytest.raises(PolicyError):
        load(shop.policy)
    shop.policy.write_text(TEXT + "// mended\n")
    assert warm(shop.load())


def test_another_process_draws_on_it_too(shop: Shop) -> None:
    """Nothing is held in memory alone: a process that never compiled the policy takes what did not change."""
    shop.edit('because "unlucky"', 'because "odd"')
    script = (
        "from policy_engine import load\nfrom policy_engine.semantics.linking import Linked\n"
        f"policy = load({str(shop.policy)!r})\nprint(isinstance(policy.compiled.constants, Linked), policy.digest)"
    )
    found = run(script)
    assert found.stdout == f"True {shop.load().digest}\n", found.stderr


def test_many_writers_after_a_change_leave_a_whole_entry(shop: Shop) -> None:
    """Each takes from the earlier entry what it can, and writes one that the next can read."""
    shop.edit('because "unlucky"', 'because "odd"')
    with ThreadPoolExecutor(4) as pool:
        script = f"from policy_engine import load; print(load({str(shop.policy)!r}).digest)"
        runs = list(pool.map(lambda _: run(script), range(4)))
    assert {one.stdout for one in runs} == {shop.load().digest + "\n"}, [one.stderr for one in runs]
    assert warm(shop.load())
    assert len(list(shop.cache.iterdir())) == 1


def test_where_nothing_can_be_written_the_old_entry_serves(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """A full disk, a read-only home: change after change is compiled with what was left at first."""
    monkeypatch.setattr(os, "replace", _no_space)
    before = shop.entry.read_bytes()
    for number in range(3):
        shop.edit("policy p\n", f"policy p\n// {number}\n")
        assert warm(shop.load())
    assert shop.entry.read_bytes() == before


def test_a_change_beside_the_rules_forgets_everything(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another `let`: every rule is looked at again, though none has changed."""
    found: list[object] = []
    plain = Shelf.find
    monkeypatch.setattr(Shelf, "find", lambda shelf: (found.append(plain(shelf)), found[-1])[1])
    shop.edit("<= 10.0\n", "<= 10.25\n")
    policy = load(shop.policy)
    assert isinstance(found[0], Earlier)
    assert not warm(policy)
    assert shop.effect(policy, "shop.pay", 10.25) == "allow"


def run(script: str) -> subprocess.CompletedProcess[str]:
    """A process of its own."""
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-c", script]
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120)


def _no_space(*_: object) -> None:
    raise OSError(28, "No space left on device")
