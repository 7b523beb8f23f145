# Copyright (c) 2026 the arca.dns contributors
# GNU General Public License v3.0+ (see LICENSES/GPL-3.0-or-later.txt or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

"""The lookup ds: order, zones that are missing, errors."""

from __future__ import annotations

import pytest
from ansible.errors import AnsibleLookupError
from ansible.plugins.loader import lookup_loader
from ansible_collections.arca.dns.plugins.lookup import ds
from ansible_collections.arca.dns.plugins.module_utils.arca_dns.errors import AccessDenied, NotFound


class FakeClient:
    def __init__(self):
        self.closed = False

    def ds(self, name, digest_types):
        if name == "denied.":
            raise AccessDenied("the key may not")
        if name != "example.com":
            raise NotFound(f"there is no zone {name}")
        return [f"1 13 {digest} AB" for digest in digest_types]

    def close(self):
        self.closed = True


@pytest.fixture
def client(monkeypatch):
    made = FakeClient()
    monkeypatch.setattr(ds, "connect", lambda _options, read_only: made)
    return made


def lookup(terms, **options):
    return lookup_loader.get("arca.dns.ds").run(terms, variables={}, **options)


def test_the_ds_records_come_zone_by_zone(client):
    assert lookup(["example.com", "example.com"], digest_types=[2, 4]) == ["1 13 2 AB", "1 13 4 AB"] * 2
    assert client.closed


def test_a_zone_that_is_missing_is_an_error(client):
    with pytest.raises(AnsibleLookupError, match=r"there is no zone other\."):
        lookup(["example.com", "other."])
    assert client.closed


def test_a_zone_that_is_missing_may_be_empty(client):
    assert lookup(["other.", "example.com"], missing="empty") == ["1 13 2 AB"]


def test_errors_are_the_librarys_own(client):
    with pytest.raises(AnsibleLookupError, match=r"arca\.dns\.ds: the key may not"):
        lookup(["denied."], missing="empty")


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({}, "say where the zones are"),
        ({"controller_url": "http://dns.test"}, "api_key is missing"),
        ({"controller_url": "dns.test", "api_key": "k"}, "is not the URL of a controller"),
        ({"backend": "sqlite"}, "say where the zones are"),
    ],
)
def test_options_that_lead_nowhere_are_said(options, says, monkeypatch):
    monkeypatch.delenv("ARCA_DNS_API_KEY", raising=False)
    monkeypatch.delenv("ARCA_DNS_CONTROLLER_URL", raising=False)
    with pytest.raises(AnsibleLookupError, match=says):
        lookup(["example.com"], **options)
