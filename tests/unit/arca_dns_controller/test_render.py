# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""A zone as JSON is JSON, whatever its names and texts hold."""

from __future__ import annotations

import json

from hypothesis import given, strategies as st

from arca_dns.zone import names, rdata, rr
from arca_dns.zone.text import relative
from arca_dns_controller import render

ZONE = names.from_text("example.com.")


@given(
    st.binary(min_size=1, max_size=63),
    st.lists(st.binary(max_size=255), min_size=1, max_size=4),
    st.integers(0, 2**31 - 1),
)
def test_records_are_what_they_were(label: bytes, texts: list[bytes], ttl: int) -> None:
    owner = bytes((len(label),)) + label.lower() + ZONE
    rrset = rr.RRset.of(owner, rr.TXT, ttl, [bytes((len(text),)) + text for text in texts])
    (body,) = render.document({"name": "example.com."}, ZONE, [rrset])
    assert json.loads(body) == {
        "name": "example.com.",
        "records": [
            {"name": relative(owner, ZONE), "type": "TXT", "ttl": ttl, "value": rdata.to_text(rr.TXT, data)}
            for data in rrset.rdatas
        ],
    }
