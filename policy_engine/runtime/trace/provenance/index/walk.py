"""The leaves of one record for the index: the same as `leaves.leaves_of` gives, without an object and a path for each.

Where a leaf stands is kept as the number of the list or map around it and the step from there; the path is written when
somebody asks for it. Called by `places`.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from typing import Any, Final, TypeAlias

from policy_engine.runtime.trace.provenance.leaves import LabelAt, covers, step

Step: TypeAlias = str | int
Labels: TypeAlias = tuple[frozenset[str], frozenset[str]]
"""Labels put on, labels taken off."""
ROOT: Final = -1
_NONE: Final[Labels] = (frozenset(), frozenset())
_INNER_EDGE: Final = re.compile(r"[.\[]")


class Walk:
    """Goes through records one after another. Remembers the containers and the steps of all leaves, in order.

    `values` and `labels` are those of the leaves of the last record. `paths` are those of the containers, as far as
    somebody asked, and `fields` how the names of fields are written in them.
    """

    def __init__(self) -> None:
        self.values: list[Any] = []
        self.labels: list[Labels] = []
        self.containers: list[int] = []
        self.steps: list[Step] = []
        self._above: list[int] = []
        self._last: list[Step] = []
        self.paths: dict[int, str] = {}
        self.fields: dict[Step, str] = {}

    def through(self, value: Any, root: str, marks: Sequence[LabelAt]) -> None:
        """Every leaf of the value that stands at the path `root`, in order."""
        self.values, self.labels = [], []
        everywhere = [mark for mark in marks if covers(mark.path, root)]
        labels = _with(_NONE, everywhere)
        if len(everywhere) < len(marks):
            _MarkedWalk(self, marks).through(value, ROOT, root, root, root, labels)
        elif isinstance(value, (dict, list)):
            self._inside(value, self.container(ROOT, root))
            self.labels = [labels] * len(self.values)
        elif value is not None:
            self.visit(value, ROOT, root, labels)

    def _inside(self, value: dict[Any, Any] | list[Any], here: int) -> None:
        values, containers, steps, fields = self.values, self.containers, self.steps, self.fields
        if isinstance(value, list):
            for index, item in enumerate(value):
                if isinstance(item, (dict, list)):
                    self._inside(item, self.container(here, index))
                elif item is not None:
                    values.append(item)
                    containers.append(here)
                    steps.append(index)
            return
        for key, item in value.items():
            if key not in fields and self.is_data(key):
                values.append(key)
                containers.append(here)
                steps.append(key)
            if isinstance(item, (dict, list)):
                self._inside(item, self.container(here, str(key)))
            elif item is not None:
                values.append(item)
                containers.append(here)
                steps.append(str(key))

    def is_data(self, key: Any) -> bool:
        """Whether a key is itself data; the names of fields are remembered, with how they are written in a path."""
        if not isinstance(key, str):
            return False
        written, data = step(key)
        if not data:
            self.fields[key] = written
        return data

    def visit(self, value: Any, above: int, last: Step, labels: Labels) -> None:
        """Note a leaf."""
        self.values.append(value)
        self.labels.append(labels)
        self.containers.append(above)
        self.steps.append(last)

    def container(self, above: int, last: Step) -> int:
        """The number of a new list or map."""
        self._above.append(above)
        self._last.append(last)
        return len(self._above) - 1

    def path(self, leaf: int) -> str:
        """How the path of a leaf is written."""
        return self._written(self.containers[leaf], self.steps[leaf])

    def _written(self, above: int, last: Step) -> str:
        if above == ROOT:
            return str(last)
        around = self.paths.get(above)
        if around is None:
            around = self.paths[above] = self._written(self._above[above], self._last[above])
        return f"{around}[{last}]" if isinstance(last, int) else around + step(last)[0]


class _MarkedWalk:
    """The same where parts of a record have labels of their own: paths are written as it goes, and looked up."""

    def __init__(self, walk: Walk, marks: Iterable[LabelAt]) -> None:
        self._walk = walk
        self._marks: dict[str, list[LabelAt]] = {}
        for mark in marks:
            self._marks.setdefault(mark.path, []).append(mark)

    def through(self, value: Any, above: int, last: Step, at: str, plain: str, labels: Labels) -> None:
        """Every leaf of the value at the path `at`, `plain` with keys unquoted; `labels` reach it from above."""
        walk = self._walk
        if isinstance(value, dict):
            here = walk.container(above, last)
            for key, item in value.items():
                name = str(key)
                inside, bare = at + step(name)[0], f"{plain}.{key}"
                reached = self._reached(self._reached(labels, inside, len(at)), bare, len(plain))
                if walk.is_data(key):
                    walk.visit(key, here, name, reached)
                self.through(item, here, name, inside, bare, reached)
        elif isinstance(value, list):
            here = walk.container(above, last)
            for index, item in enumerate(value):
                inside, bare = f"{at}[{index}]", f"{plain}[{index}]"
                reached = self._reached(self._reached(labels, inside, len(at)), bare, len(plain))
                self.through(item, here, index, inside, bare, reached)
        elif value is not None:
            walk.visit(value, above, last, labels)

    def _reached(self, labels: Labels, path: str, start: int) -> Labels:
        """With the labels of marks that end in the new part of the path: at its end, or before a `.` or `[` in it."""
        for edge in _INNER_EDGE.finditer(path, start + 1):
            labels = _with(labels, self._marks.get(path[: edge.start()], ()))
        return _with(labels, self._marks.get(path, ()))


def _with(labels: Labels, marks: Iterable[LabelAt]) -> Labels:
    if not marks:
        return labels
    on, off = labels
    return on.union(mark.label for mark in marks if mark.add), off.union(mark.label for mark in marks if not mark.add)
