# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""One field of a multipart form (RFC 7578), read in memory: nothing of a body stands in temporary files.

How large a body may be is the business of :class:`.middleware.BodyLimit`.
"""

from __future__ import annotations

from collections.abc import AsyncIterator

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from arca_dns.errors import InputError, Place

from .problem import BadRequest

_MOST_PARTS = 16
_MOST_HEADER_OCTETS = 4096


class _Form:
    """What the parser tells, of which one field is kept."""

    def __init__(self, wanted: str) -> None:
        self.found: list[bytearray] = []
        self.others: list[str] = []
        self.ended = False
        self._wanted = wanted
        self._into: bytearray | None = None
        self._name, self._value, self._disposition = bytearray(), bytearray(), b""
        self._parts = 0

    def on_part_begin(self) -> None:
        """A part begins."""
        self._parts += 1
        if self._parts > _MOST_PARTS:
            raise BadRequest(f"the form has more than {_MOST_PARTS} parts")
        self._into, self._disposition = None, b""

    def on_header_field(self, data: bytes, start: int, end: int) -> None:
        """A piece of the name of a header."""
        self._keep(self._name, data[start:end])

    def on_header_value(self, data: bytes, start: int, end: int) -> None:
        """A piece of its value."""
        self._keep(self._value, data[start:end])

    def on_header_end(self) -> None:
        """A header is whole."""
        if self._name.lower() == b"content-disposition":
            self._disposition = bytes(self._value)
        elif self._name.lower() == b"content-transfer-encoding" and self._value.strip().lower() not in _PLAIN:
            raise BadRequest("a part of the form has a Content-Transfer-Encoding; send it as it is (RFC 7578)")
        self._name, self._value = bytearray(), bytearray()

    def on_headers_finished(self) -> None:
        """The content of a part begins."""
        name = parse_options_header(self._disposition)[1].get(b"name", b"").decode("utf-8", "replace")
        if name == self._wanted:
            self._into = bytearray()
            self.found.append(self._into)
        else:
            self.others.append(name)

    def on_part_data(self, data: bytes, start: int, end: int) -> None:
        """A piece of a part."""
        if self._into is not None:
            self._into += data[start:end]

    def on_end(self) -> None:
        """The last boundary."""
        self.ended = True

    @staticmethod
    def _keep(into: bytearray, piece: bytes) -> None:
        if len(into) + len(piece) > _MOST_HEADER_OCTETS:
            raise BadRequest(f"a header of a part has more than {_MOST_HEADER_OCTETS} octets")
        into += piece


_PLAIN = (b"7bit", b"8bit", b"binary")


async def field(stream: AsyncIterator[bytes], content_type: str, name: str) -> bytes:
    """The content of field *name*, which must stand alone in the form. Raises ``BadRequest`` and ``InputError``."""
    boundary = parse_options_header(content_type)[1].get(b"boundary", b"")
    if not 0 < len(boundary) <= 70:
        raise BadRequest("the Content-Type of a form needs its boundary, of 1 to 70 characters (RFC 2046)")
    form = _Form(name)
    parser = MultipartParser(
        boundary,
        {
            "on_part_begin": form.on_part_begin,
            "on_header_field": form.on_header_field,
            "on_header_value": form.on_header_value,
            "on_header_end": form.on_header_end,
            "on_headers_finished": form.on_headers_finished,
            "on_part_data": form.on_part_data,
            "on_end": form.on_end,
        },
    )
    try:
        async for piece in stream:
            parser.write(piece)
    except FormParserError as error:
        raise BadRequest(f"the body is not multipart/form-data as its boundary says: {error}") from None
    if not form.ended:
        raise BadRequest("the form ends before its last boundary")
    if len(form.found) != 1 or form.others:
        has = ", ".join(repr(one[:40]) for one in [*form.others, *[name] * len(form.found)]) or "none"
        raise InputError(
            f"the form must have one field, {name}; it has {has}", [Place("is the only field", pointer=f"/{name}")]
        )
    return bytes(form.found[0])
