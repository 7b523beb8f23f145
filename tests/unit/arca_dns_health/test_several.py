# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""A round of several services is one of each."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from ipaddress import ip_address, ip_network

from arca_dns_health.probe import Plan, Prober
from arca_dns_health.served import Served
from arca_dns_health.several import Several

V4, V6 = ip_network("203.0.113.53/32"), ip_network("2001:db8:53::53/128")
PLAN = Plan({V4: (ip_address("203.0.113.53"),)})


def test_each_prefix_has_the_verdict_of_its_own_service() -> None:
    plans = (PLAN, replace(PLAN, services={V6: (ip_address("2001:db8:53::53"),)}))
    served = ((Served(), "one"), (Served(), "two"))
    probers = [
        Prober(plan, lambda said=said: said, lambda: 0.0, lambda: 0.0) for plan, said in zip(plans, served, strict=True)
    ]  # type: ignore[misc]
    rounds, checks = asyncio.run(Several(probers).round(frozenset()))
    assert (rounds[V4].hard, rounds[V6].hard, checks) == (("one",), ("two",), ())
