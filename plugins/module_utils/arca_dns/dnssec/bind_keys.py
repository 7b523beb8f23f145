# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Key files as BIND's tools keep them: ``Kexample.+013+12345.key`` with the DNSKEY, ``….private`` with the secret.

In private-key format 1.3. The secret of ECDSA, Ed25519 and Ed448 is one field, that of RSA several (:mod:`.bind_rsa`).
Secrets never show in an error.
"""

from __future__ import annotations

import base64
import os
import time
from calendar import timegm
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from ..errors import KeyUnavailable, ZoneTextError
from ..zone import names, rdata, rr
from ..zone.text import parse
from . import bind_rsa
from .algorithms import RSASHA256, algorithm as algorithm_of
from .keys import CSK, KSK, SEP, ZONE_KEY, ZSK, Dnskey, KeyPair, KeyRecord, key_tag

_FORMAT = "Private-key-format"
_ECDSA_OCTETS = {13: 32, 14: 48}
_TIMES = ("Created", "Publish", "Activate")
_TIME = "%Y%m%d%H%M%S"


def file_name(record: KeyRecord) -> str:
    """The name of a key's files, without ending."""
    zone = names.to_text(record.zone).replace("/", "%2f")
    return f"K{zone}+{record.algorithm:03}+{record.tag:05}"


def public_text(record: KeyRecord) -> str:
    """What stands in the ``.key`` file."""
    return f"{names.to_text(record.zone)} IN DNSKEY {rdata.to_text(rr.DNSKEY, record.dnskey_rdata)}\n"


def private_text(pair: KeyPair) -> str:
    """What stands in the ``.private`` file."""
    family = algorithm_of(pair.record.algorithm)
    secret = pair.private.secret()
    if family.number == RSASHA256:
        fields = bind_rsa.fields_of(secret)
    else:
        fields = {"PrivateKey": base64.b64encode(secret).decode("ascii")}
    created = time.strftime(_TIME, time.gmtime(pair.record.created))
    fields |= dict.fromkeys(_TIMES, created)
    lines = [f"{_FORMAT}: v1.3", f"Algorithm: {family.number} ({family.mnemonic})"]
    return "\n".join(lines + [f"{name}: {value}" for name, value in fields.items()]) + "\n"


def read_pair(public: str, private: str, what: str) -> KeyPair:
    """The key of the texts of both files; *what* names it in errors. Raises :class:`KeyUnavailable`."""
    try:
        (rrset,) = parse(public, default_ttl=0, origin=names.ROOT).rrsets
        (data,) = rrset.rdatas
        key = Dnskey.parse(data)
    except (ZoneTextError, ValueError):
        raise KeyUnavailable(f"{what}.key must hold one DNSKEY record and nothing else") from None
    if rrset.rdtype != rr.DNSKEY or not key.flags & ZONE_KEY:
        raise KeyUnavailable(f"{what}.key holds no DNSKEY of a zone (flags 256 or 257)")
    fields = _fields(private, what)
    stated = fields.get("Algorithm", "").partition(" ")[0]
    if stated != str(key.algorithm):
        raise KeyUnavailable(f"{what}.private is of algorithm {stated or 'none'}, {what}.key of {key.algorithm}")
    if key.algorithm == RSASHA256:
        secret = bind_rsa.secret_of(fields, f"{what}.private")
    else:
        secret = _secret(fields, key.algorithm, what)
    pair = algorithm_of(key.algorithm).load(secret)
    if pair.public_key != key.public_key:
        raise KeyUnavailable(f"{what}.private does not belong to {what}.key: their public keys differ")
    role = KSK if key.flags & SEP else ZSK
    created = _time(fields.get("Created", ""))
    return KeyPair(KeyRecord(rrset.owner, key_tag(data), key.algorithm, role, data, created), pair)


def _secret(fields: Mapping[str, str], algorithm: int, what: str) -> bytes:
    if "PrivateKey" not in fields:
        raise KeyUnavailable(f"{what}.private has no PrivateKey field: keys of algorithm {algorithm} cannot be read")
    secret = bind_rsa.octets_of(fields, "PrivateKey", f"{what}.private")
    # BIND writes the number of an ECDSA key without leading zeros: one key of 256 is shorter.
    return secret.rjust(_ECDSA_OCTETS.get(algorithm, 0), b"\0")


def _fields(private: str, what: str) -> dict[str, str]:
    fields = {}
    for line in private.splitlines():
        name, colon, value = line.partition(":")
        if colon:
            fields[name.strip()] = value.strip()
    if not fields.get(_FORMAT, "").startswith("v1."):
        raise KeyUnavailable(f"{what}.private is no private key in BIND's format (Private-key-format: v1.3)")
    return fields


def _time(text: str) -> int:
    try:
        return timegm(time.strptime(text, _TIME))
    except ValueError:
        return 0


def load(path: Path) -> KeyPair:
    """The key of *path*: either of its two files, or their name without ending. Raises :class:`KeyUnavailable`."""
    stem = path.with_suffix("") if path.suffix in (".key", ".private") else path
    texts = []
    for ending in (".key", ".private"):
        file = stem.with_name(stem.name + ending)
        try:
            texts.append(file.read_text("utf-8"))
        except OSError as error:
            raise KeyUnavailable(f"{file} cannot be read: {error.strerror}") from None
        except UnicodeDecodeError:
            raise KeyUnavailable(f"{file} is no text") from None
    return read_pair(texts[0], texts[1], str(stem))


def load_all(paths: Iterable[Path], zone: bytes) -> tuple[KeyPair, ...]:
    """The keys of *zone* among *paths*: files of keys, or folders with files of keys. Raises :class:`KeyUnavailable`.

    A file that is named must be a key of *zone*; from a folder those of other zones are left out. Where an algorithm
    has keys with the SEP flag only, they sign everything, as a CSK does.
    """
    found: dict[bytes, KeyPair] = {}
    for path in paths:
        if path.is_dir():
            pairs = [load(file) for file in sorted(path.glob(_pattern(zone)))]
            pairs = [pair for pair in pairs if pair.record.zone == zone]
            if not pairs:
                raise KeyUnavailable(f"there is no key of {names.to_text(zone)} in {path}")
        else:
            pairs = [load(path)]
            if pairs[0].record.zone != zone:
                raise KeyUnavailable(f"{path} is a key of {names.to_text(pairs[0].record.zone)}, not of this zone")
        found.update((pair.record.dnskey_rdata, pair) for pair in pairs)
    return _with_roles(tuple(found.values()))


def _pattern(zone: bytes) -> str:
    # Odd octets are written in more than one way: those names are told by the record itself.
    text = names.to_text(zone)
    plain = all(c.isalnum() or c in "-_." for c in text)
    return f"K{text}+*.private" if plain else "K*.private"


def _with_roles(pairs: Sequence[KeyPair]) -> tuple[KeyPair, ...]:
    zone_signers = {pair.record.algorithm for pair in pairs if pair.record.role == ZSK}
    return tuple(
        pair if pair.record.algorithm in zone_signers else replace(pair, record=replace(pair.record, role=CSK))
        for pair in pairs
    )


def save(folder: Path, pair: KeyPair) -> Path:
    """Write both files of *pair* into *folder*, readable by the owner alone; their path without ending.

    Raises :class:`FileExistsError` if there is such a key.
    """
    stem = folder / file_name(pair.record)
    for ending, text, mode in ((".private", private_text(pair), 0o600), (".key", public_text(pair.record), 0o644)):
        descriptor = os.open(stem.with_name(stem.name + ending), os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode)
        with os.fdopen(descriptor, "w") as file:
            file.write(text)
    return stem
