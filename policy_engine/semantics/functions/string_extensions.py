"""cel-go's string extensions: cutting, joining, searching, casing and quoting text. Positions count characters from 0.

`reverse` and `lastIndexOf` … are methods; `strings.quote` is called with its namespace; `format` is in `formatting`.
"""

from __future__ import annotations

from typing import Any, Final

from policy_engine.base.errors import EvaluationError
from policy_engine.semantics.functions.declaration import Function
from policy_engine.semantics.functions.formatting import format_text
from policy_engine.semantics.functions.signatures import examples, invalid, takes, typed
from policy_engine.semantics.operations import no_overload
from policy_engine.semantics.operations.bounds import bound_chars, bound_elements
from policy_engine.semantics.types import DYN, INT, STRING, ListType, TypeVariable

_A: Final = TypeVariable("A")
_TEXTS: Final = ListType(STRING)
_WHITE: Final = (
    "\t\n\v\f\r \x85\xa0\u1680" + "".join(map(chr, range(0x2000, 0x200B))) + "\u2028\u2029\u202f\u205f\u3000"
)
_LOWER: Final = {code: code + 32 for code in range(ord("A"), ord("Z") + 1)}
_UPPER: Final = {code: code - 32 for code in range(ord("a"), ord("z") + 1)}
_QUOTED: Final = str.maketrans(
    {
        "\a": "\\a",
        "\b": "\\b",
        "\f": "\\f",
        "\n": "\\n",
        "\r": "\\r",
        "\t": "\\t",
        "\v": "\\v",
        "\\": "\\\\",
        '"': '\\"',
    }
)


def _within(text: str, *places: int) -> None:
    if any(not 0 <= place <= len(text) for place in places):
        raise EvaluationError("index_out_of_range", "a position lies outside the text")


def char_at(text: str, place: int) -> str:
    """The character at a position; empty just past the end."""
    _within(text, place)
    return text[place : place + 1]


def index_of(text: str, part: str, start: int = 0) -> int:
    """Where the part first occurs at or after `start`; -1 if nowhere."""
    _within(text, start)
    return text.find(part, start)


def last_index_of(text: str, part: str, start: int | None = None) -> int:
    """Where the part last occurs at or before `start`; -1 if nowhere."""
    if start is None:
        return text.rfind(part)
    _within(text, start)
    return text.rfind(part, 0, start + len(part))


def replace(text: str, old: str, new: str, times: int = -1) -> str:
    """The text with the first `times` occurrences (all below zero) of `old` replaced."""
    found = text.count(old)
    count = found if times < 0 else min(times, found)
    bound_chars(len(text) + count * (len(new) - len(old)))
    return text.replace(old, new, count)


def split(text: str, separator: str, times: int = -1) -> list[str]:
    """The pieces between separators, at most `times` (all below zero); an empty separator gives characters."""
    if times == 0:
        return []
    bound_elements(len(text) if not separator else text.count(separator) + 1)
    if separator:
        return text.split(separator, times - 1 if times > 0 else -1)
    if 0 < times < len(text):
        return [*text[: times - 1], text[times - 1 :]]
    return list(text)


def substring(text: str, start: int, end: int | None = None) -> str:
    """The characters from `start` up to `end` (not included)."""
    stop = len(text) if end is None else end
    _within(text, start, stop)
    if start > stop:
        raise invalid("a substring starts after its end")
    return text[start:stop]


def join(parts: list[Any], separator: str = "") -> str:
    """The texts of a list in one, with the separator between them."""
    for part in parts:
        if type(part) is not str:
            no_overload("join", part)
    bound_chars(sum(map(len, parts)) + len(separator) * max(len(parts) - 1, 0))
    return separator.join(parts)


def reverse(value: Any) -> Any:
    """A text or list backwards."""
    return value[::-1]


def quote(text: str) -> str:
    """The text between double quotes, with everything escaped that CEL would read otherwise."""
    bound_chars(2 * len(text))
    return f'"{text.translate(_QUOTED)}"'


FUNCTIONS: Final = (
    Function(
        "charAt",
        (takes(STRING, INT, to=STRING),),
        "The character at a position, counted from 0; empty just past the end.",
        examples(("'hello'.charAt(1)", "'e'"), ("'hello'.charAt(5)", "''")),
        typed("charAt", char_at, (str, int)),
        method=True,
    ),
    Function(
        "indexOf",
        (takes(STRING, STRING, to=INT), takes(STRING, STRING, INT, to=INT)),
        "Where the other text first occurs, at or after a position; -1 if nowhere.",
        examples(("'hello'.indexOf('l')", "2"), ("'hello'.indexOf('h', 1)", "-1")),
        typed("indexOf", index_of, (str, str), (str, str, int)),
        method=True,
    ),
    Function(
        "lastIndexOf",
        (takes(STRING, STRING, to=INT), takes(STRING, STRING, INT, to=INT)),
        "Where the other text last occurs, at or before a position; -1 if nowhere.",
        examples(("'hello'.lastIndexOf('l')", "3"), ("'hello'.lastIndexOf('l', 2)", "2")),
        typed("lastIndexOf", last_index_of, (str, str), (str, str, int)),
        method=True,
    ),
    Function(
        "lowerAscii",
        (takes(STRING, to=STRING),),
        "The text with A to Z in small letters; other letters stay.",
        examples(
            ("'Refund'.lowerAscii()", "'refund'"),
        ),
        typed("lowerAscii", lambda text: text.translate(_LOWER), (str,)),
        method=True,
    ),
    Function(
        "upperAscii",
        (takes(STRING, to=STRING),),
        "The text with a to z in capitals; other letters stay.",
        examples(
            ("'de12'.upperAscii()", "'DE12'"),
        ),
        typed("upperAscii", lambda text: text.translate(_UPPER), (str,)),
        method=True,
    ),
    Function(
        "replace",
        (takes(STRING, STRING, STRING, to=STRING), takes(STRING, STRING, STRING, INT, to=STRING)),
        "The text with each occurrence, or the first so many, replaced.",
        examples(("'1 000 000'.replace(' ', '')", "'1000000'"), ("'aaa'.replace('a', 'b', 2)", "'bba'")),
        typed("replace", replace, (str, str, str), (str, str, str, int)),
        method=True,
    ),
    Function(
        "split",
        (takes(STRING, STRING, to=_TEXTS), takes(STRING, STRING, INT, to=_TEXTS)),
        "The pieces between separators, at most so many.",
        examples(("'a,b,c'.split(',')", "['a', 'b', 'c']"), ("'a,b,c'.split(',', 2)", "['a', 'b,c']")),
        typed("split", split, (str, str), (str, str, int)),
        method=True,
    ),
    Function(
        "substring",
        (takes(STRING, INT, to=STRING), takes(STRING, INT, INT, to=STRING)),
        "The characters from a position, up to another that is not included.",
        examples(("'hello'.substring(1)", "'ello'"), ("'hello'.substring(1, 3)", "'el'")),
        typed("substring", substring, (str, int), (str, int, int)),
        method=True,
    ),
    Function(
        "trim",
        (takes(STRING, to=STRING),),
        "The text without white space at its ends.",
        examples(
            ("'  pay \\n'.trim()", "'pay'"),
        ),
        typed("trim", lambda text: text.strip(_WHITE), (str,)),
        method=True,
    ),
    Function(
        "join",
        (takes(_TEXTS, to=STRING), takes(_TEXTS, STRING, to=STRING)),
        "The texts of a list in one, with a separator between them.",
        examples(("['a', 'b'].join('-')", "'a-b'"), ("['a', 'b'].join()", "'ab'")),
        typed("join", join, (list,), (list, str)),
        method=True,
    ),
    Function(
        "reverse",
        (takes(STRING, to=STRING), takes(ListType(_A), to=ListType(_A))),
        "A text or a list backwards.",
        examples(("'abc'.reverse()", "'cba'"), ("[1, 2].reverse()", "[2, 1]")),
        typed("reverse", reverse, (str,), (list,)),
        method=True,
    ),
    Function(
        "format",
        (takes(STRING, ListType(DYN), to=STRING),),
        "The text with `%s %d %f %e %x %X %o %b` replaced by the values of a list, in turn; `%.2f` sets the digits.",
        examples(("'%s owes %.2f'.format(['ann', 3.14159])", "'ann owes 3.14'"), ("'%d%%'.format([5])", "'5%'")),
        typed("format", format_text, (str, list)),
        method=True,
        cost=5,
    ),
    Function(
        "strings.quote",
        (takes(STRING, to=STRING),),
        "The text between double quotes, escaped so that CEL would read it back.",
        examples(
            ("strings.quote('say \"hi\"')", '\'"say \\\\"hi\\\\""\''),
        ),
        typed("strings.quote", quote, (str,)),
    ),
)
