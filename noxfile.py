# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0
"""The unit tests on every supported Python and ansible-core; `make test` runs those of the development Python."""

from __future__ import annotations

import nox

nox.needs_version = ">=2025.5.1"
nox.options.default_venv_backend = "venv"
nox.options.envdir = ".cache/nox"
nox.options.download_python = "never"
nox.options.error_on_missing_interpreters = True
nox.options.sessions = ["unit", "ansible"]

# Which Python an ansible-core release runs on, and is tested with here.
ANSIBLE_CORE = [("2.19", "3.11"), ("2.20", "3.12"), ("2.21", "3.13")]


@nox.session(python=["3.11", "3.12", "3.13"])
def unit(session: nox.Session) -> None:
    """The library and the daemons, with what the wheel requires."""
    session.install("-e", ".[controller,agent,health,postgres,mysql]", "pytest>=9.0", "hypothesis>=6.130")
    session.run("python", "-m", "pytest", "tests/unit", "tests/conformance", *session.posargs)


@nox.session
@nox.parametrize(
    ("python", "core"),
    [nox.param(python, core, id=f"core-{core}") for core, python in ANSIBLE_CORE],
)
def ansible(session: nox.Session, core: str) -> None:
    """The plugins' unit tests under ansible-test of each supported ansible-core."""
    session.install(
        "-r", "requirements/collection.txt", f"ansible-core~={core}.0", "pytest", "pytest-mock", "pytest-xdist"
    )
    session.run("scripts/ansible-test", "units", external=True, env={"ARCA_DNS_BIN": session.bin})
