# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Which blobs a document needs: those that it names, and all below them in their trees."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass

from ..errors import CorruptBlob, MissingBlob
from ..publish.catalog import entries
from ..store.base import Json, JsonObject
from ..zone.tree import is_inner, is_zone, links

_DIGEST = re.compile(r"[0-9a-f]{64}")
#: Fields whose digest is a tree's root; a digest elsewhere may be of something that is no blob.
_ROOTS = frozenset({"root", "catalog"})
#: What is published is signed incrementally from the source tree that it was made of; history needs that no more.
_PUBLISHED_ROOTS = _ROOTS | {"source_root"}
_BATCH = 128


def roots(key: str, value: JsonObject) -> dict[str, bool]:
    """The digests that the document at *key* names, each with whether there must be such a blob."""
    found: dict[str, bool] = {}
    _collect(value, "", _PUBLISHED_ROOTS if key.startswith("published/") else _ROOTS, found)
    return found


def _collect(value: Json, field: str, fields: frozenset[str], found: dict[str, bool]) -> None:
    if isinstance(value, dict):
        for name, inner in value.items():
            _collect(inner, name, fields, found)
    elif isinstance(value, list):
        for inner in value:
            _collect(inner, field, fields, found)
    elif isinstance(value, str):
        if field == "payload" and value.startswith("{"):  # a head is kept as the text that was signed
            _collect(json.loads(value), "", fields, found)
        elif _DIGEST.fullmatch(value):
            found[value] = found.get(value, False) or field in fields


@dataclass(frozen=True, slots=True)
class _Wanted:
    digest: str
    required: bool
    in_zone: bool


class Walk:
    """Visits blobs below roots, each once, whatever the number of roots; every one is hashed.

    *read* takes digests and returns the blobs that exist.
    """

    def __init__(self, read: Callable[[list[str]], Mapping[str, bytes]]) -> None:
        self._read = read
        self._seen: set[bytes] = set()

    def __len__(self) -> int:
        """How many blobs were visited."""
        return len(self._seen)

    def below(self, wanted: Mapping[str, bool]) -> Iterator[dict[str, bytes]]:
        """The blobs of *wanted* and below that were not visited before, some at a time.

        A digest that is false in *wanted* may be of something else than a blob. Raises :class:`MissingBlob` or
        :class:`CorruptBlob`.
        """
        stack = [_Wanted(digest, required, False) for digest, required in wanted.items()]
        while stack:
            batch: dict[str, _Wanted] = {}
            while stack and len(batch) < _BATCH:
                one = stack.pop()
                if bytes.fromhex(one.digest) not in self._seen:
                    batch[one.digest] = one
            if not batch:
                return
            found = self._read(list(batch))
            got: dict[str, bytes] = {}
            for digest, one in batch.items():
                data = found.get(digest)
                if data is None:
                    if one.required:
                        raise MissingBlob(f"blob {digest} is missing")
                    continue
                if hashlib.sha256(data).hexdigest() != digest:
                    raise CorruptBlob(f"blob {digest} does not hash to its name")
                self._seen.add(bytes.fromhex(digest))
                got[digest] = data
                stack.extend(_below(data, one))
            if got:
                yield got


def _below(data: bytes, one: _Wanted) -> Iterator[_Wanted]:
    if is_zone(data):
        yield from (_Wanted(digest, True, True) for digest in links(data))
    elif is_inner(data):
        yield from (_Wanted(digest, True, one.in_zone) for digest in links(data))
    elif not one.in_zone and one.required:
        # A leaf that hangs below no zone is a catalog's: its entries name zones.
        yield from (_Wanted(entry.root, True, False) for entry in entries(data))
