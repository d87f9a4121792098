"""Keys of approvers: Ed25519, the private half kept only under a passphrase. A door of the package `cryptography`.

A key file is of our own form, because it must be slow to guess (scrypt, 128 MB a guess) and must not exist without a
passphrase: an agent that runs as the same user can read the file, and gains nothing by it.
"""

from __future__ import annotations

import base64
import binascii
import json
import os
import stat
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import Any, Final

FORM: Final = "policy-engine approver key 1"
LEAST_PASSPHRASE: Final = 12
"""Characters; fewer are guessed too soon by whoever has the file."""
_SCRYPT: Final = {"n": 2**17, "r": 8, "p": 1}
_MOST_BYTES: Final = 10_000
_OTHERS: Final = 0o077
_MISSING: Final = "approvals need the package `cryptography`: pip install 'policy-engine[approvals]'"


class KeyFault(Exception):
    """A key that cannot be used; says why, and never what it holds."""


@dataclass(frozen=True, slots=True)
class ApproverKey:
    """The key of one approver, unlocked."""

    approver: str
    public: str
    sign: Callable[[bytes], bytes]


@dataclass(frozen=True, slots=True)
class LockedKey:
    """A key file that was read; its passphrase unlocks it."""

    approver: str
    public: str
    _salt: bytes
    _nonce: bytes
    _secret: bytes

    def unlock(self, passphrase: str) -> ApproverKey:
        """The key; raises `KeyFault` for another passphrase, or a file that was changed."""
        try:
            cipher = _cipher(passphrase, self._salt)
            secret = cipher.decrypt(self._nonce, self._secret, _bound(self.approver, self.public))
        except _package("exceptions").InvalidTag:
            raise KeyFault("this is not the passphrase of the key, or the file was changed") from None
        private = _ed25519().Ed25519PrivateKey.from_private_bytes(secret)
        return ApproverKey(self.approver, self.public, private.sign)


def new_key(approver: str, passphrase: str) -> tuple[bytes, str]:
    """The content of a new key file, and the public half for the registry (base64). Raises `KeyFault`."""
    if len(passphrase) < LEAST_PASSPHRASE:
        raise KeyFault(f"a passphrase of fewer than {LEAST_PASSPHRASE} characters is guessed too soon")
    coding = _package("hazmat.primitives.serialization")
    private = _ed25519().Ed25519PrivateKey.generate()
    secret = private.private_bytes_raw()
    public = _text(private.public_key().public_bytes(coding.Encoding.Raw, coding.PublicFormat.Raw))
    salt, nonce = os.urandom(16), os.urandom(12)
    locked = _cipher(passphrase, salt).encrypt(nonce, secret, _bound(approver, public))
    content = {
        "form": FORM, "approver": approver, "public": public, "salt": _text(salt), "nonce": _text(nonce), "secret": _text(locked),
    }  # fmt: skip
    return (json.dumps(content, indent=2) + "\n").encode(), public


def write_key(path: str | os.PathLike[str], content: bytes) -> None:
    """Write a new key file for its owner only; raises `KeyFault` where there is one already."""
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        with os.fdopen(handle, "wb") as stream:
            stream.write(content)
    except FileExistsError:
        raise KeyFault(f"{os.fspath(path)} is there already, and nothing is overwritten") from None
    except OSError as fault:
        raise KeyFault(f"{os.fspath(path)} cannot be written: {fault.strerror}") from None


def read_key(path: str | os.PathLike[str]) -> LockedKey:
    """A key file, still locked. Raises `KeyFault`, above all for a private key that no passphrase protects."""
    name = os.fspath(path)
    try:
        handle = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
        with os.fdopen(handle, "rb") as stream:
            status = os.fstat(stream.fileno())
            content = stream.read(_MOST_BYTES) if stat.S_ISREG(status.st_mode) else b""
    except OSError as fault:
        raise KeyFault(f"{name} cannot be read: {fault.strerror}") from None
    if status.st_mode & _OTHERS:
        raise KeyFault(f"others may read or write {name}; take that right from them (chmod go= {name})")
    if b"PRIVATE KEY" in content:
        raise KeyFault(f"{name} holds a key of another form, which a program of the same user might use; make one for approving")
    try:
        held = json.loads(content)
        if not isinstance(held, dict) or held["form"] != FORM:
            raise ValueError("another form")
        parts = [base64.b64decode(held[part], validate=True) for part in ("salt", "nonce", "secret")]
        locked = LockedKey(str(held["approver"]), str(held["public"]), *parts)
    except (ValueError, KeyError, TypeError, RecursionError):
        raise KeyFault(f"{name} is no key of an approver") from None
    return locked


def public_key(text: str) -> Any:
    """The public key of a registry (base64); raises `KeyFault`."""
    try:
        raw = base64.b64decode(text, validate=True)
        return _ed25519().Ed25519PublicKey.from_public_bytes(raw)
    except (binascii.Error, ValueError, TypeError):
        raise KeyFault("a public key is 32 bytes in base64, as `policy keys new` shows it") from None


def holds(public: Any, statement: bytes, signature: bytes) -> bool:
    """Whether the owner of a public key signed the statement."""
    try:
        public.verify(signature, statement)
    except (_package("exceptions").InvalidSignature, TypeError, ValueError):
        return False
    return True


def _cipher(passphrase: str, salt: bytes) -> Any:
    key = _package("hazmat.primitives.kdf.scrypt").Scrypt(salt=salt, length=32, **_SCRYPT).derive(passphrase.encode())
    return _package("hazmat.primitives.ciphers.aead").ChaCha20Poly1305(key)


def _bound(approver: str, public: str) -> bytes:
    """What the file says of itself and cannot be changed without the passphrase."""
    return json.dumps([FORM, approver, public]).encode()


def _text(data: bytes) -> str:
    return base64.b64encode(data).decode()


def _ed25519() -> Any:
    return _package("hazmat.primitives.asymmetric.ed25519")


def _package(name: str) -> Any:
    try:
        return import_module(f"cryptography.{name}")
    except ImportError:
        raise KeyFault(_MISSING) from None
