# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Zone files: all of the master-file syntax, every mistake with its line, and what is rendered reads back."""

from __future__ import annotations

import pytest
from hypothesis import example, given, settings, strategies as st

from arca_dns.errors import Place, ZoneTextError
from arca_dns.zone import names, rdata, rr
from arca_dns.zone.reader import MAX_PLACES, Source
from arca_dns.zone.text import ParsedZone, parse, parse_long, render, ttl_from_text

ORIGIN = names.from_text("example.com.")


def read(text: str | bytes, default_ttl: int | None = 300) -> dict[tuple[str, str], tuple[int, list[str]]]:
    """{(owner, type): (TTL, values)} of a text under example.com."""
    return {
        (names.to_text(found.owner), rr.type_text(found.rdtype)): (
            found.ttl,
            [rdata.to_text(found.rdtype, data) for data in found.rdatas],
        )
        for found in parse(text, ORIGIN, default_ttl).rrsets
    }


def places(text: str, origin: bytes | None = ORIGIN, default_ttl: int | None = 300) -> list[tuple[int | None, str]]:
    with pytest.raises(ZoneTextError) as caught:
        parse(text, origin, default_ttl)
    return [(place.line, place.message) for place in caught.value.places]


def outcome(text: str | bytes) -> ParsedZone | tuple[Place, ...]:
    """The zone under example.com., or what is wrong with it."""
    try:
        return parse(text, ORIGIN, 300)
    except ZoneTextError as error:
        return error.places


# -- syntax -----------------------------------------------------------------------------------


def test_a_zone_file_as_in_rfc_1035_section_5_3() -> None:
    text = """\
$ORIGIN ISI.EDU.
@   IN  SOA     VENERA      Action\\.domains (
                                 20     ; SERIAL
                                 7200   ; REFRESH
                                 600    ; RETRY
                                 3600000; EXPIRE
                                 60)    ; MINIMUM

        NS      A.ISI.EDU.
        NS      VENERA
        MX      10      VENERA

A       A       26.3.0.103

VENERA  A       10.1.0.52
        A       128.9.0.32
"""
    zone = parse(text)
    assert names.to_text(zone.origin) == "isi.edu."
    found = {(names.to_text(s.owner), rr.type_text(s.rdtype)): s for s in zone.rrsets}
    assert rdata.to_text(rr.SOA, found["isi.edu.", "SOA"].rdatas[0]) == (
        "venera.isi.edu. action\\.domains.isi.edu. 20 7200 600 3600000 60"
    )
    assert len(found["isi.edu.", "NS"]) == 2
    assert len(found["venera.isi.edu.", "A"]) == 2
    # No $TTL and no TTL: a SOA has its MINIMUM, and the others take the last TTL there was.
    assert {rrset.ttl for rrset in zone.rrsets} == {60}
    assert zone.lines[names.from_text("venera.isi.edu."), rr.A] == 15


@pytest.mark.parametrize(
    "line",
    [
        "www 60 IN A 192.0.2.1",
        "www IN 60 A 192.0.2.1",
        "www 60 A 192.0.2.1",
        "WWW\t1m\tin\ta\t192.0.2.1 ; comment",
        "www.example.com. 60 CLASS1 TYPE1 192.0.2.1",
        "www 60 A \\# 4 c0000201",
        "www 60 IN A ( 192.0.2.1 )",
        "www ( 60\n IN ; which\n\n A\n192.0.2.1 )",
        "www 60 A 192.0.2.1\r",
        "\\119\\119\\119 60 A 192.0.2.1",
        "$TTL 60\nwww A 192.0.2.1",
        "$ORIGIN www\n@ 60 A 192.0.2.1",
        "$ORIGIN www.example.com.\n$TTL 1m ; here too\n@ A 192.0.2.1",
        "www 60 A 192.0.2.1\n 60 A 192.0.2.1",
    ],
)
def test_a_record_can_be_written_in_many_ways(line: str) -> None:
    assert read(line) == {("www.example.com.", "A"): (60, ["192.0.2.1"])}


def test_a_blank_owner_is_the_last_one() -> None:
    found = read("a A 192.0.2.1\n\n; nothing\n AAAA ::1\n$ORIGIN sub\n TXT x\nb TXT y")
    assert set(found) == {
        ("a.example.com.", "A"),
        ("a.example.com.", "AAAA"),
        ("a.example.com.", "TXT"),
        ("b.sub.example.com.", "TXT"),
    }


def test_ttls_come_from_the_record_then_the_directive_then_the_last_record_then_the_caller() -> None:
    text = "a A 192.0.2.1\nb 10 A 192.0.2.1\nc A 192.0.2.1\n$TTL 1h\nd A 192.0.2.1\ne 5 A 192.0.2.1\nf A 192.0.2.1"
    assert [found.ttl for found in parse(text, ORIGIN, 300).rrsets] == [300, 10, 10, 3600, 5, 3600]


@pytest.mark.parametrize(
    ("text", "seconds"), [("0", 0), ("1h30m", 5400), ("1W2D3H4M5S", 788645), ("2147483647", 2**31 - 1)]
)
def test_ttls_have_units(text: str, seconds: int) -> None:
    assert ttl_from_text(text) == seconds


@pytest.mark.parametrize("text", ["", "1x", "h", "-1", "2147483648", "4000w", "1 h", "１"])
def test_what_is_no_ttl_is_refused(text: str) -> None:
    with pytest.raises(ZoneTextError):
        ttl_from_text(text)


def test_quoted_strings_hold_what_else_has_a_meaning() -> None:
    found = read('a TXT "x ; y ( z" "" "q\\"q" plain\\;word\nb TXT "v=DKIM1; p=x"')
    assert found["a.example.com.", "TXT"][1] == ['"x ; y ( z" "" "q\\"q" "plain;word"']
    assert found["b.example.com.", "TXT"][1] == ['"v=DKIM1; p=x"']


def test_a_parameter_may_run_into_its_quotes() -> None:
    found = read('h HTTPS 1 . alpn="h2,h3" ; comment')
    assert found["h.example.com.", "HTTPS"][1] == ['1 . alpn="h2,h3"']


def test_octets_beyond_ascii() -> None:
    found = read('bücher TXT "Grüße"'.encode())
    assert found["xn--bcher-kva.example.com.", "TXT"][1] == ['"Gr\\195\\188\\195\\159e"']
    latin = read('; Grüße\na TXT "Grüße"'.encode("latin-1"))
    assert latin["a.example.com.", "TXT"][1] == ['"Gr\\252\\223e"']
    assert read(b"\xef\xbb\xbfa A 192.0.2.1\r\nb A 192.0.2.2\r\n").keys() == read("a A 1.1.1.1\nb A 1.1.1.1").keys()


def test_equal_records_are_one() -> None:
    assert read("a MX 10 Mail\na MX 10 mail.example.com.\na MX 010 mail") == {
        ("a.example.com.", "MX"): (300, ["10 mail.example.com."])
    }


def test_rrsets_come_in_canonical_order() -> None:
    zone = parse("z A 192.0.2.1\n*.z A 192.0.2.1\na.a TXT x\na TXT x\na A 192.0.2.2\na A 192.0.2.1\n", ORIGIN, 60)
    assert [(names.to_text(s.owner)[:-13], s.rdtype) for s in zone.rrsets] == [
        ("a", rr.A),
        ("a", rr.TXT),
        ("a.a", rr.TXT),
        ("z", rr.A),
        ("*.z", rr.A),
    ]
    assert zone.rrsets[0].rdatas == (b"\xc0\0\2\1", b"\xc0\0\2\2")


def test_the_zone_is_told_by_its_soa_else_by_the_first_origin() -> None:
    soa = "SOA ns h 1 2 3 4 5"
    assert parse(f"$ORIGIN com.\n$TTL 1\nexample {soa}").origin == ORIGIN
    assert parse("$ORIGIN example.com.\n$TTL 1\n@ NS ns\n$ORIGIN sub\n@ NS ns").origin == ORIGIN
    assert parse(f"example.com. {soa.replace('ns', 'ns.').replace('h', 'h.')}").origin == ORIGIN
    with pytest.raises(ZoneTextError, match="which zone"):
        parse("a. 60 A 192.0.2.1")


def test_signatures_keep_their_ttls() -> None:
    signature = "13 3 {0} 20261201000000 20261101000000 1 example.com. AAAA"
    text = f"a 60 RRSIG A {signature.format(60)}\na 300 RRSIG TXT {signature.format(300)}"
    zone = parse(text, ORIGIN)
    assert [(found.ttl, len(found)) for found in zone.rrsets] == [(60, 1), (300, 1)]


# -- $GENERATE --------------------------------------------------------------------------------


def test_generate_makes_records() -> None:
    found = read("$GENERATE 1-5/2 host-${0,3} 60 IN A 192.0.2.$ ; three hosts")
    assert found == {(f"host-{number:03}.example.com.", "A"): (60, [f"192.0.2.{number}"]) for number in (1, 3, 5)}


@pytest.mark.parametrize(
    ("line", "owner", "value"),
    [
        ("$GENERATE 9-9 $ CNAME $.0/26", "9", "9.0/26.example.com."),
        ("$GENERATE 10-10 h${-9,4,X} CNAME x", "h0001", "x.example.com."),
        ("$GENERATE 16-16 ${0,7,n}.z CNAME x", "0.1.0.0.z", "x.example.com."),
        ("$GENERATE 171-171 ${0,3,N} CNAME x", "b.a", "x.example.com."),
        ("$GENERATE 8-8 ${0,0,o} CNAME ${2}.x", "10", "10.x.example.com."),
        ("$GENERATE 1-1 a\\$$ CNAME b$$$", "a\\$1", "b\\$1.example.com."),
    ],
)
def test_generate_fills_in_as_bind_does(line: str, owner: str, value: str) -> None:
    assert read(line) == {(f"{owner}.example.com.", "CNAME"): (300, [value])}


def test_quotes_join_the_value_of_generate_to_one_template_as_in_bind() -> None:
    assert read('$GENERATE 1-1 a MX "10 mail$"')["a.example.com.", "MX"][1] == ["10 mail1.example.com."]
    assert read('$GENERATE 1-1 a TXT "n $ of 1"')["a.example.com.", "TXT"][1] == ['"n" "1" "of" "1"']
    assert read(r'$GENERATE 1-1 a TXT "\"n; $\" of"')["a.example.com.", "TXT"][1] == ['"n; 1" "of"']


def test_generate_says_that_a_semicolon_in_its_value_begins_a_comment() -> None:
    with pytest.raises(ZoneTextError) as caught:
        read('$GENERATE 1-1 a TXT "n; $ of 1"')
    assert "begins a comment" in str(caught.value.places[0])


def test_all_generate_lines_of_a_zone_share_one_limit() -> None:
    with pytest.raises(ZoneTextError) as caught:
        read("$GENERATE 1-6 a$ A 192.0.2.1\n$GENERATE 1-999995 b$ A 192.0.2.1")
    assert "at most 1000000 records" in str(caught.value.places[0])


@pytest.mark.parametrize("data", ["a A 192.0.2.1".encode("utf-16"), b'$ORIGIN a.\n@ 60 TXT "\0"'])
def test_what_is_no_text_is_said_to_be_none(data: bytes) -> None:
    with pytest.raises(ZoneTextError, match=r"UTF-16: save it as UTF-8|is not a text"):
        parse(data)


@pytest.mark.parametrize("kind", ["MB", "MG", "MR"])
def test_the_mailbox_types_of_old_have_one_name(kind: str) -> None:
    assert read(f"a {kind} Box")["a.example.com.", kind][1] == ["box.example.com."]
    with pytest.raises(ZoneTextError):
        read(f"a {kind} box other")


def test_minfo_has_two_names() -> None:
    with pytest.raises(ZoneTextError) as caught:
        read("a MINFO one")
    assert "takes 2 names" in str(caught.value.places[0])


@pytest.mark.parametrize(
    "line",
    [
        "$GENERATE 3-1 a$ A 192.0.2.$",
        "$GENERATE 1-3/0 a$ A 192.0.2.$",
        "$GENERATE x a$ A 192.0.2.$",
        "$GENERATE 1-3 a$ A",
        "$GENERATE 0-2000000 a$ A 192.0.2.1",
        "$GENERATE 1-3 a${0 A 192.0.2.$",
        "$GENERATE 1-3 a${x} A 192.0.2.$",
        "$GENERATE 1-3 a${-2} A 192.0.2.$",
        "$GENERATE 250-260 a$ A 192.0.2.$",
        "$GENERATE 1-3 a$ NOSUCH 192.0.2.$",
    ],
)
def test_a_bad_generate_is_one_mistake(line: str) -> None:
    assert [number for number, _message in places(f"ok A 192.0.2.1\n{line}\n")] == [2]


# -- mistakes ---------------------------------------------------------------------------------


def test_every_bad_line_is_told() -> None:
    text = """\
$TTL 1h
good A 192.0.2.1
a A 192.0.2.300
b MX ten mail
c.. A 192.0.2.1
d NOSUCHTYPE x
good2 A 192.0.2.2
e 99999999999 A 192.0.2.1
f CH TXT x
$INCLUDE other.zone
$NONSENSE
g TXT "open
h
 A 192.0.2.1
i A ) 192.0.2.1
k A ( 192.0.2.1
l AAAA 192.0.2.1
m TXT back\\
"""
    found = places(text)
    assert [line for line, _message in found] == [3, 4, 5, 6, 8, 9, 10, 11, 12, 13, 15, 16, 17, 18]
    messages = dict(found)
    assert "IPv4" in messages[3]
    assert "$INCLUDE is not allowed here" in messages[10]
    assert "never closed" in messages[16]


def test_a_place_has_the_column_of_the_word() -> None:
    with pytest.raises(ZoneTextError) as caught:
        parse("www  60 IN A 192.0.2.300", ORIGIN)
    assert [(place.line, place.column) for place in caught.value.places] == [(1, 14)]


def test_lines_under_a_bad_owner_do_not_go_to_the_one_before() -> None:
    assert places("a A 192.0.2.1\nb..c A 192.0.2.1\n 60 AAAA ::1\n AAAA bad") == [
        (2, "'b..c' is not a domain name: A DNS label is empty."),
        (4, "'bad' is not an IPv6 address"),
    ]


def test_ttls_of_one_rrset_must_agree() -> None:
    ((line, message),) = places("a 60 A 192.0.2.1\na 61 A 192.0.2.2")
    assert line == 2
    assert "61" in message
    assert "60 on line 1" in message


def test_a_missing_origin_is_told_once_and_names_the_fix() -> None:
    ((line, message),) = places("$TTL 1\nwww A 192.0.2.1\nftp CNAME www\n", origin=None)
    assert line == 2
    assert "$ORIGIN example.com." in message


def test_a_missing_ttl_is_told_once_and_names_the_fix() -> None:
    ((line, message),) = places("www A 192.0.2.1\nftp CNAME www\n", default_ttl=None)
    assert line == 1
    assert "$TTL 3600" in message


def test_an_owner_that_lost_its_blank_is_recognised() -> None:
    ((_line, message),) = places("www A 192.0.2.1\nA 192.0.2.2")
    assert "begin the line with a blank" in message


def test_the_first_line_cannot_inherit_an_owner() -> None:
    assert places("  A 192.0.2.1")[0][0] == 1


def test_many_open_parentheses_take_no_time() -> None:
    assert len(places("a A (\n" * 3000)) == MAX_PLACES + 1


# -- both ways of reading, and rendering ------------------------------------------------------

OWNERS = st.sampled_from(["@", "a", "B", "*.c", "x.y.z", "out.example.org.", "1", "_s._tcp", "a-b", "in", "ns"])
VALUES = st.sampled_from(
    [
        "A 192.0.2.1",
        "A 192.0.2.2",
        "aaaa 2001:DB8::1",
        "NS ns.other.",
        "CNAME Alias",
        "PTR @",
        "MX 10 Mail",
        'TXT "one; string"',
        "TXT two words",
        'TXT "a" "b"',
        "DS 1 13 2 " + "0a" * 32,
        "DS 1 13 2 " + "0a" * 16 + " " + "0B" * 16,
        "SRV 1 2 3 sip",
        "SOA ns h 1 2h 3 4 5",
        "SOA ns h 1 2 3 4 5",
        'CAA 0 issue "ca"',
        "HTTPS 1 . alpn=h2",
        "TYPE65280 \\# 1 ff",
    ]
)
LINES = st.tuples(st.one_of(OWNERS, st.just("")), st.sampled_from(["", "IN", "300 IN", "300", "IN 300"]), VALUES)


def agree(text: str | bytes, origin: bytes | None = ORIGIN, default_ttl: int | None = 300) -> None:
    """The short way gives what the long way gives: the zone and its lines, or every mistake and its place."""
    results: list[ParsedZone | tuple[Place, ...]] = []
    for way in (lambda: parse(text, origin, default_ttl), lambda: parse_long(Source(text), origin, default_ttl)):
        try:
            results.append(way())
        except ZoneTextError as error:
            results.append((Place(error.message), *error.places))
    assert results[0] == results[1]


@settings(deadline=None)
@given(st.lists(LINES, max_size=12))
@example([("a", "", "A 192.0.2.1"), ("", "", 'TXT "x"')])
def test_the_short_way_reads_what_the_long_way_reads(lines: list[tuple[str, str, str]]) -> None:
    agree("\n".join(f"{owner} {head} {value}" for owner, head, value in [("a", "", "A 192.0.2.9"), *lines]))


HARD_OWNERS = st.sampled_from(
    [
        *[
            "",
            "@",
            "a",
            "A",
            "a.b",
            "A.B.example.com.",
            "example.com.",
            "other.",
            ".",
            "a.",
            "..",
            "a..b",
            "*",
            "_x._tcp",
        ],
        *["\\097", "\\.", "a\\.b", "a\\", "\\256", "\\09", "a@b", "a$b", "$a", "a/b", "bücher", "xn--bcher-kva", '"a"'],
        *[
            "x" * 63,
            "x" * 64,
            ".".join(["y" * 61] * 4),
            ".".join(["y" * 61] * 3) + ".zzz",
            "1.2",
            "300",
            "in",
            "IN",
            "A",
        ],
        *["a;b", "a(b", "#", "!", "\x01", "\x1f", "\x7f", "a\x1cb", "a\x00b", "\udcff"],
    ]
)
HARD_HEADS = st.sampled_from(
    [
        *["", "IN", "in", "In", "CLASS1", "CH", "60", "0", "061", "1h", "1H30m", "IN 60", "60 IN", "1d in", "60 60"],
        *["IN IN", "2147483647", "2147483648", "-1", "9" * 30, "1x", "١", "IN 1h ( ", "60 ;", "(", "( 60 IN"],
    ]
)
HARD_VALUES = st.sampled_from(
    [
        *[
            "A 192.0.2.1",
            "a 192.0.2.1",
            "A 192.0.2.01",
            "A 192.0.2.1 x",
            "A",
            "A 192.0.2",
            "A \\# 4 c0000201",
            "A 1.2.3.4;",
        ],
        *["A ( 192.0.2.1 )", "A ( 192.0.2.1", "192.0.2.1 )", "A 192.0.2.1 ; (", 'A "192.0.2.1"', "TYPE1 192.0.2.2"],
        *["AAAA ::1", "AAAA ::ffff:1.2.3.4", "AAAA fe80::1%lo", "AAAA 1", "aaaa 2001:DB8::A"],
        *["NS ns", "NS Ns.Other.", "NS @", "NS .", "NS a..b", "NS a b", "NS \\097", "CNAME bücher", "PTR " + "x" * 64],
        *[
            "MX 10 m",
            "MX 65536 m",
            "MX 1_0 m",
            "MX +1 m",
            "MX 10",
            "MX 010 M.",
            "SRV 1 2 3 t",
            "SRV 1 2 3",
            "DNAME d.e.",
        ],
        *[
            "DS 1 13 2 " + "0a" * 32,
            "DS 1 13 2 " + "0A" * 16 + " " + "0b" * 16,
            "DS 1 13 9 00",
            "DS 1 13 2 0",
            "DS 1 300 1 ",
        ],
        *[
            'TXT ""',
            'TXT "a b"',
            'TXT "a" "b  c"',
            'TXT "a""b"',
            'TXT a "b c"',
            'TXT "a b" c',
            'TXT "a',
            'TXT "a;b" ; c',
            "TXT a;b",
        ],
        *[
            'TXT "a\\"b c"',
            "TXT a\\ b",
            "TXT é",
            'TXT "é x"',
            'TXT "' + "x" * 255 + '"',
            'TXT "' + "x y" * 86 + '"',
            "TXT " + "z" * 256,
        ],
        *[
            "TXT",
            "TXT (a b)",
            'TXT ("a b")',
            'TXT"a"',
            'TXT "a\tb"  ',
            'TXT "\x00 \x1c"',
            "TXT \x00",
            "TXT a\x1cb",
            "TXT \udcff",
            'TXT a"b c"',
        ],
        *[
            "SOA ns h 1 2 3 4 5",
            "SOA ns h (1 2 3\n 4 5)",
            "SOA ns h 1 1h 3 4 5",
            "SOA ns h 1 2 3 4",
            'CAA 0 issue "ca"',
        ],
        *[
            "RRSIG A 13 3 60 20261201000000 20261101000000 1 example.com. AAAA",
            "NOSUCH x",
            "ANY x",
            "",
            "TYPE65280 \\# 0",
        ],
    ]
)
HARD_LINES = st.one_of(
    st.tuples(HARD_OWNERS, st.sampled_from([" ", "\t", "  \t"]), HARD_HEADS, HARD_VALUES).map(
        lambda parts: f"{parts[0]}{parts[1]}{parts[2]} {parts[3]}"
    ),
    st.sampled_from(
        [
            *[
                "",
                " ",
                "\t ; x",
                "; x",
                ";",
                "$TTL 60",
                "$TTL 1h ;",
                "$ttl 5",
                "$TTL",
                "$TTL x",
                "$ORIGIN sub",
                "$ORIGIN sub.other.",
            ],
            *[
                "$ORIGIN .",
                "$ORIGIN",
                " $TTL 60",
                "$INCLUDE x",
                "$GENERATE 1-3 g$ A 192.0.2.$",
                "$GENERATE 1-2 a A 192.0.2.$",
            ],
            *["\x0b", "\x0ca A 192.0.2.1", "\ra A 192.0.2.1", "\x1ca A 192.0.2.1", ")", '"', "\ufeffa A 192.0.2.1"],
        ]
    ),
)
PLAIN_LINES = LINES.map(" ".join)


@settings(deadline=None, max_examples=400)
@given(
    st.lists(st.one_of(PLAIN_LINES, HARD_LINES), min_size=1, max_size=8),
    st.sampled_from(["\n", "\r\n"]),
    st.booleans(),
    st.sampled_from([ORIGIN, None, names.ROOT]),
    st.sampled_from([300, None]),
    st.sampled_from(["str", "utf-8", "latin-1"]),
)
def test_both_ways_agree_on_adversarial_lines(
    lines: list[str], end: str, last: bool, origin: bytes | None, default_ttl: int | None, form: str
) -> None:
    text = end.join(lines) + (end if last else "")
    if form == "str":
        agree(text, origin, default_ttl)
    else:
        agree(text.encode(form, "backslashreplace"), origin, default_ttl)


@settings(deadline=None, max_examples=200)
@given(st.one_of(PLAIN_LINES, HARD_LINES), st.lists(st.integers(0, 255), max_size=3), st.data())
def test_both_ways_agree_on_damaged_lines(line: str, octets: list[int], data: st.DataObject) -> None:
    damaged = bytearray(b"a A 192.0.2.1\n" + line.encode("utf-8", "surrogatepass") + b"\nb A 192.0.2.1")
    for octet in octets:
        damaged[data.draw(st.integers(0, len(damaged) - 1))] = octet
    agree(bytes(damaged))


def test_a_long_entry_in_parentheses_is_read() -> None:
    many = "a TXT (\n" + 'x "y"\n' * 3000 + ")\nb A 192.0.2.1"
    agree(many)
    agree("a TXT (\n" + "x\n" * 100 + ")\nb A 192.0.2.1 (\n")


def test_lines_are_looked_up_when_asked_for() -> None:
    zone = parse("@ SOA ns h 1 2 3 4 5\n\nb A 192.0.2.1\na A 192.0.2.1\n A 192.0.2.2", ORIGIN)
    assert zone.lines.get((names.from_text("a.example.com."), rr.A)) == 4
    assert len(zone.lines) == 3
    assert (names.from_text("c.example.com."), rr.A) not in zone.lines


def test_the_content_builds_a_tree() -> None:
    zone = parse("@ SOA ns h 1 2 3 4 5\nb A 192.0.2.2\nb A 192.0.2.1\na.b A 192.0.2.1\nb TXT x\n@ NS ns", ORIGIN)
    nodes = list(zone.nodes())
    assert [owner for owner, _data in nodes] == [ORIGIN, b"\1b" + ORIGIN, b"\1a\1b" + ORIGIN]
    assert b"".join(data for _owner, data in nodes) == b"".join(found.wire() for found in zone.rrsets)


LABEL = st.binary(min_size=1, max_size=20)
OWNER = st.lists(LABEL, max_size=3).map(
    lambda parts: b"".join(bytes((len(part),)) + part.lower() for part in parts) + ORIGIN
)


@settings(deadline=None)
@given(
    st.dictionaries(
        st.tuples(OWNER, st.sampled_from([rr.A, rr.TXT, rr.NS, 65280])),
        st.tuples(st.integers(0, 2**31 - 1), st.lists(st.binary(min_size=4, max_size=4), min_size=1, max_size=3)),
        max_size=8,
    )
)
def test_what_is_rendered_reads_back(content: dict[tuple[bytes, int], tuple[int, list[bytes]]]) -> None:
    forms = {
        rr.A: lambda data: data,
        rr.TXT: lambda data: b"\4" + data,
        rr.NS: lambda data: b"\4" + data.lower() + b"\0",
        65280: lambda data: data,
    }
    rrsets = [
        rr.RRset.of(owner, rdtype, ttl, [forms[rdtype](data) for data in values])
        for (owner, rdtype), (ttl, values) in content.items()
    ]
    rrsets.sort(key=lambda found: (names.sort_key(found.owner), found.rdtype))
    text = "".join(render(ORIGIN, rrsets))
    assert text.isascii()
    assert parse(text, ORIGIN).rrsets == tuple(rrsets)


def test_rendered_zones_begin_with_the_soa_and_the_wanted_serial() -> None:
    zone = parse("$TTL 60\n@ SOA ns h 1 2 3 4 5\n@ NS ns\n@ A 192.0.2.1\nns A 192.0.2.1\nn.other. A 192.0.2.1", ORIGIN)
    assert list(render(ORIGIN, zone.rrsets, serial=77)) == [
        "$ORIGIN example.com.\n",
        "@\t60\tIN\tSOA\tns.example.com. h.example.com. 77 2 3 4 5\n",
        "@\t60\tIN\tA\t192.0.2.1\n",
        "@\t60\tIN\tNS\tns.example.com.\n",
        "ns\t60\tIN\tA\t192.0.2.1\n",
        "n.other.\t60\tIN\tA\t192.0.2.1\n",
    ]


@pytest.mark.parametrize("origin", [".", "com."])
def test_rendering_works_at_the_root(origin: str) -> None:
    apex = names.from_text(origin)
    rrsets = (rr.RRset.of(names.from_text("a.com."), rr.A, 1, [b"abcd"]),)
    assert parse("".join(render(apex, rrsets)), apex).rrsets == rrsets


WORDS = "$ORIGIN |$TTL |$GENERATE |1-3 |@|a|.|IN |A |192.0.2.1|TXT |60 |${0,2,n}|SOA |HTTPS |NAPTR |é|\xa0"
FRAGMENTS = st.sampled_from([*' ();"$\\\t\n\0', "\r\n", "\\#", *WORDS.split("|")])


@settings(deadline=None, max_examples=300)
@given(st.lists(FRAGMENTS, max_size=30).map("".join))
def test_no_text_brings_anything_but_the_one_error(text: str) -> None:
    found = outcome(text)
    if isinstance(found, ParsedZone):
        assert parse("".join(render(ORIGIN, found.rrsets)), ORIGIN).rrsets == found.rrsets
    else:
        assert found
        assert all(place.line for place in found)


@settings(deadline=None)
@given(st.binary(max_size=60))
def test_no_octets_bring_anything_but_the_one_error(data: bytes) -> None:
    outcome(b"a A 192.0.2.1\n" + data)
