"""What the user said: texts of their own words, each with the number of the entry that brought it. Called by `words`."""

from __future__ import annotations

from typing import Any

from policy_engine.base.values import Optional, Timestamp
from policy_engine.runtime.trace.provenance.dates import DIGITS, Clock, Date, date_value, is_ambiguous
from policy_engine.runtime.trace.provenance.index.apart import END
from policy_engine.runtime.trace.provenance.index.lexicon import Lexicon
from policy_engine.runtime.trace.provenance.index.texts import Numbers, TextIndex
from policy_engine.runtime.trace.provenance.scan.said import exact, parts_of
from policy_engine.runtime.trace.provenance.text import is_identifier
from policy_engine.runtime.trace.provenance.tokens import Text


class Said:
    """The user's own words. Every question takes the length of the log that it is asked about."""

    def __init__(self, lexicon: Lexicon) -> None:
        self._lexicon = lexicon
        self._texts = TextIndex(lexicon)
        self._since: list[int] = []
        self._first: dict[str, int] = {}
        self._own: dict[int, Text] = {}

    def add(self, text: str, number: int) -> None:
        """The user said this, with entry `number`, which is never lower than the one before."""
        if text not in self._texts.known:
            self._texts.add([text])
            self._since.append(number)
            for word in self._lexicon.words_of(text.split()):
                self._first.setdefault(word, number)
                self._first.setdefault(word.removesuffix(END) if word[-1] == END else word + END, number)

    def holds(self, value: Any, length: int) -> bool:
        """Whether the words contain the value, or all that is in it."""
        if isinstance(value, str):
            return not value or self._holds_text(value, length)
        if isinstance(value, Optional):
            return not value.present or self.holds(value.value, length)
        if isinstance(value, list):
            return all(self.holds(item, length) for item in value)
        if isinstance(value, dict):
            return all(self.holds(key, length) and self.holds(item, length) for key, item in value.items())
        return value is None or self.mentions(value, length)

    def mentions(self, value: Any, length: int) -> bool:
        """Whether they contain a single value that is no text."""
        texts = self._texts
        if isinstance(value, bool):
            return self._any(texts.with_word("true" if value else "false"), length)
        if isinstance(value, (int, float)):
            number = exact(value)
            return number is not None and self._any(texts.with_number(number), length)
        return isinstance(value, Timestamp) and self._names(*parts_of(value), length)

    def words_among(self, text: str, length: int) -> list[bool]:
        """For each word of a text, whether it is one of them."""
        first = self._first.get
        return [first(word, length) < length for word in self._lexicon.words_of(text.split())]

    def _holds_text(self, value: str, length: int) -> bool:
        texts = self._texts
        numbers = texts.with_plain_identifier(value)
        if numbers is None:
            bare = value.strip()
            if bare[:1] in DIGITS:
                if is_ambiguous(bare):
                    return False
                moment = date_value(value)
                if moment is not None:
                    return self._names(*moment, length)
            numbers = texts.with_identifier(bare) if is_identifier(bare) else texts.with_words(value)
        return self._any(numbers, length)

    def _any(self, numbers: Numbers, length: int) -> bool:
        """Whether one of these texts had been said: they are numbered as they came, so the first of them tells."""
        if isinstance(numbers, int):
            return self._since[numbers] < length
        return bool(numbers) and self._since[numbers[0]] < length

    def _names(self, day: Date, clock: Clock | None, length: int) -> bool:
        for number in self._texts.with_day(day, exactly=False):
            if self._since[number] < length:
                clocks = self._text(number).clocks
                if clock is None or not clocks or any(named.admits(clock) for named in clocks):
                    return True
        return False

    def _text(self, number: int) -> Text:
        return self._own.setdefault(number, Text(self._texts.texts[number]))
