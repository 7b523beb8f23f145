# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The line of publications: the head of the first ring, which every publication moves.

Other rings' heads follow it when they are promoted; their documents say so. Where a configuration names another first
ring than the one that the line stands in, the new one takes the line over with the next publication: it begins with
the catalog that the former first ring has, and that one follows from then on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from ..documents import head_key
from ..errors import IntegrityError
from ..store.base import Document, JsonObject, revision_of
from .head import Head, SignedHead

#: The member of a head's document that says that it is moved by promotion only.
FOLLOWS = "follows"


def signed_head(document: Document) -> SignedHead:
    """The signed head in a ring's document."""
    return SignedHead.from_json(document.value["signed"])


def follows(document: Document) -> bool:
    """Whether the head in *document* is moved by promotion only."""
    return document.value.get(FOLLOWS) is True


@dataclass(frozen=True)
class Line:
    """Where the line stands: *document* is the head to go on from, *own* that of the ring which is to have it."""

    ring: str
    document: Document
    own: Document | None

    @cached_property
    def signed(self) -> SignedHead:
        """The head as it travels."""
        return signed_head(self.document)

    @cached_property
    def head(self) -> Head:
        """What it says."""
        return self.signed.head()

    @property
    def taken_over(self) -> bool:
        """Whether the line stands in another ring yet."""
        return self.document.key != head_key(self.ring)

    @property
    def latest(self) -> int:
        """The newest revision that edges may know, of the line or of the ring."""
        own = self.head.revision if self.own is None else signed_head(self.own).revision()
        return max(self.head.revision, own)

    @property
    def revisions(self) -> Mapping[str, int]:
        """What a publication depends on."""
        return {head_key(self.ring): revision_of(self.own), self.document.key: self.document.revision}

    def handed_over(self) -> Mapping[str, JsonObject]:
        """What a publication writes of the ring that had the line until now."""
        return {self.document.key: {**self.document.value, FOLLOWS: True}} if self.taken_over else {}


def find_line(ring: str, get: Callable[[str], Document | None], heads: Callable[[], Iterable[Document]]) -> Line | None:
    """The line, for a controller whose first ring is *ring*; ``None`` before the first publication.

    Raises :class:`IntegrityError` where two rings say that they have it.
    """
    own = get(head_key(ring))
    if own is not None and not follows(own):
        return Line(ring, own, own)
    leading = [document for document in heads() if not follows(document)]
    if len(leading) > 1:
        rings = ", ".join(document.key.removeprefix(head_key("")) for document in leading)
        raise IntegrityError(f"the rings {rings} all say that they follow every publication: restore a backup")
    if not leading:
        return None if own is None else Line(ring, own, own)
    return Line(ring, leading[0], own)
