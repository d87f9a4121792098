"""`history NAME by KEY for D`: the word NAME in an expression becomes a question with the key of this very call.

Called while a policy is built. The key stands in the expression that asks, so that a key that is an error makes exactly
those conditions errors that read it.
"""

from __future__ import annotations

from dataclasses import replace

from policy_engine.compiler.analysis.checking import LayerTools
from policy_engine.compiler.analysis.draft import Layer, Subject
from policy_engine.compiler.analysis.rebuilding import bound_for_children, rebuilt
from policy_engine.semantics.ast.expressions import Call, Expr, Literal, Name, children
from policy_engine.semantics.context import FOLDED


def qualified(layer: Layer, name: str) -> str:
    """The name of a history among those of all layers."""
    return f"{layer.name}/{name}"


def with_histories(node: Expr, tools: LayerTools, subject: Subject) -> Expr:
    """The expression with each history asked for; itself where the layer has none."""
    if not tools.layer.histories:
        return node
    keys = {
        name: tools.expander.expand(history.key, subject).final for name, history in tools.layer.histories.items()
    }
    return _asked(node, tools.layer, keys, frozenset())


def _asked(node: Expr, layer: Layer, keys: dict[str, Expr], bound: frozenset[str]) -> Expr:
    if isinstance(node, Name):
        if node.name not in keys or (node.name in bound and not node.rooted):
            return node
        key = _outside(keys[node.name], bound)
        return Call(FOLDED, None, (Literal(qualified(layer, node.name), node.span), key), node.span)
    parts = tuple(
        _asked(child, layer, keys, bound | frozenset(variables))
        for child, variables in zip(children(node), bound_for_children(node), strict=True)
    )
    return rebuilt(node, parts, fresh=False)


def _outside(key: Expr, hidden: frozenset[str]) -> Expr:
    """The key with its names kept from meaning a macro's variable around the place where it is put."""
    if isinstance(key, Name):
        return replace(key, rooted=True) if key.name in hidden else key
    parts = tuple(
        _outside(child, hidden - frozenset(variables))
        for child, variables in zip(children(key), bound_for_children(key), strict=True)
    )
    return rebuilt(key, parts, fresh=False)
