"""The table of benchmarks reads what its parts print: names, ratios, bars, wrong decisions."""

from __future__ import annotations

import pytest

from tests.benchmarks.table import OTHERS, PARTS, ROOT, Finished, Part, Records, beyond, failures, ratios

NANOSECONDS = "said of an identifier, seen            5150.53 ns       bar 2000   BEYOND THE BAR"
RATIO = "  the same, after 5,000 results to after 10     1.43 x        bar 1.3   BEYOND THE BAR"
KILOBYTES = "equality        10 rules    433 ns (A/A 0.64)   ratio   1.49 (bar 4)    3.2 kB a rule   wrong 0   BEYOND ITS BAR"


def ended(output: str, code: int = 1) -> Finished:
    return Finished(Part("some", "Some"), output, code, 1.0)


def test_an_indented_line_is_named_after_the_one_above() -> None:
    """Ratios by the words before the first figure."""
    one = ended(f"{NANOSECONDS}\n{RATIO}\nn=10     ours                 314 ns (hand    272)  ratio 1.16  wrong 0")
    name = "some: said of an identifier, seen, the same, after 5,000 results to after 10"
    assert ratios(one) == {name: 1.43, "some: n=10 ours": 1.16}
    assert ratios(ended("n=10     hand again (A/A)     273 ns (hand    272)  ratio 0.99")) == {}


@pytest.mark.parametrize(("line", "small", "full"), [(NANOSECONDS, 0, 1), (RATIO.strip(), 1, 1), (KILOBYTES, 0, 1)])
def test_only_ratios_count_where_the_machine_is_busy(line: str, small: int, full: int) -> None:
    """Times and bytes beyond a bar fail with `--all` alone."""
    assert (len(failures(ended(line), False)), len(failures(ended(line), True))) == (small, full)


def test_a_wrong_decision_fails_everywhere() -> None:
    """Whatever the ratio says."""
    assert beyond(ended("n=10     ours       314 ns  ratio 1.16  wrong 2"))


def test_a_part_that_breaks_is_a_failure_and_a_skipped_one_is_not() -> None:
    """1 without a line that says why, or a signal; 2 is «not here»."""
    assert failures(ended("Traceback", 1), False) and failures(ended("", -9), True)
    assert not failures(ended("skipped", 2), True)


def test_drift_is_told_from_noise() -> None:
    """1.15 times the recorded ratio is named."""
    records = Records({"a": 1.0, "b": 1.0}, ())
    assert [drift.partition(":")[0] for drift in records.drifts({"a": 1.14, "b": 1.2, "c": 9.0})] == ["b"]


def test_no_benchmark_is_forgotten() -> None:
    """Each module of the folder is a part of the table or named as something else."""
    found = {path.stem for path in (ROOT / "tests" / "benchmarks").glob("*.py")}
    assert found <= {part.module for part in PARTS} | set(OTHERS)
