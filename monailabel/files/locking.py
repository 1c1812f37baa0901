"""Locks that the operating system frees when their holder dies."""

import errno
import os
import threading
from types import TracebackType
from typing import IO, Any

from monailabel.files.sharing import open_shared

try:
    import fcntl
except ImportError:  # Windows has no flock; its byte-range locks are freed with their holder as well
    fcntl = None  # type: ignore[assignment]


def lock(file: IO[Any] | int, *, wait: bool = True) -> bool:
    """Lock an open file (or folder, by its descriptor) for oneself alone; without `wait`, tell whether that went."""
    if fcntl is not None:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | (0 if wait else fcntl.LOCK_NB))
        except BlockingIOError:
            return False
        return True
    return not isinstance(file, int) and _lock_windows(file, wait)


def unlock(file: IO[Any]) -> None:
    """Free the lock of an open file."""
    if fcntl is not None:
        fcntl.flock(file, fcntl.LOCK_UN)
    else:
        _unlock_windows(file)


class FolderLock:
    """One holder at a time among all threads and processes that know the same lock file."""

    def __init__(self, path: str, like: str) -> None:
        self._path = path
        self._like = like  # whoever may write to this folder has to be able to lock it
        self.renew()

    def renew(self) -> None:
        """Forget what was inherited from a parent process, which still owns it."""
        self._thread = threading.Lock()
        self._file: IO[bytes] | None = None

    def close(self) -> None:
        """Close the lock file."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def is_free(self) -> bool:
        """Tell whether nobody holds the lock at this moment."""
        if not self._thread.acquire(blocking=False):
            return False
        try:
            file = self._opened()
            free = lock(file, wait=False)
            if free:
                unlock(file)
            return free
        finally:
            self._thread.release()

    def __enter__(self) -> None:
        self._thread.acquire()
        try:
            while True:
                file = self._opened()
                lock(file)
                if self._is_still():
                    return
                self.close()  # somebody removed the lock file, and others may hold a newer one
        except BaseException:
            self._thread.release()
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if self._file is not None:
                unlock(self._file)
        finally:
            self._thread.release()

    def _opened(self) -> IO[bytes]:
        if self._file is None:
            try:
                self._file = os.fdopen(open_shared(self._path, self._like), "r+b", buffering=0)
            except FileNotFoundError:
                folder = os.path.dirname(self._path)
                raise FileNotFoundError(
                    errno.ENOENT,
                    "the datastore's own folder is gone; whoever opens the datastore makes it anew",
                    folder,
                ) from None
            facts = os.fstat(self._file.fileno())
            self._identity = facts.st_dev, facts.st_ino
        return self._file

    def _is_still(self) -> bool:
        """Tell whether the file that is open has its name still."""
        try:
            facts = os.stat(self._path)
        except FileNotFoundError:
            return False
        return (facts.st_dev, facts.st_ino) == self._identity


def _lock_windows(file: IO[Any], wait: bool) -> bool:
    import msvcrt

    file.seek(0)
    while True:
        try:
            msvcrt.locking(file.fileno(), msvcrt.LK_LOCK if wait else msvcrt.LK_NBLCK, 1)  # type: ignore[attr-defined]
            return True
        except OSError:
            if not wait:
                return False


def _unlock_windows(file: IO[Any]) -> None:
    import msvcrt

    file.seek(0)
    msvcrt.locking(file.fileno(), msvcrt.LK_UNLCK, 1)  # type: ignore[attr-defined]
