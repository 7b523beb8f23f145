# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What every backend offers: small JSON documents with revisions, and immutable blobs named by their SHA-256.

The guarantees here are the ones that the service builds on; the conformance suite checks each of them on every backend.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias

Json: TypeAlias = "None | bool | int | float | str | list[Json] | dict[str, Json]"
JsonObject: TypeAlias = "dict[str, Json]"

#: The revision to demand of a key that must not exist yet.
ABSENT = 0


@dataclass(frozen=True, slots=True)
class Document:
    """A JSON object at *key*, written last by the commit that returned *revision*."""

    key: str
    revision: int
    value: JsonObject


def revision_of(document: Document | None) -> int:
    """The revision to demand where *document* was read: its own, or :data:`ABSENT`."""
    return ABSENT if document is None else document.revision


@dataclass(frozen=True, slots=True)
class Transaction:
    """Preconditions, writes and deletes that succeed as one or not at all.

    *preconditions* maps a key to the revision it must have, or :data:`ABSENT`.
    A key stands in *writes* or in *deletes*, never in both; it is 1 to 2048 octets of UTF-8 without NUL.
    *blobs* are written as :meth:`Store.write_blobs` does it, no later than the documents; a transaction that fails may
    leave them.
    """

    preconditions: Mapping[str, int] = field(default_factory=dict)
    writes: Mapping[str, JsonObject] = field(default_factory=dict)
    deletes: Collection[str] = ()
    blobs: Mapping[str, bytes] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Changes:
    """The keys that commits after some revision wrote or deleted, and the store's revision now.

    Deletions are not remembered for ever: when *complete* is false, keys that were deleted may be missing, and who
    follows the store has to scan what it follows. Backends remember those of the last 100,000 revisions at least.
    """

    revision: int
    keys: tuple[str, ...] = ()
    complete: bool = True


class Store(Protocol):
    """A backend. Every call is safe to make from any thread. All raise ``StoreUnavailable``."""

    def get(self, key: str) -> Document | None:
        """The document at *key*, or ``None``."""

    def scan(self, prefix: str, after: str = "", limit: int = 1000) -> list[Document]:
        """Up to *limit* documents whose key begins with *prefix* and is greater than *after*, in code point order."""

    def commit(self, transaction: Transaction) -> int:
        """Apply *transaction* durably; returns the new revision, greater than all before. Raises ``Conflict``.

        After ``StoreUnavailable`` nothing was applied, unless the message says that it is not known: the connection may
        break between the request to commit and its answer. It is never repeated unasked; read again, then decide.
        """

    def read_blobs(self, digests: Iterable[str]) -> dict[str, bytes]:
        """The blobs of *digests* (hex SHA-256) that exist; absent ones are left out."""

    def write_blobs(self, blobs: Mapping[str, bytes]) -> None:
        """Make *blobs* durable; idempotent. They are young then, those too that were there before.

        To be called for all that an operation has built, just before the commit that names it, unless that takes it
        along: a young blob survives every :meth:`sweep`, for half of the store's grace at least.
        """

    def replace_blobs(self, blobs: Mapping[str, bytes]) -> None:
        """As :meth:`write_blobs`, also over what stands under their digests and is damaged: for repair.

        Idempotent. Raises :class:`ValueError` for bytes that do not hash to their digest.
        """

    def watch(self, after: int, timeout: float) -> Changes:
        """Wait up to *timeout* seconds for commits later than revision *after*; returns at once if there are any."""

    def sweep(self, keep: Iterable[str]) -> int:
        """Remove blobs that are not in *keep* and were last written before the store's grace began; returns how many.

        The grace is counted from the call, before the first of *keep* is asked for: what is written while *keep* is
        found out stays. Nothing is removed if *keep* raises.
        """

    def close(self) -> None:
        """Give back connections and files."""
