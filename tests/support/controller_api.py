# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Requests to a controller in a test client, with a role's key, and what errors must look like."""

from __future__ import annotations

import hashlib

from starlette.testclient import TestClient

from arca_dns_controller import models

ROLES = ("admin", "editor", "viewer", "agent", "acme")

EXAMPLE = {
    "name": "example.com",
    "soa": {
        "mname": "ns1.example.com",
        "rname": "admin.example.com",
        "refresh": 3600,
        "retry": 1800,
        "expire": 604800,
        "minimum": 86400,
    },
    "records": [
        {"name": "@", "type": "NS", "ttl": 3600, "value": "ns1.example.com."},
        {"name": "ns1", "type": "A", "ttl": 3600, "value": "192.0.2.1"},
        {"name": "www", "type": "A", "ttl": 300, "values": ["192.0.2.80", "192.0.2.81"]},
        {"name": "mail.example.com.", "type": "TXT", "value": '"a b" c'},
    ],
}


def role_keys() -> list[dict[str, str]]:
    """A key for each role, as the configuration has them; :class:`Api` sends them."""
    return [
        {"name": f"the-{role}", "role": role, "sha256": hashlib.sha256(f"key-of-{role}".encode()).hexdigest()}
        for role in ROLES
    ]


class Api:
    """Requests with a role's key; paths are below /api/v1."""

    def __init__(self, client: TestClient, role: str | None) -> None:
        self.client = client
        self.headers = {} if role is None else {"Authorization": f"Bearer key-of-{role}"}

    def __call__(self, method: str, path: str, **options):  # type: ignore[no-untyped-def]
        headers = {**self.headers, **options.pop("headers", {})}
        return self.client.request(method, f"/api/v1{path}", headers=headers, **options)

    def write(self, method: str, path: str, zone: str = "example.com.", **options):  # type: ignore[no-untyped-def]
        """A write that is fenced with the zone's current version."""
        etag = self("HEAD", f"/zones/{zone}").headers["etag"]
        return self(method, path, headers={"If-Match": etag}, **options)


def problem(answer, status: int, code: str) -> dict:  # type: ignore[no-untyped-def, type-arg]
    assert answer.status_code == status, answer.text
    assert answer.headers["content-type"] == "application/problem+json"
    models.Problem.model_validate_json(answer.content)
    body: dict[str, object] = answer.json()
    assert (body["status"], body["code"], body["type"]) == (status, code, f"urn:arca-dns:problem:{code}")
    return body
