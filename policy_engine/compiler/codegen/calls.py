"""Calls of functions: a few become Python's own (`len`, `in`, tests of an edge), the others call the one body they have.

A test of a known beginning is written `(text := x).removeprefix("ab") != text`: it takes half the time of `startswith`,
whose arguments CPython packs and unpacks at each call (measured: 8 against 32 ns beyond reading the text).
"""

from __future__ import annotations

import ast
from typing import Final

from policy_engine.base.errors import EvaluationError
from policy_engine.compiler.codegen import build
from policy_engine.compiler.codegen.comparison import set_display
from policy_engine.compiler.codegen.emitter import Emitter, LeftToTheInterpreter
from policy_engine.compiler.codegen.kinds import STRINGS
from policy_engine.compiler.codegen.literals import literal_text
from policy_engine.compiler.codegen.patterns import plain_pattern
from policy_engine.semantics.ast.expressions import Call, Expr
from policy_engine.semantics.context import FOLDED
from policy_engine.semantics.functions.catalogue import BY_NAME
from policy_engine.semantics.functions.declaration import Function
from policy_engine.semantics.functions.patterns import compiled
from policy_engine.semantics.prelude import body_name

_EDGES: Final = {"startsWith": "startswith", "endsWith": "endswith"}
_REMOVALS: Final = {"startswith": "removeprefix", "endswith": "removesuffix"}
_MOST_REMOVALS: Final = 3


def function_call(node: Call, emitter: Emitter) -> ast.expr:
    """A call that the language has; any other shape of call is left to the interpreter, which knows the error."""
    if node.function == FOLDED and emitter.context is not None:
        number, *arguments = (emitter.value(argument) for argument in node.args)
        return build.method(emitter.context, "folded", number, build.tuple_of(*arguments))
    function = emitter.functions.get(node.function)
    if function is None or function.body is None:
        raise LeftToTheInterpreter
    operands = node.args if node.target is None else (node.target, *node.args)
    if not _callable_so(function, node):
        raise LeftToTheInterpreter
    if BY_NAME.get(node.function) is function:
        native = _native(node.function, operands, emitter)
        if native is not None:
            return native
    return _by_body(function, operands, emitter)


def _callable_so(function: Function, node: Call) -> bool:
    return function.method if node.target is not None else (function.both or not function.method)


def _by_body(function: Function, operands: tuple[Expr, ...], emitter: Emitter) -> ast.expr:
    arguments = [emitter.value(operand) for operand in operands]
    if function.needs_context:
        if emitter.context is None:
            raise LeftToTheInterpreter
        arguments.insert(0, emitter.context)
    if BY_NAME.get(function.name) is function:
        return build.call(body_name(function.name), *arguments)
    name = emitter.constants.add(body_name(function.name), function.body, ("body", function.name))
    return build.call(name, *arguments)


def _native(name: str, operands: tuple[Expr, ...], emitter: Emitter) -> ast.expr | None:
    """Python's own operation where it is exact for these operands; it raises for the kinds that CEL refuses."""
    if name == "size":
        return build.call("len", emitter.value(operands[0]))
    if len(operands) != 2:
        return None
    subject, argument = operands
    texts = emitter.kinds(subject) == STRINGS, emitter.kinds(argument) == STRINGS
    if name in _EDGES and any(texts):  # bytes.startswith(text) raises, as does text.startswith(bytes)
        known = literal_text(argument)
        if known is None:
            return build.method(emitter.value(subject), _EDGES[name], emitter.value(argument))
        return _edge(emitter.value(subject), _EDGES[name], (known,), emitter)
    if name == "contains" and texts[0]:
        return build.compare(emitter.value(argument), ast.In(), emitter.value(subject))
    pattern = literal_text(argument)
    if name == "matches" and pattern is not None:
        return _guarded_matches(subject, pattern, texts[0], emitter)
    return None


def _edge(subject: ast.expr, edge: str, texts: tuple[str, ...], emitter: Emitter) -> ast.expr:
    """Whether a text begins (`startswith`) or ends with one of these. Raises for a subject that is no text."""
    if "" in texts or len(texts) > _MOST_REMOVALS:
        return build.method(subject, edge, build.tuple_of(*(build.constant(text) for text in texts)))
    seen = emitter.fresh("text")
    subjects = [build.bind(seen, subject), *(build.load(seen) for _ in texts)]
    return build.either(
        *(
            build.compare(build.method(one, _REMOVALS[edge], build.constant(text)), ast.NotEq(), build.load(seen))
            for one, text in zip(subjects, texts, strict=False)
        )
    )


def _guarded_matches(subject: Expr, pattern: str, is_text: bool, emitter: Emitter) -> ast.expr | None:
    if is_text:
        return _matches(emitter.value(subject), pattern, emitter)
    seen = emitter.fresh("text")
    code = _matches(build.load(seen), pattern, emitter)
    guard = build.of_class(build.bind(seen, emitter.value(subject)), "str")
    return None if code is None else build.choose(guard, code, build.divert())


def _matches(subject: ast.expr, pattern: str, emitter: Emitter) -> ast.expr | None:
    """A literal pattern over a text: a plain test where the pattern is one, else RE2 compiled once."""
    plain = plain_pattern(pattern)
    if plain is not None:
        texts: list[ast.expr] = [build.constant(text) for text in plain.texts]
        if plain.at_start and plain.at_end:
            if len(texts) == 1:
                return build.compare(subject, ast.Eq(), texts[0])
            return build.compare(subject, ast.In(), set_display(list(plain.texts)))
        if plain.at_start or plain.at_end:
            return _edge(subject, "startswith" if plain.at_start else "endswith", plain.texts, emitter)
        if len(texts) == 1:
            return build.compare(texts[0], ast.In(), subject)
    try:
        search = compiled(pattern).search
    except EvaluationError:
        return None
    name = emitter.constants.add("pattern", search, ("pattern", pattern))
    return build.compare(build.call(name, subject), ast.IsNot(), build.constant(None))
