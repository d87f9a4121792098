"""The generated functions of a policy one by one, and what each reaches. Called by `artifact.py` and the lean form."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from types import CodeType, FunctionType
from typing import Any

from policy_engine.compiler.caching.plain import Encoder, Unencodable
from policy_engine.semantics.linking import Linked, link
from policy_engine.semantics.prelude import PRELUDE


class Generated:
    """The generated functions of a policy, each with what it reaches: other functions, constants."""

    def __init__(self, code: CodeType, constants: Mapping[str, Any]) -> None:
        if isinstance(constants, Linked):
            raise Unencodable("a policy that was stored already")
        self.constants = constants
        self.functions: dict[str, CodeType] = {}
        for name, found in link(code, constants).items():
            if name in PRELUDE or name in constants:
                continue
            if type(found) is not FunctionType or found.__closure__ or found.__defaults__ or found.__kwdefaults__:
                raise Unencodable(f"generated {name}")
            self.functions[name] = found.__code__

    def reached(self, names: Iterable[str]) -> tuple[dict[str, CodeType], dict[str, Any]]:
        """These functions and all they reach, and the constants that any of them reads; in a fixed order."""
        functions: dict[str, CodeType] = {}
        constants: dict[str, Any] = {}
        waiting = sorted(names, reverse=True)
        while waiting:
            name = waiting.pop()
            if name in functions:
                continue
            functions[name] = self.functions[name]
            for word in sorted(set(_words(functions[name])), reverse=True):
                if word in self.functions:
                    waiting.append(word)
                elif word in self.constants:
                    constants[word] = self.constants[word]
        return functions, constants


def functions_of(generated: Generated, encoder: Encoder) -> tuple[dict[str, CodeType], dict[str, Any]]:
    """All functions that the encoded values speak of, and the constants of those, encoded."""
    functions, constants = generated.reached(encoder.called)
    named = {name: encoder.encode(constant) for name, constant in constants.items()}
    missed = encoder.called - set(functions)  # constants that speak of functions
    while missed:
        more, others = generated.reached(missed)
        functions |= more
        named |= {name: encoder.encode(constant) for name, constant in others.items() if name not in named}
        missed = encoder.called - set(functions)
    return functions, named


def _words(code: CodeType) -> Iterator[str]:
    """Every global name (and attribute) that the code speaks of, in inner functions too."""
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, CodeType):
            yield from _words(constant)
