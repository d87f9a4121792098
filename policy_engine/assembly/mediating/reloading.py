"""Another version of the policy takes over: calls that have begun end under theirs, pending questions stay where their rules
are the same, and a version that does not load leaves the old one in force and says so.
"""

from __future__ import annotations

from collections.abc import Callable

from policy_engine.assembly.mediating.provisioning import provisioned
from policy_engine.base.records import ReloadBody
from policy_engine.diagnostics.model import PolicyError
from policy_engine.runtime.engine import Policy
from policy_engine.runtime.mediation.world import World
from policy_engine.runtime.ports.audit import Record


def reload(world: World, loaded: Callable[[], Policy]) -> Policy:
    """Put what `loaded` returns in force for calls that begin from now on. Returns it.

    Raises `PolicyError` or `OSError` for one that does not load, and what the log raises where it cannot be recorded: then
    the old one stays in force.
    """
    before = world.policy
    try:
        policy = loaded()
    except (PolicyError, OSError) as fault:
        problem = str(fault).strip().partition("\n")[0]
        _write(world, {"before": before.digest, "after": None, "problem": f"{type(fault).__name__}: {problem}"})
        raise
    provisioned(world, policy)
    _write(world, {"before": before.digest, "after": policy.digest, "problem": None})
    world.policy = policy
    return policy


def _write(world: World, body: ReloadBody) -> None:
    world.log.append(Record("reload", world.clocks.now(), "", None, body))
