"""Arguments of a Python call ⇄ the record that a policy decides about: the same record, however they were passed."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from typing import Any


class Binder:
    """Knows one function's signature. `hide` names parameters that belong to the host; `self` and `cls` always do."""

    def __init__(self, function: Callable[..., Any], hide: Sequence[str]) -> None:
        """Raises `TypeError` or `ValueError` where Python knows no signature."""
        try:
            self._signature = inspect.signature(function, eval_str=True)
        except NameError:  # annotations that exist for type checkers only
            self._signature = inspect.signature(function)
        names = list(self._signature.parameters)
        own = names[:1] if names[:1] in (["self"], ["cls"]) else []
        self._hidden = frozenset([*own, *hide])

    @property
    def parameters(self) -> tuple[inspect.Parameter, ...]:
        """The parameters that a policy sees."""
        return tuple(one for one in self._signature.parameters.values() if one.name not in self._hidden)

    def bind(self, args: tuple[Any, ...], kwargs: Mapping[str, Any]) -> inspect.BoundArguments:
        """As Python would bind them, defaults left out; raises `TypeError` where Python would."""
        return self._signature.bind(*args, **kwargs)

    def shown(self, bound: inspect.BoundArguments) -> dict[str, Any]:
        """What the policy decides about. Keyword arguments caught by `**` stand beside the others.

        Raises `TypeError` where one of them has the name of a positional-only or hidden parameter: it could hide it.
        """
        record: dict[str, Any] = {}
        for parameter in self.parameters:
            if parameter.name not in bound.arguments:
                continue
            value = bound.arguments[parameter.name]
            if parameter.kind is parameter.VAR_KEYWORD:
                for name in value:
                    if name in self._signature.parameters:
                        raise TypeError(f"{name} is given twice")
                record.update(value)
            else:
                record[parameter.name] = list(value) if parameter.kind is parameter.VAR_POSITIONAL else value
        return record

    def rebuilt(self, bound: inspect.BoundArguments, decided: Mapping[str, Any]) -> inspect.BoundArguments:
        """The call with the decided record in place of what was given; the host's own parameters stay."""
        arguments = {name: value for name, value in bound.arguments.items() if name in self._hidden}
        rest = dict(decided)
        for parameter in self.parameters:
            if parameter.kind is parameter.VAR_KEYWORD:
                continue
            if parameter.name in rest:
                value = rest.pop(parameter.name)
                arguments[parameter.name] = tuple(value) if parameter.kind is parameter.VAR_POSITIONAL else value
        caught = next((one for one in self.parameters if one.kind is one.VAR_KEYWORD), None)
        if caught is not None and rest:
            arguments[caught.name] = rest
        elif rest:
            raise TypeError(f"the decided arguments {sorted(rest)} are not parameters of this function")
        ordered = {name: arguments[name] for name in self._signature.parameters if name in arguments}
        return inspect.BoundArguments(self._signature, ordered)
