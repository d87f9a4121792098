"""Signatures (Ed25519) by the package `cryptography`, its one door; it comes with the extra `audit`.

A key is a PEM text, from the environment or from a file that nobody but its owner may read. Without the extra everything
works but signing and the checking of signatures.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Mapping
from hashlib import sha256
from importlib import import_module
from typing import Any, Final

KEY_VARIABLE: Final = "POLICY_AUDIT_KEY"
"""The PEM of a private key, or the path of a file that holds it."""
_OTHERS: Final = 0o077
_MISSING: Final = "signatures need the package `cryptography`: pip install 'policy-engine[audit]'"


class KeyFault(Exception):
    """A key that cannot be used; says why and what to do."""


def _package(name: str) -> Any:
    try:
        return import_module(f"cryptography.{name}")
    except ImportError:
        raise KeyFault(_MISSING) from None


class Signer:
    """Signs with a private key. `key` (hex) names its public half in every checkpoint."""

    def __init__(self, private: Any) -> None:
        self._private = private
        self.public = Verifier(private.public_key())
        self.key = self.public.key

    def sign(self, message: bytes) -> bytes:
        """The signature of a message, 64 bytes."""
        made: bytes = self._private.sign(message)
        return made


class Verifier:
    """Checks signatures with a public key."""

    def __init__(self, public: Any) -> None:
        coding = _package("hazmat.primitives.serialization")
        self._public = public
        self._invalid: type[Exception] = _package("exceptions").InvalidSignature
        raw: bytes = public.public_bytes(coding.Encoding.Raw, coding.PublicFormat.Raw)
        self.key = sha256(raw).hexdigest()
        self.pem: str = public.public_bytes(coding.Encoding.PEM, coding.PublicFormat.SubjectPublicKeyInfo).decode()

    def holds(self, signature: bytes, message: bytes) -> bool:
        """Whether the private half of this key signed the message."""
        try:
            self._public.verify(signature, message)
        except self._invalid:
            return False
        return True


def signer_from(pem: str | bytes) -> Signer:
    """The signer of a private key in PEM; raises `KeyFault`."""
    coding = _package("hazmat.primitives.serialization")
    kind = _package("hazmat.primitives.asymmetric.ed25519").Ed25519PrivateKey
    try:
        private = coding.load_pem_private_key(pem.encode() if isinstance(pem, str) else pem, password=None)
    except (ValueError, TypeError, _package("exceptions").UnsupportedAlgorithm):
        raise KeyFault("this is no private key in PEM without a password: make one with `policy audit key FILE`") from None
    if not isinstance(private, kind):
        raise KeyFault("this is no Ed25519 key: make one with `policy audit key FILE`")
    return Signer(private)


def verifier_from(pem: str | bytes) -> Verifier:
    """The verifier of a public key in PEM; raises `KeyFault`."""
    coding = _package("hazmat.primitives.serialization")
    kind = _package("hazmat.primitives.asymmetric.ed25519").Ed25519PublicKey
    try:
        public = coding.load_pem_public_key(pem.encode() if isinstance(pem, str) else pem)
    except (ValueError, _package("exceptions").UnsupportedAlgorithm):
        raise KeyFault("this is no public key in PEM") from None
    if not isinstance(public, kind):
        raise KeyFault("this is no Ed25519 key")
    return Verifier(public)


def signer_of(path: str) -> Signer:
    """The signer of a key file; raises `KeyFault` where others may read it, or it is none."""
    try:
        number = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as fault:
        raise KeyFault(f"the key {path} cannot be read: {fault.strerror}") from None
    with os.fdopen(number, "rb") as stream:
        status = os.fstat(number)
        if not stat.S_ISREG(status.st_mode) or status.st_uid not in (os.geteuid(), 0):
            raise KeyFault(f"the key {path} is no plain file of ours")
        if status.st_mode & _OTHERS:
            raise KeyFault(f"others may read the key {path}: take that right from them (chmod 600 {path}) and make a new key")
        return signer_from(stream.read(1 << 16))


def signer_in(environment: Mapping[str, str]) -> Signer | None:
    """The signer that `POLICY_AUDIT_KEY` names, by its PEM or a path; None where it is not set. Raises `KeyFault`."""
    given = environment.get(KEY_VARIABLE, "").strip()
    if not given:
        return None
    return signer_from(given.replace("\\n", "\n")) if given.startswith("-----BEGIN") else signer_of(given)


def new_key(path: str) -> Verifier:
    """Write a new private key to a file that must not be there, for its owner alone; its public half. Raises `KeyFault`."""
    coding = _package("hazmat.primitives.serialization")
    private = _package("hazmat.primitives.asymmetric.ed25519").Ed25519PrivateKey.generate()
    pem = private.private_bytes(coding.Encoding.PEM, coding.PrivateFormat.PKCS8, coding.NoEncryption())
    try:
        number = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    except OSError as fault:
        raise KeyFault(f"the key {path} cannot be written: {fault.strerror}") from None
    with os.fdopen(number, "wb") as stream:
        stream.write(pem)
    return Verifier(private.public_key())
