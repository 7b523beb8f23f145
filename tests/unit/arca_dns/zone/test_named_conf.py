# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Reading BIND's configuration."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, strategies

from arca_dns.errors import InputError
from arca_dns.zone import names
from arca_dns.zone.named_conf import Block, Statement, Word, parse, read_key, read_zones

FILE = Path("/etc/named.conf")


def shape(statement: Statement) -> list[object]:
    """Words as texts, blocks as lists."""
    return [part.text if isinstance(part, Word) else [shape(s) for s in part.statements] for part in statement.parts]


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("a b;", [["a", "b"]]),
        ("a { b; c d; };", [["a", [["b"], ["c", "d"]]]]),
        ("a { b { c; }; };", [["a", [["b", [["c"]]]]]]),
        ('file "a;b{c}";', [["file", "a;b{c}"]]),
        (r'x "say \"hi\" \\";', [["x", 'say "hi" \\']]),
        ("a; // b;\n# c;\nd /* e; \n f */ g;", [["a"], ["d", "g"]]),
        ('x "// no comment" "# nor" "/* this */";', [["x", "// no comment", "# nor", "/* this */"]]),
        ("listen-on port 53 { 127.0.0.1/8; !::1; };", [["listen-on", "port", "53", [["127.0.0.1/8"], ["!::1"]]]]),
        ("a/*x*/b;", [["a", "b"]]),
        ("; ;;", []),
        ("", []),
        ("a {};", [["a", []]]),
        ("a { } b { };", [["a", [], "b", []]]),
        ("\ufeffa;", [["a"]]),
    ],
)
def test_statements(text: str, wanted: list[object]) -> None:
    assert [shape(statement) for statement in parse(text, FILE)] == wanted


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("a", "line 1: a ';' is missing behind"),
        ("a;\nb {\n c;", "line 2: a '{' without its '}'"),
        ("a;\n};", "line 2: there is a '}' without a '{'"),
        ("a {\n b };", "line 2: a ';' is missing"),
        ('\n"abc', "line 2: a string does not end on its line"),
        ('"abc\n";', "line 1: a string does not end on its line"),
        ("a; /* b", "line 1: a comment that begins with /* does not end"),
        ("{" * 5000, "deep"),
    ],
)
def test_mistakes_have_a_line(text: str, message: str) -> None:
    with pytest.raises(InputError, match=r"/etc/named\.conf") as failure:
        parse(text, FILE)
    assert message in str(failure.value)


WORDS = strategies.text(alphabet='ab"\\;{}#/* \t-.', min_size=0, max_size=8)
TREES = strategies.recursive(
    strategies.lists(WORDS, min_size=1, max_size=3).map(list[object]),
    lambda inner: strategies.tuples(WORDS, strategies.lists(inner, max_size=3)).map(list),
    max_leaves=8,
)


def written(statement: list[object]) -> str:
    parts = []
    for part in statement:
        if isinstance(part, str):
            parts.append('"' + part.replace("\\", "\\\\").replace('"', '\\"') + '"')
        else:
            parts.append("{ " + " ".join(map(written, part)) + "/* } */ } ")  # type: ignore[call-overload]
    return " ".join(parts) + "; // ;\n"


@given(strategies.lists(TREES, max_size=4))
def test_what_is_written_is_read(tree: list[list[object]]) -> None:
    assert [shape(statement) for statement in parse("".join(map(written, tree)), FILE)] == tree


def put(folder: Path, files: dict[str, str]) -> Path:
    for name, text in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(text.replace("DIR", str(folder)))
    return folder / "named.conf"


def zones_of(path: Path) -> list[tuple[str, str]]:
    return [(names.to_text(zone.name), str(zone.file)) for zone in read_zones(path).zones]


def test_primaries_are_found_through_includes_with_their_files(tmp_path: Path) -> None:
    path = put(
        tmp_path,
        {
            "named.conf": 'include "DIR/options";\nzone "." { type hint; file "root"; };\ninclude "more/*.conf";\n'
            'zone example.com IN { type master; file "example.com.db"; allow-transfer { none; }; };\n',
            "options": 'options { directory "DIR/zones"; };',
            "zones/more/a.conf": 'zone "a.example" { type primary; file "/abs/a"; };',
            "zones/more/b.conf": 'zone "B.example." { TYPE Primary; file "b"; notify yes; };',
        },
    )
    assert zones_of(path) == [
        ("a.example.", "/abs/a"),
        ("b.example.", f"{tmp_path}/zones/b"),
        ("example.com.", f"{tmp_path}/zones/example.com.db"),
    ]
    assert read_zones(path).others == ((".", "hint"),)


def test_zones_ahead_of_the_options_are_in_their_directory_too(tmp_path: Path) -> None:
    path = put(tmp_path, {"named.conf": 'zone a { type master; file "a"; };\noptions { directory "DIR/z"; };'})
    assert zones_of(path) == [("a.", f"{tmp_path}/z/a")]


def test_without_a_directory_files_are_beside_the_configuration(tmp_path: Path) -> None:
    path = put(tmp_path, {"named.conf": 'zone a { type master; file "a"; };'})
    assert zones_of(path) == [("a.", f"{tmp_path}/a")]


def test_other_classes_and_types_are_told(tmp_path: Path) -> None:
    path = put(
        tmp_path,
        {
            "named.conf": 'zone "bind" chaos { type primary; file "b"; };\n'
            "zone x { type slave; };\nzone y { type forward; };"
        },
    )
    assert read_zones(path).others == (("bind", "class chaos"), ("x", "slave"), ("y", "forward"))


def test_one_view_is_read_and_more_are_refused(tmp_path: Path) -> None:
    one = 'view "in" { match-clients { any; }; zone a { type master; file "/a"; }; };\n'
    assert zones_of(put(tmp_path, {"named.conf": one})) == [("a.", "/a")]
    with pytest.raises(InputError, match=r"has 2 views \(in, out\): a zone has one content here"):
        read_zones(put(tmp_path, {"named.conf": one + 'view out { zone a { type master; file "/b"; }; };'}))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('zone a { type master; file "a"; };\nzone "A." { type master; file "b"; };', "line 2: zone a. stands at"),
        ("zone a { type master; };", "zone a has no file"),
        ('zone a { file "x"; };', "zone a has no type"),
        ('zone a { type primary; file "x"; masterfile-format raw; };', "in format raw: write it as text"),
        ("zone a { in-view b; };", "zone a has 'in-view', which is not supported"),
        ('zone a { type primary; database "x"; };', "zone a has 'database'"),
        ('zone "a..b" { type primary; file "x"; };', "line 1: "),
        ("zone { type primary; };", "a zone needs a name"),
        ('\ninclude "DIR/none";', "line 2: includes"),
        ('include "none/*";', "no file is like"),
        ('include "DIR/named.conf";', "does it include itself"),
    ],
)
def test_what_is_wrong_is_told_with_its_place(tmp_path: Path, text: str, message: str) -> None:
    path = put(tmp_path, {"named.conf": text})
    with pytest.raises(InputError) as failure:
        read_zones(path)
    assert message in str(failure.value)
    assert str(path) in str(failure.value)


def test_a_key_file(tmp_path: Path) -> None:
    file = tmp_path / "k"
    file.write_text('# made by tsig-keygen\nkey "transfer." {\n\talgorithm hmac-sha256;\n\tsecret "c2VjcmV0";\n};\n')
    key = read_key(file)
    assert (key.name, key.algorithm, key.secret) == ("transfer.", "hmac-sha256", "c2VjcmV0")
    assert "c2VjcmV0" not in repr(key)
    assert read_key(file, "Transfer") == key


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "has 0 keys"),
        ('key a { algorithm hmac-sha256; secret "x"; }; key b { algorithm hmac-sha256; secret "y"; };', "has 2 keys"),
        ('key a { secret "hidden"; };', "a key needs a name, an algorithm and a secret"),
        ('key a { algorithm hmac-sha256; secret "hidden }', "a string does not end"),
    ],
)
def test_a_key_file_that_is_wrong_is_told_without_its_secret(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "k"
    file.write_text(text)
    with pytest.raises(InputError, match=message) as failure:
        read_key(file)
    assert "hidden" not in str(failure.value)


def test_blocks_know_their_line() -> None:
    (statement,) = parse("a\n{ b; };", FILE)
    block = statement.parts[1]
    assert isinstance(block, Block)
    assert (statement.line, block.line) == (1, 2)
