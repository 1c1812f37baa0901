"""Bytes that can be made again: kept by key in a folder that stays below a size, and never trusted without a look.

A file's name holds its key, size and checksum (CRC-32), so that what was torn or damaged is not taken for whole; it is
made anew. No failure of this folder is one of its callers': what cannot be kept is handed out all the same.
"""

import os
import re
import tempfile
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import BinaryIO

from monailabel.files.sharing import file_mode_like, make_folder

_NAME = re.compile(r"([0-9a-f]{64})\.(\d{1,12})\.([0-9a-f]{8})|\.making\.\w+")
_CHUNK = 1024 * 1024
_NOTED = 3600.0  # seconds; how exactly the time of the last use is kept
_OPEN = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)


@dataclass(frozen=True, slots=True)
class Kept:
    """An open file of the cache; whoever gets it closes it."""

    fd: int
    size: int
    mtime: float


class Cache:
    """Such bytes in folders below `state`, named by `parts`; keys are SHA-256 in hexadecimal.

    `budget` bounds each of the `16 ** spread` folders in bytes: what was not used for longest goes first.
    """

    def __init__(self, state: str, parts: tuple[str, ...], *, like: str, budget: int, spread: int) -> None:
        self._state, self._parts, self._like, self._budget, self._spread = state, parts, like, budget, spread

    def get(self, key: str) -> Kept | None:
        """Open what is kept under a key; None where there is nothing, or it is damaged."""
        try:
            folder = self._folder(key)
            names = [name for name in os.listdir(folder) if name.startswith(key)]
        except OSError:
            return None
        for name in names:
            with suppress(OSError):
                if (kept := _opened(folder, name)) is not None:
                    return kept
                os.unlink(os.path.join(folder, name))
        return None

    def drop(self, key: str) -> None:
        """Forget what is kept under a key."""
        with suppress(OSError):
            folder = self._folder(key)
            for name in os.listdir(folder):
                if name.startswith(key):
                    os.unlink(os.path.join(folder, name))

    def put(self, key: str, write: Callable[[BinaryIO], None]) -> Kept:
        """Keep what `write` writes, and open it; what cannot be kept lies in a temporary file without a name."""
        with suppress(OSError):
            return self._put(key, write)
        with tempfile.TemporaryFile() as file:
            write(file)
            return _facts(os.dup(_flushed(file)))

    def _put(self, key: str, write: Callable[[BinaryIO], None]) -> Kept:
        folder = self._folder(key)
        make_folder(folder, self._like)
        number, path = tempfile.mkstemp(dir=folder, prefix=".making.")
        with open(number, "w+b") as file:
            try:
                write(file)
                size, checksum = _summed(_flushed(file))
                os.fchmod(number, file_mode_like(folder))
                os.rename(path, os.path.join(folder, f"{key}.{size}.{checksum:08x}"))
            except BaseException:
                with suppress(OSError):
                    os.unlink(path)
                raise
            kept = _facts(os.dup(number))
        self._evict(folder)
        return kept

    def _folder(self, key: str) -> str:
        """Give the folder of a key; a link in its place could lead anywhere, and is none."""
        folder = self._state
        for part in (*self._parts, key[: self._spread]):
            folder = os.path.join(folder, part)
            if os.path.islink(folder.rstrip(os.sep)):
                raise OSError(f"{folder} is a link")
        return folder

    def _evict(self, folder: str) -> None:
        with suppress(OSError), os.scandir(folder) as entries:
            ours = [e for e in entries if _NAME.fullmatch(e.name)]
            files = sorted(((e.stat(follow_symlinks=False), e.path) for e in ours), key=lambda f: -f[0].st_mtime)
            total = 0
            for position, (facts, path) in enumerate(files):
                total += facts.st_size
                if position and total > self._budget:  # the newest stays, however large it is
                    os.unlink(path)


def _opened(folder: str, name: str) -> Kept | None:
    match = _NAME.fullmatch(name)
    fd = os.open(os.path.join(folder, name), _OPEN)
    try:
        if match and match[2] and _summed(fd) == (int(match[2]), int(match[3], 16)):
            kept = _facts(fd)
            if time.time() - kept.mtime > _NOTED:
                with suppress(OSError):
                    os.utime(fd)
            fd = -1
            return kept
    finally:
        if fd >= 0:
            os.close(fd)
    return None


def _summed(fd: int) -> tuple[int, int]:
    """Give size and checksum of an open file."""
    size = checksum = 0
    while data := os.pread(fd, _CHUNK, size):
        size, checksum = size + len(data), zlib.crc32(data, checksum)
    return size, checksum


def _flushed(file: BinaryIO) -> int:
    file.flush()
    return file.fileno()


def _facts(fd: int) -> Kept:
    facts = os.fstat(fd)
    return Kept(fd, facts.st_size, facts.st_mtime)
