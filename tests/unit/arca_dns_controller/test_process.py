# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""The daemon as a process of its own: what it makes, says, and does when stopped; and the examples of docs/api.md."""

from __future__ import annotations

import hashlib
import json
import re
import signal
import socket
import subprocess
import urllib.request
from pathlib import Path

from controller_process import KEY, configuration, free_port, run, running

DOCS = Path(__file__).resolve().parents[3] / "docs" / "api.md"


def test_init_makes_what_is_missing_once(tmp_path: Path) -> None:
    config = configuration(tmp_path / "c", free_port())
    first = run("init", "--config", config)
    assert first.returncode == 0, first.stderr
    made = json.loads(first.stdout)
    assert {Path(path).name for path in made["created"]} == {"master.key", "head.key", "head.pub", "state.sqlite"}
    assert (tmp_path / "c" / "head.pub").read_text().strip() == made["head_public_key"]
    for name in ("master.key", "head.key"):
        assert (tmp_path / "c" / name).stat().st_mode & 0o777 == 0o600
    again = json.loads(run("init", "--config", config).stdout)
    assert (again["changed"], again["head_public_key"]) == (False, made["head_public_key"])


def test_init_makes_no_master_key_where_keys_wait_for_the_lost_one(tmp_path: Path) -> None:
    config = configuration(tmp_path / "c", free_port())
    folder = tmp_path / "c" / "keys" / "example.com"
    folder.mkdir(parents=True)
    (folder / "Kexample.com+013+00001.json").write_text("{}")
    done = run("init", "--config", config)
    assert done.returncode == 1
    assert "restore it from its backup" in done.stderr
    assert not (tmp_path / "c" / "master.key").exists()


def test_a_controller_that_cannot_start_says_why_in_one_line(tmp_path: Path) -> None:
    config = configuration(tmp_path / "c", free_port())
    missing = run("serve", "--config", config)
    assert (missing.returncode, missing.stderr.count("\n")) == (1, 1)
    assert "master key" in missing.stderr

    run("init", "--config", config)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        occupied = configuration(tmp_path / "c", taken.getsockname()[1])
        busy = run("serve", "--config", occupied)
    assert (busy.returncode, busy.stderr.count("\n")) == (1, 1)
    assert "api.listen: cannot listen on 127.0.0.1" in busy.stderr

    config.write_text("api: {listne: x}\n")
    wrong = run("serve", "--config", config)
    assert wrong.returncode == 1
    assert "api.listne: unknown key (did you mean listen?)" in wrong.stderr
    absent = run("check-config", "--config", tmp_path / "nothing.yaml")
    assert (absent.returncode, absent.stderr) == (
        1,
        f"{tmp_path}/nothing.yaml cannot be read: No such file or directory\n",
    )


def test_a_stop_answers_who_waits_and_ends_well(tmp_path: Path) -> None:
    port = free_port()
    config = configuration(tmp_path / "c", port)
    run("init", "--config", config)
    with running(config, tmp_path) as process:
        with socket.create_connection(("127.0.0.1", port)) as waiting:
            request = f"GET /api/v1/heads/stable?after=9999&timeout=60 HTTP/1.1\r\nHost: x\r\nX-API-Key: {KEY}\r\n\r\n"
            waiting.sendall(request.encode())
            # the next request is answered after the poll has been taken up
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/ready") as answer:
                assert answer.status == 200
            process.send_signal(signal.SIGTERM)
            waiting.settimeout(30)
            assert waiting.recv(4096).startswith(b"HTTP/1.1 304 ")
        assert process.wait(30) == 0
        assert process.stderr is not None
        events = [json.loads(line) for line in process.stderr]
        assert [event["event"] for event in events if event["event"] in ("ready", "stopping")] == ["ready", "stopping"]
        assert KEY not in str(events)


def test_the_examples_of_the_documentation_are_true(tmp_path: Path) -> None:
    port = free_port()
    config = configuration(tmp_path / "c", port)
    run("init", "--config", config)
    blocks = re.findall(
        r"^```sh\n(.*?)^```\n(?:```(?:json|text)\n(.*?)^```\n)?", DOCS.read_text(), re.DOTALL | re.MULTILINE
    )
    assert len(blocks) > 15
    mark = "--- end of block"
    script = ["set -eu", f'API=http://127.0.0.1:{port}/api/v1 KEY={KEY}; auth="Authorization: Bearer $KEY"']
    for code, _expected in blocks:
        script += [code, f"echo '{mark}'"]
    with running(config, tmp_path):
        done = subprocess.run(
            ["bash", "-c", "\n".join(script)], cwd=tmp_path, capture_output=True, text=True, timeout=120, check=False
        )
    answers = done.stdout.split(f"{mark}\n")
    for (code, expected), answer in zip(blocks, answers, strict=False):
        pattern = ".*".join(map(re.escape, expected.rstrip("\n").split("…")))
        assert re.fullmatch(pattern, answer.rstrip("\n")), f"{code}\nanswers\n{answer}\nnot\n{expected}\n{done.stderr}"
    assert done.returncode == 0, done.stderr
    assert len(answers) == len(blocks) + 1


def test_keys_are_hashed_from_standard_input() -> None:
    assert run("key", "hash", input="secret\n").stdout == hashlib.sha256(b"secret").hexdigest() + "\n"
    assert run("key", "hash", input="").returncode == 1


def test_a_zone_file_is_checked_before_it_is_sent(tmp_path: Path) -> None:
    good = tmp_path / "good.zone"
    good.write_text("$ORIGIN example.com.\n$TTL 60\n@ SOA ns h 1 2 3 4 5\n@ NS ns\nns A 192.0.2.1\n")
    done = run("zone", "check", good)
    assert (done.returncode, done.stdout) == (0, f"{good}: example.com. is good, 3 records\n"), done.stderr
    good.write_text(good.read_text() + "x A x\ny MX z\n")
    done = run("zone", "check", good)
    assert done.returncode == 1
    assert "line 6" in done.stderr
    assert "line 7" in done.stderr


def test_the_version_is_told() -> None:
    from arca_dns import __version__

    assert run("--version").stdout == f"{__version__}\n"
