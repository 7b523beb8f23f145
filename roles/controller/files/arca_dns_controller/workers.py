# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Worker processes that sign and verify large zones on all cores.

A worker is a fresh interpreter, not a fork: the daemon has threads and open databases. It is given its work, private
keys among it, through its own standard input, which nobody else can read, and nothing of it stands on a command line
or in a file. Workers live as long as one work, with all its phases.
"""

from __future__ import annotations

import contextlib
import os
import pickle
import subprocess
import sys
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from queue import SimpleQueue
from typing import IO, Any

from arca_dns.dnssec.workers import SERIAL, Piece, Result
from arca_dns.errors import ArcaError

_HEADER = 8  # octets that say how long a message is
_START = b"s"  # what follows makes the work; it is not answered
_PIECE = b"p"
#: Packages that the library offers and no worker uses; together they take longer to import than all the rest.
_UNUSED = ("alembic", "dulwich", "sqlalchemy")
#: Pieces, of some tenths of a second each, from which on processes are faster than they are slow to start.
LEAST = 12


class WorkerFailed(ArcaError):
    """A worker process ended before its work did, or met an error that is none of the zone's."""

    code = "worker-failed"


class Processes:
    """:class:`arca_dns.dnssec.workers.Workers` on *count* processes; less than *least* pieces are done in this one."""

    def __init__(self, count: int | None = None, least: int = LEAST) -> None:
        self._least = least
        self.count = len(os.sched_getaffinity(0)) if count is None else count

    def run(self, start: Callable[[], Callable[[Piece], Result]], pieces: Iterable[Piece]) -> Iterator[Result]:
        """The results of *pieces*, in their order. Raises :class:`WorkerFailed`."""
        with self.together() as crew:
            yield from crew.run(start, pieces)

    @contextlib.contextmanager
    def together(self) -> Iterator[_Crew]:
        """The same for several runs, whose processes start once."""
        crew = _Crew(self.count, self._least)
        try:
            yield crew
        finally:
            crew.end()


class _Crew:
    """Processes that start with the first run that is worth it."""

    def __init__(self, count: int, least: int) -> None:
        self._count = count
        self._least = least
        self._workers: list[_Worker] = []

    @contextlib.contextmanager
    def together(self) -> Iterator[_Crew]:
        """This one; who made it ends it."""
        yield self

    def run(self, start: Callable[[], Callable[[Piece], Result]], pieces: Iterable[Piece]) -> Iterator[Result]:
        """The results of *pieces*, in their order. Raises :class:`WorkerFailed`."""
        least = 2 if self._workers else self._least  # they are there already
        rest = iter(pieces)
        ahead = list(islice(rest, least))
        if len(ahead) < least or self._count < 2:
            yield from SERIAL.run(start, chain(ahead, rest))
            return
        try:
            while len(self._workers) < self._count:
                self._workers.append(_Worker())
            idle: SimpleQueue[_Worker] = SimpleQueue()
            hello = pickle.dumps(start, pickle.HIGHEST_PROTOCOL)
            for worker in self._workers:
                worker.send(_START, hello)
                idle.put(worker)
            # Left before the workers are ended, which lets go of a thread that waits for one.
            with _Threads(self._count, self._workers) as threads:
                yield from _in_order(threads.pool, idle, chain(ahead, rest), 2 * self._count)
        except BaseException:  # also GeneratorExit: some are still at work that nobody waits for
            self.end()
            raise

    def end(self) -> None:
        """End the processes."""
        workers, self._workers = self._workers, []
        for worker in workers:
            worker.close()
        for worker in workers:
            worker.wait()


def _in_order(pool: ThreadPoolExecutor, idle: SimpleQueue[_Worker], pieces: Iterable[Any], most: int) -> Iterator[Any]:
    def exchange(data: bytes) -> Any:
        worker = idle.get()
        try:
            return worker.exchange(data)
        finally:
            idle.put(worker)

    waiting: deque[Future[Any]] = deque()
    for piece in pieces:
        waiting.append(pool.submit(exchange, pickle.dumps(piece, pickle.HIGHEST_PROTOCOL)))
        if len(waiting) >= most:
            yield waiting.popleft().result()
    while waiting:
        yield waiting.popleft().result()


class _Threads:
    """Threads that talk to workers; when work is broken off the workers end first, and so do the talks."""

    def __init__(self, count: int, workers: list[_Worker]) -> None:
        self.pool = ThreadPoolExecutor(count, thread_name_prefix="worker")
        self._workers = workers

    def __enter__(self) -> _Threads:
        return self

    def __exit__(self, kind: object, _error: object, _trace: object) -> None:
        if kind is not None:
            for worker in self._workers:
                worker.kill()
        self.pool.shutdown(cancel_futures=True)


class _Worker:
    """One process and the pipes to it."""

    def __init__(self) -> None:
        # Nothing else of the environment: the master key may stand in it.
        environment = {"PYTHONPATH": os.pathsep.join(entry for entry in sys.path if entry)}
        self._process = subprocess.Popen(
            [sys.executable, "-c", f"from {__name__} import main; main()"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            env=environment,
        )

    def close(self) -> None:
        """Let it end, which it does when nothing more can come."""
        for stream in (self._process.stdin, self._process.stdout):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def wait(self) -> None:
        """Wait until it has ended."""
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def kill(self) -> None:
        """End it now."""
        self._process.kill()

    def send(self, kind: bytes, data: bytes) -> None:
        """Hand it *data*."""
        try:
            _write(self._process.stdin, kind, data)
        except OSError:
            raise self._died() from None

    def exchange(self, data: bytes) -> Any:
        """What it answers to *data*. Raises :class:`WorkerFailed`, or the error that it met."""
        self.send(_PIECE, data)
        answer = _read(self._process.stdout)
        if answer is None:
            raise self._died()
        good, result = pickle.loads(answer[1])  # noqa: S301 - from a process of our own, over its own pipe
        if good:
            return result
        raise result

    def _died(self) -> WorkerFailed:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self._process.wait(1)
        status = self._process.returncode
        how = "closed its pipe" if status is None else f"was killed by signal {-status}" if status < 0 else "ended"
        return WorkerFailed(
            f"a worker process {how} before its work was done; nothing was published."
            " If signal 9 ended it, the machine may have run out of memory"
        )


def _write(stream: IO[bytes] | None, kind: bytes, data: bytes) -> None:
    if stream is not None:
        stream.write(kind + len(data).to_bytes(_HEADER, "big"))
        stream.write(data)
        stream.flush()


def _read(stream: IO[bytes] | None) -> tuple[bytes, bytes] | None:
    """The next message, (kind, data); ``None`` at the end."""
    head = b"" if stream is None else stream.read(1 + _HEADER)
    if stream is None or len(head) != 1 + _HEADER:
        return None
    size = int.from_bytes(head[1:], "big")
    data = stream.read(size)
    return (head[:1], data) if len(data) == size else None


def serve(source: IO[bytes], target: IO[bytes]) -> None:
    """Be a worker: take what starts a work, then pieces of it or of the next one, until *source* ends."""
    start = b""
    work: Callable[[Any], Any] | None = None
    while (message := _read(source)) is not None:
        kind, data = message
        if kind == _START:
            start, work = data, None
            continue
        try:
            if work is None:
                # From the process that started this one, over its own pipe.
                work = pickle.loads(start)()  # noqa: S301
            answer: tuple[bool, Any] = (True, work(pickle.loads(data)))  # noqa: S301
        except ArcaError as error:
            answer = (False, error)
        except Exception as error:  # an error of this program: told in one line, never hung upon
            answer = (False, WorkerFailed(f"a worker process failed: {type(error).__name__}: {error}"))
        _write(target, _PIECE, pickle.dumps(answer, pickle.HIGHEST_PROTOCOL))


def main() -> None:
    """What a worker process runs."""
    for package in _UNUSED:
        sys.modules[package] = None  # type: ignore[assignment]
    with contextlib.suppress(BrokenPipeError, KeyboardInterrupt):
        serve(sys.stdin.buffer, sys.stdout.buffer)
