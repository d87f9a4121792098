"""The oracle's decisions, straight from LANGUAGE.md, «What a decision means», over the syntax tree of policies.

No compilation: targets, groups and `let` are looked up each time, every rule is evaluated, nothing is kept. Compared
with the engine are effect, rule ids, observed ids, errors as (rule id, whether it is the request's), labels, asks as
(rule, queue, count), what is owed to limits and timeouts, degradation and rewritten arguments.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from policy_engine.base.request import Event, Outcome, Request
from policy_engine.base.values import duration_of, timestamp_of
from policy_engine.semantics.ast import policy as tree
from tests.oracle.answers import (
    Answer,
    Found,
    History,
    Reply,
    effect_of,
    failed,
    guards,
    ids,
    roots_of,
    strictest,
)
from tests.oracle.bounds import owed
from tests.oracle.cel import Evaluator, Later, conjunction
from tests.oracle.paths import PathFault, empty, places, write
from tests.oracle.values import Err
from tests.oracle.world import Misfit, World, anything, fit, fits_shape, given, items, targeted

ROOTS = {"@input": "input", "@step": "step", "@answer": "answer", "@delegate": "delegate", "@resource": "resource",
         "@prompt": "prompt", "@run": "run"}  # fmt: skip


@dataclass
class Decider:
    """Decides in one world."""

    world: World
    known: dict[str, Any] = field(init=False)

    def __post_init__(self) -> None:
        self.known = self.world.known_tools()

    # ------------------------------------------------------------------ calls
    def call(
        self, request: Request, history: History | None = None, replies: Sequence[Reply] = (), *, once: bool = False
    ) -> Answer:
        """The decision about a call; `once`: it is a degradation already, its own ladders end in deny."""
        if request.tool not in self.known:
            return Answer("deny", errors=("request",))
        try:
            args = self.arguments(request.tool, request.args)
            names = self.names(request, history)
        except Misfit:
            return Answer("deny", errors=("request",))
        words = history.words if history else {}
        rewrites = self.rules(request.tool, tree.Rewriting, "args", {**names, "args": args}, words)
        observed = {one.id for one in rewrites if one.rule.observe and one.safe}
        errors = [one.id for one in rewrites if one.error]
        enforced = [one for one in rewrites if not one.rule.observe]
        unsure = [one.id for one in enforced if one.error]
        if unsure:
            return Answer("deny", ids(unsure), ids(errors), ids(observed), args)
        original = {**names, "args": args}
        for one in sorted((one for one in enforced if one.holds is True), key=lambda one: one.layer):
            try:
                changed = self.change(one, one.rule.changes, "args", args, original, words, request.tool)
            except PathFault:
                return Answer("deny", (one.id,), ids([*errors, one.id]), ids(observed), original["args"])
            args = changed
        try:
            args = self.arguments(request.tool, args)
        except Misfit:
            return Answer("deny", errors=("request",))
        names = {**names, "args": args}
        found = [
            one for kind in (tree.Permission, tree.Escalation) for one in self.rules(request.tool, kind, None, names, words)
        ]
        errors += [one.id for one in found if one.error]
        observed |= {one.id for one in found if one.rule.observe and one.safe}
        answer = self.judged(found, request, names, history, replies, once)
        return replace(
            answer, errors=ids([*errors, *answer.errors]), observed=ids({*observed, *answer.observed}),
            args=answer.args if answer.args is not None else args,
        )  # fmt: skip

    def judged(
        self, found: list[Found], request: Request, names: dict[str, Any], history: History | None,
        replies: Sequence[Reply], once: bool,
    ) -> Answer:  # fmt: skip
        """Only allows and defaults grant; denies and escalations restrict; every layer must agree."""
        enforced = [one for one in found if not one.rule.observe and one.safe]
        denies = [one.id for one in enforced if effect_of(one.rule) == "deny"]
        if denies:
            return Answer("deny", ids(denies))
        asking = [(one.id, one.rule.ladder, one.layer) for one in enforced if isinstance(one.rule, tree.Escalation)]
        granted = {one.layer for one in enforced if effect_of(one.rule) == "allow"}
        grants = [one.id for one in enforced if effect_of(one.rule) == "allow"]
        refusing, somebody = [], bool(granted)
        for index, layer in enumerate(self.world.layers):
            default = next(iter(items(layer, tree.Default)), None)
            name = f"{layer[0].name}/default"
            if index in granted:
                continue
            if default is None or default.effect == "deny":
                refusing.append(name)
            elif default.effect == "escalate":
                somebody = True
                grants.append(name)
                asking.append((name, default.ladder, index))
        if refusing or not somebody:
            return Answer("deny", ids(refusing or [f"{layer[0].name}/default" for layer in self.world.layers]))
        if not asking:
            return self.held(Answer("allow", ids(grants)), request.tool, names, history)
        return self.asked(asking, grants, request, names, history, replies, once)

    def held(self, answer: Answer, subject: str, names: dict[str, Any], history: History | None) -> Answer:
        """What passes or is asked about owes what limits and timeouts say; a limit that came to an error refuses."""
        words = history.words if history else {}
        limits, timeouts = (self.rules(subject, kind, None, names, words) for kind in (tree.Limit, tree.Timeout))
        found = owed(limits, timeouts, lambda one: self.evaluator(one.layer, names, words, subject))
        errors, observed = ids([*answer.errors, *found.errors]), ids([*answer.observed, *found.observed])
        if found.refusing:
            return replace(Answer("deny", ids(found.refusing), errors, observed), args=answer.args)
        return replace(answer, errors=errors, observed=observed, owed=found.rows)

    # ------------------------------------------------------------------ ladders
    def asked(
        self, asking: list[Any], grants: list[str], request: Request, names: dict[str, Any], history: History | None,
        replies: Sequence[Reply], once: bool,
    ) -> Answer:  # fmt: skip
        """Every escalation must be met; a refusal is final; silence leads to the ladder's end."""
        standings = {
            rule: self.standing(rule, ladder, layer, names, history, replies, request.tool)
            for rule, ladder, layer in asking
        }
        layers = {rule: layer for rule, _, layer in asking}
        refused = [rule for rule, (state, _) in standings.items() if state == "refused"]
        if refused:
            return Answer("deny", ids(refused))
        waiting = {rule: tier for rule, (state, tier) in standings.items() if state == "waiting"}
        silent = {rule: end for rule, (state, end) in standings.items() if state == "silent"}
        if silent:
            rule, end = strictest(silent)
            ended = self.ended(rule, None if once else end, sorted(silent), layers[rule], (request, names, history))
            if ended.effect == "deny" or not waiting:
                return ended
        if waiting:
            asks = frozenset((rule, tier.queue.text, tier.count) for rule, tier in waiting.items())
            return self.held(Answer("escalate", ids(waiting), asks=asks), request.tool, names, history)
        return self.held(Answer("allow", ids(grants)), request.tool, names, history)

    def standing(
        self, rule: str, ladder: tree.Ladder, layer: int, names: dict[str, Any], history: History | None,
        replies: Sequence[Reply], subject: str,
    ) -> tuple[str, Any]:  # fmt: skip
        """`met`, `refused`, `waiting` with the tier, or `silent` with the ladder's end."""
        mine = [reply for reply in replies if reply.rule == rule]
        asked = {tier.queue.text for tier in ladder.tiers}
        if any(reply.answer == "refused" and reply.queue in asked for reply in mine):
            return "refused", None  # final, in whichever tier and however late it is said
        silences = [reply.queue for reply in mine if reply.answer == "silent"]
        for tier in ladder.tiers:
            queue = tier.queue.text
            if queue == "user" and not (history and history.attended):
                continue
            if queue in silences:
                silences.remove(queue)
                continue
            answers = [reply for reply in mine if reply.queue == queue]
            people = {reply.who for reply in answers if reply.answer == "approved" and reply.who}
            if queue != "user":
                people.discard(names["principal"].get("id"))
            if tier.where is not None:
                people = {
                    who for who in people
                    if self.evaluator(layer, {**names, "approver": {"id": who}}, history.words if history else {}, subject)
                    .truth(tier.where) is True
                }  # fmt: skip
            return ("met", None) if len(people) >= tier.count else ("waiting", tier)
        end = ladder.otherwise
        return "silent", None if isinstance(end, tree.ElseDeny) else end

    def ended(self, rule: str, end: Any, rules: list[str], layer: int, scene: Any) -> Answer:
        """What follows silence: a refusal, a text, or another call, decided on its own, once."""
        request, names, history = scene
        if end is None:
            return Answer("deny", ids(rules))
        words = history.words if history else {}
        evaluator = self.evaluator(layer, names, words, request.tool)
        tool, args = request.tool, names["args"]
        if isinstance(end, tree.ElseReply):
            value = evaluator.of(end.value)
            if isinstance(value, Err):
                return Answer("deny", ids(rules), errors=(rule,))
            return Answer("deny", ids(rules), instead=("reply", rule))
        if isinstance(end, tree.ElseSet):
            one = Found(rule, None, layer, True)
            try:
                args = self.change(one, end.changes, "args", args, names, words, tool)
            except PathFault:
                return Answer("deny", ids(rules), errors=(rule,))
        else:
            tool = end.tool.text
            args = evaluator.of(end.arguments) if end.arguments is not None else args
            if not isinstance(args, dict):
                return Answer("deny", ids(rules), errors=(rule,))
        smaller = self.call(replace(request, tool=tool, args=args), history, (), once=True)
        if smaller.effect != "allow":
            return Answer("deny", ids(rules))
        if tool == request.tool and isinstance(end, tree.ElseSet):
            return replace(smaller, instead=("set", rule))
        return Answer("deny", ids(rules), instead=("call", rule, tool))

    # ------------------------------------------------------------------ rules and names
    def rules(
        self, subject: str, kind: type[Any], root: str | None, names: Mapping[str, Any],
        words: Mapping[str, Callable[..., Any]],
    ) -> list[Found]:  # fmt: skip
        """The rules of a kind that target the subject (rewrites: whose paths begin at `root`), with their conditions."""
        found = []
        for index, layer in enumerate(self.world.layers):
            for file in layer:
                for rule in file.parsed.items:
                    if not isinstance(rule, kind) or subject not in targeted(rule.targets, layer, self.known):
                        continue
                    if root is not None and roots_of(rule) != {root}:
                        continue
                    evaluator = self.evaluator(index, names, words, subject)
                    found.append(Found(f"{file.name}/{rule.name.text}", rule, index, guards(evaluator, rule.guards)))
        return found

    def evaluator(
        self, index: int, names: Mapping[str, Any], words: Mapping[str, Callable[..., Any]], subject: str
    ) -> Evaluator:
        """Expressions of one layer: its params, data, groups and `let` words beside the names of the call."""
        layer = self.world.layers[index]
        scope: dict[str, Any] = dict(names)
        evaluator = Evaluator(scope, words=words)
        for param in items(layer, tree.Param):
            name = param.name.text
            value = self.world.params.get(name, evaluator.of(param.default) if param.default else Err("no param"))
            scope[name] = float(value) if param.type.name == "double" else value
        scope.update({d.name.text: self.world.data[d.name.text] for d in items(layer, tree.UseData)})
        for group in items(layer, tree.Group):
            scope[group.name.text] = sorted(targeted(group.targets, layer, self.known))
        fitting = [
            let for let in items(layer, tree.Let) if let.targets is None or subject in targeted(let.targets, layer, self.known)
        ]
        for let in fitting:
            if not let.parameters:
                scope[let.name.text] = Later(lambda let=let: evaluator.of(let.value))  # type: ignore[misc]

        def expanded(name: str, arguments: list[Later]) -> Any:
            for let in fitting:
                if let.name.text == name and let.parameters and len(let.parameters) == len(arguments):
                    given = {word.text: value for word, value in zip(let.parameters, arguments, strict=True)}
                    return evaluator.of(let.value, given)
            return None

        evaluator.lets = expanded
        return evaluator

    def arguments(self, tool: str, value: Any) -> dict[str, Any]:
        """The arguments as rules see them; raises `Misfit`."""
        fields = self.known[tool]
        made = fit("any", value) if fields is None else fit(("record", fields), value)
        if not isinstance(made, dict):
            raise Misfit("args")
        return made

    def names(self, subject: Request | Event, history: History | None) -> dict[str, Any]:
        """Who, where and when; raises `Misfit`."""
        names: dict[str, Any] = {}
        for name in ("principal", "agent", "context"):
            value = given(getattr(subject, name) or {})
            value = {"id": value} if isinstance(value, str) else value
            for layer in self.world.layers:
                for declared in items(layer, tree.Shape):
                    if declared.subject == name:
                        value = fits_shape(value, declared)
            names[name] = value
        if subject.at is not None:
            names["now"] = timestamp_of(subject.at)
        if history is not None:
            names["run"] = history.value
            names["input"] = history.value["input"]
        if isinstance(subject, Request):
            if subject.input is not None:
                names["input"] = {"text": subject.input, "source": "user", "verified": True}
            names["tool"] = {
                "name": subject.tool, "annotations": anything(dict(subject.annotations)), "digest": subject.digest
            }  # fmt: skip
        return names

    def change(
        self, one: Found, changes: Sequence[tree.Change], root: str, value: Any, names: Mapping[str, Any],
        words: Mapping[str, Callable[..., Any]], subject: str,
    ) -> Any:  # fmt: skip
        """The value after the changes of one rule, whose expressions read `names`; raises `PathFault`."""
        evaluator = self.evaluator(one.layer, names, words, subject)
        for step in changes:
            if isinstance(step, tree.SetChange):
                new = evaluator.of(step.value)
                if isinstance(new, Err):
                    raise PathFault(new.why)
                value = write(value, step.path.steps, lambda _, new=new: new, create=True)  # type: ignore[misc]
                continue
            cover: Callable[[Any], Any] = empty
            if step.replacement is not None:
                replacement = evaluator.of(step.replacement)
                if isinstance(replacement, Err):
                    raise PathFault(replacement.why)
                cover = lambda _, new=replacement: new  # type: ignore[misc] # noqa: E731
            for path in step.paths:
                value = write(value, path.steps, cover, create=False)
        return value

    # ------------------------------------------------------------------ results
    def output(self, request: Request, outcome: Outcome, history: History | None = None) -> Answer:
        """The decision about a call's result: validations read the original, the strictest effect decides."""
        try:
            args, names = self.arguments(request.tool, request.args), self.names(request, history)
            value = anything(outcome.result)
        except Misfit:
            return Answer("withhold", errors=("request",))
        names |= {"args": args, "result": value, "call": {"duration": duration_of(outcome.duration), "cost": float(outcome.cost)}}
        return self.seen(request.tool, "result", value, names, history.words if history else {})

    def event(self, event: Event, history: History | None = None) -> Answer:
        """The decision about an event: it passes unless denied or asked about; then what validations make of it.

        Rewrites of events are made before the validations read them.
        """
        root = ROOTS.get(event.name, "")
        try:
            names = self.names(event, history)
            fields = anything(dict(event.fields))
        except Misfit:
            return Answer("deny", errors=("request",))
        names |= {root: fields, "args": {}}
        words = history.words if history else {}
        found = [one for kind in (tree.Permission, tree.Escalation) for one in self.rules(event.name, kind, None, names, words)]
        errors = [one.id for one in found if one.error]
        observed = [one.id for one in found if one.rule.observe and one.safe]
        enforced = [one for one in found if not one.rule.observe and one.safe]
        denies = [one.id for one in enforced if effect_of(one.rule) == "deny"]
        if denies:
            return Answer("deny", ids(denies), ids(errors), ids(observed))
        standings = {
            one.id: self.standing(one.id, one.rule.ladder, one.layer, names, history, (), event.name) for one in enforced
        }
        silent = {rule: end for rule, (state, end) in standings.items() if state == "silent"}
        if silent:
            rule, end = strictest(silent)
            if not isinstance(end, tree.ElseReply):
                return Answer("deny", ids(silent), ids(errors), ids(observed))
            layer = next(one.layer for one in enforced if one.id == rule)
            if isinstance(self.evaluator(layer, names, words, event.name).of(end.value), Err):
                return Answer("deny", ids(silent), ids([*errors, rule]), ids(observed))
            return Answer("reply", ids(silent), ids(errors), ids(observed), instead=("reply", rule))
        if standings:
            asks = frozenset((rule, tier.queue.text, tier.count) for rule, (_, tier) in standings.items())
            waiting = Answer("escalate", ids(standings), ids(errors), ids(observed), asks=asks)
            return self.held(waiting, event.name, names, history)
        answer, names = self.rewritten(event.name, root, fields, names, words, (errors, observed))
        return self.held(answer, event.name, names, history) if answer.effect in ("pass", "redact") else answer

    def rewritten(
        self, subject: str, root: str, fields: Any, names: dict[str, Any], words: Mapping[str, Callable[..., Any]],
        earlier: tuple[list[str], list[str]],
    ) -> tuple[Answer, dict[str, Any]]:  # fmt: skip
        """An event that nothing stopped: rewritten, then validated and labelled. And what it is then."""
        rewrites = self.rules(subject, tree.Rewriting, root, names, words)
        errors = [*earlier[0], *(one.id for one in rewrites if one.error)]
        observed = [*earlier[1], *(one.id for one in rewrites if one.rule.observe and one.safe)]
        enforced = sorted((one for one in rewrites if not one.rule.observe and one.safe), key=lambda one: one.layer)
        wrong = [one.id for one in enforced if one.error]
        changed = fields
        if not wrong:
            for one in enforced:
                try:
                    changed = self.change(one, one.rule.changes, root, changed, names, words, subject)
                except PathFault:
                    wrong.append(one.id)
        if wrong:
            return Answer("deny", ids(wrong), ids([*errors, *wrong]), ids(observed)), names
        done = [] if changed is fields else [("redact", one.id) for one in enforced]
        names = {**names, root: changed}
        answer = self.seen(subject, root, changed, names, words, done)
        return replace(answer, errors=ids([*errors, *answer.errors]), observed=ids([*observed, *answer.observed])), names

    def seen(
        self, subject: str, root: str, value: Any, names: dict[str, Any], words: Mapping[str, Callable[..., Any]],
        done: Sequence[tuple[str, str]] = (),
    ) -> Answer:  # fmt: skip
        """What may be seen of a value on its way out; `done` are the effects that stand already."""
        effects = list(done)
        labels: set[tuple[str, str, str, bool]] = set()
        kinds = (tree.Rewriting, tree.Labelling, tree.Declassification, tree.Validation)
        found = [
            one for kind in kinds
            for one in self.rules(subject, kind, "result" if kind is tree.Rewriting else None, names, words)
        ]  # fmt: skip
        for one in found:
            if isinstance(one.rule, tree.Validation):
                one.holds = self.violated(one, names, words, subject)
        errors = [one.id for one in found if one.error]
        observed = [one.id for one in found if one.rule.observe and one.safe]
        changed = value
        for one in sorted(found, key=lambda one: one.layer):
            if one.rule.observe or not one.safe:
                continue
            try:
                if isinstance(one.rule, tree.Validation):
                    effects.append((failed(one.rule.otherwise), one.id))
                elif isinstance(one.rule, tree.Declassification):
                    if not one.error:
                        labels |= {(one.id, label.text, root, False) for label in one.rule.labels}
                elif one.error:
                    effects.append(("withhold", one.id))
                elif isinstance(one.rule, tree.Labelling):
                    where = [place for path in one.rule.paths for place in places(value, path.steps, root)]
                    where = where if one.rule.paths else [root]
                    labels |= {(one.id, label.text, place, True) for label in one.rule.labels for place in where}
                else:
                    changed = self.change(one, one.rule.changes, root, changed, names, words, subject)
                    effects.append(("redact", one.id))
            except PathFault:
                errors.append(one.id)
                effects.append(("withhold", one.id))
        strict = ("pass", "redact", "reply", "withhold", "fail")
        effect = max((effect for effect, _ in effects), key=strict.index, default="pass")
        rules = ids(rule for one, rule in effects if one == effect)
        return Answer(
            effect, rules, ids(errors), ids(observed), names["args"], labels=frozenset(labels),
            result=changed if effect in ("pass", "redact") else None,
        )  # fmt: skip

    def violated(
        self, one: Found, names: Mapping[str, Any], words: Mapping[str, Callable[..., Any]], subject: str
    ) -> bool | Err:
        """A validation applies where its guards hold and a requirement does not."""
        evaluator = self.evaluator(one.layer, names, words, subject)
        required = conjunction([evaluator.truth(requirement) for requirement in one.rule.requirements])
        return conjunction([one.holds, required if isinstance(required, Err) else not required])
