# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""What the REST client sends, how it reads answers, and what it makes of every kind of failure."""

from __future__ import annotations

import io
import json
import socket
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass, field
from email.message import Message
from http.client import RemoteDisconnected

import pytest

from arca_dns import errors
from arca_dns.client.base import Difference, Record, RecordSet, Soa, Write, ZoneContent, absolute
from arca_dns.client.http import HttpClient
from arca_dns.client.sending import kinds, make_opener

KEY = "s3cret-key"


@dataclass
class Wire:
    """Stands where urllib's opener stands; answers in order, and keeps what was sent."""

    answers: list[object]
    sent: list[urllib.request.Request] = field(default_factory=list)

    def open(self, request: urllib.request.Request, timeout: float) -> io.BytesIO:
        assert timeout == 7
        self.sent.append(request)
        answer = self.answers.pop(0)
        if isinstance(answer, BaseException):
            raise answer
        return io.BytesIO(answer if isinstance(answer, bytes) else json.dumps(answer).encode())


def client(*answers: object) -> tuple[HttpClient, Wire]:
    wire = Wire(list(answers))
    return HttpClient("http://dns.test:8053/", KEY, timeout=7, opener=wire), wire  # type: ignore[arg-type]


def http_error(status: int, body: object) -> urllib.error.HTTPError:
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    return urllib.error.HTTPError("http://dns.test", status, "Reason", Message(), io.BytesIO(data))


def problem(code: str, status: int = 422, **more: object) -> urllib.error.HTTPError:
    return http_error(status, {"type": "about:blank", "title": "T", "status": status, "code": code, **more})


STATE = {
    "name": "example.com.",
    "version": "v1",
    "serial": 5,
    "record_count": 3,
    "published": {"version": "v9", "serial": 6},
    "settings": {"dnssec": True},
    "created": "2026-01-01T00:00:00Z",
    "modified": "2026-01-02T00:00:00Z",
    "problem": None,
}
WRITTEN = {
    "changed": True,
    "applied": True,
    "version": "v2",
    "serial": 6,
    "published": True,
    "problem": None,
    "plan": {
        "adds": [{"name": "www.example.com.", "type": "A", "ttl": 60, "values": ["192.0.2.1", "192.0.2.2"]}],
        "changes": [
            {
                "name": "@",
                "type": "MX",
                "before": {"ttl": 60, "values": ["10 a."]},
                "after": {"ttl": 90, "values": ["20 a."]},
            }
        ],
        "removals": [{"name": "old", "type": "TXT", "ttl": 5, "values": ['"x"']}],
        "warnings": ["careful"],
        "refusals": ["empties the zone"],
    },
}
NOTHING = {"changed": False, "applied": False, "version": "v1", "serial": 5, "plan": {}}


def test_every_request_carries_the_key_and_goes_to_the_api() -> None:
    api, wire = client(STATE)
    api.zone("example.com")
    (request,) = wire.sent
    assert request.full_url == "http://dns.test:8053/api/v1/zones/example.com.?records=false"
    assert request.get_method() == "GET"
    assert request.get_header("Authorization") == f"Bearer {KEY}"


def test_a_zones_state_is_read() -> None:
    api, _wire = client(STATE)
    state = api.zone("example.com.")
    assert (state.name, state.version, state.serial, state.records) == ("example.com.", "v1", 5, 3)
    assert (state.published_version, state.published_serial, state.problem) == ("v9", 6, None)
    assert state.settings == {"dnssec": True}


def test_a_zone_that_is_not_published_has_no_published_version() -> None:
    api, _wire = client({**STATE, "published": None, "problem": "does not verify"})
    state = api.zone("example.com")
    assert (state.published_version, state.published_serial, state.problem) == (None, None, "does not verify")


def test_all_pages_of_zones_are_read() -> None:
    api, wire = client(
        {"zones": [STATE, {**STATE, "name": "b."}], "next": "b./x"}, {"zones": [{**STATE, "name": "c."}], "next": None}
    )
    assert [state.name for state in api.zones()] == ["example.com.", "b.", "c."]
    assert [request.full_url.partition("?")[2] for request in wire.sent] == ["limit=500", "limit=500&after=b.%2Fx"]


def test_records_are_read_as_rrsets_with_absolute_names() -> None:
    api, _wire = client(
        {
            **STATE,
            "soa": {
                "mname": "ns1.example.com.",
                "rname": "h.example.com.",
                "serial": 5,
                "refresh": 1,
                "retry": 2,
                "expire": 3,
                "minimum": 4,
                "ttl": 60,
            },
            "records": [
                {"name": "@", "type": "NS", "ttl": 60, "value": "ns1.example.com."},
                {"name": "@", "type": "NS", "ttl": 60, "value": "ns2.example.com."},
                {"name": "www", "type": "A", "ttl": 5, "value": "192.0.2.1"},
            ],
        }
    )
    assert api.record_sets("example.com") == [
        RecordSet("example.com.", "NS", 60, ("ns1.example.com.", "ns2.example.com.")),
        RecordSet("example.com.", "SOA", 60, ("ns1.example.com. h.example.com. 5 1 2 3 4",)),
        RecordSet("www.example.com.", "A", 5, ("192.0.2.1",)),
    ]


def test_a_zone_is_created_from_text_records_soa_and_settings() -> None:
    api, wire = client(WRITTEN)
    content = ZoneContent(
        "$TTL 5\n", (Record("@", "A", ("192.0.2.1",)), Record("x", "A", ("192.0.2.2",), 9)), Soa("ns.")
    )
    api.create_zone("example.com", content, Write(reason="why & how"), {"dnssec": False})
    (request,) = wire.sent
    assert request.get_method() == "POST"
    assert request.full_url == "http://dns.test:8053/api/v1/zones?reason=why+%26+how"
    assert request.get_header("If-match") is None
    assert json.loads(request.data) == {  # type: ignore[arg-type]
        "name": "example.com.",
        "text": "$TTL 5\n",
        "records": [
            {"name": "@", "type": "A", "values": ["192.0.2.1"]},
            {"name": "x", "type": "A", "values": ["192.0.2.2"], "ttl": 9},
        ],
        "soa": {"mname": "ns.", "refresh": 10800, "retry": 3600, "expire": 1209600, "minimum": 3600, "ttl": 3600},
        "settings": {"dnssec": False},
    }


def test_a_write_is_fenced_and_says_whether_it_is_dry_or_forced() -> None:
    api, wire = client(WRITTEN, WRITTEN)
    api.replace_zone("example.com", ZoneContent(""), Write("v1", dry_run=True, force=True))
    api.delete_zone("example.com", Write())
    first, second = wire.sent
    assert (first.get_method(), first.get_header("If-match")) == ("PUT", '"v1"')
    assert first.full_url.endswith("/zones/example.com.?dry_run=true&force=true")
    assert (second.get_method(), second.get_header("If-match")) == ("DELETE", "*")
    assert second.data is None


def test_an_outcome_has_removals_changes_and_additions() -> None:
    api, _wire = client(WRITTEN)
    outcome = api.replace_zone("example.com", ZoneContent(""), Write("v1"))
    assert (outcome.changed, outcome.applied, outcome.version, outcome.serial) == (True, True, "v2", 6)
    assert outcome.plan.differences == (
        Difference(RecordSet("old.example.com.", "TXT", 5, ('"x"',)), None),
        Difference(
            RecordSet("example.com.", "MX", 60, ("10 a.",)),
            RecordSet("example.com.", "MX", 90, ("20 a.",)),
        ),
        Difference(None, RecordSet("www.example.com.", "A", 60, ("192.0.2.1", "192.0.2.2"))),
    )
    assert (outcome.plan.warnings, outcome.plan.refusals) == (("careful",), ("empties the zone",))


@pytest.mark.parametrize(
    ("zone", "owner", "path"),
    [
        ("example.com", "www", "example.com./rrsets/www.example.com./A"),
        ("example.com.", "@", "example.com./rrsets/@/A"),
        ("example.com", "other.example.com.", "example.com./rrsets/other.example.com./A"),
        (
            "0/26.2.0.192.in-addr.arpa",
            "*.a b",
            "0%2F26.2.0.192.in-addr.arpa./rrsets/*.a%20b.0%2F26.2.0.192.in-addr.arpa./A",
        ),
        ("bücher.example", "@", "b%C3%BCcher.example./rrsets/@/A"),
    ],
)
def test_names_in_paths_are_whole_and_quoted(zone: str, owner: str, path: str) -> None:
    api, wire = client(WRITTEN)
    api.put_record_set(zone, owner, "A", ["192.0.2.1"], 60, Write("v1"))
    (request,) = wire.sent
    assert request.full_url == f"http://dns.test:8053/api/v1/zones/{path}"
    assert request.get_method() == "PUT"
    assert json.loads(request.data) == {"values": ["192.0.2.1"], "ttl": 60}  # type: ignore[arg-type]


def test_no_ttl_is_sent_where_none_is_wanted() -> None:
    api, wire = client(WRITTEN)
    api.put_record_set("example.com", "@", "A", ["192.0.2.1"], None, Write("v1"))
    assert json.loads(wire.sent[0].data) == {"values": ["192.0.2.1"]}  # type: ignore[arg-type]


def test_an_rrset_that_is_missing_need_not_be_removed() -> None:
    api, _wire = client(problem("not-found", 404), STATE)
    outcome = api.delete_record_set("example.com", "www", "A", Write("v1"))
    assert (outcome.changed, outcome.version) == (False, "v1")


def test_an_rrset_cannot_be_removed_from_a_zone_that_is_missing() -> None:
    api, _wire = client(problem("not-found", 404), problem("not-found", 404))
    with pytest.raises(errors.NotFound):
        api.delete_record_set("example.com", "www", "A", Write("v1"))


def test_ds_are_asked_for_by_digest_type() -> None:
    api, wire = client({"name": "example.com.", "ds": ["1 13 2 AB", "1 13 4 CD"]})
    assert api.ds("example.com", (2, 4)) == ["1 13 2 AB", "1 13 4 CD"]
    assert wire.sent[0].full_url.endswith("/zones/example.com./ds?digest=2&digest=4")


@pytest.mark.parametrize("kind", [kind for kind in kinds().values() if kind is not errors.ArcaError])
def test_every_error_of_the_library_comes_back_as_itself(kind: type[errors.ArcaError]) -> None:
    api, _wire = client(problem(kind.code, 409, detail="what is wrong"))
    with pytest.raises(kind) as caught:
        api.zone("example.com")
    assert type(caught.value) is kind
    assert caught.value.message == "what is wrong"


def test_the_places_of_an_error_come_back() -> None:
    places = [
        {"line": 3, "column": 7, "message": "bad address"},
        {"pointer": "/records/1/values/0", "message": "bad name", "line": None},
    ]
    api, _wire = client(problem("zone-text", detail="2 mistakes", places=places))
    with pytest.raises(errors.ZoneTextError) as caught:
        api.create_zone("example.com", ZoneContent(""), Write())
    assert [str(place) for place in caught.value.places] == [
        "line 3, column 7: bad address",
        "/records/1/values/0: bad name",
    ]


def test_a_stale_version_says_which_is_current() -> None:
    api, _wire = client(problem("stale-version", 412, detail="moved on", current="v7"))
    with pytest.raises(errors.StaleVersion) as caught:
        api.delete_zone("example.com", Write("v1"))
    assert caught.value.current == "v7"


@pytest.mark.parametrize(
    ("answer", "kind", "says"),
    [
        (http_error(401, b"<html>"), errors.AccessDenied, "refuses the API key"),
        (problem("something-new", 403, detail="no"), errors.AccessDenied, "no"),
        (problem("something-new", 400, detail="no"), errors.InputError, "no"),
        (problem("something-new", 500, detail="no"), errors.ArcaError, "no"),
        (http_error(502, b"<html>"), errors.StoreUnavailable, "answers 502"),
        (http_error(308, b""), errors.StoreUnavailable, "give the URL of the controller itself"),
        (urllib.error.URLError(ConnectionRefusedError(111, "refused")), errors.StoreUnavailable, "does not answer"),
        (urllib.error.URLError(socket.gaierror(-2, "unknown")), errors.StoreUnavailable, "does not answer"),
        (urllib.error.URLError(ssl.SSLError(1, "self-signed")), errors.StoreUnavailable, "self-signed"),
        (TimeoutError("timed out"), errors.StoreUnavailable, "broke off: timed out"),
        (RemoteDisconnected("closed"), errors.StoreUnavailable, "broke off"),
        (b"<html>a web page</html>", errors.StoreUnavailable, "is the URL right"),
        (b"[]", errors.StoreUnavailable, "is the URL right"),
    ],
)
def test_what_goes_wrong_on_the_way_is_said_without_the_key(answer: object, kind: type, says: str) -> None:
    api, _wire = client(answer)
    with pytest.raises(kind) as caught:
        api.zone("example.com")
    assert says in str(caught.value)
    assert KEY not in str(caught.value)
    assert KEY not in repr(api)


@pytest.mark.parametrize("url", ["", "dns.test:8053", "ftp://dns.test", "http://", "file:///etc/passwd"])
def test_what_is_no_controllers_url_is_refused(url: str) -> None:
    with pytest.raises(errors.ConfigError, match="is not the URL of a controller"):
        HttpClient(url, KEY)


def test_a_password_in_the_url_is_refused_and_not_repeated() -> None:
    with pytest.raises(errors.ConfigError) as caught:
        HttpClient("http://user:hunter2@dns.test", KEY)
    assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("key", ["a\nb", "schlüssel", "a b"])
def test_a_key_that_no_header_can_carry_is_refused_and_not_repeated(key: str) -> None:
    with pytest.raises(errors.ConfigError) as caught:
        HttpClient("http://dns.test", key)
    assert key not in str(caught.value)


def test_authorities_that_cannot_be_read_are_said(tmp_path) -> None:
    with pytest.raises(errors.ConfigError, match="cannot be read"):
        make_opener(ca_path=str(tmp_path / "missing.pem"))


def test_certificates_are_checked_unless_told_otherwise() -> None:
    def context(opener: urllib.request.OpenerDirector) -> ssl.SSLContext:
        (handler,) = (h for h in opener.handlers if isinstance(h, urllib.request.HTTPSHandler))
        return handler._context  # type: ignore[attr-defined,no-any-return]

    assert context(make_opener()).verify_mode is ssl.CERT_REQUIRED
    assert context(make_opener(validate_certs=False)).verify_mode is ssl.CERT_NONE


def test_redirects_are_not_followed() -> None:
    opener = make_opener()
    (handler,) = (h for h in opener.handlers if isinstance(h, urllib.request.HTTPRedirectHandler))
    request = urllib.request.Request("http://dns.test/")
    assert handler.redirect_request(request, io.BytesIO(), 302, "Found", Message(), "http://evil.test/") is None


@pytest.mark.parametrize(
    ("name", "zone", "whole"),
    [
        ("@", "example.com", "example.com."),
        ("www", "example.com.", "www.example.com."),
        ("www.", "example.com", "www."),
        ("com", ".", "com."),
        ("@", ".", "."),
        (r"a\.", "example.com", r"a\..example.com."),
    ],
)
def test_names_become_absolute(name: str, zone: str, whole: str) -> None:
    assert absolute(name, zone) == whole
