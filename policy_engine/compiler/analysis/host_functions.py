"""Pass: the functions a policy may call: the language's own, and those the host registers beside them."""

from __future__ import annotations

from policy_engine.compiler.analysis.draft import Draft
from policy_engine.compiler.analysis.reading import place_of
from policy_engine.diagnostics.model import Code
from policy_engine.semantics.functions.catalogue import BY_NAME

HIDDEN_FUNCTION = Code(
    "hidden-function",
    "The host registers a function under a name that is taken",
    "Functions of the language cannot be replaced, because policies rely on what they mean; and no two functions of the"
    " host have one name.\n\n```\nload(…, functions=[said])          // refused: `said` is the language's\n"
    "load(…, functions=[acme_said])\n```",
)
CODES = (HIDDEN_FUNCTION,)


def known_functions(draft: Draft) -> None:
    """Fill `draft.functions`."""
    known = dict(BY_NAME)
    for function in draft.host_functions:
        if function.name in known:
            draft.report(
                HIDDEN_FUNCTION, f"the function `{function.name}` exists already", place_of(f"function {function.name}"),
                effect="the policy is not loaded, because its rules might mean something else",
                suggestion=f"register it under another name, for example my_{function.name}",
            )  # fmt: skip
            continue
        known[function.name] = function
        draft.material.append(("function", f"{function.name} {function.overloads!r} {function.needs_context}".encode()))
    draft.functions = known
