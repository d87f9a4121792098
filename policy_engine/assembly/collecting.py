"""Python's cyclic garbage collector, left aside while a policy is compiled.

A compilation makes hundreds of thousands of objects that all stay or go with it; the collector would look through them
again and again, a third of the time, and find nothing.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def uncollected() -> Iterator[None]:
    """No collection inside. Whoever had switched it off finds it off afterwards; threads that meet here leave it on."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
