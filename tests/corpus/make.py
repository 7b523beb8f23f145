# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Writes the files of the corpus that an editor would spoil: ``python tests/corpus/make.py FOLDER``."""

from __future__ import annotations

import sys
from pathlib import Path

HEAD = b"$TTL 300\n@ SOA ns1 hostmaster 1 7200 3600 1209600 600\n@ NS ns1\nns1 A 192.0.2.1\n"
_FULL = b".".join([b"a" * 63, b"b" * 63, b"c" * 63])  # 192 octets of a name's 255; example. has 9


def files() -> dict[str, bytes]:
    """Name → octets."""
    every = b"".join(b'o\\%03d TXT \\%03d "\\%03d"\n' % (octet, octet, octet) for octet in range(256))
    raw = b"".join(
        b'r%03d TXT "%c"\n' % (octet, octet) for octet in range(1, 256) if octet not in b'\n\r"\\' and octet < 128
    )
    return {
        "every-octet-escaped": HEAD + every,
        "every-octet-in-labels": HEAD + b"".join(b"\\%03d.l A 192.0.2.1\n" % octet for octet in range(256)),
        "raw-octets-quoted": HEAD + raw,
        "raw-octets-high": HEAD + b"".join(b'h%03d TXT "%c"\n' % (octet, octet) for octet in range(128, 256)),
        "crlf": (
            HEAD + b'a TXT "x" ; comment\nb TXT ( "one"\n  "two" )\n   A 192.0.2.2\n$ORIGIN sub\nc A 192.0.2.3\n'
        ).replace(b"\n", b"\r\n"),
        "no-final-newline": HEAD + b"last A 192.0.2.9",
        "no-final-newline-quoted": HEAD + b'last TXT "x"',
        "form-feeds": HEAD + b"a\tA\t192.0.2.1\nb \t A \t 192.0.2.2 \t \n \t \n",
        "labels-of-63": HEAD
        + b"x" * 63
        + b" TXT x\n"
        + b"\\120" * 63
        + b".y TXT y\n"
        + b"c CNAME "
        + b"z" * 63
        + b"\n",
        # 192 + 54 + 9 = 255
        "names-of-255": HEAD + _FULL + b"." + b"d" * 53 + b" TXT x\nt CNAME " + _FULL + b"." + b"d" * 53 + b"\n",
        "bad-names-of-256": HEAD + _FULL + b"." + b"d" * 54 + b" TXT x\n",
        "many-labels": HEAD + b"1." * 122 + b"1 TXT x\n",
        "bom": b"\xef\xbb\xbf" + HEAD,
        "bad-utf-16": (HEAD.decode() + "a A 192.0.2.2\n").encode("utf-16"),
        "utf-8-in-strings": HEAD + 'a TXT "Grüße" ungefähr\n; Kommentar: ä\n'.encode(),
        "utf-8-in-names": HEAD + "grüße A 192.0.2.2\n".encode(),
        "bad-nul": HEAD + b'a\0b A 192.0.2.2\nt TXT "\0" \0\n',
        "bad-last-quote-open": HEAD + b'a TXT "x',
        "bad-last-backslash": HEAD + b"a TXT x\\",
    }


def main(folder: Path) -> None:
    """Write all files into *folder*."""
    for name, data in files().items():
        (folder / f"{name}.zone").write_bytes(data)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
