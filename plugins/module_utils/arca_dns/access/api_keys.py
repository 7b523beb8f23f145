# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""API keys that the store holds: made, listed, rotated, revoked.

A key is ``arca_ID_SECRET``: the id finds its document, the secret is 256 random bits of which only the SHA-256 is kept.
A hash that takes long would add nothing: there is no guessing such a secret.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import secrets
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, replace
from typing import cast

from ..documents import API_KEY, API_KEY_USED, decode, moment, utc
from ..errors import Conflict, InputError, NotFound, Place
from ..journal import entry_document
from ..store.base import ABSENT, JsonObject, Store, Transaction
from ..store.common import everything
from .roles import ROLES
from .scope import Scope

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._@-]{0,63}")
_TOKEN = re.compile(r"arca_([0-9a-z]{12})_([A-Za-z0-9_-]{43})")
#: Seconds between two notes that a key was used.
USED_EVERY = 3600.0


@dataclass(frozen=True, slots=True)
class ApiKey:
    """A key without its secret; times are ISO 8601 in UTC. A rotation leaves *former*, a hash, valid until *until*."""

    id: str
    name: str
    role: str
    sha256: str
    limits: Mapping[str, list[str]]
    created: str
    created_by: str
    expires: str | None = None
    former: str | None = None
    until: str | None = None

    def to_json(self) -> JsonObject:
        """What people may see: no hash."""
        value = cast(JsonObject, asdict(self))
        del value["sha256"], value["former"]
        return value

    def scope(self) -> Scope:
        """What the key is limited to; the role ``acme`` to TXT records at ``_acme-challenge`` at most."""
        return scope_of(self.role, self.limits)

    def valid(self, digest: str, now: float) -> bool:
        """Whether the secret with this SHA-256 is the key's at *now*, in unix seconds."""
        known = hmac.compare_digest(self.sha256, digest)
        if self.former is not None and self.until is not None:
            known |= hmac.compare_digest(self.former, digest) and now < moment(self.until)
        return known and (self.expires is None or now < moment(self.expires))


#: No secret has this hash.
_NOBODY = ApiKey("", "", "viewer", "", {}, "", "")


class ApiKeys:
    """The keys of a store. Safe to call from any thread."""

    def __init__(self, store: Store, clock: Callable[[], float]) -> None:
        self._store = store
        self._clock = clock

    def create(
        self,
        name: str,
        role: str,
        *,
        actor: str,
        limits: Mapping[str, list[str]] | None = None,
        expires: str | None = None,
    ) -> tuple[ApiKey, str]:
        """A new key, and the text that its holder sends: it is not to be had again. Raises :class:`InputError`."""
        now = self._clock()
        bounds = dict(limits or {})
        _validate(name, role, bounds, expires, now)
        identity = "".join(secrets.choice("0123456789abcdefghijklmnopqrstuvwxyz") for _character in range(12))
        secret = secrets.token_urlsafe(32)
        key = ApiKey(identity, name, role, _digest(secret), bounds, utc(now), actor, expires)
        self._commit("key.created", actor, key, ABSENT)
        return key, f"arca_{identity}_{secret}"

    def all(self) -> list[tuple[ApiKey, str | None]]:
        """Every key with the time of its last use, by name."""
        used = {d.key.removeprefix(API_KEY_USED): str(d.value["at"]) for d in everything(self._store, API_KEY_USED)}
        found = [decode(ApiKey, document) for document in everything(self._store, API_KEY)]
        return sorted(((key, used.get(key.id)) for key in found), key=lambda item: (item[0].name, item[0].id))

    def get(self, identity: str) -> ApiKey:
        """One key. Raises :class:`NotFound`."""
        return self._load(identity)[0]

    def used(self, identity: str) -> str | None:
        """When the key was last used, to within :data:`USED_EVERY`; ``None`` if it never was."""
        document = self._store.get(API_KEY_USED + identity)
        return None if document is None else str(document.value["at"])

    def rotate(self, identity: str, *, actor: str, grace: float = 0.0) -> tuple[ApiKey, str]:
        """Give the key a new secret; the old one is valid for *grace* seconds more. Raises :class:`NotFound`."""
        if not 0 <= grace <= 30 * 86400:
            raise InputError("the grace is wrong", [Place("must be from 0 to 2592000 seconds", pointer="/grace")])
        key, revision = self._load(identity)
        secret = secrets.token_urlsafe(32)
        now = self._clock()
        former, until = (key.sha256, utc(now + grace)) if grace else (None, None)
        new = replace(key, sha256=_digest(secret), former=former, until=until)
        self._commit("key.rotated", actor, new, revision)
        return new, f"arca_{identity}_{secret}"

    def revoke(self, identity: str, *, actor: str) -> ApiKey:
        """Forget the key: from now on it is not known. Raises :class:`NotFound`."""
        while True:
            key, revision = self._load(identity)
            try:
                writes = dict([self._entry("key.revoked", actor, key)])
                gone = [_key(identity), API_KEY_USED + identity]
                self._store.commit(Transaction({_key(identity): revision}, writes, gone))
            except Conflict:
                continue
            return key

    def find(self, presented: str) -> ApiKey | None:
        """The key that *presented* is, or ``None`` for one that is unknown, wrong or expired."""
        match = _TOKEN.fullmatch(presented)
        if match is None:
            return None
        document = self._store.get(_key(match[1]))
        # An unknown id takes the way of a wrong secret.
        key = _NOBODY if document is None else decode(ApiKey, document)
        return key if key.valid(_digest(match[2]), self._clock()) else None

    def note_use(self, identity: str) -> None:
        """Remember that the key was used; to be called every :data:`USED_EVERY` seconds at most."""
        held = self._store.get(_key(identity))
        if held is not None:
            writes: dict[str, JsonObject] = {API_KEY_USED + identity: {"at": utc(self._clock())}}
            self._store.commit(Transaction({held.key: held.revision}, writes))

    def _commit(self, kind: str, actor: str, key: ApiKey, expected: int) -> None:
        """Write *key*, and into the journal that this was done."""
        writes = dict([(_key(key.id), _document(key)), self._entry(kind, actor, key)])
        self._store.commit(Transaction({_key(key.id): expected}, writes))

    def _entry(self, kind: str, actor: str, key: ApiKey) -> tuple[str, JsonObject]:
        summary = {"name": key.name, "role": key.role, "limits": dict(key.limits), "expires": key.expires}
        return entry_document(self._clock(), kind, actor, subject=key.id, summary=summary)

    def _load(self, identity: str) -> tuple[ApiKey, int]:
        document = self._store.get(_key(identity))
        if document is None:
            raise NotFound(f"there is no API key {identity!r}")
        return decode(ApiKey, document), document.revision


def _key(identity: str) -> str:
    return API_KEY + identity


def _digest(secret: str) -> str:
    return hashlib.sha256(secret.encode("ascii")).hexdigest()


def _document(key: ApiKey) -> JsonObject:
    return cast(JsonObject, asdict(key))


def scope_of(role: str, limits: Mapping[str, list[str]]) -> Scope:
    """What a key of *role* is limited to with *limits*. Raises :class:`InputError`."""
    if role == "acme":
        limits = {"names": ["_acme-challenge.*"], **limits, "types": ["TXT"]}
    return Scope.read(limits)


def _validate(name: str, role: str, limits: Mapping[str, list[str]], expires: str | None, now: float) -> None:
    places: list[Place] = []
    if not _NAME.fullmatch(name):
        places.append(Place("must be letters, digits and ._@-, at most 64", pointer="/name"))
    if role not in ROLES:
        places.append(Place(f"must be one of {', '.join(ROLES)}", pointer="/role"))
    try:
        if expires is not None and moment(expires) <= now:
            places.append(Place("must be in the future", pointer="/expires"))
    except ValueError:
        places.append(Place("must be a time such as 2027-01-31T00:00:00Z", pointer="/expires"))
    if role == "acme":
        for index, text in enumerate(limits.get("names", ())):
            if text.lower().split(".")[0] != "_acme-challenge":
                places.append(
                    Place("must begin with _acme-challenge for a key of role acme", pointer=f"/limits/names/{index}")
                )
    try:
        scope_of(role, limits)
    except InputError as error:
        places += [Place(place.message, pointer=f"/limits{place.pointer}") for place in error.places]
    if places:
        raise InputError("the API key is wrong", places)
