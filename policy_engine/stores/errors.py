"""What stores raise. Whoever asked a store refuses the call, whichever of these it was."""

from __future__ import annotations

from policy_engine.runtime.ports.ledger import UnreadableRows


class StoreError(Exception):
    """A store cannot be used, or did not do what it was asked. The message names files and parts, never values."""


class StoreBusy(StoreError):
    """Others used the store for longer than its patience."""


class StoreDamaged(UnreadableRows, StoreError):
    """Records that were kept are damaged or gone, and nothing is written behind them."""

    def __str__(self) -> str:
        return f"{super().__str__()}; `policy audit recover` goes on without them"
