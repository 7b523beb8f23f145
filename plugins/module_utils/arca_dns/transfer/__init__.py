# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Zone transfers as messages: SOA, AXFR, IXFR, NOTIFY, TSIG, framed around stored leaves. Sockets are the callers'."""
