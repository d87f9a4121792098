"""What stores raise. Whoever asked a store refuses the call, whichever of these it was."""

from __future__ import annotations


class StoreError(Exception):
    """A store cannot be used, or did not do what it was asked. The message names files and parts, never values."""


class StoreBusy(StoreError):
    """Others used the store for longer than its patience."""
