"""Names and numbers of machines, as `url` and `email` need them: exact, ASCII, lower case. Called by both.

Promises: a host that two readers could take for two machines is an error or, for numbers, judged in every reading.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Iterator
from typing import Final, TypeAlias

from policy_engine.semantics.functions.signatures import invalid

Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
_LABEL: Final = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?")
_NUMBER: Final = re.compile(r"0[xX][0-9a-fA-F]*|[0-9]+")
_INSIDE: Final = ("localhost", "local", "internal", "intranet", "lan", "corp", "home", "private", "home.arpa")
_NAT64: Final = ipaddress.IPv6Network("64:ff9b::/96")


def read_domain(text: str) -> str:
    """A domain name in lower case; raises for one that is not written in ASCII, or that no resolver takes."""
    if not text.isascii():
        raise invalid("a host is not written in ASCII (an international name is written `xn--…`)")
    name = text.lower()
    if not 0 < len(name) <= 253 or not all(map(_LABEL.fullmatch, name.split("."))):
        raise invalid("the host is not a name that machines have")
    return name


def read_host(text: str) -> tuple[str, bool]:
    """A host as it is compared, and whether it is inside a network; IPv6 without its brackets."""
    if text.startswith("["):
        return _ipv6(text)
    name = read_domain(text.removesuffix("."))
    if not _NUMBER.fullmatch(name.rpartition(".")[2]):
        return name, "." not in name or name.endswith(tuple(f".{end}" for end in _INSIDE))
    readings = list(_readings(name))
    if not readings:
        raise invalid("the host ends in a number and is no IP address")
    return str(readings[0]), any(map(is_private, readings))


def is_private(address: Address) -> bool:
    """Whether an address, or one that it carries inside, is not one of the open Internet."""
    carried = list(_carried(address))
    return not address.is_global or address.is_multicast or any(map(is_private, carried))


def _carried(address: Address) -> Iterator[ipaddress.IPv4Address]:
    """The IPv4 addresses that an IPv6 address stands for: mapped, compatible, 6to4, Teredo, NAT64."""
    if isinstance(address, ipaddress.IPv4Address):
        return
    number = int(address)
    for inner in (address.ipv4_mapped, address.sixtofour, *(address.teredo or ())):
        if inner is not None:
            yield inner
    if address in _NAT64 or 1 < number < 1 << 32:
        yield ipaddress.IPv4Address(number & 0xFFFFFFFF)


def _ipv6(text: str) -> tuple[str, bool]:
    inner = text[1:-1]
    if not text.endswith("]") or "%" in inner or len(inner) > 64:
        raise invalid("the host is not an IPv6 address in brackets")
    try:
        address = ipaddress.IPv6Address(inner)
    except ValueError:
        raise invalid("the host is not an IPv6 address in brackets") from None
    return str(address), is_private(address)


def _readings(name: str) -> Iterator[ipaddress.IPv4Address]:
    """What numbers mean: first as browsers and C libraries read them (`0x7f.1`, `0177.0.0.1`, `2130706433`), then all decimal."""
    parts = name.split(".")
    if len(parts) > 4 or not all(map(_NUMBER.fullmatch, parts)):
        return
    for octal in (True, False):
        numbers = [_number(part, octal) for part in parts]
        if None in numbers:
            if octal:
                return
            continue
        *firsts, last = [number or 0 for number in numbers]
        if all(first < 256 for first in firsts) and last < 256 ** (4 - len(firsts)):
            yield ipaddress.IPv4Address(sum(first << (24 - 8 * n) for n, first in enumerate(firsts)) + last)
        elif octal:
            return


def _number(part: str, octal: bool) -> int | None:
    if len(part) > 16:
        return None
    if part[:2] == "0x":
        return int(part[2:] or "0", 16)
    if octal and len(part) > 1 and part[0] == "0":
        return int(part, 8) if not set(part) & {"8", "9"} else None
    return int(part)
