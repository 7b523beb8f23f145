# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What a write would change: computed as RRset differences and judged before anything is applied.

Whether the result is a sound zone is the business of :mod:`.checks`.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from itertools import groupby, islice
from typing import TypeAlias, overload

from ..errors import AlreadyExists, InputError, Place
from . import names, rr
from .content import TreeView, View
from .rr import RRset
from .text import ParsedZone
from .tree import Blobs, ZoneRoot

#: A whole zone: its RRsets in any order, or a zone file that was read.
Content: TypeAlias = "Sequence[RRset] | ParsedZone"


@dataclass(frozen=True, slots=True)
class Change:
    """The RRset that *owner* and *rdtype* shall have; ``None``: none. With *new* there must be none before."""

    owner: bytes
    rdtype: int
    rrset: RRset | None
    new: bool = False

    def __post_init__(self) -> None:
        if self.rrset is not None and (self.rrset.owner, self.rrset.rdtype) != (self.owner, self.rdtype):
            raise ValueError("a change whose RRset has another owner or type")


@dataclass(frozen=True, slots=True)
class Amend:
    """Records that the RRset of *owner* and *rdtype* shall have, and such that it shall not have, beside its others.

    *ttl* ``None`` keeps that of the RRset; one that is new has *default_ttl*.
    """

    owner: bytes
    rdtype: int
    add: tuple[bytes, ...] = ()
    remove: tuple[bytes, ...] = ()
    ttl: int | None = None
    default_ttl: int = 3600

    def applied(self, before: RRset | None) -> RRset | None:
        """What becomes of *before*."""
        held = () if before is None else before.rdatas
        kept = [data for data in held if data not in self.remove]
        if before is None and not self.add:
            return None
        ttl = self.ttl if self.ttl is not None else self.default_ttl if before is None else before.ttl
        after = RRset.of(self.owner, self.rdtype, ttl, [*kept, *self.add])
        return after if after.rdatas else None


@dataclass(frozen=True, slots=True)
class RRsetDiff:
    """One RRset before and after; ``None`` where it does not exist."""

    owner: bytes
    rdtype: int
    before: RRset | None
    after: RRset | None


@dataclass(frozen=True, slots=True)
class Plan:
    """What a write to *zone* would do, computed from version *base* (``None``: the zone is new).

    *warnings* are for the operator to read; *refusals* stop the write unless it is forced.
    """

    zone: bytes
    base: str | None
    diffs: Sequence[RRsetDiff]
    warnings: tuple[str, ...] = ()
    refusals: tuple[str, ...] = ()

    @property
    def adds(self) -> tuple[RRsetDiff, ...]:
        """RRsets that come."""
        return tuple(diff for diff in self.diffs if diff.before is None)

    @property
    def changes(self) -> tuple[RRsetDiff, ...]:
        """RRsets that get other records or another TTL."""
        return tuple(diff for diff in self.diffs if diff.before is not None and diff.after is not None)

    @property
    def removals(self) -> tuple[RRsetDiff, ...]:
        """RRsets that go."""
        return tuple(diff for diff in self.diffs if diff.after is None)

    @property
    def empty(self) -> bool:
        """Whether nothing changes."""
        return not self.diffs


@dataclass(frozen=True, slots=True)
class Thresholds:
    """A plan that removes or changes more than *share* (0 to 1) of the records of a zone that has *minimum* or more."""

    share: float = 0.30
    minimum: int = 10


def source_form(rrset: RRset) -> RRset:
    """*rrset* as source trees hold it: a SOA with serial 0, for serials belong to versions."""
    return rr.with_serial(rrset, 0)


def plan_changes(view: View, changes: Iterable[Change | Amend]) -> tuple[RRsetDiff, ...]:
    """What *changes*, one after the other, make different in *view*; in canonical order.

    Raises :class:`InputError` for an RRset without records, and :class:`AlreadyExists` with the place of each RRset
    that should be new and is there.
    """
    wanted: dict[tuple[bytes, int], RRset | None] = {}
    there: list[Place] = []
    for index, change in enumerate(changes):
        if isinstance(change, Amend):
            key = (change.owner, change.rdtype)
            held = wanted[key] if key in wanted else view.node(change.owner).get(change.rdtype)
            amended = change.applied(held)
            wanted[key] = None if amended is None else source_form(amended)
            continue
        if change.new and view.node(change.owner).get(change.rdtype) is not None:
            what = f"{names.to_text(change.owner)} {rr.type_text(change.rdtype)}"
            there.append(Place(f"{what} exists already; replace it, or add to it", pointer=f"/changes/{index}"))
        if change.rrset is not None and not change.rrset.rdatas:
            raise InputError(
                f"{names.to_text(change.owner)} {rr.type_text(change.rdtype)} has no value; to remove it, say so"
            )
        wanted[change.owner, change.rdtype] = None if change.rrset is None else source_form(change.rrset)
    if there:
        raise AlreadyExists("what should be created exists already", there)
    diffs = []
    for (owner, rdtype), after in wanted.items():
        before = view.node(owner).get(rdtype)
        if before != after:
            diffs.append(RRsetDiff(owner, rdtype, before, after))
    diffs.sort(key=lambda diff: (names.sort_key(diff.owner), diff.rdtype))
    return tuple(diffs)


def plan_replace(blobs: Blobs, old: ZoneRoot, content: Content) -> tuple[Sequence[RRsetDiff], ZoneRoot]:
    """What makes *content* the whole content, and the tree that holds it. What both trees share is not compared.

    RRsets of one owner and type are united. Raises :class:`InputError` if their TTLs differ.
    """
    if not isinstance(content, ParsedZone):
        new = ZoneRoot.build(blobs, old.origin, _nodes(content))
    else:
        new = ZoneRoot.build(blobs, old.origin, _parsed_nodes(content))
        if old.apex.root is None and old.names.root is None:
            return whole_zone(new, gone=False), new
    return tuple(tree_diffs(old, new)), new


#: Records up to which the differences of a whole zone are held.
_HELD = 10_000


def whole_zone(zone: ZoneRoot, *, gone: bool) -> Sequence[RRsetDiff]:
    """All RRsets of *zone* as what comes with it, or as what goes; those of a large zone are made as they are read."""
    found = _WholeZone(zone, gone=gone)
    return found if zone.stats().records > _HELD else tuple(found)


def counts(diffs: Sequence[RRsetDiff]) -> tuple[int, int, int]:
    """How many RRsets come, get others, and go."""
    if isinstance(diffs, _WholeZone):
        return (0, 0, len(diffs)) if diffs.gone else (len(diffs), 0, 0)
    added = sum(diff.before is None for diff in diffs)
    removed = sum(diff.after is None for diff in diffs)
    return added, len(diffs) - added - removed, removed


def growth(diffs: Sequence[RRsetDiff]) -> int:
    """How many records more there are afterwards."""
    if isinstance(diffs, _WholeZone):
        return diffs.records()
    return sum(_values(diff.after) - _values(diff.before) for diff in diffs)


def crowded(diffs: Sequence[RRsetDiff], most: int) -> Iterator[RRsetDiff]:
    """Those that leave an RRset with more than *most* records."""
    found = diffs.larger(most) if isinstance(diffs, _WholeZone) else diffs
    return (diff for diff in found if _values(diff.after) > most)


def _values(rrset: RRset | None) -> int:
    return 0 if rrset is None else len(rrset.rdatas)


class _WholeZone(Sequence[RRsetDiff]):
    """The RRsets of a zone as differences; nothing is held."""

    def __init__(self, zone: ZoneRoot, *, gone: bool) -> None:
        self._zone = zone
        self.gone = gone

    def __iter__(self) -> Iterator[RRsetDiff]:
        return self.larger(0)

    def larger(self, octets: int) -> Iterator[RRsetDiff]:
        """Those of the owners whose RRsets take more than *octets*: no record takes less than one."""
        for _owner, data in self._zone.items():
            if len(data) > octets:
                for rdtype, rrset in sorted(rr.node_of(data).items()):
                    before, after = (rrset, None) if self.gone else (None, rrset)
                    yield RRsetDiff(rrset.owner, rdtype, before, after)

    def records(self) -> int:
        """How many records come, or go if negative."""
        return -self._zone.stats().records if self.gone else self._zone.stats().records

    @cached_property
    def _count(self) -> int:
        return sum(1 for _diff in self)

    def __len__(self) -> int:
        return self._count

    def __bool__(self) -> bool:
        return next(iter(self), None) is not None

    @overload
    def __getitem__(self, index: int) -> RRsetDiff:
        """One of them."""

    @overload
    def __getitem__(self, index: slice) -> tuple[RRsetDiff, ...]:
        """Some of them."""

    def __getitem__(self, index: int | slice) -> RRsetDiff | tuple[RRsetDiff, ...]:
        if isinstance(index, slice):
            return tuple(islice(self, *index.indices(len(self))))
        return next(islice(self, range(len(self))[index], None))


def _parsed_nodes(parsed: ParsedZone) -> Iterator[tuple[bytes, bytes]]:
    """What a zone file says, which is in order."""
    for owner, data in parsed.nodes():
        if owner == parsed.origin:
            data = rr.node_wire(source_form(rrset) for rrset in rr.rrsets(data))
        yield owner, data


def _nodes(rrsets: Iterable[RRset]) -> Iterator[tuple[bytes, bytes]]:
    united: dict[tuple[bytes, int], RRset] = {}
    for rrset in rrsets:
        rrset = source_form(rrset)
        key = (rrset.owner, rrset.rdtype)
        held = united.get(key)
        if held is None:
            united[key] = rrset
            continue
        if held.ttl != rrset.ttl:
            raise InputError(
                f"{names.to_text(rrset.owner)} {rr.type_text(rrset.rdtype)} has TTLs {held.ttl} and {rrset.ttl}: "
                "records of one owner and type share one TTL (RFC 2181 section 5.2)"
            )
        united[key] = RRset.of(*key, rrset.ttl, held.rdatas + rrset.rdatas)
    ordered = sorted(united.values(), key=lambda rrset: names.sort_key(rrset.owner))
    for owner, group in groupby(ordered, key=lambda rrset: rrset.owner):
        data = rr.node_wire(group)
        if data:
            yield owner, data


def tree_diffs(old: ZoneRoot, new: ZoneRoot) -> Iterator[RRsetDiff]:
    """The RRsets in which two source trees differ, in canonical order; costs what changed."""
    for owner, before, after in old.diff(new):
        left = rr.node_of(before) if before else {}
        right = rr.node_of(after) if after else {}
        for rdtype in sorted({**left, **right}):
            if left.get(rdtype) != right.get(rdtype):
                yield RRsetDiff(owner, rdtype, left.get(rdtype), right.get(rdtype))


# -- judging ----------------------------------------------------------------------------------


def judge(diffs: Iterable[RRsetDiff], old: ZoneRoot, thresholds: Thresholds) -> tuple[str, ...]:
    """Why *diffs*, applied to *old*, would be dangerous, one sentence each; nothing for a new zone.

    Refused are plans that empty the zone, that remove or change more of it than *thresholds* allow, and that
    change the apex NS set.
    """
    apex = TreeView(old).node(old.origin)
    skeleton = {rr.SOA, rr.NS}
    total = old.stats().records - len(apex.get(rr.SOA, ()))
    content = total - len(apex.get(rr.NS, ()))
    affected = 0
    left = content
    refusals = []
    for diff in diffs:
        at_apex = diff.owner == old.origin
        if at_apex and diff.rdtype == rr.SOA:
            continue
        affected += _affected(diff)
        if not (at_apex and diff.rdtype in skeleton):
            left += len(diff.after or ()) - len(diff.before or ())
        elif diff.before is not None and (diff.after is None or diff.after.rdatas != diff.before.rdatas):
            refusals.append(
                f"it changes the zone's own NS set from {_targets(diff.before)} to {_targets(diff.after)}; "
                "the delegation in the parent zone must follow"
            )
    if content > 0 and left == 0:
        refusals.append(f"it empties the zone: {_records(content)} would go, and only SOA and NS stay")
    elif total >= thresholds.minimum and affected > thresholds.share * total:
        refusals.append(
            f"it removes or changes {affected} of {_records(total)} ({100 * affected / total:.0f} %), "
            f"more than the {100 * thresholds.share:.0f} % that this zone allows at once"
        )
    return tuple(refusals)


def _affected(diff: RRsetDiff) -> int:
    """How many of the records before are not there as they were afterwards."""
    if diff.before is None:
        return 0
    if diff.after is None or diff.after.ttl != diff.before.ttl:
        return len(diff.before)
    return len(set(diff.before.rdatas) - set(diff.after.rdatas))


def _targets(rrset: RRset | None) -> str:
    if rrset is None:
        return "none"
    return ", ".join(names.to_text(target) for target in rrset.rdatas)


def _records(count: int) -> str:
    return f"{count} record{'' if count == 1 else 's'}"
