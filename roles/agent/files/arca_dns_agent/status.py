# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The agent's state as lines for people."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from arca_dns.store.base import JsonObject


def lines(document: JsonObject) -> Iterator[str]:
    """The document that :func:`.report.status` made, as a short text with a table of zones."""
    state: dict[str, Any] = dict(document)
    controller, server = state["controller"], state["server"]
    yield f"edge        {state['edge']}"
    yield f"head        {_or_none(state['head'])} served, {_or_none(state['head_held'])} held" + _expiry(state)
    reach = {True: "answers", False: "does not answer", None: "not asked yet"}[controller["reachable"]]
    yield f"controller  {controller['url']} {reach}, last contact {controller['last_contact'] or 'never'}"
    if controller["problem"]:
        yield f"            {controller['problem']}"
    yield f"server      {server['problem'] or server['version'] or 'not asked yet'}"
    resolver = state.get("resolver")
    if resolver:
        yield f"resolver    {resolver['problem'] or resolver['version'] or 'not asked yet'}"
    yield f"updated     {state['updated']}"
    rows = [("ZONE", "STATE", "WANTED", "SERVED", "")]
    rows += [
        (zone["name"], zone["state"], _or_none(zone["serial"]), _or_none(zone["served"]), zone["reason"] or "")
        for zone in state["zones"]
    ]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    yield ""
    for row in rows:
        cells = [cell.ljust(width) for cell, width in zip(row[:4], widths, strict=True)]
        yield "  ".join([*cells, row[4]]).rstrip()


def _expiry(state: dict[str, Any]) -> str:
    return f", good until {state['head_expires']}" if state["head_expires"] else ""


def _or_none(value: object) -> str:
    return "none" if value is None else str(value)
