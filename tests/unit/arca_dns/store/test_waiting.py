# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""A store that is opened when its backend answers at last."""

from __future__ import annotations

import hashlib

import pytest

from arca_dns.errors import StoreError, StoreUnavailable
from arca_dns.store.base import Store, Transaction
from arca_dns.store.memory import MemoryStore
from arca_dns.store.waiting import WaitingStore


class Opener:
    """Opens a store in memory, once *error* is gone; a clock as well."""

    def __init__(self) -> None:
        self.error: Exception | None = StoreUnavailable("the server does not answer")
        self.calls = 0
        self.now = 100.0

    def __call__(self) -> Store:
        self.calls += 1
        if self.error is not None:
            raise self.error
        return MemoryStore()

    def clock(self) -> float:
        return self.now


def test_every_call_fails_until_the_backend_answers_and_works_from_then_on() -> None:
    opener = Opener()
    store = WaitingStore(opener, clock=opener.clock)
    data = b"x"
    digest = hashlib.sha256(data).hexdigest()
    calls = [
        lambda: store.get("a"),
        lambda: store.scan(""),
        lambda: store.commit(Transaction(writes={"a": {}})),
        lambda: store.write_blobs({digest: data}),
        lambda: store.replace_blobs({digest: data}),
        lambda: store.read_blobs([digest]),
        lambda: store.watch(0, 0),
        lambda: store.sweep([digest]),
    ]
    for call in calls:
        with pytest.raises(StoreUnavailable, match="does not answer"):
            call()
    opener.error, opener.now = None, 101.0
    for call in calls:
        call()
    assert store.get("a") is not None
    assert store.read_blobs([digest]) == {digest: data}
    store.close()


def test_a_backend_that_is_down_is_not_tried_for_every_call() -> None:
    opener = Opener()
    store = WaitingStore(opener, pause=2.0, clock=opener.clock)
    for moment, calls in ((100.0, 1), (101.9, 1), (102.0, 2), (103.0, 2)):
        opener.now = moment
        with pytest.raises(StoreUnavailable):
            store.get("a")
        assert opener.calls == calls


def test_an_error_that_waiting_does_not_cure_is_told_as_it_is() -> None:
    opener = Opener()
    opener.error = StoreError("the schema is too new")
    with pytest.raises(StoreError, match="too new") as caught:
        WaitingStore(opener).get("a")
    assert not isinstance(caught.value, StoreUnavailable)


def test_closing_what_was_never_opened_opens_nothing() -> None:
    opener = Opener()
    WaitingStore(opener).close()
    assert opener.calls == 0
