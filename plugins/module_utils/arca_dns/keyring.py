# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Private keys in the backend, for several controllers; and the note by which controllers on one store agree on keys.

A zone's keys are one document, ``keys/ZONE``, each sealed as in a key file, changed by compare-and-set. The note
``keyring`` says where the keys of a store are, under which master key they are sealed, and which key signs its heads. A
controller that would use others is refused: it would make keys of its own, and edges reject heads of two keys.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from typing import cast

from .dnssec.envelope import Envelope, MasterKey
from .dnssec.keys import KeyPair, KeyRecord
from .dnssec.keystore import no_key, ordered, tag_exists, zone_of
from .dnssec.sealed import read_sealed, sealed_json
from .documents import keys_key
from .errors import AlreadyExists, Conflict, KeyUnavailable
from .store.base import ABSENT, Json, JsonObject, Store, Transaction, revision_of
from .store.common import everything
from .zone import names

#: What keys of documents with keys of zones begin with, and the note's.
PREFIX, NOTE = "keys/", "keyring"
_ATTEMPTS = 20


class BackendKeyStore:
    """A :class:`~.dnssec.keystore.KeyStore` in *store*, sealed under *master*."""

    def __init__(self, store: Store, master: MasterKey) -> None:
        self._store = store
        self._master = master

    def ready(self) -> None:
        """See :class:`~.dnssec.keystore.KeyStore`: they are where the zones are."""

    def load(self, zone: bytes) -> list[KeyPair]:
        """See :class:`~.dnssec.keystore.KeyStore`."""
        return ordered(self._open(zone, sealed) for sealed in self._sealed(zone)[0])

    def add(self, pairs: Sequence[KeyPair], *, first: bool = False) -> None:
        """See :class:`~.dnssec.keystore.KeyStore`."""
        zone = zone_of(pairs)
        new = [cast(JsonObject, sealed_json(pair, self._master)) for pair in pairs]
        for _attempt in range(_ATTEMPTS):
            held, revision = self._sealed(zone)
            if first and held:
                raise AlreadyExists(f"{names.to_text(zone)} has keys already")
            tags = {sealed.get("tag") for sealed in held}
            for pair in pairs:
                if pair.record.tag in tags:
                    raise tag_exists(pair.record)
            if self._write(zone, [*held, *new], revision):
                return
        raise KeyUnavailable(f"the keys of {names.to_text(zone)} keep changing; try again")

    def remove(self, zone: bytes, tag: int) -> None:
        """See :class:`~.dnssec.keystore.KeyStore`."""
        for _attempt in range(_ATTEMPTS):
            held, revision = self._sealed(zone)
            left = [sealed for sealed in held if sealed.get("tag") != tag]
            if len(left) == len(held):
                raise no_key(zone, tag)
            if self._write(zone, left, revision):
                return
        raise KeyUnavailable(f"the keys of {names.to_text(zone)} keep changing; try again")

    def zones(self) -> list[bytes]:
        """See :class:`~.dnssec.keystore.KeyStore`."""
        found = [names.from_text(str(document.value["zone"])) for document in everything(self._store, PREFIX)]
        return sorted(found, key=names.sort_key)

    def _open(self, zone: bytes, sealed: JsonObject) -> KeyPair:
        record, envelope = self._read(zone, sealed)
        return self._master.open(record, envelope)

    def _read(self, zone: bytes, sealed: JsonObject) -> tuple[KeyRecord, Envelope]:
        record, envelope = read_sealed(sealed, f"a key of {names.to_text(zone)} in the backend")
        if record.zone != zone:
            raise KeyUnavailable(f"{keys_key(zone)} in the backend holds a key of {names.to_text(record.zone)}")
        return record, envelope

    def _sealed(self, zone: bytes) -> tuple[list[JsonObject], int]:
        document = self._store.get(keys_key(zone))
        if document is None:
            return [], ABSENT
        return cast("list[JsonObject]", document.value["keys"]), document.revision

    def _write(self, zone: bytes, sealed: Sequence[JsonObject], revision: int) -> bool:
        key = keys_key(zone)
        keys: list[Json] = list(sealed)
        value: JsonObject = {"zone": names.to_text(zone), "keys": keys}
        try:
            if sealed:
                self._store.commit(Transaction({key: revision}, {key: value}))
            else:
                self._store.commit(Transaction({key: revision}, deletes=[key]))
        except Conflict:
            return False
        return True


def put_sealed(store: Store, zone: bytes, sealed: Iterable[JsonObject]) -> int:
    """Put keys that are sealed already into *store* as they are; returns how many it lacked.

    Raises :class:`AlreadyExists` for one that is there and is another.
    """
    added = 0
    key = keys_key(zone)
    document = store.get(key)
    held = [] if document is None else cast("list[JsonObject]", document.value["keys"])
    by_tag = {one.get("tag"): one for one in held}
    for one in sealed:
        there = by_tag.get(one.get("tag"))
        if there is None:
            held.append(one)
            by_tag[one.get("tag")] = one
            added += 1
        elif there != one:
            raise AlreadyExists(f"the backend has another key {one.get('tag')} of {names.to_text(zone)}")
    if added:
        keys: list[Json] = list(held)
        value: JsonObject = {"zone": names.to_text(zone), "keys": keys}
        store.commit(Transaction({key: revision_of(document)}, {key: value}))
    return added


def all_sealed(store: Store) -> Iterable[tuple[bytes, list[JsonObject]]]:
    """The zones that have keys in *store*, with their keys, sealed as they are."""
    for document in everything(store, PREFIX):
        yield names.from_text(str(document.value["zone"])), cast("list[JsonObject]", document.value["keys"])


@dataclass(frozen=True, slots=True)
class Keyring:
    """What the controllers on one store must have in common.

    *store* is ``backend`` or ``directory``; *directory* names the folder, empty for ``backend``; *master* is the id of
    the master key, *head* the public head key.
    """

    store: str
    directory: str
    master: str
    head: str


def agree(store: Store, ours: Keyring) -> None:
    """Note *ours* where nothing is noted yet. Raises :class:`KeyUnavailable` if other controllers have other keys."""
    while True:
        document = store.get(NOTE)
        if document is not None:
            break
        try:
            store.commit(Transaction({NOTE: ABSENT}, {NOTE: cast(JsonObject, asdict(ours))}))
        except Conflict:
            continue
        return
    theirs = Keyring(**{name: str(document.value.get(name, "")) for name in ("store", "directory", "master", "head")})
    if theirs != ours:
        raise KeyUnavailable(_difference(theirs, ours))


def adopt(store: Store, ours: Keyring) -> bool:
    """Note *ours* whatever was noted before; returns whether that was something else."""
    document = store.get(NOTE)
    value = cast(JsonObject, asdict(ours))
    if document is not None and document.value == value:
        return False
    store.commit(Transaction({NOTE: revision_of(document)}, {NOTE: value}))
    return True


def _difference(theirs: Keyring, ours: Keyring) -> str:
    adopted = "; if it is meant to be another one from now on: arca-dns-controller keys adopt"
    if theirs.store != ours.store:
        return (
            f"the DNSSEC keys of this store are kept in the {theirs.store}, but dnssec.key_store is {ours.store}: set"
            f" it to {theirs.store}, or move the keys: arca-dns-controller keys move --to {ours.store}"
        )
    if theirs.master != ours.master:
        return (
            f"the keys of this store are sealed under master key {theirs.master}, that here is {ours.master}: every"
            f" controller needs the same{adopted}"
        )
    if theirs.head != ours.head:
        return (
            f"the heads of this store are signed with the head key {theirs.head}, and that here is {ours.head}:"
            f" every controller needs the same, for edges trust no other{adopted}"
        )
    return (
        "the DNSSEC keys of this store are in another key directory, so this controller would make keys of its own: set"
        f" dnssec.key_store to backend where several controllers share a store, or let them share one folder{adopted}"
    )
