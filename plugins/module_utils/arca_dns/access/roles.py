# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Roles of API keys, and what each may do."""

from __future__ import annotations

from collections.abc import Mapping
from enum import Enum


class Action(Enum):
    """What callers do, as far as roles tell them apart."""

    READ = "read"
    CHANGE = "change"  # single RRsets of a zone that exists
    WRITE = "write"  # zones as a whole: create, replace, delete, roll back
    FOLLOW = "follow"  # heads and blobs: what an edge needs
    ATTEST = "attest"
    PROMOTE = "promote"  # rings, and forgetting edges that are gone
    MANAGE = "manage"  # API keys and the audit log


#: The actions of each role.
ROLES: Mapping[str, frozenset[Action]] = {
    "admin": frozenset(Action),
    "editor": frozenset({Action.READ, Action.CHANGE, Action.WRITE, Action.FOLLOW, Action.PROMOTE}),
    "viewer": frozenset({Action.READ, Action.FOLLOW}),
    "agent": frozenset({Action.FOLLOW, Action.ATTEST}),
    "acme": frozenset({Action.CHANGE}),
}
