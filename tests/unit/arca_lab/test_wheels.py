# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0
"""The wheel's version follows the content of its sources, and nothing else."""

from __future__ import annotations

from pathlib import Path

import pytest

from arca_lab.errors import LabError
from arca_lab.settings import Settings
from arca_lab.wheels import project_wheel, source_digest, source_files


@pytest.fixture
def project(tmp_path: Path) -> Path:
    for name in (
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "plugins/module_utils/arca_dns/zone.py",
        "plugins/module_utils/arca_dns/__pycache__/zone.pyc",
        "roles/agent/files/arca_dns_agent/cli.py",
        "roles/agent/tasks/main.yml",
    ):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    return tmp_path


def test_the_wheel_is_made_of_the_mapped_folders(project: Path) -> None:
    assert [str(file.relative_to(project)) for file in source_files(project)] == [
        "LICENSE",
        "README.md",
        "plugins/module_utils/arca_dns/zone.py",
        "pyproject.toml",
        "roles/agent/files/arca_dns_agent/cli.py",
    ]


def test_a_changed_source_changes_the_digest(project: Path) -> None:
    before = source_digest(project)
    (project / "roles/agent/files/arca_dns_agent/cli.py").write_text("other")
    assert source_digest(project) != before


def test_a_changed_task_file_leaves_the_digest_alone(project: Path) -> None:
    before = source_digest(project)
    (project / "roles/agent/tasks/main.yml").write_text("other")
    assert source_digest(project) == before


def test_the_project_wheel_is_found_in_the_manifest(tmp_path: Path) -> None:
    settings = Settings(state=tmp_path)
    settings.wheels.mkdir(parents=True)
    (settings.wheels / "MANIFEST.sha256").write_text(
        "aa  alembic-1.0-py3-none-any.whl\nbb  arca_dns-0.1.0+lab.1f-py3-none-any.whl\n"
    )
    wheel = project_wheel(settings)
    assert (wheel.version, wheel.sha256) == ("0.1.0+lab.1f", "bb")


def test_an_empty_folder_of_wheels_says_what_to_run(tmp_path: Path) -> None:
    with pytest.raises(LabError, match="lab wheels"):
        project_wheel(Settings(state=tmp_path))
