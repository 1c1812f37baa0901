"""A ZIP of the labelled cases: images, labels and the metadata of just these."""

import contextlib
import os
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from monailabel.interfaces.exception import ConflictException

AT_ONCE = 8  # pieces that are written to a file while the next are read
PIECE = 256 * 1024  # bytes that are read at once, and held for each client that reads slowly


@dataclass(frozen=True, slots=True)
class Member:
    """A file of an archive: its name there, its size in bytes, and how to open it when its turn comes."""

    name: str
    size: int
    open: Callable[[], int]

    def __iter__(self) -> Iterator[bytes]:
        left = self.size
        with os.fdopen(self.open(), "rb") as file:
            while left and (chunk := file.read(min(PIECE, left))):
                left -= len(chunk)
                yield chunk
            more = file.read(1)
        if left or more:
            raise ConflictException(f"{self.name!r} changed while it was being archived; try again")


class Archive:
    """The bytes of a ZIP file, made while they are read; nothing is compressed, for scans are already."""

    def __init__(self, members: list[Member], metadata: bytes) -> None:
        from zipstream import ZIP_STORED, ZipStream  # half as much to import as all the rest, and seldom needed

        self._zip = ZipStream(compress_type=ZIP_STORED, sized=True)
        for member in members:
            self._zip.add(member, member.name, size=member.size)
        self._zip.add(metadata, "metadata.json")
        self.size = len(self._zip)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._zip)

    def close(self) -> None:
        """Nothing is held open between two files; here for whoever closes what it iterates over."""


def pick(cases: list[dict[str, Any]], limit: int | None) -> list[dict[str, Any]]:
    """Give the first `limit` cases, all of them for None, zero, negative and too large numbers."""
    if not cases:
        raise ConflictException("nothing to archive: no image has a final label yet; save one with the tag 'final'")
    return cases[:limit] if limit is not None and 0 < limit < len(cases) else cases


def write(archive: Archive) -> str:
    """Write an archive to a temporary file, readable for its owner alone, and give its path."""
    from concurrent.futures import Future, ThreadPoolExecutor  # as above

    fd, path = tempfile.mkstemp(prefix="monailabel-", suffix=".zip")
    try:
        with os.fdopen(fd, "wb") as file, ThreadPoolExecutor(1) as pool:
            written: Future[None] | None = None  # what reads and sums does not wait for the disk
            for chunks in _together(archive, AT_ONCE):
                if written is not None:
                    written.result()
                written = pool.submit(file.writelines, chunks)
            if written is not None:
                written.result()
    except BaseException:
        remove(path)
        raise
    return path


def _together(chunks: Iterable[bytes], count: int) -> Iterator[list[bytes]]:
    """Give so many chunks at once."""
    chunks = iter(chunks)
    while some := list(islice(chunks, count)):
        yield some


def remove(path: str) -> None:
    """Remove an archive's file, if it is still there."""
    with contextlib.suppress(OSError):
        os.unlink(path)
