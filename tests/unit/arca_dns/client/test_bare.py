# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Modules travel to hosts without our packages: in API mode the standard library must do."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import arca_dns

# -S leaves out every installed package, -I the environment: what remains is the standard library.
SCRIPT = """
import sys
sys.path.insert(0, sys.argv[1])
from arca_dns.client.http import HttpClient
from arca_dns.client.open import LocalFiles, open_local
from arca_dns.errors import MissingDependency, StoreUnavailable
from pathlib import Path
HttpClient("http://127.0.0.1:1", "key")
try:
    open_local("sqlite", LocalFiles.beside(Path(sys.argv[2])), actor="x")
except MissingDependency as error:
    print(error)
for name in ("dns", "cryptography", "sqlalchemy", "alembic", "yaml", "idna"):
    assert name not in sys.modules, name
"""


def test_without_third_party_packages_the_api_works_and_the_rest_names_what_is_missing(tmp_path: Path) -> None:
    library = str(Path(arca_dns.__file__).parents[1])
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", SCRIPT, library, str(tmp_path / "x.db")],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.stderr == ""
    assert done.stdout == (
        "this needs alembic, cryptography, dnspython, SQLAlchemy on the Python path: "
        "pip install alembic cryptography dnspython SQLAlchemy\n"
    )
    assert list(tmp_path.iterdir()) == []
