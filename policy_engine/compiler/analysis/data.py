"""Pass: `use data` files and `param` values become constants of their layer, checked against the declared types."""

from __future__ import annotations

from typing import Any, Final

from policy_engine.base.errors import EvaluationError, MisfitError
from policy_engine.base.source import Source
from policy_engine.base.values import inward
from policy_engine.compiler.analysis.data_text import parse_csv, parse_yaml
from policy_engine.compiler.analysis.draft import Constant, Draft, Layer, LoadedFile
from policy_engine.compiler.analysis.fitting import fit
from policy_engine.compiler.analysis.reading import place_of, read_text
from policy_engine.compiler.analysis.written_types import type_of
from policy_engine.diagnostics.model import Code
from policy_engine.diagnostics.suggest import did_you_mean
from policy_engine.semantics.ast.expressions import Expr, Name, children
from policy_engine.semantics.ast.policy import Param, UseData
from policy_engine.semantics.interpreter import interpret
from policy_engine.semantics.schema.strict_json import parse_json
from policy_engine.semantics.types import DYN, Type

BROKEN_DATA = Code(
    "broken-data",
    "A data file cannot be used",
    "Data files are JSON, YAML or CSV by the ending of their names, and must fit the type the policy declares, because"
    " rules rely on it. Keys that are there twice are refused: nobody could say which one counts.\n\n"
    '```\nuse data "limits.yaml" as limits: map(string, double)\n# limits.yaml, refused:     acme: plenty\n'
    "# limits.yaml, mended:      acme: 500\n```",
)
MISSING_PARAM = Code(
    "missing-param",
    "A param has no value",
    "A `param` without a default must be given when the policy is loaded.\n\n"
    "```\nparam workspace: string                  // load(…, params={\"workspace\": \"/srv\"})\n"
    'param workspace: string = "/srv"         // or give a default\n```',
)
WRONG_PARAM = Code(
    "wrong-param",
    "The value of a param does not fit its type",
    "Params become constants of the policy; a value of another type would change what comparisons mean.\n\n"
    '```\nparam cap: double = "100"     // refused\nparam cap: double = 100.0\n```',
)
UNKNOWN_PARAM = Code(
    "unknown-param",
    "A param was given that the policy does not declare",
    "A misspelt param would silently leave the default in force, so it is refused.\n\n"
    '```\nload("support.policy", params={"cpa": 50.0})     // refused: there is no `cpa`\n'
    'load("support.policy", params={"cap": 50.0})\n```',
)
CODES = (BROKEN_DATA, MISSING_PARAM, WRONG_PARAM, UNKNOWN_PARAM)

_NOT_LOADED: Final = "the policy is not loaded, and nothing is permitted"
_ENDINGS: Final = (".json", ".yaml", ".yml", ".csv")


def read_data(draft: Draft) -> None:
    """Fill the layers' constants with data and params, and the digest's material with both."""
    declared: set[str] = set()
    for layer in draft.layers:
        for file, item in layer.items():
            match item:
                case UseData():
                    _data(draft, layer, file, item)
                case Param():
                    declared.add(item.name.text)
                    _param(draft, layer, item)
                case _:
                    pass
    for name in draft.params:
        if name not in declared:
            draft.report(
                UNKNOWN_PARAM, f"the param `{name}` was given, but the policy declares none of that name",
                place_of(f"param {name}"), effect=_NOT_LOADED, suggestion=did_you_mean(name, declared),
            )  # fmt: skip
    draft.material.append(("params", repr(sorted(draft.given_params.items())).encode()))


def _data(draft: Draft, layer: Layer, file: LoadedFile, item: UseData) -> None:
    wanted = DYN if item.type is None else type_of(draft, item.type)
    read = read_text(draft, item.file.text, file.canonical, item.file.span)
    if read is None:
        _constant(draft, layer, item, None, DYN)
        return
    _, source = read
    draft.material.append((f"data {layer.index} {item.name.text}", source.text.encode()))
    try:
        value = _parsed(item.file.text, source, wanted)
    except MisfitError as fault:
        draft.report(
            BROKEN_DATA, f"`{item.file.text}`, {fault.path}: {fault.problem}",
            (item.file.span, f"read as {wanted}" if item.type is not None else ""), effect=_NOT_LOADED,
            suggestion="mend the file, or the type after its name",
        )  # fmt: skip
        value, wanted = None, DYN
    _constant(draft, layer, item, value, wanted)


def _parsed(name: str, source: Source, wanted: Type) -> Any:
    lower = name.lower()
    if lower.endswith(".csv"):
        return fit(parse_csv(source.text, wanted), wanted, "value", from_text=True)
    if lower.endswith((".yaml", ".yml")):
        return fit(parse_yaml(source.text), wanted, "value")
    if lower.endswith(".json"):
        return fit(parse_json(source.text), wanted, "value")
    raise MisfitError("the name", f"ends in none of {', '.join(_ENDINGS)}, so nobody knows how to read it")


def _constant(draft: Draft, layer: Layer, item: UseData, value: Any, wanted: Type) -> None:
    layer.constants.setdefault(item.name.text, Constant("data", value, wanted, item.name.span))


def _param(draft: Draft, layer: Layer, item: Param) -> None:
    name = item.name.text
    wanted = type_of(draft, item.type)
    value: Any = None
    try:
        if name in draft.params:
            value = fit(inward(draft.params[name]), wanted, name)
        elif item.default is not None:
            value = fit(_default(item.default, name), wanted, name)
        elif draft.executable:
            draft.report(
                MISSING_PARAM, f"the param `{name}` has no default and was not given", item.span, effect=_NOT_LOADED,
                suggestion=f'load(…, params={{"{name}": …}}), or a default: param {name}: {wanted} = …',
            )  # fmt: skip
    except (MisfitError, TypeError, ValueError, RecursionError) as fault:
        problem = fault.problem if isinstance(fault, MisfitError) else str(fault)
        draft.report(
            WRONG_PARAM, f"the value of the param `{name}` {problem}", (item.span, f"declared {wanted}"),
            effect=_NOT_LOADED,
        )  # fmt: skip
    draft.given_params[name] = value
    layer.constants.setdefault(name, Constant("param", value, wanted, item.name.span))


def _default(default: Expr, name: str) -> Any:
    """The value of a default: an expression without names."""
    if _reads_names(default):
        raise MisfitError(name, "reads names; a default is a plain value")
    try:
        return interpret(default, {})
    except EvaluationError as fault:
        raise MisfitError(name, f"cannot be worked out: {fault.message}") from None


def _reads_names(expression: Expr) -> bool:
    pending = [expression]
    while pending:
        node = pending.pop()
        if isinstance(node, Name):
            return True
        pending.extend(children(node))
    return False
