# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What is sent to do harm: forms without end, guesses at keys, line breaks in what is logged."""

from __future__ import annotations

import hmac
import http.client
import json
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import pytest

from arca_dns_controller import auth
from arca_dns_controller.auth import KeyRing, hash_key
from arca_dns_controller.config import ApiKey
from controller_api import Api, problem
from controller_process import KEY, configuration, free_port, run, running

BOUNDARY = "limit"
FORM = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
PART = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="zonefile"\r\n\r\n'
ZONE = "$ORIGIN form.example.\n@ 300 SOA ns h 1 2 3 4 5\n@ 300 NS ns\nns 300 A 192.0.2.1\n"


@pytest.mark.parametrize(
    "body",
    [
        "",
        f"--{BOUNDARY}",
        f"--{BOUNDARY}--\r\n",
        PART + ZONE,
        f"--{BOUNDARY}\r\n" + "X-Long: " + "a" * 70_000 + "\r\n\r\n",
        f"--{BOUNDARY}\r\n" + "X: y\r\n" * 5_000 + "\r\n",
        (PART + "x\r\n") * 2_000 + f"--{BOUNDARY}--\r\n",
        f"--{BOUNDARY}\r\n\r\n" * 5_000,
        "\r\n" * 40_000,
    ],
    ids=["empty", "begun", "no part", "no end", "long header", "many headers", "many parts", "parts without", "blank"],
)
def test_a_form_that_is_none_is_refused(api: Api, body: str) -> None:
    answer = api("POST", "/zones/raw", content=body.encode(), headers=FORM)
    assert answer.status_code in (400, 413, 422), answer.text
    assert api("GET", "/zones").json()["zones"] == []


@pytest.mark.parametrize("boundary", ["", '"', "a" * 500, "a b\x01", "é"])
def test_a_boundary_that_is_none_is_refused(api: Api, boundary: str) -> None:
    kind = f"multipart/form-data; boundary={boundary}".encode("latin-1")
    answer = api("POST", "/zones/raw", content=(PART + ZONE).encode(), headers={"Content-Type": kind})
    assert answer.status_code in (400, 415, 422), answer.text


def test_a_key_is_compared_with_all_keys_wherever_it_stands(monkeypatch: pytest.MonkeyPatch) -> None:
    ring = KeyRing([ApiKey(f"k{n}", "viewer", hash_key(f"secret {n}")) for n in range(5)])
    compared: list[int] = []

    def counting(one: bytes, other: bytes) -> bool:
        compared.append(len(one))
        return real(one, other)

    real = hmac.compare_digest
    monkeypatch.setattr(auth.hmac, "compare_digest", counting)
    work: dict[str, list[int]] = {}
    for presented in ("secret 0", "secret 4", "secret 9", "", "x" * 10_000):
        compared.clear()
        ring.find(presented)
        work[presented[:10]] = list(compared)
    assert set(map(tuple, work.values())) == {(32,) * 5}, "the same work, and on digests of one length"


@pytest.mark.parametrize("value", ["a\r\nX-Injected: 1", "a\nb", "\x1b[31mred", "a\x00b"])
def test_what_callers_say_is_one_line_of_the_log_and_no_header(port: int, log: Path, value: str) -> None:
    before = len(log.read_text().splitlines())
    body = json.dumps({"name": value[:1] + "k", "role": "viewer"}).encode()
    answers = [
        ask(port, "POST", f"/zones/{quote('no.zone')}/undelete?reason={quote(value)}"),
        ask(port, "POST", "/keys", body, {"X-Request-ID": "".join(c for c in value if c not in "\r\n\0")}),
        ask(port, "GET", f"/zones/{quote(value, safe='')}"),
    ]
    for status, headers in answers:
        assert status in (201, 404, 422)
        assert "x-injected" not in headers
        assert "\x1b" not in headers["x-request-id"]
    deadline = time.monotonic() + 30
    lines: list[str] = []
    while sum('"event": "request"' in line for line in lines) < len(answers):  # written behind the answer
        assert time.monotonic() < deadline, lines
        lines = log.read_text().splitlines()[before:]
    assert all(isinstance(json.loads(line), dict) for line in lines), "each line is JSON by itself"
    assert "\x1b" not in "".join(lines)


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("log") / "log"


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory, log: Path) -> Iterator[int]:
    """A controller whose log goes to a file, as the journal of systemd gets it."""
    folder = tmp_path_factory.mktemp("controller")
    number = free_port()
    config = configuration(folder / "c", number)
    assert run("init", "--config", config).returncode == 0
    with log.open("w") as out, running(config, folder, log=out):
        yield number


def ask(
    port: int, method: str, path: str, body: bytes | None = None, headers: dict[str, str] | None = None
) -> tuple[int, dict[str, str]]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        told = {"X-API-Key": KEY, "Content-Type": "application/json", **(headers or {})}
        connection.request(method, f"/api/v1{path}", body, told)
        answer = connection.getresponse()
        answer.read()
        return answer.status, {name.lower(): value for name, value in answer.getheaders()}


def test_an_unknown_key_stands_in_no_answer_and_no_log(api: Api, capsys: pytest.CaptureFixture[str]) -> None:
    secret = "arca_abcdefghijkl_" + "S" * 43
    for headers in ({"X-API-Key": secret}, {"Authorization": f"Bearer {secret}"}):
        stranger = Api(api.client, None)
        answer = stranger("GET", "/zones", headers=headers)
        problem(answer, 401, "unauthenticated")
        assert "SSSS" not in answer.text + str(answer.headers)
    said = capsys.readouterr()
    assert "SSSS" not in said.out + said.err
