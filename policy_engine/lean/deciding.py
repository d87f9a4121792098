"""One simple call decided from the cache, in the words and the order of `policy decide`.

The twin of `runtime/calls` and `runtime/judging` for calls without run, approvals, rewriting or escalation, where no
condition needs more than Python itself. Generated code runs as it is: a word that is not here, an error, anything that
the interpreter would be asked about raises `NotSimple`.
"""

from __future__ import annotations

import marshal

from policy_engine.lean.lines import read, written
from policy_engine.lean.shapes import fitted
from policy_engine.lean.simple import Misfit, NotSimple
from policy_engine.lean.vault import Entry

TYPE_CHECKING = False
if TYPE_CHECKING:  # type checkers take this for true; the imports would cost half a start
    from typing import Any, TypeAlias

    Rule: TypeAlias = tuple[Any, ...]

_KEYS = frozenset(("tool", "args", "principal", "agent", "context"))
_function: Any = type(lambda: None)
_MOST_TRIES = 24
_FALLBACK = {"allow": "permitted", "deny": "this call is not permitted"}
_ID, _KIND, _LAYER, _OBSERVE, _BECAUSE, _DETAIL, _CHANGES = range(7)


def _leave(*_: Any) -> Any:
    raise NotSimple


def _walk(values: Any, most: int) -> Any:
    if values.__class__ in _CONTAINERS and len(values) <= most:
        return values
    raise NotSimple


def _pairs(values: Any, most: int) -> Any:
    walked = _walk(values, most)
    return walked.items() if walked.__class__ is dict else enumerate(walked)


_CONTAINERS = frozenset((list, dict))
_ORDERED = frozenset((bool, int, float, str, bytes))
PRELUDE: dict[str, Any] = {
    "__builtins__": {}, "SCALARS": _ORDERED | {type(None)}, "ORDERED": _ORDERED, "CONTAINERS": _CONTAINERS,
    "diverted": _leave, "divert": _leave, "walk": _walk, "pairs": _pairs,
    **{word.__name__: word for word in (len, all, any, sum, bool, str, list, dict, Exception)},
}  # fmt: skip
"""The words of generated code (`semantics/prelude`) that mean the same for values of JSON; others end in `NotSimple`."""


class Surroundings:
    """What conditions may read beside arguments and principal; any other name is the full engine's."""

    __slots__ = ("agent", "context", "tool")

    agent: dict[str, Any]
    context: dict[str, Any]
    tool: dict[str, Any]


class Desk:
    """Answers lines for one policy."""

    def __init__(self, entry: Entry) -> None:
        self._entry = entry
        self._table: dict[str, Any] = entry.index["lean"]
        self._forms: dict[str, Form] = {}

    def answer(self, line: bytes) -> tuple[str, bool]:
        """The decision of one line, and whether it allows; raises `NotSimple`."""
        try:
            return self._answer(read(line))
        except Exception:  # whatever it was: the full engine says what it means
            raise NotSimple from None

    def _answer(self, data: dict[str, Any]) -> tuple[str, bool]:
        tool = data.get("tool")
        if not _KEYS.issuperset(data) or tool.__class__ is not str or tool not in self._table["tools"]:
            raise NotSimple
        form = self._forms.get(tool)
        if form is None:
            piece = marshal.loads(self._entry.piece(self._table["tools"][tool]))
            form = self._forms[tool] = Form(self._table, piece)
        args = fitted(form.spec, _mapping(data.get("args", {})))
        principal = self._record("principal", data.get("principal"))
        around = Surroundings()
        agent = data.get("agent")
        around.agent = self._record("agent", {"id": agent} if agent.__class__ is str else agent)
        around.context = self._record("context", data.get("context"))
        around.tool = {"name": tool, "annotations": {}, "digest": None}
        answer = form.decided(tool, args, principal, around)
        return written(answer), answer["effect"] == "allow"

    def _record(self, subject: str, given: Any) -> dict[str, Any]:
        value = {} if given is None else _mapping(given)
        for spec in self._table["records"][subject]:
            value = fitted(spec, value)
        return value


def _mapping(value: Any) -> dict[str, Any]:
    if value.__class__ is not dict:
        raise NotSimple
    found: dict[str, Any] = value
    return found


class Form:
    """One tool: the description of its arguments, its generated code, its rules."""

    def __init__(self, table: dict[str, Any], piece: dict[str, Any]) -> None:
        self.spec = piece["args"]
        self._rules: list[Rule] = piece["rules"]
        self._layers: list[tuple[str, str]] = table["layers"]
        self._hints: bool = table["hints"]
        self._policy: str = table["policy"]
        namespace: dict[str, Any] = {**PRELUDE, **piece["constants"]}
        for name, code in piece["functions"].items():
            namespace[name] = _function(code, namespace, name)
        self._rewrites = _none if piece["rewrites"] is None else namespace[piece["rewrites"]]
        self._decide = _none if piece["decide"] is None else namespace[piece["decide"]]

    def decided(self, tool: str, args: Any, principal: Any, around: Surroundings) -> dict[str, Any]:
        """The answer to a call, key by key as `policy decide` writes it."""
        mask = self._mask(args, principal, around)
        effect, ids, deciding, observed, by_default = self._verdict(mask)
        told = [f"{effect} {', '.join(ids)}" if ids else effect]
        fallback = _FALLBACK[effect]
        if by_default:
            fallback = f"nothing permits this call to {tool}"
            told.append(f"no rule grants it; to permit it, add: allow NAME on {tool}")
        hint = None
        if effect != "allow" and self._hints:
            hint = self._hint(mask, args, principal, around)
        return {
            "effect": effect, "phase": "call", "tool": tool, "rules": ids,
            "reason": "; ".join(_notes(deciding, _BECAUSE)) or fallback,
            "detail": "; ".join(told + _notes(deciding, _DETAIL)),
            "hint": hint, "errors": [], "obligations": [], "observed": observed, "degradation": None,
            "policy": self._policy, "args": args,
        }  # fmt: skip

    def _mask(self, args: Any, principal: Any, around: Surroundings) -> int:
        if self._rewrites(args, principal, around):
            raise NotSimple
        mask: int = self._decide(args, principal, around)
        if mask >> len(self._rules):
            raise NotSimple
        return mask

    def _verdict(self, mask: int) -> tuple[str, list[str], list[Rule], list[str], bool]:
        """See `runtime/judging.Judge`."""
        matched = [rule for bit, rule in enumerate(self._rules) if mask >> bit & 1]
        observed = sorted({rule[_ID] for rule in matched if rule[_OBSERVE]})
        enforced = [rule for rule in matched if not rule[_OBSERVE]]
        denies = [rule for rule in enforced if rule[_KIND] == "deny"]
        if denies:
            return "deny", _ids(denies), denies, observed, False
        allows = [rule for rule in enforced if rule[_KIND] == "allow"]
        granting = {rule[_LAYER] for rule in allows}
        refusing = []
        asked = len(allows) != len(enforced)
        for index, (name, default) in enumerate(self._layers):
            if index not in granting and default == "deny":
                refusing.append(f"{name}/default")
            elif index not in granting and default == "escalate":
                asked = True
        if not refusing and not allows and all(default == "abstain" for _, default in self._layers):
            refusing = [f"{name}/default" for name, _ in self._layers]
        if refusing:
            return "deny", sorted(refusing), [], observed, True
        if asked:
            raise NotSimple
        return "allow", _ids(allows), allows, observed, False

    def _hint(self, mask: int, args: Any, principal: Any, around: Surroundings) -> str | None:
        """See `runtime/hints.call_hint`; the changes to try were worked out when the policy was stored."""
        tries = 0
        for bit, rule in enumerate(self._rules):
            wanted = rule[_KIND] == "allow"
            if rule[_BECAUSE] is None or rule[_OBSERVE] or bool(mask >> bit & 1) == wanted:
                continue
            for steps, absent, value, text in rule[_CHANGES]:
                tries += 1
                if tries > _MOST_TRIES:
                    return None
                try:
                    tried = fitted(self.spec, _changed(args, steps, absent, value))
                except Misfit:
                    continue
                if self._verdict(self._mask(tried, principal, around))[0] == "allow":
                    said: str = text
                    return said
        return None


def _none(*_: Any) -> int:
    return 0


def _ids(rules: list[Rule]) -> list[str]:
    return sorted({rule[_ID] for rule in rules})


def _notes(rules: list[Rule], which: int) -> list[str]:
    texts: list[str] = []
    for rule in rules:
        text = rule[which]
        if text is False:
            raise NotSimple
        if text is not None and text not in texts:
            texts.append(text)
    return texts


def _changed(args: Any, steps: tuple[str, ...], absent: bool, value: Any) -> Any:
    if absent:
        if len(steps) != 1:
            raise Misfit
        return {name: item for name, item in args.items() if name != steps[0]}
    if not steps:
        return value
    if args.__class__ is not dict or (steps[0] not in args and len(steps) > 1):
        raise Misfit
    return {**args, steps[0]: _changed(args.get(steps[0]), steps[1:], False, value)}
