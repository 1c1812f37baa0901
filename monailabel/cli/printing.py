"""Prints what a verb found: a table for a terminal, tabs for a pipe, JSON for a program, and a bar for the patient."""

import itertools
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import typer

if TYPE_CHECKING:
    from rich.progress import Progress, TaskID

Tell = Callable[[str, int, int | None], None]
PATIENCE = 0.5  # seconds after which a bar appears


def lines(texts: Iterable[str], *, at_once: bool = False) -> None:
    """Print lines; a reader that has left ends the program without a word."""
    try:
        for text in texts:
            sys.stdout.write(text + "\n")
            if at_once:
                sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        raise typer.Exit from None


def document(value: Any) -> None:
    """Print JSON, ASCII alone, so that it reads the same in every locale."""
    lines([json.dumps(value, indent=2)])


def table(headings: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """Print a table on a terminal; into a pipe its rows alone, with tabs between the columns."""
    texts = ([shown(cell) for cell in row] for row in rows)
    if not sys.stdout.isatty():
        lines("\t".join(row) for row in texts)
        return
    from rich import box
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    drawn = Table(*headings, box=box.SIMPLE_HEAD, show_header=bool(headings), show_edge=False, pad_edge=False)
    for row in texts:
        drawn.add_row(*(Text(cell, overflow="fold") for cell in row))
    Console().print(drawn)


def json_lines(values: Iterable[Any]) -> None:
    """Print JSON, one value a line and each at once."""
    lines((json.dumps(value) for value in values), at_once=True)


def rolling_table(headings: Sequence[str], widths: Sequence[int], rows: Iterable[Sequence[Any]]) -> None:
    """Print the rows of a table that has no end, each at once: columns of these widths on a terminal, else tabs."""
    texts = ([shown(cell) for cell in row] for row in rows)
    if not sys.stdout.isatty():
        lines(("\t".join(row) for row in texts), at_once=True)
        return
    whole = itertools.chain([headings], texts)
    lines(("  ".join(map(str.ljust, row, widths)).rstrip() for row in whole), at_once=True)


def size(count: float) -> str:
    """Give a number of bytes as people say it.

    >>> size(999), size(12_345_678)
    ('999 bytes', '12.3 MB')
    """
    for unit in ("bytes", "kB", "MB", "GB"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count = count / 1000
    return f"{count:.3g} TB"


def shown(value: Any) -> str:
    """Give a value as text that cannot steer a terminal: unprintable characters are escaped."""
    if value is None:
        return "-"
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if text.isprintable() else json.dumps(value)


def note(text: str) -> None:
    """Tell something on stderr that is no result."""
    typer.echo(text, err=True)


@contextmanager
def bar() -> Iterator[Tell | None]:
    """Give what to call with (what, done, total) to show progress on stderr; None where stderr is no terminal."""
    if not sys.stderr.isatty():
        yield None
        return
    drawn = _Bar()
    try:
        yield drawn
    finally:
        drawn.close()


class _Bar:
    """A bar for each kind of work, which only appears when the work takes its time."""

    def __init__(self) -> None:
        self._began = time.monotonic()
        self._progress: Progress | None = None
        self._tasks: dict[str, TaskID] = {}

    def __call__(self, what: str, done: int, total: int | None) -> None:
        if self._progress is None:
            if time.monotonic() - self._began < PATIENCE:
                return
            self._progress = _started()
        if what not in self._tasks:
            self._tasks[what] = self._progress.add_task(what)
        self._progress.update(self._tasks[what], completed=done, total=total)

    def close(self) -> None:
        if self._progress is not None:
            self._progress.stop()


def _started() -> "Progress":
    from rich.console import Console
    from rich.progress import Progress

    progress = Progress(console=Console(stderr=True), transient=True)
    progress.start()
    return progress
