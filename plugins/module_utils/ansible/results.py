# Copyright (c) 2026 the arca.dns contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""From values to what Ansible prints: results, diffs, warnings, failures."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from ansible.module_utils.basic import AnsibleModule

from ..arca_dns.client.base import Client, Outcome, RecordSet, ZoneState
from ..arca_dns.errors import ArcaError
from .connection import connect
from .desired import Result


def run(module: AnsibleModule, work: Callable[[Client], dict[str, Any]], *, read_only: bool = False) -> None:
    """Do *work* with the client that the module's options describe, and end the module with what it returns."""
    try:
        client = connect(module.params, read_only=read_only or module.check_mode)
        try:
            result = work(client)
        finally:
            client.close()
    except ArcaError as error:
        module.fail_json(**failure(error))
    module.exit_json(**result)


def failure(error: ArcaError) -> dict[str, Any]:
    """The arguments of ``fail_json`` for *error*: every place stands on a line of its own."""
    lines = [error.message + (":" if error.places else ""), *(f"  {place}" for place in error.places)]
    places = [
        {"message": place.message, "line": place.line, "column": place.column, "pointer": place.pointer}
        for place in error.places
    ]
    return {"msg": "\n".join(lines), "code": error.code, "places": places}


def written(module: AnsibleModule, result: Result, subject: str) -> dict[str, Any]:
    """The result of a write; what the user should hear becomes warnings."""
    outcome = result.outcome
    for note in (*result.notes, *outcome.plan.warnings):
        module.warn(f"{subject}: {note}")
    if module.check_mode:
        for refusal in outcome.plan.refusals:
            module.warn(f"{subject}: this will be refused without force: {refusal}")
    if outcome.applied and not outcome.published:
        module.warn(f"{subject}: the new version is stored but not served yet: {outcome.problem}")
    value: dict[str, Any] = {
        "changed": outcome.changed,
        "version": outcome.version,
        "serial": outcome.serial,
        "plan": plan(outcome),
        "published": outcome.published,
        "problem": outcome.problem,
    }
    if module._diff:
        value["diff"] = diff(result, subject)
    return value


def plan(outcome: Outcome) -> dict[str, Any]:
    """The plan as lists of RRsets that are added, changed and removed."""
    adds, changes, removals = [], [], []
    for one in outcome.plan.differences:
        if one.before is None and one.after is not None:
            adds.append(record_set(one.after))
        elif one.after is None and one.before is not None:
            removals.append(record_set(one.before))
        elif one.before is not None and one.after is not None:
            changes.append({"before": record_set(one.before), "after": record_set(one.after)})
    return {
        "adds": adds,
        "changes": changes,
        "removals": removals,
        "warnings": list(outcome.plan.warnings),
        "refusals": list(outcome.plan.refusals),
    }


def diff(result: Result, subject: str) -> dict[str, str]:
    """What changes, as zone-file lines before and after."""
    before, after = [], []
    old, new = result.settings_before or {}, result.settings_after or {}
    for key in sorted({*old, *new}):
        if key in new and old.get(key) != new[key]:
            if key in old:
                before.append(f"; {key}: {json.dumps(old[key], sort_keys=True)}")
            after.append(f"; {key}: {json.dumps(new[key], sort_keys=True)}")
    for one in result.outcome.plan.differences:
        if one.before is not None:
            before += one.before.lines()
        if one.after is not None:
            after += one.after.lines()
    return {
        "before_header": subject,
        "after_header": subject,
        "before": "".join(f"{line}\n" for line in before),
        "after": "".join(f"{line}\n" for line in after),
    }


def record_set(one: RecordSet) -> dict[str, Any]:
    """An RRset for a result."""
    return {"name": one.name, "type": one.type, "ttl": one.ttl, "values": list(one.values)}


def zone_state(state: ZoneState) -> dict[str, Any]:
    """A zone's state for a result."""
    settings: Mapping[str, Any] = state.settings
    return {
        "name": state.name,
        "version": state.version,
        "serial": state.serial,
        "record_count": state.records,
        "published": state.published_version is not None,
        "published_version": state.published_version,
        "published_serial": state.published_serial,
        "problem": state.problem,
        "settings": dict(settings),
        "created": state.created,
        "modified": state.modified,
    }
