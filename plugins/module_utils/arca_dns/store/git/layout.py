# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What the tree of a commit looks like, and what `git log` says of it. Nothing here touches a repository.

::

    README.md                                for people who clone it
    zones/example.com.zone                   readable; beyond some hundred zones new ones go to zones/00/ … zones/ff/
    state/documents/0/1/2/3.jsonl            the documents, by the hash of their key; one to a line
    state/blobs/0/1/2/3/<SHA-256>            tree nodes
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from ..base import JsonObject

Path: TypeAlias = "tuple[bytes, ...]"

STATE, ZONES = b"state", b"zones"
DOCUMENTS = (STATE, b"documents")
BLOBS = (STATE, b"blobs")
#: Where reports on zone files that people pushed are kept, by zone.
IMPORT = "import/"
README = b"""\
# Zones of an arca.dns controller

`zones/` holds one zone file for each zone, as it is without signatures. Change one, commit and push: the controller
checks it and publishes it as a new version in your name. What fails the checks is reported by `GET /api/v1/imports`.

`state/` is the controller's own: a commit that changes it is refused.
"""
_SUFFIX = b".zone"
_LONGEST_NAME = 240  # bytes of a file's name: file systems end at 255
_REVISION = b"\nRevision: "


def document_path(key: str) -> Path:
    """The file that holds the document *key*."""
    digits = hashlib.sha256(_bytes(key)).hexdigest()
    return (*DOCUMENTS, *(digit.encode() for digit in digits[:3]), f"{digits[3]}.jsonl".encode())


def blob_path(digest: str) -> Path:
    """The file that holds the blob *digest*."""
    return (*BLOBS, *(digit.encode() for digit in digest[:4]), digest.encode())


@dataclass(frozen=True, slots=True)
class Line:
    """A document in its file, or what is left of a deleted one (*value* is then ``None``)."""

    key: str
    revision: int
    value: str | None  # JSON


def read_lines(data: bytes) -> dict[str, Line]:
    """The documents of a file, by key."""
    found = {}
    for text in data.decode("utf-8", "surrogatepass").split("\n"):
        if text:
            row = json.loads(text)
            # What follows `"value":` is the JSON itself, up to the brace that closes the line.
            at = text.find(',"value":', len(json.dumps(row["key"], ensure_ascii=False)))
            value = text[at + 9 : -1] if "value" in row else None
            found[row["key"]] = Line(row["key"], row["revision"], value)
    return found


def write_lines(lines: Mapping[str, Line]) -> bytes:
    """The file of *lines*."""
    parts = []
    for key in sorted(lines):
        line = lines[key]
        head = f'{{"key":{json.dumps(key, ensure_ascii=False)},"revision":{line.revision}'
        parts.append(f'{head},"value":{line.value}}}\n' if line.value is not None else f'{head},"deleted":true}}\n')
    return _bytes("".join(parts))


def zone_file(name: str) -> bytes | None:
    """The file name of the zone *name* (as in its key); ``None`` if it would be too long."""
    stem = _bytes(name.removesuffix(".") or ".")
    return stem + _SUFFIX if len(stem) + len(_SUFFIX) <= _LONGEST_NAME else None


def zone_of(file: bytes) -> str | None:
    """The zone of a file name, as in its key; ``None`` if it is no zone file's."""
    if not file.endswith(_SUFFIX) or file == _SUFFIX:
        return None
    stem = file.removesuffix(_SUFFIX).decode("utf-8", "replace")
    return stem if stem.endswith(".") else f"{stem}."


def shard_of(file: bytes) -> bytes:
    """The folder below ``zones/`` for a zone file where there are many."""
    return hashlib.sha256(file).hexdigest()[:2].encode()


@dataclass(frozen=True, slots=True)
class Message:
    """Who made a commit and what it says."""

    author: str | None  # None: the controller
    text: str

    def encode(self, revision: int) -> bytes:
        """The message of the commit, with the store's revision."""
        return _bytes(self.text) + b"\n" + _REVISION + str(revision).encode() + b"\n"


def revision_of(message: bytes) -> int | None:
    """The revision in a commit's message; ``None`` for a commit that is not the controller's."""
    _text, found, number = message.rpartition(_REVISION)
    return int(number) if found and number.strip().isdigit() else None


def describe(writes: Mapping[str, JsonObject], deletes: Collection[str]) -> Message:
    """What a transaction does, from the keys and values of its documents."""
    versions = [(key, value) for key, value in sorted(writes.items()) if key.startswith("version/")]
    if versions:
        actors = {str(value.get("actor", "")) for _key, value in versions}
        reasons = {str(value.get("reason", "")) for _key, value in versions}
        zones = listing([key.split("/")[1] for key, _value in versions])
        reason = _line(next(iter(reasons))) if len(reasons) == 1 else ""
        details = [
            f"{key.split('/')[1]} {value.get('version')} serial {value.get('serial')}" for key, value in versions
        ]
        author = next(iter(actors)) if len(actors) == 1 else ""
        return Message(author or None, f"{zones}: {reason or 'new version'}\n\n" + "\n".join(details))
    published = {key.split("/", 1)[1]: value for key, value in writes.items() if key.startswith("published/")}
    removed = [key.split("/", 1)[1] for key in deletes if key.startswith("published/")]
    if published or removed:
        text = f"Publish {listing(sorted(published))}" if published else f"Withdraw {listing(sorted(removed))}"
        details = [f"{zone} serial {value.get('serial')}" for zone, value in sorted(published.items())]
        return Message(None, text + "\n\n" + "\n".join(details + [f"{zone} removed" for zone in sorted(removed)]))
    keys = sorted({*writes, *deletes})
    text = f"Write {listing(keys)}" if writes else f"Delete {listing(keys)}" if deletes else "Write nothing"
    return Message(None, text)


def listing(items: list[str]) -> str:
    """The first of *items*, and how many more there are."""
    shown = ", ".join(_line(item) for item in items[:3])
    return shown if len(items) <= 3 else f"{shown} and {len(items) - 3} more"


def _line(text: str) -> str:
    return " ".join(text.split())[:200]


def _bytes(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def identity(name: str, email: str) -> bytes:
    """An author as Git writes it."""
    clean = ["".join(c for c in text if c.isprintable() and c not in "<>").strip() for text in (name, email)]
    return f"{clean[0] or 'unknown'} <{clean[1]}>".encode("utf-8", "replace")
