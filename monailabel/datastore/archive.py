"""A ZIP of the labelled cases: images, labels and the metadata of just these."""

import contextlib
import os
import tempfile
from collections.abc import Iterator
from typing import Any

from zipstream import ZIP_STORED, ZipStream  # type: ignore[import-untyped]

from monailabel.interfaces.exception import ConflictException


class Archive:
    """The bytes of a ZIP file, made while they are read; nothing is compressed, for scans are already."""

    def __init__(self, cases: list[dict[str, Any]], metadata: bytes) -> None:
        self._zip = ZipStream(compress_type=ZIP_STORED, sized=True)
        for case in cases:
            for role, path in case.items():
                self._zip.add_path(path, f"{role}/{os.path.basename(path)}", recurse=False)
        self._zip.add(metadata, "metadata.json")
        self.size = len(self._zip)

    def __iter__(self) -> Iterator[bytes]:
        return iter(self._zip)

    def close(self) -> None:
        """Let go of the files."""


def pick(cases: list[dict[str, Any]], limit: int | None) -> list[dict[str, Any]]:
    """Give the first `limit` cases, all of them for None, zero, negative and too large numbers."""
    if not cases:
        raise ConflictException("nothing to archive: no image has a final label yet; save one with the tag 'final'")
    return cases[:limit] if limit is not None and 0 < limit < len(cases) else cases


def write(archive: Archive) -> str:
    """Write an archive to a temporary file, which is the caller's to remove, and give its path."""
    fd, path = tempfile.mkstemp(prefix="monailabel-", suffix=".zip")
    try:
        with os.fdopen(fd, "wb") as file:
            for chunk in archive:
                file.write(chunk)
    except BaseException:
        with contextlib.suppress(OSError):
            os.unlink(path)
        raise
    return path
