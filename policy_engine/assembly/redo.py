"""Loads a policy back from what the audit kept of it, to make its decisions again (`policy audit redo`).

The files may have changed or be gone, the host's program too: its functions answer what they answered then.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from policy_engine.assembly.clock import system_clock
from policy_engine.assembly.host_functions import HostFunction
from policy_engine.assembly.loading import compiled
from policy_engine.assembly.provision import FORMAT, given_again
from policy_engine.audit.encoding import canonical, to_json
from policy_engine.base.decision import Recorded
from policy_engine.base.errors import EvaluationError
from policy_engine.base.provision import Provision, ProvisionError
from policy_engine.base.values import Timestamp
from policy_engine.base.version import ENGINE_VERSION
from policy_engine.diagnostics.model import has_errors
from policy_engine.runtime.engine import Policy
from policy_engine.runtime.ports.history import HistoryStore
from policy_engine.stores.memory.history import MemoryHistory


class RecordedResolver:
    """Resolves what was resolved when the policy was loaded, and reads what was read then."""

    def __init__(self, provision: Provision) -> None:
        self._references = {(reference, file): found for reference, file, found in provision.about["references"]}
        self._shown: Mapping[str, str] = provision.about["shown"]
        self._contents = provision.sources

    def resolve(self, reference: str, relative_to: str | None) -> str:
        """As it was; raises `FileNotFoundError` for what was not there."""
        name = reference if relative_to is None else self._references.get((reference, relative_to), "")
        if name not in self._contents:
            raise FileNotFoundError(reference)
        return name

    def read(self, canonical: str) -> bytes:
        """What was read."""
        return self._contents[canonical]

    def display(self, canonical: str) -> str:
        """What messages called it."""
        return self._shown.get(canonical, canonical)


@dataclass
class Answers:
    """What pure functions of the host answered, anywhere in a log: they depend on their arguments alone."""

    known: dict[tuple[str, bytes], Recorded] = field(default_factory=dict)

    def add(self, recorded: Sequence[Recorded]) -> None:
        """More of them."""
        for one in recorded:
            self.known.setdefault((one.function, canonical(to_json(list(one.args)))), one)

    def of(self, function: str) -> Callable[..., Any]:
        """A function that answers as this one did; raises `Unanswered` where nobody knows."""

        def call(*arguments: Any) -> Any:
            found = self.known.get((function, canonical(to_json(list(arguments)))))
            if found is None:
                raise EvaluationError("not_available", f"what `{function}` answered is not recorded")
            if found.error is not None:
                raise EvaluationError("not_available", found.error)
            return found.value

        return call


@dataclass
class Again:
    """A policy loaded again. `now` is what its clock shows; `answers` are those of its pure functions."""

    policy: Policy
    about: Mapping[str, Any]
    answers: Answers
    now: Timestamp

    @property
    def engine(self) -> str | None:
        """The version of the engine that decided then, where it was another."""
        version = self.about.get("engine")
        return None if version == ENGINE_VERSION else str(version)


def loaded_again(provision: Provision, *, history: HistoryStore | None = None) -> Again:
    """The policy of a provision; raises `ProvisionError` where it does not load any more, or is of another time's form."""
    about = provision.about
    if about.get("format") != FORMAT:
        raise ProvisionError(f"the policy was kept in a form that this version does not read ({about.get('format')!r})")
    answers = Answers()
    try:
        params, tools, declared = given_again(about)
        functions = [
            HostFunction(
                one["name"], one["params"], one["result"], answers.of(one["name"]), pure=one["pure"], meaning=one["meaning"]
            )
            for one in declared
        ]
        compilation = compiled(
            RecordedResolver(provision), about["entries"], under=about["under"], params=params, functions=functions,
            tools=tools, executable=True,
        )  # fmt: skip
    except (LookupError, TypeError, ValueError) as fault:
        raise ProvisionError(f"what was kept of the policy cannot be read: {fault!r}") from fault
    if compilation.policy is None or has_errors(compilation.diagnostics):
        found = next((one.message for one in compilation.diagnostics), "no policy came of it")
        raise ProvisionError(f"the policy does not load with this version of the engine: {found}")
    again = Again(None, about, answers, system_clock())  # type: ignore[arg-type]
    again.policy = Policy(
        compilation.policy, lambda: again.now, records=bool(functions), history=history or MemoryHistory()
    )
    return again
