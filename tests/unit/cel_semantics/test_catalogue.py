"""The functions of the language: each declared once, with a meaning and examples that are true."""

from __future__ import annotations

import pytest

from policy_engine import cel
from policy_engine.base.errors import EvaluationError
from policy_engine.base.source import NOWHERE
from policy_engine.semantics.ast.expressions import Call, Literal
from policy_engine.semantics.functions.catalogue import BY_NAME, FUNCTIONS
from policy_engine.semantics.functions.declaration import Example, Function, Overload
from policy_engine.semantics.interpreter import interpret
from policy_engine.semantics.types import STRING

RUNNABLE = [
    pytest.param(example, id=f"{function.name}: {example.expression}")
    for function in FUNCTIONS
    if function.body is not None
    for example in function.examples
]


def test_names_are_unique() -> None:
    """No function hides another of its name."""
    assert len(BY_NAME) == len(FUNCTIONS)


@pytest.mark.parametrize("function", FUNCTIONS, ids=lambda function: function.name)
def test_a_function_says_what_it_means(function: Function) -> None:
    """Each has a sentence, a signature, and an example unless it depends on a run or a file."""
    assert function.meaning.endswith((".", "…"))
    assert function.overloads
    assert function.examples or function.needs_context or function.name == "fits"


@pytest.mark.parametrize("backend", ["generated", "interpreter"])
@pytest.mark.parametrize("example", RUNNABLE)
def test_an_example_is_true(example: Example, backend: cel.Backend) -> None:
    """The expression and the value beside it come to the same, and the checker lets both pass."""
    compared = f"({example.expression}) == ({example.value})"
    assert cel.compile(compared, {}).evaluate(backend=backend) is True


def test_every_function_has_a_body() -> None:
    """What the language names it also does; a host's function that is only declared is refused by `load`."""
    assert [function.name for function in FUNCTIONS if function.body is None] == []


def test_a_function_without_a_body_is_an_error_when_called() -> None:
    """What is declared only never comes to a value in silence."""
    declared = Function("later", (Overload((STRING,), STRING),), "Not yet.", (), None)
    call = Call("later", None, (Literal("x", NOWHERE),), NOWHERE)
    with pytest.raises(EvaluationError) as problem:
        interpret(call, {}, functions={"later": declared})
    assert problem.value.kind == "not_available"
