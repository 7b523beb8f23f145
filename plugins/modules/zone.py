#!/usr/bin/python
# Copyright (c) 2026 the arca.dns contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Manage a whole zone. The desired state is computed in module_utils/ansible/desired.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: zone
short_description: Manage a whole DNS zone
version_added: 0.1.0
description:
  - Makes a zone have exactly the records that are given, or makes it go away.
  - The zone is signed, verified and published to the edges by the controller before the module returns.
  - The content is compared on the controller, RRset by RRset, so writing a record in another way is no change. Nor is
    the serial in a zone file; one that is newer than the zone's is taken over with the next change.
  - A zone file with mistakes, or content that breaks the rules of DNS, is refused with every mistake and its line.
author:
  - the arca.dns contributors (@arca-dns)
extends_documentation_fragment:
  - arca.dns.controller
  - arca.dns.controller.actiongroup
  - arca.dns.controller.write
options:
  name:
    description: Name of the zone, such as V(example.com) or V(2.0.192.in-addr.arpa).
    type: str
    required: true
    aliases:
      - zone
  state:
    description:
      - With V(present), the zone has exactly the given content. One of O(content), O(src) and O(records) is needed.
      - With V(absent), the zone does not exist.
    type: str
    choices:
      - present
      - absent
    default: present
  content:
    description:
      - The zone as text in zone-file form.
      - Mutually exclusive with O(src).
    type: str
  src:
    description:
      - A zone file on the host that runs the module, in UTF-8.
      - For a file on the Ansible controller, use O(content) with P(ansible.builtin.file#lookup).
    type: path
  records:
    description:
      - The records of the zone. Together with O(content) or O(src) they add to it.
    type: list
    elements: dict
    suboptions:
      name:
        description: Owner name, relative to the zone unless it ends with a dot. V(@) is the zone itself.
        type: str
        default: '@'
      type:
        description: Record type, such as V(AAAA), or V(TYPE65280) for one without a name.
        type: str
        required: true
      ttl:
        description:
          - TTL in seconds, one for all records of the same name and type.
          - The default is that of the other records of this name and type, or V(3600).
        type: int
      value:
        description: The record's data in zone-file form. Exactly one of this and O(records[].values) is needed.
        type: str
      values:
        description: Several records' data.
        type: list
        elements: str
  soa:
    description: The zone's SOA, for a zone whose SOA is neither in the zone file nor among O(records).
    type: dict
    suboptions:
      mname:
        description: Name of the primary server.
        type: str
        required: true
      rname:
        description:
          - Mail address of who is responsible, as an address or in DNS form.
          - The default is C(hostmaster) at the zone.
        type: str
      refresh:
        description: Seconds between a secondary's checks.
        type: int
        default: 10800
      retry:
        description: Seconds until a secondary repeats a check that failed.
        type: int
        default: 3600
      expire:
        description: Seconds after which a secondary that cannot check stops answering.
        type: int
        default: 1209600
      minimum:
        description: Seconds for which negative answers are cached.
        type: int
        default: 3600
      ttl:
        description: TTL of the SOA in seconds.
        type: int
        default: 3600
  delegations:
    description:
      - Child zones of this zone that the same controller has.
      - The DS records of those that are signed are added to this zone.
      - Their NS records stand in the zone's content.
      - A child that does not exist is an error, and in check mode a warning.
    type: list
    elements: str
    default: []
  settings:
    description: Settings of the zone. Those that are not given stay as they are.
    type: dict
    suboptions:
      dnssec:
        description: Whether the zone is signed. New zones are, unless this is V(false).
        type: bool
      serial:
        description: How the next serial is made.
        type: str
        choices:
          - unixtime
          - increment
      policy:
        description: What differs from the controller's signing policy, for example C(denial) or C(validity).
        type: dict
      thresholds:
        description: From when on a plan is refused without O(force).
        type: dict
        suboptions:
          share:
            description: The share of the zone's records that may be changed or removed at once, from 0 to 1.
            type: float
            default: 0.3
          minimum:
            description: The number of records that a zone must have for O(settings.thresholds.share) to count.
            type: int
            default: 10
      verify_command:
        description:
          - The name of a check in the controller's C(dnssec.verify_command).
          - The zone is published only if that program accepts it. An empty name is none.
        type: str
      allow_transfer:
        description:
          - Who may transfer the zone from the controller, in place of the controller's C(dns.allow_transfer)
            and C(dns.secondaries).
          - Addresses, prefixes and C(key:NAME), or a prefix and a key parted by a blank. An empty list is nobody.
        type: list
        elements: str
seealso:
  - module: arca.dns.rrset
  - module: arca.dns.zone_info
  - plugin: arca.dns.ds
    plugin_type: lookup
"""

EXAMPLES = r"""
- name: Set the connection once for all modules of the play
  hosts: localhost
  gather_facts: false
  module_defaults:
    group/arca.dns.controller:
      controller_url: https://dns1.example.net:8053
      api_key: "{{ dns_api_key }}"
  tasks:
    - name: A zone from a zone file of the repository
      arca.dns.zone:
        name: example.com
        content: "{{ lookup('ansible.builtin.file', 'zones/example.com.zone') }}"
        reason: "{{ lookup('ansible.builtin.env', 'CI_COMMIT_SHA') }}"

    - name: A zone from variables
      arca.dns.zone:
        name: example.net
        soa:
          mname: ns1.example.net.
          rname: hostmaster@example.net
        records:
          - {type: NS, values: [ns1.example.net., ns2.example.net.]}
          - {name: ns1, type: A, value: 203.0.113.53}
          - {name: ns2, type: AAAA, value: "2001:db8:53::53"}
          - {type: MX, value: 10 mail.example.net.}
          - {name: mail, type: A, ttl: 300, value: 192.0.2.25}
          - {type: TXT, value: '"v=spf1 mx -all"'}

    - name: A parent with the DS records of a child on the same controller
      arca.dns.zone:
        name: example.org
        content: "{{ lookup('ansible.builtin.file', 'zones/example.org.zone') }}"
        delegations:
          - dev.example.org

    - name: An unsigned zone that must not lose more than a tenth of its records at once
      arca.dns.zone:
        name: 2.0.192.in-addr.arpa
        content: "{{ lookup('ansible.builtin.file', 'zones/2.0.192.in-addr.arpa.zone') }}"
        settings:
          dnssec: false
          thresholds: {share: 0.1}

    - name: No such zone any more
      arca.dns.zone:
        name: old.example
        state: absent
        force: true

- name: Work without a controller, on a SQLite store
  hosts: dns_admin_host
  gather_facts: false
  tasks:
    - name: A zone from a zone file on that host
      arca.dns.zone:
        backend: sqlite
        backend_path: /var/lib/arca-dns/zones.db
        name: example.com
        src: /srv/zones/example.com.zone
"""

RETURN = r"""
version:
  description: The zone's version after this task. None if the zone does not exist, and in check mode for a new version.
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
ds:
  description:
    - DS records for the parent zone, with SHA-256 digests.
    - Empty for a zone that is not signed or does not exist yet.
  returned: O(state=present)
  type: list
  elements: str
  sample: ["12345 13 2 0F3C1E1D4AB1C9D2B7E4A5D6C7F80912A3B4C5D6E7F8091A2B3C4D5E6F708192"]
"""

from ansible_collections.arca.dns.plugins.module_utils.ansible.connection import make_module
from ansible_collections.arca.dns.plugins.module_utils.ansible.zones import OPTIONS, manage_zone


def main():
    """Read the options and bring the zone into the wanted state."""
    manage_zone(
        make_module(
            OPTIONS,
            mutually_exclusive=[("content", "src")],
            required_if=[("state", "present", ("content", "src", "records"), True)],
        )
    )


if __name__ == "__main__":
    main()
