"""Requests made to slip past rules: odd numbers, texts, keys, names and objects. Each is refused, or seen as what it is."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from policy_engine import Decision, Policy, Principal, Request

RULES = """principal { id: string, role: "support" | "lead", clearance: int? }
allow small on crm.refund when args.amount <= 100.0
allow open on crm.open when args.?safe == optional.of(true)
deny secret on crm.refund when has(args.note) && args.note.contains("secret")
"""
USER = {"id": "u1", "role": "support"}


@pytest.fixture
def policy(shop: Callable[..., Policy]) -> Policy:
    """Small refunds pass, others do not."""
    return shop(RULES)


def decide(policy: Policy, args: Any, tool: Any = "crm.refund", principal: Any = USER) -> Decision:
    return policy.decide(Request(tool=tool, args=args, principal=principal))


class Shifting(dict[str, Any]):
    """Shows a small amount at first, a large one afterwards."""

    def __init__(self) -> None:
        super().__init__(amount=5.0)
        self.looks = 0

    def __getitem__(self, key: str) -> Any:
        self.looks += 1
        return 5.0 if self.looks == 1 else 1e6

    def get(self, key: str, default: Any = None) -> Any:
        return self[key]

    def items(self) -> Any:
        return [(key, self[key]) for key in self]

    def __iter__(self) -> Iterator[str]:
        return iter(["amount"])


class Agreeable(float):
    """Says yes to every comparison."""

    def __le__(self, other: object) -> bool:
        return True

    def __lt__(self, other: object) -> bool:
        return True


@pytest.mark.parametrize(
    "args",
    [
        {"amount": math.nan}, {"amount": math.inf}, {"amount": 10**400}, {"amount": 2**64}, {"amount": True},
        {"amount": "5"}, {"amount": None}, {"amount": [5.0]}, {"amount": {"value": 5}}, {}, {"Amount": 5.0},
        {"amount": 5.0, "extra": 1}, {"amount": 5.0, "__class__": "x"}, {"amount": 5.0, 3: 4},
        {"amount": 5.0, "note": None}, {"amount": 5.0, "note": "\ud800"}, {"amount": 5.0, "note": b"x"},
        {"amount": 5.0, "kind": "A"}, {"amount": 5.0, "kind": "a\u200b"}, {"amount": 5.0, "count": 5.5},
        {"amount": 5.0, "count": 1e30}, {"amount": 5.0, "count": True}, {"amount": 5.0, "tags": "abc"},
        {"amount": 5.0, "tags": {"a"}}, [1], None, 7, "", "[]", '"x"', '{"amount": 5', '{"amount": 5} 6',
        '{"amount": 5, "amount": 5000}', '{"amount": NaN}', '{"amount": 1e400}', '{"amount": 05}', b"\xff",
        '\ufeff{"amount": 5}', '{"amount": 5, "note": "\\ud800"}', '{"amount": 5, "meta": {"a": 1, "a": 2}}',
    ],
    ids=repr,
)  # fmt: skip
def test_arguments_that_do_not_fit_are_denied_before_any_rule(policy: Policy, args: Any) -> None:
    """The decision has no rules, nothing to execute, and an error without values."""
    decision = decide(policy, args)
    assert (decision.effect, decision.rules, decision.args) == ("deny", (), None)
    assert [error.rule for error in decision.errors] == ["request"]


def test_deep_and_wide_arguments_are_denied(policy: Policy) -> None:
    """No size of request makes the engine slow or fall over."""
    deep: Any = 1
    for _ in range(100_000):
        deep = [deep]
    text = '{"amount": 5, "meta": {"x": ' + "[" * 100_000 + "]" * 100_000 + "}}"
    for args in ({"amount": 5.0, "meta": {"x": deep}}, text):
        assert decide(policy, args).effect == "deny"


def test_what_is_decided_is_what_is_executed(policy: Policy) -> None:
    """A mapping that changes as it is read, or a number that lies, is read once and copied as plain data."""
    shifting = Shifting()
    decision = decide(policy, shifting)
    assert decision.effect == "deny" or decision.args == {"amount": 5.0}
    assert decide(policy, {"amount": Agreeable(1e6)}).effect == "deny"
    plain = decide(policy, {"amount": Agreeable(5.0)}).args
    assert plain is not None and type(plain["amount"]) is float


def test_changing_arguments_afterwards_changes_nothing(policy: Policy) -> None:
    """Neither the request's own nor those that a decision gave out."""
    args: dict[str, Any] = {"amount": 5.0, "tags": ["a"]}
    decision = decide(policy, args)
    args["amount"] = 1e6
    args["tags"].append("b")
    given = decision.args
    assert given == {"amount": 5.0, "tags": ["a"]}
    given["amount"] = 1e6
    assert decision.args == {"amount": 5.0, "tags": ["a"]}


def test_minus_zero_is_zero_and_whole_doubles_are_numbers(policy: Policy) -> None:
    """Nothing hides behind how a number is written."""
    for amount in (-0.0, 5, 5.0, 100):
        assert decide(policy, {"amount": amount}).effect == "allow"
    assert decide(policy, {"amount": math.nextafter(100.0, 101.0)}).effect == "deny"


@pytest.mark.parametrize(
    "tool",
    [
        "crm.refund ", " crm.refund", "CRM.refund", "crm.Refund", "refund", "crm", "crm.", "crm.*", "*", "", "@answer", "@*",
        "crm.refund\0", "crm.refund\u200b", "crm\uff0erefund", "crm.refund\n", "__class__", "reads", "crm.refund.x",
        None, 5, ["crm.refund"], b"crm.refund",
    ],
    ids=repr,
)  # fmt: skip
def test_a_name_that_is_nearly_a_tool_is_no_tool(policy: Policy, tool: Any) -> None:
    """Case, blanks, look-alikes, globs, events and groups are not tools; what is no name at all is refused too."""
    decision = decide(policy, {"amount": 5.0}, tool=tool)
    assert (decision.effect, decision.rules) == ("deny", ())
    assert decision.errors


@pytest.mark.parametrize(
    "principal",
    [
        None, "u1", {}, {"id": "u1"}, {"id": "u1", "role": "Lead"}, {"id": "u1", "role": "lead "}, {"id": 1, "role": "lead"},
        {"id": None, "role": "lead"}, {"id": "u1", "role": ["lead"]}, {"id": "u1", "role": "lead", "clearance": "9"},
        {"id": "u1", "role": "lead", "clearance": None}, [("id", "u1"), ("role", "lead")], 7,
        {"id": Ellipsis, "role": "lead"},
    ],
    ids=repr,
)  # fmt: skip
def test_a_principal_that_does_not_fit_its_record_is_denied(policy: Policy, principal: Any) -> None:
    """And the agent is not told what the policy wanted to know of it."""
    decision = decide(policy, {"amount": 5.0}, principal=principal)
    assert (decision.effect, decision.rules) == ("deny", ())
    assert "lead" not in decision.reason and "role" not in decision.reason
    assert any("principal" in error.place for error in decision.errors)


def test_a_principal_may_have_more_than_is_declared(policy: Policy) -> None:
    """Hosts know more of people than policies read."""
    assert decide(policy, {"amount": 5.0}, principal=Principal(id="u1", role="lead", shoe=43)).effect == "allow"


@pytest.mark.parametrize("safe", [None, 1, 1.0, "true", [True], {"": True}, {}])
def test_only_true_is_true_where_any_value_may_come(policy: Policy, safe: Any) -> None:
    """An open tool's field is compared as it is; nothing is taken for true."""
    assert decide(policy, {"safe": safe}, tool="crm.open").effect == "deny"
    assert decide(policy, {}, tool="crm.open").effect == "deny"
    assert decide(policy, {"safe": True}, tool="crm.open").effect == "allow"


@pytest.mark.parametrize("note", ["secret", "a\0secret", "\u202esecret\u202c", "x" * 50_000 + "secret"])
def test_odd_characters_hide_no_text_that_stands_there(policy: Policy, note: str) -> None:
    """A NUL or a change of direction before it does not end what a rule sees."""
    assert decide(policy, {"amount": 5.0, "note": note}).rules == ("shop/secret",)


def test_prototype_names_are_plain_keys(shop: Callable[..., Policy]) -> None:
    """`__class__` and the like lead to nothing of Python's."""
    policy = shop("allow a on crm.open when has(args.__class__) && args.__class__ == \"dict\"")
    assert decide(policy, {}, tool="crm.open").effect == "deny"
    assert decide(policy, {"__class__": "dict"}, tool="crm.open").effect == "allow"
