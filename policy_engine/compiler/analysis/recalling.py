"""Facts of rules: learned while a rule is checked, and put in the place of a check when they are known already.

Called by `rules`. Only a rule of which nothing at all was found, not even a note, leaves a fact: findings show places and
other rules, and are made anew each time.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from policy_engine.compiler.analysis.draft import Draft, Layer, Subject
from policy_engine.compiler.analysis.memory import Fact
from policy_engine.compiler.analysis.targets import EVENT_SUBJECTS


@dataclass
class Heard:
    """What the check of one rule used. `clean` = nothing was found."""

    names: set[str] = field(default_factory=set)
    words: set[str] = field(default_factory=set)
    labels: set[str] = field(default_factory=set)
    queues: set[str] = field(default_factory=set)
    extras: set[str] = field(default_factory=set)
    clean: bool = False

    def fact(self, groups: tuple[tuple[Subject, ...], ...]) -> Fact | None:
        """The fact to keep, if the rule may be taken for checked."""
        if not self.clean or self.extras:
            return None
        named = tuple(tuple(subject.name for subject in group) for group in groups)
        return Fact(named, *map(_sorted, (self.names, self.words, self.labels, self.queues)))


def _sorted(words: set[str]) -> tuple[str, ...]:
    return tuple(sorted(words))


@contextmanager
def listening(draft: Draft, layer: Layer) -> Iterator[Heard]:
    """What is used inside is heard, and counts as used afterwards."""
    heard, told = Heard(), draft.collector.told
    before = layer.read_names, layer.targets.used_groups, draft.used_labels, draft.used_queues, draft.extras
    own = heard.names, heard.words, heard.labels, heard.queues, heard.extras
    layer.read_names, layer.targets.used_groups, draft.used_labels, draft.used_queues, draft.extras = own
    try:
        yield heard
    finally:
        layer.read_names, layer.targets.used_groups, draft.used_labels, draft.used_queues, draft.extras = before
        for known, found in zip(before, own, strict=True):
            known |= found
    heard.clean = draft.collector.told == told


def recalled(draft: Draft, layer: Layer, fact: Fact) -> tuple[tuple[Subject, ...], ...]:
    """The groups of a rule that was checked before, as if it were checked now."""
    layer.read_names.update(fact.names)
    layer.targets.used_groups.update(fact.words)
    draft.used_labels.update(fact.labels)
    draft.used_queues.update(fact.queues)
    return tuple(tuple(_subject(draft, name) for name in group) for group in fact.groups)


def _subject(draft: Draft, name: str) -> Subject:
    return EVENT_SUBJECTS[name] if name in EVENT_SUBJECTS else draft.tools[name]
