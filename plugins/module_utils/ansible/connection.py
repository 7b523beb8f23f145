# Copyright (c) 2026 the arca.dns contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The options that every module has, and how they become a client.

Their documentation is the fragment ``arca.dns.controller``; the unit tests hold the two together.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ansible.module_utils.basic import AnsibleModule, env_fallback

from ..arca_dns.client.base import Client
from ..arca_dns.client.http import HttpClient
from ..arca_dns.client.open import LocalFiles, open_local
from ..arca_dns.client.sending import make_opener
from ..arca_dns.errors import ConfigError

#: Who wrote a version, where no controller knows it from an API key.
ACTOR = "ansible"

CONNECTION: dict[str, dict[str, Any]] = {
    "controller_url": {"type": "str"},
    "api_key": {"type": "str", "no_log": True, "fallback": (env_fallback, ["ARCA_DNS_API_KEY"])},
    "validate_certs": {"type": "bool", "default": True},
    "ca_path": {"type": "path"},
    "timeout": {"type": "int", "default": 30},
    "backend": {"type": "str", "choices": ["sqlite"]},
    "backend_path": {"type": "path"},
    "key_directory": {"type": "path", "no_log": False},
    "head_key_path": {"type": "path", "no_log": False},
    "master_key": {
        "type": "str",
        "no_log": True,
        "fallback": (env_fallback, ["ARCA_DNS_DNSSEC_MASTER_KEY_B64"]),
    },
    "master_key_path": {"type": "path", "no_log": False},
}


def make_module(
    options: Mapping[str, dict[str, Any]],
    *,
    supports_check_mode: bool = True,
    mutually_exclusive: list[tuple[str, ...]] | None = None,
    required_if: list[tuple[Any, ...]] | None = None,
) -> AnsibleModule:
    """An Ansible module with *options* of its own and those of the connection."""
    return AnsibleModule(
        argument_spec={**CONNECTION, **options},
        supports_check_mode=supports_check_mode,
        mutually_exclusive=[("controller_url", "backend"), *(mutually_exclusive or [])],
        required_one_of=[("controller_url", "backend")],
        required_by={"backend": "backend_path"},
        required_if=required_if or [],
    )


def connect(options: Mapping[str, Any], *, read_only: bool) -> Client:
    """The client that the connection *options* describe; *read_only* makes no file. Raises ``ArcaError``."""
    url, backend = options.get("controller_url"), options.get("backend")
    if url:
        key = options.get("api_key")
        if not key:
            raise ConfigError("api_key is missing: give the option, or set ARCA_DNS_API_KEY in the environment")
        sender = make_opener(validate_certs=options["validate_certs"], ca_path=options.get("ca_path"))
        return HttpClient(url, key, timeout=options["timeout"], opener=sender)
    if not backend or not options.get("backend_path"):
        raise ConfigError("say where the zones are: controller_url, or backend and backend_path")
    files = LocalFiles.beside(
        Path(options["backend_path"]).expanduser(),
        keys=options.get("key_directory"),
        head_key=options.get("head_key_path"),
        master_key=options.get("master_key_path"),
    )
    return open_local(backend, files, actor=ACTOR, master_key=options.get("master_key"), read_only=read_only)
