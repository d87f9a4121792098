"""Masks of many bits, made and read in time linear in their length. See `artifact.Batch` for what the bits mean."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence


def mask_of(numbers: Iterable[int], size: int) -> int:
    """The mask with these bits set, all below `size`."""
    raw = bytearray(size // 8 + 1)
    for number in numbers:
        raw[number >> 3] |= 1 << (number & 7)
    return int.from_bytes(raw, "little")


def bits_of(mask: int) -> Iterator[int]:
    """The numbers of the bits that are set, ascending."""
    if mask.bit_length() <= 64:
        while mask:
            low = mask & -mask
            yield low.bit_length() - 1
            mask ^= low
        return
    digits = bin(mask)[:1:-1]
    place = digits.find("1")
    while place >= 0:
        yield place
        place = digits.find("1", place + 1)


class Bits:
    """The bits that a rule of one batch gives where it is true, and where it is an error."""

    __slots__ = ("_all_safe", "on_error", "safe", "size")

    def __init__(self, on_error: Sequence[bool]) -> None:
        self.on_error = on_error
        self.size = len(on_error)
        self.safe = mask_of((number for number, bit in enumerate(on_error) if bit), self.size)
        self._all_safe = all(on_error)

    def error(self, number: int) -> int:
        """What rule `number` gives as an error."""
        return (int(self.on_error[number]) << number) | (1 << (self.size + number))

    def errors(self, mask: int) -> int:
        """What the rules of `mask` give as errors."""
        return (mask if self._all_safe else mask & self.safe) | (mask << self.size) if mask else 0
