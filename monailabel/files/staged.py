"""A new file on its way into a folder: written and hashed where nobody sees it, and durable before it is shown."""

import hashlib
import os
import stat
from contextlib import suppress
from io import FileIO
from types import TracebackType
from typing import TYPE_CHECKING, Self

from monailabel.files.sharing import sync_folder

if TYPE_CHECKING:
    from monailabel.files.folder import Folder

STAGING = "staging"  # where such files lie, below a folder's own


class Staged:
    """A new file under a random name, invisible until it is put in its place, and locked by whoever writes it.

    Used as a context manager it leaves no trace, unless a change took it over.
    """

    def __init__(self, folder: "Folder", name: str) -> None:
        self.folder = folder
        self.name = name  # what the sender calls it; only its end is ever used
        self.taken = False
        self._hash = hashlib.sha256()
        self.size = 0
        self._file: FileIO | None
        begun = folder.ready.take()
        self._is_entered = begun is not None  # whether the entry that leads to it is durable
        self.path, self._file = begun or next(folder.begin())
        self.token = os.path.basename(self.path)

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append bytes."""
        assert self._file is not None
        self._hash.update(data)
        left = memoryview(data)
        while left := left[self._file.write(left) :]:
            pass
        self.size += len(data)

    def seal(self, mode: int | None = None, *, durable: bool = True) -> None:
        """Set the permissions; make the bytes and the entry that leads to them durable, or leave that for `sync`."""
        assert self._file is not None
        fd = self._file.fileno()
        facts = os.fstat(fd)
        mode = self.folder.file_mode if mode is None else mode
        if stat.S_IMODE(facts.st_mode) != mode:
            os.fchmod(fd, mode)
        if durable:
            self.sync()
        self.sha256, self.inode, self.mtime_ns = self._hash.hexdigest(), facts.st_ino, facts.st_mtime_ns

    def sync(self) -> None:
        """Make the bytes and the entry that leads to them durable."""
        assert self._file is not None
        os.fsync(self._file.fileno())
        if not self._is_entered:
            sync_folder(self.folder.staging)

    def release(self) -> None:
        """Let go of the file, which stands on its own from here."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def discard(self) -> None:
        """Remove the file, unless a change took it over; one that cannot be removed goes at the next opening."""
        if not self.taken:
            with suppress(OSError), self.folder.own(STAGING) as staging:  # else the next opening sweeps it
                os.unlink(f"{staging}/{self.token}")
        self.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.discard()
