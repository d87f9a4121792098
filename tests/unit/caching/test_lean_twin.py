"""The lean entry answers what the full engine answers, imports almost nothing, and leaves it what is not simple."""

from __future__ import annotations

import io
import json
import os
import random
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from policy_engine import Policy, PolicyError, load
from policy_engine.cli.traffic.answers import answer
from policy_engine.cli.traffic.lines import entry_of
from policy_engine.cli.traffic.player import Player
from policy_engine.lean.deciding import Desk
from policy_engine.lean.lines import MAX_BRACKETS, MAX_LINE_BYTES, read, written
from policy_engine.lean.serving import desk_for, serve
from policy_engine.lean.simple import NotSimple
from tests.oracle.compare import CASES
from tests.oracle.drawn import arguments, loose_value, request, schemas
from tests.oracle.policies import DATA, drawn

ROOT = Path(__file__).resolve().parents[3]
LEAN = ROOT / "policy_engine" / "lean" / "__main__.py"
TOOLS: dict[str, Any] = {
    "shop.pay": {
        "properties": {
            "amount": {"type": "number"}, "count": {"type": "integer", "minimum": 1, "maximum": 9},
            "to": {"type": "string", "maxLength": 12}, "kind": {"enum": ["one", "two"]},
            "tags": {"type": "array", "items": {"type": "string"}, "maxItems": 3}, "flag": {"type": "boolean"},
            "more": {"type": "object", "properties": {"x": {"type": ["integer", "null"]}}, "required": ["x"]},
            "free": {},
        },
        "required": ["amount", "to"],
    },
    "shop.note": {"properties": {"text": {"type": "string", "pattern": "^a"}}},
}  # fmt: skip
TEXT = """policy shop
use tools "tools.json"
principal { id: string, role: "a" | "b" }
context { env: string? }
queues boss
allow small on shop.pay when args.amount <= 100.0 because "up to {100}" detail "small"
allow role on shop.pay when principal.role == "b" && args.amount < 500.0
deny away on shop.pay when args.to.endsWith("@evil.com") because "not there"
deny kinds on shop.pay when has(args.kind) && args.kind == "two" && principal.role == "a" because "not two"
deny tagged on shop.pay when has(args.tags) && args.tags.exists(t, t == "secret")
deny free on shop.pay when has(args.free) && args.free == "x"
deny prod on shop.pay when has(context.env) && context.env == "prod" && args.amount > 50.0 because "careful"
observe deny seen on shop.pay when args.amount > 10.0
escalate big on shop.pay when args.amount > 400.0 to boss within 5m
allow notes on shop.note
"""


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder for policies, with a cache of its own beside it."""
    monkeypatch.setenv("POLICY_CACHE", str(tmp_path / "cache"))
    monkeypatch.setenv("POLICY_CACHE_KEY", str(tmp_path / "config" / "key"))
    folder = tmp_path / "policies"
    folder.mkdir()
    return folder


def shop(folder: Path) -> tuple[Path, Policy, Desk]:
    """The shop's policy, loaded and then read by the lean entry."""
    listed = [{"name": name, "inputSchema": {"type": "object", **schema}} for name, schema in TOOLS.items()]
    (folder / "tools.json").write_text(json.dumps(listed))
    path = folder / "shop.policy"
    path.write_text(TEXT)
    policy = load(path)
    desk = desk_for(str(path))
    assert desk is not None
    return path, policy, desk


def full(policy: Policy, line: bytes) -> str:
    """The line that `policy decide` writes."""
    entry = entry_of(line.strip())
    assert not isinstance(entry, str)
    return json.dumps(answer(entry, Player(policy).play(entry)), allow_nan=False)


def compared(policy: Policy, desk: Desk, line: bytes) -> bool:
    """Whether the lean entry answers; what it says must then be the full engine's words."""
    try:
        text, allowed = desk.answer(line)
    except NotSimple:
        return False
    expected = full(policy, line)
    assert text == expected, line
    assert allowed == (json.loads(expected)["effect"] == "allow")
    return True


def test_lean_and_full_say_the_same_of_drawn_calls(cache: Path) -> None:
    """Fitting, bent and foreign arguments: what the lean entry answers, it answers byte by byte like the full engine."""
    _, policy, desk = shop(cache)
    draw = random.Random(3)
    simple = 0
    for _ in range(CASES):
        args: dict[str, Any] = {"amount": draw.choice([5, 50.5, 100.0, 101, 450, 1e300, -0.0]), "to": draw.choice("abc")}
        for name, values in (
            ("count", [1, 2.0, 9, 10, 0, 1.5, True]), ("kind", ["one", "two", "three"]), ("flag", [True, 0, None]),
            ("tags", [[], ["a"], ["secret"], ["a", 1], ["a"] * 4]), ("more", [{"x": None}, {"x": 3}, {}, {"x": 1, "y": 2}]),
            ("free", ["x", 1, [{"y": 2.5}], None, loose_value(draw, 2)]), ("to", ["me@evil.com", "é", "x" * 13, 5]),
        ):  # fmt: skip
            if draw.random() < 0.25:
                args[name] = draw.choice(values)
        data: dict[str, Any] = {"tool": draw.choice(["shop.pay"] * 9 + ["shop.note", "shop.none"]), "args": args}
        if draw.random() < 0.95:
            data["principal"] = {"id": "u", "role": draw.choice("aab")}
        if draw.random() < 0.3:
            data["context"] = draw.choice([{}, {"env": "prod"}, {"env": "dev", "x": 1}, None])
        if draw.random() < 0.1:
            data |= draw.choice([{"agent": "bot"}, {"agent": {"id": "b"}}, {"call": "c1"}, {"at": "2026-01-01T00:00:00Z"}])
        try:
            line = json.dumps(data).encode()
        except TypeError:
            continue
        simple += compared(policy, desk, line)
    assert simple > CASES // 6


def test_lean_and_full_say_the_same_for_drawn_policies(cache: Path) -> None:
    """The same over policies drawn at random; most drawn rules need the full engine, and get it."""
    wanted, cases, simple, seed = max(CASES // 20, 60), 0, 0, 90_000
    while cases < wanted:
        seed += 1
        made = drawn(seed, rewrites=False)
        if made.params:
            continue
        folder = cache / str(seed)
        folder.mkdir()
        for name, text in {"tools.json": schemas(), "limits.json": DATA, **made.files}.items():
            (folder / name).write_text(text)
        try:
            policy = load(folder / "policy")
        except PolicyError:
            continue
        desk = desk_for(str(folder / "policy"))
        draw = random.Random(seed)
        for _ in range(12):
            one = request(draw, made.shaped)
            data: dict[str, Any] = {"tool": one.tool, "args": arguments(draw, one.tool)}
            data["context"] = dict(one.context)
            for name, given in (("principal", one.principal), ("agent", one.agent)):
                data |= {} if given is None else {name: getattr(given, "fields", given)}
            try:
                line = json.dumps(data).encode()
            except TypeError:
                continue
            cases += 1
            simple += desk is not None and compared(policy, desk, line)
    assert simple > cases // 20


@pytest.mark.parametrize(
    "line",
    [
        b'{"tool": "shop.pay", "args": {"amount": 1, "amount": 2, "to": "a"}}', b'{"tool": "shop.pay", "args": "{}"}',
        b'{"tool": "shop.pay", "args": {"amount": NaN, "to": "a"}}', b'{"tool": "shop.pay", "args": {"amount": 1e999}}',
        b'{"tool": "shop.pay", "args": {"to": "\\ud800", "amount": 1}}', b'{"tool": "shop.pay"} x', b"[]", b"{", b"\xff",
        b'{"tool": "shop.pay", "args": {"to": "a", "amount": 99999999999999999999}}', b'{"tool": 5}', b'{"run": "r"}',
        b'{"tool": "shop.pay", "run": "r"}', b'{"tool": "shop.pay", "input": "x"}', b'{"tool": "shop.pay", "approvals": []}',
        b'{"tool": "shop.pay", "principal": "u"}', b'{"tool": "shop.pay", "x": 1}', b'{"tool": "shop.pay", "args": null}',
        b'{"tool": "shop.pay", "args": {"to": "' + b"a" * MAX_LINE_BYTES + b'"}}', b"[" * (MAX_BRACKETS + 1),
        b'{"tool": "shop.pay", "args": {"to": "a\x01", "amount": 1}}',
    ],
)  # fmt: skip
def test_what_is_not_simple_is_left_to_the_full_engine(cache: Path, line: bytes) -> None:
    """JSON of doubtful meaning, runs, people's answers, keys that nobody knows, sizes."""
    _, _, desk = shop(cache)
    with pytest.raises(NotSimple):
        desk.answer(line)


@pytest.mark.parametrize(
    "rule",
    [
        "limit l on shop.pay to 5 per 1h", "timeout l on shop.pay after 1s", "retry l on shop.pay up to 1 times",
        "breaker l on shop.pay open after 2 failures in 1s probe after 1s",
    ],
)  # fmt: skip
def test_a_tool_with_obligations_is_left_to_the_full_engine(cache: Path, rule: str) -> None:
    """The lean entry would let the call pass and say nothing of them; tools without them stay lean."""
    text = f'policy shop\nallow all on shop.pay, shop.note\n{rule}\n'
    (cache / "shop.policy").write_text(text)
    policy = load(cache / "shop.policy")
    desk = desk_for(str(cache / "shop.policy"))
    assert desk is not None
    assert not compared(policy, desk, b'{"tool": "shop.pay", "args": {}}')
    assert compared(policy, desk, b'{"tool": "shop.note", "args": {}}')


def test_json_is_written_as_python_writes_it() -> None:
    """Byte by byte."""
    value = {"a": [1, 2.5, -0.0, 1e300, True, None, "é\"\\\n\x00😀"], "b": {}, "c": {"d": []}}
    assert written(value) == json.dumps(value)
    assert read(json.dumps(value).encode()) == value


def run_lean(policy: Path, lines: bytes, *flags: str) -> subprocess.CompletedProcess[bytes]:
    """The entry as a hook starts it."""
    command = [sys.executable, "-I", "-S", *flags, str(LEAN), str(policy)]
    return subprocess.run(command, input=lines, capture_output=True, timeout=120)


def run_full(policy: Path, lines: bytes, **environment: str) -> subprocess.CompletedProcess[bytes]:
    """`policy decide` itself."""
    code = f"import sys; sys.path.insert(0, {str(ROOT)!r}); from policy_engine.cli import main; main()"
    command = [sys.executable, "-c", code, "decide", str(policy), "--calls", "-"]
    return subprocess.run(command, input=lines, capture_output=True, timeout=120, env={**os.environ, **environment})


MIXED = (
    b'{"tool": "shop.pay", "args": {"amount": 5, "to": "a"}, "principal": {"id": "u", "role": "a"}}\n'
    b'\n{"tool": "shop.pay", "args": {"amount": 5, "to": "me@evil.com"}, "principal": {"id": "u", "role": "a"}}\n'
    b'{"tool": "shop.pay", "args": {"amount": 5, "to": 7}, "principal": {"id": "u", "role": "a"}}\n'
    b'not json\n{"tool": "shop.pay", "args": {"amount": 6, "to": "a"}, "principal": {"id": "u", "role": "a"}}'
)


@pytest.mark.parametrize("count", [1, 3, 4, 6])
def test_every_way_gives_the_same_lines_and_exit_code(cache: Path, count: int) -> None:
    """The lean process, `policy decide` with the cache, and without: simple lines, refusals, and lines that are broken."""
    path, _, _ = shop(cache)
    lines = b"\n".join(MIXED.split(b"\n")[:count])
    expected = run_full(path, lines, POLICY_CACHE="off")
    for found in (run_lean(path, lines), run_full(path, lines)):
        assert found.stdout == expected.stdout, found.stderr
        assert found.returncode == expected.returncode


def test_the_lean_process_imports_almost_nothing(cache: Path) -> None:
    """Of ours only `lean`; of Python only what is built in; no lark, pydantic, celpy, json or re."""
    path, _, _ = shop(cache)
    code = (
        "import sys, posix\n"
        "def leave(code): sys.stderr.write('|'.join(sorted(sys.modules))); sys.stderr.flush(); end(code)\n"
        "end, posix._exit = posix._exit, leave\n"
        f"sys.argv = [{str(LEAN)!r}, {str(path)!r}]; __file__ = sys.argv[0]\n"
        "exec(compile(open(__file__).read(), __file__, 'exec'))\n"
    )
    bare = "import sys; sys.stdout.write('|'.join(sorted(sys.modules)))"
    command = [sys.executable, "-I", "-S", "-c"]
    before = subprocess.run([*command, bare], capture_output=True, text=True, timeout=60).stdout.split("|")
    found = subprocess.run([*command, code], input=MIXED.split(b"\n")[0], capture_output=True, timeout=60)
    assert json.loads(found.stdout)["effect"] == "allow"
    new = set(found.stderr.decode().split("|")) - set(before)
    ours = {name for name in new if name.startswith("policy_engine")}
    assert all(name in ("policy_engine", "policy_engine.lean") or name.startswith("policy_engine.lean.") for name in ours)
    assert new - ours <= {"__future__", "_json", "_sha256", "_sha2", "marshal", "posix", "sys", "time"}


def test_a_cold_cache_is_warmed_by_the_first_call(cache: Path) -> None:
    """Without an entry the full engine answers, and leaves one."""
    path, _, _ = shop(cache)
    for entry in (cache.parent / "cache").iterdir():
        entry.unlink()
    line = MIXED.split(b"\n")[0]
    first, second = run_lean(path, line), run_lean(path, line)
    assert first.stdout == second.stdout
    assert desk_for(str(path)) is not None


def test_a_missing_policy_is_refused(tmp_path: Path) -> None:
    """With the words and the exit code of `policy decide`."""
    found = run_lean(tmp_path / "none.policy", b"")
    assert found.returncode == 2
    assert b"none.policy" in found.stderr
    assert found.stdout == b""


def test_answers_come_line_by_line(cache: Path) -> None:
    """A client that waits for each answer before it asks again gets it."""
    _, _, desk = shop(cache)
    said: list[str] = []
    stream = io.BytesIO(MIXED.split(b"\n")[0] + b"\n")
    left = serve(desk, stream.readline, said.append)
    assert (left.line, left.lines, left.refused, len(said)) == (b"", 1, False, 1)
