"""What one compilation of a policy leaves for the next, under keys that stand for all that can influence it but places.

`keys.py` makes the keys, `rules` and `building` fill and read it, `caching` keeps it between processes.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple


class Fact(NamedTuple):
    """What is known of a rule with which nothing is wrong: its subjects in groups that read alike, and what it uses.

    `names` are declared words that its expressions read, `words` groups among its targets.
    """

    groups: tuple[tuple[str, ...], ...]
    names: tuple[str, ...]
    words: tuple[str, ...]
    labels: tuple[str, ...]
    queues: tuple[str, ...]


@dataclass
class Memory:
    """Items as they were parsed, facts by rule, and the tools whose plan is known by the key of the plan."""

    items: dict[bytes, bytes] = field(default_factory=dict)
    facts: dict[bytes, Fact] = field(default_factory=dict)
    plans: dict[bytes, str] = field(default_factory=dict)
