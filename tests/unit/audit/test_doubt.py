"""The quick look before masking never overlooks what masking would find."""

from __future__ import annotations

from typing import Any

from hypothesis import given, strategies as st

from policy_engine.audit.masking import doubtful, masked

_TEXTS = st.sampled_from((
    "", "a", "order 7", "ada@example.com", '{"password": "x"}', '[{"token": 1}]', " {not json", "AKIA" + "IOSFODNN7EXAMPLE",
    "password = hunter2!", "sk-proj-" + "a1" * 12, "half \ud83d",
)) | st.text(max_size=30)  # fmt: skip
_NAMES = ("id", "password", "apiKey", "X-Auth-Token", "pin", "spin", "AKIA" + "IOSFODNN7EXAMPLE")
_KEYS = st.sampled_from(_NAMES) | st.text(max_size=8)
_DATA = st.recursive(
    st.none() | st.booleans() | st.integers() | _TEXTS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(_KEYS, inner, max_size=4),
    max_leaves=12,
)


@given(_DATA)
def test_what_raises_no_doubt_holds_nothing_to_mask(data: Any) -> None:
    """Either the quick look has doubts, or masking would leave the data as it is."""
    assert doubtful(data) or masked(data) == (data, [])


def test_plain_arguments_raise_no_doubt() -> None:
    """Ordinary arguments are not walked a second time."""
    assert not doubtful({"order": "order 7", "amount": 5.0, "to": ["ada@example.com"]})
