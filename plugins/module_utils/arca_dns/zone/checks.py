# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The rules that a zone must keep, and what looks like a slip.

An error makes answers wrong or a zone that servers refuse; a warning is for a person to judge. What parses at
all is decided by :mod:`.text`, what is dangerous to apply by :mod:`.changes`.

A check of some owners finds every error that a change there can bring about in a zone that had none, without
reading the rest: nothing that needs to find all references to a name is an error. Only a full check warns of
an NS, MX or SRV elsewhere whose target went or became an alias, and of addresses below a delegation that no NS needs.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from itertools import islice

from ..errors import Place
from . import names, rr
from .content import Overlay, View, has_below
from .rdata import is_data, strings
from .rr import Node, RRset

Lines = Mapping[tuple[bytes, int], int]


@dataclass(frozen=True, slots=True)
class Findings:
    """What a check found: places with lines first, in their order."""

    errors: list[Place] = field(default_factory=list)
    warnings: list[Place] = field(default_factory=list)


def check(view: View, owners: Iterable[bytes] | None = None, *, lines: Lines | None = None) -> Findings:
    """Check the whole of *view*, or *owners* and what they affect. *lines* tells where an RRset stands in a zone file.

    Where *view* is an :class:`Overlay`, *owners* are those that it edits.
    """
    checker = _Checker(view, lines or {})
    if owners is None:
        checker.everything()
    else:
        checker.some(set(owners))
    return checker.findings()


def longest_ttl(refresh: int, propagation: int) -> int:
    """The longest TTL at which an old signature is out of every cache before it expires. All in seconds.

    *refresh* is the life that a signature has left when it is replaced, *propagation* the time until all edges have it.
    """
    return refresh - propagation


def check_ttls(
    view: View,
    refresh: int,
    propagation: int,
    owners: Iterable[bytes] | None = None,
    *,
    lines: Lines | None = None,
) -> list[Place]:
    """A place for each RRset, of all or of *owners*, whose TTL outlives its signatures (see :func:`longest_ttl`)."""
    limit = longest_ttl(refresh, propagation)
    items = view.items() if owners is None else ((owner, view.node(owner)) for owner in _sorted(owners))
    found = []
    for owner, node in items:
        for rdtype, rrset in node.items():
            if rrset.ttl > limit:
                text = (
                    f"TTL {rrset.ttl} is longer than {limit} seconds: with signatures replaced {refresh} s before they "
                    f"expire and {propagation} s until every edge has them, caches would hold expired ones; "
                    "lower the TTL, or raise the policy's refresh"
                )
                found.append(_place(owner, rdtype, text, lines or {}))
    return found


def _sorted(owners: Iterable[bytes]) -> list[bytes]:
    return sorted(owners, key=names.sort_key)


def _place(owner: bytes, rdtype: int | None, message: str, lines: Lines) -> Place:
    what = names.to_text(owner) if rdtype is None else f"{names.to_text(owner)} {rr.type_text(rdtype)}"
    return Place(f"{what}: {message}", None if rdtype is None else lines.get((owner, rdtype)))


_ADDRESSES = frozenset({rr.A, rr.AAAA})
_AT_CUT = frozenset({rr.NS, rr.DS, rr.A, rr.AAAA}) | rr.SIGNER_TYPES
_NAME_AT = {rr.NS: 0, rr.CNAME: 0, rr.PTR: 0, rr.DNAME: 0, rr.MX: 2, rr.SRV: 6}
_RULED = frozenset({rr.SOA, rr.TXT, rr.DS, *_NAME_AT}) | rr.SIGNER_TYPES
_REFERS = (rr.NS, rr.MX, rr.SRV)
# 20 octets of SHA-1 are 32 of base32hex; their label must leave the name at 255 octets (RFC 5155 section 3).
_LONGEST_NSEC3_ORIGIN = 255 - 33


def _targets(rrset: RRset) -> list[bytes]:
    """The names that the records point to; in canonical rdata of these types they are lower-case already."""
    at = _NAME_AT[rrset.rdtype]
    return [rdata[at:] for rdata in rrset.rdatas]


def _types(rdtypes: Iterable[int]) -> str:
    return ", ".join(rr.type_text(rdtype) for rdtype in sorted(rdtypes))


@dataclass(slots=True)
class _Cut:
    """A delegation while what is below it goes by."""

    owner: bytes
    needed: set[bytes]  # name servers at or below the cut that have no address yet
    servers: frozenset[bytes]
    occluded: list[bytes] = field(default_factory=list)


class _Checker:
    """One check of one view."""

    def __init__(self, view: View, lines: Lines) -> None:
        self._view = view
        self._origin = view.origin
        self._lines = lines
        self._found = Findings()
        # In-zone names that NS, MX and SRV point to, and from where; glue is judged at its cut.
        self._wanted: dict[bytes, list[tuple[bytes, int]]] = {}
        self._unused: list[tuple[bytes, bytes]] = []  # (address owner, the cut above it)
        self._made: dict[int, list[bytes]] = {}  # owners by type that only signing makes

    def findings(self) -> Findings:
        """What was found so far."""
        for rdtype, owners in sorted(self._made.items()):
            more = f" (and {len(owners) - 1} more names)" if len(owners) > 1 else ""
            self._error(
                owners[0], rdtype, f"arca.dns makes {rr.type_text(rdtype)} itself when it signs: remove it{more}"
            )
        self._made = {}
        for places in (self._found.errors, self._found.warnings):
            places.sort(key=lambda place: (place.line is None, place.line or 0))
        return self._found

    # -- all of the zone --------------------------------------------------------------------

    def everything(self) -> None:
        """Check all owners in one pass, then what they point to in another."""
        cut: _Cut | None = None
        dname: bytes | None = None
        told = False
        apex: Node = {}
        for owner, node in self._view.items():
            if not self._inside(owner, node):
                continue
            self._node(owner, node)
            if owner == self._origin:
                apex = node
            if dname is not None and _below(owner, dname):
                if not told:
                    self._below_dname(owner, dname)
                    told = True
            elif rr.DNAME in node:
                dname, told = owner, False
            if cut is not None and _below(owner, cut.owner):
                self._goes_by(cut, owner, node)
                continue
            if cut is not None:
                self._close(cut)
                cut = None
            if rr.NS in node and owner != self._origin:
                cut = self._open(owner, node)
            self._refer(owner, node)
        if cut is not None:
            self._close(cut)
        self._apex(apex)
        self._unneeded()
        self._resolve()

    def _goes_by(self, cut: _Cut, owner: bytes, node: Node) -> None:
        if not _ADDRESSES.isdisjoint(node):
            cut.needed.discard(owner)
            if owner not in cut.servers:
                self._unused.append((owner, cut.owner))
        if not _ADDRESSES.issuperset(node):
            cut.occluded.append(owner)

    def _open(self, owner: bytes, node: Node) -> _Cut:
        servers = frozenset(target for target in _targets(node[rr.NS]) if names.is_at_or_below(target, owner))
        needed = set(servers)
        if not _ADDRESSES.isdisjoint(node):
            needed.discard(owner)
        return _Cut(owner, needed, servers)

    def _close(self, cut: _Cut) -> None:
        for target in _sorted(cut.needed):
            self._no_glue(cut.owner, target)
        self._occluded(cut.owner, cut.occluded)

    def _unneeded(self) -> None:
        for owner, cut in self._unused:
            if owner not in self._wanted:
                self._warning(
                    owner,
                    None,
                    f"is below the delegation of {names.to_text(cut)} and no name server's address: "
                    "it is not served; remove it here, it belongs in the child zone",
                )

    # -- some owners ------------------------------------------------------------------------

    def some(self, changed: set[bytes]) -> None:
        """Check *changed* owners and those that a change there affects."""
        for owner in _sorted(changed):
            node = self._view.node(owner)
            if node and not self._inside(owner, node):
                continue
            if owner == self._origin:
                self._apex(node)
            if not names.is_at_or_below(owner, self._origin):
                continue
            cut = self._above(owner, node, changed)
            if node:
                self._node(owner, node)
            if rr.DNAME in node:
                first = next(self._view.below(owner), None)
                if first is not None and first not in changed:
                    self._below_dname(first, owner)
            if cut is None:
                self._refer(owner, node)
                self._delegation(owner, node)
        if self._origin not in changed:
            self._apex_servers(changed)
        self._resolve()

    def _apex_servers(self, changed: set[bytes]) -> None:
        """Note the zone's own name servers that a change at or above them affects."""
        servers = self._view.node(self._origin).get(rr.NS)
        for target in () if servers is None else _targets(servers):
            if _below(target, self._origin) and not changed.isdisjoint(
                [target, *names.ancestors(target, self._origin)]
            ):
                self._wanted.setdefault(target, []).append((self._origin, rr.NS))

    def _above(self, owner: bytes, node: Node, changed: set[bytes]) -> bytes | None:
        """Check *owner* against what is above it; returns the delegation that it is below, if any."""
        cut: bytes | None = None
        for name in names.ancestors(owner, self._origin) if owner != self._origin else ():
            above = self._view.node(name)
            if rr.NS in above:
                cut = name  # the topmost is the one that counts
            if rr.DNAME in above and node:
                self._below_dname(owner, name)
        if cut is None:
            apex = self._view.node(self._origin)
            if rr.DNAME in apex and node and owner != self._origin:
                self._below_dname(owner, self._origin)
        elif cut not in changed:
            servers = _targets(self._view.node(cut)[rr.NS])
            if owner in servers and _ADDRESSES.isdisjoint(node):
                self._no_glue(cut, owner)
            elif node and not _ADDRESSES.issuperset(node):
                self._occluded(cut, [owner])
        return cut

    def _delegation(self, owner: bytes, node: Node) -> None:
        """Check *owner*, which is below no cut, as a cut, or as one that may have been a cut before."""
        if owner == self._origin:
            return
        if rr.NS in node:
            cut = self._open(owner, node)
            for target in _sorted(cut.needed):
                if _ADDRESSES.isdisjoint(self._view.node(target)):
                    self._no_glue(owner, target)
            below = islice(self._view.below(owner), 1000)
            self._occluded(owner, [name for name in below if not _ADDRESSES.issuperset(self._view.node(name))])
        elif self._was_cut(owner):
            for found in self._uncovered(owner):
                uncovered = self._open(found, self._view.node(found))
                for target in _sorted(uncovered.needed):
                    if _ADDRESSES.isdisjoint(self._view.node(target)):
                        self._no_glue(found, target)

    def _was_cut(self, owner: bytes) -> bool:
        if isinstance(self._view, Overlay):
            return rr.NS in self._view.base.node(owner)
        return True

    def _uncovered(self, owner: bytes) -> Iterator[bytes]:
        """The topmost delegations below *owner*."""
        cut: bytes | None = None
        for name in self._view.below(owner):
            if cut is not None and _below(name, cut):
                continue
            if rr.NS in self._view.node(name):
                cut = name
                yield name

    # -- one owner --------------------------------------------------------------------------

    def _inside(self, owner: bytes, node: Node) -> bool:
        if names.is_at_or_below(owner, self._origin):
            return True
        for rdtype in node:
            self._error(
                owner,
                rdtype,
                f"is outside of zone {names.to_text(self._origin)}; a name that ends with a dot is a whole name",
            )
        return False

    def _node(self, owner: bytes, node: Node) -> None:
        for rdtype, rrset in node.items():
            if not 0 <= rrset.ttl <= rr.MAX_TTL:
                self._error(
                    owner, rdtype, f"TTL {rrset.ttl} is not within 0 to {rr.MAX_TTL} seconds (RFC 2181 section 8)"
                )
            if rdtype in _RULED:
                self._ruled(owner, node, rrset)
            elif not is_data(rdtype):
                self._error(owner, rdtype, "is a type of queries and messages; a zone cannot hold it")
        if owner != self._origin and self._doubled(owner):
            self._warning(owner, min(node), "this name repeats the zone's name: is a final dot missing?")

    def _doubled(self, name: bytes) -> bool:
        """Whether *name*, below the apex, ends with the zone's name twice."""
        if names.label_count(self._origin) < 2:
            return False
        return names.is_at_or_below(name[: len(name) - len(self._origin)] + names.ROOT, self._origin)

    def _ruled(self, owner: bytes, node: Node, rrset: RRset) -> None:
        rdtype = rrset.rdtype
        if rdtype in rr.SIGNER_TYPES:
            self._made.setdefault(rdtype, []).append(owner)
        elif rdtype == rr.CNAME:
            self._cname(owner, node, rrset)
        elif rdtype == rr.DNAME:
            self._dname(owner, node, rrset)
        elif rdtype == rr.SOA and owner != self._origin:
            self._error(owner, rdtype, f"a SOA stands at the apex only, which is {names.to_text(self._origin)}")
        elif rdtype == rr.NS and owner != self._origin:
            self._cut_rules(owner, node)
        elif rdtype == rr.DS:
            if owner == self._origin:
                self._error(owner, rdtype, "the DS of a zone belongs in its parent zone")
            elif rr.NS not in node:
                self._error(owner, rdtype, "a DS needs a delegation: add NS records here, or remove it")
        elif rdtype == rr.MX:
            self._null_mx(owner, rrset)
        elif rdtype == rr.TXT:
            self._joined(owner, rrset)
        if rdtype in _NAME_AT:
            self._slips(owner, rrset)

    def _cname(self, owner: bytes, node: Node, rrset: RRset) -> None:
        others = set(node) - {rr.CNAME} - rr.SIGNER_TYPES
        if others:
            hint = "; at the apex use A and AAAA instead" if owner == self._origin else ""
            self._error(
                owner,
                rr.CNAME,
                f"stands beside {_types(others)}; a name with a CNAME has nothing else (RFC 1034 section 3.6.2){hint}",
            )
        if len(rrset) > 1:
            self._error(
                owner, rr.CNAME, f"there are {len(rrset)} of them; a name has one CNAME (RFC 2181 section 10.1)"
            )
        if owner in rrset.rdatas:
            self._warning(owner, rr.CNAME, "points to itself")

    def _dname(self, owner: bytes, node: Node, rrset: RRset) -> None:
        if len(rrset) > 1:
            self._error(owner, rr.DNAME, f"there are {len(rrset)} of them; a name has one DNAME (RFC 6672 section 2.4)")
        if rr.NS in node and owner != self._origin:
            self._error(owner, rr.DNAME, "stands at a delegation, beside NS records (RFC 6672 section 2.3)")
        if names.is_wildcard(owner):
            self._error(owner, rr.DNAME, "a wildcard with a DNAME has no defined meaning (RFC 4592 section 4.4)")

    def _cut_rules(self, owner: bytes, node: Node) -> None:
        if names.is_wildcard(owner):
            self._error(owner, rr.NS, "a wildcard cannot delegate (RFC 4592 section 4.2)")
        hidden = set(node) - _AT_CUT - {rr.CNAME, rr.DNAME, rr.SOA}
        if hidden:
            self._warning(
                owner,
                rr.NS,
                f"{_types(hidden)} at a delegation is not served; it belongs in zone {names.to_text(owner)}",
            )

    def _null_mx(self, owner: bytes, rrset: RRset) -> None:
        if len(rrset) > 1 and any(rdata[2:] == names.ROOT for rdata in rrset.rdatas):
            self._warning(owner, rr.MX, "'0 .' says that no mail is accepted and must stand alone (RFC 7505 section 3)")

    def _joined(self, owner: bytes, rrset: RRset) -> None:
        for rdata in rrset.rdatas:
            parts = strings(rdata)
            if len(parts) > 1 and parts[0].lower() in (b"v=spf1", b"v=dkim1;", b"v=dmarc1;"):
                self._warning(
                    owner,
                    rr.TXT,
                    "its strings are joined without blanks between them, which breaks "
                    f"{parts[0].decode()!r}: put the whole text in one pair of double quotes",
                )

    def _slips(self, owner: bytes, rrset: RRset) -> None:
        for target in _targets(rrset):
            if not _below(target, self._origin):
                continue
            if self._doubled(target):
                text = f"{names.to_text(target)} repeats the zone's name: is a final dot missing?"
                self._warning(owner, rrset.rdtype, text)
            head = target[: len(target) - len(self._origin)] + names.ROOT
            parts = names.labels(head)
            if rrset.rdtype in _REFERS and len(parts) == 4 and all(part.isdigit() for part in parts):
                self._warning(
                    owner,
                    rrset.rdtype,
                    f"{names.to_text(head)[:-1]} is an address; a name with an A record is wanted here",
                )

    def _apex(self, node: Node) -> None:
        soa = node.get(rr.SOA)
        if soa is None:
            self._error(self._origin, None, "the zone has no SOA record")
        elif len(soa) > 1:
            self._error(self._origin, rr.SOA, f"there are {len(soa)} of them; a zone has exactly one SOA")
        if rr.NS not in node:
            self._error(self._origin, None, "the zone has no NS records: name at least one server")
        if len(self._origin) > _LONGEST_NSEC3_ORIGIN:
            self._warning(self._origin, None, "the zone's name is too long for NSEC3; sign it with NSEC")

    # -- between owners ---------------------------------------------------------------------

    def _below_dname(self, owner: bytes, dname: bytes) -> None:
        self._error(
            owner,
            min(self._view.node(owner)),
            f"is below the DNAME of {names.to_text(dname)}, which redirects all names there: remove it, or the DNAME "
            "(RFC 6672 section 2.4)",
        )

    def _no_glue(self, cut: bytes, target: bytes) -> None:
        self._error(
            cut,
            rr.NS,
            f"name server {names.to_text(target)} is inside of the delegated zone and needs an address here (glue): "
            "add its A or AAAA record",
        )

    def _occluded(self, cut: bytes, owners: list[bytes]) -> None:
        if owners:
            more = f" and {len(owners) - 1} more names" if len(owners) > 1 else ""
            self._warning(
                cut,
                rr.NS,
                f"records of {names.to_text(owners[0])}{more} are below this delegation and are not served; "
                f"they belong in zone {names.to_text(cut)}",
            )

    def _refer(self, owner: bytes, node: Node) -> None:
        """Note the in-zone names that *owner* points to, for :meth:`_resolve`."""
        for rdtype in _REFERS:
            rrset = node.get(rdtype)
            if rrset is None or (rdtype != rr.NS and rr.NS in node and owner != self._origin):
                continue
            for target in _targets(rrset):
                if not names.is_at_or_below(target, self._origin) or target == names.ROOT:
                    continue
                if rdtype == rr.NS and owner != self._origin and names.is_at_or_below(target, owner):
                    continue
                self._wanted.setdefault(target, []).append((owner, rdtype))

    def _resolve(self) -> None:
        """Check that the names pointed to have addresses of their own."""
        for target, node in self._wanted_nodes():
            if rr.CNAME in node:
                if self._cut_above(target) is None:
                    self._alias(target)
            elif _ADDRESSES.isdisjoint(node):
                self._no_address(target, node)

    def _wanted_nodes(self) -> Iterator[tuple[bytes, Node]]:
        if len(self._wanted) < 1000:
            for target in self._wanted:
                yield target, self._view.node(target)
            return
        missing = set(self._wanted)
        for owner, node in self._view.items():
            if owner in missing:
                missing.discard(owner)
                yield owner, node
        for target in missing:
            yield target, {}

    def _alias(self, target: bytes) -> None:
        text = f"{names.to_text(target)} is an alias (CNAME); name the host itself (RFC 2181 section 10.3)"
        others = [reference for reference in self._wanted[target] if reference != (self._origin, rr.NS)]
        if len(others) < len(self._wanted[target]):
            self._error(self._origin, rr.NS, text)
        self._references(others, text)

    def _no_address(self, target: bytes, node: Node) -> None:
        if rr.NS in node and target != self._origin:
            return  # the child zone has its address
        if self._cut_above(target) is not None:
            return
        if not node and (rr.CNAME in (match := self._wildcard(target)) or not _ADDRESSES.isdisjoint(match)):
            return
        text = f"{names.to_text(target)} has no address in this zone: add its A or AAAA record"
        self._references(self._wanted[target], text)

    def _references(self, references: list[tuple[bytes, int]], text: str) -> None:
        """One warning at the first of *references*, for all of them."""
        if references:
            more = f" ({len(references) - 1} more records name it)" if len(references) > 1 else ""
            self._warning(*references[0], text + more)

    def _cut_above(self, name: bytes) -> bytes | None:
        """A delegation or DNAME strictly above *name*."""
        if name == self._origin:
            return None
        for above in names.ancestors(name, self._origin):
            node = self._view.node(above)
            if rr.NS in node or rr.DNAME in node:
                return above
        return None

    def _wildcard(self, name: bytes) -> Node:
        """The node that answers for *name*, which has no records, by synthesis (RFC 4592 section 3.3)."""
        if has_below(self._view, name):
            return {}
        for encloser in [*names.ancestors(name, self._origin), self._origin]:
            wildcard = b"\x01*" + encloser
            found = self._view.node(wildcard)
            if found or self._view.node(encloser) or has_below(self._view, encloser):
                return found
        return {}

    # -- telling ----------------------------------------------------------------------------

    def _error(self, owner: bytes, rdtype: int | None, message: str) -> None:
        self._found.errors.append(_place(owner, rdtype, message, self._lines))

    def _warning(self, owner: bytes, rdtype: int | None, message: str) -> None:
        self._found.warnings.append(_place(owner, rdtype, message, self._lines))


def _below(name: bytes, ancestor: bytes) -> bool:
    return name != ancestor and names.is_at_or_below(name, ancestor)
