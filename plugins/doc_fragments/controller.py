# Copyright (c) 2026 the arca.dns contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""Documentation of the options by which modules and lookups reach the zones."""

from __future__ import annotations


class ModuleDocFragment:
    # What modules have
    DOCUMENTATION = r"""
options:
  controller_url:
    description:
      - URL of the controller, such as V(https://dns1.example.net:8053).
      - Exactly one of O(controller_url) and O(backend) is needed.
    type: str
  api_key:
    description:
      - API key for the controller. Needed with O(controller_url).
      - The environment variable E(ARCA_DNS_API_KEY) of the host that runs the module is used if this is not given.
    type: str
  validate_certs:
    description: Whether the controller's certificate must be valid.
    type: bool
    default: true
  ca_path:
    description: File with the certificates of the authorities to trust instead of the system's.
    type: path
  timeout:
    description: Seconds to wait for each answer of the controller.
    type: int
    default: 30
  backend:
    description:
      - Work without a controller, with the library in the module's own process, on a store of this type.
      - Needs the Python packages that are listed under requirements.
    type: str
    choices:
      - sqlite
  backend_path:
    description:
      - The store's file on the host that runs the module. It is made if it is missing. Needed with O(backend).
    type: path
  key_directory:
    description:
      - Directory of the DNSSEC keys, which are encrypted under the master key.
      - Only used with O(backend). The default is the directory C(keys) beside O(backend_path).
    type: path
  head_key_path:
    description:
      - File with the key that signs heads, by which edges authenticate what they serve. It is made if it is missing.
      - Only used with O(backend). The default is C(head.key) beside O(backend_path).
    type: path
  master_key:
    description:
      - The master key of the DNSSEC keys, 32 octets in base64. Only used with O(backend).
      - The environment variable E(ARCA_DNS_DNSSEC_MASTER_KEY_B64) of the host that runs the module is used if
        this is not given, and O(master_key_path) if that is not set either.
    type: str
  master_key_path:
    description:
      - File with the master key. It is made if it is missing.
      - Only used with O(backend). The default is C(master.key) beside O(backend_path).
    type: path
requirements:
  - Python 3.11 or newer
  - "with O(backend) also the Python packages alembic, cryptography, dnspython, idna and SQLAlchemy"
"""

    # What writing modules have
    WRITE = r"""
options:
  force:
    description:
      - Apply a plan that would be refused, because it empties the zone, removes or changes a large share of its
        records, changes the NS records of the apex, or deletes a signed zone to which its parent delegates.
    type: bool
    default: false
  reason:
    description: Why this is done. It is kept with the version and in the audit log.
    type: str
    default: ''
attributes:
  check_mode:
    description: Can run in C(check_mode), and then says what it would change without changing anything.
    support: full
  diff_mode:
    description: Returns what has changed, or in C(check_mode) needs changing, when in diff mode.
    support: full
  idempotent:
    description: A second run without a change in between changes nothing.
    support: full
"""

    # What reading modules have
    READ = r"""
attributes:
  check_mode:
    description: Can run in C(check_mode), and then says what it would change without changing anything.
    support: full
    details: This module does not modify anything.
  diff_mode:
    description: Returns what has changed, or in C(check_mode) needs changing, when in diff mode.
    support: N/A
    details: This module does not modify anything.
  idempotent:
    description: A second run without a change in between changes nothing.
    support: full
    details: This module does not modify anything.
"""

    # The action group
    ACTIONGROUP = r"""
attributes:
  action_group:
    description: Use C(group/arca.dns.controller) in C(module_defaults) to set the connection's options for all modules.
    support: full
    membership:
      - arca.dns.controller
"""

    # What lookups have
    LOOKUP = r"""
options:
  controller_url:
    description:
      - URL of the controller, such as V(https://dns1.example.net:8053).
      - Exactly one of O(controller_url) and O(backend) is needed.
    type: str
    env:
      - name: ARCA_DNS_CONTROLLER_URL
    vars:
      - name: arca_dns_controller_url
  api_key:
    description: API key for the controller. Needed with O(controller_url).
    type: str
    env:
      - name: ARCA_DNS_API_KEY
    vars:
      - name: arca_dns_api_key
  validate_certs:
    description: Whether the controller's certificate must be valid.
    type: bool
    default: true
    vars:
      - name: arca_dns_validate_certs
  ca_path:
    description: File with the certificates of the authorities to trust instead of the system's.
    type: path
    vars:
      - name: arca_dns_ca_path
  timeout:
    description: Seconds to wait for each answer of the controller.
    type: int
    default: 30
  backend:
    description:
      - Work without a controller, with the library in this process, on a store of this type.
      - Needs the Python packages that are listed under requirements.
    type: str
    choices:
      - sqlite
  backend_path:
    description: The store's file on the Ansible controller. Needed with O(backend).
    type: path
  key_directory:
    description: Directory of the DNSSEC keys. The default is the directory C(keys) beside O(backend_path).
    type: path
  head_key_path:
    description: File with the key that signs heads. The default is C(head.key) beside O(backend_path).
    type: path
  master_key:
    description: The master key of the DNSSEC keys, 32 octets in base64. Only used with O(backend).
    type: str
    env:
      - name: ARCA_DNS_DNSSEC_MASTER_KEY_B64
  master_key_path:
    description: File with the master key. The default is C(master.key) beside O(backend_path).
    type: path
requirements:
  - Python 3.11 or newer
  - "with O(backend) also the Python packages alembic, cryptography, dnspython, idna and SQLAlchemy"
"""
