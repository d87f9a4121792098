"""Numbers of different types side by side. Called by equality and ordering, which must agree with each other."""

from __future__ import annotations

from typing import Any


def common(left: Any, right: Any) -> tuple[Any, Any]:
    """The two numbers as they are compared: exactly, but an integer beside a double becomes the nearest double first.

    cel-go and cel-cpp do so, and the conformance suite demands it (`dyn(9223372036854775807) < 9223372036854775808.0`
    is false). It shows only from 2**53 on: below that each integer is a double. Keys of maps are found exactly.
    """
    if type(left) is float:
        return left, float(right)
    if type(right) is float:
        return float(left), right
    return left, right
