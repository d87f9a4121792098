"""The version of the engine, as it enters a policy's digest: another engine may decide otherwise."""

from __future__ import annotations

from typing import Final

ENGINE_VERSION: Final = "0.1.0"
