# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Zone content: names, RRsets, text, the tree, changes and checks; knows nothing of stores."""
