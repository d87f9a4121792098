"""Pass 1: files become layers. The only pass that reads policies; every file is read and parsed once.

Layer 0 is the policy: its entry files and whatever they `use rules`. Above it stand the layers it names with `under`,
then those they name, and highest those the host imposes. A layer stands above every layer that names it.
"""

from __future__ import annotations

from collections.abc import Sequence

from policy_engine.base.source import Source, Span
from policy_engine.compiler.analysis.draft import Draft, Layer, LoadedFile, finding
from policy_engine.compiler.language.parser import parse_policy
from policy_engine.compiler.language.remembering import Carried
from policy_engine.diagnostics.model import Code, Diagnostic
from policy_engine.semantics.ast.policy import UseRules

UNREADABLE_FILE = Code(
    "unreadable-file",
    "A file cannot be read",
    "A file that the policy needs is missing or cannot be opened. A policy is loaded whole or not at all, because a"
    " missing file may hold the very rule that denies.\n\n"
    '```\nuse tools "crm.tolls.json" as crm     // no such file\nuse tools "crm.tools.json" as crm     // mended\n```\n'
    "Paths are relative to the file that names them.",
)
NOT_UTF8 = Code(
    "not-utf8",
    "A file is not UTF-8 text",
    "Policies, schemas and data are UTF-8. Other encodings are refused rather than guessed: a guess could change the"
    " names that rules speak of.\n\nMend it with `iconv -f LATIN1 -t UTF-8 old.policy > new.policy`.",
)
USE_CYCLE = Code(
    "use-cycle",
    "Files use each other in a circle",
    "`use rules` joins files into one layer. A file that, over others, uses itself is mostly a mistake about which file"
    ' is the shared one.\n\n```\n// a.policy: use rules "b.policy"\n// b.policy: use rules "a.policy"   <- remove this\n```\n'
    "Names of one layer are visible in all its files, so `b.policy` needs no `use` of `a.policy` to read them.",
)
UNDER_CYCLE = Code(
    "under-cycle",
    "Layers stand above each other in a circle",
    "`under` puts a layer above this one. Two that are above each other have no order, so nobody could say whose"
    ' rewrite wins.\n\n```\n// team.policy: policy team under "org.policy"\n'
    '// org.policy:  policy org under "team.policy"    <- remove this `under`\n```',
)
UNKNOWN_EDITION = Code(
    "unknown-edition",
    "An edition of the language that this engine does not know",
    "A policy that states an edition keeps that edition's meaning for good. This engine knows the edition `2026`.\n\n"
    '```\npolicy support edition "2031"   // refused\npolicy support edition "2026"\n```',
)
CODES = (UNREADABLE_FILE, NOT_UTF8, USE_CYCLE, UNDER_CYCLE, UNKNOWN_EDITION)

EDITIONS = ("2026",)


def read_layers(draft: Draft) -> None:
    """Fill `draft.layers`, and the digest's material with every policy file."""
    reader = _Reader(draft)
    draft.layers = reader.layers()
    for number, layer in enumerate(draft.layers):
        layer.index = number
        for file in layer.files:
            draft.material.append((f"policy {number}", file.source.text.encode()))


def read_text(draft: Draft, reference: str, relative_to: str | None, span: Span) -> tuple[str, Source] | None:
    """The canonical id and text of a file, or None after a diagnostic at `span`."""
    what = f"`{reference}`"
    try:
        canonical = draft.resolver.resolve(reference, relative_to)
        raw = draft.resolver.read(canonical)
    except FileNotFoundError:
        draft.report(
            UNREADABLE_FILE, f"{what} does not exist", span,
            effect="the policy is not loaded, and nothing is permitted",
            suggestion="check the spelling; the path is relative to the file that names it",
        )  # fmt: skip
        return None
    except OSError as fault:
        draft.report(
            UNREADABLE_FILE, f"{what} cannot be read: {fault.strerror or type(fault).__name__}", span,
            effect="the policy is not loaded, and nothing is permitted",
        )  # fmt: skip
        return None
    try:
        return canonical, Source(draft.resolver.display(canonical), raw.decode("utf-8").removeprefix("\ufeff"))
    except UnicodeDecodeError as fault:
        draft.collector.add(not_utf8(reference, fault, span))
        return None


def not_utf8(reference: str, fault: UnicodeDecodeError, span: Span) -> Diagnostic:
    """What to say of a file in another encoding; bytes and lines are counted from one."""
    line = fault.object[: fault.start].count(b"\n") + 1
    return finding(
        NOT_UTF8, f"`{reference}` is not UTF-8 text: byte {fault.start + 1}, on line {line}, does not fit", span,
        effect="the policy is not loaded, and nothing is permitted", suggestion="save the file as UTF-8",
    )  # fmt: skip


def place_of(reference: str) -> Span:
    """A span for what a host named, which stands in no source."""
    return Span(Source(reference, ""), 0, 0)


class _Reader:
    """Reads each file once; remembers which layers are being read, to see circles."""

    def __init__(self, draft: Draft) -> None:
        self._draft = draft
        self._carried = Carried(draft.before.items, draft.after.items)
        self._files: dict[str, LoadedFile | None] = {}
        self._layers: dict[str, Layer] = {}
        self._above: dict[str, list[str]] = {}

    def layers(self) -> list[Layer]:
        """Layer 0, its `under` chain, then the imposed layers with theirs."""
        own = self._chain(tuple(self._draft.entry))
        imposed: list[Layer] = []
        for reference in self._draft.under:
            for layer in self._chain((reference,)):
                layer.imposed = True
                if layer not in imposed:
                    imposed.append(layer)
        return [*(layer for layer in own if layer not in imposed), *imposed]

    def _chain(self, references: Sequence[str]) -> list[Layer]:
        """The layer of these files and all above it, lowest first."""
        if not references:
            self._draft.report(
                UNREADABLE_FILE, "no policy file was given", place_of("policy"),
                effect="the policy is not loaded, and nothing is permitted",
                suggestion="name a .policy file, or a folder that holds one",
            )  # fmt: skip
        files = [(one, self._load(one, None, place_of(one))) for one in references]
        found = [(reference, file) for reference, file in files if file is not None]
        if not found:
            return []
        finished: list[Layer] = []
        self._visit([file for _, file in found], [], finished)
        finished.reverse()
        return finished

    def _visit(self, heads: list[LoadedFile], path: list[str], finished: list[Layer]) -> None:
        key = heads[0].canonical
        if any(layer in finished for layer in [self._layers.get(key)] if layer is not None):
            return
        layer = self._layers.get(key)
        if layer is None:
            layer = Layer(0, self._joined(heads))
            self._layers[key] = layer
        inside = [*path, *(head.canonical for head in heads)]
        for file in layer.files:
            for word in reversed(file.tree.header.under):
                above = self._load(word.text, file.canonical, word.span)
                if above is None:
                    continue
                if above.canonical in inside:
                    self._draft.report(
                        UNDER_CYCLE, f"`{word.text}` is a layer above itself", (word.span, "this names it again"),
                        effect="the policy is not loaded: nobody could say which layer is the stricter one",
                        suggestion="remove one of the `under` lines of the circle",
                    )  # fmt: skip
                    continue
                self._visit([above], inside, finished)
        finished.append(layer)

    def _joined(self, heads: list[LoadedFile]) -> list[LoadedFile]:
        """The files of one layer: each once, in the order they are first named."""
        files: list[LoadedFile] = []
        for head in heads:
            self._join(head, [], files)
        return files

    def _join(self, file: LoadedFile, path: list[str], files: list[LoadedFile]) -> None:
        if file in files:
            return
        files.append(file)
        inside = [*path, file.canonical]
        for item in file.declarations:
            if not isinstance(item, UseRules):
                continue
            used = self._load(item.file.text, file.canonical, item.file.span)
            if used is None:
                continue
            if used.canonical in inside:
                self._draft.report(
                    USE_CYCLE, f"`{item.file.text}` uses itself" + (f", over {len(inside)} files" if len(inside) > 1 else ""),
                    (item.file.span, "the circle closes here"),
                    effect="the policy is not loaded",
                    suggestion="remove this line: the names of a layer are visible in all its files",
                )  # fmt: skip
                continue
            self._join(used, inside, files)

    def _load(self, reference: str, relative_to: str | None, span: Span) -> LoadedFile | None:
        try:
            known = self._draft.resolver.resolve(reference, relative_to)
        except OSError:
            known = None
        if known is not None and known in self._files:
            return self._files[known]
        read = read_text(self._draft, reference, relative_to, span)
        if read is None:
            if known is not None:
                self._files[known] = None
            return None
        canonical, source = read
        tree = parse_policy(source, self._draft.collector, self._carried)
        file = None if tree is None else LoadedFile(canonical, source, tree)
        self._files[canonical] = file
        if file is not None:
            self._check_edition(file)
        return file

    def _check_edition(self, file: LoadedFile) -> None:
        edition = file.tree.header.edition
        if edition is not None and edition.text not in EDITIONS:
            self._draft.report(
                UNKNOWN_EDITION, f'edition "{edition.text}" is not one this engine knows', edition.span,
                effect="the policy is not loaded, because its rules might mean something else",
                suggestion=f'edition "{EDITIONS[-1]}"',
            )  # fmt: skip
