# Copyright (c) 2026 the arca.dns contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Which networks lie inside others, and what is no network."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.arca.dns.plugins.filter.not_within import FilterModule

not_within = FilterModule().filters()["not_within"]


@pytest.mark.parametrize(
    ("prefixes", "networks", "found"),
    [
        (["192.0.2.53/32", "192.0.2.0/24"], ["192.0.2.0/24"], []),
        (["192.0.2.53"], ["192.0.2.0/24"], []),
        (["192.0.0.0/16", "192.0.3.0/24"], ["192.0.2.0/24"], ["192.0.0.0/16", "192.0.3.0/24"]),
        (["0.0.0.0/0", "::/0"], ["192.0.2.0/24", "2001:db8::/32"], ["0.0.0.0/0", "::/0"]),
        (["2001:db8:53::/48"], ["0.0.0.0/0"], ["2001:db8:53::/48"]),
        (["2001:db8:53::53"], ["192.0.2.0/24", "2001:db8:53::/48"], []),
        (["192.0.2.0/24"], [], ["192.0.2.0/24"]),
        ([], ["192.0.2.0/24"], []),
    ],
)
def test_those_that_lie_inside_none(prefixes, networks, found):
    assert not_within(prefixes, networks) == found


@pytest.mark.parametrize(
    ("prefixes", "networks", "said"),
    [
        (["192.0.2.1/24"], ["192.0.2.0/24"], "192.0.2.1/24 has host bits set"),
        (["example.org"], ["192.0.2.0/24"], "'example.org' does not appear to be"),
        (["192.0.2.0/24"], ["192.0.2.0/33"], "'192.0.2.0/33' does not appear to be"),
        ("192.0.2.0/24", ["192.0.2.0/24"], "no list"),
    ],
)
def test_what_is_no_network_is_said(prefixes, networks, said):
    with pytest.raises(AnsibleFilterError, match=said):
        not_within(prefixes, networks)
