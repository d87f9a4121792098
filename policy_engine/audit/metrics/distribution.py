"""How values are spread: percentiles that are exact up to a number of values, and beyond it wrong by at most a stated share.

Beyond `EXACT_UP_TO` values are kept in a histogram whose buckets grow with the value: each power of two is cut into 64 equal
parts. A percentile is then the middle of its bucket, which is at most 1/128 (0.8 %) off; numbers below 128 stay exact. The
bucket of a value depends on nothing but the value, so that the order of values and of merging never matters.
"""

from __future__ import annotations

from collections import Counter
from typing import Any, Final

EXACT_UP_TO: Final = 1_000
"""So many values are kept as they are."""
RELATIVE_ERROR: Final = 1 / 128
"""How far a percentile of more values may be off, as a share of it."""
PERCENTILES: Final = (50, 90, 99)
_KEPT_BITS: Final = 7
_LARGEST: Final = 2**63 - 1


class Distribution:
    """Whole numbers, not negative: nanoseconds, counts, millionths."""

    def __init__(self) -> None:
        self.count = 0
        self.sum = 0
        self.least: int | None = None
        self.most: int | None = None
        self._values: list[int] = []
        self._buckets: Counter[int] | None = None

    def add(self, value: int) -> None:
        """Count a value; below zero counts as zero, as where a clock went back."""
        value = min(max(value, 0), _LARGEST)
        self.count += 1
        self.sum += value
        self.least = value if self.least is None else min(self.least, value)
        self.most = value if self.most is None else max(self.most, value)
        if self._buckets is not None:
            self._buckets[_bucket(value)] += 1
            return
        self._values.append(value)
        if self.count > EXACT_UP_TO:
            self._fold()

    def merge(self, other: Distribution) -> None:
        """Count the values of another."""
        if other.least is None or other.most is None:
            return
        self.count += other.count
        self.sum += other.sum
        self.least = other.least if self.least is None else min(self.least, other.least)
        self.most = other.most if self.most is None else max(self.most, other.most)
        self._values += other._values
        if other._buckets is not None or self._buckets is not None or self.count > EXACT_UP_TO:
            self._fold()
            if other._buckets is not None and self._buckets is not None:
                self._buckets.update(other._buckets)

    def _fold(self) -> None:
        buckets = self._buckets if self._buckets is not None else Counter()
        buckets.update(map(_bucket, self._values))
        self._buckets, self._values = buckets, []

    @property
    def exact(self) -> bool:
        """Whether percentiles are values that came."""
        return self._buckets is None

    def percentile(self, percent: int) -> int | None:
        """The smallest value with at least so many per cent of all values at or below it; None without values."""
        if self.least is None or self.most is None:
            return None
        rank = max(1, -(-self.count * percent // 100))
        if self._buckets is None:
            return sorted(self._values)[rank - 1]
        for bucket in sorted(self._buckets):
            rank -= self._buckets[bucket]
            if rank <= 0:
                return min(max(_middle(bucket), self.least), self.most)
        return self.most

    def result(self) -> dict[str, Any]:
        """Count, sum, mean, extremes and percentiles, in the unit of the values."""
        return {
            "count": self.count, "sum": self.sum, "mean": self.sum / self.count if self.count else None,
            "min": self.least, "max": self.most, "exact": self.exact,
            **{f"p{percent}": self.percentile(percent) for percent in PERCENTILES},
        }  # fmt: skip

    def shape(self, columns: int) -> list[int]:
        """How many values fall into each of so many equal parts between the least and the most, for a picture of it."""
        heights = [0] * columns
        if self.least is None or self.most is None:
            return heights
        width = (self.most - self.least) or 1
        known = Counter(self._values) if self._buckets is None else {_middle(key): n for key, n in self._buckets.items()}
        for value, times in known.items():
            place = (min(max(value, self.least), self.most) - self.least) * columns // (width + 1)
            heights[min(place, columns - 1)] += times
        return heights


def _bucket(value: int) -> int:
    """Number of the bucket of a value; larger values have larger numbers."""
    shift = max(0, value.bit_length() - _KEPT_BITS)
    return (shift << _KEPT_BITS) + (value >> shift)


def _middle(bucket: int) -> int:
    shift, kept = bucket >> _KEPT_BITS, bucket & ((1 << _KEPT_BITS) - 1)
    return (kept << shift) + ((1 << shift) >> 1)
