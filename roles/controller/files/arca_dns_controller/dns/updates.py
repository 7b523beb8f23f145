# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Updates by RFC 2136 become writes, as those of the API: planned, judged, checked, told in the journal."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import structlog

from arca_dns.access.scope import Scope
from arca_dns.errors import AccessDenied, ArcaError, InputError, NotFound, PlanRefused, StaleVersion
from arca_dns.journal import Caller, called_by
from arca_dns.service import Service
from arca_dns.transfer import wire
from arca_dns.transfer.update import Failed, Update, changes, read
from arca_dns.transfer.wire import Message
from arca_dns.zone import names, rr
from arca_dns.zone.changes import Plan
from arca_dns.zone.content import TreeView

from ..rates import Buckets

log = structlog.get_logger(__name__)

_ATTEMPTS = 5


class Updates:
    """Does updates on *service*, within the *scopes* of the key that signed them; *clock* gives monotonic seconds.

    *per_minute* is how many a key may send each minute, and at once.
    """

    def __init__(
        self,
        service: Service,
        scopes: Mapping[bytes, Sequence[Scope]],
        per_minute: float,
        clock: Callable[[], float],
    ) -> None:
        self._service = service
        self._scopes = scopes
        self._per_minute = per_minute
        self._buckets = Buckets(clock)

    def __call__(self, request: Message, key: bytes, address: str | None) -> int:
        """The rcode of the UPDATE *request*, which *key* signed."""
        actor = f"tsig:{names.to_text(key).removesuffix('.')}"
        zone = names.to_text(request.zone)
        try:
            with called_by(Caller(address or "", str(request.id))):
                version = self._update(request, key, actor)
        except Failed as failure:
            log.warning("update refused", zone=zone, actor=actor, origin=address, reason=str(failure))
            return failure.rcode
        except ArcaError as error:
            rcode = _rcode(error)
            told = log.error if rcode == wire.SERVFAIL else log.warning
            told("update failed", zone=zone, actor=actor, origin=address, reason=str(error))
            return rcode
        log.info("update", zone=zone, actor=actor, origin=address, version=version)
        return wire.NOERROR

    def _update(self, request: Message, key: bytes, actor: str) -> str | None:
        """The version that the update made, if it changed anything."""
        scopes = [scope for scope in self._scopes.get(key, ()) if scope.has_zone(request.zone)]
        if not scopes:
            raise Failed(wire.REFUSED, "no policy lets the key update this zone")
        if self._buckets.take(names.to_text(key), self._per_minute / 60, self._per_minute):
            raise Failed(wire.REFUSED, "the key has sent too many updates")
        update = read(request)

        def may(owner: bytes, rdtype: int) -> bool:
            return any(scope.has(update.zone, owner, rdtype) for scope in scopes)

        def permit(plan: Plan) -> None:
            for diff in plan.diffs:
                if not may(diff.owner, diff.rdtype):
                    raise AccessDenied(f"the key may not write {names.to_text(diff.owner)} {rr.type_text(diff.rdtype)}")

        for _attempt in range(_ATTEMPTS):
            try:
                return self._once(update, may, permit, actor)
            except StaleVersion:
                continue
        raise Failed(wire.SERVFAIL, "the zone keeps changing under the update")

    def _once(
        self, update: Update, may: Callable[[bytes, int], bool], permit: Callable[[Plan], None], actor: str
    ) -> str | None:
        zone = self._service.zone(update.zone)
        version = zone.source.version
        tree, serial = self._service.content(update.zone, version)
        if zone.published is not None and rr.serial_newer(zone.published.serial, serial):
            serial = zone.published.serial  # signed anew: what the client has seen
        wanted = changes(update, TreeView(tree), serial, may)
        if not wanted:
            return None
        outcome = self._service.change_zone(
            update.zone, wanted, if_version=version, actor=actor, reason="UPDATE (RFC 2136)", permit=permit
        )
        return outcome.version if outcome.applied else None


def _rcode(error: ArcaError) -> int:
    if isinstance(error, NotFound):
        return wire.NOTAUTH
    if isinstance(error, InputError | PlanRefused | AccessDenied):
        return wire.REFUSED
    return wire.SERVFAIL
