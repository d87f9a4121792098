"""IP addresses and CIDR ranges (cel-spec's network extensions, and `ip(x).in(range)` of the policy language).

An IPv4 address written inside IPv6 in hexadecimal is the IPv4 address; written with dots it is refused, as are zones.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, ClassVar, Final, TypeAlias

from policy_engine.base.errors import EvaluationError
from policy_engine.semantics.functions.declaration import Function
from policy_engine.semantics.functions.signatures import examples, invalid, takes, typed
from policy_engine.semantics.operations import Opaque
from policy_engine.semantics.types import BOOL, INT, STRING, OpaqueType

_Address: TypeAlias = ipaddress.IPv4Address | ipaddress.IPv6Address
_LONGEST: Final = 64
IP: Final = OpaqueType("net.IP")
CIDR: Final = OpaqueType("net.CIDR")


@dataclass(frozen=True, slots=True)
class IPValue(Opaque):
    """One address; what `ip(x)` gives."""

    type_name: ClassVar[str] = "net.IP"
    address: _Address

    def __str__(self) -> str:
        return str(self.address)


@dataclass(frozen=True, slots=True)
class CIDRValue(Opaque):
    """A range of addresses with the address it was written with; what `cidr(x)` gives."""

    type_name: ClassVar[str] = "net.CIDR"
    address: _Address
    prefix: int

    def __str__(self) -> str:
        return f"{self.address}/{self.prefix}"

    def holds(self, address: _Address, prefix: int) -> bool:
        """Whether every address with the same first `prefix` bits lies in the range."""
        if address.version != self.address.version or prefix < self.prefix:
            return False
        free = self.address.max_prefixlen - self.prefix
        return int(address) >> free == int(self.address) >> free


def read_ip(text: str) -> IPValue:
    """`ip(x)`; raises `EvaluationError("invalid_argument")` for anything that is no address."""
    if "%" in text:
        raise invalid("an IP address with a zone is not allowed")
    if len(text) > _LONGEST:
        raise invalid("the text is not an IP address")
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        raise invalid("the text is not an IP address") from None
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped is not None:
        if "." in text:
            raise invalid("an IPv4 address inside an IPv6 address is not allowed")
        return IPValue(address.ipv4_mapped)
    return IPValue(address)


def read_cidr(text: str) -> CIDRValue:
    """`cidr(x)`; raises `EvaluationError("invalid_argument")` for anything that is no range."""
    start, slash, bits = text.partition("/")
    if not slash or not (0 < len(bits) <= 3 and bits.isascii() and bits.isdigit()):
        raise invalid("the text is not a range of IP addresses like `10.0.0.0/8`")
    address = read_ip(start).address
    if ":" in start and address.version == 4:
        raise invalid("an IPv4 address inside an IPv6 address is not allowed")
    if int(bits) > address.max_prefixlen:
        raise invalid("the prefix of the range is longer than its address")
    return CIDRValue(address, int(bits))


def _is(read: Callable[[str], Any]) -> Callable[[str], bool]:
    def call(text: str) -> bool:
        try:
            read(text)
        except EvaluationError:
            return False
        return True

    return call


def _canonical(text: str) -> bool:
    return str(read_ip(text)) == text


def _global_unicast(ip: IPValue) -> bool:
    address = ip.address
    return not (
        address.is_unspecified
        or address.is_loopback
        or address.is_multicast
        or address.is_link_local
        or str(address) == "255.255.255.255"
    )


def _link_local_multicast(ip: IPValue) -> bool:
    if ip.address.version == 4:
        return int(ip.address) >> 8 == 0xE00000
    return int(ip.address) >> 112 in {0xFF02 | flags << 4 for flags in range(16)}


def _range_holds_ip(cidr: CIDRValue, ip: IPValue | str) -> bool:
    address = (read_ip(ip) if isinstance(ip, str) else ip).address
    return cidr.holds(address, address.max_prefixlen)


def _range_holds_range(cidr: CIDRValue, other: CIDRValue | str) -> bool:
    inner = read_cidr(other) if isinstance(other, str) else other
    return cidr.holds(inner.address, inner.prefix)


def _in(ip: IPValue, cidr: CIDRValue | str) -> bool:
    return _range_holds_ip(read_cidr(cidr) if isinstance(cidr, str) else cidr, ip)


def _masked(cidr: CIDRValue) -> CIDRValue:
    network = ipaddress.ip_network(f"{cidr.address}/{cidr.prefix}", strict=False)
    return CIDRValue(network.network_address, cidr.prefix)


def _ip_of(value: CIDRValue | str) -> IPValue:
    return read_ip(value) if isinstance(value, str) else IPValue(value.address)


def _asks(name: str, meaning: str, example: str, body: Callable[[IPValue], bool]) -> Function:
    return Function(
        name, (takes(IP, to=BOOL),), meaning, examples((example, "true")), typed(name, body, (IPValue,)), method=True
    )


FUNCTIONS: Final = (
    Function(
        "ip",
        (takes(STRING, to=IP), takes(CIDR, to=IP)),
        "The IP address a text spells, or that a range was written with; anything else is an error.",
        examples(("ip('10.0.0.7').in('10.0.0.0/8')", "true"), ("cidr('10.0.0.0/8').ip() == ip('10.0.0.0')", "true")),
        typed("ip", _ip_of, (str,), (CIDRValue,)),
        method=True,
        both=True,
        cost=5,
    ),
    Function(
        "cidr",
        (takes(STRING, to=CIDR),),
        "The range of addresses a text such as `10.0.0.0/8` spells; anything else is an error.",
        examples(
            ("cidr('10.0.0.0/8').prefixLength()", "8"),
        ),
        typed("cidr", read_cidr, (str,)),
        cost=5,
    ),
    Function(
        "isIP",
        (takes(STRING, to=BOOL),),
        "Whether the text spells an IP address.",
        examples(("isIP('192.168.0.1')", "true"), ("isIP('192.168.0')", "false")),
        typed("isIP", _is(read_ip), (str,)),
        cost=5,
    ),
    Function(
        "isCIDR",
        (takes(STRING, to=BOOL),),
        "Whether the text spells a range of addresses.",
        examples(("isCIDR('10.0.0.0/8')", "true"), ("isCIDR('10.0.0.0')", "false")),
        typed("isCIDR", _is(read_cidr), (str,)),
        cost=5,
    ),
    Function(
        "ip.isCanonical",
        (takes(STRING, to=BOOL),),
        "Whether the text is the one way an address is normally written.",
        examples(
            ("ip.isCanonical('2001:DB8::68')", "false"),
        ),
        typed("ip.isCanonical", _canonical, (str,)),
        cost=5,
    ),
    Function(
        "in",
        (takes(IP, CIDR, to=BOOL), takes(IP, STRING, to=BOOL)),
        "Whether the address lies in the range.",
        examples(
            ("ip('192.168.1.7').in('192.168.0.0/16')", "true"),
        ),
        typed("in", _in, (IPValue, CIDRValue), (IPValue, str)),
        method=True,
        cost=5,
        source="policy language",
    ),
    Function(
        "family",
        (takes(IP, to=INT),),
        "4 or 6.",
        examples(
            ("ip('::1').family()", "6"),
        ),
        typed("family", lambda ip: ip.address.version, (IPValue,)),
        method=True,
    ),
    _asks(
        "isUnspecified",
        "Whether it is `0.0.0.0` or `::`.",
        "ip('::').isUnspecified()",
        lambda ip: ip.address.is_unspecified,
    ),
    _asks(
        "isLoopback", "Whether it is this machine.", "ip('127.0.0.1').isLoopback()", lambda ip: ip.address.is_loopback
    ),
    _asks(
        "isGlobalUnicast",
        "Whether it names one machine beyond this link.",
        "ip('10.0.0.1').isGlobalUnicast()",
        _global_unicast,
    ),
    _asks(
        "isLinkLocalMulticast",
        "Whether it is a group on this link.",
        "ip('224.0.0.1').isLinkLocalMulticast()",
        _link_local_multicast,
    ),
    _asks(
        "isLinkLocalUnicast",
        "Whether it is a machine on this link, as cloud metadata services are.",
        "ip('169.254.169.254').isLinkLocalUnicast()",
        lambda ip: ip.address.is_link_local,
    ),
    Function(
        "containsIP",
        (takes(CIDR, IP, to=BOOL), takes(CIDR, STRING, to=BOOL)),
        "Whether the address lies in the range.",
        examples(
            ("cidr('10.0.0.0/8').containsIP('10.1.2.3')", "true"),
        ),
        typed("containsIP", _range_holds_ip, (CIDRValue, IPValue), (CIDRValue, str)),
        method=True,
        cost=5,
    ),
    Function(
        "containsCIDR",
        (takes(CIDR, CIDR, to=BOOL), takes(CIDR, STRING, to=BOOL)),
        "Whether all of the other range lies in this one.",
        examples(
            ("cidr('10.0.0.0/8').containsCIDR('10.1.0.0/16')", "true"),
        ),
        typed("containsCIDR", _range_holds_range, (CIDRValue, CIDRValue), (CIDRValue, str)),
        method=True,
        cost=5,
    ),
    Function(
        "masked",
        (takes(CIDR, to=CIDR),),
        "The range written with its first address.",
        examples(
            ("string(cidr('192.168.0.1/24').masked())", "'192.168.0.0/24'"),
        ),
        typed("masked", _masked, (CIDRValue,)),
        method=True,
    ),
    Function(
        "prefixLength",
        (takes(CIDR, to=INT),),
        "How many leading bits all addresses of the range share.",
        examples(
            ("cidr('10.0.0.0/8').prefixLength()", "8"),
        ),
        typed("prefixLength", lambda cidr: cidr.prefix, (CIDRValue,)),
        method=True,
    ),
)
