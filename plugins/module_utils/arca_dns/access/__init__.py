# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Who may do what: roles, what a key is limited to, and the API keys that the store holds."""
