# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Record values: every type that dnspython knows, in canonical form, to text and back."""

from __future__ import annotations

import random

import dns.rdata
import dns.rdatatype
import pytest
from hypothesis import given, settings, strategies as st

from arca_dns.errors import ZoneTextError
from arca_dns.zone import names, rdata, rr

ORIGIN = names.from_text("Example.COM.")
SAMPLES: dict[str, list[str]] = {
    "A": ["192.0.2.1"],
    "AAAA": ["2001:db8::1", "::ffff:192.0.2.1", "::"],
    "AFSDB": ["1 AFS.Example.COM."],
    "AMTRELAY": ["10 0 0 .", "10 1 1 192.0.2.1", "10 0 3 Relay.example."],
    "APL": ["1:192.0.2.0/24 !2:2001:db8::/32"],
    "AVC": ['"app-name:x" "app-class:y"'],
    "CAA": ['0 issue "ca.example.net; policy=ev"', '128 tbs "Unknown"'],
    "CDNSKEY": ["257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ=="],
    "CDS": ["20326 13 2 " + "AB" * 32, "0 0 0 00"],
    "CERT": ["PKIX 1 13 AAECAwQ=", "65000 1 13 AAECAwQ="],
    "CNAME": ["Target.Example."],
    "CSYNC": ["12345 3 A MX RRSIG NSEC TYPE1234"],
    "DHCID": ["AAIBY2/AuCccgoJbsaxcQc9TUapptP69lOjxfNuVAA2kjEA="],
    "DLV": ["20326 13 2 " + "AB" * 32],
    "DNAME": ["Elsewhere.Example."],
    "DNSKEY": ["256 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ=="],
    "DS": ["20326 13 2 " + "AB" * 32, "20326 13 4 " + "cd" * 48, "1 5 1 " + "01" * 20],
    "DSYNC": ["CDS NOTIFY 5359 Cds-Scanner.example."],
    "EUI48": ["00-00-5e-00-53-2a"],
    "EUI64": ["00-00-5e-ef-10-00-00-2a"],
    "GPOS": ["-22.6882 116.8652 250.0"],
    "HINFO": ['"PC" "Debian GNU/Linux"'],
    "HIP": ["2 200100107B1A74DF365639CC39F1D578 AwEAAbdxyhNuSutc5EMzxTs9LBPCIkOFH8cIvM4p9+LrV4e1 Rvs.example.com."],
    "HTTPS": ['1 . alpn="h2,h3" ipv4hint="192.0.2.1"', "0 Alias.Example."],
    "IPSECKEY": [
        "10 1 2 192.0.2.38 AQNRU3mG7TVTO2BkR47usntb102uFJtugbo6BSGvgqt4AQ==",
        "10 3 2 Gw.example. AQNRU3mG7TVTO2BkR47usntb102uFJtugbo6BSGvgqt4AQ==",
    ],
    "ISDN": ['"150862028003217" "004"', '"150862028003217"'],
    "KEY": ["256 3 13 AAECAwQ="],
    "KX": ["10 KX.Example."],
    "L32": ["10 10.1.2.0"],
    "L64": ["10 2001:0db8:1140:1000"],
    "LOC": ["48 8 14.000 N 11 34 31.000 E 519.00m 10m 100m 10m", "0 0 0.001 S 0 0 0.000 W -100000.00m 0m 0m 0m"],
    "LP": ["10 L64-Subnet1.example.com."],
    "MX": ["10 Mail.Example.", "0 ."],
    "NAPTR": ['100 10 "u" "E2U+sip" "!^.*$!sip:info@example.com!" .', '10 100 "S" "SIP+D2U" "" _Sip._udp.example.'],
    "NID": ["10 0014:4fff:ff20:ee64"],
    "NINFO": ['"zone" "status"'],
    "NS": ["NS1.Example."],
    "NSAP": ["0x47.0005.80.005a00.0000.0001.e133.ffffff000161.00"],
    "NSAP-PTR": ["Foo.Bar.example."],
    "NSEC": ["Next.example. A MX RRSIG NSEC TYPE65280"],
    "NSEC3": [
        "1 1 12 aabbccdd 2t7b4g4vsa5smi47k61mv5bv1a22bojr MX DNSKEY NS SOA NSEC3PARAM RRSIG",
        "1 0 0 - 2t7b4g4vsa5smi47k61mv5bv1a22bojr",
    ],
    "NSEC3PARAM": ["1 0 0 -"],
    "OPENPGPKEY": ["AAECAwQFBgcICQ=="],
    "PTR": ["Host.Example."],
    "PX": ["10 Map822.example. Mapx400.example."],
    "RESINFO": ["qnamemin exterr=15-17 infourl=https://resolver.example/"],
    "RP": ["Admin.example. Txt.example."],
    "RRSIG": ["A 13 2 300 20261201000000 20261101000000 12345 Example.com. AAECAwQ="],
    "RT": ["10 Relay.example."],
    "SMIMEA": ["3 1 1 " + "ab" * 32],
    "SOA": ["Ns1.Example. Host\\.Master.example. 4294967295 7200 3600 1209600 3600"],
    "SPF": ['"v=spf1 -all"'],
    "SRV": ["0 5 5060 Sip.example.", "0 0 0 ."],
    "SSHFP": ["4 2 " + "ab" * 32],
    "SVCB": [
        '16 Foo.example. mandatory=alpn alpn="h2,h3" port="8443" key65333="ex1"',
        '1 . dohpath="/q{?dns}" no-default-alpn alpn=dot',
    ],
    "TLSA": ["3 1 1 " + "ab" * 32],
    "TXT": ['"a b" "c\\"d\\\\e" "\\000\\255" ""', "unquoted words"],
    "URI": ['10 1 "ftp://ftp.example/public"'],
    "WALLET": ['"BTC" "bc1qexample"'],
    "WKS": ["192.0.2.1 6 25 80"],
    "X25": ['"311061700956"'],
    "ZONEMD": ["2018031500 1 1 " + "ab" * 48],
    "TYPE65280": ["\\# 4 0a000001", "\\# 0"],
    "TYPE3": ["\\# 7 0141034E657400"],
}
# Types of dnspython's that its oldest supported release lacks, or that have no use in a zone.
OTHERS = {"BRID", "HHIT", "SIG", "DSYNC", "WALLET", "RESINFO"}


def known_types() -> set[str]:
    types = [rdtype for rdtype in dns.rdatatype.RdataType if rdata.is_data(int(rdtype))]
    return {
        dns.rdatatype.to_text(rdtype)
        for rdtype in types
        if dns.rdata.get_rdata_class(dns.rdataclass.IN, rdtype, use_generic=False) not in (None, dns.rdata.GenericRdata)
    }


CASES = [(kind, text) for kind, texts in SAMPLES.items() for text in texts]
KNOWN = [case for case in CASES if case[0].startswith("TYPE") or case[0] in known_types()]


def test_there_is_a_sample_of_every_type() -> None:
    assert known_types() - set(SAMPLES) <= OTHERS


@pytest.mark.parametrize(("kind", "text"), KNOWN, ids=[kind for kind, _text in KNOWN])
def test_every_type_survives_text(kind: str, text: str) -> None:
    rdtype = rdata.type_from_text(kind)
    wire = rdata.from_text(rdtype, text, ORIGIN)
    written = rdata.to_text(rdtype, wire)
    assert rdata.from_text(rdtype, written, None) == wire
    assert written.startswith("\\#") == kind.startswith("TYPE")


@pytest.mark.parametrize(("kind", "text"), KNOWN, ids=[kind for kind, _text in KNOWN])
def test_wire_form_is_that_of_dnspython(kind: str, text: str) -> None:
    rdtype = rdata.type_from_text(kind)
    parsed = dns.rdata.from_text("IN", kind, text, dns.name.from_text("example.com."), relativize=False)
    ours = rdata.from_text(rdtype, text, ORIGIN)
    if rdtype in rdata.LOWERED and rdtype not in (3, 4, 7, 8, 9, 14):
        assert ours == parsed.to_digestable()
    elif rdtype not in rdata.LOWERED:
        assert ours == parsed.to_wire()


@pytest.mark.parametrize(("kind", "text"), KNOWN, ids=[kind for kind, _text in KNOWN])
def test_the_form_for_unknown_types_is_read_for_every_type(kind: str, text: str) -> None:
    rdtype = rdata.type_from_text(kind)
    wire = rdata.from_text(rdtype, text, ORIGIN)
    if wire:
        assert rdata.from_text(rdtype, rdata.generic_text(wire), None) == wire


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(KNOWN), st.randoms(use_true_random=False))
def test_whatever_is_valid_on_the_wire_survives_text(case: tuple[str, str], chance: random.Random) -> None:
    kind, text = case
    rdtype = rdata.type_from_text(kind)
    mutant = bytearray(rdata.from_text(rdtype, text, ORIGIN))
    for _ in range(chance.randrange(1, 4)):
        if mutant:
            mutant[chance.randrange(len(mutant))] = chance.choice([0, 1, 34, 59, 92, 255, chance.randrange(256)])
    del mutant[chance.randrange(len(mutant) + 1) + len(mutant) // 2 :]
    try:
        parsed = dns.rdata.from_wire("IN", dns.rdatatype.RdataType.make(rdtype), bytes(mutant), 0, len(mutant))
        wire = parsed.to_wire(None, None, None, rdtype in rdata.LOWERED)
    except Exception:  # whatever dnspython does not take is no rdata of this type
        return
    if rdtype == 3:
        wire = wire.lower()
    assert rdata.from_text(rdtype, rdata.to_text(rdtype, wire), None) == wire


@given(st.lists(st.binary(max_size=255), min_size=1, max_size=4))
def test_strings_hold_every_octet(parts: list[bytes]) -> None:
    wire = b"".join(bytes((len(part),)) + part for part in parts)
    text = rdata.to_text(rr.TXT, wire)
    assert text.isascii()
    assert rdata.from_text(rr.TXT, text, None) == wire
    assert rdata.strings(wire) == parts


@given(st.binary(min_size=1, max_size=63), st.sampled_from([rr.NS, rr.MX, rr.SRV, 64]))
def test_names_in_values_hold_every_octet(label: bytes, rdtype: int) -> None:
    head = {rr.NS: b"", rr.MX: b"\0\1", rr.SRV: bytes(6), 64: b"\0\1"}[rdtype]
    wire = head + bytes((len(label),)) + (label if rdtype == 64 else label.lower()) + ORIGIN
    assert rdata.from_text(rdtype, rdata.to_text(rdtype, wire), None) == wire


@pytest.mark.parametrize("kind", ["NS", "CNAME", "PTR", "DNAME", "MX", "AFSDB", "RT", "KX", "SRV", "NAPTR", "PX", "RP"])
def test_names_that_rfc_4034_lists_are_lower_case(kind: str) -> None:
    wire = rdata.from_text(rdata.type_from_text(kind), SAMPLES[kind][0], ORIGIN)
    assert b"example" in wire.lower()
    assert not any(65 <= octet <= 90 for octet in wire.replace(b"SIP+D2U", b"").replace(b"E2U+", b""))


@pytest.mark.parametrize(
    ("kind", "text", "kept"),
    [
        ("SVCB", "1 Foo.Example.", b"Foo"),
        ("HTTPS", "0 Foo.Example.", b"Foo"),
        ("NSEC", "Foo.Example. A", b"Foo"),
        ("LP", "10 Foo.Example.", b"Foo"),
        ("HIP", SAMPLES["HIP"][0], b"Rvs"),
    ],
)
def test_other_names_keep_their_case(kind: str, text: str, kept: bytes) -> None:
    assert kept in rdata.from_text(rdata.type_from_text(kind), text, ORIGIN)


def test_names_are_relative_unless_they_end_with_a_dot() -> None:
    assert rdata.from_text(rr.MX, "10 mail", ORIGIN) == b"\0\x0a\x04mail" + ORIGIN
    assert rdata.from_text(rr.MX, "10 mail.", ORIGIN) == b"\0\x0a\x04mail\0"
    assert rdata.from_text(rr.CNAME, "@", ORIGIN) == ORIGIN
    assert rdata.from_text(64, "1 svc", ORIGIN) == b"\0\1\x03svc" + ORIGIN
    assert rdata.from_text(rr.CNAME, "bücher", ORIGIN) == b"\x0dxn--bcher-kva" + ORIGIN


def test_an_escaped_value_is_read_like_a_plain_one() -> None:
    assert rdata.from_text(rr.MX, "10 m\\097il", ORIGIN) == rdata.from_text(rr.MX, "10 mail", ORIGIN)
    assert rdata.from_text(rr.TXT, '"\\097"', ORIGIN) == b"\1a"


@pytest.mark.parametrize(
    ("kind", "text", "message"),
    [
        ("A", "192.0.2", "'192.0.2' is not an IPv4 address"),
        ("A", "192.0.2.01", "not an IPv4 address"),
        ("A", "2001:db8::1", "use AAAA"),
        ("A", "192.0.2.1 192.0.2.2", "one record for each"),
        ("A", "", "without a value"),
        ("AAAA", "192.0.2.1", "not an IPv6 address"),
        ("CNAME", "a b", "takes one name"),
        ("MX", "mail.example.com.", "PREFERENCE MAIL-SERVER"),
        ("MX", "70000 mail", "PREFERENCE MAIL-SERVER"),
        ("MX", "+1 mail", "PREFERENCE MAIL-SERVER"),
        ("MX", "1_0 mail", "PREFERENCE MAIL-SERVER"),
        ("SRV", "1 2 sip", "PRIORITY WEIGHT PORT TARGET"),
        ("TXT", "v=DMARC1; p=none", "in double quotes"),
        ("TXT", '"v=spf1', "no closing"),
        ("TXT", "x" * 300, "300 octets"),
        ("TXT", '"' + "x" * 256 + '"', "256 octets"),
        ("TXT", '"a"\n"b"', "one line"),
        ("DS", "1 13 2 abcd", "digest"),
        ("SOA", "ns h 1 2 3 4", "SERIAL REFRESH"),
        ("CAA", "issue", "FLAGS TAG"),
        ("TYPE65280", "abc", "hexadecimal"),
        ("A", "\\# 3 c00002", "does not parse"),
        ("A", "\\# 4 c000", "does not parse"),
    ],
)
def test_a_bad_value_says_what_is_wrong(kind: str, text: str, message: str) -> None:
    with pytest.raises(ZoneTextError, match=message):
        rdata.from_text(rdata.type_from_text(kind), text, ORIGIN)


def test_a_relative_name_without_origin_says_so() -> None:
    for rdtype, text in ((rr.CNAME, "www"), (rr.MX, "10 mail"), (64, "1 svc")):
        with pytest.raises(ZoneTextError, match="no origin is known"):
            rdata.from_text(rdtype, text, None)


def test_parentheses_join_the_lines_of_a_value() -> None:
    text = "ns1 hostmaster (\n 1 7200\n 3600 1209600 3600 )"
    assert rdata.from_text(rr.SOA, text, ORIGIN) == rdata.from_text(
        rr.SOA, text.translate({10: 32, 40: 32, 41: 32}), ORIGIN
    )


@pytest.mark.parametrize(
    ("text", "number"), [("A", 1), ("aaaa", 28), ("TYPE65280", 65280), ("type1", 1), ("HTTPS", 65)]
)
def test_types_have_names_and_numbers(text: str, number: int) -> None:
    assert rdata.type_from_text(text) == number


@pytest.mark.parametrize(
    "text", ["ANY", "AXFR", "OPT", "TSIG", "TYPE0", "TYPE255", "TYPE65535", "ALIAS", "TYPE65536", ""]
)
def test_types_that_no_zone_holds_are_refused(text: str) -> None:
    with pytest.raises(ZoneTextError):
        rdata.type_from_text(text)


@settings(deadline=None, max_examples=300)
@given(st.sampled_from(sorted({kind for kind, _text in KNOWN})), st.text(max_size=40))
def test_no_value_brings_anything_but_the_one_error(kind: str, text: str) -> None:
    rdtype = rdata.type_from_text(kind)
    try:
        wire = rdata.from_text(rdtype, text, ORIGIN)
    except ZoneTextError:
        return
    assert rdata.from_text(rdtype, rdata.to_text(rdtype, wire), None) == wire
