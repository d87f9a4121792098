"""A cache that somebody touched is rebuilt or refused, and never run; where there can be none, everything works."""

from __future__ import annotations

import hashlib
import marshal
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from policy_engine import Policy, Request, load
from policy_engine.lean import places, vault
from policy_engine.lean.digests import digest, hmac
from policy_engine.semantics.linking import Linked

ROOT = Path(__file__).resolve().parents[2]
TEXT = """policy p
use data "limit.json" as limit: double
use rules "more.policy"
allow small on shop.pay when args.amount <= limit
"""
MORE = 'policy more\ndeny odd on shop.pay when args.amount == 13.0 because "unlucky"\n'


class Home:
    """A cache of its own and a policy in a project beside it."""

    def __init__(self, root: Path) -> None:
        self.cache = root / "cache"
        self.key = root / "config" / "cache.key"
        self.project = root / "project"
        self.project.mkdir()
        self.policy = self.project / "p.policy"
        self.policy.write_text(TEXT)
        (self.project / "more.policy").write_text(MORE)
        (self.project / "limit.json").write_text("100.0")

    @property
    def entry(self) -> Path:
        """The one file in the cache."""
        (found,) = self.cache.iterdir()
        return found

    def load(self) -> Policy:
        """The policy, loaded, and asked once so that it must run what it has."""
        policy = load(self.policy)
        assert policy.decide(Request(tool="shop.pay", args={"amount": 100.0})).effect == "allow"
        assert policy.decide(Request(tool="shop.pay", args={"amount": 100.5})).effect == "deny"
        odd = policy.decide(Request(tool="shop.pay", args={"amount": 13.0}))
        assert (odd.effect, odd.reason) == ("deny", "unlucky")
        return policy


def warm(policy: Policy) -> bool:
    """Whether a policy came from the cache."""
    return isinstance(policy.compiled.constants, Linked)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Home]:
    """A warm cache."""
    made = Home(tmp_path)
    monkeypatch.setenv("POLICY_CACHE", str(made.cache))
    monkeypatch.setenv("POLICY_CACHE_KEY", str(made.key))
    assert not warm(made.load())
    assert warm(made.load())
    yield made


def _flip(place: int) -> Callable[[Home], None]:
    def poison(home: Home) -> None:
        blob = bytearray(home.entry.read_bytes())
        blob[place] ^= 1
        home.entry.write_bytes(blob)

    return poison


def _payload(home: Home, secret: bytes | None) -> None:
    """Put code of ours into the last piece and mend every digest; `secret` None = all that can be had without the key."""
    blob = home.entry.read_bytes()
    head = len(vault.MARK) + vault.MAC_BYTES + 8
    size = int.from_bytes(blob[head - 8 : head], "big")
    index = marshal.loads(blob[head : head + size])
    body = blob[head + size :]
    pieces = [body[begin : begin + length] for begin, length in zip(index["offsets"], index["sizes"], strict=True)]
    evil = compile("import os; os.environ['POISONED'] = 'yes'", "<evil>", "exec")
    pieces = [marshal.dumps((("any",), {"call_shop_pay_1": evil}, {})) for _ in pieces]
    name = bytes.fromhex(home.entry.name.partition(".")[0])
    home.entry.write_bytes(vault.written(index, pieces, name, secret or hashlib.sha256(blob).digest()))


def _flip_in(piece: int) -> Callable[[Home], None]:
    """A bit in one of the pieces that the policy is read from."""

    def poison(home: Home) -> None:
        head = len(vault.MARK) + vault.MAC_BYTES + 8
        blob = home.entry.read_bytes()
        size = int.from_bytes(blob[head - 8 : head], "big")
        _flip(head + size + marshal.loads(blob[head : head + size])["offsets"][piece] + 20)(home)

    return poison


def _rewritten(home: Home) -> None:
    _payload(home, None)


def _rewritten_with_an_empty_key(home: Home) -> None:
    _payload(home, b"\0" * 32)


def _halved(home: Home) -> None:
    blob = home.entry.read_bytes()
    home.entry.write_bytes(blob[: len(blob) // 2])


def _emptied(home: Home) -> None:
    home.entry.write_bytes(b"")


def _linked(home: Home) -> None:
    real = home.project / "elsewhere"
    home.entry.rename(real)
    (home.cache / (places.entry_id([str(home.policy)], places.here()).hex() + ".policy-cache")).symlink_to(real)


def _open_to_others(home: Home) -> None:
    home.entry.chmod(0o666)


def _folder_open_to_others(home: Home) -> None:
    home.cache.chmod(0o777)


def _key_open_to_others(home: Home) -> None:
    home.key.chmod(0o644)


def _key_cut(home: Home) -> None:
    home.key.write_bytes(home.key.read_bytes()[:16])


def _key_changed(home: Home) -> None:
    home.key.write_bytes(os.urandom(32))


def _folder_linked(home: Home) -> None:
    home.cache.rename(home.project / "moved")
    home.cache.symlink_to(home.project / "moved")


def _another_policys(home: Home) -> None:
    """An entry with a MAC that holds, of another policy that allows everything, in this one's place."""
    other = home.project / "other.policy"
    other.write_text("policy p\nallow all on shop.pay\n")
    mine = home.entry
    load(other)
    (theirs,) = set(home.cache.iterdir()) - {mine}
    shutil.copy(theirs, mine)
    theirs.unlink()


def _a_pipe(home: Home) -> None:
    name = home.entry
    name.unlink()
    os.mkfifo(name)


POISONS = (
    _flip(0), _flip(20), _flip(50), _flip(200), _flip_in(0), _flip_in(1), _rewritten, _rewritten_with_an_empty_key,
    _halved, _emptied, _linked, _open_to_others, _folder_open_to_others, _key_open_to_others, _key_cut, _key_changed,
    _folder_linked, _another_policys, _a_pipe,
)  # fmt: skip


@pytest.mark.parametrize("poison", POISONS, ids=lambda one: one.__name__.strip("_"))
def test_a_poisoned_entry_is_never_run(home: Home, poison: Callable[[Home], None]) -> None:
    """Edited, rewritten with digests that fit, cut, swapped, a link, open to others: the policy is compiled anew."""
    poison(home)
    assert not warm(home.load())
    assert "POISONED" not in os.environ


NAMED = {"head": _flip(50), "piece": _flip_in(1), "rewritten": _rewritten, "halved": _halved, "linked": _linked}


@pytest.mark.parametrize("poison", NAMED.values(), ids=NAMED)
def test_after_a_poisoned_entry_the_cache_is_whole_again(home: Home, poison: Callable[[Home], None]) -> None:
    """The first load rebuilds the entry, in place of what lay there, and the second is warm."""
    poison(home)
    assert not warm(home.load())
    assert warm(home.load())
    assert not home.entry.is_symlink()


def test_nothing_is_unmarshalled_before_the_mac_holds(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """`marshal` is not safe with bytes of others, so it sees none."""
    _rewritten(home)
    monkeypatch.setattr(vault.marshal, "loads", lambda _: pytest.fail("read before it was proved"))
    with pytest.raises(vault.Untrusted):
        vault.opened([str(home.policy)], places.here())


def test_an_entry_of_another_owner_is_refused(home: Home) -> None:
    """Another user's file, in our own folder."""
    if os.geteuid() != 0:
        pytest.skip("only root can give files away")
    os.chown(home.entry, 12345, -1)
    assert not warm(home.load())
    os.chown(home.key, 12345, -1)
    assert not warm(home.load())


@pytest.mark.parametrize("name", ["p.policy", "more.policy", "limit.json"])
def test_a_changed_file_is_compiled_anew(home: Home, name: str) -> None:
    """Rules, rules of other files and data: the very next load sees the change, even with its old size and times."""
    path = home.project / name
    before = path.stat()
    changed = {"p.policy": TEXT.replace("<=", "< "), "more.policy": MORE.replace("13.0", "99.0"), "limit.json": "099.0"}
    path.write_text(changed[name].replace("099.0", "99.00"))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    policy = load(home.policy)
    assert not warm(policy)
    asked = {"p.policy": 100.0, "more.policy": 99.0, "limit.json": 99.5}[name]
    assert policy.decide(Request(tool="shop.pay", args={"amount": asked})).effect == "deny"


def test_a_reference_that_leads_elsewhere_is_compiled_anew(home: Home) -> None:
    """`use rules` through a link: when the link moves, the policy has changed though no file has."""
    (home.project / "a.policy").write_text(MORE)
    (home.project / "b.policy").write_text("policy more\ndeny all on shop.pay\n")
    (home.project / "more.policy").unlink()
    (home.project / "more.policy").symlink_to("a.policy")
    home.load()
    assert warm(home.load())
    (home.project / "more.policy").unlink()
    (home.project / "more.policy").symlink_to("b.policy")
    assert load(home.policy).decide(Request(tool="shop.pay", args={"amount": 1.0})).effect == "deny"


def test_params_layers_and_folders_have_entries_of_their_own(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """What the host gives beside the file decides as well, and so does how files are shown to people."""
    layer = home.project / "layer.policy"
    layer.write_text("policy layer\ndefault abstain\ndeny all on shop.pay when args.amount > 50.0\n")
    assert not warm(load(home.policy, under=[layer]))
    assert warm(load(home.policy, under=[layer]))
    assert load(home.policy, under=[layer]).decide(Request(tool="shop.pay", args={"amount": 60.0})).effect == "deny"
    monkeypatch.chdir(home.project)
    assert not warm(load("p.policy"))
    assert warm(load("p.policy"))


def test_another_engine_reads_nothing(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    """Another build of the engine, or another Python, has entries of its own."""
    monkeypatch.setattr(places, "build", lambda: b"another engine")
    assert not warm(home.load())
    assert len(list(home.cache.iterdir())) == 2


def test_many_writers_at_once_leave_a_whole_entry(home: Home) -> None:
    """Processes that start together write over each other, and each reads one that is whole or none."""
    home.entry.unlink()
    script = f"from policy_engine import load; print(load({str(home.policy)!r}).digest)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    with ThreadPoolExecutor(4) as pool:
        runs = list(
            pool.map(
                lambda _: subprocess.run(
                    [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=120
                ),
                range(4),
            )
        )
    assert {run.stdout for run in runs} == {load(home.policy).digest + "\n"}, [run.stderr for run in runs]
    assert warm(home.load())
    assert len(list(home.cache.iterdir())) == 1


@pytest.mark.parametrize("broken", ["no home", "key is a folder", "cache is a file", "full", "off"])
def test_without_a_cache_everything_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, broken: str) -> None:
    """No HOME, a home that cannot be written, a full disk: the policy is compiled."""
    home = Home(tmp_path)
    monkeypatch.setenv("POLICY_CACHE", str(home.cache))
    monkeypatch.setenv("POLICY_CACHE_KEY", str(home.key))
    if broken == "no home":
        for name in ("POLICY_CACHE", "POLICY_CACHE_KEY", "HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
            monkeypatch.delenv(name, raising=False)
    elif broken == "key is a folder":
        home.key.mkdir(parents=True)
    elif broken == "cache is a file":
        home.cache.write_text("")
    elif broken == "full":
        monkeypatch.setattr(os, "replace", _no_space)
    else:
        monkeypatch.setenv("POLICY_CACHE", "off")
    assert not warm(home.load())
    assert not warm(home.load())


def _no_space(*_: object) -> None:
    raise OSError(28, "No space left on device")


def test_a_read_only_home_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Folders that cannot be made: no cache, no complaint."""
    home = Home(tmp_path)
    monkeypatch.setenv("HOME", "/proc/1/nowhere")
    for name in ("POLICY_CACHE", "POLICY_CACHE_KEY", "XDG_CACHE_HOME", "XDG_CONFIG_HOME"):
        monkeypatch.delenv(name, raising=False)
    assert not warm(home.load())
    assert not warm(home.load())


def test_the_key_is_made_once_and_for_its_owner_only(home: Home) -> None:
    """0600, in a folder that is 0700, whoever comes first."""
    assert home.key.stat().st_mode & 0o777 == 0o600
    assert home.key.parent.stat().st_mode & 0o777 == 0o700
    assert home.entry.stat().st_mode & 0o777 == 0o600
    assert [path.name for path in home.key.parent.iterdir()] == ["cache.key"]


def test_the_mac_is_hmac() -> None:
    """Python's own `hmac` says the same of the parts put together."""
    import hmac as reference

    parts = (b"a", b"", b"bc")
    joined = b"".join(len(part).to_bytes(8, "big") + part for part in parts)
    for key in (b"k", b"k" * 64, b"k" * 65):
        assert hmac(key, *parts) == reference.digest(key, joined, "sha256")
    assert digest(*parts) == hashlib.sha256(joined).digest()
