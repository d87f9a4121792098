"""What a syntax error is called: the parser knows where it stopped, this file knows what people meant.

`syntax_diagnostic` turns Lark's refusal of an expression into a diagnostic; `common_mistake` is what the policy
language asks first for its own refusals. Both look only at the text, never at the parser's inner state.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final, NamedTuple

from lark import UnexpectedCharacters, UnexpectedInput, UnexpectedToken

from policy_engine.base.source import Span
from policy_engine.compiler.cel.codes import SYNTAX
from policy_engine.diagnostics.model import Diagnostic, Edit, Fix, Label


class _Mistake(NamedTuple):
    """`pattern` matches at the fault (or one of the few characters before it); `instead` replaces what it matched."""

    pattern: re.Pattern[str]
    message: str
    suggestion: str | None
    instead: str | None = None


def _mistake(pattern: str, message: str, suggestion: str | None, instead: str | None = None) -> _Mistake:
    return _Mistake(re.compile(pattern), message, suggestion, instead)


_OPTIONAL_REVERSED: Final = _mistake(r"\?\.(?![0-9])", "`?.` is written the other way round", "`.?`: args.?limit", ".?")
_OPERATOR_MISTAKES: Final = (
    _mistake(r"===", "`===` is not an operator", "`==`, which is exact: no conversions", "=="),
    _mistake(r"!==", "`!==` is not an operator", "`!=`, which is exact: no conversions", "!="),
    _mistake(r"<>", "`<>` is not an operator", "`!=`", "!="),
    _mistake(r"=<", "`=<` is not an operator", "`<=`", "<="),
    _mistake(r"=>|->", "there are no arrow functions", "a macro with a variable: args.items.all(item, item > 0)"),
    _mistake(r":=|[+\-*/%]=", "an expression assigns nothing", "a `let` for a name, `cel.bind(x, value, …)` inside"),
    _mistake(r"(?<![=!<>])=(?!=)", "a single `=` compares nothing", "`==` to compare", "=="),
    _mistake(r"(?<!&)&(?!&)", "a single `&` is not an operator", "`&&` for «and»", "&&"),
    _mistake(r"(?<!\|)\|(?!\|)", "a single `|` is not an operator", "`||` for «or»", "||"),
    _mistake(r"\?\?", "`??` is not an operator", "args.?limit.orValue(10)"),
    _OPTIONAL_REVERSED,
    _mistake(r"/\*", "comments are written `// …`, to the end of the line", "// text"),
    _mistake(r"(?<!\w)[fu](?=[\"'])", "there is no interpolated text", '"limit " + string(args.limit)'),
    _mistake(r"\*\*|\+\+|--(?=\s*$)", "there is no such operator", None),
    _mistake(r"(?<![\w.])[0-9]+\.(?![0-9\w])", "a number does not end in a dot", "1.0"),
)  # fmt: skip
_MISTAKES: Final = (
    _mistake(r"(and|AND)\b", "`and` is written `&&`", "`&&`", "&&"),
    _mistake(r"(or|OR)\b", "`or` is written `||`", "`||`", "||"),
    _mistake(r"(not|NOT)\s+in\b", "`not in` is not an operator", "!(x in list)"),
    _mistake(r"is\s+(not\s+)?(null|None)\b", "`is` is not an operator", "x == null or x != null"),
    _mistake(r"(is|IS|equals|eq)\b", "`is` is not an operator", "`==`"),
    _mistake(r"(not|NOT)\b", "`not` is written `!`", "`!`", "!"),
    _mistake(r"(like|LIKE|contains|matches|startsWith|endsWith)\b(?!\s*\()", "this is a method, not an operator",
             'args.to.endsWith("@acme.com"), args.name.contains("x"), args.name.matches("^a")'),
    _mistake(r"(None|nil|undefined)\b", "the empty value is written `null`", "null", "null"),
    _mistake(r"(if|then|else)\b", "there is no `if` in an expression", "condition ? one : other"),
    _mistake(r"[“”„«»]", "a typographic quote stands where a plain one belongs", 'plain quotes: "text"', '"'),
    _mistake("[\u2018\u2019]", "a typographic quote stands where a plain one belongs", "plain quotes: 'text'", "'"),
    _mistake(r"≤", "`≤` is written `<=`", "`<=`", "<="),
    _mistake(r"≥", "`≥` is written `>=`", "`>=`", ">="),
    _mistake(r"≠", "`≠` is written `!=`", "`!=`", "!="),
    _mistake(r"[\u00a0\u2000-\u200a\u202f\u3000\x0b]", "a special blank stands here", "an ordinary space", " "),
    _mistake(r"#", "comments are written `// …`", "// text"),
    _mistake(r'"{3}(?!(\\[\s\S]|[^\\])*?"{3})|\'{3}(?!(\\[\s\S]|[^\\])*?\'{3})', "text that begins here never ends",
             "the same three quotes at its end"),
    _mistake(r'"(\\[^\n]|[^"\\\n])*\\?(?=\n|\Z)', "text that begins here never ends on its line",
             'a closing `"`; a quote inside is written `\\"`'),
    _mistake(r"'(\\[^\n]|[^'\\\n])*\\?(?=\n|\Z)", "text that begins here never ends on its line",
             "a closing `'`; a quote inside is written `\\'`"),
    _mistake(r"`[^`\n]*(?=\n|\Z)", "a name in backticks that begins here never ends on its line", "a closing backtick"),
    _mistake(r"`", "a name in backticks stands only after a dot", 'args.`content-type`, or args["content-type"]'),
    _mistake(r"[0-9][0-9_]*_[0-9_]*", "numbers are written without `_`", "1000000"),
    _mistake(r"0[xX](?![0-9a-fA-F])|0[bo][0-9]+", "this is not a number", "decimal (255) or hexadecimal (0xff)"),
    _mistake(r"[0-9][0-9.]*[A-Za-z]\w*", "a number runs into a name", "a space between them, or one of the units of "
             "durations: 30m, 1h30m, 200ms, 7d"),
    _mistake(r"[$@]\w*", "names begin with a letter or `_`", 'for other names: args["$ref"]'),
    _mistake(r"\w*[^\W\d_a-zA-Z]\w*", "names are made of the letters a-z, digits and `_`", 'for other names: args["prénom"]'),
    _mistake(r";", "an expression ends without `;`", "delete it", ""),
    _mistake(r"[~^]", "there are no operators on bits", "math.bitXor(a, b), math.bitNot(a), math.bitAnd(a, b)"),
)  # fmt: skip
_PREFIX_WORDS: Final = tuple(mistake for mistake in _MISTAKES if mistake.message.startswith(("`not` is", "there is no")))
_REVERSED: Final = re.compile(r"\?\.(?![0-9])")
_LOOK_BACK: Final = 3
_WORD: Final = re.compile(r"\w+")
_OPENING: Final = {")": "(", "]": "[", "}": "{"}
_CLOSING: Final = {opening: closing for closing, opening in _OPENING.items()}
_TOKENS: Final = re.compile(
    r"""(?<!\w)[bB]?[rR](?:\"{3}[\s\S]*?(?:\"{3}|\Z)|'{3}[\s\S]*?(?:'{3}|\Z)|"[^"\n]*"?|'[^'\n]*'?)"""
    r"""|\"{3}(?:\\[\s\S]|[^\\])*?(?:\"{3}|\Z)|'{3}(?:\\[\s\S]|[^\\])*?(?:'{3}|\Z)"""
    r"""|"(?:\\.|[^"\\\n])*"?|'(?:\\.|[^'\\\n])*'?|//[^\n]*|[()\[\]{}]"""
)
_VALUES: Final = frozenset({"IDENT", "INT", "STRING"})
_OPERATORS: Final = frozenset({"RELOP", "PLUS", "STAR"})
_SIGNS: Final = {"RPAR": "`)`", "RSQB": "`]`", "RBRACE": "`}`", "COLON": "`:`", "COMMA": "`,`", "DOT": "`.`"}


def syntax_diagnostic(error: UnexpectedInput, region: Span) -> Diagnostic:
    """Why the text of `region` is not an expression, as a reader of it would say."""
    at = _place(error, region)
    found = common_mistake(region, at)
    if found is not None:
        return found
    if not region.text.strip():
        return Diagnostic(
            SYNTAX, "a condition is missing", (Label(region, "nothing stands here"),), suggestion="true for always"
        )
    expected = expectation(_expected(error))
    if "COLON" in _expected(error) and (mark := _REVERSED.search(region.source.text, region.start, region.end)):
        return _explain(_OPTIONAL_REVERSED, Span(region.source, *mark.span()))
    if at >= region.end:
        end = region.start + len(region.text.rstrip())
        message = f"the expression ends too early: {expected} is missing"
        return Diagnostic(SYNTAX, message, (Label(Span(region.source, max(end - 1, region.start), end), "ends here"),))
    word = _WORD.match(region.source.text, at, region.end)
    place = Span(region.source, at, word.end() if word else at + 1)
    what = f"`{place.text}`" if place.text.isprintable() else f"the character U+{ord(place.text[0]):04X}"
    return Diagnostic(SYNTAX, f"{what} cannot stand here: {expected} was expected", (Label(place, "unexpected"),))


def common_mistake(region: Span, at: int) -> Diagnostic | None:
    """What was probably meant, when the parser stopped at offset `at` of the source of `region`."""
    bracket = _bracket(region, at)
    if bracket is not None:
        return bracket
    text = region.source.text
    if text.startswith("{", at) and _after_name(text, region.start, at):
        return Diagnostic(
            SYNTAX, "messages cannot be made: there is no `Name{field: value}`",
            (Label(Span(region.source, at, at + 1), "braces after a name"),), suggestion='a map: {"field": value}',
        )  # fmt: skip
    for start in range(max(region.start, at - _LOOK_BACK), at + 1):
        for mistake in _OPERATOR_MISTAKES:
            match = mistake.pattern.match(text, start, region.end)
            if match is not None and match.end() >= at:
                return _explain(mistake, Span(region.source, match.start(), match.end()))
    for mistake in _MISTAKES:
        match = mistake.pattern.match(text, at, region.end)
        if match is not None and match.end() > at:
            return _explain(mistake, Span(region.source, match.start(), match.end()))
    return _word_before(region, at)


def _word_before(region: Span, at: int) -> Diagnostic | None:
    """`not x`, `if a then b`: the parser stops one word after the mistake."""
    word = _previous_word(region.source.text, region.start, at)
    for mistake in _PREFIX_WORDS if word else ():
        match = mistake.pattern.fullmatch(region.source.text, *word) if word else None
        if match is not None:
            return _explain(mistake, Span(region.source, match.start(), match.end()))
    return None


def expectation(terminals: Iterable[str]) -> str:
    """What could have stood there, in words: «a value», «an operator or `)`»."""
    names = set(terminals)
    words: list[str] = []
    if names >= _VALUES:
        words.append("a value")
    elif names & _VALUES:
        words.append("a name")
    if names & _OPERATORS:
        words.append("an operator")
    words.extend(_SIGNS[name] for name in _SIGNS if name in names and name != "DOT")
    if "$END" in names:
        words.append("the end")
    if not words:
        return "something else"
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def _explain(mistake: _Mistake, place: Span) -> Diagnostic:
    fixes: tuple[Fix, ...] = ()
    if mistake.instead is not None:
        title = f"write `{mistake.instead}`" if mistake.instead else "delete it"
        fixes = (Fix(title, (Edit(place, mistake.instead),), safe=False),)
    return Diagnostic(SYNTAX, mistake.message, (Label(place, "here"),), suggestion=mistake.suggestion, fixes=fixes)


def _bracket(region: Span, at: int) -> Diagnostic | None:
    """The bracket without a partner that is to blame, if one is."""
    text, opened = region.source.text, list[int]()
    for match in _TOKENS.finditer(text, region.start, min(at + 1, region.end)):
        sign = match[0]
        if sign in ("(", "[", "{"):
            opened.append(match.start())
        elif sign in _OPENING:
            here = Label(Span(region.source, match.start(), match.end()), "closes")
            if not opened:
                return Diagnostic(
                    SYNTAX, f"`{sign}` closes nothing", (here,), suggestion="delete it, or open it before"
                )
            if text[opened[-1]] != _OPENING[sign]:
                opening = Label(Span(region.source, opened[-1], opened[-1] + 1), "opens")
                return Diagnostic(
                    SYNTAX, f"`{text[opened[-1]]}` is closed by `{sign}`", (here, opening),
                    suggestion=f"`{_CLOSING[text[opened[-1]]]}`, or another opening",
                )  # fmt: skip
            opened.pop()
    if at >= region.end and opened and not re.search(r"[-+*/%<>=!&|?:.]\s*\Z", region.text):
        place = Span(region.source, opened[-1], opened[-1] + 1)
        return Diagnostic(
            SYNTAX, f"`{place.text}` is never closed", (Label(place, "opens here"),),
            suggestion=f"a closing `{_CLOSING[place.text]}`",
        )  # fmt: skip
    return None


def _previous_word(text: str, start: int, at: int) -> tuple[int, int] | None:
    end = at
    while end > start and text[end - 1].isspace():
        end -= 1
    begin = end
    while begin > start and (text[begin - 1].isalnum() or text[begin - 1] == "_"):
        begin -= 1
    return (begin, end) if begin < end else None


def _after_name(text: str, start: int, at: int) -> bool:
    word = _previous_word(text, start, at)
    return word is not None and not text[word[0]].isdigit()


def _place(error: UnexpectedInput, region: Span) -> int:
    if isinstance(error, UnexpectedToken) and error.token.type == "$END":
        return region.end
    position = error.pos_in_stream
    return region.end if position is None else min(max(position, region.start), region.end)


def _expected(error: UnexpectedInput) -> Iterable[str]:
    if isinstance(error, UnexpectedToken):
        return error.accepts or error.expected
    return error.allowed or () if isinstance(error, UnexpectedCharacters) else ()
