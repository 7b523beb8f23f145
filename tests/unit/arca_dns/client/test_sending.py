# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""When a request is sent again, and to which controller."""

from __future__ import annotations

import io
import json
import ssl
import urllib.error
import urllib.request
from email.message import Message
from http.client import RemoteDisconnected

import pytest

from arca_dns import errors
from arca_dns.client.base import Write
from arca_dns.client.http import HttpClient

STATE = {"name": "example.com.", "version": "v1", "serial": 5, "record_count": 3, "published": None}
DONE = {"changed": True, "applied": True, "version": "v2", "serial": 6, "plan": {}}


class Wire:
    """Answers in order; keeps what was sent, and how long was waited."""

    def __init__(self, *answers: object) -> None:
        self.answers = list(answers)
        self.sent: list[urllib.request.Request] = []
        self.pauses: list[float] = []

    def open(self, request: urllib.request.Request, timeout: float) -> io.BytesIO:
        self.sent.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return io.BytesIO(json.dumps(answer).encode())

    def hosts(self) -> list[str]:
        return [request.host for request in self.sent]


def client(wire: Wire, *others: str, retries: int = 2) -> HttpClient:
    return HttpClient(
        "https://one.test",
        "key",
        others=others,
        retries=retries,
        opener=wire,
        sleep=wire.pauses.append,  # type: ignore[arg-type]
    )


def refusal(status: int, **headers: str) -> urllib.error.HTTPError:
    held = Message()
    for name, value in headers.items():
        held[name.replace("_", "-")] = value
    body = json.dumps({"code": "store-unavailable", "detail": "the store is away"}).encode()
    return urllib.error.HTTPError("https://one.test", status, "Reason", held, io.BytesIO(body))


AWAY = urllib.error.URLError(ConnectionRefusedError(111, "Connection refused"))


def test_a_read_is_repeated_with_growing_pauses() -> None:
    wire = Wire(AWAY, RemoteDisconnected("gone"), STATE)
    assert client(wire).zone("example.com").version == "v1"
    assert wire.pauses == [0.5, 1.0]


def test_what_never_comes_is_an_error_after_the_last_attempt() -> None:
    wire = Wire(AWAY, AWAY, AWAY)
    with pytest.raises(errors.StoreUnavailable, match=r"one\.test does not answer"):
        client(wire).zone("example.com")
    assert len(wire.sent) == 3


@pytest.mark.parametrize("status", [429, 503])
def test_the_server_says_how_long_to_wait(status: int) -> None:
    wire = Wire(refusal(status, Retry_After="7"), STATE)
    client(wire).zone("example.com")
    assert wire.pauses == [7.0]


def test_no_server_makes_a_client_wait_for_hours() -> None:
    wire = Wire(refusal(503, Retry_After="86400"), STATE)
    client(wire).zone("example.com")
    assert wire.pauses == [60.0]


def test_a_retry_after_that_is_a_date_is_not_waited_for() -> None:
    wire = Wire(refusal(503, Retry_After="Wed, 21 Oct 2026 07:28:00 GMT"), STATE)
    client(wire).zone("example.com")
    assert wire.pauses == [0.5]


def test_another_controller_is_asked_at_once_and_from_then_on_first() -> None:
    wire = Wire(AWAY, STATE, STATE)
    api = client(wire, "https://two.test")
    api.zone("example.com")
    api.zone("example.com")
    assert (wire.hosts(), wire.pauses) == (["one.test", "two.test", "two.test"], [])


def test_a_write_whose_answer_is_lost_is_not_repeated() -> None:
    wire = Wire(RemoteDisconnected("gone"))
    with pytest.raises(errors.StoreUnavailable):
        client(wire, "https://two.test").put_record_set("example.com", "www", "A", ["192.0.2.1"], None, Write("v1"))
    assert wire.hosts() == ["one.test"]


def test_a_write_that_was_not_let_in_is_repeated() -> None:
    wire = Wire(refusal(429, Retry_After="2"), DONE)
    client(wire).delete_zone("example.com", Write("v1"))
    assert wire.pauses == [2.0]


def test_a_write_that_met_a_failing_store_is_not_repeated() -> None:
    wire = Wire(refusal(503))
    with pytest.raises(errors.StoreUnavailable):
        client(wire).delete_zone("example.com", Write("v1"))


def test_a_post_is_repeated_under_the_same_idempotency_key() -> None:
    wire = Wire(RemoteDisconnected("gone"), DONE, DONE)
    api = client(wire)
    api.undelete_zone("example.com", Write())
    api.undelete_zone("example.com", Write())
    first, again, other = (request.get_header("Idempotency-key") for request in wire.sent)
    assert first == again != other


def test_a_new_api_key_is_never_asked_for_twice() -> None:
    wire = Wire(RemoteDisconnected("gone"))
    with pytest.raises(errors.StoreUnavailable):
        client(wire).call("POST", "/keys", body={"name": "x", "role": "viewer"})
    assert not wire.sent[0].has_header("Idempotency-key")


def test_a_certificate_that_does_not_verify_is_final() -> None:
    wire = Wire(urllib.error.URLError(ssl.SSLCertVerificationError(1, "self-signed certificate")))
    with pytest.raises(errors.StoreUnavailable, match="self-signed"):
        client(wire, "https://two.test").zone("example.com")


def test_a_failure_of_the_server_names_the_request() -> None:
    wire = Wire(refusal(500, X_Request_Id="01ABC"))
    with pytest.raises(errors.StoreUnavailable, match=r"the store is away \(request 01ABC\)"):
        client(wire).zone("example.com")


def test_a_zone_file_comes_in_pieces() -> None:
    wire = Wire("@ A 192.0.2.1")
    assert "".join(client(wire).zone_file("example.com")) == '"@ A 192.0.2.1"'
    assert wire.sent[0].full_url == "https://one.test/api/v1/zones/example.com./raw"
