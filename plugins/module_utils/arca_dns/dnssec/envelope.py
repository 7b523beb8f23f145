# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The envelope around private keys: AES-256-GCM under the master key, bound to the key's zone, tag, algorithm and role.

The master key comes from the environment or from a file that only its owner can read.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import os
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from .._deps import cryptography, require
from ..errors import KeyUnavailable
from .algorithms import Random, algorithm
from .keys import KeyPair, KeyRecord

ENVIRONMENT = "ARCA_DNS_DNSSEC_MASTER_KEY_B64"
_SIZE = 32
_NONCE = 12
_CIPHER = "AES-256-GCM"


@dataclass(frozen=True, slots=True)
class Envelope:
    """A private key sealed under the master key that *master* names."""

    master: str
    nonce: bytes
    ciphertext: bytes

    def to_json(self) -> dict[str, str]:
        """The document form."""
        return {
            "cipher": _CIPHER,
            "master": self.master,
            "nonce": base64.b64encode(self.nonce).decode("ascii"),
            "ciphertext": base64.b64encode(self.ciphertext).decode("ascii"),
        }

    @classmethod
    def from_json(cls, value: object) -> Envelope:
        """Read what :meth:`to_json` made. Raises :class:`ValueError`."""
        if not isinstance(value, Mapping) or value.get("cipher") != _CIPHER:
            raise ValueError(f"it is no {_CIPHER} envelope")
        parts = [value.get(name) for name in ("master", "nonce", "ciphertext")]
        if not all(isinstance(part, str) for part in parts):
            raise ValueError("a part of the envelope is missing")
        master, nonce, ciphertext = map(str, parts)
        return cls(master, base64.b64decode(nonce, validate=True), base64.b64decode(ciphertext, validate=True))


class MasterKey:
    """32 octets that seal and open private keys. They never show in ``repr``."""

    def __init__(self, key: bytes) -> None:
        require("cryptography")
        if len(key) != _SIZE:
            raise KeyUnavailable(f"the master key has {len(key)} octets; it must have {_SIZE}: openssl rand -base64 32")
        self._key = key
        self.id = hashlib.sha256(b"arca.dns master key id\0" + key).hexdigest()[:16]

    def __repr__(self) -> str:
        return f"<MasterKey {self.id}>"

    def __reduce__(self) -> str:
        raise TypeError("the master key is not pickled")

    @classmethod
    def generate(cls, random: Random = secrets.token_bytes) -> MasterKey:
        """A new master key."""
        return cls(random(_SIZE))

    @classmethod
    def from_base64(cls, text: str, source: str) -> MasterKey:
        """Read base64; *source* names where it stood, for the error. Raises :class:`KeyUnavailable`."""
        try:
            key = base64.b64decode(text.strip(), validate=True)
        except (binascii.Error, ValueError):
            raise KeyUnavailable(f"the master key in {source} is not base64") from None
        if len(key) != _SIZE:
            raise KeyUnavailable(
                f"the master key in {source} has {len(key)} octets; it must have {_SIZE}: openssl rand -base64 32"
            )
        return cls(key)

    @classmethod
    def load(cls, path: Path) -> MasterKey:
        """Read a file that only its owner may read. Raises :class:`KeyUnavailable`."""
        try:
            with path.open("r", encoding="ascii") as file:
                if os.fstat(file.fileno()).st_mode & 0o077:
                    raise KeyUnavailable(f"the master key in {path} can be read by others: chmod 600 {path}")
                text = file.read(1024)
        except FileNotFoundError:
            raise KeyUnavailable(
                f"there is no master key: set {ENVIRONMENT}, or make the file {path}:"
                f" (umask 077; openssl rand -base64 32 > {path})"
            ) from None
        except OSError as error:
            raise KeyUnavailable(f"the master key in {path} cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise KeyUnavailable(f"the master key in {path} is not base64") from None
        return cls.from_base64(text, str(path))

    @classmethod
    def create(cls, path: Path, random: Random = secrets.token_bytes) -> MasterKey:
        """Make a master key and write it to *path* (0600). Raises :class:`FileExistsError` if there is one.

        The file appears complete or not at all, and survives a power cut.
        """
        key = cls.generate(random)
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}")
        handle = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(base64.b64encode(key._key) + b"\n")
                file.flush()
                os.fsync(file.fileno())
            os.link(temporary, path)
        finally:
            os.unlink(temporary)
        sync_directory(path.parent)
        return key

    @classmethod
    def obtain(cls, environ: Mapping[str, str], path: Path, *, create: bool = False) -> MasterKey:
        """The master key from the environment, then from *path*, made first if *create* and there is none."""
        text = environ.get(ENVIRONMENT)
        if text:
            return cls.from_base64(text, ENVIRONMENT)
        if create:
            try:
                return cls.create(path)
            except FileExistsError:
                pass
            except OSError as error:
                raise KeyUnavailable(f"the master key cannot be written to {path}: {error.strerror}") from None
        return cls.load(path)

    def seal(self, pair: KeyPair, random: Random = secrets.token_bytes) -> Envelope:
        """The private key of *pair*, readable only with this master key and this record."""
        nonce = random(_NONCE)
        aead = cryptography.hazmat.primitives.ciphers.aead.AESGCM(self._key)
        return Envelope(self.id, nonce, aead.encrypt(nonce, pair.private.secret(), _associated(pair.record)))

    def open(self, record: KeyRecord, envelope: Envelope) -> KeyPair:
        """The key pair of *record*. Raises :class:`KeyUnavailable` if *envelope* is not its own, whole."""
        if envelope.master != self.id:
            raise KeyUnavailable(
                f"the private key of {record} is sealed under master key {envelope.master}, this one is {self.id}"
            )
        aead = cryptography.hazmat.primitives.ciphers.aead.AESGCM(self._key)
        try:
            secret = aead.decrypt(envelope.nonce, envelope.ciphertext, _associated(record))
        except (cryptography.exceptions.InvalidTag, ValueError):
            raise KeyUnavailable(f"the envelope of {record} was changed or belongs to another key") from None
        private = algorithm(record.algorithm).load(secret)
        if private.public_key != record.dnskey_rdata[4:]:
            raise KeyUnavailable(f"the private and the public key of {record} do not belong together")
        return KeyPair(record, private)


def _associated(record: KeyRecord) -> bytes:
    """What a seal is bound to: zone | tag | algorithm | role; each part has a known end."""
    return record.zone + record.tag.to_bytes(2, "big") + bytes((record.algorithm,)) + record.role.encode("ascii")


def sync_directory(path: Path) -> None:
    """Make the entries of a directory survive a power cut."""
    handle = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
