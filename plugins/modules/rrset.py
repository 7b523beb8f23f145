#!/usr/bin/python
# Copyright (c) 2026 the arca.dns contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manage one RRset. The desired state is computed in module_utils/ansible/desired.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: rrset
short_description: Manage one RRset of a DNS zone
version_added: 0.1.0
description:
  - Makes an RRset, which is all records of one name and type, have exactly the given values, or makes it go away.
  - The rest of the zone is left alone.
  - The change is signed, verified and published to the edges by the controller before the module returns.
author:
  - the arca.dns contributors (@arca-dns)
extends_documentation_fragment:
  - arca.dns.controller
  - arca.dns.controller.actiongroup
  - arca.dns.controller.write
options:
  zone:
    description: Name of the zone.
    type: str
    required: true
  name:
    description: Owner name, relative to the zone unless it ends with a dot. V(@) is the zone itself.
    type: str
    default: '@'
  type:
    description: Record type, such as V(AAAA), or V(TYPE65280) for one without a name.
    type: str
    required: true
  state:
    description:
      - With V(present), the RRset has exactly O(values). The zone must exist.
      - With V(absent), the RRset does not exist.
    type: str
    choices:
      - present
      - absent
    default: present
  values:
    description:
      - The data of the records in zone-file form. Needed with O(state=present).
      - Strings of TXT records stand in double quotes, each at most 255 octets long.
    type: list
    elements: str
    aliases:
      - value
  ttl:
    description: TTL in seconds. The default is the TTL that the RRset has, or V(3600).
    type: int
seealso:
  - module: arca.dns.zone
"""

EXAMPLES = r"""
- name: Two addresses
  arca.dns.rrset:
    controller_url: https://dns1.example.net:8053
    api_key: "{{ dns_api_key }}"
    zone: example.com
    name: www
    type: A
    ttl: 300
    values:
      - 192.0.2.1
      - 192.0.2.2

- name: A TXT record at the apex
  arca.dns.rrset:
    controller_url: https://dns1.example.net:8053
    api_key: "{{ dns_api_key }}"
    zone: example.com
    type: TXT
    values:
      - '"v=spf1 mx -all"'
    reason: mail goes out by our own servers only

- name: No such RRset any more, in a store without a controller
  arca.dns.rrset:
    backend: sqlite
    backend_path: /var/lib/arca-dns/zones.db
    zone: example.com
    name: ftp
    type: CNAME
    state: absent
"""

RETURN = r"""
version:
  description: The zone's version after this task. None in check mode for a new version.
  returned: success
  type: str
  sample: v01JD3M8Y6Q4T0W9ZK2X7C5B1RN
serial:
  description: The serial of that version; in check mode the one that it would probably have.
  returned: success
  type: int
  sample: 1763856000
plan:
  description: What was, or in check mode would be, done to the zone.
  returned: success
  type: dict
  contains:
    adds:
      description: RRsets that are added, each with C(name), C(type), C(ttl) and C(values).
      type: list
      elements: dict
      sample: [{"name": "www.example.com.", "type": "A", "ttl": 300, "values": ["192.0.2.1"]}]
    changes:
      description: RRsets that are changed, each with the RRset C(before) and C(after).
      type: list
      elements: dict
    removals:
      description: RRsets that are removed.
      type: list
      elements: dict
    warnings:
      description: What the checks warn of.
      type: list
      elements: str
    refusals:
      description: Why the plan is refused without O(force).
      type: list
      elements: str
published:
  description: Whether the version is published to the edges.
  returned: success
  type: bool
problem:
  description: Why it is not.
  returned: success
  type: str
"""

from ansible_collections.arca.dns.plugins.module_utils.ansible.connection import make_module
from ansible_collections.arca.dns.plugins.module_utils.ansible.rrsets import OPTIONS, manage_rrset


def main():
    """Read the options and bring the RRset into the wanted state."""
    manage_rrset(make_module(OPTIONS, required_if=[("state", "present", ("values",))]))


if __name__ == "__main__":
    main()
