# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""Who does the pieces of a long piece of work: this thread, or processes that a program hands in.

The library starts no processes. A program that has cores to spare passes its own :class:`Workers`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, nullcontext
from typing import Protocol, TypeVar

Piece = TypeVar("Piece")
Result = TypeVar("Result")

#: Told how far a long work is: what is being done, how much of it is done, and of how much.
Progress = Callable[[str, int, int], None]


def no_progress(_what: str, _done: int, _total: int) -> None:
    """Tells nobody."""


class Workers(Protocol):
    """Does independent pieces of work, several at a time."""

    def run(self, start: Callable[[], Callable[[Piece], Result]], pieces: Iterable[Piece]) -> Iterator[Result]:
        """The results of *pieces*, in their order.

        *start* is called once in each worker and gives what is then called with pieces. Both, and results, can be
        pickled; what *start* carries may be secret and is sent through a private pipe only. An ``ArcaError`` of a
        piece is raised here, and a worker that ends before its time is one.
        """

    def together(self) -> AbstractContextManager[Workers]:
        """Workers that need not start anew for each run while the block lasts: for works of several phases."""


class Serial:
    """One piece after the other, in this thread."""

    def run(self, start: Callable[[], Callable[[Piece], Result]], pieces: Iterable[Piece]) -> Iterator[Result]:
        """The results of *pieces*, in their order."""
        work = start()
        for piece in pieces:
            yield work(piece)

    def together(self) -> AbstractContextManager[Workers]:
        """This thread."""
        return nullcontext(self)


SERIAL = Serial()
