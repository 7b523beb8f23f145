#!/usr/bin/python
# Copyright (c) 2026 the arca.dns contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Drain an edge, or have it announce again. What is done is in module_utils/ansible/anycast.py."""

from __future__ import annotations

DOCUMENTATION = r"""
module: anycast
short_description: Drain an anycast edge, or have it announce its prefixes again
version_added: 0.1.0
description:
  - Runs on an edge and asks its health check to lead traffic away from it, or to take it back.
  - A drained edge stays drained over reboots, until it is announced again.
author:
  - the arca.dns contributors (@arca-dns)
attributes:
  check_mode:
    support: full
    description: Can run in check mode, in which it says which prefixes would move.
  diff_mode:
    support: full
    description: Returns how each prefix is announced, and how it will be.
options:
  state:
    description:
      - With V(announced), the prefixes are announced as soon as the checks allow it.
      - With V(drained), they are announced with the community GRACEFUL_SHUTDOWN (RFC 8326) for a while, and then
        withdrawn. This needs a lease of the controller. The last edges that announce a prefix do not get one.
        If it is refused, the drain is taken back and the module fails.
      - With V(withdrawn), the same is done without a lease, also if no other edge is left.
    type: str
    choices:
      - announced
      - drained
      - withdrawn
    required: true
  prefixes:
    description: The prefixes that are meant. The default is all prefixes of the edge.
    type: list
    elements: str
    default: []
  reason:
    description: Why, for whoever looks next.
    type: str
    default: ''
  wait:
    description: Whether to wait until it is done. Without it, a drain that is refused stays a wish.
    type: bool
    default: true
  timeout:
    description: For how many seconds to wait at most.
    type: int
    default: 60
  verify:
    description:
      - A command that asks the peer, such as a router's looking glass, and ends with 0 when it agrees.
      - It is run on the edge for each prefix, once a second, after what BIRD exports is as wished, for O(timeout)
        seconds at most. It is not run in check mode, and not without O(wait).
      - A word that is V({prefix}) stands for the prefix, and V({state}) for V(announced) or V(withdrawn).
    type: list
    elements: str
    default: []
  state_directory:
    description:
      - Where the health check keeps what outlives boots, C(health.state_directory) of the edge's configuration.
    type: path
    default: /var/lib/arca-dns/health
  health_file:
    description: Where the health check says how things stand, C(health.state_file) of the edge's configuration.
    type: path
    default: /run/arca-dns/health.json
seealso:
  - module: arca.dns.ring
requirements:
  - Python 3.11 or newer
"""

EXAMPLES = r"""
- name: Lead traffic away before the maintenance
  arca.dns.anycast:
    state: drained
    reason: new disk

- name: See at the router that it is gone
  ansible.builtin.command:
    argv: [birdc, show, route, for, 203.0.113.53, protocol, edge1_v4]
  delegate_to: router1
  register: routes
  changed_when: false
  failed_when: "'203.0.113.53/32' in routes.stdout"

- name: Have a command of one's own ask the router's looking glass
  arca.dns.anycast:
    state: drained
    verify: [/usr/local/bin/looking-glass, --router, router1, '{state}', '{prefix}']

- name: Take the traffic back
  arca.dns.anycast:
    state: announced
"""

RETURN = r"""
prefixes:
  description: How each prefix is announced now.
  returned: success
  type: list
  elements: dict
  contains:
    prefix:
      description: The prefix.
      type: str
      sample: 203.0.113.53/32
    mode:
      description: V(announced), V(degraded), V(draining) or V(withdrawn), as BIRD exports it.
      type: str
    condition:
      description: V(healthy), V(degraded), V(failed), V(held-down) or V(drained).
      type: str
    since:
      description: Since when it is announced that way.
      type: str
    refusal:
      description: Why what is wished is not done.
      type: str
    drain:
      description: The drain that is asked for, if there is one.
      type: dict
      contains:
        since:
          description: Since when.
          type: str
        reason:
          description: The O(reason) of whoever asked.
          type: str
        forced:
          description: Whether it needs no lease.
          type: bool
"""

from ansible.module_utils.basic import AnsibleModule
from ansible_collections.arca.dns.plugins.module_utils.ansible.anycast import OPTIONS, bring


def main():
    """Read the options and bring the edge to its state."""
    bring(AnsibleModule(argument_spec=OPTIONS, supports_check_mode=True))


if __name__ == "__main__":
    main()
