"""agent-os-kernel's full stack around an empty tool, for `mediate.py`; nothing where it is not installed.

`AgentControlPlane.execute_action` does: its validators (none here), the permission of the agent, its policies (those that
it comes with), a score of risk, its rate limits and custom rules (the same policies again), execution, and lists of what it
did. Its FlightRecorder, SQLite with a hash chain, is written by the gate before a tool (`intercept_tool_execution`), which
also asks whether the agent may use the tool at all; so the rows with a recorder pass that gate first. Quotas are so high
that nothing is refused.
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


def control_planes(folder: Path, tool: str, args: Mapping[str, Any]) -> dict[str, Loop]:
    """Loops of calls by name: `as it comes`, with a recorder that holds back, with one that writes each at once."""
    try:
        recorder: Any = importlib.import_module("agent_control_plane.flight_recorder").FlightRecorder
    except ImportError:
        return {}
    logging.getLogger("AgentKernel").setLevel(logging.ERROR)
    logging.getLogger("FlightRecorder").setLevel(logging.ERROR)
    return {
        "as it comes": _loop(None, tool, args),
        "recorder, held back": _loop(recorder(str(folder / "held.db")), tool, args),
        "recorder, each written": _loop(recorder(str(folder / "each.db"), enable_batching=False), tool, args),
    }


def _loop(recorder: Any, tool: str, args: Mapping[str, Any]) -> Loop:
    control: Any = importlib.import_module("agent_control_plane")
    kernel: Any = importlib.import_module("agent_control_plane.agent_kernel")
    engine: Any = importlib.import_module("agent_control_plane.policy_engine")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its own policies are samples, it says
        plane = control.AgentControlPlane()
    action = kernel.ActionType.API_CALL
    plane.execution_engine.register_executor(action, lambda parameters, context: None)
    quota = engine.ResourceQuota("a", _MANY, _MANY, max_concurrent_executions=_MANY)
    agent = plane.create_agent("a", {action: kernel.PermissionLevel.READ_WRITE}, quota)
    plane.policy_engine.state_permissions["a"] = {tool}
    plane.kernel.audit_logger = recorder

    def loop(count: int, clock: Clock) -> int:
        begun = clock()
        for _ in range(count):
            if recorder is not None and plane.kernel.intercept_tool_execution("a", tool, args) is not None:
                raise AssertionError("agent-os-kernel refused")
            if not plane.execute_action(agent, action, args)["success"]:
                raise AssertionError("agent-os-kernel refused")
        return clock() - begun

    return loop
