"""Checkpoints: signed statements of how far a log had come. They stand in the chain, and may be taken to a witness outside.

A statement is `{"log", "sequence", "digest", "at", "key", "signature"}`: this log's record `sequence` had this digest at this
moment (nanoseconds). Whoever holds one notices when the log has later become shorter, or another.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from policy_engine.audit.chain import genesis
from policy_engine.audit.encoding import canonical
from policy_engine.audit.signing import Signer, Verifier
from policy_engine.runtime.ports.ledger import Head

SIGNED: Final = ("log", "sequence", "digest", "at", "key")


def statement(log: str, head: Head, at: int, signer: Signer) -> dict[str, Any]:
    """What is signed, with its signature."""
    said = {"log": log, "sequence": head.sequence, "digest": head.digest or genesis(log), "at": at, "key": signer.key}
    return {**said, "signature": signer.sign(_message(said)).hex()}


def _message(said: Mapping[str, Any]) -> bytes:
    return b"policy-engine audit checkpoint " + canonical({name: said[name] for name in SIGNED})


def problem(said: Mapping[str, Any], verifier: Verifier) -> str | None:
    """What is wrong with a statement, whatever the log is; None = nothing."""
    try:
        if said["key"] != verifier.key:
            return "was signed with another key"
        return None if verifier.holds(bytes.fromhex(said["signature"]), _message(said)) else "has a signature that does not hold"
    except (LookupError, TypeError, ValueError):
        return "is no checkpoint"
