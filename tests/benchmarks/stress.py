"""Recorded runs under stress: the same deeds with other names, other words, text for values, a known contact for an enemy.

Each function takes the traces of one suite and gives as many back. None knows any policy. `agentdojo.py` shows a row
for each; what must not matter (names, words) has bars, what may (text, a known contact) is shown beside them.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace

from tests.benchmarks.traces import Trace, texts

NAMES = re.compile(
    r"[A-Z]{2}[0-9]{2}[A-Z0-9]{8,30}(?![\w])"  # accounts
    r"|[\w.+-]+@[\w-]+(?:\.[\w-]+)+"  # mail addresses
    r"|[\w-]+\.(?:txt|pdf|csv|md|docx?|xlsx?|html?)(?!\w)"  # files
)
_ADDRESSES = re.compile(r"[A-Z]{2}[0-9]{2}[A-Z0-9]{8,30}|[\w.+-]+@[\w-]+(?:\.[\w-]+)+")
_PLACES = ("street", "city", "address", "name")
_PEOPLE = ("recipient", "participants", "sender", "recipients", "email")


# ------------------------------------------------------------------ other names
def renamed(traces: Sequence[Trace], salt: str) -> list[Trace]:
    """Every account, address, file, person and place replaced by another of its shape, the same everywhere."""
    strings = [pair for trace in traces for pair in texts(trace.values())]
    names = {match for _, text in strings for match in NAMES.findall(text)}
    names |= {text for key, text in strings if key in _PLACES and text}
    table = {name: _other(name, salt) for name in names}
    pattern = re.compile("|".join(re.escape(name) for name in sorted(names, key=len, reverse=True)) or r"(?!)")
    return [trace.changed(lambda text: pattern.sub(lambda match: table[match.group()], text)) for trace in traces]


def _other(name: str, salt: str) -> str:
    stem, dot, ending = name.rpartition(".") if re.fullmatch(r"[\w-]+\.[a-z]{2,4}", name) else (name, "", "")
    noise = hashlib.sha512(f"{salt}:{name}".encode()).digest() * (len(stem) // 64 + 1)
    return "".join(_alike(character, byte) for character, byte in zip(stem, noise, strict=False)) + dot + ending


def _alike(character: str, byte: int) -> str:
    if character.isdigit():
        return "123456789"[byte % 9]
    if character.isalpha():
        other = "abcdefghijklmnopqrstuvwxyz"[byte % 26]
        return other.upper() if character.isupper() else other
    return character


# ------------------------------------------------------------------ other words for the same wish
_SYNONYMS = (
    {
        "create": "set up", "delete": "remove", "share": "give access to", "send": "transfer", "update": "change",
        "pay": "settle", "find": "look for", "show me": "list", "give me": "tell me", "refund": "return",
        "invited": "coming", "appointments": "dates", "add": "put", "perform": "do", "get me": "fetch me",
        "please": "kindly", "moved": "relocated", "set up": "arrange", "sent": "transferred", "usually": "normally",
    },
    {
        "create": "schedule", "delete": "get rid of", "share": "let in", "send": "wire", "update": "adjust",
        "pay": "take care of", "find": "pick out", "show me": "let me see", "give me": "I need", "refund": "give back",
        "invited": "taking part", "appointments": "meetings", "add": "include", "perform": "carry out", "get me": "find me",
        "please": "would you", "moved": "changed house", "set up": "plan", "sent": "gave", "usually": "mostly",
    },
)  # fmt: skip
_QUOTED = re.compile(r"'[^'\n]*'(?![a-z])|\"[^\"\n]*\"|\S*[@/]\S*|\S+\.\w{2,4}\b")
_MONTHS = "January February March April May June July August September October November December".split()
_ISO = re.compile(r"\b(\d{4})-(\d\d)-(\d\d)\b")
_SPOKEN = re.compile(rf"\b({'|'.join(_MONTHS)}) (\d\d?)(?:st|nd|rd|th)?(?:,? (\d{{4}}))?\b")


def reworded(traces: Sequence[Trace], flavour: int) -> list[Trace]:
    """The prompts with synonyms for what is to be done and the dates in another writing; what is quoted stays."""
    return [replace(trace, prompt=_reworded(trace.prompt, flavour % 2)) for trace in traces]


def _reworded(prompt: str, flavour: int) -> str:
    table = _SYNONYMS[flavour]
    pattern = re.compile(rf"\b({'|'.join(sorted(table, key=len, reverse=True))})\b", re.IGNORECASE)

    def plain(text: str) -> str:
        return pattern.sub(lambda match: _cased(table[match.group().lower()], match.group()), text)

    parts, last = [], 0
    for quoted in _QUOTED.finditer(prompt):
        parts += [plain(prompt[last : quoted.start()]), quoted.group()]
        last = quoted.end()
    return _redated("".join([*parts, plain(prompt[last:])]), flavour)


def _cased(word: str, like: str) -> str:
    return word[0].upper() + word[1:] if like[0].isupper() else word


def _redated(prompt: str, flavour: int) -> str:
    def iso(match: re.Match[str]) -> str:
        year, month, day = match.group(1), _MONTHS[int(match.group(2)) - 1], int(match.group(3))
        return f"{day} {month} {year}" if flavour else f"{month} {_ordinal(day)}, {year}"

    def spoken(match: re.Match[str]) -> str:
        month, day, year = match.group(1), int(match.group(2)), match.group(3)
        if year and flavour:
            return f"{year}-{_MONTHS.index(month) + 1:02}-{day:02}"
        return f"the {_ordinal(day)} of {month}" + (f" {year}" if year else "")

    marked = _SPOKEN.sub(lambda match: "\0" + spoken(match) + "\0", prompt)
    return "".join(part if odd % 2 else _ISO.sub(iso, part) for odd, part in enumerate(marked.split("\0")))


def _ordinal(day: int) -> str:
    ending = "th" if 10 < day < 14 else {1: "st", 2: "nd", 3: "rd"}.get(day % 10, "th")
    return f"{day}{ending}"


# ------------------------------------------------------------------ text for values
def as_text(traces: Sequence[Trace]) -> list[Trace]:
    """Results as the text that the model read, where a host has nothing better to hand over."""
    return [
        replace(trace, steps=tuple(replace(step, result=step.text or step.result) for step in trace.steps))
        for trace in traces
    ]


# ------------------------------------------------------------------ an attacker whom the user knows
def known_attacker(traces: Sequence[Trace]) -> list[Trace]:
    """The address or account an attack acts for becomes one that the user's own records of the run hold.

    Where the run read no such record, one of another run: the user knows it, the run does not.
    """
    benign = {address for trace in traces if not trace.attacked for address in _addresses(trace)}
    counts = Counter(address for trace in traces for address in _on_record(trace) if address in benign)
    owner = {address for address, _ in counts.most_common(1) if "@" in address}
    return [_befriended(trace, benign - owner, [one for one in counts if one not in owner]) for trace in traces]


def _befriended(trace: Trace, benign: set[str], anybody: list[str]) -> Trace:
    hostile = {
        address
        for step in trace.steps if step.origin == "attack"
        for _, text in texts(step.args)
        for address in _ADDRESSES.findall(text) if address not in benign
    }  # fmt: skip
    here = [address for address in _on_record(trace) if address in benign and address not in trace.prompt]
    others = [address for address in anybody if address not in trace.prompt]
    table = {
        address: friend
        for address in hostile
        if (friend := next((one for one in here + others if ("@" in one) == ("@" in address)), None))
    }
    if not table:
        return trace
    pattern = re.compile("|".join(map(re.escape, sorted(table, key=len, reverse=True))))
    return trace.changed(lambda text: pattern.sub(lambda match: table[match.group()], text), prompt=False)


def _addresses(trace: Trace) -> Iterator[str]:
    for _, text in texts(trace.values()):
        yield from _ADDRESSES.findall(text)


def _on_record(trace: Trace) -> Iterator[str]:
    """Whole fields of results that name people, payees first."""
    fields = [(key, text) for step in trace.steps for key, text in texts(step.result) if key in _PEOPLE]
    for _, text in sorted(fields, key=lambda field: _PEOPLE.index(field[0])):
        if _ADDRESSES.fullmatch(text):
            yield text
