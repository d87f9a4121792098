"""Counting in bounded memory: exact for the names that stay, whatever the order."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, strategies as st

from policy_engine.audit.metrics.counting import OTHER, Tally
from policy_engine.audit.metrics.distribution import EXACT_UP_TO, RELATIVE_ERROR, Distribution

NAMES = st.lists(st.text(max_size=3), max_size=60)


def _tally(names: list[str], most: int = 5) -> Tally:
    tally = Tally(most)
    for name in names:
        tally.add(name)
    return tally


@given(NAMES)
def test_names_that_stay_have_their_exact_counts(names: list[str]) -> None:
    """However many names come, each that is told is told with its own count, and none is lost."""
    told = _tally(names).result()
    other = told.pop(OTHER, 0)
    counts = Counter(names)
    assert len(told) == min(5, len(counts))
    assert all(counts[name] == count for name, count in told.items())
    assert sum(told.values()) + other == len(names)


@given(NAMES, st.data())
def test_the_order_of_names_and_of_merging_does_not_matter(names: list[str], data: st.DataObject) -> None:
    """Parts of a shuffled list, merged in any order, say what the whole says."""
    shuffled = data.draw(st.permutations(names))
    cut = data.draw(st.integers(0, len(names)))
    parts = [_tally(shuffled[:cut]), _tally(shuffled[cut:])]
    for order in (parts, parts[::-1]):
        merged = Tally(5)
        for part in order:
            merged.merge(part)
        assert merged.result() == _tally(names).result()


VALUES = st.lists(st.integers(0, 2**40), min_size=1, max_size=50)


def _spread(values: list[int]) -> Distribution:
    spread = Distribution()
    for value in values:
        spread.add(value)
    return spread


@given(VALUES, st.sampled_from([50, 90, 99]))
def test_percentiles_of_few_values_are_values_that_came(values: list[int], percent: int) -> None:
    """The smallest value with at least so many per cent at or below it."""
    found = _spread(values).percentile(percent)
    assert found is not None
    assert sum(value <= found for value in values) * 100 >= percent * len(values)
    assert all(sum(v <= value for v in values) * 100 < percent * len(values) for value in values if value < found)


@given(VALUES, st.sampled_from([50, 90, 99]))
def test_percentiles_of_many_values_are_off_by_the_stated_share_at_most(values: list[int], percent: int) -> None:
    """Beyond a thousand values the answer is within 1/128 of the exact one."""
    many = values * (EXACT_UP_TO // len(values) + 1)
    spread = _spread(many)
    exact = sorted(many)[max(1, -(-len(many) * percent // 100)) - 1]
    found = spread.percentile(percent)
    assert found is not None and not spread.exact
    assert abs(found - exact) <= exact * RELATIVE_ERROR


@given(st.lists(VALUES, min_size=2, max_size=4), st.integers(1, 40), st.data())
def test_the_order_of_merging_spreads_does_not_matter(parts: list[list[int]], times: int, data: st.DataObject) -> None:
    """Whether parts are exact or folded, the merged spread is that of all values."""
    parts = [part * times for part in parts]
    merged = Distribution()
    for part in data.draw(st.permutations(parts)):
        merged.merge(_spread(part))
    assert merged.result() == _spread([value for part in parts for value in part]).result()


def test_an_empty_spread_says_nothing() -> None:
    """No values, no percentiles."""
    assert Distribution().result()["p99"] is None
    assert Distribution().shape(4) == [0, 0, 0, 0]


@pytest.mark.parametrize("value", [-5, 2**80])
def test_values_out_of_all_bounds_are_counted_at_the_bound(value: int) -> None:
    """A clock that went back, or a broken export, does not stop the counting."""
    spread = _spread([value])
    assert spread.count == 1
    assert spread.least is not None and 0 <= spread.least < 2**63
