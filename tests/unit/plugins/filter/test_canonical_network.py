# Copyright (c) 2026 the arca.dns contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Networks as everybody writes them, and what is no network."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleFilterError
from ansible_collections.arca.dns.plugins.filter.canonical_network import FilterModule

canonical_network = FilterModule().filters()["canonical_network"]


@pytest.mark.parametrize(
    ("given", "found"),
    [
        ("192.0.2.0/24", "192.0.2.0/24"),
        ("192.0.2.53", "192.0.2.53/32"),
        ("2001:DB8:53::/48", "2001:db8:53::/48"),
        ("2001:db8:53:0:0:0:0:53/128", "2001:db8:53::53/128"),
    ],
)
def test_a_network_has_one_form(given, found):
    assert canonical_network(given) == found


@pytest.mark.parametrize("given", ["192.0.2.1/24", "example.org", "", None])
def test_what_is_no_network_is_said(given):
    with pytest.raises(AnsibleFilterError, match=r"arca\.dns\.canonical_network"):
        canonical_network(given)
