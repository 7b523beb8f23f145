# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""A whole store's state on its way: into another store, into a file, and back."""
