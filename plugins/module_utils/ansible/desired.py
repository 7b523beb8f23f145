# Copyright (c) 2026 the arca.dns contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Desired states: from what a task wants to the one write that brings it about, or to none.

Nothing here knows of Ansible's module object; a write that somebody else overtook is computed again, once.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TypeVar

from ..arca_dns.client.base import (
    Client,
    Difference,
    Outcome,
    Plan,
    Record,
    RecordSet,
    Write,
    ZoneContent,
    ZoneState,
    absolute,
)
from ..arca_dns.errors import AlreadyExists, NotFound, StaleVersion
from ..arca_dns.store.base import Json

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Result:
    """What came of it: the outcome, the zone's settings before and after, and what the user should hear."""

    outcome: Outcome
    settings_before: Mapping[str, Json] | None = None
    settings_after: Mapping[str, Json] | None = None
    notes: tuple[str, ...] = ()


def _twice(attempt: Callable[[], T]) -> T:
    """*attempt*, and once more from the beginning if the zone changed under it."""
    try:
        return attempt()
    except (StaleVersion, AlreadyExists):
        return attempt()


def _find(client: Client, zone: str) -> ZoneState | None:
    try:
        return client.zone(zone)
    except NotFound:
        return None


def _nothing(state: ZoneState | None) -> Outcome:
    if state is None:
        return Outcome(Plan(), changed=False, applied=False, version=None, serial=0)
    return Outcome(Plan(), changed=False, applied=False, version=state.version, serial=state.serial)


def zone_present(
    client: Client,
    name: str,
    content: ZoneContent,
    write: Write,
    *,
    settings: Mapping[str, Json] | None = None,
    delegations: Sequence[str] = (),
) -> Result:
    """The zone exists with exactly *content*; *settings* that are not given stay.

    *delegations* are zones of the same controller whose DS records belong in this one; those that are not there yet are
    left out on a dry run. Raises ``ArcaError``.
    """
    notes: list[str] = []
    records = list(content.records)
    for child in delegations:
        try:
            values = client.ds(child)
        except NotFound:
            if not write.dry_run:
                raise
            notes.append(f"the zone {child} does not exist yet: its DS records are not in this plan")
            continue
        if values:
            records.append(Record(absolute("@", child), "DS", tuple(values)))
    whole = replace(content, records=tuple(records))

    def attempt() -> Result:
        state = _find(client, name)
        if state is None:
            outcome = client.create_zone(name, whole, write, settings)
            return Result(outcome, {}, settings or {}, tuple(notes))
        wanted = None if settings is None else {**state.settings, **settings}
        fenced = replace(write, if_version=state.version)
        outcome = client.replace_zone(name, whole, fenced, wanted)
        return Result(outcome, state.settings, state.settings if wanted is None else wanted, tuple(notes))

    return _twice(attempt)


def zone_absent(client: Client, name: str, write: Write) -> Result:
    """The zone does not exist. Raises ``ArcaError``."""

    def attempt() -> Result:
        state = _find(client, name)
        if state is None:
            return Result(_nothing(None))
        try:
            outcome = client.delete_zone(name, replace(write, if_version=state.version))
        except NotFound:
            return Result(_nothing(None))
        return Result(outcome)

    return _twice(attempt)


def record_set_present(
    client: Client, zone: str, owner: str, rdtype: str, values: Sequence[str], ttl: int | None, write: Write
) -> Result:
    """The RRset has exactly *values*; *ttl* ``None`` keeps the TTL that it has. Raises ``ArcaError``."""

    def attempt() -> Result:
        state = _find(client, zone)
        if state is None and write.dry_run:
            wanted = RecordSet(absolute(owner, zone), rdtype.upper(), 3600 if ttl is None else ttl, tuple(values))
            plan = Plan((Difference(None, wanted),))
            note = f"the zone {zone} does not exist yet: this fails unless it is created before"
            return Result(Outcome(plan, changed=True, applied=False, version=None, serial=0), notes=(note,))
        version = client.zone(zone).version if state is None else state.version
        return Result(client.put_record_set(zone, owner, rdtype, values, ttl, replace(write, if_version=version)))

    return _twice(attempt)


def record_set_absent(client: Client, zone: str, owner: str, rdtype: str, write: Write) -> Result:
    """The RRset does not exist, nor need its zone. Raises ``ArcaError``."""

    def attempt() -> Result:
        state = _find(client, zone)
        if state is None:
            return Result(_nothing(None))
        return Result(client.delete_record_set(zone, owner, rdtype, replace(write, if_version=state.version)))

    return _twice(attempt)
