# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0
"""Checks that pyproject.toml, requirements/*.txt and docs/dependencies.md name the same packages, in one version."""

from __future__ import annotations

import re
import sys
import tomllib
from collections.abc import Iterable
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
VERSION_FILES = {
    "galaxy.yml": r"(?m)^version: (\S+)$",
    "plugins/module_utils/arca_dns/__init__.py": r'(?m)^__version__ = "([^"]+)"$',
    "roles/controller/files/arca_dns_controller/__init__.py": r'(?m)^__version__ = "([^"]+)"$',
    "roles/controller/files/arca_dns_cli/__init__.py": r'(?m)^__version__ = "([^"]+)"$',
    "roles/agent/files/arca_dns_agent/__init__.py": r'(?m)^__version__ = "([^"]+)"$',
    "roles/health_check/files/arca_dns_health/__init__.py": r'(?m)^__version__ = "([^"]+)"$',
}


def lines(path: Path) -> set[str]:
    """The requirements of a pip file, comments and includes left out."""
    return {line for line in map(str.strip, path.read_text().splitlines()) if line and line[0] not in "#-"}


def name(requirement: str) -> str:
    """The package of a requirement line, as the registry compares it."""
    return re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0].lower().replace("_", "-")


def compare(what: str, expected: Iterable[str], found: Iterable[str]) -> list[str]:
    """One line for each requirement that stands on one side only."""
    left, right = set(expected), set(found)
    return [f"{what}: missing {item}" for item in sorted(left - right)] + [
        f"{what}: {item} is not in pyproject.toml" for item in sorted(right - left)
    ]


def main() -> int:
    """Prints every difference; the exit status says whether there was one."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    core = set(project["dependencies"])
    everything = core.union(*project["optional-dependencies"].values())
    found = compare("requirements/runtime.txt", everything, lines(ROOT / "requirements/runtime.txt"))
    found += compare("requirements/collection.txt", core, lines(ROOT / "requirements/collection.txt"))
    page = (ROOT / "docs/dependencies.md").read_text()
    documented = {item.lower() for item in re.findall(r"(?m)^\| `([^`]+)`", page)}
    wanted = {name(line) for path in (ROOT / "requirements").glob("*.txt") for line in lines(path)}
    wanted |= {name(line) for line in everything}
    found += [f"docs/dependencies.md: no reason given for {item}" for item in sorted(wanted - documented)]
    found += [f"docs/dependencies.md: {item} is not required by anything" for item in sorted(documented - wanted)]
    for file, pattern in VERSION_FILES.items():
        match = re.search(pattern, (ROOT / file).read_text())
        if match is None or match[1] != project["version"]:
            found.append(f"{file}: version is not {project['version']} as in pyproject.toml")
    print("\n".join(found) if found else "requirements agree")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
