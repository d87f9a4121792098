"""The canonical text of a policy file: `format_policy`. Keeps every comment, loses no meaning, changes nothing twice."""

from __future__ import annotations

from collections.abc import Sequence

from policy_engine.base.limits import MAX_ITEM_CHARS
from policy_engine.base.source import Source
from policy_engine.compiler.formatting.clauses import clauses_of
from policy_engine.compiler.formatting.comments import Clause, attach
from policy_engine.compiler.formatting.layout import INDENT, LINE_WIDTH, broken, flat
from policy_engine.compiler.language.parser import parse_policy
from policy_engine.compiler.language.scanning import Scrap, scan
from policy_engine.diagnostics.model import Collector, PolicyError
from policy_engine.semantics.ast.policy import Header, Item, Shape


def format_policy(source: Source) -> str:
    """The file in canonical layout. Raises `PolicyError` with every finding where it has errors."""
    collector = Collector()
    file = parse_policy(source, collector)
    if file is None or collector.failed:
        raise PolicyError(collector.diagnostics)
    comments = [scrap for scrap in scan(source.text) if scrap.kind == "comment"]
    nodes: list[Header | Item] = [file.header, *file.items]
    lines: list[str] = []
    position = at = 0
    for number, node in enumerate(nodes):
        while at < len(comments) and comments[at].start < node.span.start:
            _gap(lines, source, position, comments[at].start)
            lines.append(comments[at].text.rstrip())
            position = comments[at].end
            at += 1
        _gap(lines, source, position, node.span.start)
        following = nodes[number + 1].span.start if number + 1 < len(nodes) else len(source.text)
        first = at
        while at < len(comments) and _belongs(comments[at], node, following):
            at += 1
        lines += _bounded(node, comments[first:at])
        position = max(node.span.end, comments[at - 1].end if at > first else 0)
    for comment in comments[at:]:
        _gap(lines, source, position, comment.start)
        lines.append(comment.text.rstrip())
        position = comment.end
    return "\n".join(lines) + "\n"


def _belongs(comment: Scrap, node: Header | Item, following: int) -> bool:
    """Whether a comment stands inside an item, or behind its end on the same line."""
    return comment.start < node.span.end or (not comment.first and comment.start < following)


def _gap(lines: list[str], source: Source, start: int, end: int) -> None:
    """One blank line where the source has one or more."""
    if lines and source.text.count("\n", start, end) > 1:
        lines.append("")


def _bounded(node: Header | Item, comments: Sequence[Scrap]) -> list[str]:
    """The lines of an item; as it stands where its layout would be longer than any item may be."""
    lines = _item(node, comments)
    if sum(map(len, lines)) + len(lines) <= MAX_ITEM_CHARS:
        return lines
    end = max(node.span.end, comments[-1].end if comments else 0)
    return [node.span.source.text[node.span.start : end].rstrip()]


def _item(node: Header | Item, comments: Sequence[Scrap]) -> list[str]:
    clauses = clauses_of(node)
    attach(clauses, comments)
    head, last = clauses[0], clauses[-1]
    quiet = not any(clause.above for clause in clauses[1:]) and not any(clause.behind for clause in clauses[:-1])
    separate = isinstance(node, Header) and len(clauses) > 1
    line = _joined(clauses, node)
    if quiet and not separate and len(line) <= LINE_WIDTH and "\n" not in line:
        return [*head.above, line + _behind(last)]
    lines: list[str] = []
    for clause in clauses:
        indent = 0 if clause is head or (isinstance(node, Shape) and clause is last) else INDENT
        deeper = INDENT if isinstance(node, Shape) and clause is last else indent
        lines += [" " * deeper + text for text in clause.above]
        text = broken(clause.parts, indent)
        text[-1] += clause.closing + _behind(clause)
        lines += text
    return lines


def _joined(clauses: Sequence[Clause], node: Header | Item) -> str:
    texts = [flat(clause.parts) for clause in clauses]
    if isinstance(node, Shape) and len(texts) > 1:
        return f"{texts[0]} {', '.join(texts[1:-1])} {texts[-1]}"
    return " ".join(texts)


def _behind(clause: Clause) -> str:
    return "".join(f"  {text}" for text in clause.behind)
