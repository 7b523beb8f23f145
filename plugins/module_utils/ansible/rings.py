# Copyright (c) 2026 the arca.dns contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module ``ring``: its options, and how a ring comes to the wanted state."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..arca_dns.client.answers import items, mapping
from ..arca_dns.client.base import Client, Promote
from ..arca_dns.errors import NotFound, PlanRefused
from .results import run

OPTIONS: dict[str, dict[str, Any]] = {
    "name": {"type": "str", "required": True, "aliases": ["ring"]},
    "state": {"type": "str", "choices": ["promoted", "aborted"], "default": "promoted"},
    "source": {"type": "str"},
    "revision": {"type": "int"},
    "soak_seconds": {"type": "int", "default": 0},
    "failing_share": {"type": "float", "default": 0.0},
    "rollback": {"type": "bool", "default": False},
    "force": {"type": "bool", "default": False},
    "reason": {"type": "str", "default": ""},
    "wait": {"type": "bool", "default": True},
    "wait_timeout": {"type": "int", "default": 3600},
}
_LOOK_SECONDS = 2.0


def bring(module: AnsibleModule) -> None:
    """Bring the ring that the options name to its state and end the module."""
    params = module.params

    def work(client: Client) -> dict[str, Any]:
        if params["state"] == "aborted":
            return _abort(client, params["name"], params["reason"], check_mode=module.check_mode)
        wanted = Promote(
            params["source"],
            params["revision"],
            params["soak_seconds"],
            params["failing_share"],
            None,
            params["rollback"],
            params["force"],
            params["reason"],
            module.check_mode,
        )
        return promoted(client, params["name"], wanted, params["wait"], params["wait_timeout"])

    run(module, work)


def promoted(
    client: Client,
    ring: str,
    wanted: Promote,
    wait: bool,
    timeout: float,
    *,
    sleep: Callable[[float], None] = time.sleep,
    monotonic: Callable[[], float] = time.monotonic,
) -> dict[str, Any]:
    """Promote *ring*; with *wait*, until it is done. Raises ``PlanRefused`` if it is not in *timeout* seconds."""
    if _waits_already(client, ring, wanted):
        answer: dict[str, Any] = {"changed": False}
        promotion = _promotion(client, ring)
    else:
        answer = dict(client.promote(ring, wanted))
        changed = bool(answer["changed"]) and bool(answer["added"] or answer["modified"] or answer["removed"])
        answer["changed"] = changed
        answer["diff"] = _diff(ring, answer)
        promotion = mapping(answer["promotion"])
    until = monotonic() + timeout
    while wait and not wanted.dry_run and promotion.get("state") == "waiting":
        blocked = "; ".join(map(str, items(promotion.get("blocked"))))
        if monotonic() >= until:
            raise PlanRefused(f"the promotion to ring {ring} still waits after {timeout:g} s: {blocked}")
        sleep(_LOOK_SECONDS)
        promotion = _promotion(client, ring)
        if promotion.get("state") == "aborted":
            raise PlanRefused(f"the promotion to ring {ring} was aborted: {promotion.get('blocked') or 'by somebody'}")
        if promotion.get("state") == "promoted":
            answer["changed"] = True
    return {**answer, "promotion": promotion}


def _waits_already(client: Client, ring: str, wanted: Promote) -> bool:
    """Whether the same promotion was asked for before and waits: it must not soak anew."""
    found = _promotion(client, ring)
    return (
        found.get("state") == "waiting"
        and wanted.revision in (None, found.get("revision"))
        and wanted.soak_seconds == found.get("soak_seconds")
        and wanted.source in (None, found.get("source"))
        and wanted.rollback == found.get("rollback", wanted.rollback)
        and not (wanted.force or wanted.dry_run)
    )


def _promotion(client: Client, ring: str) -> dict[str, Any]:
    state = next((one for one in client.rings() if one.get("ring") == ring), None)
    if state is None:
        raise NotFound(f"there is no ring {ring!r}")
    return dict(mapping(state.get("promotion")))


def _abort(client: Client, ring: str, reason: str, *, check_mode: bool) -> dict[str, Any]:
    before = _promotion(client, ring)
    if before.get("state") in (None, "aborted"):
        return {"changed": False, "promotion": before or None}
    if check_mode:
        return {"changed": True, "promotion": before}
    return {"changed": True, "promotion": client.abort_promotion(ring, reason)}


def _diff(ring: str, answer: dict[str, Any]) -> dict[str, str]:
    zones = mapping(answer.get("zones"))
    lines = [f"{kind} {zone}" for kind in ("added", "changed", "removed") for zone in items(zones.get(kind))]
    after = "".join(f"{line}\n" for line in lines)
    return {"before": "", "after": after, "before_header": f"ring {ring}", "after_header": f"ring {ring}, promoted"}
