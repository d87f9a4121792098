"""Edits of policies as people make them: an item is changed, put in, taken out, moved; files beside are changed.

Works on texts alone, for any policy. Some results do not compile, or say nothing new: both are part of life.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from policy_engine.base.source import Source
from policy_engine.compiler.language.splitting import split

NUMBERS = ("0", "1", "2", "7", "50.0", "100")
MORE = (
    'allow new-one on *\n', 'deny new-two on crm.refund when args.amount > 3.0 because "over {cap}"\n',
    "deny new-three on * when principal.role == \"lead\"\n", "let never = args.amount > 1.0\n", "labels extra\n",
    "deny old on crm.refund when run.calls.exists(c, c.tool == \"crm.search\")\n", "deny odd on crm.* when 1 < 2\n",
    "deny typo on crm.refund when args.amuont > 1.0\n", "deny broken on crm.refund when\n", "queues unused\n",
    "deny noted on crm.search because \"a\\u0062 {cap}\" when args.limit > 5\n", "allow untyped on brand.new\n",
    "deny fitting on crm.refund when !fits(args, '{\"type\": \"object\"}')\n", "observe deny seen on reads\n",
    "rewrite low on crm.search set args.limit to 3 when args.limit > 3\n", "deny groups on reads when size(reads) > 1\n",
    "let fitted = fits(args, '{\"type\": \"object\"}')\n", "// a remark of two\n// lines\n",
    "deny texts on @answer when 1 == 2\n",
    "limit twice on crm.* to 5 per 1h by principal.id\n", "escalate slow on crm.refund to ops within 9m else deny\n",
)  # fmt: skip


@dataclass(frozen=True)
class Edited:
    """The files after an edit, and what it was, for messages."""

    files: Mapping[str, str]
    what: str


def edited(draw: random.Random, files: Mapping[str, str]) -> Edited:
    """One edit of one of the policy files, or of what stands beside them."""
    if draw.random() < 0.1:
        return _beside(draw, files)
    name = draw.choice(sorted(name for name in files if not name.endswith(".json")))
    what = draw.choice(
        (_number, _number, _number, _inserted, _inserted, _removed, _moved, _moved, _renamed, _spaced, _doubled)
    )
    head, items, tail = _items(files[name])
    made = what(draw, items)
    return Edited({**files, name: head + "".join(made) + tail}, f"{what.__name__} in {name}")


def _items(text: str) -> tuple[str, list[str], str]:
    """A text cut before each of its items but the header; joined again it is the same."""
    starts = [piece.span.start for piece in split(Source("x", text))[1:]]
    items = [text[start:end] for start, end in pairwise((*starts, len(text)))]
    return text[: starts[0]] if starts else text, items, ""


def _number(draw: random.Random, items: list[str]) -> list[str]:
    """Another number in one item that has one."""
    digits = [number for number, item in enumerate(items) if any(character.isdigit() for character in item)]
    if not digits:
        return items
    chosen = draw.choice(digits)
    places = [place for place, character in enumerate(items[chosen]) if character.isdigit()]
    place = draw.choice(places)
    items[chosen] = items[chosen][:place] + draw.choice("123456789") + items[chosen][place + 1 :]
    return items


def _inserted(draw: random.Random, items: list[str]) -> list[str]:
    items.insert(draw.randrange(len(items) + 1), draw.choice(MORE))
    return items


def _removed(draw: random.Random, items: list[str]) -> list[str]:
    if items:
        items.pop(draw.randrange(len(items)))
    return items


def _moved(draw: random.Random, items: list[str]) -> list[str]:
    if items:
        items.insert(draw.randrange(len(items)), items.pop(draw.randrange(len(items))))
    return items


def _renamed(draw: random.Random, items: list[str]) -> list[str]:
    """A word in one item is another one: a rule, a tool, a role, a let."""
    one, other = draw.choice(
        (("crm.refund", "crm.search"), ("lead", "support"), ("threshold", "cap"), (" r1 ", " r9 "))
    )
    return [item.replace(one, other) if draw.random() < 0.3 else item for item in items]


def _spaced(draw: random.Random, items: list[str]) -> list[str]:
    """Everything after a place moves down a line, and nothing else changes."""
    items.insert(draw.randrange(len(items) + 1), "\n\n// moved\n")
    return items


def _doubled(draw: random.Random, items: list[str]) -> list[str]:
    """A rule again under another name."""
    rules = [item for item in items if item.split()[0] in ("allow", "deny", "limit")]
    if rules:
        words = draw.choice(rules).split(" ", 2)
        items.append(" ".join((words[0], f"{words[1]}-{draw.randrange(99)}", words[2])))
    return items


def _beside(draw: random.Random, files: Mapping[str, str]) -> Edited:
    """Data or a schema changes."""
    name = draw.choice([name for name in sorted(files) if name.endswith(".json")])
    if name == "order.json":
        return Edited({**files, name: '{"type": "object", "required": ["count"]}'}, "schema of `fits`")
    if name == "limits.json":
        return Edited({**files, name: '{"small": 6.0, "big": 100.0}'}, "data")
    one, other = draw.choice((('"crm.search"', '"crm.find"'), ('"integer"', '"number"'), ('"fs.read"', '"fs.look"')))
    return Edited({**files, name: files[name].replace(one, other, 1)}, f"schema {one}")
