"""JSON lines, read strictly and one at a time: a bad line spoils itself, never the others and never memory."""

from __future__ import annotations

from collections.abc import Iterator
from typing import BinaryIO, Final

from policy_engine.base.errors import MisfitError
from policy_engine.cli.traffic.entries import Entry, EntryError, read_entry
from policy_engine.semantics.schema.strict_json import parse_json

MAX_LINE_BYTES: Final = 32_000_000
"""A longer line is refused unread."""


def read_lines(stream: BinaryIO, name: str) -> Iterator[tuple[str, Entry | str]]:
    """For each line that is not blank its place (`calls.jsonl:3`) and its entry, or what is wrong with it.

    Where reading itself fails, the line it failed at is the last one.
    """
    number = 0
    while True:
        number += 1
        try:
            raw = stream.readline(MAX_LINE_BYTES + 1)
        except OSError as fault:
            yield f"{name}:{number}", f"cannot be read: {(fault.strerror or type(fault).__name__).lower()}; nothing after it was"
            return
        if not raw:
            return
        if len(raw) > MAX_LINE_BYTES:
            _skip_line(stream, raw)
            yield f"{name}:{number}", f"the line is longer than {MAX_LINE_BYTES} bytes"
        elif raw.strip():
            yield f"{name}:{number}", entry_of(raw.strip())


def entry_of(text: bytes | str) -> Entry | str:
    """The entry of one JSON text, or what is wrong with it."""
    try:
        return read_entry(parse_json(text))
    except MisfitError as fault:
        return f"not strict JSON: {fault.problem}"
    except EntryError as fault:
        return f"{fault}; {fault.suggestion}" if fault.suggestion else str(fault)


def _skip_line(stream: BinaryIO, raw: bytes) -> None:
    while raw and not raw.endswith(b"\n"):
        raw = stream.readline(MAX_LINE_BYTES)
