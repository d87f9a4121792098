"""Amounts added and taken off without a trace: sums that do not drift, whatever the order.

A double stands for the number that people write for it: `0.1` is a tenth, so that ten of them reach 1.0 and do not pass it
(the double itself is a little more than a tenth). Whole numbers stay integers, all others are decimals.
"""

from __future__ import annotations

from decimal import Clamped, Context, Decimal, DivisionByZero, Inexact, InvalidOperation, Overflow, Rounded
from functools import lru_cache
from math import inf
from typing import Final, TypeAlias

Exact: TypeAlias = int | Decimal
_DIGITS: Final = 800
"""More than a sum of doubles can have between 1e308 and 1e-324, so that nothing is ever rounded."""
_TRAPS: Final = [Inexact, Rounded, Overflow, InvalidOperation, DivisionByZero, Clamped]
_REMEMBERED: Final = 4096
_CONTEXT: Final = Context(prec=_DIGITS, traps=_TRAPS)


@lru_cache(maxsize=_REMEMBERED)
def exact(amount: float) -> Exact:
    """The number that was written; raises `ValueError` for what cannot be counted: a negative, infinite or no number."""
    if not 0 <= amount < inf:
        raise ValueError("an amount is a number from 0 on")
    whole = int(amount)
    return whole if whole == amount else Decimal(repr(float(amount)))


@lru_cache(maxsize=_REMEMBERED)
def exact_bound(bound: float) -> Exact | float:
    """The bound that was written; any number, infinite too. Raises `ValueError` for no number."""
    if bound != bound:
        raise ValueError("a bound is a number")
    if bound in (inf, -inf):
        return float(bound)
    whole = int(bound)
    return whole if whole == bound else Decimal(repr(float(bound)))


def plus(first: Exact, second: Exact) -> Exact:
    """The sum."""
    if type(first) is int and type(second) is int:
        return first + second
    return _CONTEXT.add(first, second)


def minus(first: Exact, second: Exact) -> Exact:
    """The difference."""
    if type(first) is int and type(second) is int:
        return first - second
    return _CONTEXT.subtract(first, second)


