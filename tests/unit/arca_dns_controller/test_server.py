# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The daemon at its border: slow and hostile clients, TLS and its renewal, proxies, SIGHUP, unsafe starts."""

from __future__ import annotations

import datetime
import hashlib
import json
import signal
import socket
import ssl
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from controller_process import KEY, configuration, free_port, run, running

PATIENCE = 30.0
IMPATIENT = """header_timeout: 1
          body_timeout: 1
          trusted_proxies: [127.0.0.0/8]"""


@pytest.fixture(scope="module")
def port(tmp_path_factory: pytest.TempPathFactory) -> Iterator[int]:
    """Where a controller listens that waits for a second at most, and is behind a proxy."""
    folder = tmp_path_factory.mktemp("impatient")
    number = free_port()
    config = configuration(folder / "c", number, IMPATIENT)
    assert run("init", "--config", config).returncode == 0
    with running(config, folder):
        yield number


def ask(
    port: int,
    path: str,
    *,
    key: str = KEY,
    body: bytes | None = None,
    headers: dict[str, str] | None = None,
    scheme: str = "http",
    context: ssl.SSLContext | None = None,
) -> tuple[int, bytes]:
    request = urllib.request.Request(
        f"{scheme}://localhost:{port}/api/v1{path}" if context else f"{scheme}://127.0.0.1:{port}/api/v1{path}",
        body,
        {"X-API-Key": key, "Content-Type": "application/json", **(headers or {})},
    )
    try:
        with urllib.request.urlopen(request, timeout=PATIENCE, context=context) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read()


def until(wanted: Callable[[], bool]) -> None:
    deadline = time.monotonic() + PATIENCE
    while not wanted():
        assert time.monotonic() < deadline
        time.sleep(0.05)


@pytest.mark.parametrize("sent", [b"", b"GET /api/v1/health HTTP/1.1\r\nHost: a\r\nX-Slow: "], ids=["silent", "slow"])
def test_who_does_not_finish_its_headers_is_cut_off(port: int, sent: bytes) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as client:
        client.sendall(sent)
        assert client.recv(1000) == b""
    assert ask(port, "/health")[0] == 200


def test_headers_that_drip_in_are_cut_off_on_a_connection_that_was_good(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as client:
        client.sendall(b"GET /api/v1/health HTTP/1.1\r\nHost: a\r\n\r\n")
        assert client.recv(5000).startswith(b"HTTP/1.1 200")
        with pytest.raises((BrokenPipeError, ConnectionResetError)):
            _drip(client)
    assert ask(port, "/health")[0] == 200


def _drip(client: socket.socket) -> None:
    for _second in range(300):
        client.sendall(b"E")
        time.sleep(0.1)


def test_a_body_that_does_not_come_gets_408(port: int) -> None:
    head = f"POST /api/v1/zones HTTP/1.1\r\nHost: a\r\nX-API-Key: {KEY}\r\nContent-Length: 100\r\n\r\n{{"
    with socket.create_connection(("127.0.0.1", port), timeout=PATIENCE) as client:
        client.sendall(head.encode())
        with client.makefile("rb") as answers:
            answer = answers.read()  # to the end: the connection is closed
    assert answer.startswith(b"HTTP/1.1 408")
    assert b"urn:arca-dns:problem:too-slow" in answer


def test_a_request_that_takes_longer_to_answer_than_to_send_is_not_cut_off(port: int) -> None:
    status, _body = ask(port, "/heads/stable?after=999999&timeout=2")
    assert status in (304, 404)


def test_compressed_bodies_are_refused(port: int) -> None:
    status, body = ask(port, "/zones", body=b"\x1f\x8b" * 10, headers={"Content-Encoding": "gzip"})
    assert (status, json.loads(body)["code"]) == (415, "unsupported-media-type")


@pytest.mark.parametrize("opened", [b"[", b'{"a":'])
def test_json_nested_without_end_is_no_crash(port: int, opened: bytes) -> None:
    status, _body = ask(port, "/zones", body=opened * 200_000)
    assert status in (400, 422)
    assert ask(port, "/health")[0] == 200


def test_a_trusted_proxy_says_whose_request_it_is(port: int) -> None:
    origin = {"X-Forwarded-For": "198.51.100.1, 203.0.113.9"}
    status, _body = ask(port, "/keys", body=b'{"name": "k", "role": "viewer"}', headers=origin)
    assert status == 201
    (entry,) = json.loads(ask(port, "/audit?limit=1")[1])["entries"]
    assert entry["origin"] == "203.0.113.9"


def certificate(folder: Path, name: str = "tls") -> int:
    """Write a key and a certificate that signs itself; its serial."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    now = datetime.datetime.now(datetime.UTC)
    made = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(subject)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName("localhost")]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    form = serialization.PrivateFormat.PKCS8
    secret = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    (folder / f"{name}.key").write_bytes(secret)
    (folder / f"{name}.key").chmod(0o600)
    (folder / f"{name}.crt").write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return made.serial_number


def served(port: int) -> int:
    text = ssl.get_server_certificate(("127.0.0.1", port), timeout=PATIENCE)
    return x509.load_pem_x509_certificate(text.encode()).serial_number


def test_tls_with_a_certificate_that_is_renewed_without_a_restart(tmp_path: Path) -> None:
    number = free_port()
    tls = f"tls: {{cert_file: {tmp_path}/tls.crt, key_file: {tmp_path}/tls.key, minimum_version: '1.3'}}"
    config = configuration(tmp_path / "c", number, tls)
    first = certificate(tmp_path)
    assert run("init", "--config", config).returncode == 0
    with running(config, tmp_path) as process:
        context = ssl.create_default_context(cafile=str(tmp_path / "tls.crt"))
        assert ask(number, "/status", scheme="https", context=context)[0] == 200
        old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
        old.maximum_version = ssl.TLSVersion.TLSv1_2
        with pytest.raises(urllib.error.URLError):
            ask(number, "/health", scheme="https", context=old)
        # Half a renewal: the certificate is there, its key is not.
        certificate(tmp_path, "half")
        (tmp_path / "tls.crt").write_bytes((tmp_path / "half.crt").read_bytes())
        process.send_signal(signal.SIGHUP)
        time.sleep(0.5)
        assert served(number) == first
        second = certificate(tmp_path)
        process.send_signal(signal.SIGHUP)
        until(lambda: served(number) == second)


def test_a_tls_key_that_everybody_can_read_is_refused(tmp_path: Path) -> None:
    tls = f"tls: {{cert_file: {tmp_path}/tls.crt, key_file: {tmp_path}/tls.key}}"
    config = configuration(tmp_path / "c", free_port(), tls)
    certificate(tmp_path)
    (tmp_path / "tls.key").chmod(0o644)
    assert run("init", "--config", config).returncode == 0
    done = run("serve", "--config", config)
    assert done.returncode == 1
    assert "can be read by everybody" in done.stderr
    assert "Traceback" not in done.stderr


def test_a_hangup_takes_what_can_change_and_names_what_cannot(tmp_path: Path) -> None:
    number = free_port()
    config = configuration(tmp_path / "c", number)
    assert run("init", "--config", config).returncode == 0
    text = config.read_text()
    with running(config, tmp_path) as process:
        assert process.stderr is not None
        config.write_text(text + "nonsense: 1\n")
        process.send_signal(signal.SIGHUP)
        _said(process, "the configuration was not reloaded")
        assert ask(number, "/status")[0] == 200
        digest = hashlib.sha256(b"another").hexdigest()
        config.write_text(text.replace(hashlib.sha256(KEY.encode()).hexdigest(), digest) + "log: {level: error}\n")
        process.send_signal(signal.SIGHUP)
        until(lambda: ask(number, "/status", key="another")[0] == 200)
        assert ask(number, "/status")[0] == 401
        config.write_text(text.replace(f":{number}", f":{free_port()}"))
        process.send_signal(signal.SIGHUP)
        assert "api.listen" in _said(process, "after a restart")
        assert ask(number, "/status")[0] == 200


def _said(process: subprocess.Popen[str], wanted: str) -> str:
    assert process.stderr is not None
    for line in process.stderr:
        if wanted in line:
            return line
    raise AssertionError(f"it ended without {wanted!r}")
