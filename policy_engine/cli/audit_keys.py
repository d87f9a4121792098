"""Keys, witnesses and moments as the commands of `policy audit` take them."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any

import typer

from policy_engine.audit.signing import KEY_VARIABLE, KeyFault, Signer, Verifier, signer_in, signer_of, verifier_from
from policy_engine.cli.exits import stop

KeyOption = Annotated[
    Path | None, typer.Option("--key", help=f"The file of the private key that signs; else {KEY_VARIABLE} names it.")
]


def signer(path: Path | None) -> Signer | None:
    """The signer of a file, else of the environment; None where neither names one. Ends the command for a key of no use."""
    try:
        return signer_in(os.environ) if path is None else signer_of(str(path))
    except KeyFault as fault:
        stop(str(fault))


def verifier(path: Path | None) -> Verifier | None:
    """The verifier of a file with a public key."""
    if path is None:
        return None
    try:
        return verifier_from(path.read_bytes())
    except KeyFault as fault:
        stop(f"{path}: {fault}")
    except OSError as fault:
        stop(f"{path} cannot be read: {fault.strerror}")


def witnessed(path: Path | None) -> list[dict[str, Any]]:
    """The statements of a witness' file, one a line."""
    if path is None:
        return []
    try:
        found = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines() if line.strip()]
    except OSError as fault:
        stop(f"{path} cannot be read: {fault.strerror}")
    except ValueError:
        found = [None]
    if not found or not all(isinstance(one, dict) for one in found):
        stop(f"{path} holds no checkpoints", suggestion="policy audit checkpoint state.db --export witness.jsonl")
    return found


def moment(option: str, text: str) -> int:
    """Nanoseconds of a date or moment such as 2026-05-01 or 2026-05-01T08:00Z; without a zone it is UTC."""
    try:
        found = datetime.fromisoformat(text)
    except ValueError:
        stop(f"`{option} {text}` is no date", suggestion=f"{option} 2026-05-01, or {option} 2026-05-01T08:00Z")
    aware = found if found.tzinfo is not None else found.replace(tzinfo=UTC)
    return int(aware.timestamp()) * 1_000_000_000 + aware.microsecond * 1000
