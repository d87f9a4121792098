"""`let` is a hygienic macro: its body stands where its name stood, and neither captures the other's variables.

`Expander` works for one layer. It also tells which constants, lets and histories an expression reads, and where a
piece of an expanded expression was written, so that a diagnostic can show both places.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import TypeAlias

from policy_engine.base.limits import MAX_EXPRESSION_NODES, MAX_NESTING
from policy_engine.base.source import Span
from policy_engine.compiler.analysis.draft import Draft, Layer, Subject
from policy_engine.compiler.analysis.rebuilding import bound_for_children, fields_read, names_in, rebuilt
from policy_engine.compiler.analysis.schema_files import schema_text
from policy_engine.diagnostics.model import Code
from policy_engine.semantics.ast.expressions import Bind, Call, Expr, Literal, Name, Select, children
from policy_engine.semantics.ast.policy import Let

RECURSIVE_LET = Code(
    "recursive-let",
    "A `let` is defined by itself",
    "A `let` stands for its text. One that, over others, contains itself would never end.\n\n"
    "```\nlet trusted = verified || known\nlet known = trusted      // refused\n```",
)
LET_TOO_LARGE = Code(
    "let-too-large",
    "An expression becomes too large once its `let` words are put in",
    f"A condition holds at most {MAX_EXPRESSION_NODES} parts after every `let` was replaced by its body, so that no"
    " policy can make decisions slow.\n\n```\nlet a = x + x\nlet b = a + a      // doubles with every line\n```",
)
LET_ARGUMENTS = Code(
    "let-arguments",
    "A `let` is used with the wrong number of arguments",
    "```\nlet verified(id) = run.calls.exists(c, c.args.id == id)\ndeny unverified on crm.* unless verified"
    "              // refused\ndeny unverified on crm.* unless verified(args.id)\n```",
)
LET_WITHOUT_TOOL = Code(
    "let-without-tool",
    "A `let` says nothing about a tool it is used for",
    "A `let … on TOOLS` means something for those tools only. A rule that uses it for others would have no condition"
    " there.\n\n```\nlet amount on bank.transfer = args.amount\ndeny large on bank.* when amount > 100.0        // refused for"
    " bank.balance\ndeny large on bank.transfer when amount > 100.0\n```",
)
LET_OVERLAP = Code(
    "let-overlap",
    "Two `let` of one name are for the same tool",
    "```\nlet amount on bank.* = args.amount\nlet amount on bank.transfer = args.sum      // which one, for bank.transfer?\n```\n"
    "Take the tool away from one of them with `except`.",
)
CODES = (RECURSIVE_LET, LET_TOO_LARGE, LET_ARGUMENTS, LET_WITHOUT_TOOL, LET_OVERLAP)

_MAX_DEPTH = MAX_NESTING + 50


class ExpansionFailed(Exception):
    """A diagnostic was reported; the expression cannot be checked any further."""


@dataclass(frozen=True, eq=False)
class Site:
    """A `let` that was put in: the stretch of its body and the stretch of the word that it replaced."""

    name: str
    body: Span
    use: Span


@dataclass(frozen=True, eq=False)
class Expanded:
    """An expression without `let`. `tree` still names constants (with their declared types), `final` has their values.

    `free` are the names it reads, `args_fields` the arguments (None = all of them, as a whole); `per_tool`: it differs
    from tool to tool.
    """

    tree: Expr
    final: Expr
    free: frozenset[str]
    sites: tuple[Site, ...]
    per_tool: bool

    @cached_property
    def args_fields(self) -> frozenset[str] | None:
        """The fields of `args` that are read; None where it is read as a whole."""
        return fields_read(self.tree, "args")


@dataclass(eq=False)
class _Work:
    """What one expansion has met so far."""

    subject: Subject
    nodes: int = 0
    sites: list[Site] = field(default_factory=list)
    open: list[str] = field(default_factory=list)
    free: set[str] = field(default_factory=set)
    per_tool: bool = False
    constants: bool = False


_Variables: TypeAlias = Mapping[str, str | Expr]


def _variables(own: _Variables) -> frozenset[str]:
    """The variables of the result among what can be meant."""
    return frozenset(meant for meant in own.values() if isinstance(meant, str))


def _is_plain(value: Expr, variables: frozenset[str]) -> bool:
    """Whether a value is a literal or a path from a name of the policy, not from a macro's variable."""
    while isinstance(value, Select) and not value.optional:
        value = value.operand
    return isinstance(value, Literal) or (isinstance(value, Name) and (value.rooted or value.name not in variables))


def _again(path: Expr, hidden: frozenset[str]) -> Expr:
    """A fresh copy of a plain path; its name keeps its meaning among variables that would hide it."""
    match path:
        case Select():
            return replace(path, operand=_again(path.operand, hidden))
        case Name():
            return replace(path, rooted=path.rooted or path.name in hidden)
        case _:
            return rebuilt(path, (), fresh=True)


class Expander:
    """Expands the expressions of one layer; keeps results, because most rules read alike for all their tools."""

    def __init__(self, draft: Draft, layer: Layer) -> None:
        self._draft = draft
        self._layer = layer
        self._kept: dict[tuple[int, str], Expanded | None] = {}
        self._alive: list[Expr] = []
        self._tools = self._let_tools()

    def expand(self, expression: Expr, subject: Subject) -> Expanded:
        """`expression` as it reads for `subject`; raises `ExpansionFailed` after a diagnostic."""
        for key in ((id(expression), ""), (id(expression), subject.name)):
            if key in self._kept:
                return self._known(self._kept[key])
        self._alive.append(expression)
        work = _Work(subject)
        try:
            tree = self._copy(expression, work, {}, frozenset(), 0)
        except ExpansionFailed:
            self._kept[id(expression), subject.name if work.per_tool else ""] = None
            raise
        final = self._with_values(tree, frozenset()) if work.constants else tree
        expanded = Expanded(tree, final, frozenset(work.free), tuple(work.sites), work.per_tool)
        self._kept[id(expression), subject.name if work.per_tool else ""] = expanded
        return expanded

    @staticmethod
    def _known(expanded: Expanded | None) -> Expanded:
        if expanded is None:
            raise ExpansionFailed
        return expanded

    # ------------------------------------------------------------------ expansion
    def _copy(self, node: Expr, work: _Work, own: _Variables, outer: frozenset[str], depth: int) -> Expr:
        """`node` with lets put in. Every let body is a fresh copy: its nodes are typed anew at each place.

        `own` maps the variables that can be meant here to what they are in the result: a variable, or the plain path
        that was given; `outer` are variables of the places of use, which are in scope of the result but must not be
        meant by anything inside a body.
        """
        work.nodes += 1
        if work.nodes > MAX_EXPRESSION_NODES or depth > _MAX_DEPTH:
            self._report_large(work, node)
        match node:
            case Name(name=name) if name in own and not node.rooted:
                meant = own[name]
                if isinstance(meant, str):
                    return replace(node, name=meant) if work.open else node
                return _again(meant, outer | _variables(own))
            case Name(name=name):
                if name in self._layer.lets:
                    return self._put_in(node, name, (), work, own, outer, depth)
                work.free.add(name)
                work.constants |= name in self._layer.constants
                self._layer.read_names.add(name)
                hidden = name in outer or name in _variables(own)
                return replace(node, rooted=node.rooted or hidden) if work.open else node
            case Call(target=None, function=name, args=args) if name in self._layer.lets:
                given = tuple(self._copy(argument, work, own, outer, depth + 1) for argument in args)
                return self._put_in(node, name, given, work, own, outer, depth)
            case _:
                work.constants |= isinstance(node, Call) and node.function == "fits"
                parts: list[Expr] = []
                for child, bound in zip(children(node), bound_for_children(node), strict=True):
                    inside = {**own, **{name: name for name in bound}} if bound else own
                    parts.append(self._copy(child, work, inside, outer, depth + 1))
                return rebuilt(node, tuple(parts), fresh=bool(work.open))

    def _put_in(
        self,
        node: Name | Call,
        name: str,
        given: tuple[Expr, ...],
        work: _Work,
        own: _Variables,
        outer: frozenset[str],
        depth: int,
    ) -> Expr:
        """The body of the let `name` in the place of `node`.

        A plain path that was given (`args.amount`) stands where its parameter stood; anything else is bound to a
        variable, so that it is evaluated once.
        """
        let = self._chosen(name, node, work)
        self._layer.read_names.add(name)
        self._check_use(let, node, len(given), work)
        work.sites.append(Site(name, let.value.span, node.span))
        around = outer | _variables(own)
        names = self._fresh(let, given)
        parameters: dict[str, str | Expr] = {}
        bound: list[tuple[str, Expr]] = []
        for word, variable, value in zip(let.parameters, names, given, strict=True):
            if _is_plain(value, around):
                parameters[word.text] = value
            else:
                parameters[word.text] = variable
                bound.append((variable, value))
        work.open.append(name)
        body = self._copy(let.value, work, parameters, around, depth + len(bound) + 1)
        work.open.pop()
        for variable, value in reversed(bound):
            work.nodes += 1
            body = Bind(variable, value, body, node.span)
        return body

    def _check_use(self, let: Let, node: Name | Call, given: int, work: _Work) -> None:
        name = let.name.text
        if name in work.open:
            self._draft.report(
                RECURSIVE_LET, f"`{name}` is defined by itself: {' → '.join([*work.open, name])}",
                (node.span, "used here"), (let.name.span, "defined here"),
                effect="it would never come to an end", suggestion="write out what it should mean",
            )  # fmt: skip
            raise ExpansionFailed
        if given != len(let.parameters):
            wanted = f"{name}({', '.join(word.text for word in let.parameters)})" if let.parameters else name
            self._draft.report(
                LET_ARGUMENTS, f"`{name}` takes {len(let.parameters)} argument(s), here it is given {given}",
                (node.span, ""), (let.name.span, "defined here"),
                effect="the rule cannot be checked", suggestion=f"write {wanted}",
            )  # fmt: skip
            raise ExpansionFailed

    @staticmethod
    def _fresh(let: Let, given: tuple[Expr, ...]) -> list[str]:
        """A variable a parameter: its own name, unless a later argument or the body would take it for something else."""
        names: list[str] = []
        words = [word.text for word in let.parameters]
        for number, word in enumerate(words):
            later = {name for argument in given[number + 1 :] for name in names_in(argument)}
            if word not in later:
                names.append(word)
                continue
            taken = later | names_in(let.value) | set(words) | set(names)
            names.append(next(f"{word}_{n}" for n in range(len(taken) + 1) if f"{word}_{n}" not in taken))
        return names

    def _chosen(self, name: str, node: Name | Call, work: _Work) -> Let:
        """The `let` of that name which is for the subject."""
        lets = self._layer.lets[name]
        if lets[0].targets is None:
            return lets[0]
        work.per_tool = True
        let = self._tools[name].get(work.subject.name)
        if let is not None:
            return let
        self._draft.report(
            LET_WITHOUT_TOOL, f"`{name}` says nothing about `{work.subject.name}`",
            (node.span, f"used for {work.subject.name}"), *((one.name.span, "for other tools") for one in lets),
            effect="the rule would have no condition there, so the policy is not loaded",
            suggestion=f"add: let {name} on {work.subject.name} = …",
        )  # fmt: skip
        raise ExpansionFailed

    def _let_tools(self) -> dict[str, dict[str, Let]]:
        """For each `let … on`, which definition counts for which tool."""
        table: dict[str, dict[str, Let]] = {}
        for name, lets in self._layer.lets.items():
            for let in lets:
                if let.targets is None:
                    continue
                for subject in self._layer.targets.resolve(let.targets, f"the let `{name}`"):
                    other = table.setdefault(name, {}).setdefault(subject.name, let)
                    if other is not let:
                        self._draft.report(
                            LET_OVERLAP, f"two `let {name}` are for `{subject.name}`", (let.name.span, "this one"),
                            (other.name.span, "and this one"), effect="nobody could say which one counts",
                            suggestion=f"take the tool away from one: … except {subject.name}",
                        )  # fmt: skip
            table.setdefault(name, {})
        return table

    def _report_large(self, work: _Work, node: Expr) -> None:
        first = work.sites[0].use if work.sites else node.span
        self._draft.report(
            LET_TOO_LARGE, f"the expression holds more than {MAX_EXPRESSION_NODES} parts, or too many inside each other",
            first, effect="the policy is not loaded", suggestion="say it in smaller rules",
        )  # fmt: skip
        raise ExpansionFailed

    # ------------------------------------------------------------------ constants
    def _with_values(self, node: Expr, bound: frozenset[str]) -> Expr:
        """`node` with params, data and groups replaced by their values, and names of schemas by the schemas."""
        if isinstance(node, Name) and (node.rooted or node.name not in bound):
            constant = self._layer.constants.get(node.name)
            return node if constant is None else Literal(constant.value, node.span)
        parts = tuple(
            self._with_values(child, bound.union(names))
            for child, names in zip(children(node), bound_for_children(node), strict=True)
        )
        if isinstance(node, Call) and node.function == "fits" and node.target is None:
            parts = tuple(map(self._schema, range(len(parts)), parts))
        return rebuilt(node, parts, fresh=False)

    def _schema(self, position: int, part: Expr) -> Expr:
        if position == 1 and isinstance(part, Literal) and isinstance(part.value, str):
            return Literal(schema_text(self._draft, part.value, part.span), part.span)
        return part
