"""Shell commands read by tree-sitter-bash, imported when first needed: the one door of both packages. Called by `shell`.

Every kind of node is either read or makes the whole text not understood. What runs is listed wherever it stands: in
substitutions, loops, here-documents, behind `sudo` or in `bash -c '…'`.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import pairwise
from typing import Any, Final

from policy_engine.semantics.functions.shell_wrappers import (
    SHELLS,
    Unknown,
    check_variable,
    check_variables,
    found_by_find,
    script_of,
    wrapped,
)

_MAX_CHARS: Final = 20_000
_MAX_DEPTH: Final = 60
_MAX_SCRIPTS: Final = 4
_MAX_CALLS: Final = 500
_UNREADABLE: Final = re.compile(r"[\x00-\x08\x0b-\x1f\x7f-\x9f\ud800-\udfff]|\S\\\n|\[\s*(?:\$\(|`)|@P\}")
"""Control characters; a line that is continued in the middle of a word, which the grammar cuts in two; and what bash runs
where others see data: an index `[$(…)]` inside arithmetic, a value expanded as a prompt."""
_WALKED: Final = frozenset((
    "program", "list", "pipeline", "subshell", "compound_statement", "redirected_statement", "negated_command",
    "if_statement", "elif_clause", "else_clause", "while_statement", "for_statement", "c_style_for_statement",
    "case_statement", "case_item", "do_group", "test_command", "file_redirect", "heredoc_redirect", "heredoc_body",
    "herestring_redirect", "process_substitution", "command_substitution", "string", "concatenation", "expansion",
    "simple_expansion", "arithmetic_expansion", "binary_expression", "unary_expression", "postfix_expression",
    "ternary_expression", "parenthesized_expression", "array", "subscript", "variable_assignment",
    "variable_assignments", "command_name", "translated_string",
))  # fmt: skip
_LEAVES: Final = frozenset((
    "word", "number", "raw_string", "ansi_c_string", "string_content", "variable_name", "special_variable_name",
    "file_descriptor", "heredoc_start", "heredoc_end", "heredoc_content", "test_operator", "regex", "extglob_pattern",
    "comment", "brace_expression",
))  # fmt: skip
_WORDS: Final = frozenset((
    "word", "number", "string", "raw_string", "ansi_c_string", "translated_string", "concatenation", "expansion",
    "simple_expansion", "command_substitution", "process_substitution", "arithmetic_expansion", "brace_expression",
))  # fmt: skip
_USUAL_PLACES: Final = re.compile(r"/(?:usr/(?:local/)?)?s?bin/(?=[^/]+$)")
_PLAIN_WORD: Final = re.compile(r"""(?:[^\s;|&<>()`$"'\\]|\\.)*""", re.DOTALL)
_GAP: Final = re.compile(rb"(?:[ \t\n]|\\\n)*")
_SPREADS: Final = re.compile(r"[*?\[]|\{[^}]*(?:,|\.\.)")
_DECLARING: Final = ("declaration_command", "unset_command")


def open_bash() -> Any:
    """A parser of bash; raises `ImportError`."""
    import tree_sitter
    import tree_sitter_bash

    return tree_sitter.Parser(tree_sitter.Language(tree_sitter_bash.language()))


@lru_cache(maxsize=64)
def described(text: str) -> dict[str, Any]:
    """What `shell(x)` gives."""
    found = _Found()
    try:
        found.read(text, 0)
    except (Unknown, RecursionError):
        return {"parsed": False}
    return {
        "parsed": True,
        "programs": list(dict.fromkeys(call.program for call in found.calls)),
        "calls": [call.described() for call in found.calls],
        "pipes": [{"from": left, "to": right} for left, right in dict.fromkeys(found.pipes)],
    }


@dataclass(frozen=True, slots=True)
class _Call:
    """One program that is run. `words` are its arguments; None where only the shell will know one."""

    program: str
    words: tuple[str | None, ...]
    fed: bool = False

    def described(self) -> dict[str, Any]:
        if self.fed or None in self.words:
            return {"program": self.program}
        return {"program": self.program, "args": list(self.words)}


@dataclass(slots=True)
class _Found:
    """What was met so far, in the order of the text."""

    calls: list[_Call] = field(default_factory=list)
    pipes: list[tuple[str, str]] = field(default_factory=list)
    depth: int = 0
    scripts: int = 0

    def read(self, text: str, scripts: int) -> None:
        """Read a text; raises `Unknown`."""
        if len(text) > _MAX_CHARS or scripts > _MAX_SCRIPTS or _UNREADABLE.search(text):
            raise Unknown
        written = text.encode("utf-8")
        root = open_bash().parse(written).root_node
        if root.has_error or not _is_all_read(root, written):
            raise Unknown
        outer, self.scripts = self.scripts, scripts
        self.walk(root)
        self.scripts = outer

    def walk(self, node: Any) -> None:
        """Read a node and all below it."""
        if node.is_missing or node.is_error:
            raise Unknown
        if not node.is_named or node.type in _LEAVES:
            if node.type in ("word", "number") and not _PLAIN_WORD.fullmatch(node.text.decode()):
                raise Unknown  # the grammar took several words for one
            return
        self.depth += 1
        if self.depth > _MAX_DEPTH:
            raise Unknown
        if node.type == "command":
            self.command(node)
        elif node.type in _DECLARING:
            self.declaration(node)
        elif node.type == "pipeline":
            self.pipeline(node, [])
        elif node.type == "redirected_statement":
            self.redirected(node)
        elif node.type in ("variable_assignment", "for_statement"):
            check_variable(_variable(node))
            self.children(node)
        elif node.type in _WALKED:
            check_grammar(node)
            self.children(node)
        else:
            raise Unknown
        self.depth -= 1

    def children(self, node: Any) -> None:
        """Read all nodes below this one."""
        for child in node.children:
            self.walk(child)

    def programs_in(self, node: Any) -> list[str]:
        """Read a node, and tell the programs it runs."""
        before = len(self.calls)
        self.walk(node)
        return [call.program for call in self.calls[before:]]

    def pipeline(self, node: Any, left: list[str]) -> None:
        """Each stage hands on to the next. `left` are the programs before a pipeline that starts behind `<<EOF`."""
        for child in node.children:
            if child.is_named and child.type != "comment":
                right = self.programs_in(child)
                self.pipes.extend((before, after) for before in left for after in right)
                left = right

    def redirected(self, node: Any) -> None:
        """A command with its redirections; the rest of the line stands inside a here-document's redirection."""
        body: list[str] = []
        for child in node.children:
            if child.type != "heredoc_redirect":
                body += self.programs_in(child)
                if child.type == "herestring_redirect" and not SHELLS.isdisjoint(body):
                    raise Unknown
                continue
            if not SHELLS.isdisjoint(body):
                raise Unknown  # a script that stands in the text itself
            check_grammar(child)
            for part in child.children:
                if part.type == "pipeline":
                    self.pipeline(part, body)
                elif part.is_named and part.type not in (*_WALKED, *_LEAVES, "command"):
                    raise Unknown
                else:
                    self.walk(part)

    def declaration(self, node: Any) -> None:
        """`export A=b`, `unset A` …: a program of the shell, whose arguments are not looked at."""
        self.add(_Call(node.children[0].text.decode(), (None,)))
        for child in node.children[1:]:
            if child.type == "variable_name":
                check_variable(child.text.decode())
            elif child.is_named and (child.type not in ("variable_assignment", "word") or _makes_alias(child)):
                raise Unknown
            self.walk(child)

    def command(self, node: Any) -> None:
        """A simple command: assignments, the program, its arguments, redirections."""
        words: list[str | None] = []
        feeding: list[Any] = []
        named = False
        later: list[Any] = []
        check_apart(node)
        for child in node.children:
            if child.type == "command_name":
                named = True
                words.append(_word(child.children[0]) if len(child.children) == 1 else None)
                later.append(child)
            elif child.type in ("variable_assignment", "file_redirect", "herestring_redirect"):
                later.append(child)
            elif child.type == "process_substitution":
                words.append(None)
                feeding.append(child)
            elif child.is_named and child.type != "heredoc_redirect" and child.type in (*_WALKED, *_LEAVES):
                words.append(_word(child))
                later.append(child)
            else:
                raise Unknown
        if not named or words[0] is None:
            raise Unknown
        before = len(self.calls)
        self.run(words, fed=False)
        if not SHELLS.isdisjoint(call.program for call in self.calls[before:]) and any(
            child.type == "herestring_redirect" for child in later
        ):
            raise Unknown
        own = [call.program for call in self.calls[before:]]
        for child in later:
            self.walk(child)
        for child in feeding:
            inner = self.programs_in(child)
            inward = child.children[0].type == "<("
            self.pipes.extend((a, b) if inward else (b, a) for a in inner for b in own)

    def run(self, words: list[str | None], *, fed: bool) -> None:
        """Note a program with its arguments, and what it runs in turn."""
        program = None if not words else words[0]
        if not program or _SPREADS.search(program) or program in ("coproc", "alias", "enable", "hash", "shopt", "source", "."):
            self.refuse_or_note(program, tuple(words[1:]))
            return
        program = _USUAL_PLACES.sub("", program)
        rest = words[1:]
        check_variables(program, rest)
        self.add(_Call(program, tuple(rest), fed))
        if program == "find":
            for inner in found_by_find(rest):
                self.run(list(inner), fed=True)
            return
        script = script_of(program, rest)
        if script is not None:
            if fed:
                raise Unknown
            self.read(script, self.scripts + 1)
            return
        if fed and program in SHELLS:
            raise Unknown
        inner_words = wrapped(program, rest)
        if inner_words is not None:
            self.run(list(inner_words[0]), fed=fed or inner_words[1])

    def refuse_or_note(self, program: str | None, rest: tuple[str | None, ...]) -> None:
        """`source` and `.` run a file, which stands for itself; the others change what later words mean."""
        if program not in ("source", "."):
            raise Unknown
        self.add(_Call(program, rest))

    def add(self, call: _Call) -> None:
        """Note a call."""
        if len(self.calls) >= _MAX_CALLS:
            raise Unknown
        self.calls.append(call)


def _is_all_read(root: Any, written: bytes) -> bool:
    """Whether nothing but blanks and continued lines stands between the tokens (the grammar skips `\\ ` there)."""
    end = 0
    pending = [root]
    while pending:
        node = pending.pop()
        if node.children:
            pending.extend(reversed(node.children))
        elif node.end_byte > end:
            if node.start_byte > end and not _GAP.fullmatch(written, end, node.start_byte):
                return False
            end = node.end_byte
    return _GAP.fullmatch(written, end) is not None


def check_grammar(node: Any) -> None:
    """Raises where the grammar differs from bash: it takes words behind a redirection for its target, not for arguments."""
    if node.type in ("file_redirect", "herestring_redirect"):
        words = [child for child in node.children if child.is_named and child.type != "file_descriptor"]
        if len(words) > 1:
            raise Unknown
    elif node.type == "negated_command":
        if node.children[0].end_byte == node.children[1].start_byte:
            raise Unknown  # `!a` is a name, `! a` the opposite of `a`
    elif node.type == "heredoc_redirect" and any(child.type in _WORDS for child in node.children):
        raise Unknown


def check_apart(node: Any) -> None:
    """Raises where two words of a command touch: the grammar cut one word in two."""
    for one, other in pairwise(node.children):
        if one.end_byte == other.start_byte and not one.type.endswith("redirect") and not other.type.endswith("redirect"):
            raise Unknown


def _makes_alias(node: Any) -> bool:
    """Whether an option of `declare` makes a variable another name of one."""
    return node.type == "word" and node.text.startswith(b"-") and b"n" in node.text


def _variable(node: Any) -> str:
    name = next((child for child in node.children if child.type in ("variable_name", "subscript")), None)
    if name is None:
        raise Unknown
    return str(name.text.decode()).partition("[")[0]


def _word(node: Any) -> str | None:
    """What a word is once the shell has taken its quotes away; None where only the shell will know."""
    pieces = list(_pieces(node))
    if None in pieces:
        return None
    whole = node.text.decode()
    bare = "".join(piece[1] for piece in pieces if piece is not None and piece[0])
    if _SPREADS.search(bare) and node.type != "string" or "\x00" in whole:
        return None
    return "".join(piece[1] if not piece[0] else _unescaped(piece[1]) for piece in pieces if piece is not None)


def _pieces(node: Any) -> Iterator[tuple[bool, str] | None]:
    """The parts of a word, each with whether it stood without quotes; None for a part that is not known."""
    text = node.text.decode()
    if node.type in ("word", "number"):
        yield True, text
    elif node.type == "raw_string":
        yield False, text[1:-1]
    elif node.type == "string":
        if any(child.is_named and child.type != "string_content" for child in node.children):
            yield None
        else:
            yield False, re.sub(r'\\([$`"\\\n])', lambda found: found[1].strip("\n"), text[1:-1])
    elif node.type == "concatenation":
        for child in node.children:
            yield from _pieces(child)
    else:
        yield None


def _unescaped(text: str) -> str:
    return re.sub(r"\\(.|\n)", lambda found: "" if found[1] == "\n" else found[1], text, flags=re.DOTALL)
