# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0
"""The folder of wheels: the project's own and everything that it needs, for hosts without a way out.

``MANIFEST.sha256`` lists all of them in the format of sha256sum, sorted by name. The project's wheel carries a local
version made of its content (``0.1.0+lab.1f3a…``): pip takes it for ``arca-dns==0.1.0``, and a role can tell a change.
"""

from __future__ import annotations

import hashlib
import re
import shutil
import tempfile
import tomllib
from dataclasses import dataclass
from pathlib import Path

from .errors import LabError
from .machine import PYTHON
from .settings import Settings
from .shell import Progress, run

MANIFEST = "MANIFEST.sha256"
REQUIREMENTS = "requirements/runtime.txt"
TOOLS = ("pip", "setuptools", "wheel")  # what a venv on a host may want to upgrade to
SOURCES = ("plugins/module_utils/arca_dns", "roles/*/files/arca_dns_*")


@dataclass(frozen=True)
class ProjectWheel:
    """The project's wheel as hosts see it."""

    name: str
    version: str
    sha256: str


def source_files(project: Path) -> list[Path]:
    """The files that the project's wheel is made of, in a stable order."""
    files = [project / name for name in ("pyproject.toml", "README.md", "LICENSE")]
    for pattern in SOURCES:
        for folder in project.glob(pattern):
            files += [file for file in folder.rglob("*") if file.is_file() and "__pycache__" not in file.parts]
    return sorted(file for file in files if file.is_file())


def source_digest(project: Path) -> str:
    """A short hash of the content of `source_files`."""
    digest = hashlib.sha256()
    for file in source_files(project):
        content = hashlib.sha256(file.read_bytes()).hexdigest()
        digest.update(f"{file.relative_to(project)}\0{content}\n".encode())
    return digest.hexdigest()[:12]


def build_wheels(settings: Settings, progress: Progress) -> ProjectWheel:
    """Download and build what is missing or changed; return the project's wheel."""
    requirements = settings.project / REQUIREMENTS
    if not requirements.is_file():
        raise LabError(f"{requirements} is missing: it lists what hosts need besides the project's own wheel")
    settings.wheels.mkdir(parents=True, exist_ok=True)
    pyproject = tomllib.loads((settings.project / "pyproject.toml").read_text(encoding="utf-8"))
    changed = _runtime_wheels(settings, requirements, pyproject["build-system"]["requires"], progress)
    changed |= _project_wheel(settings, pyproject["project"]["version"], progress)
    if changed or not (settings.wheels / MANIFEST).is_file():
        _write_manifest(settings.wheels)
    return project_wheel(settings)


def project_wheel(settings: Settings) -> ProjectWheel:
    """The project's wheel that is in the folder now; raises `LabError` if there is none."""
    manifest = settings.wheels / MANIFEST
    lines = manifest.read_text(encoding="utf-8").splitlines() if manifest.is_file() else []
    for line in lines:
        sha256, name = line.split(maxsplit=1)
        if name.startswith("arca_dns-"):
            return ProjectWheel(name=name, version=name.split("-")[1], sha256=sha256)
    raise LabError(f"no wheel of the project in {settings.wheels}: run 'tests/lab/lab wheels'")


def _tools(settings: Settings) -> Path:
    """A venv with Debian's interpreter and pip: wheels that it builds fit the hosts."""
    python = settings.cache / "tools" / "bin" / "python"
    if not python.exists():
        run([PYTHON, "-m", "venv", "--clear", settings.cache / "tools"])
    return python


def _runtime_wheels(settings: Settings, requirements: Path, backend: list[str], progress: Progress) -> bool:
    """Wheels of the requirements and of the build backend; true when something was fetched."""
    wanted = requirements.read_text(encoding="utf-8") + "\n".join([*backend, *TOOLS]) + "\n"
    stamp = settings.cache / "wheels.requirements"
    if stamp.is_file() and stamp.read_text(encoding="utf-8") == wanted:
        return False
    with progress.step("downloading the Python packages that roles install"):
        pip = [str(_tools(settings)), "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet"]
        with tempfile.TemporaryDirectory(dir=settings.cache) as work:
            run([*pip, "--wheel-dir", work, "--requirement", requirements, *backend, *TOOLS])
            for old in settings.wheels.glob("*.whl"):
                if not old.name.startswith("arca_dns-"):
                    old.unlink()
            for wheel in Path(work).glob("*.whl"):
                wheel.rename(settings.wheels / wheel.name)
        stamp.write_text(wanted, encoding="utf-8")
    return True


def _project_wheel(settings: Settings, version: str, progress: Progress) -> bool:
    """The wheel of the project as its sources are now; true when it had to be built."""
    local_version = f"{version}+lab.{source_digest(settings.project)}"
    target = settings.wheels / f"arca_dns-{local_version}-py3-none-any.whl"
    if target.is_file():
        return False
    with progress.step(f"building the project's wheel {local_version}"), tempfile.TemporaryDirectory() as work:
        tree = Path(work) / "source"
        for file in source_files(settings.project):
            copy = tree / file.relative_to(settings.project)
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(file, copy)
        pyproject = tree / "pyproject.toml"
        text, found = re.subn(
            r'(?m)^version = ".*"$', f'version = "{local_version}"', pyproject.read_text(encoding="utf-8"), count=1
        )
        if not found:
            raise LabError("pyproject.toml has no line 'version = \"…\"' to give the wheel its local version")
        pyproject.write_text(text, encoding="utf-8")
        pip = [str(_tools(settings)), "-m", "pip", "--disable-pip-version-check", "wheel", "--quiet", "--no-deps"]
        run([*pip, "--no-index", "--find-links", settings.wheels, "--wheel-dir", work, tree])
        built = list(Path(work).glob("arca_dns-*.whl"))
        if [wheel.name for wheel in built] != [target.name]:
            raise LabError(f"expected {target.name}, pip built {[wheel.name for wheel in built]}")
        for old in settings.wheels.glob("arca_dns-*.whl"):
            old.unlink()
        shutil.move(built[0], target)
    return True


def _write_manifest(folder: Path) -> None:
    """The list of all wheels with their digests, replaced in one step."""
    lines = [f"{hashlib.sha256(file.read_bytes()).hexdigest()}  {file.name}\n" for file in sorted(folder.glob("*.whl"))]
    partial = folder / f".{MANIFEST}"
    partial.write_text("".join(lines), encoding="utf-8")
    partial.rename(folder / MANIFEST)
