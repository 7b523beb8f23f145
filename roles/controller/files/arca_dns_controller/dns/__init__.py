# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""DNS itself: a hidden primary for secondaries that are not edges, and updates by RFC 2136."""
