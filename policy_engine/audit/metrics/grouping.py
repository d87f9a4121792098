"""Metrics apart for each tool, or for each model, version of a prompt, policy … of the runs that records belong to."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from typing import Any, Final

from policy_engine.audit.metrics.counting import Rows
from policy_engine.audit.metrics.stats import Stats
from policy_engine.audit.metrics.told import Told

FIELDS: Final = {
    "agent.id": "agent", "agent.model": "model", "agent.prompt_version": "prompt_version", "policy": "policy", "mode": "mode",
    "task": "task",
}  # fmt: skip
"""What runs can be told apart by, and the field of the beginning of a run that holds it."""
BY: Final = ("tool", *FIELDS)
"""What records can be told apart by."""
UNKNOWN: Final = "(unknown)"
"""The group of runs whose beginning was not among the records, or does not say."""
MOST_GROUPS: Final = 200
MOST_RUNS: Final = 100_000


class RunFields:
    """Tells which group a run belongs to. `field` is a value of `FIELDS`; remembers so many runs, those seen last."""

    def __init__(self, field: str) -> None:
        self._field = field
        self._groups: OrderedDict[str, str] = OrderedDict()

    def group(self, record: Told) -> str:
        """The group of a record's run."""
        if record.kind == "run.begun":
            value: Any = record.body.get(self._field)
            self._groups[record.run] = value if isinstance(value, str) else UNKNOWN
            if len(self._groups) > MOST_RUNS:
                self._groups.popitem(last=False)
        return self._groups.get(record.run, UNKNOWN)


def grouped(records: Iterable[Told], by: str) -> dict[str, Stats]:
    """Metrics by group, by name. `by` is one of `BY`; records that are about no tool are left out where it is `tool`."""
    groups = Rows(Stats, MOST_GROUPS)
    fields = None if by == "tool" else RunFields(FIELDS[by])
    for record in records:
        if fields is not None and record.run:  # what is about no run belongs to no group
            groups.row(fields.group(record)).add(record)
        elif fields is None and isinstance(record.body.get("tool"), str):
            groups.row(record.body["tool"]).add(record)
    return dict(groups.items())
