"""Detectors and shapes: what they find with its near misses, and that a typo in a kind is never a silent false."""

from __future__ import annotations

import time
from typing import Any

import pytest
from hypothesis import given, strategies as st

from policy_engine import Event, PolicyError, cel, loads
from policy_engine.base.errors import EvaluationError
from policy_engine.semantics.functions.detectors.checksum import KINDS as NUMBERS, checksum
from policy_engine.semantics.functions.detectors.mask import KINDS, mask
from policy_engine.semantics.functions.detectors.pii import find_pii, pii
from policy_engine.semantics.functions.detectors.secrets import secrets
from policy_engine.semantics.functions.fits import fits

PERSONAL = [
    ("mail ann@acme.com now", "email"), ("ann@münchen.de", "email"), ("call 555-0198", "phone"),
    ("(415) 555-0198", "phone"), ("+49 30 901820", "phone"),
    ("+14155550198", "phone"), ("0049 30 901820", "phone"), ("030 901820", "phone"), ("415.555.0198", "phone"),
    ("DE89 3704 0044 0532 0130 00", "iban"),
    ("iban gb82west12345698765432.", "iban"), ("pay DE89370400440532013000 TODAY PLEASE", "iban"),
    ("4111 1111 1111 1111", "card"), ("4111-1111-1111-1111", "card"),
    ("card 5500005555555559 exp", "card"), ("378282246310005", "card"), ("ssn 536-90-4399", "ssn"),
    ("54362315K", "national_id"), ("X-2482300-W", "national_id"),
    ("390.533.447-05", "national_id"), ("RCCMNL83S18D969H", "national_id"), ("２９５ 4111 1111 1111 1111", "card"),
    ("41\u200b11 1111 1111 1111", "card"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "kind"), PERSONAL)
def test_personal_data_is_found_and_masked(text: str, kind: str) -> None:
    """In a text, deep in a value and as a key; the mask takes it away and leaves nothing of its kind."""
    assert pii(text) and pii({"a": [None, {"b": text}]}) and pii({text: 1})
    masked = mask(text, [kind])
    assert "****" in masked
    assert kind not in {one.kind for one in find_pii(masked)}


@pytest.mark.parametrize("text", [
    "order 12345", "2026-01-31", "2026-01-31T12:00:00Z", "1,234,567.89", "version 1.2.3", "4111 1111 1111 1112",
    "DE12 3456 7890 1234 5678 91",
    "550e8400-e29b-41d4-a716-446655440000", "12:30", "a@b", "@ann", "54362315A", "000-12-3456", "192.168.100.12",
    "item-555-0198-x", "", "no digits at all",
    "123456", "3.14159265",
])  # fmt: skip
def test_what_only_looks_like_it_is_left_alone(text: str) -> None:
    """Dates, versions, amounts, identifiers, and numbers whose check digits are wrong."""
    assert pii(text) is False
    assert mask(text) == text


def test_whole_numbers_are_texts_too() -> None:
    """A card number sent as an int is a card number; other values keep their kind."""
    assert pii(4111111111111111)
    value = {"card": 4111111111111111, "n": 5, "x": 1.5, "b": True, "none": None, "list": ["ann@acme.com"]}
    assert mask(value) == {"card": "****", "n": 5, "x": 1.5, "b": True, "none": None, "list": ["****"]}
    assert value["list"] == ["ann@acme.com"]


SECRETS = [
    "AKIA" + "IOSFODNN7EXAMPLE", "ghp_" + "a1B2" * 9, "github_pat_" + "a1B2" * 6, "sk-proj-" + "a1B2" * 6,
    "sk-ant-" + "a1-B2" * 6, "xoxb-1234-abcdef",
    "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.abc", "-----BEGIN RSA " + "PRIVATE KEY-----",
    "-----BEGIN ENCRYPTED " + "PRIVATE KEY-----",
    "https://ann:hunter2@db.acme.com/x", "password = hunter22!", 'PASSWORD: "corr3ct-horse"', "api_key=abc123def456",
    "the password is hunter22!",
    "Authorization: Bearer abcdefghijklmnopqrstuvwxyz", "AIza" + "a1B2c" * 7, "glpat-" + "a1B2" * 5,
    "npm_" + "a1B2" * 9, "AccountKey=" + "a" * 86 + "==",
    "hooks https://hooks.slack.com/services/" + "T0000/B0000/abcdef", "sk_live_" + "a1B2" * 6,
]  # fmt: skip


@pytest.mark.parametrize("text", SECRETS, ids=range(len(SECRETS)))
def test_secrets_are_found_and_masked(text: str) -> None:
    """Keys of the usual services, passwords beside their name, in addresses, in values."""
    assert secrets(text) and secrets({"a": [text]}) and secrets(f"before\n{text}\nafter")
    assert not secrets(mask(text, ["secret"]))


@pytest.mark.parametrize("text", [
    "nothing here", "the password is wrong", "password:", "please reset your password: thank you",
    "550e8400-e29b-41d4-a716-446655440000",
    "da39a3ee5e6b4b0d3255bfef95601890afd80709", "https://acme.com/a?b=c", "token economics", "the secret of good code",
    "8.8.8.8", "skiing sk-1",
])  # fmt: skip
def test_what_is_no_secret_passes(text: str) -> None:
    """Words about secrets, hashes and identifiers."""
    assert secrets(text) is False


def test_detectors_are_linear_in_the_text() -> None:
    """No text makes them slow: a megabyte of what their patterns begin with."""
    begin = time.process_time()
    for piece in ("a1@", "4111 ", "eyJ", "password ", "0" * 10 + ":"):
        text = piece * (200_000 // len(piece))
        pii(text)
        secrets(text)
    assert time.process_time() - begin < 20


@pytest.mark.parametrize("call", ["pii(x)", "secrets(x)", "mask(x) == x"])
def test_a_value_without_text_inside_is_refused(call: str) -> None:
    """Bytes and timestamps are no texts: an error, not a silent false."""
    for value in (b"ann@acme.com", {"a": [b"x"]}):
        with pytest.raises(cel.EvaluationError):
            cel.evaluate(call, {"x": value})


@pytest.mark.parametrize(("text", "kind", "right"), [
    ("DE89370400440532013000", "iban", True), ("DE89 3704 0044 0532 0130 00", "iban", True),
    ("DE89370400440532013001", "iban", False),
    ("4111-1111 11111111", "luhn", True), ("978-0-471-11709-4", "isbn", True), ("９78-0-471-11709-4", "isbn", False),
    ("", "iban", False),
    ("x" * 1000, "iban", False), ("DE136695976", "vat", True), ("536-90-4399", "ssn", True),
    ("5493000IBP32UQZ0KL24", "lei", True),
])  # fmt: skip
def test_check_digits(text: str, kind: str, right: bool) -> None:
    """Blanks and hyphens do not count, letters of other scripts do."""
    assert checksum(text, kind) is right


@given(st.text(max_size=30), st.sampled_from(sorted(NUMBERS)))
def test_no_text_makes_a_check_fail(text: str, kind: str) -> None:
    """It is a number of that kind, or it is none."""
    assert checksum(text, kind) in (True, False)


def test_a_kind_that_does_not_exist_is_an_error() -> None:
    """At run time too, where the kind comes from data."""
    for call in ("checksum('1', x)", "mask('1', [x]) == ''", "mask('1', []) == ''"):
        with pytest.raises(cel.EvaluationError, match="knows"):
            cel.evaluate(call, {"x": "ibann"})
    assert set(KINDS) >= {"email", "phone", "secret"}


def test_keys_that_become_one_are_an_error() -> None:
    """Nothing is lost in silence."""
    with pytest.raises(EvaluationError):
        mask({"ann@acme.com": 1, "bob@acme.com": 2})


SCHEMA = '{"type": "object", "properties": {"n": {"type": "integer", "maximum": 9}}, "required": ["n"]}'


@pytest.mark.parametrize(("value", "right"),
    [({"n": 1}, True), ({"n": 10}, False), ({"n": "1"}, False), ({}, False), ({"n": 1, "m": 2}, False), (None, False)])
def test_fits_is_the_schema_and_nothing_more(value: Any, right: bool) -> None:
    """Types, bounds, required properties; what nobody declared does not fit."""
    assert fits(value, SCHEMA) is right


@pytest.mark.parametrize("schema",
    ["", "x.json", "{", '{"not": {}}', '{"type": "strin"}', '{"a": 1, "a": 2}',
    '{"type": "string", "pattern": "(?!a)"}', "[]"])
def test_a_schema_that_is_not_wholly_checked_is_an_error(schema: str) -> None:
    """Never half believed."""
    with pytest.raises(EvaluationError):
        fits({"n": 1}, schema)


def test_a_policy_names_a_schema_file_and_its_text_counts() -> None:
    """Read with the policy, part of its digest, the same through a `let` and a `param`."""

    def policy_of(schema: str) -> Any:
        return loads("""policy p
param shape: string = "shapes/n.json"
let good(x) = fits(x, "shapes/n.json")
validate direct on @answer require fits(answer.data, "shapes/n.json") else withhold
validate by-let on @answer require good(answer.data) else withhold
validate by-param on @answer require fits(answer.data, shape) else withhold
""", files={"shapes/n.json": schema})

    policy = policy_of(SCHEMA)
    assert policy.decide_event(Event(name="@answer", fields={"text": "", "data": {"n": 1}})).effect == "pass"
    decision = policy.decide_event(Event(name="@answer", fields={"text": "", "data": {"n": 10}}))
    assert (decision.effect, decision.rules, decision.errors) == ("withhold", ("p/by-let", "p/by-param", "p/direct"), ())
    assert policy.digest != policy_of(SCHEMA.replace("9", "8")).digest


@pytest.mark.parametrize(("schema", "code"),
    [('{"not": {}}', "unusable-schema"), ("{", "unusable-schema"), (None, "unreadable-file")])
def test_a_schema_file_that_cannot_be_used_stops_the_load(schema: str | None, code: str) -> None:
    """Told once, where it is named."""
    with pytest.raises(PolicyError) as problem:
        loads(
            'policy p\nvalidate a on @answer require fits(answer.data, "n.json") else withhold',
            files={} if schema is None else {"n.json": schema},
        )
    assert [one.code.name for one in problem.value.diagnostics] == [code]
