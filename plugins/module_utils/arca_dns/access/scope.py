# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What a key is limited to: zones, names in them, record types.

A limit that is empty limits nothing. Patterns are names, compared label by label in wire form, so case, escapes, IDNA
spellings and the final dot make no difference:

- zones: ``example.com`` is that zone, ``*.example.com`` every zone below it, ``*`` every zone;
- names: ``www`` is relative to whatever zone is written to, ``@`` its apex, ``www.example.com.`` absolute;
  ``*.dyn`` is everything below ``dyn``; ``_acme-challenge.*`` is that label at the front of any name, or alone;
- types: ``A``, ``TXT``, ``TYPE65280``.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from ..errors import AccessDenied, ArcaError, InputError, Place
from ..zone import names, rr
from ..zone.changes import RRsetDiff
from ..zone.rdata import type_from_text

_LIMITS = ("zones", "names", "types")
_ANY = b"*"


@dataclass(frozen=True, slots=True)
class _Pattern:
    labels: tuple[bytes, ...]
    absolute: bool
    below: bool  # one label or more in front
    onward: bool  # any labels, or none, behind

    def matches(self, name: Sequence[bytes]) -> bool:
        count = len(self.labels)
        if self.onward:
            return tuple(name[:count]) == self.labels
        if self.below:
            return len(name) > count and tuple(name[len(name) - count :]) == self.labels
        return tuple(name) == self.labels


@dataclass(frozen=True, slots=True)
class Scope:
    """The limits of a key; made by :meth:`read`."""

    zones: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    types: tuple[str, ...] = ()
    _zones: tuple[_Pattern, ...] = ()
    _names: tuple[_Pattern, ...] = ()
    _types: frozenset[int] = frozenset()

    @classmethod
    def read(cls, value: Mapping[str, object]) -> Scope:
        """The scope of ``zones``, ``names`` and ``types``: lists of texts. Raises :class:`InputError` with places."""
        places: list[Place] = []
        texts: dict[str, tuple[str, ...]] = dict.fromkeys(_LIMITS, ())
        for key, given in value.items():
            if key not in texts:
                places.append(Place(f"there is no such limit; there are {', '.join(_LIMITS)}", pointer=f"/{key}"))
            elif not isinstance(given, list | tuple) or not all(isinstance(item, str) for item in given):
                places.append(Place("must be a list of texts", pointer=f"/{key}"))
            else:
                texts[key] = tuple(given)
        zones = _patterns(texts["zones"], "zones", places)
        owners = _patterns(texts["names"], "names", places)
        types: set[int] = set()
        for index, text in enumerate(texts["types"]):
            try:
                types.add(type_from_text(text))
            except ArcaError as error:
                places.append(Place(error.message, pointer=f"/types/{index}"))
        if places:
            raise InputError("the limits of the key are wrong", places)
        return cls(texts["zones"], texts["names"], texts["types"], zones, owners, frozenset(types))

    def to_json(self) -> dict[str, list[str]]:
        """What :meth:`read` reads; limits that are empty are left out."""
        return {key: list(given) for key in _LIMITS if (given := getattr(self, key))}

    def has_zone(self, zone: bytes) -> bool:
        """Whether the key may touch *zone* at all."""
        return not self._zones or _any(self._zones, names.labels(zone))

    @property
    def limited(self) -> bool:
        """Whether the key is limited in any way."""
        return bool(self._zones) or self.narrow

    @property
    def narrow(self) -> bool:
        """Whether names or types are limited, so that zones cannot be written as a whole."""
        return bool(self._names or self._types)

    def has(self, zone: bytes, owner: bytes, rdtype: int) -> bool:
        """Whether the key may write the RRset of *rdtype* at *owner* in *zone*."""
        if not self.has_zone(zone) or (self._types and rdtype not in self._types):
            return False
        if not self._names:
            return True
        absolute = names.labels(owner)
        relative = absolute[: len(absolute) - names.label_count(zone)]
        return any(pattern.matches(absolute if pattern.absolute else relative) for pattern in self._names)

    def check(self, zone: bytes, diffs: Iterable[RRsetDiff]) -> None:
        """Raise :class:`AccessDenied` for a write to *zone* of which some RRset is beyond the limits."""
        if not self.has_zone(zone):
            raise AccessDenied(f"this key may not touch the zone {names.to_text(zone)}")
        if not self.narrow:
            return
        beyond = [diff for diff in diffs if not self.has(zone, diff.owner, diff.rdtype)]
        if beyond:
            some = ", ".join(f"{names.to_text(diff.owner)} {rr.type_text(diff.rdtype)}" for diff in beyond[:3])
            more = f" and {len(beyond) - 3} more" if len(beyond) > 3 else ""
            raise AccessDenied(f"this key may not write {some}{more}: it is limited to some names or types")


def _any(patterns: Iterable[_Pattern], labels: Sequence[bytes]) -> bool:
    return any(pattern.matches(labels) for pattern in patterns)


def _patterns(texts: Sequence[str], key: str, places: list[Place]) -> tuple[_Pattern, ...]:
    found = []
    for index, text in enumerate(texts):
        try:
            found.append(_pattern(text, zones=key == "zones"))
        except ArcaError as error:
            places.append(Place(error.message, pointer=f"/{key}/{index}"))
    return tuple(found)


def _pattern(text: str, *, zones: bool) -> _Pattern:
    if text in ("*", "*."):
        return _Pattern((), True, False, True)
    if text == "@" and not zones:
        return _Pattern((), False, False, False)
    absolute = zones or text.endswith(".")
    below = text.startswith("*.")
    onward = not absolute and text.endswith(".*")
    body = text.removeprefix("*.") if below else text
    body = body.removesuffix(".*") if onward else body
    labels = tuple(names.labels(names.from_text(body)))
    if below and onward:
        raise InputError(f"{text!r} has a * at both ends: one is enough")
    if _ANY in labels:
        raise InputError(f"{text!r} has a * that is not at its begin or end")
    return _Pattern(labels, absolute, below, onward)
