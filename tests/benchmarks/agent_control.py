"""agent-os-kernel's full stack around an empty tool, for `mediate.py`; nothing where it is not installed.

The full stack is its kernel, `KernelSpace`: «ALL tool execution goes through here». A call is a syscall (`SYS_EXEC`) of an
agent: its policy engine permits the tool under two conditions (the same amount and role as ours), its FlightRecorder, SQLite
with a hash chain, traces the syscall, the tool and what came of it, the tool runs, its result comes back. `held back` is the
recorder as it comes: it keeps up to a hundred writes in memory, which die with the process; `each written` writes each to
SQLite at once, as our `process` does. The coroutine is driven by hand, so that no event loop is paid for.

Less than that, to be told beside: `AgentControlPlane.execute_action` as it comes, which asks permission, policies, risk and
quota, runs the tool and appends to two lists; it chains, keeps and checks nothing. Quotas are so high that nothing is refused.
"""

from __future__ import annotations

import importlib
import logging
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

_MANY: Final = 10**9
Clock = Callable[[], int]
Loop = Callable[[int, Clock], int]


def peers(folder: Path, tool: str, execute: Callable[..., Any], args: Mapping[str, Any]) -> dict[str, Loop]:
    """Loops of calls by name: `kernel, held back`, `kernel, each written`, `control plane, two lists`."""
    try:
        recorder: Any = importlib.import_module("agent_control_plane.flight_recorder").FlightRecorder
    except ImportError:
        return {}
    logging.getLogger("agent_control_plane").setLevel(logging.ERROR)
    logging.getLogger("AgentKernel").setLevel(logging.ERROR)
    logging.getLogger("FlightRecorder").setLevel(logging.ERROR)
    return {
        "kernel, held back": _kernel(recorder(str(folder / "held.db")), tool, execute, args),
        "kernel, each written": _kernel(recorder(str(folder / "each.db"), enable_batching=False), tool, execute, args),
        "control plane, two lists": _control_plane(tool, execute, args),
    }


def _kernel(recorder: Any, tool: str, execute: Callable[..., Any], args: Mapping[str, Any]) -> Loop:
    space: Any = importlib.import_module("agent_control_plane.kernel_space")
    engine: Any = importlib.import_module("agent_control_plane.policy_engine")
    policies = engine.PolicyEngine()
    small = engine.Condition("args.args.amount", "lte", 100.0)
    support = engine.Condition("role", "eq", "support")
    policies.add_constraint("a", [tool])
    policies.add_conditional_permission("a", engine.ConditionalPermission(tool, [small, support]))
    policies.set_agent_context("a", {"role": "support"})
    kernel = space.create_kernel(policies, recorder)
    kernel.register_tool(tool, execute)
    agent, exec_ = kernel.create_agent_context("a"), space.SyscallType.SYS_EXEC
    if policies.check_violation("a", tool, {"args": {**args, "amount": 101.0}}) is None:
        raise AssertionError("agent-os-kernel lets pass what its policy forbids")

    def loop(count: int, clock: Clock) -> int:
        begun = clock()
        for _ in range(count):
            if not _driven(agent.syscall(exec_, tool=tool, args=args)).success:
                raise AssertionError("agent-os-kernel refused")
        return clock() - begun

    return loop


def _driven(coroutine: Any) -> Any:
    """What a coroutine returns that waits for nothing."""
    try:
        coroutine.send(None)
    except StopIteration as ended:
        return ended.value
    raise AssertionError("agent-os-kernel waits for something")


def _control_plane(tool: str, execute: Callable[..., Any], args: Mapping[str, Any]) -> Loop:
    control: Any = importlib.import_module("agent_control_plane")
    kernel: Any = importlib.import_module("agent_control_plane.agent_kernel")
    engine: Any = importlib.import_module("agent_control_plane.policy_engine")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own policies are samples, it says
        plane = control.AgentControlPlane()
    action = kernel.ActionType.API_CALL
    plane.execution_engine.register_executor(action, lambda parameters, context: execute(**parameters))
    quota = engine.ResourceQuota("a", _MANY, _MANY, max_concurrent_executions=_MANY)
    agent = plane.create_agent("a", {action: kernel.PermissionLevel.READ_WRITE}, quota)
    plane.policy_engine.state_permissions["a"] = {tool}

    def loop(count: int, clock: Clock) -> int:
        begun = clock()
        for _ in range(count):
            if not plane.execute_action(agent, action, args)["success"]:
                raise AssertionError("agent-os-kernel refused")
        return clock() - begun

    return loop
