"""Running an index: `search` is the word of the prelude with which the generated function of a large batch begins.

Promises exactly the mask that testing every condition would give. A table may leave a rule out only where one of its
conjuncts is certainly *false*: `false && error` is false. Where a conjunct is an *error* the rest of the rule decides
between an error and false, found through tables of its own, so that a field left out costs no more than a wrong value.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from sys import intern
from typing import Any, TypeAlias

from policy_engine.base.errors import EvaluationError
from policy_engine.semantics.activation import Names
from policy_engine.semantics.artifact import Index, IndexBucket, IndexNode, IndexTable
from policy_engine.semantics.evaluation import diverted, interpreted
from policy_engine.semantics.index.lookups import LOOKUPS, Found, Ready, Room, Run
from policy_engine.semantics.index.masks import Bits, mask_of
from policy_engine.semantics.operations import select

Parts: TypeAlias = Sequence[Callable[[Any, Any, Any], Any]]


def search(index: Index, parts: Callable[[], Parts], args: Any, principal: Any, environment: Any) -> int:
    """The mask of the index's batch. `parts` gives the generated functions that the index speaks of by number."""
    try:
        run = index.ready
        if run is None:
            run = _prepared(index, parts)
        return run(args, principal, environment)  # type: ignore[no-any-return]
    except Exception:  # stack or memory ran out somewhere: every condition on its own, by the interpreter
        mask = 0
        for number in range(len(index.batch.conditions)):
            mask |= diverted(index.batch, number, args, principal, environment)
        return mask


def _prepared(index: Index, parts: Callable[[], Parts]) -> Run:
    """The index ready to run, kept with it; two threads that meet here make the same thing twice."""
    run = _Maker(index, parts()).node(index.root)
    object.__setattr__(index, "ready", run)
    return run


class _Maker:
    """Makes functions of nodes and tables."""

    def __init__(self, index: Index, parts: Parts) -> None:
        self._batch = index.batch
        self._parts = parts
        self._bits = Bits(index.batch.on_error)

    def node(self, node: IndexNode) -> Run:
        """All rules of a node."""
        fixed = mask_of((number for number, part in node.entries if part < 0), self._bits.size)
        if node.failed:
            fixed = self._bits.errors(fixed)
        runs: list[Run] = [self._table(table, node.failed) for table in node.tables]
        runs += [self._parts[block] for block in node.blocks]
        tested = [(number, self._parts[part]) for number, part in node.entries if part >= 0]
        if tested:
            runs.append(self._tested(tuple(tested), node.failed))
        if len(runs) == 1 and not fixed:
            return runs[0]
        return _all(tuple(runs), fixed) if runs else _always(fixed)

    def _tested(self, tested: tuple[tuple[int, Run], ...], failed: bool) -> Run:
        batch, error = self._batch, self._bits.error

        def run(args: Any, principal: Any, environment: Any) -> int:
            mask = 0
            for number, test in tested:
                try:
                    if test(args, principal, environment):
                        mask |= error(number) if failed else 1 << number
                except Exception:
                    mask |= diverted(batch, number, args, principal, environment)
            return mask

        return run

    def _bucket(self, bucket: IndexBucket) -> Ready:
        if isinstance(bucket, IndexNode):
            return self.node(bucket)
        return bucket if isinstance(bucket, int) else (bucket[0], self._parts[bucket[1]])

    def _table(self, table: IndexTable, failed: bool) -> Run:
        failing = self.node(table.failing)
        rows = [(key, self._bucket(bucket)) for key, bucket in table.rows]
        if table.family == "test":
            return self._shared(table, rows[0][1], failing, failed)
        if table.family == "present":
            return _gate(table.path, _run_of(rows[0][1], self._taker(failed)), failing)
        room = Room(rows, failing, self._taker(failed), self._bits, failed, table.encoded)
        return _reading(table.path, LOOKUPS[table.family](room), failing)

    def _taker(self, failed: bool) -> Callable[[Ready, Any, Any, Any], int]:
        """What the rules of a bucket come to."""
        batch, error = self._batch, self._bits.error

        def take(bucket: Any, args: Any, principal: Any, environment: Any) -> int:
            if bucket.__class__ is int:
                return error(bucket) if failed else 1 << bucket
            if bucket.__class__ is not tuple:
                return bucket(args, principal, environment)  # type: ignore[no-any-return]
            number, test = bucket
            try:
                if not test(args, principal, environment):
                    return 0
            except Exception:
                return diverted(batch, number, args, principal, environment)
            return error(number) if failed else 1 << number

        return take

    def _shared(self, table: IndexTable, bucket: Ready, failing: Run, failed: bool) -> Run:
        take, test, expression, functions = self._taker(failed), self._parts[table.part], table.expression, self._batch.functions
        if expression is None:
            raise ValueError("a test without its expression")

        def run(args: Any, principal: Any, environment: Any) -> int:
            try:
                answer = test(args, principal, environment)
            except Exception:
                try:
                    answer = interpreted(expression, Names(args, principal, environment), environment, functions=functions)
                except EvaluationError:
                    return failing(args, principal, environment)
            if answer is True:
                return take(bucket, args, principal, environment)
            return 0 if answer is False else failing(args, principal, environment)

        return run


def _all(runs: tuple[Run, ...], fixed: int) -> Run:
    def run(args: Any, principal: Any, environment: Any) -> int:
        mask = fixed
        for one in runs:
            more = one(args, principal, environment)
            if more:
                mask = mask | more if mask else more
        return mask

    return run


def _always(fixed: int) -> Run:
    def run(args: Any, principal: Any, environment: Any) -> int:
        return fixed

    return run


def _run_of(bucket: Ready, take: Callable[[Ready, Any, Any, Any], int]) -> Run:
    """The rules of a bucket as one function."""
    if callable(bucket):
        return bucket

    def run(args: Any, principal: Any, environment: Any) -> int:
        return take(bucket, args, principal, environment)

    return run


def _gate(path: tuple[str, ...], inner: Run, failing: Run) -> Run:
    """All rules behind it, where the path can be read."""

    def found(value: Any, args: Any, principal: Any, environment: Any) -> int:
        return inner(args, principal, environment)

    careful = _reading(path, found, failing)
    if len(path) != 2 or path[0] != "args":
        return careful
    field = intern(path[1])

    def of_args(args: Any, principal: Any, environment: Any) -> int:
        if args.__class__ is dict:
            return inner(args, principal, environment) if field in args else failing(args, principal, environment)
        return careful(args, principal, environment)

    return of_args


def _reading(path: tuple[str, ...], found: Found, failing: Run) -> Run:
    """Reads the path, then looks up what is there; what cannot be read is an error of every rule of the table."""
    root, *steps = path

    def careful(args: Any, principal: Any, environment: Any) -> int:
        try:
            value = args if root == "args" else principal if root == "principal" else getattr(environment, root)
            for step in steps:
                value = select(value, step)
        except Exception:
            return failing(args, principal, environment)
        return found(value, args, principal, environment)

    if root not in ("args", "principal") or len(steps) != 1:
        return careful
    field = intern(steps[0])

    def of_args(args: Any, principal: Any, environment: Any, field: str = field, found: Found = found) -> int:
        if args.__class__ is dict:
            if field in args:
                return found(args[field], args, principal, environment)
            return failing(args, principal, environment)
        return careful(args, principal, environment)

    def of_principal(args: Any, principal: Any, environment: Any, field: str = field, found: Found = found) -> int:
        if principal.__class__ is dict:
            if field in principal:
                return found(principal[field], args, principal, environment)
            return failing(args, principal, environment)
        return careful(args, principal, environment)

    return of_args if root == "args" else of_principal
