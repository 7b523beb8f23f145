# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What a check finds: which blob or document is damaged, who needs it, what that means, and what to do."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..store.base import JsonObject
from ..zone import names

#: Parts of what is stored, as :attr:`Spot.part` names them.
ROOT, APEX, NAMES, NSEC3, CATALOG, OTHER = "root", "apex", "names", "nsec3", "catalog", "other"
#: Lines of versions.
SOURCE, PUBLISHED, HEAD = "source", "published", "head"

_RUN = "run 'arca-dns-controller fsck --repair'"
_FROM = f"{_RUN}, with --from and a backup or the configuration of another backend"


@dataclass(frozen=True, slots=True)
class Spot:
    """A damaged blob and where it hangs: *state* is ``missing``, ``corrupt`` or ``wrong`` (hashes right, says wrong).

    It covers the owners from *first* up to *until*, which is another's (``None``: to the end, or from the start).
    """

    digest: str
    state: str
    part: str
    origin: bytes | None
    first: bytes | None
    until: bytes | None
    problem: str

    def owners(self) -> str:
        """The owners that the blob holds, as text; empty where that is the whole of something."""
        if self.first is None:
            return ""
        return f"{names.to_text(self.first)} up to " + ("the end" if self.until is None else names.to_text(self.until))


@dataclass(frozen=True, slots=True)
class Need:
    """A version that needs a blob: *line* is ``source``, ``published``, ``head`` or ``other``; *key* its document."""

    key: str
    zone: str
    version: str
    line: str
    current: bool

    def __str__(self) -> str:
        if self.line in (SOURCE, PUBLISHED):
            return f"{self.zone} {self.line} {self.version}" + (" (current)" if self.current else "")
        return self.key


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is not as it should be. *subject* is a digest or a document's key.

    *fix* are documents that repair it, each written only where none stands. With *damage* false it is worth to know
    and no damage. *repaired* says how it was repaired.
    """

    code: str
    subject: str
    problem: str
    means: str = ""
    todo: str = ""
    zone: str = ""
    owners: str = ""
    needs: tuple[Need, ...] = ()
    damage: bool = True
    fix: Mapping[str, JsonObject] = field(default_factory=dict)
    repaired: str | None = None

    def to_json(self) -> JsonObject:
        """The finding as the command prints it."""
        return {
            "code": self.code,
            "subject": self.subject,
            "problem": self.problem,
            "means": self.means,
            "todo": self.todo,
            "zone": self.zone or None,
            "owners": self.owners or None,
            "needed_by": [
                {"zone": n.zone, "version": n.version, "line": n.line, "current": n.current, "document": n.key}
                for n in self.needs
            ],
            "damage": self.damage,
            "repaired": self.repaired,
        }


@dataclass(frozen=True, slots=True)
class Report:
    """What was looked at, and what was found."""

    findings: tuple[Finding, ...]
    spots: Mapping[str, Spot]
    documents: int
    blobs: int
    octets: int

    @property
    def damage(self) -> tuple[Finding, ...]:
        """The findings that are damage and are not repaired."""
        return tuple(finding for finding in self.findings if finding.damage and finding.repaired is None)


def of_blob(spot: Spot, needs: tuple[Need, ...]) -> Finding:
    """What a damaged blob means for those who need it."""
    zones = sorted({need.zone for need in needs if need.zone})
    zone = ", ".join(zones)
    current = {need.line for need in needs if need.current}
    if spot.part == CATALOG and HEAD not in current:
        means = "only catalogs of the past are hurt: what an edge that is behind serves is not known for certain"
    elif spot.part == CATALOG:
        means = "no edge that lacks this part of the catalog can follow the head; edges serve what they have"
    elif PUBLISHED in current:
        means = (
            f"edges that have {zone} go on serving it; one that has to fetch it cannot, and it cannot be signed again"
            " until this is repaired"
        )
        if SOURCE in current:
            means += "; reading and changing it at the controller fails"
    elif SOURCE in current:
        means = f"{zone} is served as it is, but reading and changing it fails, and so will its next full signing"
    elif needs:
        means = "only history is hurt: showing that version, comparing with it and going back to it fail"
    else:
        means = "no version of a zone needs it"
    what = {"missing": "the blob is missing", "corrupt": "the blob does not hash to its name"}.get(
        spot.state, f"the blob hashes to its name, but {spot.problem}"
    )
    todo = (
        "keep a backup of the store as it is, and report this: a program wrote it so"
        if spot.state == "wrong"
        else (f"{_RUN}; where no copy is found, {_FROM.removeprefix(_RUN + ', ')}")
    )
    place = {ROOT: "the root of the zone's tree", APEX: "the zone's apex", NSEC3: "NSEC3", NAMES: "names"}.get(
        spot.part, spot.part
    )
    return Finding(f"{spot.state}-blob", spot.digest, f"{what} ({place})", means, todo, zone, spot.owners(), needs)
