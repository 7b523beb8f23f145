# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""When signatures begin and end: a pure function of policy, epoch and owner, so that every signing agrees.

Each owner has its own offset within the policy's period, from a hash of its name: re-signing is spread evenly, and at
any moment an owner has exactly one current window.
"""

from __future__ import annotations

import hashlib

from .policy import Policy


def epoch_of(policy: Policy, now: int) -> int:
    """*now* (unix seconds) rounded down to the policy's quantum: the only clock that signing sees."""
    return now - now % policy.quantum


def window(policy: Policy, epoch: int, owner: bytes) -> tuple[int, int]:
    """(inception, expiration) in unix seconds of every RRSIG that *owner* has at *epoch*.

    A window opens at most one period ago and is replaced when *refresh* seconds of it are left.
    """
    period, quantum = policy.period, policy.quantum
    spread = int.from_bytes(hashlib.blake2b(owner, digest_size=8, person=b"arca.dns window").digest(), "big")
    offset = spread % (period // quantum) * quantum
    start = epoch - (epoch - offset) % period
    return start - policy.inception_offset, start + policy.validity


def due_until(policy: Policy, epoch: int) -> int:
    """RRSIGs that expire at this time or earlier are not those of a current window: they are due."""
    return epoch + policy.refresh
