# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0
"""Checks that imports point one way, and that the library stays what Ansible can ship.

Rooms of the library, highest first; a room may import itself and those below it:

    ansible, client  →  service, fsck  →  moving  →  publish, lease  →  documents  →  dnssec, store, transfer  →
    zone  →  errors, _deps

Modules and lookups import ansible and client only. The roles' packages import the library, never each other, and those
third-party packages that their extra in pyproject.toml names.
"""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
LIBRARY = Path("plugins/module_utils/arca_dns")
SHARED = Path("plugins/module_utils/ansible")  # what modules and lookups share

# What each room of the library may import, itself and `__init__` (the version) aside.
BASE = {"errors", "_deps"}
ZONE = BASE | {"zone"}
STATE = {"deletion", "retention", "collection"}  # what of the past is kept
WRITES = {"access", "journal", "writing", "bulk", "attestations", "promotion", "sites"}
SERVICE = ZONE | {"dnssec", "store", "documents", "publish", "transfer", "service", "edge_files"} | WRITES | STATE
ALLOWED: dict[str, set[str]] = {
    "errors": set(),
    "_deps": {"errors"},
    "zone": BASE,
    "config": BASE,
    "systemd": set(),  # what the daemons tell systemd
    "edge_config": ZONE | {"config"},  # the edge's configuration file, which agent and health check share
    "edge_report": {"edge_files"},  # the health check's state in words
    "edge_draining": BASE | {"edge_files"},  # asking an edge to be drained
    "edge_files": set(),  # what agent, health check and operator tell each other
    "store": ZONE | {"config"},  # passwords, as the configuration holds them
    "finding": ZONE,  # searching zones
    "lease": ZONE | {"store"},
    "dnssec": ZONE,
    "transfer": ZONE,
    "ulid": set(),
    "documents": ZONE | {"store", "dnssec", "transfer", "ulid"},
    "journal": ZONE | {"store", "documents", "ulid"},  # who did what
    "publish": ZONE | {"store", "dnssec", "documents"},
    "keyring": ZONE | {"store", "dnssec", "documents"},  # keys in the backend, and which keys a store has
    "fsck": ZONE | {"store", "dnssec", "documents", "publish", "moving"},  # finding and repairing damage
    "attestations": ZONE | {"store", "dnssec", "documents", "publish"},  # what edges say they serve
    "promotion": ZONE | {"store", "dnssec", "documents", "publish", "journal"},  # from one ring to the next
    "sites": ZONE | {"store", "dnssec", "documents", "publish", "edge_files"},  # how many edges announce a prefix
    "events": ZONE | {"store", "documents", "journal"},  # what happens in a store, in order
    "access": ZONE | {"store", "dnssec", "documents", "journal"},  # API keys and what they may do
    "moving": ZONE | {"store", "dnssec", "documents", "publish", "lease", "keyring"},  # a store's whole state
    "writing": ZONE
    | {"store", "dnssec", "documents", "publish", "deletion", "journal"},  # operations become transactions
    "bulk": ZONE | {"store", "documents", "publish", "writing"},
    "deletion": ZONE | {"store", "dnssec", "documents"},
    "retention": ZONE | {"store", "dnssec", "documents", "publish", "deletion", "journal"},
    "collection": ZONE | {"store", "documents", "publish", "moving"},  # moving knows what documents name
    "service": SERVICE,
    "git_import": SERVICE,  # pushed zone files become versions
    "client": SERVICE | {"moving"},
    "ansible": SERVICE | {"client", "edge_draining"},
}
DAEMONS = {
    "arca_dns_cli": Path("roles/controller/files/arca_dns_cli"),
    "arca_dns_controller": Path("roles/controller/files/arca_dns_controller"),
    "arca_dns_agent": Path("roles/agent/files/arca_dns_agent"),
    "arca_dns_health": Path("roles/health_check/files/arca_dns_health"),
}
EXTRAS = {name: name.removeprefix("arca_dns_") for name in DAEMONS}
# Import names that are not the package's name in lower case with underscores.
IMPORT_NAMES = {"pyyaml": {"yaml"}, "dnspython": {"dns"}, "fastapi": {"fastapi", "starlette"}}
FORBIDDEN_IN_PLUGINS = {"subprocess", "importlib", "multiprocessing.pool", "fastapi", "uvicorn", "typer", "httpx"}
FORBIDDEN_CALLS_IN_PLUGINS = {"print", "exec", "eval", "__import__"}
COLLECTION = "ansible_collections.arca.dns.plugins"


def declared(extra: str) -> set[str]:
    """The import names of what the wheel requires with this extra."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    packages = [
        re.split(r"[^A-Za-z0-9._-]", requirement, maxsplit=1)[0].lower()
        for requirement in project["dependencies"] + project["optional-dependencies"][extra]
    ]
    return {name for package in packages for name in IMPORT_NAMES.get(package, {package.replace("-", "_")})}


DECLARED = {name: declared(extra) for name, extra in EXTRAS.items()}


def imports(tree: ast.AST, package: list[str]) -> Iterator[tuple[int, str]]:
    """Yields (line, absolute dotted name) of each import; `package` is where relative ones start."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, alias.name
        elif isinstance(node, ast.ImportFrom):
            base = package[: len(package) - node.level + 1] if node.level else []
            for alias in node.names:
                parts = [*base, *(node.module.split(".") if node.module else []), alias.name]
                yield node.lineno, ".".join(parts)


class Untyped(ast.NodeTransformer):
    """Drops what stands under `if TYPE_CHECKING`: it never runs, so it may name any package."""

    def visit_If(self, node: ast.If) -> ast.AST | list[ast.stmt]:
        """Keeps only the else branch of such an `if`."""
        self.generic_visit(node)
        return node.orelse if ast.unparse(node.test) in {"TYPE_CHECKING", "typing.TYPE_CHECKING"} else node


def parse(path: Path) -> ast.Module:
    """The module as it runs."""
    tree = Untyped().visit(ast.parse(path.read_bytes(), str(path)))
    assert isinstance(tree, ast.Module)
    return tree


def check_library(path: Path, tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Room order, relative imports only, third-party names from _deps only."""
    inside = path.relative_to(LIBRARY)
    room = inside.parts[0].removesuffix(".py")
    package = ["arca_dns", *inside.parent.parts]
    if room not in ALLOWED and room != "__init__":
        yield 1, f"room {room!r} is not in the plan: add it to ALLOWED in scripts/check_imports.py"
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.level == 0 and (node.module or "").split(".")[0] == "arca_dns":
            yield node.lineno, "absolute import of the library: AnsiballZ needs relative ones"
    for line, name in imports(tree, package):
        parts = name.split(".")
        if parts[0] == "arca_dns":
            target = parts[1] if len(parts) > 1 else "__init__"
            if target not in {room, "__version__"} and target not in ALLOWED.get(room, set()):
                yield line, f"{room} may not import {target}"
        elif parts[0] == "ansible":
            yield line, f"{room} may not import Ansible"
        elif parts[0] not in sys.stdlib_module_names and room != "_deps":
            yield line, f"third-party import of {parts[0]}: take it from _deps"


def check_plugin(path: Path, tree: ast.Module) -> Iterator[tuple[int, str]]:
    """Modules and lookups reach the library through what they share, through `client` and its errors."""
    package = ["ansible_collections", "arca", "dns", *path.parent.parts]
    shared = path.is_relative_to(SHARED)
    allowed = ALLOWED["ansible"] if shared else {"client", "errors"}
    for line, name in imports(tree, package):
        parts = name.split(".")
        if name.startswith(f"{COLLECTION}.module_utils.arca_dns."):
            target = name.removeprefix(f"{COLLECTION}.module_utils.arca_dns.").split(".")[0]
            if target not in allowed:
                yield line, f"{path.parent} may not import {target}, only {', '.join(sorted(allowed))}"
        elif shared and name.startswith(f"{COLLECTION}.modules"):
            yield line, "what modules share imports a module"
        elif parts[0] not in sys.stdlib_module_names | {"ansible", "ansible_collections"}:
            yield line, f"third-party import of {parts[0]} in a plugin"


def check_forbidden(tree: ast.Module) -> Iterator[tuple[int, str]]:
    """What `ansible-test sanity` and the design refuse anywhere under plugins/."""
    for line, name in imports(tree, ["-"]):
        if any(name == bad or name.startswith(f"{bad}.") for bad in FORBIDDEN_IN_PLUGINS):
            yield line, f"{name} may not be imported under plugins/"
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert):
            yield node.lineno, "assert under plugins/"
        elif isinstance(node, ast.Call):
            called = ast.unparse(node.func)
            if called in FORBIDDEN_CALLS_IN_PLUGINS or called in {"sys.exit", "os.system", "os.popen"}:
                yield node.lineno, f"{called}() under plugins/"


def check_daemon(name: str, tree: ast.Module, package: list[str]) -> Iterator[tuple[int, str]]:
    """A role's package imports the library and itself, never another role's, nor what needs Ansible."""
    for line, imported in imports(tree, package):
        parts = imported.split(".")
        if parts[0] in DAEMONS and parts[0] != name:
            yield line, f"{name} may not import {parts[0]}"
        elif parts[0] in {"ansible", "ansible_collections"} or parts[:2] == ["arca_dns", "ansible"]:
            yield line, f"{name} may not import {imported}"
        elif parts[0] not in sys.stdlib_module_names | {"arca_dns", name} | DECLARED[name]:
            yield line, f"{parts[0]} is not in the extra of {name} in pyproject.toml"


def problems() -> Iterator[str]:
    """Yields `path:line: what is wrong` for the whole tree."""
    for path in sorted((ROOT / "plugins").rglob("*.py")):
        relative = path.relative_to(ROOT)
        tree = parse(path)
        found = list(check_forbidden(tree))
        if relative.is_relative_to(LIBRARY):
            found += check_library(relative, tree)
        else:
            found += check_plugin(relative, tree)
        yield from (f"{relative}:{line}: {text}" for line, text in found)
    for name, folder in DAEMONS.items():
        for path in sorted((ROOT / folder).rglob("*.py")):
            relative = path.relative_to(ROOT)
            package = [name, *relative.parent.relative_to(folder).parts]
            tree = parse(path)
            yield from (f"{relative}:{line}: {text}" for line, text in check_daemon(name, tree, package))


def main() -> int:
    """Prints every problem; the exit status says whether there was one."""
    found = list(problems())
    print("\n".join(found) if found else "imports point one way")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
