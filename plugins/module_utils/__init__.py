# Copyright (c) 2026 the arca.dns contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later
"""Nothing: without this file, tools that look for the outermost package take the folder `ansible` here for Ansible."""
