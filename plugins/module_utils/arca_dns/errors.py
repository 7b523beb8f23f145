# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Every error the controller library raises, in one tree.

Each class says what a caller can do about it; a front end maps classes to its own
language (HTTP status, ``fail_json``, exit code) and never inspects messages.

::

    ArcaError
    ├── InputError               what the caller sent is wrong (places say where)
    │   ├── LimitExceeded        more than the controller is set to hold
    │   ├── BadName              a domain name that is none
    │   ├── ZoneTextError        a zone file or record value that does not parse
    │   ├── ChecksFailed         a zone that breaks the rules of DNS or of its settings
    │   └── ConfigError          a configuration file with unknown keys or bad values
    ├── PlanRefused              the plan is dangerous and was not forced
    ├── NotFound                 no such zone, version, RRset, key, head
    ├── CursorLost               no going on from that event; read anew
    ├── AlreadyExists            create of what exists
    ├── StaleVersion             the caller's version is not the current one
    ├── StoreError
    │   ├── Conflict             a transaction's precondition failed; compute again
    │   ├── LeaseLost            another controller does the scheduled work now
    │   └── StoreUnavailable     the backend does not answer
    ├── IntegrityError           bytes are not what their hash or signature says
    │   ├── MissingBlob
    │   ├── CorruptBlob
    │   └── HeadRejected         a head that is forged, expired, or goes back
    ├── VerificationFailed       a signed zone that does not validate; never published
    ├── KeyUnavailable           a private key or the master key cannot be had
    ├── AccessDenied             no key, an unknown key, or a role that may not
    └── MissingDependency        a Python package that this call needs is not installed
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Place:
    """Where a problem is: a line (1-based) of a text, or a pointer into a document such as ``/records/3/value``."""

    message: str
    line: int | None = None
    column: int | None = None
    pointer: str | None = None

    def __str__(self) -> str:
        if self.line is not None:
            at = f"line {self.line}" if self.column is None else f"line {self.line}, column {self.column}"
            return f"{at}: {self.message}"
        if self.pointer is not None:
            return f"{self.pointer}: {self.message}"
        return self.message


class ArcaError(Exception):
    """Base of all; ``places`` lists each single problem where there are several."""

    code = "error"

    def __init__(self, message: str, places: Sequence[Place] = ()) -> None:
        super().__init__(message)
        self.message = message
        self.places = tuple(places)

    def __str__(self) -> str:
        if not self.places:
            return self.message
        return self.message + ": " + "; ".join(str(place) for place in self.places)


class InputError(ArcaError):
    """What the caller sent is wrong; ``places`` says where."""

    code = "invalid-input"


class LimitExceeded(InputError):
    """More zones, records or values than the controller is set to hold."""

    code = "limit-exceeded"


class BadName(InputError):
    """A domain name that is none (RFC 1035 section 2.3.4, RFC 5890)."""

    code = "bad-name"


class ZoneTextError(InputError):
    """A zone file or a record value that does not parse; every bad line is a place."""

    code = "zone-text"


class ChecksFailed(InputError):
    """A zone that breaks the rules of DNS; every broken rule is a place."""

    code = "checks-failed"


class ConfigError(InputError):
    """A configuration file with unknown keys or bad values; every place names its key."""

    code = "bad-config"


class PlanRefused(ArcaError):
    """The plan would do damage that is rarely meant; repeat with ``force`` if it is."""

    code = "plan-refused"


class NotFound(ArcaError):
    """No such zone, version, RRset, key or head."""

    code = "not-found"


class CursorLost(ArcaError):
    """A position among events from which there is no going on: too old, or of another store."""

    code = "cursor-lost"


class AlreadyExists(ArcaError):
    """Create of what exists already."""

    code = "already-exists"


class StaleVersion(ArcaError):
    """The caller computed from a version that is no longer current; read again and retry."""

    code = "stale-version"

    def __init__(self, message: str, current: str) -> None:
        super().__init__(message)
        self.current = current


class StoreError(ArcaError):
    """The store could not do what was asked."""

    code = "store"


class Conflict(StoreError):
    """A transaction's precondition does not hold any more; nothing was written."""

    code = "conflict"


class LeaseLost(StoreError):
    """The lease under which this was done is not held any more; nothing was written, and its new holder goes on."""

    code = "lease-lost"


class StoreUnavailable(StoreError):
    """The backend does not answer; try again later."""

    code = "store-unavailable"


class IntegrityError(ArcaError):
    """Bytes that are not what their hash or signature says."""

    code = "integrity"


class MissingBlob(IntegrityError):
    """A blob that a tree names is not there."""

    code = "missing-blob"


class CorruptBlob(IntegrityError):
    """A blob whose bytes do not hash to its name or do not parse."""

    code = "corrupt-blob"


class HeadRejected(IntegrityError):
    """A head that is forged, expired, for another ring, or older than the one held."""

    code = "head-rejected"


class VerificationFailed(ArcaError):
    """A signed zone that does not validate; ``places`` names the RRsets. It is never published."""

    code = "verification-failed"


class KeyUnavailable(ArcaError):
    """A private key or the master key is missing or cannot be decrypted."""

    code = "key-unavailable"


class AccessDenied(ArcaError):
    """No key, an unknown key, or a role that may not do this."""

    code = "access-denied"


class MissingDependency(ArcaError):
    """A Python package that this call needs is not installed."""

    code = "missing-dependency"
