"""Puts a policy's sources into the audit before it decides anything, so that its decisions can be made again."""

from __future__ import annotations

from policy_engine.runtime.engine import Policy
from policy_engine.runtime.mediation.world import World


def provisioned(world: World, policy: Policy) -> None:
    """Keep what the policy is made of, once for each digest. Raises what the log raises: then it decides nothing."""
    if policy.digest in world.kept:
        return
    provision = policy.provision()
    world.log.keep_policy(policy.digest, provision.sources, provision.about)
    world.kept.add(policy.digest)
