# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Reads what a BIND configuration says of zones and keys: ``named.conf`` with its includes, and key files.

The grammar is that of named: statements of words, quoted strings and blocks in braces, each ended by a semicolon;
comments as in C, C++ and the shell. What a statement means is looked at only for zones, views, the directory and keys.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from ..errors import BadName, InputError, Place
from . import names

#: How deep includes may nest, and blocks.
_DEPTH = 20
_BLOCKS = 50
_TOKEN = re.compile(
    r"""
      (?P<blank>[ \t\r\n\f\v\ufeff]+)
    | (?P<comment>//[^\n]*|\#[^\n]*|/\*.*?\*/)
    | (?P<open_comment>/\*)
    | "(?P<quoted>(?:[^"\\\n]|\\.)*)"
    | (?P<open_quote>")
    | (?P<mark>[{};])
    | (?P<word>(?:[^\s{};"/\#]|/(?![/*]))+)
    """,
    re.VERBOSE | re.DOTALL,
)
_ESCAPED = re.compile(r"\\(.)", re.DOTALL)
_PRIMARY = frozenset({"master", "primary"})
_IN = frozenset({"in", "class1"})


@dataclass(frozen=True, slots=True)
class Word:
    """A word or a quoted string."""

    text: str
    line: int
    quoted: bool = False


@dataclass(frozen=True, slots=True)
class Block:
    """Statements in braces."""

    statements: tuple[Statement, ...]
    line: int


Part: TypeAlias = "Word | Block"


@dataclass(frozen=True, slots=True)
class Statement:
    """What stands before a semicolon; *file* is where."""

    parts: tuple[Part, ...]
    file: Path

    @property
    def line(self) -> int:
        """Where it begins."""
        return self.parts[0].line

    def word(self, index: int) -> str | None:
        """The word at *index*; ``None`` where there is none, or a block."""
        part = self.parts[index] if index < len(self.parts) else None
        return part.text if isinstance(part, Word) else None

    def keyword(self) -> str:
        """What kind of statement this is: its first word."""
        return (self.word(0) or "").lower()

    def body(self) -> tuple[Statement, ...]:
        """The statements of its last block; empty if it has none."""
        return next((part.statements for part in reversed(self.parts) if isinstance(part, Block)), ())


@dataclass(frozen=True, slots=True)
class PrimaryZone:
    """A zone of which the server is the primary, and its file."""

    name: bytes
    file: Path
    place: str


@dataclass(frozen=True, slots=True)
class NamedConf:
    """The zones of a configuration: those with a file to read, and the names and types of others."""

    zones: tuple[PrimaryZone, ...]
    others: tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True)
class SharedKey:
    """A ``key`` statement: name, algorithm and secret in base64, which shows in no ``repr``."""

    name: str
    algorithm: str
    secret: str

    def __repr__(self) -> str:
        return f"<SharedKey {self.name}>"


def parse(text: str, file: Path) -> tuple[Statement, ...]:
    """The statements of *text*. Raises :class:`InputError` with the line of what is wrong."""
    tokens = list(_tokens(text, file))
    statements, at = _statements(tokens, 0, file, 0)
    if at != len(tokens):
        raise _wrong(file, tokens[at].line, "there is a '}' without a '{'")
    return statements


def read_zones(path: Path) -> NamedConf:
    """The zones of the configuration in *path* and what it includes.

    Relative paths are taken from the ``directory`` of its options, or from the folder of *path* where there is none.
    Raises :class:`InputError` that lists everything that is wrong.
    """
    reader = _Reader(path.absolute().parent)
    reader.read(reader.load(path.absolute(), 0))
    if len(reader.views) > 1:
        raise InputError(
            f"{path} has {len(reader.views)} views ({', '.join(reader.views)}): a zone has one content here. Make a"
            " configuration with the zones of one view and import that"
        )
    seen: dict[bytes, str] = {}
    for zone in reader.zones():
        first = seen.setdefault(zone.name, zone.place)
        if first != zone.place:
            reader.places.append(Place(f"{zone.place}: zone {names.to_text(zone.name)} stands at {first} already"))
    if reader.places:
        count = len(reader.places)
        raise InputError(f"{path} has {count} mistake{'s' if count > 1 else ''}", reader.places)
    return NamedConf(reader.zones(), tuple(reader.others))


def read_key(path: Path, name: str | None = None) -> SharedKey:
    """The ``key`` statement in *path*; with *name* the one of that name. Raises :class:`InputError`."""
    found = [statement for statement in parse(_text(path), path) if statement.keyword() == "key"]
    keys: list[SharedKey] = []
    for statement in found:
        fields = {inner.keyword(): inner.word(1) for inner in statement.body()}
        key, algorithm, secret = statement.word(1), fields.get("algorithm"), fields.get("secret")
        if not key or not algorithm or not secret:
            raise _wrong(path, statement.line, "a key needs a name, an algorithm and a secret")
        if name is None or key.lower().rstrip(".") == name.lower().rstrip("."):
            keys.append(SharedKey(key, algorithm.lower().rstrip("."), secret))
    if len(keys) != 1:
        raise InputError(f'{path} has {len(keys)} keys, not one: key "name" {{ algorithm hmac-sha256; secret "…"; }};')
    return keys[0]


class _Reader:
    """One run over a configuration and its includes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._files: list[tuple[bytes, str, str]] = []
        self.others: list[tuple[str, str]] = []
        self.views: list[str] = []
        self.places: list[Place] = []

    def zones(self) -> tuple[PrimaryZone, ...]:
        """The primary zones; named looks for their files once it has read all, so in the last directory."""
        return tuple(PrimaryZone(name, self._folder / file, place) for name, file, place in self._files)

    def load(self, path: Path, depth: int) -> Iterator[Statement]:
        """The statements of *path*, those that it includes in their places, one after the other."""
        if depth > _DEPTH:
            raise InputError(f"{path} is included more than {_DEPTH} deep: does it include itself?")
        yield from self._included(parse(_text(path), path), depth)

    def _included(self, statements: Sequence[Statement], depth: int) -> Iterator[Statement]:
        for statement in statements:
            wanted = statement.word(1)
            if statement.keyword() != "include" or wanted is None:
                yield statement
                continue
            path = self._folder / wanted
            # named takes patterns too
            several = sorted(path.parent.glob(path.name)) if any(c in wanted for c in "*?[") else [path]
            if not several:
                raise _wrong(statement.file, statement.line, f"no file is like {path}")
            for one in several:
                try:
                    yield from self.load(one, depth + 1)
                except InputError as error:
                    if error.message.startswith(f"{one} cannot be read"):
                        raise _wrong(statement.file, statement.line, f"includes {error.message}") from None
                    raise

    def read(self, statements: Iterator[Statement]) -> None:
        """Take what *statements* say of zones."""
        for statement in statements:
            kind = statement.keyword()
            if kind == "options":
                for option in self._included(statement.body(), 1):
                    if option.keyword() == "directory":
                        self._folder /= option.word(1) or ""
            elif kind == "view":
                self.views.append(statement.word(1) or "")
                self.read(self._included(statement.body(), 1))
            elif kind == "zone":
                self._zone(statement)

    def _zone(self, statement: Statement) -> None:
        place = f"{statement.file}, line {statement.line}"
        text, group = statement.word(1), statement.word(2)
        if text is None:
            self.places.append(Place(f"{place}: a zone needs a name"))
            return
        if group is not None and group.lower() not in _IN:
            self.others.append((text, f"class {group}"))
            return
        fields = {inner.keyword(): inner for inner in self._included(statement.body(), 1)}
        for unsupported in ("in-view", "template", "database", "dlz"):
            if unsupported in fields:
                self.places.append(Place(f"{place}: zone {text} has '{unsupported}', which is not supported here"))
                return
        kind = (fields["type"].word(1) or "").lower() if "type" in fields else ""
        if kind not in _PRIMARY:
            if not kind:
                self.places.append(Place(f"{place}: zone {text} has no type"))
            self.others.append((text, kind))
            return
        form = fields["masterfile-format"].word(1) if "masterfile-format" in fields else "text"
        if (form or "").lower() != "text":
            self.places.append(
                Place(f"{place}: the file of zone {text} is in format {form}: write it as text with named-compilezone")
            )
            return
        file = fields["file"].word(1) if "file" in fields else None
        if not file:
            self.places.append(Place(f"{place}: zone {text} has no file"))
            return
        try:
            name = names.from_text(text, names.ROOT)
        except BadName as error:
            self.places.append(Place(f"{place}: {error.message}"))
            return
        self._files.append((name, file, place))


def _text(path: Path) -> str:
    try:
        return path.read_bytes().decode("utf-8", "surrogateescape")
    except OSError as error:
        raise InputError(f"{path} cannot be read: {error.strerror}") from None


def _wrong(file: Path, line: int, message: str) -> InputError:
    return InputError(f"{file}, line {line}: {message}")


def _tokens(text: str, file: Path) -> Iterator[Word]:
    """Words, strings, and the marks ``{``, ``}`` and ``;``, which are words as well."""
    line = 1
    at = 0
    while at < len(text):
        match = _TOKEN.match(text, at)
        if match is None:
            raise _wrong(file, line, f"{text[at]!r} cannot stand here")
        kind = match.lastgroup
        if kind == "open_comment":
            raise _wrong(file, line, "a comment that begins with /* does not end")
        if kind == "open_quote":
            raise _wrong(file, line, "a string does not end on its line")
        if kind == "quoted":
            yield Word(_ESCAPED.sub(r"\1", match["quoted"]), line, True)
        elif kind in ("mark", "word"):
            yield Word(match[0], line)
        line += match[0].count("\n")
        at = match.end()


def _statements(tokens: Sequence[Word], at: int, file: Path, depth: int) -> tuple[tuple[Statement, ...], int]:
    """Statements from *at* on, up to the brace that closes their block, and where they end."""
    if depth > _BLOCKS:
        raise _wrong(file, tokens[at - 1].line, f"blocks are more than {_BLOCKS} deep")
    statements: list[Statement] = []
    parts: list[Part] = []
    while at < len(tokens):
        token = tokens[at]
        mark = "" if token.quoted else token.text
        if mark == "}":
            break
        at += 1
        if mark == "{":
            inner, at = _statements(tokens, at, file, depth + 1)
            if at == len(tokens):
                raise _wrong(file, token.line, "a '{' without its '}'")
            parts.append(Block(inner, token.line))
            at += 1
        elif mark == ";":
            if parts:
                statements.append(Statement(tuple(parts), file))
                parts = []
        else:
            parts.append(token)
    if parts:
        raise _wrong(file, parts[-1].line, "a ';' is missing behind what begins here")
    return tuple(statements), at
