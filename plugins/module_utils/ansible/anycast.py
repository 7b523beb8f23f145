# Copyright (c) 2026 the arca.dns contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The module ``anycast``: its options, and how an edge's prefixes come to the wanted state."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..arca_dns.edge_draining import DIRECTORY, HEALTH_FILE, Draining, is_announced, is_drained
from ..arca_dns.edge_files import Drain
from ..arca_dns.errors import ArcaError, PlanRefused
from .results import failure

OPTIONS: dict[str, dict[str, Any]] = {
    "state": {"type": "str", "choices": ["announced", "drained", "withdrawn"], "required": True},
    "prefixes": {"type": "list", "elements": "str", "default": []},
    "reason": {"type": "str", "default": ""},
    "wait": {"type": "bool", "default": True},
    "timeout": {"type": "int", "default": 60},
    "verify": {"type": "list", "elements": "str", "default": []},
    "state_directory": {"type": "path", "default": DIRECTORY},
    "health_file": {"type": "path", "default": HEALTH_FILE},
}


def bring(module: AnsibleModule) -> None:
    """Bring the edge's prefixes to the state that the options name and end the module."""
    params = module.params

    def confirmed(prefix: str) -> bool:
        words = {"{prefix}": prefix, "{state}": "announced" if params["state"] == "announced" else "withdrawn"}
        return module.run_command([words.get(word, word) for word in params["verify"]])[0] == 0

    work = Draining(Path(params["state_directory"]), Path(params["health_file"]))
    try:
        result = brought(
            work,
            params["state"],
            params["prefixes"],
            params["reason"],
            params["timeout"] if params["wait"] else None,
            check_mode=module.check_mode,
        )
        if params["verify"] and params["wait"] and not module.check_mode:
            confirm([one["prefix"] for one in result["prefixes"]], confirmed, params["timeout"])
    except ArcaError as error:
        module.fail_json(**failure(error))
    module.exit_json(**result)


def confirm(
    prefixes: Sequence[str],
    confirmed: Callable[[str], bool],
    timeout: float,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> None:
    """Return when all *prefixes* are *confirmed*. Raises ``PlanRefused`` if it takes over *timeout* seconds."""
    until = monotonic() + timeout
    left = [prefix for prefix in prefixes if not confirmed(prefix)]
    while left:
        if monotonic() >= until:
            raise PlanRefused(f"the command in verify does not confirm {', '.join(left)}; what was done stays")
        sleep(1.0)
        left = [prefix for prefix in left if not confirmed(prefix)]


def brought(
    work: Draining,
    state: str,
    named: Sequence[str],
    reason: str,
    timeout: float | None,
    *,
    check_mode: bool,
) -> dict[str, Any]:
    """Bring the prefixes *named*, or all, to *state*; waits up to *timeout* seconds, or not at all.

    Raises ``ArcaError``: what is wrong, or why a drain is refused, which is taken back then.
    """
    prefixes = work.prefixes(named)
    before = {one["prefix"]: one for one in work.states() if one["prefix"] in prefixes}
    held = work.drained()
    done: Callable[[Mapping[str, Any]], bool]
    if state == "announced":
        changed, done = any(prefix in held for prefix in prefixes), is_announced
    else:
        forced = state == "withdrawn"
        changed = any(prefix not in held or (forced and not held[prefix].forced) for prefix in prefixes)
        done = is_drained
    moves = [prefix for prefix in prefixes if not done(before[prefix])]
    result: dict[str, Any] = {"changed": changed, "diff": _diff(before, prefixes, moves, state)}
    if check_mode:
        return {**result, "prefixes": [_told(before[prefix], held) for prefix in prefixes]}
    if state == "announced":
        work.undrain(prefixes)
        if timeout is not None:
            work.wait_announced(prefixes, timeout)
    else:
        asked = work.drain(prefixes, reason, forced=state == "withdrawn")
        if timeout is not None:
            work.wait_drained(prefixes, timeout, asked)
    held = work.drained()
    after = [_told(one, held) for one in work.states() if one["prefix"] in prefixes]
    return {**result, "prefixes": after}


def _told(state: Mapping[str, Any], drains: Mapping[str, Drain]) -> dict[str, Any]:
    names = ("prefix", "mode", "condition", "since", "refusal")
    drain = drains.get(state["prefix"])
    told = None if drain is None else {"since": drain.since, "reason": drain.reason, "forced": drain.forced}
    return {**{name: state.get(name) for name in names}, "drain": told}


def _diff(
    before: Mapping[str, Mapping[str, Any]], prefixes: Sequence[str], moves: Sequence[str], state: str
) -> dict[str, str]:
    end = "announced" if state == "announced" else "withdrawn"
    return {
        "before": "".join(f"{prefix} {before[prefix]['mode']}\n" for prefix in prefixes),
        "after": "".join(f"{prefix} {end if prefix in moves else before[prefix]['mode']}\n" for prefix in prefixes),
    }
