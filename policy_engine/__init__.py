"""Policy as code between AI agents and the real world.

    from policy_engine import load, Principal, Request

    policy = load("support.policy")
    decision = policy.decide(Request(tool="crm.refund", args={"amount": 50.0}, principal=Principal(id="u1")))
    decision.effect        # "allow", "deny" or "escalate"

Everything a caller needs is here; `policy_engine.cel` evaluates CEL on its own, `policy_engine.testing` draws requests
for property tests. What is not exported may change between versions.
"""

from policy_engine.assembly.loading import check, load, loads
from policy_engine.base.decision import Ask, Decision, Degradation, Label, Obligation, Reserve, RuleError, Timeout
from policy_engine.base.errors import EvaluationError, MisfitError
from policy_engine.base.refusals import Denied, Pending
from policy_engine.base.request import Agent, Approval, Event, Outcome, Principal, Request
from policy_engine.diagnostics.model import Diagnostic, PolicyError
from policy_engine.runtime.engine import Policy
from policy_engine.runtime.trace.run import Run
from policy_engine.semantics.schema.tools import ToolSchema

__version__ = "0.1.0"

__all__ = [
    "Agent", "Approval", "Ask", "Decision", "Degradation", "Denied", "Diagnostic", "EvaluationError", "Event", "Label",
    "MisfitError", "Obligation", "Outcome", "Pending", "Policy", "PolicyError", "Principal", "Request", "Reserve",
    "RuleError", "Run", "Timeout", "ToolSchema", "check", "load", "loads",
]  # fmt: skip
