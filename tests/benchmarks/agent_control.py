"""agent-os-kernel's full stack around an empty tool, for `mediate.py`; nothing where it is not installed.

Two of its layers stand around a tool call, and together they do what a mediated call of ours does:

* its gateway, `MCPGateway`: before the call the tool must be on its list, the arguments must hold nothing dangerous, the
  agent's budget must not be used up, and what it keeps of the call is redacted; after it the response is looked through;
* its kernel, `KernelSpace` («ALL tool execution goes through here»): a call is a syscall (`SYS_EXEC`) of an agent; its policy
  engine permits the tool under two conditions (the same amount and role as ours), its FlightRecorder, SQLite with a hash chain,
  traces the syscall, the tool and what came of it, the tool runs, its result comes back.

`held back` is the recorder as it comes: up to a hundred writes wait in memory, and die with the process; `each written` writes
each to SQLite at once, as our `process` does. The kernel's coroutine is driven by hand, so that no event loop is paid for.

Less than that is told beside: the kernel alone, and `AgentControlPlane.execute_action` as it comes, which asks permission,
policies, risk and quota, runs the tool and appends to two lists. Quotas are so high that nothing is refused.
"""

from __future__ import annotations

import importlib
import logging
import warnings
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

_MANY: Final = 10**9
_AGENT: Final = "a"
Clock = Callable[[], int]
Loop = Callable[[int, Clock], int]


def peers(folder: Path, tool: str, execute: Callable[..., Any], args: Mapping[str, Any]) -> dict[str, Loop]:
    """Loops of calls by name: `all, held back`, `all, each written`, the same of `kernel`, `control plane, two lists`."""
    try:
        recorder: Any = importlib.import_module("agent_control_plane.flight_recorder").FlightRecorder
    except ImportError:
        return {}
    for name in ("agent_control_plane", "agent_os", "AgentKernel", "FlightRecorder"):
        logging.getLogger(name).setLevel(logging.ERROR)
    made: dict[str, Loop] = {}
    for layers in ("all", "kernel"):
        for batching, name in ((True, "held back"), (False, "each written")):
            kept = recorder(str(folder / f"{layers}-{batching}.db"), enable_batching=batching)
            made[f"{layers}, {name}"] = _stack(kept, tool, execute, args, gateway=layers == "all")
    made["control plane, two lists"] = _control_plane(tool, execute, args)
    return made


def _stack(recorder: Any, tool: str, execute: Callable[..., Any], args: Mapping[str, Any], *, gateway: bool) -> Loop:
    call = _kernel(recorder, tool, execute)
    guard = _gateway(tool) if gateway else None

    def loop(count: int, clock: Clock) -> int:
        begun = clock()
        for _ in range(count):
            fine = guard is None or guard.intercept_tool_call(_AGENT, tool, args)[0]
            result = call(args)
            if guard is not None:
                fine &= guard.intercept_tool_response(_AGENT, tool, result.return_value).allowed
            if not fine or not result.success:
                raise AssertionError("agent-os-kernel refused")
        return clock() - begun

    return loop


def _gateway(tool: str) -> Any:
    policy: Any = importlib.import_module("agent_os.integrations.base").GovernancePolicy
    gateway: Any = importlib.import_module("agent_os.mcp_gateway").MCPGateway
    return gateway(policy(max_tool_calls=_MANY, allowed_tools=[tool]))


def _kernel(recorder: Any, tool: str, execute: Callable[..., Any]) -> Callable[[Mapping[str, Any]], Any]:
    space: Any = importlib.import_module("agent_control_plane.kernel_space")
    engine: Any = importlib.import_module("agent_control_plane.policy_engine")
    policies = engine.PolicyEngine()
    small = engine.Condition("args.args.amount", "lte", 100.0)
    support = engine.Condition("role", "eq", "support")
    policies.add_constraint(_AGENT, [tool])
    policies.add_conditional_permission(_AGENT, engine.ConditionalPermission(tool, [small, support]))
    policies.set_agent_context(_AGENT, {"role": "support"})
    if policies.check_violation(_AGENT, tool, {"args": {"amount": 101.0}}) is None:
        raise AssertionError("agent-os-kernel lets pass what its policy forbids")
    kernel = space.create_kernel(policies, recorder)
    kernel.register_tool(tool, execute)
    agent, exec_ = kernel.create_agent_context(_AGENT), space.SyscallType.SYS_EXEC
    return lambda args: _driven(agent.syscall(exec_, tool=tool, args=args))


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
    quota = engine.ResourceQuota(_AGENT, _MANY, _MANY, max_concurrent_executions=_MANY)
    agent = plane.create_agent(_AGENT, {action: kernel.PermissionLevel.READ_WRITE}, quota)
    plane.policy_engine.state_permissions[_AGENT] = {tool}

    def loop(count: int, clock: Clock) -> int:
        begun = clock()
        for _ in range(count):
            if not plane.execute_action(agent, action, args)["success"]:
                raise AssertionError("agent-os-kernel refused")
        return clock() - begun

    return loop
