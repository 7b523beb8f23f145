# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Whether a store holds what its documents say, and what to do where it does not: finding damage, and repairing it."""
