"""For the tests that policy authors write in Python: `requests(policy)` draws calls for Hypothesis properties.

    from hypothesis import given
    from policy_engine import load
    from policy_engine.testing import requests

    policy = load("support.policy")

    @given(requests(policy, tool="crm.refund"))
    def test_no_large_refund_passes_without_a_person(request):
        decision = policy.decide(request)
        assert decision.effect != "allow" or decision.args["amount"] <= 100.0

Needs the extra `testing` (Hypothesis).
"""

from policy_engine.testing.requests import requests

__all__ = ["requests"]
