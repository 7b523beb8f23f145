# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The JSON form of a key whose private part is sealed: what key files hold, and documents in the backend."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping

from ..errors import ArcaError, KeyUnavailable
from ..zone import names
from .envelope import Envelope, MasterKey
from .keys import ROLES, KeyPair, KeyRecord, key_tag


def sealed_json(pair: KeyPair, master: MasterKey) -> dict[str, object]:
    """The record of *pair*, and its private part sealed under *master*."""
    record = pair.record
    return {
        "zone": names.to_text(record.zone),
        "tag": record.tag,
        "algorithm": record.algorithm,
        "role": record.role,
        "dnskey": base64.b64encode(record.dnskey_rdata).decode("ascii"),
        "created": record.created,
        "private": master.seal(pair).to_json(),
    }


def read_sealed(value: object, where: str) -> tuple[KeyRecord, Envelope]:
    """Read what :func:`sealed_json` made. Raises :class:`KeyUnavailable`, which names *where* it stood."""
    try:
        if not isinstance(value, Mapping):
            raise TypeError("it is no object")
        record = KeyRecord(
            names.from_text(value["zone"], None),
            int(value["tag"]),
            int(value["algorithm"]),
            str(value["role"]),
            base64.b64decode(value["dnskey"], validate=True),
            int(value["created"]),
        )
        if record.role not in ROLES:
            raise ValueError(f"{record.role!r} is no role")
        if len(record.dnskey_rdata) < 5 or record.dnskey_rdata[3] != record.algorithm:
            raise ValueError("its DNSKEY is of another algorithm")
        if key_tag(record.dnskey_rdata) != record.tag:
            raise ValueError("its DNSKEY has another tag")
        return record, Envelope.from_json(value["private"])
    except (ArcaError, KeyError, TypeError, ValueError, binascii.Error) as error:
        raise KeyUnavailable(f"{where} is damaged: {error}") from None
