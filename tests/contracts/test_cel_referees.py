"""Our back ends against implementations nobody here wrote, on generated expressions: Google's C++ CEL and cel-python.

Expressions are drawn from the subset that all of them have; what a referee gets wrong is listed, with its reason.
"""

from __future__ import annotations

import importlib.util
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings, strategies as st

from policy_engine import cel

if importlib.util.find_spec("cel_expr_python") is None:
    pytest.skip("cel-expr-python is not installed: Google's CEL was not asked", allow_module_level=True)

import celpy  # type: ignore[import-untyped, unused-ignore]
from cel_expr_python import cel as google

GOOGLE = google.NewEnv(variables={})
PYTHON = celpy.Environment()
FEW = 4
"""Leaves of one generated part: small expressions fail for one reason at a time."""


def _filled(form: str, parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    """The form with a part in each of its places."""
    return st.tuples(*[parts] * form.count("{}")).map(lambda texts: form.format(*texts))


def _grow(leaves: st.SearchStrategy[str], *forms: str) -> st.SearchStrategy[str]:
    """The leaves, and texts made of them by `forms`, where each `{}` is one of the same kind."""
    return st.recursive(leaves, lambda inner: st.one_of([_filled(form, inner) for form in forms]), max_leaves=FEW)


def _made(form: str, *parts: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    return st.tuples(*parts).map(lambda texts: form.format(*texts))


pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")
ARITHMETIC = ("({} + {})", "({} - {})", "({} * {})", "({} / {})")
EDGES = st.one_of(st.integers(-3, 3), st.sampled_from([2**53, 2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63) + 1]))
INTS = _grow(EDGES.map(lambda n: f"dyn({n})"), *ARITHMETIC, "({} % {})", "(-{})")
UINTS = _grow(EDGES.map(lambda n: f"dyn({abs(n)}u)"), *ARITHMETIC, "({} % {})")
DOUBLES = _grow(
    st.sampled_from(
        ["0.0", "1.0", "-1.5", "2.0", "9007199254740992.0", "9223372036854775808.0", "0.0/0.0", "1.0/0.0", "-0.0"]
    ).map(lambda text: f"dyn({text})"),
    *ARITHMETIC,
    "(-{})",
)
NUMBERS = st.one_of(
    INTS,
    UINTS,
    DOUBLES,
    st.one_of(INTS, DOUBLES).map(lambda x: f"dyn(double({x}))"),
    UINTS.map(lambda x: f"dyn(int({x}))"),
)
TEXTS = _grow(st.sampled_from(["dyn('')", "dyn('a')", "dyn('ab')", "dyn('1')", "dyn('ä')"]), "({} + {})")
TIMES = _grow(
    st.sampled_from(["dyn(duration('1h'))", "dyn(duration('60m'))", "dyn(duration('-1s'))"]), "({} + {})", "({} - {})"
)
MOMENTS = _made(
    "(dyn(timestamp('{}')) + {})", st.sampled_from(["2026-01-01T00:00:00Z", "2026-01-01T01:00:00+01:00"]), TIMES
)
ODD = st.sampled_from(["dyn(true)", "dyn(null)", "dyn(b'a')", "dyn(int)", "dyn(type(1))", "dyn([])", "dyn({})"])
ITEMS = st.one_of(NUMBERS, NUMBERS, TEXTS, ODD)
LISTS = _grow(
    st.lists(ITEMS, max_size=3).map(lambda parts: f"dyn([{', '.join(parts)}])"),
    "({} + {})",
    "{}.map(x, x)",
    "dyn([{}, {}])",
)
MAPS = st.one_of(_made("dyn({{'a': {}}})", ITEMS), _made("dyn({{1: {}, 2u: {}, 'b': {}}})", ITEMS, ITEMS, ITEMS))
ANYTHING = st.one_of(NUMBERS, TEXTS, TIMES, MOMENTS, ODD, LISTS, MAPS, _made("{}[{}]", st.one_of(LISTS, MAPS), ITEMS))
ORDER = st.sampled_from(["==", "!=", "<", "<=", ">", ">="])
SAME = st.sampled_from(["==", "!="])
SIMPLE = st.one_of(
    _made("({} {} {})", NUMBERS, ORDER, NUMBERS),
    _made("({} {} {})", TEXTS, ORDER, TEXTS),
    _made("({} {} {})", TIMES, ORDER, TIMES),
    _made("({} {} {})", MOMENTS, ORDER, MOMENTS),
    _made("({} {} {})", st.one_of(LISTS, MAPS), SAME, st.one_of(LISTS, MAPS)),
    _made("({} {} {})", ANYTHING, ORDER, ANYTHING),
    _made("({} in {})", ITEMS, st.one_of(LISTS, MAPS)),
    _made("{}.{}({})", TEXTS, st.sampled_from(["startsWith", "endsWith", "contains", "matches"]), TEXTS),
    _made("(size({}) > {})", st.one_of(LISTS, MAPS, TEXTS), INTS),
    _made("{}.{}(x, x {} {})", LISTS, st.sampled_from(["all", "exists", "exists_one"]), ORDER, NUMBERS),
    _made("({}.filter(x, x {} {}) == {})", LISTS, ORDER, NUMBERS, LISTS),
    _made("has({}.a)", MAPS),
    _made("({}.a == {})", MAPS, ITEMS),
    _made("(string({}) == {})", st.one_of(INTS, UINTS, TEXTS), TEXTS),
    ANYTHING,
)
EXPRESSIONS = _grow(
    SIMPLE.map(lambda text: f"dyn({text})"),
    "dyn({} && {})",
    "dyn({} || {})",
    "dyn(!({}))",  # without the brackets: Google's parser drops `!!`, so that `!!'a'` is `'a'`; ours is an error
    "dyn({} ? {} : {})",
    "dyn([1, 2].exists(x, x == 2 && {}))",
)


def _ours(text: str, backend: cel.Backend) -> Any:
    try:
        answer = cel.evaluate(text, backend=backend)
    except cel.EvaluationError:
        return "error"
    return answer if isinstance(answer, bool) else "no bool"


def _googles(text: str) -> Any:
    try:
        answer = GOOGLE.compile(text).eval()
    except RuntimeError:  # refused by its type checker, which `dyn` does not silence everywhere
        return None
    if answer.type() == google.Type.ERROR:
        return "error"
    return answer.value() if answer.type() == google.Type.BOOL else "no bool"


def _pythons(text: str) -> bool | None:
    """cel-python's truth value; None where it has none, or where one of its known faults stands in the way.

    Known faults (0.5.0): zero divided by zero is infinity; operands of `&&` that are no bools pass; a bool compares
    with numbers; methods of computed texts are errors; some expressions end in an `IndexError`.
    """
    if "/" in text and "." in text:
        return None
    try:
        answer = PYTHON.program(PYTHON.compile(text)).evaluate({})
    except (celpy.evaluation.CELEvalError, IndexError):
        return None
    return bool(answer) if isinstance(answer, celpy.celtypes.BoolType) else None


@settings(max_examples=1_000, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=EXPRESSIONS)
def test_google_cel_agrees(text: str) -> None:
    """True, false, no bool or an error: the same on both our back ends and in Google's C++ CEL."""
    expected = _googles(text)
    assume(expected is not None)
    assert _ours(text, "interpreter") == expected
    assert _ours(text, "generated") == expected


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(text=EXPRESSIONS)
def test_cel_python_agrees_on_truth(text: str) -> None:
    """Where both come to true or false, it is the same."""
    expected, ours = _pythons(text), _ours(text, "interpreter")
    assume(expected is not None and isinstance(ours, bool))
    assert ours == expected
