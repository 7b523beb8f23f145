# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The store on an etcd v3 cluster."""

from __future__ import annotations

from .open import open_etcd
from .store import EtcdStore

__all__ = ["EtcdStore", "open_etcd"]
