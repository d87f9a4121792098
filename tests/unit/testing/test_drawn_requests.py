"""`policy_engine.testing.requests`: what it draws fits, and finds the places where a policy changes its mind.

The two properties at the end are the documented examples of `docs/tour.md`.
"""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import HealthCheck, Phase, find, given, settings

from policy_engine import Policy, Principal, Request, loads
from policy_engine.testing import requests

TOOLS = {
    "tools": [
        {
            "name": "refund",
            "inputSchema": {
                "type": "object",
                "properties": {
                    "order": {"type": "string", "pattern": "^[A-Z][0-9]{2}$"},
                    "amount": {"type": "number", "minimum": 0, "maximum": 9000},
                    "reason": {"enum": ["late", "fraud"]},
                    "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 3},
                    "note": {"anyOf": [{"type": "string"}, {"type": "null"}]},
                },
                "required": ["order", "amount", "reason"],
            },
        },
        {
            "name": "search",
            "inputSchema": {
                "type": "object",
                "properties": {"limit": {"type": "integer", "minimum": 1}},
                "required": ["limit"],
            },
        },
    ]
}
TEXT = """
policy desk
use tools "tools.json" as crm
param cap: double = 100.0
queues finance
principal { id: string, role: "support" | "lead" }
allow refund on crm.refund when args.amount <= 5000.0
escalate large on crm.refund when args.amount > cap to finance within 30m
deny fraud on crm.refund when args.reason == "fraud"
allow search on crm.search when args.limit < 50
"""


def desk() -> Policy:
    """A policy whose tools have bounds beyond their types."""
    return loads(TEXT, files={"tools.json": json.dumps(TOOLS)})


POLICY = desk()
SOON = settings(max_examples=500, phases=[Phase.generate], suppress_health_check=list(HealthCheck), database=None)


@settings(max_examples=150, suppress_health_check=list(HealthCheck))
@given(requests(POLICY))
def test_every_drawn_request_fits_its_tool(request: Request) -> None:
    """Patterns, bounds and enums included: no drawn request is refused as a misfit."""
    decision = POLICY.decide(request)
    assert [error for error in decision.errors if error.rule == "request"] == []


@pytest.mark.parametrize("effect", ["allow", "deny", "escalate"])
def test_every_effect_is_found(effect: str) -> None:
    """Drawing from the policy's own literals meets each of its effects soon."""
    found = find(requests(POLICY, tool="crm.refund"), lambda request: POLICY.decide(request).effect == effect, settings=SOON)
    assert found.tool == "crm.refund"


@pytest.mark.parametrize("wanted", [100.0, math.nextafter(100.0, math.inf), 5000.0])
def test_the_boundaries_of_conditions_are_drawn(wanted: float) -> None:
    """The literal of a comparison (a param too) and its nearest neighbours are among the drawn values."""
    drawn = requests(POLICY, tool="crm.refund")
    found = find(drawn, lambda request: request.args["amount"] == wanted, settings=SOON)  # type: ignore[index, call-overload]
    assert POLICY.decide(found).effect in ("allow", "deny", "escalate")


def test_an_unknown_tool_is_named() -> None:
    """Asking for requests of a tool that the policy does not know is a mistake of the test."""
    with pytest.raises(ValueError, match=r"crm\.refnd"):
        requests(POLICY, tool="crm.refnd")


@settings(max_examples=100, suppress_health_check=list(HealthCheck))
@given(requests(POLICY, tool="crm.refund"))
def test_no_large_refund_passes_without_a_person(request: Request) -> None:
    """Documented example: above the cap, somebody is asked or the call is refused."""
    decision = POLICY.decide(request)
    assert decision.effect != "allow" or (decision.args or {})["amount"] <= 100.0


@settings(max_examples=100, suppress_health_check=list(HealthCheck))
@given(requests(POLICY, principal=Principal(id="u1", role="support")))
def test_a_hint_is_true(request: Request) -> None:
    """Documented example: what a hint says about the amount is what the policy then does."""
    decision = POLICY.decide(request)
    if decision.hint == "args.amount at most 100":
        smaller = {**(decision.args or {}), "amount": 100.0}
        assert POLICY.decide(Request(tool=request.tool, args=smaller, principal=request.principal)).effect == "allow"
