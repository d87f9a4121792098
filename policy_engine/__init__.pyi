"""The names of `policy_engine` for type checkers; at run time `__init__.py` fetches each when it is first used."""

from policy_engine.assembly.approvers import Approvers as Approvers
from policy_engine.assembly.host_functions import HostFunction as HostFunction
from policy_engine.assembly.loading import check as check, load as load, loads as loads
from policy_engine.assembly.mediating.handles import AsyncRun as AsyncRun, SyncRun as SyncRun
from policy_engine.assembly.mediating.modes import NotAuthorised as NotAuthorised, Switch as Switch
from policy_engine.assembly.mediating.resuming import NotResumable as NotResumable
from policy_engine.assembly.mediating.stores import Stores as Stores
from policy_engine.assembly.mediator import Mediator as Mediator
from policy_engine.base.decision import (
    Ask as Ask,
    Decision as Decision,
    Degradation as Degradation,
    Label as Label,
    Obligation as Obligation,
    Recorded as Recorded,
    Reserve as Reserve,
    RuleError as RuleError,
    Timeout as Timeout,
    Window as Window,
)
from policy_engine.base.errors import EvaluationError as EvaluationError, MisfitError as MisfitError
from policy_engine.base.refusals import (
    BreakerOpen as BreakerOpen,
    DeadlineExceeded as DeadlineExceeded,
    Denied as Denied,
    LimitReached as LimitReached,
    NotRun as NotRun,
    Pending as Pending,
    Suspended as Suspended,
)
from policy_engine.base.request import (
    Agent as Agent,
    Approval as Approval,
    Event as Event,
    Outcome as Outcome,
    Principal as Principal,
    Request as Request,
)
from policy_engine.base.wording import message_of as message_of
from policy_engine.diagnostics.model import Diagnostic as Diagnostic, PolicyError as PolicyError
from policy_engine.notify.webhook import Webhook as Webhook
from policy_engine.runtime.engine import Policy as Policy
from policy_engine.runtime.trace.run import Run as Run
from policy_engine.semantics.schema.tools import ToolSchema as ToolSchema
from policy_engine.stores.memory.history import MemoryHistory as MemoryHistory

__version__: str

__all__ = [
    "Agent", "Approval", "Approvers", "Ask", "AsyncRun", "BreakerOpen", "DeadlineExceeded", "Decision", "Degradation",
    "Denied", "Diagnostic", "EvaluationError", "Event", "HostFunction", "Label", "LimitReached", "Mediator", "MemoryHistory",
    "MisfitError", "NotAuthorised", "NotResumable", "NotRun", "Obligation", "Outcome", "Pending", "Policy",
    "PolicyError", "Principal", "Recorded", "Request", "Reserve", "RuleError", "Run", "Stores", "Suspended", "Switch",
    "SyncRun", "Timeout", "ToolSchema", "Webhook", "Window", "check", "load", "loads", "message_of",
]  # fmt: skip
