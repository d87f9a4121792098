"""Builds the nodes of the header and the declarations from what the parser read. Mixed into `PolicyBuilder`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, cast

from lark import Token

from policy_engine.base.source import Span
from policy_engine.compiler.language.ground import Ground
from policy_engine.semantics.ast.policy import (
    Default,
    FieldDeclaration,
    Group,
    Header,
    History,
    Labels,
    Let,
    Param,
    Queues,
    Shape,
    TypeExpr,
    UseData,
    UseRules,
    UseTools,
    Word,
)


@dataclass(frozen=True, slots=True)
class About:
    """One clause of the header: `under`, `version`, `owner`, `edition`, or `hint` (then without words)."""

    kind: str
    word: Word | None
    span: Span


class DeclarationBuilder(Ground):
    """Callbacks of the declaration productions; each takes the children its production keeps."""

    def header(self, children: list[Any]) -> Header:
        """`policy NAME …`."""
        keyword, name, *abouts = children
        by_kind: dict[str, About] = {}
        for about in abouts:
            if about.kind != "under" and about.kind in by_kind:
                self.duplicate(about.kind, by_kind[about.kind].span, about.span, "the header")
            by_kind.setdefault(about.kind, about)
        only = {kind: about.word for kind, about in by_kind.items()}
        return Header(
            name=name,
            under=tuple(about.word for about in abouts if about.kind == "under"),
            version=only.get("version"),
            owner=only.get("owner"),
            edition=only.get("edition"),
            hint="hint" not in by_kind,
            span=self.stretch(keyword, abouts[-1] if abouts else name),
        )

    def under(self, children: list[Any]) -> About:
        """`under FILE`."""
        return self.about(children)

    def about(self, children: list[Any]) -> About:
        """`version TEXT`, `owner TEXT`, `edition TEXT`."""
        keyword, text = children
        return About(str(keyword), self.text_word(text), self.stretch(keyword, text))

    def hint_off(self, children: list[Any]) -> About:
        """`hint off`."""
        return About("hint", None, self.stretch(*children))

    def qname(self, children: list[Any]) -> Word:
        """`support.refunds`."""
        return Word(".".join(children), self.stretch(children[0], children[-1]))

    def use_tools(self, children: list[Any]) -> UseTools:
        """`use tools FILE as NAME`."""
        use, _, file, _, alias = children
        return UseTools(self.text_word(file), self.word(alias) if alias else None, self.stretch(use, alias or file))

    def use_rules(self, children: list[Any]) -> UseRules:
        """`use rules FILE`."""
        use, _, file = children
        return UseRules(self.text_word(file), self.stretch(use, file))

    def use_data(self, children: list[Any]) -> UseData:
        """`use data FILE as NAME: TYPE`."""
        use, _, file, _, name, declared = children
        return UseData(self.text_word(file), self.word(name), declared, self.stretch(use, declared or name))

    def param(self, children: list[Any]) -> Param:
        """`param NAME: TYPE = EXPR`."""
        keyword, name, declared, default = children
        return Param(self.word(name), declared, default, self.stretch(keyword, default or declared))

    def queues(self, children: list[Any]) -> Queues:
        """`queues NAME, NAME`."""
        keyword, names = children
        return Queues(names, self.stretch(keyword, names[-1]))

    def labels(self, children: list[Any]) -> Labels:
        """`labels NAME, NAME`."""
        keyword, names = children
        return Labels(names, self.stretch(keyword, names[-1]))

    def history(self, children: list[Any]) -> History:
        """`history NAME by EXPR for DURATION`."""
        keyword, name, _, key, _, keep = children
        return History(self.word(name), key, self.duration_word(keep), self.stretch(keyword, keep))

    def shape(self, children: list[Any]) -> Shape:
        """`principal { … }`."""
        keyword, *inner = children
        fields = tuple(part for part in inner if isinstance(part, FieldDeclaration))
        return Shape(cast(Any, str(keyword)), fields, self.stretch(keyword, inner[-1]))

    def field(self, children: list[Any]) -> FieldDeclaration:
        """`NAME: TYPE?`."""
        name, declared, optional = children
        return FieldDeclaration(self.word(name), declared, optional is not None)

    def type_name(self, children: list[Any]) -> TypeExpr:
        """`string`."""
        return TypeExpr(str(children[0]), (), (), self.stretch(children[0], children[0]))

    def type_of(self, children: list[Any]) -> TypeExpr:
        """`map(string, double)`."""
        name, *arguments, closing = children
        return TypeExpr(str(name), tuple(arguments), (), self.stretch(name, closing))

    def type_enum(self, children: list[Any]) -> TypeExpr:
        """`"a" | "b"`."""
        options = tuple(self.text_word(token).text for token in children)
        return TypeExpr("enum", (), options, self.stretch(children[0], children[-1]))

    def let(self, children: list[Any]) -> Let:
        """`let NAME(NAMES) on TARGETS = EXPR`."""
        keyword, name, parameters, _, targets, value = children
        return Let(self.word(name), parameters or (), targets, value, self.stretch(keyword, value))

    def group(self, children: list[Any]) -> Group:
        """`group NAME = TARGETS`."""
        keyword, name, targets = children
        return Group(self.word(name), targets, self.stretch(keyword, targets))

    def default(self, children: list[Any]) -> Default:
        """`default deny`."""
        keyword, effect, *ladder = children
        asked = ladder[0] if ladder else None
        return Default(cast(Any, str(effect)), asked, self.stretch(keyword, asked or effect))

    def idents(self, children: list[Token]) -> tuple[Word, ...]:
        """Names with commas between."""
        return tuple(self.word(token) for token in children)
