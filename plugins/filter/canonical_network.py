# Copyright (c) 2026 the arca.dns contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter ``canonical_network``: a network as everybody writes it."""

from __future__ import annotations

DOCUMENTATION = r"""
name: canonical_network
short_description: A network as everybody writes it
version_added: 0.1.0
description:
  - Returns a network in its canonical form (RFC 5952 for IPv6), an address as the network of itself.
  - A network with host bits set is an error, for it is rarely what was meant.
author:
  - the arca.dns contributors (@arca-dns)
options:
  _input:
    description: A network or an address, as V(192.0.2.0/24), V(192.0.2.53) or V(2001:DB8::/48).
    type: str
    required: true
seealso:
  - plugin: arca.dns.not_within
    plugin_type: filter
"""

EXAMPLES = r"""
- name: Compare prefixes whoever wrote them
  ansible.builtin.assert:
    that: "'2001:DB8:53::/48' | arca.dns.canonical_network == '2001:db8:53::/48'"
"""

RETURN = r"""
_value:
  description: The network.
  type: str
  sample: 2001:db8:53::/48
"""

from ipaddress import ip_network

from ansible.errors import AnsibleFilterError


def canonical_network(text):
    """*text* in its canonical form."""
    try:
        return str(ip_network(str(text)))
    except ValueError as error:
        raise AnsibleFilterError(f"arca.dns.canonical_network: {error}") from None


class FilterModule:
    """The filters of this file."""

    def filters(self):
        """By name."""
        return {"canonical_network": canonical_network}
