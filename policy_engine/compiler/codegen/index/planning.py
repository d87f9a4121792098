"""The plan of an index: for each rule the conjunct that leaves the fewest others beside it, group by group.

Called by `module.py` for a batch with many conditions. A rule's chosen conjunct puts it into a table; what is left of
its condition is tested when the table finds it, through tables again where it finds many. Each table also plans what
becomes of its rules where that conjunct is an error. The same conditions make the same plan.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, Protocol

from policy_engine.compiler.codegen.index.atoms import BOUNDS, Atom, atom_of
from policy_engine.compiler.codegen.index.conjuncts import Path, conjuncts, decidable, needed
from policy_engine.semantics.artifact import IndexBucket, IndexNode, IndexTable
from policy_engine.semantics.ast.expressions import Expr, Literal, children, shape
from policy_engine.semantics.functions.declaration import Function

_FEWEST_IN_TABLE: Final = 4
"""A table costs about as much as testing so many rules."""
_FEWEST_TO_GATE: Final = 8
_DEEPEST: Final = 8
_LARGEST_SHARED: Final = 24
_BOUND_FAMILIES: Final = frozenset(BOUNDS.values())


class Parts(Protocol):
    """Makes the generated functions that a plan speaks of; the same number again for the same tests."""

    def test(self, tests: Sequence[Expr]) -> int:
        """A function that gives whether all of these hold."""
        ...

    def block(self, rules: Sequence[tuple[int, Sequence[Expr]]], *, failed: bool) -> int:
        """A function that gives the mask of these rules."""
        ...


@dataclass(frozen=True, slots=True)
class _Rule:
    """A rule on its way through the plan: which of its conjuncts are left, which found it already, which paths are there."""

    number: int
    left: tuple[int, ...]
    used: frozenset[int] = frozenset()
    there: frozenset[Path] = frozenset()


_Group = tuple[Any, ...]


@dataclass(slots=True)
class _Choice:
    """The table that a rule would go into, by which conjunct, and how many others it would be found with."""

    cost: float
    group: _Group
    conjunct: int
    atom: Atom | None


@dataclass(slots=True)
class Planner:
    """Plans one batch."""

    functions: Mapping[str, Function]
    parts: Parts
    _conjuncts: list[tuple[Expr, ...]] = field(default_factory=list)
    _decidable: list[int] = field(default_factory=list)
    _atoms: dict[tuple[int, int], Atom | None] = field(default_factory=dict)
    _groups: dict[tuple[int, int], _Group | None] = field(default_factory=dict)
    _needed: dict[tuple[int, int], frozenset[Path]] = field(default_factory=dict)

    def plan(self, conditions: Sequence[Expr]) -> IndexNode | None:
        """The root of the index; None where no table would help."""
        rules = []
        for number, condition in enumerate(conditions):
            taken = () if isinstance(condition, Literal) and condition.value is True else conjuncts(condition)
            self._conjuncts.append(taken)
            self._decidable.append(decidable(taken))
            if not (isinstance(condition, Literal) and condition.value is False):
                rules.append(_Rule(number, tuple(range(len(taken)))))
        root = self._node(rules, failed=False, depth=0)
        return root if root.tables else None

    # ------------------------------------------------------------------ nodes
    def _node(self, rules: list[_Rule], *, failed: bool, depth: int) -> IndexNode:
        settled = [rule for rule in rules if not rule.left]
        open_ = [rule for rule in rules if rule.left]
        tables: list[IndexTable] = []
        if len(open_) >= _FEWEST_IN_TABLE and depth < _DEEPEST:
            grouped, gated, open_ = self._shared_out(open_)
            for members in grouped.values():
                tables.append(self._table(members, failed=failed, depth=depth))
            for path, waiting in gated.items():
                tables.append(self._gate(path, waiting, failed=failed, depth=depth))
        entries = [(rule.number, -1) for rule in settled]
        blocks: tuple[int, ...] = ()
        if len(open_) >= _FEWEST_IN_TABLE:
            blocks = (self.parts.block([(rule.number, self._tests(rule)) for rule in open_], failed=failed),)
        else:
            entries += [(rule.number, self.parts.test(self._tests(rule))) for rule in open_]
        return IndexNode(failed, tuple(tables), blocks, tuple(entries))

    def _tests(self, rule: _Rule) -> list[Expr]:
        return [self._conjuncts[rule.number][conjunct] for conjunct in rule.left]

    def _bucket(self, rules: list[_Rule], *, failed: bool, depth: int) -> IndexBucket:
        if len(rules) > 1:
            return self._node(rules, failed=failed, depth=depth + 1)
        rule = rules[0]
        return (rule.number, self.parts.test(self._tests(rule))) if rule.left else rule.number

    # ------------------------------------------------------------------ choosing
    def _shared_out(
        self, rules: list[_Rule]
    ) -> tuple[dict[_Group, list[tuple[_Rule, _Choice]]], dict[Path, list[_Rule]], list[_Rule]]:
        """Rules by the table they go into, rules by the path that must be there first, and those nothing would help."""
        choices = self._choices(rules)
        waiting = [rule for rule in rules if rule.number not in choices or self._waits(rule, choices[rule.number])]
        gated, rest = self._gated(waiting)
        gone = {rule.number for members in gated.values() for rule in members}
        grouped: dict[_Group, list[tuple[_Rule, _Choice]]] = {}
        for rule in rules:
            if rule.number in choices and rule.number not in gone:
                choice = choices[rule.number]
                grouped.setdefault(choice.group, []).append((rule, choice))
        small = [group for group, members in grouped.items() if len(members) < _FEWEST_IN_TABLE]
        alone = {rule.number for group in small for rule, _ in grouped.pop(group)}
        alone |= {rule.number for rule in rest if rule.number not in choices}
        return grouped, gated, [rule for rule in rules if rule.number in alone]

    def _choices(self, rules: list[_Rule]) -> dict[int, _Choice]:
        """The best table for each rule that has one."""
        sizes: Counter[_Group] = Counter()
        keyed: Counter[tuple[_Group, Any]] = Counter()
        for rule in rules:
            for conjunct in self._choosable(rule):
                group = self._group(rule.number, conjunct)
                if group is not None:
                    sizes[group] += 1
                    atom = self._atom(rule.number, conjunct)
                    keyed.update((group, _marked(key)) for key in (() if atom is None else atom.keys))
        found = ((rule.number, self._best(rule, sizes, keyed)) for rule in rules)
        return {number: choice for number, choice in found if choice is not None}

    def _best(
        self, rule: _Rule, sizes: Mapping[_Group, int], keyed: Mapping[tuple[_Group, Any], int]
    ) -> _Choice | None:
        best: _Choice | None = None
        for conjunct in self._choosable(rule):
            group = self._group(rule.number, conjunct)
            if group is None or sizes[group] < _FEWEST_IN_TABLE:
                continue
            atom = self._atom(rule.number, conjunct)
            if atom is None:
                cost = sizes[group] / 2 + 1
            elif atom.family in _BOUND_FAMILIES:
                cost = 1 if len(rule.left) == 1 else sizes[group] / 2
            else:
                cost = max((keyed[group, _marked(key)] for key in atom.keys), default=0)
                cost += {"pattern": 2, "begins": 0.5, "ends": 0.5}.get(atom.family, 0)
            if best is None or cost < best.cost:
                best = _Choice(cost, group, conjunct, atom)
        return best

    def _choosable(self, rule: _Rule) -> Iterable[int]:
        most = self._decidable[rule.number]
        return (conjunct for conjunct in rule.left if conjunct < most and conjunct not in rule.used)

    def _atom(self, number: int, conjunct: int) -> Atom | None:
        key = (number, conjunct)
        if key not in self._atoms:
            self._atoms[key] = atom_of(self._conjuncts[number][conjunct], self.functions)
        return self._atoms[key]

    def _group(self, number: int, conjunct: int) -> _Group | None:
        """What names the table: family and path, or the test itself where several rules may share it."""
        key = (number, conjunct)
        if key not in self._groups:
            atom, node = self._atom(number, conjunct), self._conjuncts[number][conjunct]
            if atom is not None:
                self._groups[key] = (atom.family, atom.path, atom.encoded)
            else:
                self._groups[key] = ("test", shape(node)) if _nodes(node, _LARGEST_SHARED) <= _LARGEST_SHARED else None
        return self._groups[key]

    # ------------------------------------------------------------------ tables
    def _table(self, members: list[tuple[_Rule, _Choice]], *, failed: bool, depth: int) -> IndexTable:
        by_key: dict[Any, list[_Rule]] = {}
        keys: dict[Any, Any] = {}
        failing, bounds = [], []
        for rule, choice in members:
            without = tuple(conjunct for conjunct in rule.left if conjunct != choice.conjunct)
            failing.append(_Rule(rule.number, without, rule.used, rule.there))
            found = failing[-1]
            atom = choice.atom
            if atom is not None and not atom.exact:
                found = _Rule(rule.number, rule.left, rule.used | {choice.conjunct}, rule.there)
            if atom is not None and atom.family in _BOUND_FAMILIES:
                bounds.append((atom.keys[0], self._bucket([found], failed=failed, depth=depth)))
                continue
            for key in dict.fromkeys(map(_marked, (None,) if atom is None else atom.keys)):
                by_key.setdefault(key, []).append(found)
                keys.setdefault(key, key[1])
        rows = tuple((keys[key], self._bucket(found, failed=failed, depth=depth)) for key, found in by_key.items())
        rejected = self._node(failing, failed=True, depth=depth + 1)
        rule, choice = members[0]
        if choice.atom is None:
            expression = self._conjuncts[rule.number][choice.conjunct]
            return IndexTable("test", (), rows, rejected, part=self.parts.test([expression]), expression=expression)
        return IndexTable(choice.atom.family, choice.atom.path, tuple(bounds) or rows, rejected, choice.atom.encoded)

    # ------------------------------------------------------------------ gates
    def _needs(self, rule: _Rule) -> dict[Path, set[int]]:
        """The paths that conjuncts of the rule cannot do without, and which conjuncts those are."""
        found: dict[Path, set[int]] = {}
        for conjunct in rule.left:
            if conjunct < self._decidable[rule.number]:
                key = (rule.number, conjunct)
                if key not in self._needed:
                    self._needed[key] = needed(self._conjuncts[rule.number][conjunct])
                for path in self._needed[key] - rule.there:
                    found.setdefault(path, set()).add(conjunct)
        return found

    def _waits(self, rule: _Rule, choice: _Choice) -> bool:
        """Whether the table would find many, and other paths must be there for them: then those are looked for first."""
        own = None if choice.atom is None else choice.atom.path
        return choice.cost > _FEWEST_TO_GATE and any(path != own for path in self._needs(rule))

    def _gated(self, rules: list[_Rule]) -> tuple[dict[Path, list[_Rule]], list[_Rule]]:
        """Rules by the path that must be there for them, the commonest first."""
        counts = Counter(path for rule in rules for path in self._needs(rule))
        gated: dict[Path, list[_Rule]] = {}
        rest = []
        for rule in rules:
            paths = [path for path in self._needs(rule) if counts[path] >= _FEWEST_TO_GATE]
            if paths:
                gated.setdefault(min(paths, key=lambda path: (-counts[path], path)), []).append(rule)
            else:
                rest.append(rule)
        return gated, rest

    def _gate(self, path: Path, rules: list[_Rule], *, failed: bool, depth: int) -> IndexTable:
        there = [_Rule(rule.number, rule.left, rule.used, rule.there | {path}) for rule in rules]
        failing = []
        for rule in rules:
            errors = self._needs(rule)[path]
            left = tuple(conjunct for conjunct in rule.left if conjunct not in errors)
            failing.append(_Rule(rule.number, left, rule.used, rule.there))
        inner = self._bucket(there, failed=failed, depth=depth)
        return IndexTable("present", path, ((None, inner),), self._node(failing, failed=True, depth=depth + 1))


def _marked(key: Any) -> tuple[bool, Any]:
    """Keys as CEL tells them apart: True is not 1."""
    return (type(key) is bool, key)


def _nodes(node: Expr, most: int) -> int:
    """How many nodes an expression has, or more than `most`."""
    count = 1
    for child in children(node):
        if count > most:
            break
        count += _nodes(child, most)
    return count


