#!/usr/bin/python
# Copyright (c) 2026 the arca.dns contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Read zones. What is read is in module_utils/ansible/info.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: zone_info
short_description: Read DNS zones
version_added: 0.1.0
description:
  - Returns the versions, serials and DS records of zones, and their records when asked to.
author:
  - the arca.dns contributors (@arca-dns)
extends_documentation_fragment:
  - arca.dns.controller
  - arca.dns.controller.actiongroup
  - arca.dns.controller.read
options:
  name:
    description: Names of the zones to read. The default is all zones.
    type: list
    elements: str
    aliases:
      - names
      - zone
  records:
    description: Whether to read the records too.
    type: bool
    default: false
  digest_types:
    description:
      - Digest types of the DS records to return, V(2) for SHA-256 and V(4) for SHA-384.
      - With an empty list no DS records are read, which saves a request for each zone.
    type: list
    elements: int
    default: [2]
seealso:
  - module: arca.dns.zone
  - plugin: arca.dns.ds
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Read one zone
  arca.dns.zone_info:
    controller_url: https://dns1.example.net:8053
    api_key: "{{ dns_api_key }}"
    name: example.com
    records: true
  register: found

- name: Say which serial the edges get
  ansible.builtin.debug:
    msg: "{{ found.zones[0].published_serial }}"

- name: Read all zones of a store, without a controller
  arca.dns.zone_info:
    backend: sqlite
    backend_path: /var/lib/arca-dns/zones.db
    digest_types: []
"""

RETURN = r"""
zones:
  description: The zones that exist, in the order of O(name), or all in the order of the store.
  returned: success
  type: list
  elements: dict
  contains:
    name:
      description: Name of the zone with the final dot.
      type: str
      sample: example.com.
    version:
      description: The current version. It is what a write must be based on.
      type: str
      sample: v01JD3M8Y6Q4T0W9ZK2X7C5B1RN
    serial:
      description: Its serial.
      type: int
      sample: 1763856000
    record_count:
      description: How many records it has.
      type: int
      sample: 42
    published:
      description: Whether edges serve the zone.
      type: bool
    published_version:
      description: The published version, which is another with every signing.
      type: str
    published_serial:
      description: The serial that edges serve.
      type: int
      sample: 1763856000
    problem:
      description: Why the current version is not published. None if it is.
      type: str
    settings:
      description: The zone's settings.
      type: dict
    created:
      description: When the zone was created.
      type: str
      sample: '2026-11-23T00:00:00Z'
    modified:
      description: When the current version was written.
      type: str
      sample: '2026-11-23T00:00:00Z'
    ds:
      description: DS records for the parent zone. Empty for a zone that is not signed.
      type: list
      elements: str
    records:
      description: The zone's RRsets in canonical order.
      returned: O(records=true)
      type: list
      elements: dict
      contains:
        name:
          description: Owner name with the final dot.
          type: str
        type:
          description: Record type.
          type: str
        ttl:
          description: TTL in seconds.
          type: int
        values:
          description: The data of the records in zone-file form.
          type: list
          elements: str
missing:
  description: The names in O(name) for which there is no zone.
  returned: success
  type: list
  elements: str
"""

from ansible_collections.arca.dns.plugins.module_utils.ansible.connection import make_module
from ansible_collections.arca.dns.plugins.module_utils.ansible.info import OPTIONS, read_zones


def main():
    """Read the options and return the zones."""
    read_zones(make_module(OPTIONS))


if __name__ == "__main__":
    main()
