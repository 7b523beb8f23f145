# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The head: a small signed document that authenticates every byte which every edge serves.

A head names a catalog's root. It is signed with Ed25519 (RFC 8032) over the exact text that travels,
so no canonical form has to be agreed on. Edges take a head only forward.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import TYPE_CHECKING

from .._deps import cryptography
from ..errors import HeadRejected, KeyUnavailable

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

#: The ring that there is unless others are configured, and that edges follow unless told otherwise.
DEFAULT_RING = "stable"
#: An edge takes the removal of a larger share of ten or more zones only with the controller's mark.
MASS_REMOVAL_SHARE = 0.30
MASS_REMOVAL_MINIMUM = 10


@dataclass(frozen=True, slots=True)
class Head:
    """What a ring serves. Times are unix seconds.

    *mass_removal* is the latest revision at which an operator approved the removal of all or many zones: an edge that
    holds an older revision may follow.
    """

    ring: str
    revision: int
    catalog: str | None
    issued: int
    expires: int
    mass_removal: int = 0


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A head as it travels: its text, the signing key's id and the signature."""

    payload: str
    key_id: str
    signature: str

    def to_json(self) -> dict[str, str]:
        """The document for storing and sending."""
        return asdict(self)

    @classmethod
    def from_json(cls, value: object) -> SignedHead:
        """Read what :meth:`to_json` made. Raises :class:`HeadRejected`."""
        if not isinstance(value, Mapping):
            raise HeadRejected("the head is not a JSON object")
        parts = [value.get(field.name) for field in fields(cls)]
        if set(value) != {field.name for field in fields(cls)} or not all(isinstance(part, str) for part in parts):
            raise HeadRejected("the head must have exactly payload, key_id and signature, all strings")
        return cls(*map(str, parts))

    def revision(self) -> int:
        """The revision it claims; not authenticated."""
        return self.head().revision

    def head(self) -> Head:
        """What it claims; not authenticated. Raises :class:`HeadRejected` if it does not parse."""
        return _parse(self.payload)


def key_id(public_key: bytes) -> str:
    """The short name of a head key: the first 16 hex digits of the SHA-256 of its 32 raw octets."""
    return hashlib.sha256(public_key).hexdigest()[:16]


class HeadKey:
    """The controller's Ed25519 key for heads. The private part never shows in ``repr``."""

    def __init__(self, private: Ed25519PrivateKey) -> None:
        self._private = private
        self.public = private.public_key().public_bytes_raw()

    def __repr__(self) -> str:
        return f"<HeadKey {key_id(self.public)}>"

    @classmethod
    def generate(cls) -> HeadKey:
        """A new key from the system's random source."""
        return cls(cryptography.hazmat.primitives.asymmetric.ed25519.Ed25519PrivateKey.generate())

    @classmethod
    def load(cls, path: Path) -> HeadKey:
        """Read a key file that :meth:`create` wrote. Raises :class:`KeyUnavailable`."""
        try:
            if path.stat().st_mode & 0o077:
                raise KeyUnavailable(f"{path} can be read by others: chmod 600 {path}")
            raw = base64.b64decode(path.read_bytes().strip(), validate=True)
            return cls(cryptography.hazmat.primitives.asymmetric.ed25519.Ed25519PrivateKey.from_private_bytes(raw))
        except FileNotFoundError:
            raise KeyUnavailable(f"there is no head key at {path}: run 'arca-dns-controller init'") from None
        except (OSError, ValueError) as error:
            raise KeyUnavailable(f"the head key at {path} cannot be read: {error}") from None

    @classmethod
    def create(cls, path: Path) -> HeadKey:
        """Generate a key and write it to *path* (0600), which must not exist."""
        key = cls.generate()
        path.parent.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "wb") as file:
            file.write(base64.b64encode(key._private.private_bytes_raw()) + b"\n")
            file.flush()
            os.fsync(file.fileno())
        return key

    @classmethod
    def load_or_create(cls, path: Path) -> HeadKey:
        """The key at *path*, made first if there is none."""
        try:
            return cls.create(path)
        except FileExistsError:
            return cls.load(path)

    def public_text(self) -> str:
        """The public key as edges are configured with it: base64 of the 32 raw octets."""
        return base64.b64encode(self.public).decode("ascii")

    def sign(self, head: Head) -> SignedHead:
        """Sign *head*."""
        payload = json.dumps(asdict(head), sort_keys=True, separators=(",", ":"))
        signature = self._private.sign(payload.encode("utf-8"))
        return SignedHead(payload, key_id(self.public), base64.b64encode(signature).decode("ascii"))


def open_head(signed: SignedHead, public_keys: list[bytes], *, ring: str, now: int, minimum_revision: int) -> Head:
    """Authenticate *signed*; raises :class:`HeadRejected` with the reason.

    *minimum_revision* is that of the head already held: an older one is refused, the same one is not.
    """
    public = next((key for key in public_keys if key_id(key) == signed.key_id), None)
    if public is None:
        raise HeadRejected(f"the head is signed by key {signed.key_id!r}, which is not one of this edge's head keys")
    ed25519 = cryptography.hazmat.primitives.asymmetric.ed25519
    try:
        signature = base64.b64decode(signed.signature, validate=True)
        ed25519.Ed25519PublicKey.from_public_bytes(public).verify(signature, signed.payload.encode("utf-8"))
    except (cryptography.exceptions.InvalidSignature, binascii.Error, ValueError):
        raise HeadRejected("the head's signature is wrong") from None
    head = _parse(signed.payload)
    if head.ring != ring:
        raise HeadRejected(f"the head is for ring {head.ring!r}, this edge follows {ring!r}")
    if head.revision < minimum_revision:
        raise HeadRejected(f"the head goes back: revision {head.revision}, but {minimum_revision} is held already")
    if head.expires <= now:
        raise HeadRejected(f"the head of revision {head.revision} expired {now - head.expires} s ago")
    return head


def _parse(payload: str) -> Head:
    try:
        value = json.loads(payload)
        head = Head(**value)
        numbers = (head.revision, head.issued, head.expires, head.mass_removal)
        if {type(number) for number in numbers} != {int} or not isinstance(head.ring, str):
            raise TypeError
        if head.catalog is not None and (len(head.catalog) != 64 or bytes.fromhex(head.catalog).hex() != head.catalog):
            raise ValueError
    except (TypeError, ValueError):
        raise HeadRejected("the head's payload does not parse") from None
    return head


def mass_removal(before: int, removed: int) -> bool:
    """Whether removing *removed* of *before* zones needs the controller's mark: all, or a large share of many."""
    if before == 0 or removed == 0:
        return False
    return removed >= before or (before >= MASS_REMOVAL_MINIMUM and removed > before * MASS_REMOVAL_SHARE)
