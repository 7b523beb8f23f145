# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Section dns of the configuration."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from arca_dns.config import build
from arca_dns.documents import ZoneSettings
from arca_dns.errors import ConfigError, InputError
from arca_dns.zone import names, rr
from arca_dns_controller.config import ControllerConfig
from arca_dns_controller.dns.settings import TsigKey

SECRET = "MTIzNDU2Nzg5MDEyMzQ1Njc4OTAxMjM0NTY3ODkwMTI="
GOOD: dict[str, Any] = {
    "listen": ["127.0.0.1:5353", "[::1]:5353"],
    "tsig_keys": [{"name": "k", "secret": SECRET}],
    "secondaries": [{"address": "192.0.2.1", "tsig_key": "K."}],
    "allow_transfer": ["192.0.2.0/24 key:k"],
    "catalog_zone": "catalog.example",
    "update_policy": [{"key": "k", "zones": ["*"], "names": ["_acme-challenge.*"], "types": ["TXT"]}],
}


def made(**changes: Any) -> ControllerConfig:
    return build({"dns": {**GOOD, **changes}}, ControllerConfig)


def test_without_the_section_nothing_listens() -> None:
    assert build({}, ControllerConfig).dns.addresses() == []


def test_a_whole_section() -> None:
    dns = made().dns
    assert dns.addresses() == [("127.0.0.1", 5353), ("::1", 5353)]
    key = names.from_text("k")
    assert [rule.allows("192.0.2.1", key) for rule in dns.rules()] == [True, True]
    scope = dns.update_policy[0].scope()
    zone = names.from_text("example.com")
    assert scope.has(zone, names.from_text("_acme-challenge.www.example.com"), rr.TXT)
    assert not scope.has(zone, names.from_text("www.example.com"), rr.TXT)
    assert SECRET not in repr(dns)


@pytest.mark.parametrize(
    ("changes", "place"),
    [
        ({"listen": ["127.0.0.1"]}, "dns.listen[0]"),
        ({"listen": ["::1:53"]}, "dns.listen[0]"),
        ({"tsig_keys": [{"name": "k", "secret": SECRET}, {"name": "K.", "secret": SECRET}]}, "dns.tsig_keys[1].name"),
        ({"tsig_keys": [{"name": "k"}]}, "dns.tsig_keys[0].secret"),
        ({"tsig_keys": [{"name": "k", "secret": "no base64!"}]}, "dns.tsig_keys[0].secret"),
        ({"tsig_keys": [{"name": "a..b", "secret": SECRET}]}, "dns.tsig_keys[0].name"),
        ({"secondaries": [{"address": "ns.example"}]}, "dns.secondaries[0].address"),
        ({"secondaries": [{"address": "192.0.2.1", "tsig_key": "other"}]}, "dns.secondaries[0].tsig_key"),
        ({"allow_transfer": ["example.com"]}, "dns.allow_transfer[0]"),
        ({"catalog_zone": "."}, "dns.catalog_zone"),
        ({"update_policy": [{"key": "other", "zones": ["*"]}]}, "dns.update_policy[0].key"),
        ({"update_policy": [{"key": "k", "zones": []}]}, "dns.update_policy[0].zones"),
        ({"update_policy": [{"key": "k", "zones": ["*"], "types": ["NOPE"]}]}, "dns.update_policy[0].types"),
    ],
)
def test_what_is_wrong_is_named_by_its_place(changes: dict[str, Any], place: str) -> None:
    with pytest.raises(ConfigError) as caught:
        made(**changes)
    assert any(str(one.pointer).startswith(place) for one in caught.value.places), caught.value
    assert "no base64!" not in str(caught.value)


def test_a_secret_comes_from_a_file_too(tmp_path: Path) -> None:
    file = tmp_path / "secret"
    key = TsigKey("k", secret_file=str(file))
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        key.key()
    file.write_text("\n")
    with pytest.raises(ConfigError, match="is empty"):
        key.key()
    file.write_bytes(b"\xff")
    with pytest.raises(ConfigError, match="not ASCII"):
        key.key()
    file.write_text(SECRET + "\n")
    assert key.key().secret == b"12345678901234567890123456789012"


def test_a_zone_has_its_own_list_or_that_of_the_controller() -> None:
    assert ZoneSettings.from_json({}).allow_transfer is None
    assert "allow_transfer" not in ZoneSettings.from_json({}).to_json()
    settings = ZoneSettings.from_json({"allow_transfer": ["192.0.2.1", "key:k"]})
    assert ZoneSettings.from_json(settings.to_json()) == settings
    assert ZoneSettings.from_json({"allow_transfer": []}).to_json()["allow_transfer"] == []
    for wrong in ("192.0.2.1", [1], ["nothing"]):
        with pytest.raises(InputError) as caught:
            ZoneSettings.from_json({"allow_transfer": wrong})  # type: ignore[dict-item]
        assert str(caught.value.places[0].pointer).startswith("/settings/allow_transfer")
