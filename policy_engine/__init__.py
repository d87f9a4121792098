"""Policy as code between AI agents and the real world.

    from policy_engine import load, Principal, Request

    policy = load("support.policy")
    decision = policy.decide(Request(tool="crm.refund", args={"amount": 50.0}, principal=Principal(id="u1")))
    decision.effect        # "allow", "deny" or "escalate"

Everything a caller needs is here; `policy_engine.cel` evaluates CEL on its own, `policy_engine.testing` draws requests
for property tests. What is not exported may change between versions.

Names are fetched from their modules when they are first used, so that `import policy_engine` costs next to nothing;
type checkers read the same names in `__init__.pyi`.
"""

__version__ = "0.1.0"

__all__ = [
    "Agent", "Approval", "Approvers", "Ask", "AsyncRun", "BreakerOpen", "DeadlineExceeded", "Decision", "Degradation",
    "Denied", "Diagnostic", "EvaluationError", "Event", "HostFunction", "Label", "LimitReached", "Mediator", "MemoryHistory",
    "MisfitError", "NotAuthorised", "NotResumable", "NotRun", "Obligation", "Outcome", "Pending", "Policy",
    "PolicyError", "Principal", "Recorded", "Request", "Reserve", "RuleError", "Run", "Stores", "Suspended", "Switch",
    "SyncRun", "Timeout", "ToolSchema", "Webhook", "Window", "check", "load", "loads", "message_of",
]  # fmt: skip

_HOMES = {
    "policy_engine.assembly.host_functions": ("HostFunction",),
    "policy_engine.assembly.loading": ("check", "load", "loads"),
    "policy_engine.assembly.approvers": ("Approvers",),
    "policy_engine.assembly.mediating.handles": ("AsyncRun", "SyncRun"),
    "policy_engine.assembly.mediating.modes": ("NotAuthorised", "Switch"),
    "policy_engine.assembly.mediating.resuming": ("NotResumable",),
    "policy_engine.assembly.mediating.stores": ("Stores",),
    "policy_engine.assembly.mediator": ("Mediator",),
    "policy_engine.base.decision": (
        "Ask", "Decision", "Degradation", "Label", "Obligation", "Recorded", "Reserve", "RuleError", "Timeout", "Window",
    ),
    "policy_engine.base.errors": ("EvaluationError", "MisfitError"),
    "policy_engine.base.refusals": (
        "BreakerOpen", "DeadlineExceeded", "Denied", "LimitReached", "NotRun", "Pending", "Suspended",
    ),
    "policy_engine.base.request": ("Agent", "Approval", "Event", "Outcome", "Principal", "Request"),
    "policy_engine.base.wording": ("message_of",),
    "policy_engine.diagnostics.model": ("Diagnostic", "PolicyError"),
    "policy_engine.notify.webhook": ("Webhook",),
    "policy_engine.runtime.engine": ("Policy",),
    "policy_engine.runtime.trace.run": ("Run",),
    "policy_engine.semantics.schema.tools": ("ToolSchema",),
    "policy_engine.stores.memory.history": ("MemoryHistory",),
}  # fmt: skip


def __getattr__(name: str) -> object:
    """The public name, from the module it lives in (PEP 562)."""
    for home, names in _HOMES.items():
        if name in names:
            found: object = getattr(__import__(home, fromlist=names), name)
            globals()[name] = found
            return found
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


def __dir__() -> list[str]:
    """What there is, fetched or not."""
    return sorted({*globals(), *__all__})
