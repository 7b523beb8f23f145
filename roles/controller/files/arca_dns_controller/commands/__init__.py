# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Groups of commands of ``arca-dns-controller``, one file each; :mod:`..cli` puts them together."""
