# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""A proxy between an agent and the controller that tampers with what passes; run in the edge's network.

``tamper.py PORT UPSTREAM MODE`` forwards GET, POST and PUT; MODE is ``pass``, ``blob`` (flips one bit in blob answers),
``head`` (flips one character of the signed payload), ``old-head`` (answers with the first head it saw) or
``file:PATH`` (answers with the head in a file). The mode is read from standard input again whenever a line comes.
"""

from __future__ import annotations

import json
import sys
import threading
import urllib.error
import urllib.request
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

UPSTREAM = sys.argv[2]
mode = sys.argv[3]
first_head: bytes | None = None


def tampered(path: str, body: bytes) -> bytes:
    """*body* as the mode wants it."""
    global first_head
    if "/heads/" in path and body:
        if first_head is None:
            first_head = body
        if mode == "head":
            value = json.loads(body)
            value["payload"] = value["payload"].replace('"issued":1', '"issued":2', 1)
            return json.dumps(value).encode()
        if mode == "old-head":
            return first_head
        if mode.startswith("file:"):
            return Path(mode.removeprefix("file:")).read_bytes()
    if "/blobs" in path and mode == "blob" and len(body) > 60:
        middle = 36 + (len(body) - 36) // 2
        return body[:middle] + bytes((body[middle] ^ 1,)) + body[middle + 1 :]
    return body


class Handler(BaseHTTPRequestHandler):
    """One request, passed on."""

    protocol_version = "HTTP/1.1"

    def _pass_on(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        data = self.rfile.read(length) if length else None
        headers = {
            name: value for name, value in self.headers.items() if name.lower() not in ("host", "accept-encoding")
        }
        path = self.path
        if mode.startswith(("old-head", "file:")) and "/heads/" in path:
            path = path.partition("?")[0]  # no long poll: that head is the answer
        request = urllib.request.Request(UPSTREAM + path, data, headers, method=self.command)
        try:
            with urllib.request.urlopen(request, timeout=90) as answer:
                status, kind, body = answer.status, answer.headers.get("Content-Type", ""), answer.read()
        except urllib.error.HTTPError as error:
            status, kind, body = error.code, error.headers.get("Content-Type", ""), error.read()
        if status == 200:
            body = tampered(path, body)
        self.send_response(status)
        self.send_header("Content-Type", kind)
        if status not in (204, 304):
            self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if status not in (204, 304):
            self.wfile.write(body)

    do_GET = do_POST = do_PUT = _pass_on

    def log_message(self, format: str, *args: object) -> None:
        pass


if __name__ == "__main__":
    server = ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    for line in sys.stdin:
        mode = line.strip()
        sys.stdout.write(f"{mode}\n")
        sys.stdout.flush()
