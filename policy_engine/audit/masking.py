"""Secrets are not kept: values under keys that name one, and what looks like one inside texts, are replaced by `****`."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any, Final

from policy_engine.audit.encoding import written
from policy_engine.base.errors import MisfitError
from policy_engine.semantics.functions.detectors.secrets import SHORTEST_SECRET, SHORTEST_WORD, masked_text
from policy_engine.semantics.schema.strict_json import parse_json

MASK: Final = "****"
_TEXTS_INSIDE: Final = frozenset((str, dict, list, tuple))
_WORDS: Final = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")
_ANYWHERE: Final = frozenset((
    "password", "passwd", "passphrase", "passcode", "pwd", "secret", "secrets", "credential", "credentials", "authorization",
    "authorisation", "cookie", "cookies", "cvv", "cvc", "bearer",
))  # fmt: skip
_LAST: Final = frozenset(("token", "auth", "jwt", "otp", "pin"))
_PAIRS: Final = frozenset(
    f"{first}{second}"
    for first in ("api", "access", "private", "secret", "signing", "encryption", "auth", "ssh", "session", "client", "master")
    for second in ("key", "keys", "token", "tokens", "pem")
)
_SPEAKS: Final = re.compile(r"passw|passphrase|pwd|secret|token|api[_-]?key|authori[sz]ation|credential|cookie", re.IGNORECASE)
_SHORTEST_JSON: Final = 8


@lru_cache(maxsize=4096)
def names_a_secret(key: str) -> bool:
    """Whether a value under this key is taken for a secret, whatever it is: `password`, `apiKey`, `X-Auth-Token` …"""
    words = [word.lower() for word in _WORDS.findall(key)]
    joined = "".join(words)
    return bool(words) and (
        not _ANYWHERE.isdisjoint(words) or words[-1] in _LAST or joined in _ANYWHERE
        or any(joined.endswith(pair) for pair in _PAIRS)
    )  # fmt: skip


_masked_key: Final = lru_cache(maxsize=4096)(masked_text)


def masked(value: Any) -> tuple[Any, list[str]]:
    """JSON-like data without secrets, and the places where there were any. The data itself where there was none."""
    places: list[str] = []
    made = _masked(value, "", places)
    return (made, places) if places else (value, places)


def doubtful(value: Any) -> bool:
    """Whether something in the data may be a secret: False for nearly everything, at half the cost of masking it."""
    kind = type(value)
    if kind is str:
        return not _plain_word(value) and (value.lstrip()[:1] in ("{", "[") or masked_text(value) != value)
    if kind not in _TEXTS_INSIDE:
        return False
    if kind is dict and not all(map(_plain_key, value)):
        return True
    for item in value.values() if kind is dict else value:  # a loop: a generator costs as much as looking
        kind = type(item)
        if kind in _TEXTS_INSIDE and not (kind is str and len(item) < SHORTEST_SECRET) and doubtful(item):
            return True
    return False


def _plain_word(text: str) -> bool:
    return len(text) < SHORTEST_SECRET or (len(text) < SHORTEST_WORD and text.isalnum())


@lru_cache(maxsize=4096)
def _plain_key(key: str) -> bool:
    return not names_a_secret(key) and masked_text(key) == key


def _masked(value: Any, place: str, places: list[str]) -> Any:
    kind = type(value)
    if kind is str:
        return _text(value, place, places)
    if kind is dict:
        return {
            _key(key, place, places): _under(key, item, f"{place}.{key}" if place else key, places)
            for key, item in value.items()
        }
    if kind is list or kind is tuple:
        return [_masked(item, f"{place}[{index}]", places) for index, item in enumerate(value)]
    return value


def _key(key: str, place: str, places: list[str]) -> str:
    made = _masked_key(key)
    if made != key:
        places.append(f"{place} (a key)")
    return made


def _under(key: str, value: Any, place: str, places: list[str]) -> Any:
    if value is not None and type(value) is not bool and names_a_secret(key):
        places.append(place if _masked_key(key) == key else MASK)
        return MASK
    return _masked(value, place, places)


def _text(value: str, place: str, places: list[str]) -> str:
    """A text, or JSON in a text, whose keys count too. JSON that two readers could read differently is not trusted."""
    if len(value) >= _SHORTEST_JSON and value.lstrip()[:1] in ("{", "[") and _SPEAKS.search(value):
        try:
            data = parse_json(value)
        except MisfitError:
            places.append(place)
            return MASK
        inside: list[str] = []
        made = _masked(data, place, inside) if isinstance(data, Mapping | list) else data
        if inside:
            places.extend(inside)
            return written(made).decode()
    shown = masked_text(value)
    if shown != value:
        places.append(place)
    return shown
