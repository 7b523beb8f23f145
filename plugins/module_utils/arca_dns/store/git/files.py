# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The readable zone files: a zone's source version as text, from the document that names its root."""

from __future__ import annotations

from collections.abc import Mapping

from ...zone import names, rr, text
from ...zone.tree import Blobs, ZoneRoot
from ..base import Json

#: Records of the largest zone that is kept as a file: the whole file is written anew with each change.
MOST_RECORDS = 10_000


def render(zone: Mapping[str, Json], blobs: Blobs) -> bytes | None:
    """The file of the zone that the document *zone* describes; ``None`` if it describes none.

    Raises :class:`~...errors.IntegrityError` if a node of its tree is missing or corrupt.
    """
    name, root, serial = zone.get("name"), zone.get("root"), zone.get("serial")
    if not (isinstance(name, str) and isinstance(root, str) and isinstance(serial, int) and root):
        return None
    origin = names.from_text(name)
    tree = ZoneRoot.load(blobs, root)
    records = tree.stats().records
    if records > MOST_RECORDS:
        return (
            f"; {name} serial {serial} has {records} records: too many for a file that every change writes anew.\n"
            "; Read it from the API, as a zone file too. A zone file put here replaces the zone.\n"
        ).encode()
    rrsets = (rrset for _owner, data in tree.items() for rrset in rr.rrsets(data))
    return "".join(text.render(origin, rrsets, serial=serial)).encode()
