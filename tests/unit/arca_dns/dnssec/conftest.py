# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Every way to sign, and keys for each."""

from __future__ import annotations

import pytest

from arca_dns.dnssec.keys import KeyPair, generate_keys
from arca_dns.dnssec.policy import Policy
from dnssec_zones import DENIALS, NOW, ORIGIN, fixed_random


@pytest.fixture(params=DENIALS)
def policy(request: pytest.FixtureRequest) -> Policy:
    return DENIALS[request.param]


@pytest.fixture
def keys(policy: Policy) -> tuple[KeyPair, ...]:
    return generate_keys(policy, ORIGIN, (), fixed_random(1), lambda: NOW)
