# Copyright (c) 2026 the arca.dns contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The filter ``not_within``: which networks do not lie inside others."""

from __future__ import annotations

DOCUMENTATION = r"""
name: not_within
short_description: Which networks do not lie inside others
version_added: 0.1.0
description:
  - Returns those of the given networks and addresses that lie inside none of the others, in their order.
  - A network with host bits set is an error, for it is rarely what was meant.
author:
  - the arca.dns contributors (@arca-dns)
positional: networks
options:
  _input:
    description: Networks or addresses, as V(192.0.2.0/24), V(192.0.2.53) or V(2001:db8::/48).
    type: list
    elements: str
    required: true
  networks:
    description: Networks that they should lie inside of.
    type: list
    elements: str
    required: true
seealso:
  - plugin: arca.dns.ds
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: See that only own prefixes are announced
  ansible.builtin.assert:
    that: prefixes | arca.dns.not_within(['192.0.2.0/24', '2001:db8::/32']) | length == 0
  vars:
    prefixes: [192.0.2.53/32, '2001:db8:53::/48']
"""

RETURN = r"""
_value:
  description: Those that lie inside none.
  type: list
  elements: str
  sample: [198.51.100.0/24]
"""

from ipaddress import ip_network

from ansible.errors import AnsibleFilterError


def _network(text):
    try:
        return ip_network(str(text))
    except ValueError as error:
        raise AnsibleFilterError(f"arca.dns.not_within: {error}") from None


def not_within(prefixes, networks):
    """Those of *prefixes* that lie inside none of *networks*."""
    for value in (prefixes, networks):
        if not isinstance(value, (list, tuple)):
            raise AnsibleFilterError(f"arca.dns.not_within: {value!r} is no list of networks")
    outer = [_network(text) for text in networks]
    return [
        text
        for text in prefixes
        if not any(one.version == _network(text).version and _network(text).subnet_of(one) for one in outer)
    ]


class FilterModule:
    """The filters of this file."""

    def filters(self):
        """By name."""
        return {"not_within": not_within}
