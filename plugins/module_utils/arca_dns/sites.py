# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Leases of edges that wish to attract less traffic of a prefix, or none: granted while enough other sites are left.

A document per prefix names who holds one, and every grant depends on it: of two edges that ask at the same time the
second is counted without the first. An edge counts as left if it announces the prefix the normal way, holds no lease,
and has said so since the wish came: all edges are called to attest (the roll call, of which controllers tell them in
their long polls), and the wish waits for their answers. A call has a number, which attestations repeat, so that no
clock has a say in what is an answer. So an edge that lost its power before the wish is no spare, and neither is one
whose checks fail. Failures need no lease; they only leave less to grant. Who holds a lease to degrade asks anew to
drain; where that is refused, it keeps what it has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from ipaddress import ip_network

from .documents import ROLL_CALL, SITES, edge_key, edge_zones_key, moment, utc
from .edge_files import Lease, Wish
from .errors import Conflict, InputError, NotFound, Place
from .publish.gates import age_of
from .store.base import Document, Json, JsonObject, Store, Transaction, revision_of
from .store.common import everything

_ATTEMPTS = 20
_NAMED = 5
#: What an edge said so long before a wish counts as an answer to it, if its agent does not repeat numbers of calls.
_RECENT_SECONDS = 5.0
#: Within which an edge that is there answers a call, and after which it is called again.
_ANSWER_SECONDS, _CALL_AGAIN_SECONDS = 15.0, 30.0


@dataclass(frozen=True, slots=True)
class _Wait:
    """Since when a wish waits (unix seconds), and the latest call there was then, if that was noted."""

    since: float
    call: int | None


_NOT_YET = _Wait(float("-inf"), None)


class Sites:
    """The leases in *store*; *minimum* other sites have to announce a prefix for one to be granted.

    *fresh_seconds* is how long an attestation counts.
    """

    def __init__(self, store: Store, clock: Callable[[], float], minimum: int, fresh_seconds: float) -> None:
        self._store = store
        self._clock = clock
        self._minimum = minimum
        self._fresh = fresh_seconds

    def ask(self, edge: str, wishes: Mapping[str, Wish]) -> list[Lease]:
        """The answers to all that *edge* wishes, by prefix; what it held and wishes no more is given back.

        Raises :class:`InputError` for a prefix that is none.
        """
        places = [Place(problem, pointer=f"/wishes/{at}/prefix") for at, problem in _problems(wishes)]
        if places:
            raise InputError("the wishes are wrong", places)
        for document in everything(self._store, SITES):
            prefix = document.key.removeprefix(SITES)
            if prefix not in wishes and (edge in _holders(document) or edge in _asked(document)):
                self._give_back(prefix, edge)
        call = self.called()
        return [self._ask(edge, prefix, wish, call) for prefix, wish in wishes.items()]

    def forget(self, edge: str) -> None:
        """Remove an edge that is gone for good: its attestation and its leases. Raises :class:`NotFound`."""
        document = self._store.get(edge_key(edge))
        if document is None:
            raise NotFound(f"edge {edge!r} has attested nothing")
        self.ask(edge, {})
        self._store.commit(Transaction(deletes=[edge_key(edge), edge_zones_key(edge)]))

    def holders(self) -> dict[str, dict[str, str]]:
        """Who holds leases: by prefix the edges and what for."""
        found = {document.key.removeprefix(SITES): _holders(document) for document in everything(self._store, SITES)}
        return {prefix: holders for prefix, holders in found.items() if holders}

    def called(self) -> int:
        """A number that changes when edges are called to attest; 0 if they never were."""
        document = self._store.get(ROLL_CALL)
        return 0 if document is None else document.revision

    def _ask(self, edge: str, prefix: str, wish: Wish, call: int) -> Lease:
        """The answer to one wish, before which the latest roll call was *call*."""
        for _attempt in range(_ATTEMPTS):
            document = self._store.get(SITES + prefix)
            holders, asked = _holders(document), _asked(document)
            held = holders.get(edge)
            if held == wish and edge not in asked:
                return Lease(prefix, wish, granted=True)
            if held not in (wish, "drain"):
                now = self._clock()
                wait = asked.get(edge, _NOT_YET)
                if new := not 0 <= now - wait.since <= _CALL_AGAIN_SECONDS:
                    wait = _Wait(now, call)
                left, silent, others = self._left(edge, prefix, holders, wait)
                if len(left) < self._minimum:
                    if len(left) + len(silent) < self._minimum or now - wait.since > _ANSWER_SECONDS:
                        others += silent
                    elif not new or self._write(document, prefix, holders, {**asked, edge: wait}, after=call):
                        return Lease(prefix, wish, granted=False, reason=_waiting(silent), pending=True)
                    else:
                        continue
                    return Lease(prefix, wish, granted=False, reason=_refusal(self._minimum, left, others))
            asked.pop(edge, None)
            if self._write(document, prefix, {**holders, edge: wish}, asked):
                return Lease(prefix, wish, granted=True)
        return Lease(prefix, wish, granted=False, reason="too many edges ask at once: it is asked again")

    def _give_back(self, prefix: str, edge: str) -> None:
        for _attempt in range(_ATTEMPTS):
            document = self._store.get(SITES + prefix)
            holders, asked = _holders(document), _asked(document)
            held, called = holders.pop(edge, None), asked.pop(edge, None)
            if (held is None and called is None) or self._write(document, prefix, holders, asked):
                return
        raise Conflict(f"the leases of {prefix} change too fast: try again")

    def _write(
        self,
        document: Document | None,
        prefix: str,
        holders: Mapping[str, str],
        asked: Mapping[str, _Wait],
        *,
        after: int | None = None,
    ) -> bool:
        """Whether it was written; with a call to all edges, unless there was one *after* that one already."""
        value: JsonObject = {
            "holders": dict(holders),
            "asked": {edge: utc(wait.since) for edge, wait in asked.items()},
            "calls": {edge: wait.call for edge, wait in asked.items()},
        }
        writes: dict[str, JsonObject] = {SITES + prefix: value}
        if after is not None and self.called() == after:
            writes[ROLL_CALL] = {"for": prefix, "called": utc(self._clock())}
        try:
            self._store.commit(Transaction({SITES + prefix: revision_of(document)}, writes))
        except Conflict:
            return False
        return True

    def _left(
        self, edge: str, prefix: str, holders: Mapping[str, str], wait: _Wait
    ) -> tuple[list[str], list[str], list[str]]:
        """The other edges that go on announcing *prefix*: those that said so during *wait*, and those that did before.

        The third is why each of the rest does not count.
        """
        left: list[str] = []
        silent: list[str] = []
        others: list[str] = []
        now = self._clock()
        documents = list(everything(self._store, edge_key("")))
        called = self.called()
        for document in documents:
            name, report = document.key.removeprefix(edge_key("")), document.value
            if name == edge or not _serves(report, prefix):
                continue
            if name in holders:
                others.append(f"{name} holds a lease to {holders[name]}")
            elif (age := age_of(report, now)) > self._fresh:
                others.append(_last_heard(name, report))
            elif not _announces(report, prefix):
                others.append(f"{name} does not announce it the normal way")
            elif _fails(report, prefix):
                others.append(f"{name} fails its own checks")
            elif not _answers(report, age, wait, called, now):
                silent.append(_last_heard(name, report))
            else:
                left.append(name)
        return left, silent, others


def _last_heard(name: str, report: Mapping[str, Json]) -> str:
    return f"{name} was last heard of at {report.get('received')}"


def _waiting(silent: list[str]) -> str:
    return f"other edges are asked whether they are there: {'; '.join(silent[:_NAMED])}"


def _refusal(minimum: int, left: Iterable[str], others: list[str]) -> str:
    names = ", ".join(left)
    more = f"; {'; '.join(others[:_NAMED])}" if others else ""
    return f"no spare site: {minimum} other than this one must announce the prefix, there is {names or 'none'}{more}"


def _holders(document: Document | None) -> dict[str, str]:
    holders = None if document is None else document.value.get("holders")
    return {str(edge): str(wish) for edge, wish in holders.items()} if isinstance(holders, dict) else {}


def _asked(document: Document | None) -> dict[str, _Wait]:
    """Which edges wait for an answer."""
    asked, calls = (None if document is None else document.value.get(name) for name in ("asked", "calls"))
    if not isinstance(asked, dict):
        return {}
    numbers = calls if isinstance(calls, dict) else {}
    return {str(edge): _Wait(moment(str(at)), _number(numbers.get(edge))) for edge, at in asked.items()}


def _answers(report: Mapping[str, Json], age: float, wait: _Wait, called: int, now: float) -> bool:
    """Whether *report*, which is *age* seconds old, was made during *wait*; *called* is the latest call there was.

    Numbers decide where there are any; a higher one than *called* is of another store, before its content was moved.
    """
    number = _number(report.get("called"))
    if number is None or wait.call is None:
        return age <= now - wait.since + _RECENT_SECONDS
    return wait.call < number <= called


def _number(value: Json) -> int | None:
    return value if isinstance(value, int) else None


def _health(report: Mapping[str, Json], prefix: str) -> Mapping[str, Json] | None:
    health = report.get("health")
    found = (one for one in (health if isinstance(health, list) else []) if isinstance(one, dict))
    return next((one for one in found if one.get("prefix") == prefix), None)


def _serves(report: Mapping[str, Json], prefix: str) -> bool:
    """Whether *prefix* is one of the edge's at all."""
    return _health(report, prefix) is not None or _announced(report, prefix)


def _announces(report: Mapping[str, Json], prefix: str) -> bool:
    one = _health(report, prefix)
    return _announced(report, prefix) and (one is None or one.get("mode") in (None, "announced"))


def _fails(report: Mapping[str, Json], prefix: str) -> bool:
    """Whether its latest checks speak against *prefix*, be it announced yet or for want of a better site."""
    one = _health(report, prefix)
    return one is not None and one.get("condition") == "failed"


def _announced(report: Mapping[str, Json], prefix: str) -> bool:
    announced = report.get("announced")
    return isinstance(announced, list) and prefix in announced


def _problems(prefixes: Iterable[str]) -> Iterable[tuple[int, str]]:
    for at, prefix in enumerate(prefixes):
        try:
            if str(ip_network(prefix)) != prefix:
                yield at, f"{prefix!r} is written {ip_network(prefix)}"
        except ValueError as error:
            yield at, str(error)
