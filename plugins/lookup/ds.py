# Copyright (c) 2026 the arca.dns contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""DS records of hosted zones, for the parent."""

from __future__ import annotations

DOCUMENTATION = r"""
name: ds
author:
  - the arca.dns contributors (@arca-dns)
version_added: 0.1.0
short_description: DS records of signed zones
description:
  - Returns the DS records that the parents of zones must have, in zone-file form.
  - It runs on the Ansible controller, which must reach the controller of the zones.
extends_documentation_fragment:
  - arca.dns.controller.lookup
options:
  _terms:
    description: Names of the zones.
    type: list
    elements: str
    required: true
  digest_types:
    description: Digest types to return, V(2) for SHA-256 and V(4) for SHA-384.
    type: list
    elements: int
    default: [2]
  missing:
    description: What to do about a zone that does not exist. With V(empty) it has no DS records.
    type: str
    choices:
      - error
      - empty
    default: error
seealso:
  - module: arca.dns.zone_info
"""

EXAMPLES = r"""
- name: Delegate to a zone of another controller
  arca.dns.rrset:
    controller_url: https://dns1.example.net:8053
    api_key: "{{ dns_api_key }}"
    zone: example.com
    name: dev
    type: DS
    values: >-
      {{ query('arca.dns.ds', 'dev.example.com',
               controller_url='https://dns2.example.net:8053', api_key=dev_api_key) }}

- name: Show what to hand to the registry
  ansible.builtin.debug:
    msg: "{{ query('arca.dns.ds', 'example.com', digest_types=[2, 4]) }}"
"""

RETURN = r"""
_raw:
  description: One text per DS record, zone by zone. There is none for a zone that is not signed.
  type: list
  elements: str
  sample: ["12345 13 2 0F3C1E1D4AB1C9D2B7E4A5D6C7F80912A3B4C5D6E7F8091A2B3C4D5E6F708192"]
"""

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase
from ansible_collections.arca.dns.plugins.module_utils.ansible.connection import connect
from ansible_collections.arca.dns.plugins.module_utils.arca_dns.errors import ArcaError, NotFound


class LookupModule(LookupBase):
    def run(self, terms, variables=None, **kwargs):
        """The DS records of *terms*."""
        self.set_options(var_options=variables, direct=kwargs)
        found = []
        try:
            client = connect(self.get_options(), read_only=True)
            try:
                for term in terms:
                    try:
                        found += client.ds(term, self.get_option("digest_types"))
                    except NotFound:
                        if self.get_option("missing") == "error":
                            raise
            finally:
                client.close()
        except ArcaError as error:
            raise AnsibleLookupError(f"arca.dns.ds: {error}") from error
        return found
