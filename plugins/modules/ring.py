#!/usr/bin/python
# Copyright (c) 2026 the arca.dns contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Promote a ring or go back. What is done is in module_utils/ansible/rings.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: ring
short_description: Promote published zones from one ring of edges to the next
version_added: 0.1.0
description:
  - Brings a ring to what the ring before it serves, as soon as the edges of that ring attest to serve it well.
  - Or takes that back.
  - Rings are set in the controller's configuration (C(publish.rings)). The first one follows every publication.
author:
  - the arca.dns contributors (@arca-dns)
extends_documentation_fragment:
  - arca.dns.controller
  - arca.dns.controller.actiongroup
attributes:
  check_mode:
    support: full
    description: Can run in check mode, in which it says which zones would change and what a promotion would wait for.
  diff_mode:
    support: full
    description: Returns the first names of the zones that are added, changed and removed.
options:
  name:
    description: The ring to promote to.
    type: str
    required: true
    aliases:
      - ring
  state:
    description:
      - With V(promoted), the ring has what O(source) has. If it has, nothing is changed.
      - With V(aborted), the promotion that waits is ended, or the latest one is taken back.
        If it was aborted already, nothing is changed.
    type: str
    choices:
      - promoted
      - aborted
    default: promoted
  source:
    description: The ring to take from. The default is the one before.
    type: str
  revision:
    description: The revision that O(source) had. The default is what it has.
    type: int
  soak_seconds:
    description: For how many seconds the edges of O(source) must have served it well.
    type: int
    default: 0
  failing_share:
    description: The share of an edge's zones that may fail, from 0 to 1.
    type: float
    default: 0.0
  rollback:
    description:
      - Whether serials of zones may go back, and zones be removed that are newer than what is promoted, or are many.
    type: bool
    default: false
  force:
    description: Whether to promote at once, whatever the edges attest, and though many zones be removed.
    type: bool
    default: false
  reason:
    description: Why. It stands in the audit log.
    type: str
    default: ''
  wait:
    description: Whether to wait until the promotion is done. Without it, the controller completes the promotion later.
    type: bool
    default: true
  wait_timeout:
    description: For how many seconds to wait at most. The module fails then, and the promotion goes on waiting.
    type: int
    default: 3600
seealso:
  - module: arca.dns.zone
"""

EXAMPLES = r"""
- name: Promote what the canaries have served well for ten minutes
  arca.dns.ring:
    controller_url: https://dns1.example.net:8053
    api_key: "{{ dns_api_key }}"
    name: stable
    soak_seconds: 600

- name: Take it back
  arca.dns.ring:
    controller_url: https://dns1.example.net:8053
    api_key: "{{ dns_api_key }}"
    name: stable
    state: aborted
    reason: errors at site 3
"""

RETURN = r"""
promotion:
  description: The promotion as it stands.
  returned: success
  type: dict
  contains:
    ring:
      description: The ring that is promoted to.
      type: str
    source:
      description: The ring that is promoted from.
      type: str
    revision:
      description: The revision of that ring's head.
      type: int
    state:
      description: V(waiting), V(promoted) or V(aborted).
      type: str
    blocked:
      description: What it waits for.
      type: list
      elements: str
    head:
      description: The revision that the ring got by it.
      type: int
    previous:
      description: The revision that the ring had before.
      type: int
added:
  description: How many zones the ring gets.
  returned: when a promotion was asked for
  type: int
modified:
  description: How many zones of the ring change.
  returned: when a promotion was asked for
  type: int
removed:
  description: How many zones the ring loses.
  returned: when a promotion was asked for
  type: int
"""

from ansible_collections.arca.dns.plugins.module_utils.ansible.connection import make_module
from ansible_collections.arca.dns.plugins.module_utils.ansible.rings import OPTIONS, bring


def main():
    """Read the options and bring the ring to its state."""
    bring(make_module(OPTIONS))


if __name__ == "__main__":
    main()
