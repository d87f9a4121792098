"""Where the files that come with the engine are: inside the wheel under `_data`, in a checkout at its root."""

from __future__ import annotations

from pathlib import Path

_PACKAGE = Path(__file__).resolve().parent


def resource(relative: str) -> Path:
    """The path of a shipped file or folder such as `grammar/cel.lark`; raises `FileNotFoundError` if it is not there."""
    for root in (_PACKAGE / "_data", _PACKAGE.parent):
        candidate = root / relative
        if candidate.exists():
            return candidate
    raise FileNotFoundError(f"{relative} is missing from this installation of policy-engine; install it again")
