# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Keys, denial of existence, signing and verifying; knows nothing of HTTP."""
