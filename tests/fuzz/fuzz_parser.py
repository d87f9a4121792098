"""Feeds the policy parser hostile text: `python tests/fuzz/fuzz_parser.py --seconds 60 [--seed N]`.

Whatever the text, `parse_policy` answers with a file or with diagnostics: no exception, no more than five seconds. A
file without errors formats, and its formatted text means the same. Exit 1 and the culprit on a failure.
"""

from __future__ import annotations

import argparse
import random
import sys
import time
from collections.abc import Iterator
from pathlib import Path

from policy_engine.base.source import Source
from policy_engine.compiler.formatting.formatter import format_policy
from policy_engine.compiler.language.parser import parse_policy
from policy_engine.compiler.language.words import KEYWORDS
from policy_engine.diagnostics.model import Collector
from policy_engine.semantics.ast.shapes import shape_of_file

MAX_SECONDS = 5.0
DATA = Path(__file__).resolve().parents[1] / "data"
SOUP = (
    *sorted(KEYWORDS), "a", "b-c", "crm.x", "*", "@answer", "@", "(", ")", "[", "]", "{", "}", ",", ":", "=", "==", "&&",
    "||", "!", "-", "+", "/", "//", "/*", "?", ".?", ".", "..", '"', '"x"', "'y'", '"""', "r'", "b\"", "`z`", "`", "1",
    "1.5", "0", "10m", "1h30m", "0x", "1e999", "9" * 30, "\n", "\t", "\r\n", "\ufeff", "\u202e", "\0", "é", "\ud800",
)  # fmt: skip


def examples() -> list[str]:
    """The texts to truncate and to mutate."""
    return [path.read_text(encoding="utf-8") for path in sorted(DATA.rglob("*.policy"))]


def monsters() -> Iterator[str]:
    """Sizes and depths that a naive parser dies of."""
    head = "policy t\n"
    units = ("a", " ", "(", "[", "{", '"', "!", "-", "a.", "a && ", "a ? b : ", "allow ", "else ", "//", "\\", "'''", "1")
    for unit in (*units, "\u202e"):
        yield unit * (1_000_000 // len(unit))
        yield head + "deny a on x when " + unit * (1_000_000 // len(unit))
        yield head + "deny a on x when " + unit * (60_000 // len(unit))
        yield head + "deny a on x when " + unit * (60_000 // len(unit)) + " a"
    for opening, closing in ("()", "[]", "{}"):
        yield f"{head}deny a on x when {opening * 10_000}{closing * 10_000}"
        yield f"{head}deny a on x when {'a' + opening * 10_000}1{closing * 10_000}"
    yield head + "param a: " + "list(" * 10_000 + "int" + ")" * 10_000
    yield head + "validate a on @answer require true " + "else retry up to 1 times " * 2_000
    yield head + "escalate a on x " + "to q within 1m else " * 2_900 + "to q within 1m"
    yield head + "deny a on " + "x, " * 20_000 + "x"
    yield head + "deny a on x when " + " + ".join(["1"] * 15_000)
    yield head + "deny a on x when " + "a.b(" * 9_000 + ")" * 9_000
    yield head + 'deny a on x when """' + '\\"""' * 10_000
    yield head + "alow a on x\n" * 20_000
    yield head + "deny a on x when (\n" * 20_000
    yield "\0" * 1000
    yield "\ufeffpolicy t"
    yield "x" * 5_000_000


def mutations(random_: random.Random, texts: list[str]) -> Iterator[str]:
    """Endless hostile texts, mostly near to real ones."""
    while True:
        text = random_.choice(texts)
        match random_.randrange(6):
            case 0:
                yield text[: random_.randrange(len(text) + 1)]
            case 1:
                characters = list(text)
                for _ in range(random_.randrange(1, 8)):
                    at = random_.randrange(len(characters))
                    characters[at] = random_.choice(SOUP)
                yield "".join(characters)
            case 2:
                words = text.split(" ")
                for _ in range(random_.randrange(1, 6)):
                    at = random_.randrange(len(words))
                    words[at : at + random_.randrange(3)] = [random_.choice(SOUP)]
                yield " ".join(words)
            case 3:
                yield " ".join(random_.choices(SOUP, k=random_.randrange(1, 200)))
            case 4:
                yield "policy t\n" + " ".join(random_.choices(SOUP, k=random_.randrange(1, 60)))
            case _:
                yield bytes(random_.randrange(256) for _ in range(random_.randrange(2_000))).decode("utf-8", "replace")


def in_turn(some: Iterator[str], endless: Iterator[str]) -> Iterator[str]:
    """Both kinds, each for as long as the other took: on a slow machine, too, neither eats up the time."""
    for text in some:
        begun = time.monotonic()
        yield text
        taken = time.monotonic() - begun
        begun = time.monotonic()
        while time.monotonic() - begun <= taken:
            yield next(endless)
    yield from endless


def attempt(text: str) -> float:
    """Feed one text; returns the processor seconds it took. Raises `AssertionError` where a promise is broken."""
    started = time.process_time()
    collector = Collector()
    source = Source("fuzz", text)
    file = parse_policy(source, collector)
    taken = time.process_time() - started
    assert file is not None or collector.failed, "neither a file nor a diagnostic"
    assert taken <= MAX_SECONDS, f"took {taken:.1f} s"
    for diagnostic in collector.diagnostics:
        assert 0 <= diagnostic.span.start <= diagnostic.span.end <= len(text), "a span outside of the text"
        assert diagnostic.message.strip(), "an empty message"
        assert diagnostic.effect, f"nobody says what this does to decisions: {diagnostic.message}"
    if file is not None and not collector.failed and len(text) < 100_000:
        formatted = format_policy(source)
        again = Collector()
        reread = parse_policy(Source("formatted", formatted), again)
        assert reread is not None and not again.failed, f"formatted text does not parse:\n{formatted}"
        assert shape_of_file(reread) == shape_of_file(file), "formatting changed the meaning"
        assert format_policy(Source("formatted", formatted)) == formatted, "formatting twice changes again"
    return taken


def main() -> int:
    """Run for the given time."""
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--seconds", type=float, default=60.0)
    arguments.add_argument("--seed", type=int, default=0)
    options = arguments.parse_args()
    seed = options.seed or time.time_ns() % 1_000_000
    end = time.monotonic() + options.seconds
    count, slowest = 0, 0.0
    for text in in_turn(monsters(), mutations(random.Random(seed), examples())):
        if time.monotonic() > end:
            break
        try:
            slowest = max(slowest, attempt(text))
        except Exception as problem:
            print(f"seed {seed}: {type(problem).__name__}: {str(problem)[:1500]}\n{text[:1500]!r}", file=sys.stderr)
            return 1
        count += 1
    print(f"seed {seed}: {count:,} texts, the slowest took {slowest:.2f} s, nothing found")
    return 0


if __name__ == "__main__":
    sys.exit(main())
