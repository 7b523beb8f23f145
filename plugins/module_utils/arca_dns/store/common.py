# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What all backends share: the JSON form of documents, the checks of a transaction, and the grace of blobs.

No backend lives here, and nothing here keeps state.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping

from .base import ABSENT, Document, JsonObject, Store, Transaction

#: Seconds that a written blob is safe from a sweep, although no document names it yet.
GRACE_SECONDS = 3600.0

#: The longest key, in octets of UTF-8: what every backend can index.
MAX_KEY_OCTETS = 2048
#: How many revisions back a backend remembers deletions at least.
DELETIONS_REMEMBERED = 100_000

#: Later than any revision: asks for the revision alone.
_NEVER = 2**53
_LAST_CODE_POINT = 0x10FFFF
_SURROGATES = range(0xD800, 0xE000)


def encode(value: JsonObject) -> str:
    """*value* as compact JSON text. Raises :class:`TypeError` or :class:`ValueError` for what JSON cannot say."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def decode(text: str) -> JsonObject:
    """The object that :func:`encode` wrote."""
    value: JsonObject = json.loads(text)
    return value


def validate(transaction: Transaction) -> None:
    """Raise :class:`ValueError` for a transaction that no backend could apply: a caller's mistake."""
    both = sorted(set(transaction.writes) & set(transaction.deletes))
    if both:
        raise ValueError(f"a transaction both writes and deletes {', '.join(both)}")
    for key in transaction.writes:
        if not key or "\0" in key or len(key.encode()) > MAX_KEY_OCTETS:
            raise ValueError(f"a key is 1 to {MAX_KEY_OCTETS} octets of UTF-8 without NUL, not {key[:80]!r}")


def check_digests(blobs: Mapping[str, bytes]) -> None:
    """Raise :class:`ValueError` for bytes that do not hash to their digest: a repair must not do damage."""
    for digest, data in blobs.items():
        if hashlib.sha256(data).hexdigest() != digest:
            raise ValueError(f"{len(data)} octets do not hash to {digest}")


def broken_preconditions(transaction: Transaction, revisions: dict[str, int]) -> str:
    """A sentence that names the preconditions which do not hold at *revisions* (key → revision); empty if all hold."""
    broken = []
    for key, wanted in sorted(transaction.preconditions.items()):
        found = revisions.get(key, ABSENT)
        if found != wanted:
            state = f"is at revision {found}" if found else "does not exist"
            broken.append(f"{key} {state}, not " + (f"at {wanted}" if wanted else "absent"))
    return "; ".join(broken)


def everything(store: Store, prefix: str, after: str = "") -> Iterator[Document]:
    """All documents whose key begins with *prefix* and is greater than *after*, in code point order, page by page."""
    while page := store.scan(prefix, after):
        yield from page
        after = page[-1].key


def revision(store: Store) -> int:
    """The revision that *store* is at."""
    return store.watch(_NEVER, 0).revision


def prefix_end(prefix: str) -> str | None:
    """The least text that is greater than every text with *prefix*; ``None`` if there is none."""
    while prefix:
        point = ord(prefix[-1]) + 1
        if point in _SURROGATES:
            point = _SURROGATES.stop
        if point <= _LAST_CODE_POINT:
            return prefix[:-1] + chr(point)
        prefix = prefix[:-1]
    return None
