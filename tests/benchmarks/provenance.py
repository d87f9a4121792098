"""Where values come from, at speed: `python -m tests.benchmarks.provenance`. Exits 1 beyond the bars of each line.

Look-ups after ten and after thousands of results are taken in turn in one run, so that the ratio holds although the
machine changes its speed, and in time of the processor, which neighbours do not take; texts are prose with addresses,
amounts and dates in it, and JSON records. What identifiers cost of which each is another one is told without a bar: the
first look-up of one writes its path and asks for the arguments of its call, and memory is cold.
"""

from __future__ import annotations

import json
import random
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from policy_engine.base.values import Timestamp
from policy_engine.runtime.trace.run import Run
from policy_engine.runtime.trace.view import RunView

IDENTIFIER_NANOS, TEXT_NANOS_PER_BYTE, INDEX_NANOS_PER_BYTE, GROWTH = 2_000.0, 60.0, 250.0, 1.3
SIZES = (10_000, 100_000, 1_000_000)
FEW, MANY = 10, 5_000
_RANDOM = random.Random(7)
_SYLLABLES = ("ba", "ri", "to", "men", "sal", "ve", "no", "kur", "pe", "li", "das", "fo", "gen", "tam", "u")
_VOCABULARY = ["".join(_RANDOM.choices(_SYLLABLES, k=_RANDOM.randint(1, 4))) for _ in range(8_000)]
_MONTHS = ("January", "March", "May", "October")


def prose(size: int) -> str:
    """Text of about so many bytes: words as often as in a language, some of them addresses, amounts, dates."""
    words: list[str] = []
    length = 0
    while length < size:
        draw = _RANDOM.random()
        if draw < 0.02:
            word = f"{_RANDOM.choice(_VOCABULARY)}{_RANDOM.randrange(1000)}@example.com"
        elif draw < 0.04:
            word = f"{_RANDOM.randrange(1, 99)},{_RANDOM.randrange(100, 999)}.00"
        elif draw < 0.045:
            word = f"{_RANDOM.choice(_MONTHS)} {_RANDOM.randrange(1, 28)}, 2024"
        else:
            word = _VOCABULARY[int(8_000 * _RANDOM.random() ** 3)] + ("." if draw > 0.95 else "")
        words.append(word)
        length += len(word) + 1
    return " ".join(words)


def records(size: int) -> str:
    """JSON text of about so many bytes."""
    rows = [
        {"id": f"TX{_RANDOM.randrange(10**9)}", "amount": _RANDOM.randrange(10**6) / 100, "subject": prose(40)}
        for _ in range(size // 100)
    ]
    return json.dumps(rows)


def begun() -> Run:
    """A run in which every word was asked, so that results are noted as they come, for all of them."""
    run = Run(clock=lambda: Timestamp(0), input="pay the invoice of Bob, 1,200 EUR, by May 15th")
    for word in ("said", "origins", "labels", "pointed", "coverage", "carried"):
        _asked(word, "the invoice of Bob", run.snapshot())
    return run


def nanos(action: Callable[[], Any], times: int) -> float:
    """Nanoseconds of one call, on average."""
    began = time.thread_time_ns()
    for _ in range(times):
        action()
    return (time.thread_time_ns() - began) / times


def report(what: str, value: float, bar: float, unit: str) -> bool:
    """One line; whether the value is within its bar."""
    fine = value <= bar
    print(f"{what:58} {value:9.2f} {unit:8} bar {bar:g}{'' if fine else '   BEYOND THE BAR'}", flush=True)
    return fine


def indexing() -> bool:
    """Building: from `put_call` to everything noted."""
    fine = True
    for size in SIZES:
        for name, make in (("prose", prose), ("json", records)):
            taken = []
            for _ in range(max(3, 150_000 // size)):
                run, text = begun(), make(size)
                began = time.thread_time_ns()
                run.put_call("t", {}, "returned", result=text, labels=[("untrusted", "result", True)])
                taken.append((time.thread_time_ns() - began) / len(text.encode()))
            fine &= report(f"index, {name} of {size:,} bytes", statistics.median(taken), INDEX_NANOS_PER_BYTE, "ns/byte")
    return fine


def long_run(results: int) -> RunView:
    """A run with that many results, labels among them; the later half is not like the earlier."""
    run = begun()
    for number in range(results):
        label = [("untrusted", "result", True)] if number % 3 == 0 else []
        row = {"id": f"TX{number}", "text": prose(200), "kind": "invoice"}
        run.put_call("t", {"page": f"p{number}"}, "returned", result=row, labels=label)
    return run.snapshot()


def compared(what: str, ask: Callable[[RunView], Any], views: tuple[RunView, RunView], bar: float, per: int = 1) -> bool:
    """Ask both views in turn; the longer one must be within the bar, and not much slower than the shorter."""
    times = max(3, 20_000 // per)
    taken: tuple[list[float], list[float]] = ([], [])
    for _ in range(15):
        for view, into in zip(views, taken, strict=True):
            into.append(nanos(lambda view=view: ask(view), times) / per)  # type: ignore[misc]
    ratio = statistics.median(late / early for early, late in zip(*taken, strict=True))
    fine = report(what, statistics.median(taken[1]), bar, "ns" if per == 1 else "ns/byte")
    return report(f"  the same, after {MANY:,} results to after {FEW}", ratio, GROWTH if per == 1 else 2.0, "x") and fine


def of_many(view: RunView) -> None:
    """Thousands of identifiers that were seen, one after another, the first time and again: told, not judged."""
    values = [f"TX{number}" for number in range(MANY)]
    random.Random(3).shuffle(values)
    for word in ("said", "origins", "labels", "pointed", "carried"):
        first, *again = (nanos(partial(_each, getattr(view, word), values), 1) / MANY for _ in range(6))
        what = f"{word} of {MANY:,} identifiers, the first time and again"
        print(f"{what:58} {first:9.2f} ns {statistics.median(again):9.2f} ns", flush=True)


def _each(ask: Callable[[Any], Any], values: list[str]) -> None:
    for value in values:
        ask(value)


def _asked(word: str, value: Any, view: Any) -> Any:
    """One word of provenance about one value."""
    return getattr(view, word)(value)


def looking_up() -> bool:
    """Identifiers and texts, seen and not seen."""
    views = long_run(FEW), long_run(MANY)
    fine = True
    for name, value in (("seen", "TX5"), ("unseen", "TX-none-7")):
        for word in ("said", "origins", "labels", "pointed", "carried"):
            asked = partial(_asked, word, value)
            fine &= compared(f"{word} of an identifier, {name}", asked, views, IDENTIFIER_NANOS)
    of_many(views[1])
    own = " ".join(_RANDOM.choices(_VOCABULARY, k=400))
    copied = prose(2_000)
    for name, value in (("of the model's own", own), ("of the same words", copied), ("of the same words, long", prose(50_000))):
        size = len(value.encode())
        for word in ("said", "origins", "labels", "coverage"):
            if word == "coverage" and size > 10_000:
                continue
            fine &= compared(
                f"{word} of text {name}", lambda v, w=word, x=value: getattr(v, w)(x), views, TEXT_NANOS_PER_BYTE, size  # type: ignore[misc]
            )  # fmt: skip
    return fine


def main() -> int:
    """Measure and compare with the bars."""
    fine = indexing()
    return 0 if looking_up() and fine else 1


if __name__ == "__main__":
    sys.exit(main())
