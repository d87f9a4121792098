"""A short run of `tests/fuzz/fuzz_parser.py`; the long one runs in CI for a minute."""

from __future__ import annotations

import importlib.util
import itertools
import random
from pathlib import Path
from types import ModuleType

import pytest

FUZZ = Path(__file__).resolve().parents[2] / "fuzz/fuzz_parser.py"


def _module() -> ModuleType:
    spec = importlib.util.spec_from_file_location("fuzz_parser", FUZZ)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


fuzz = _module()


@pytest.mark.parametrize("seed", range(4))
def test_mutated_policies_get_an_answer(seed: int) -> None:
    """Truncated, mutated and random text gives a file or diagnostics; a file without errors formats faithfully."""
    for text in itertools.islice(fuzz.mutations(random.Random(seed), fuzz.examples()), 40):
        fuzz.attempt(text)


@pytest.mark.parametrize(
    "text",
    [
        "policy t\ndeny a on x when " + "(" * 10_000 + ")" * 10_000,
        "policy t\ndeny a on x when " + "!" * 60_000 + "a",
        "policy t\ndeny a on x when " + "a ? b : " * 7_000 + "a",
        "policy t\nparam a: " + "list(" * 10_000,
        "policy t\nvalidate a on @answer require true " + "else retry up to 1 times " * 2_000,
        'policy t\ndeny a on x when """' + '\\"""' * 10_000,
        "a" * 1_000_000,
        '"' * 1_000_000,
        "alow a on x\n" * 20_000,
        "\0\u202e" * 5_000,
        "x" * 5_000_000,
    ],
    ids=["brackets", "nots", "conditionals", "types", "elses", "quotes", "word", "empty texts", "faults", "hidden", "size"],
)
def test_monsters_get_an_answer(text: str) -> None:
    """Sizes and depths beyond reason are refused within seconds, never with an exception."""
    fuzz.attempt(text)
