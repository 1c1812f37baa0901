"""Empty files that lie ready for the next changes: none has to wait for a new one and the entry that leads to it."""

import os
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import suppress
from io import FileIO
from itertools import islice

COUNT = 32

Begun = tuple[str, FileIO]
"""The path of an empty file that nobody else may use, and the file, open and locked."""


class Ready:
    """Files that were begun ahead, with durable entries. Threads may take them while one of them fills up."""

    def __init__(self, begin: Callable[[], Iterator[Begun]], sync: Callable[[], None]) -> None:
        """`begin` makes files, `sync` makes the entries of all that were made durable."""
        self._begin = begin
        self._sync = sync
        self._waiting: deque[Begun] = deque()
        self._begun: list[Begun] = []  # whose entries are not durable yet
        self._is_used = False
        self._is_closed = False

    def renew(self) -> None:
        """Leave a parent process its files, whose locks are its own as long as it has them open."""
        for _, file in (*self._waiting, *self._begun):
            file.close()
        self._waiting.clear()
        self._begun = []

    @property
    def is_low(self) -> bool:
        """Tell whether files are used here, and few are left."""
        return self._is_used and len(self._waiting) < COUNT // 2

    def take(self) -> Begun | None:
        """Give a file that lies there still; None where there is none."""
        self._is_used = True
        while True:
            try:
                path, file = self._waiting.popleft()
            except IndexError:
                return None
            with suppress(FileNotFoundError):
                if os.path.samestat(os.lstat(path), os.fstat(file.fileno())):
                    return path, file
            file.close()

    def fill(self) -> None:
        """Begin as many files as are missing; where the disk takes none, a change that needs one says why."""
        new = self._begun = []
        try:
            with suppress(OSError):
                new.extend(islice(self._begin(), max(0, COUNT - len(self._waiting))))  # an error leaves those before it
                self._sync()
                self._waiting.extend(new)
                self._begun = []
        finally:
            for begun in self._begun:
                _remove(*begun)
            self._begun = []
        if self._is_closed:  # meanwhile
            self.close()

    def close(self) -> None:
        """Remove what was not used."""
        self._is_closed = True
        with suppress(IndexError):
            while True:  # somebody may take one meanwhile
                _remove(*self._waiting.popleft())


def _remove(path: str, file: FileIO) -> None:
    file.close()
    with suppress(OSError):
        os.unlink(path)
