"""Paths and patterns by their text alone: as `os.path` has it, and never a silent false."""

from __future__ import annotations

import posixpath
from pathlib import PurePosixPath

import pytest
from hypothesis import example, given, strategies as st

from policy_engine.base.errors import EvaluationError
from policy_engine.semantics.functions.globs import glob
from policy_engine.semantics.functions.paths import read_path, within

PARTS = st.lists(st.sampled_from(["a", "b", "ab", ".", "..", "", "...", ".a", "a b"]), max_size=8)


@st.composite
def paths(draw: st.DrawFn) -> str:
    text = draw(st.sampled_from(["", "/", "./", "///"])) + "/".join(draw(PARTS))
    return text if text and not (text.startswith("//") and not text.startswith("///")) else "a"


@given(paths())
def test_a_path_is_normalised_as_posix_has_it(text: str) -> None:
    """`.`, `..`, doubled and trailing slashes: the same as `posixpath.normpath`."""
    assert str(read_path(text)) == posixpath.normpath(text)


@given(paths(), paths())
@example("/work/../etc", "/work")
@example("../x/y", ".")
def test_within_is_true_only_where_the_file_system_says_so(text: str, folder: str) -> None:
    """Seen from any folder, a path that is said to lie within another does; and one said not to, does not."""
    try:
        answer = within(read_path(text), folder)
    except EvaluationError:
        return
    for start in ("/", "/a", "/a/b", "/b/ab/a"):
        inner = PurePosixPath(posixpath.normpath(posixpath.join(start, text)))
        outer = PurePosixPath(posixpath.normpath(posixpath.join(start, folder)))
        climbs = read_path(text).climbs
        if climbs > len(PurePosixPath(start).parts) - 1 or read_path(folder).climbs > len(PurePosixPath(start).parts) - 1:
            continue
        assert answer is inner.is_relative_to(outer)


@pytest.mark.parametrize("text", [
    "", "~", "~/x", "~root/x", "a\0b", "a\nb", "a\\b", "..\\etc", "C:/x", "c:x", "//host/share", "a\x7f", "a\u2028b",
    "x" * 5000,
])  # fmt: skip
def test_what_systems_read_differently_is_no_path(text: str) -> None:
    """An error, so that neither an allow nor a deny is fooled."""
    with pytest.raises(EvaluationError):
        read_path(text)
    with pytest.raises(EvaluationError):
        glob(text, "**/x")


@pytest.mark.parametrize(("text", "folder"), [("a", "/work"), ("/work/a", "work"), ("../a", "a"), ("a", "../a")])
def test_what_depends_on_an_unknown_folder_is_an_error(text: str, folder: str) -> None:
    """Nobody knows where a relative path starts."""
    with pytest.raises(EvaluationError):
        within(read_path(text), folder)


GLOBS = [
    ("src/.git/config", "**/.git/**", True), ("/srv/.git/config", "**/.git/**", True), (".git", "**/.git/**", True),
    ("src/.gitignore", "**/.git/**", False), ("a/b/c.py", "a/*.py", False), ("a/c.py", "a/*.py", True),
    ("a/x/../c.py", "a/*.py", True), ("a/.env", "**/.env*", True), (".env.local", "**/.env*", True),
    ("a/env", "**/.env*", False),
    ("a/b1.md", "a/b?.{md,txt}", True), ("a/b1.rst", "a/b?.{md,txt}", False), ("/etc/passwd", "/etc/*", True),
    ("/etc", "/etc/**", True), ("/etcetera", "/etc/**", False), ("a/1.x", "a/[0-9].x", True), ("a/b.x", "a/[!0-9].x", True),
    ("a//b/./c", "a/b/c", True), ("a/b", "a/**/b", True), ("a/x/y/b", "a/**/b", True), ("ab", "a/**/b", False),
    ("x", "**", True),
    ("/work/src/a.py", ".git/**", False), ("/work/docs", "docs/*.md", False), ("a.py", "a?py", True),
    ("axpy", "a.py", False),
]  # fmt: skip


@pytest.mark.parametrize(("path", "pattern", "expected"), GLOBS)
def test_a_glob_matches_whole_folders(path: str, pattern: str, expected: bool) -> None:
    """`*` stays within a folder, `**` crosses any number of them, a dot at the start is a letter."""
    assert glob(path, pattern) is expected


@pytest.mark.parametrize(("path", "pattern"), [
    ("/work/.git/config", ".git/**"), ("/etc/docs/x.md", "docs/*.md"), ("/work/.git", ".git"), ("/.git/x", ".git/**"),
    (".git/config", "/.git/**"), ("../.git/config", "**/.git/**"), ("a", "a**"),
    ("a", "[a"),
    ("a", "{a,{b,c}}"), ("a", "a\\*"), ("a", ""), ("a", "../a"), ("a", "{/a,b}"), ("a", "a//b"),
])  # fmt: skip
def test_a_glob_that_cannot_be_sure_is_an_error(path: str, pattern: str) -> None:
    """A relative pattern beside an absolute path, a way out, or a pattern nobody agrees about."""
    with pytest.raises(EvaluationError):
        glob(path, pattern)
