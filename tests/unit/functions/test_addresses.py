"""Web, mail and IP addresses: what another reader would take for another machine is an error, or seen through."""

from __future__ import annotations

import ipaddress
from urllib.parse import urlsplit

import pytest
from hypothesis import given, strategies as st

from policy_engine import cel
from policy_engine.base.errors import EvaluationError
from policy_engine.semantics.functions.emails import read_email
from policy_engine.semantics.functions.hosts import is_private
from policy_engine.semantics.functions.urls import read_url, urls

LABELS = st.lists(st.from_regex(r"\A[a-z][a-z0-9]{0,5}\Z"), min_size=1, max_size=3).map(".".join)
SEGMENTS = st.lists(st.sampled_from(["a", "b.c", "%20", "é".encode().hex(), "~x", "a:b"]), max_size=4).map("/".join)


@given(st.sampled_from(["http", "HTTPS", "ftp"]), LABELS, st.integers(1, 65535), SEGMENTS,
    st.sampled_from(["", "?q=1", "?a/../b#f"]))
def test_an_ordinary_address_is_read_as_urllib_reads_it(scheme: str, host: str, port: int, path: str, rest: str) -> None:
    """Scheme, host, port, query and fragment are the same."""
    text = f"{scheme}://{host.upper()}:{port}/{path}{rest}"
    mine, theirs = read_url(text), urlsplit(text)
    assert (mine["scheme"], mine["host"], mine["port"]) == (theirs.scheme, theirs.hostname, theirs.port)
    assert (mine["query"], mine["fragment"]) == (theirs.query, theirs.fragment)


@given(st.integers(0, (1 << 32) - 1))
def test_no_way_to_write_a_number_hides_a_machine_inside(number: int) -> None:
    """Decimal, hexadecimal, octal, short and IPv6-mapped forms are the address, and private where it is."""
    address = ipaddress.IPv4Address(number)
    a, b, c, d = address.packed
    forms = [
        str(address), str(number), hex(number), f"0{number:o}" if number else "0", f"{a}.{(b << 16) + (c << 8) + d}",
        f"0x{a:x}.{b}.{(c << 8) + d}", f"0{a:o}.0{b:o}.0{c:o}.0{d:o}" if min(a, b, c, d) else str(address), f"{address}.",
    ]  # fmt: skip
    for form in forms:
        read = read_url(f"http://{form}/")
        assert read["host"] == str(address)
        assert read["private"] or not is_private(address)
    for form in (f"::ffff:{address}", f"64:ff9b::{number >> 16:x}:{number & 65535:x}",
        f"2002:{number >> 16:x}:{number & 65535:x}::"):
        assert read_url(f"http://[{form}]/")["private"] or not is_private(address)


@pytest.mark.parametrize("host", [
    "localhost", "LOCALHOST.", "db", "x.local", "metadata.google.internal", "127.1", "0", "169.254.169.254", "[::1]", "[::]",
    "[fd00::1]", "[fe80::1]", "100.64.0.1", "224.0.0.1", "0x7f000001", "010.0.0.1", "[::127.0.0.1]", "192.168.1.1",
    "a.lan", "0x",
])  # fmt: skip
def test_machines_inside_are_private(host: str) -> None:
    """By name or by number."""
    assert read_url(f"http://{host}/")["private"] is True


@pytest.mark.parametrize("host", ["acme.com", "8.8.8.8", "[2606:4700::1111]", "internal.acme.com", "localhost.acme.com"])
def test_machines_outside_are_not(host: str) -> None:
    """A word of the inside in front does not make a name private."""
    assert read_url(f"http://{host}/")["private"] is False


@pytest.mark.parametrize(("text", "field", "value"), [
    ("https://good.com@evil.org/", "host", "evil.org"), ("https://good.com:pw@evil.org:8080/x", "port", 8080),
    ("https://acme.com", "path", "/"), ("https://acme.com?x", "path", "/"),
    ("https://acme.com#@evil.org/", "host", "acme.com"),
    ("https://acme.com/a/../b/./c", "path", "/b/c"), ("https://acme.com/a/%2e%2e/b", "path", "/b"),
    ("https://acme.com/%70rofile", "path", "/profile"), ("https://acme.com/../../x", "path", "/x"),
    ("https://acme.com/a/..", "path", "/"), ("https://acme.com./", "host", "acme.com"), ("https://acme.com:/", "port", 443),
    ("https://xn--pple-43d.com/", "host", "xn--pple-43d.com"), ("file:///etc/passwd", "private", True),
    ("https://acme.com/a%2Fb", "path", "/a/b"),
])  # fmt: skip
def test_a_part_is_what_the_machine_will_see(text: str, field: str, value: object) -> None:
    """Behind user names, escapes, dots and defaults."""
    assert read_url(text)[field] == value


@pytest.mark.parametrize("text", [
    "", "acme.com", "//acme.com", "https:acme.com", "https:/acme.com", "https:\\\\acme.com", "https://acme.com\\@evil.org",
    "https://a@b@c.com/", "https://", "https:///x", "https://a b.com", "ht\ntps://acme.com", "https://ac\tme.com",
    " https://acme.com",
    "https://аpple.com/", "https://ｇoogle.com/", "https://acme%2ecom/", "https://acme.com:99999/", "https://acme.com:0/",
    "https://acme.com:8o/", "https://acme.com:٨/", "https://a..b/", "https://-a.com/", "https://1.2.3.4.5/",
    "https://256.1.1.1/",
    "https://[::1", "https://[::1%25eth0]/", "https://[1.2.3.4]/", "https://::1/", "https://acme.com/%zz", "javascript:x",
    "https://acme.com/%00", "https://acme.com/a%5c..%5cb", "https://acme.com/a/..%2fb", "https://acme.com/a/..;/b",
    "https://acme.com/%ff",
    "mailto:a@b.c", "https://acme.com/\u202egnp", "https://a.com:80:80/", "https://08.1.1.1/",
])  # fmt: skip
def test_what_readers_take_differently_is_no_address(text: str) -> None:
    """An error, hence a refusal, never another host."""
    with pytest.raises(EvaluationError):
        read_url(text)


@pytest.mark.parametrize(("text", "found"), [
    ("see https://acme.com/a.", ["https://acme.com/a"]), ("[x](https://e.org/a_(b))", ["https://e.org/a_(b)"]),
    ("www.evil.org now", ["www.evil.org"]), ("<img src=//evil.org/x>", ["//evil.org/x"]),
    ("a HTTPS:\\\\evil.org b", ["HTTPS:\\\\evil.org"]),
    ("http:evil.org", ["http:evil.org"]), ("javascript:alert(1)", ["javascript:alert(1)"]), ("no links, 1/2 and a//b", []),
    ("https://a.com https://a.com", ["https://a.com"]), ("(https://a.com)", ["https://a.com"]),
])  # fmt: skip
def test_urls_finds_what_a_browser_would_follow(text: str, found: list[str]) -> None:
    """Odd ones stay odd, so that `url` refuses them."""
    assert urls(text) == found


@pytest.mark.parametrize(("text", "address"), [
    ("ann@acme.com", "ann@acme.com"), ("Ann <ann@ACME.com>", "ann@acme.com"), ('"Ann, A." <ann@acme.com>', "ann@acme.com"),
    ("<ann@acme.com>", "ann@acme.com"), ("A.n+x@mail.acme.com", "A.n+x@mail.acme.com"),
])  # fmt: skip
def test_one_mail_address_is_read_with_or_without_a_name(text: str, address: str) -> None:
    """The domain in lower case, the local part as written."""
    assert read_email(text)["address"] == address


@pytest.mark.parametrize("text", [
    "", "ann", "@acme.com", "ann@", "a@b@acme.com", '"a@evil.org"@acme.com', "ann(x)@acme.com", "ann@acme.com (x)",
    "a@x.com, b@y.com",
    "a@x.com;b@y.com", "ceo@good.com <x@evil.org>", '"ceo@good.com" <x@evil.org>', "x@evil.org <a@b.c> <d@e.f>",
    "ann@[10.0.0.1]",
    "ann@аcme.com", "ann@acme.com\nbcc: x@evil.org", "x%evil.org@acme.com", "evil.org!x@acme.com", ".a@b.c",
    "a..b@c.d", "a@b..c", "a b@c.d",
    "group: a@b.c;", "ann@acme.com.", "ann@acme.com\u200b", "a" * 65 + "@b.c",
])  # fmt: skip
def test_what_mail_programs_read_differently_is_no_address(text: str) -> None:
    """Comments, quotes, routes, lists, two of them: an error."""
    with pytest.raises(EvaluationError):
        read_email(text)


@given(st.integers(0, (1 << 32) - 1), st.integers(0, (1 << 32) - 1), st.integers(0, 32))
def test_ip_in_is_what_ipaddress_says(number: int, start: int, bits: int) -> None:
    """For IPv4, and for IPv4 written inside IPv6."""
    address, network = ipaddress.IPv4Address(number), ipaddress.ip_network((start, bits), strict=False)
    mapped = f"::ffff:{number >> 16:x}:{number & 65535:x}"
    for text in (str(address), mapped):
        assert cel.evaluate("ip(x).in(r)",
            {"x": text, "r": f"{ipaddress.IPv4Address(start)}/{bits}"}) is (address in network)


@pytest.mark.parametrize("text", ["::ffff:10.0.0.1", "fe80::1%eth0", "010.0.0.1", "10.1", "10.0.0.0/8", "", "1.2.3.4\n"])
def test_an_odd_ip_is_an_error(text: str) -> None:
    """`ip` takes the one usual way to write an address."""
    with pytest.raises(cel.EvaluationError):
        cel.evaluate("ip(x).in('10.0.0.0/8')", {"x": text})
