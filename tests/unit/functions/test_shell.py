"""`shell(x)`: every program that runs is listed, wherever it hides; what cannot be known is an error."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, strategies as st

from policy_engine import Request, cel, loads
from policy_engine.semantics.functions.shell_reading import described

BACKENDS: tuple[cel.Backend, ...] = ("generated", "interpreter")

PROGRAMS = [
    ("ls -l", ["ls"]), ("a; b & c && d || e | f", ["a", "b", "c", "d", "e", "f"]),
    ("echo `rm x` $(mv y)", ["echo", "rm", "mv"]),
    ('echo "a $(rm b)"', ["echo", "rm"]), ("echo 'a $(rm b)'", ["echo"]), ("r\"m\" x", ["rm"]), ("\\rm x", ["rm"]),
    ("g'i't x", ["git"]),
    ("/bin/rm x", ["rm"]), ("./rm x", ["./rm"]), ("/tmp/ls", ["/tmp/ls"]), ("(cd a && b)", ["cd", "b"]),
    ("{ a; b; }", ["a", "b"]),
    ("if a; then b; else c; fi", ["a", "b", "c"]), ("for x in $(a); do b; done", ["a", "b"]),
    ("while a; do b; done", ["a", "b"]),
    ("case x in y) a;; esac", ["a"]), ("FOO=1 a", ["a"]), ("x=$(a)", ["a"]), ("a > $(b)", ["a", "b"]),
    ("a <<< $(b)", ["a", "b"]),
    ("a <<EOF\n$(b)\nEOF", ["a", "b"]), ("a <<'EOF'\n$(b)\nEOF", ["a"]), ("echo $((1 + $(a)))", ["echo", "a"]),
    ("echo ${x:-$(a)}", ["echo", "a"]),
    ("[ -n \"$(a)\" ]", ["a"]), ("! a", ["a"]), ("sudo -u root rm x", ["sudo", "rm"]), ("env -i A=1 rm", ["env", "rm"]),
    ("xargs -n 1 rm", ["xargs", "rm"]), ("timeout -k 1 5 nice -n 5 rm", ["timeout", "nice", "rm"]),
    ("nohup rm &", ["nohup", "rm"]),
    ("bash -c 'curl x | sh'", ["bash", "curl", "sh"]), ("sudo bash -lc \"rm x\"", ["sudo", "bash", "rm"]),
    ("eval rm x", ["eval", "rm"]),
    ("find . -name '*.py' -exec rm {} +", ["find", "rm"]), ("find . -exec a \\; -exec b \\;", ["find", "a", "b"]),
    ("trap 'rm x' EXIT", ["trap", "rm"]),
    ("command rm", ["command", "rm"]), ("command -v rm", ["command"]), ("exec rm", ["exec", "rm"]),
    ("time -p rm", ["time", "rm"]),
    ("tee >(sh)", ["tee", "sh"]), ("source x", ["source"]), ("", []), ("# rm", []), ("a \\\n -l", ["a"]),
    ("a <<EOF && b\nx\nEOF", ["a", "b"]),
    ("export A=$(a)", ["export", "a"]), ("bash -c \"bash -c 'rm'\"", ["bash", "rm"]),
]  # fmt: skip


@pytest.mark.parametrize(("text", "programs"), PROGRAMS, ids=[text for text, _ in PROGRAMS])
def test_every_program_is_listed(text: str, programs: list[str]) -> None:
    """In substitutions, loops, here-documents, behind other programs; once each, in the order they are met."""
    assert described(text)["programs"] == programs


@pytest.mark.parametrize(("text", "pipes"), [
    ("a | b | c", ["a>b", "b>c"]), ("a |& b", ["a>b"]), ("curl x | sudo sh", ["curl>sudo", "curl>sh"]),
    ("a | (b; c)", ["a>b", "a>c"]),
    ("(a; b) | c", ["a>c", "b>c"]), ("a <<E | sh\nx\nE", ["a>sh"]), ("cat <(curl x)", ["curl>cat"]),
    ("a | tee >(sh)", ["tee>sh", "a>tee", "a>sh"]),
    ("a | while b; do c; done", ["a>b", "a>c"]), ("bash -c 'a | b'", ["a>b"]), ("a; b", []),
])  # fmt: skip
def test_every_pipe_is_listed(text: str, pipes: list[str]) -> None:
    """From each program of a stage to each of the next."""
    assert [f"{pipe['from']}>{pipe['to']}" for pipe in described(text)["pipes"]] == pipes


@pytest.mark.parametrize(("text", "args"), [
    ("git push origin main", ["push", "origin", "main"]), ("git pu\\sh 'a b'\"c\"", ["push", "a bc"]),
    ("git commit -m \"a \\\"b\\\"\"", ["commit", "-m", 'a "b"']),
    ("git push > out 2>&1", ["push"]), ("git <<< x push", ["push"]), ("git log HEAD@{1}", ["log", "HEAD@{1}"]),
    ("git add '*.py'", ["add", "*.py"]),
    ("git ''", [""]),
])  # fmt: skip
def test_arguments_are_what_the_program_gets(text: str, args: list[str]) -> None:
    """Quotes and escapes are gone, redirections are no arguments."""
    assert described(text)["calls"][0]["args"] == args


@pytest.mark.parametrize("text",
    ["git $x", "git \"$x\"", "git pus?", "git *", "git pu{sh,ll}", "git $(echo push)", "git $'push'", "git a{1..3}",
    "git p[u]sh"])
@pytest.mark.parametrize("backend", BACKENDS)
def test_arguments_that_only_the_shell_knows_are_an_error(text: str, backend: cel.Backend) -> None:
    """The program is known; a rule that asks for its arguments is not answered with a silent false."""
    assert cel.evaluate("'git' in shell(x).programs && shell(x).parsed", {"x": text}, backend=backend) is True
    with pytest.raises(cel.EvaluationError):
        cel.evaluate("shell(x).calls.exists(c, c.program == 'git' && 'push' in c.args)", {"x": text}, backend=backend)


UNREAD = [
    "$x a", "\"$x\" a", "`a` b", "$(a) b", "{git,push} b", "ls (", "echo 'a", "if a; then", "f() { rm; }; f",
    "alias ls=rm", "PATH=. ls", "export PATH=.",
    "LD_PRELOAD=x ls", "env PATH=. ls", "sudo PATH=. ls", "for PATH in .; do ls; done", "read PATH",
    "printf -v PATH x", "declare -n a=PATH", "bash -c \"$x\"",
    "bash -c \"$(curl x)\"", "eval $x", "eval \"$(curl x)\"", "sh <<EOF\nrm\nEOF", "sh <<< rm", "xargs sh -c",
    "xargs bash", "xargs -J % rm", "sudo --odd rm",
    "env -S 'rm x'", "find . $x", "find . -exec", "timeout $x rm", "coproc rm", "l\\\ns", "a\rb", "a\0b",
    "echo $((a[$(rm)]))", "echo ${x@P}", "trap \"$x\" EXIT",
    "ls*", "echo @(a|b)", "bash -o x -c 'rm'", "bash --rcfile x", "a;" * 600, "(" * 80 + "a" + ")" * 80, "x" * 30_000,
    "while read l; do sh -c \"$l\"; done",
    "bash -c 'bash -c \"bash -c \\\"bash -c \\\\\\\"bash -c \\\\\\\\\\\\\\\"rm\\\\\\\\\\\\\\\"\\\\\\\"\\\"\"'",
    "GIT_SSH_COMMAND=x git fetch", "enable -n test", "git > out push", "git <<E push\nx\nE", "time >out a",
]  # fmt: skip


@pytest.mark.parametrize("text", UNREAD, ids=range(len(UNREAD)))
def test_what_cannot_be_known_is_not_understood(text: str) -> None:
    """`parsed` is false and there is nothing else, so that every other question is an error."""
    assert described(text) == {"parsed": False}


@pytest.mark.parametrize("backend", BACKENDS)
def test_every_question_about_it_is_an_error(backend: cel.Backend) -> None:
    """In both back ends, also the question that is true of nothing."""
    assert cel.evaluate("shell(x).parsed", {"x": "$x"}, backend=backend) is False
    for question in ("shell(x).programs.all(p, p == 'ls')", "shell(x).pipes == []", "shell(x).calls.exists(c, true)"):
        with pytest.raises(cel.EvaluationError):
            cel.evaluate(question, {"x": "$x"}, backend=backend)


@given(st.text(alphabet="ab $(){}|;&<>'\"`\\\n=[]!#*", max_size=30))
def test_no_text_makes_the_reader_fail(text: str) -> None:
    """Whatever it is: understood or not."""
    assert described(text)["parsed"] in (True, False)


@given(st.lists(st.text(alphabet="ab '\"$`\\;|&", max_size=8), min_size=1, max_size=4))
def test_quoted_words_arrive_as_they_were_meant(words: list[str]) -> None:
    """What `shlex.quote` writes is read back, as the shell would."""
    quoted = " ".join("'" + word.replace("'", "'\"'\"'") + "'" for word in words)
    call = described(f"git {quoted}")
    assert call["calls"] == [{"program": "git", "args": words}]


def test_a_policy_keeps_to_known_programs() -> None:
    """What runs something else, or cannot be read, is refused; pushing is asked about even if the word is hidden."""
    policy = loads("""policy p
queues dev
allow known on Bash when shell(args.command).programs.all(p, p in ["ls", "cat", "git", "sort"])
escalate push on Bash when shell(args.command).calls.exists(c, c.program == "git" && "push" in c.args) to dev within 5m
deny piped on Bash when shell(args.command).pipes.exists(p, p.to in ["sh", "bash"])
""".replace("on Bash", 'on "Bash"'))

    def decided(command: str) -> Any:
        return policy.decide(Request(tool="Bash", args={"command": command})).effect

    assert [decided(one) for one in ("ls -l | sort", "cat *.py", "git status")] == ["allow"] * 3
    assert [decided(one) for one in ("git push", "git $x", "g\\it 'push'")] == ["escalate"] * 3
    assert [decided(one) for one in ("rm x", "ls; rm x", "echo `rm x`", "$x", "cat x | sh", "sudo ls",
        "ls (")] == ["deny"] * 7
