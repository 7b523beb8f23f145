# Copyright (c) 2026 the arca.dns contributors
# SPDX-License-Identifier: Apache-2.0

"""How far a long command is: a line that moves on a terminal, a plain line now and then elsewhere; always on stderr."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import typer
from rich.console import Console
from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

#: Says what is being done, how much of it is done, and of how much, if that is known.
Say = Callable[[str, int | None, int | None], None]
_EVERY_SECONDS = 5.0


@contextmanager
def progress(quiet: bool = False) -> Iterator[Say]:
    """What to call as often as there is something to say."""
    if quiet:
        yield lambda _text, _done, _total: None
    elif sys.stderr.isatty():
        columns = (SpinnerColumn(), TextColumn("{task.description}"), BarColumn(), TimeElapsedColumn())
        with Progress(*columns, console=Console(stderr=True), transient=True) as shown:
            task = shown.add_task("", total=None)
            yield lambda text, done, total: shown.update(task, description=text, completed=done or 0, total=total)
    else:
        yield _Lines(time.monotonic)


class _Lines:
    """A line when the kind of work changes, and every few seconds."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._next = clock() + _EVERY_SECONDS

    def __call__(self, text: str, done: int | None, total: int | None) -> None:
        if self._clock() >= self._next:
            self._next = self._clock() + _EVERY_SECONDS
            typer.echo(text if done is None or total is None else f"{text} ({done} of {total})", err=True)
