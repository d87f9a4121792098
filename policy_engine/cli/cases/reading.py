"""From YAML to cases. Every key is known, every kind is checked; what is wrong is a diagnostic at its place."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final, NoReturn

from policy_engine.base.source import Source, Span
from policy_engine.cli.cases.codes import CASES_SHAPE, CASES_UNREADABLE
from policy_engine.cli.cases.model import ANYTHING, Case, CaseFile, Expectation, Step
from policy_engine.cli.cases.strict_yaml import Placed, read_yaml
from policy_engine.cli.traffic.entries import CALL_KEYS, EVENT_WORDS, EntryError, read_entry
from policy_engine.diagnostics.model import Diagnostic, Label, PolicyError
from policy_engine.diagnostics.suggest import did_you_mean

FILE_KEYS: Final = ("policy", "under", "params", "defaults", "cases")
CASE_KEYS: Final = ("name", "request", "run", "expect")
RUN_KEYS: Final = ("input", "attended", "steps")
STEP_KEYS: Final = ("request", "result", "error", "duration", "cost", *EVENT_WORDS, "expect")
DEFAULT_KEYS: Final = ("principal", "agent", "context", "at")
EXPECT_KEYS: Final = (
    "effect", "rules", "errors", "observed", "asks", "labels", "reason", "detail", "hint", "args", "result",
)  # fmt: skip
EFFECTS: Final = ("allow", "deny", "escalate", "pass", "redact", "withhold", "retry", "reply", "fail")


def read_cases(path: Path) -> CaseFile:
    """The cases of a file; raises `OSError`, or `PolicyError` with what is wrong."""
    raw = path.read_bytes()
    try:
        source = Source(str(path), raw.decode("utf-8"))
    except UnicodeDecodeError as fault:
        place = Label(Span(Source(str(path), ""), 0, 0))
        message = f"byte {fault.start + 1} is not UTF-8 text"
        raise PolicyError([Diagnostic(CASES_UNREADABLE, message, (place,))]) from None
    return _file(path, read_yaml(source))


def _file(path: Path, document: Placed) -> CaseFile:
    top = _map(document, "the file", FILE_KEYS)
    defaults = _map(top["defaults"][1], "`defaults`", DEFAULT_KEYS) if "defaults" in top else {}
    below = {key: placed.plain() for key, (_, placed) in defaults.items()}
    if "cases" not in top:
        _refuse(document.span, "the file has no `cases`", "cases: [{name: …, request: …, expect: …}]")
    cases = tuple(_case(placed, below) for placed in _list(top["cases"][1], "`cases`"))
    if not cases:
        _refuse(top["cases"][0], "`cases` is empty, so nothing is tested")
    names: dict[str, Span] = {}
    for case in cases:
        if case.name in names:
            _refuse(case.span, f"two cases are named `{case.name}`", other=Label(names[case.name], "the other one"))
        names[case.name] = case.span
    params = _map(top["params"][1], "`params`", None) if "params" in top else {}
    return CaseFile(
        path, _policy(path, top), tuple(path.parent / name for name in _words(top, "under")),
        {key: placed.plain() for key, (_, placed) in params.items()}, cases,
    )  # fmt: skip


def _policy(path: Path, top: Mapping[str, tuple[Span, Placed]]) -> Path:
    """The policy: as `policy:` says, else the one of the same name, else the only one of the folder."""
    if "policy" in top:
        return path.parent / _text(top["policy"][1], "`policy`")
    beside = path.with_name(path.name.removesuffix(".cases.yaml") + ".policy")
    if beside.exists():
        return beside
    found = sorted(path.parent.glob("*.policy"))
    if len(found) != 1:
        message = f"{len(found)} policies stand beside this file, so it must name one"
        _refuse(top["cases"][0], message, "policy: NAME.policy")
    return found[0]


# ------------------------------------------------------------------ cases and steps
def _case(placed: Placed, below: Mapping[str, Any]) -> Case:
    keys = _map(placed, "a case", CASE_KEYS)
    if "name" not in keys:
        _refuse(placed.span, "a case has a `name`, one sentence that says what it shows")
    name = _text(keys["name"][1], "`name`")
    if ("request" in keys) == ("run" in keys):
        _refuse(keys["name"][1].span, f"`{name}` needs either a `request` or a `run` with steps")
    if "request" in keys:
        if "expect" not in keys:
            _refuse(keys["name"][1].span, f"`{name}` expects nothing, so it tests nothing", "expect: allow")
        step = Step(_request(keys["request"][1], below, {}), _expect(keys["expect"][1]), placed.span)
        return Case(name, (step,), keys["name"][1].span)
    if "expect" in keys:
        _refuse(keys["expect"][0], "in a run, `expect` stands beside the step it is about")
    return Case(name, _run(keys["run"][1], below, name), keys["name"][1].span)


def _run(placed: Placed, below: Mapping[str, Any], name: str) -> tuple[Step, ...]:
    keys = _map(placed, "`run`", RUN_KEYS)
    common: dict[str, Any] = {"run": "run"}
    if "attended" in keys:
        common["attended"] = keys["attended"][1].plain()
    steps: list[Step] = []
    if "input" in keys:
        words = {"input": keys["input"][1].plain()}
        steps.append(Step(_entry(keys["input"][1], {**below, **common, **words}), None, placed.span))
    if "steps" not in keys:
        _refuse(placed.span, "a run has `steps`")
    for number, item in enumerate(_list(keys["steps"][1], "`steps`"), start=1):
        steps.extend(_step(item, below, common, f"call-{number}"))
    if all(step.expect is None for step in steps):
        _refuse(placed.span, f"no step of `{name}` expects anything, so it tests nothing")
    return tuple(steps)


def _step(placed: Placed, below: Mapping[str, Any], common: Mapping[str, Any], call: str) -> list[Step]:
    """A request, a request with its outcome, or an event. `expect` is about the outcome where there is one."""
    keys = _map(placed, "a step", STEP_KEYS)
    expect = _expect(keys["expect"][1]) if "expect" in keys else None
    outcome: dict[str, Any] = {key: keys[key][1].plain() for key in ("result", "error", "duration", "cost") if key in keys}
    if "request" not in keys:
        words = {key: value.plain() for key, (_, value) in keys.items() if key != "expect"}
        return [Step(_entry(placed, {**below, **common, **words}), expect, placed.span)]
    request, inner = _request_and_expectation(keys["request"][1])
    first = Step(_request(request, below, {**common, "call": call}), inner if outcome else expect, placed.span)
    if not outcome:
        return [first]
    second = Step(_entry(placed, {"run": common["run"], "call": call, **outcome}), expect, placed.span)
    return [first, second]


def _request_and_expectation(placed: Placed) -> tuple[Placed, Expectation | None]:
    """A request may carry the expectation about its own decision, beside that about its outcome."""
    if isinstance(placed.value, dict) and "expect" in placed.value:
        rest = {key: value for key, value in placed.value.items() if key != "expect"}
        return Placed(rest, placed.span), _expect(placed.value["expect"][1])
    return placed, None


def _request(placed: Placed, below: Mapping[str, Any], common: Mapping[str, Any]) -> Any:
    _map(placed, "a request", CALL_KEYS)
    given = placed.plain()
    return _entry(placed, {**below, **given, **common})


def _entry(placed: Placed, data: Mapping[str, Any]) -> Any:
    try:
        return read_entry(data)
    except EntryError as fault:
        span = placed.span
        if fault.key is not None and isinstance(placed.value, dict) and fault.key in placed.value:
            span = placed.value[fault.key][0]
        _refuse(span, str(fault), fault.suggestion)


# ------------------------------------------------------------------ expectations
def _expect(placed: Placed) -> Expectation:
    if isinstance(placed.value, str):
        return Expectation(placed.span, effect=_effect(placed))
    keys = _map(placed, "`expect`", EXPECT_KEYS)
    if not keys:
        _refuse(placed.span, "`expect` is empty, so it tests nothing", "expect: allow")
    lists: dict[str, Any] = {
        key: tuple(_words(keys, key)) for key in ("rules", "errors", "observed", "asks", "labels") if key in keys
    }
    words: dict[str, Any] = {
        key: _text(keys[key][1], f"`{key}`") for key in ("reason", "detail") if key in keys
    }
    if "hint" in keys:
        hint = keys["hint"][1].value
        words["hint"] = False if hint is False else _text(keys["hint"][1], "`hint`")
    return Expectation(
        placed.span,
        effect=_effect(keys["effect"][1]) if "effect" in keys else None,
        args=keys["args"][1].plain() if "args" in keys else ANYTHING,
        result=keys["result"][1].plain() if "result" in keys else ANYTHING,
        **lists, **words,
    )  # fmt: skip


def _effect(placed: Placed) -> str:
    effect = _text(placed, "an effect")
    if effect not in EFFECTS:
        suggestion = did_you_mean(effect, EFFECTS) or f"one of {', '.join(EFFECTS)}"
        _refuse(placed.span, f"`{effect}` is not an effect", suggestion)
    return effect


# ------------------------------------------------------------------ kinds
def _map(placed: Placed, what: str, keys: tuple[str, ...] | None) -> dict[str, tuple[Span, Placed]]:
    if not isinstance(placed.value, dict):
        _refuse(placed.span, f"{what} is a map of keys")
    for key, (span, _) in placed.value.items():
        if keys is not None and key not in keys:
            _refuse(span, f"{what} has no key `{key}`", did_you_mean(key, keys) or f"one of {', '.join(keys)}")
    return placed.value


def _list(placed: Placed, what: str) -> list[Placed]:
    if not isinstance(placed.value, list):
        _refuse(placed.span, f"{what} is a list")
    return placed.value


def _text(placed: Placed, what: str) -> str:
    if not isinstance(placed.value, str) or not placed.value:
        _refuse(placed.span, f"{what} is text", "put it in quotes")
    return placed.value


def _words(keys: Mapping[str, tuple[Span, Placed]], key: str) -> Iterable[str]:
    """A list of words, or a single one; none where the key is missing."""
    if key not in keys:
        return []
    placed = keys[key][1]
    if isinstance(placed.value, str):
        return [placed.value]
    return [_text(item, f"each of `{key}`") for item in _list(placed, f"`{key}`")]


def _refuse(span: Span, message: str, suggestion: str | None = None, other: Label | None = None) -> NoReturn:
    labels = (Label(span),) if other is None else (Label(span), other)
    raise PolicyError([Diagnostic(CASES_SHAPE, message, labels, suggestion=suggestion)])
