# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0
"""Checks that each role's argument specification and defaults say the same.

Every default is an option of meta/argument_specs.yml with the same value (computed ones aside), no option has a default
that defaults/main.yml lacks, and all names begin with `arca_dns_`.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import yaml

ROOT = Path(__file__).resolve().parent.parent
PREFIX = "arca_dns_"


def load(path: Path) -> dict[str, object]:
    """A YAML file that holds a mapping; an absent or empty one is an empty mapping."""
    value = yaml.safe_load(path.read_text()) if path.is_file() else None
    return value if isinstance(value, dict) else {}


def options(role: Path) -> dict[str, dict[str, object]]:
    """The options of the role's main entry point."""
    found: object = load(role / "meta/argument_specs.yml")
    for key in ("argument_specs", "main", "options"):
        found = found.get(key) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def problems(role: Path) -> Iterator[str]:
    """What is wrong with one role."""
    name = role.name
    for needed in ("meta/argument_specs.yml", "meta/main.yml", "tasks/main.yml", "README.md"):
        if not (role / needed).is_file():
            yield f"roles/{name}/{needed} is missing"
    specified = options(role)
    defaults = load(role / "defaults/main.yml")
    for variable in sorted(specified.keys() | defaults.keys()):
        if not variable.startswith(PREFIX):
            yield f"roles/{name}: {variable} does not begin with {PREFIX}"
    for variable in sorted(defaults.keys() - specified.keys()):
        yield f"roles/{name}/meta/argument_specs.yml: no option {variable}, which defaults/main.yml sets"
    for variable, option in sorted(specified.items()):
        where = f"roles/{name}/meta/argument_specs.yml: {variable}"
        if variable in defaults:
            default = defaults[variable]
            computed = isinstance(default, str) and "{{" in default
            if option.get("required"):
                yield f"{where} is required, and defaults/main.yml sets it"
            elif not computed and option.get("default") != default:
                yield f"{where} has the default {option.get('default')!r}, defaults/main.yml says {default!r}"
        elif "default" in option:
            yield f"{where} has a default, and defaults/main.yml has none"


def main() -> int:
    """Prints every problem; the exit status says whether there was one."""
    roles = sorted(path for path in (ROOT / "roles").iterdir() if path.is_dir())
    found = [text for role in roles for text in problems(role)]
    print("\n".join(found) if found else f"{len(roles)} roles say the same in defaults and argument_specs")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
