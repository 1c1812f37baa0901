"""What a look at a file tells without reading it: size, time, inode, link, and whether somebody still writes it."""

import errno
import os
import signal
import stat
import time
from typing import NamedTuple

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_SETTLED_NS = 2_000_000_000  # what has not changed for so long need not be waited for between two looks
_HAS_LEASES = hasattr(fcntl, "F_SETLEASE")
_BETWEEN_LOOKS = 0.1  # seconds
_PLAIN = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOFOLLOW", 0)


_LATEST = 2**63 - 1  # nanoseconds since 1970 that a database can keep: until 2262


class Look(NamedTuple):
    """The figures by which a file is known again: bytes, nanoseconds since 1970, inode, and a link's target."""

    size: int | None
    mtime_ns: int | None
    inode: int | None
    link: str | None


def mtime_of(facts: os.stat_result) -> int:
    """Give a file's time in nanoseconds since 1970; that of a file from after 2262 counts as the last of that year."""
    return min(facts.st_mtime_ns, _LATEST)


def look(path: str) -> Look | None:
    """Look at a regular file or a link to one; None if there is none."""
    try:
        entry = os.lstat(path)
        link = os.readlink(path) if stat.S_ISLNK(entry.st_mode) else None
        facts = os.stat(path) if link is not None else entry
    except OSError:
        return None
    if not stat.S_ISREG(facts.st_mode):
        return None
    return Look(facts.st_size, mtime_of(facts), entry.st_ino, link)


def complete(files: dict[str, Look]) -> set[str]:
    """Give the paths that nobody writes any more, of those given with what a look at each told.

    A read lease is granted only where nobody has the file open for writing (fcntl(2), F_SETLEASE). Where leases fail
    (another owner, a network disk), size and time must agree in two looks.
    """
    verdicts = {path: _lease(path) for path in files}
    doubtful = {path: files[path] for path, verdict in verdicts.items() if verdict is None}
    return {path for path, verdict in verdicts.items() if verdict} | _steady(doubtful)


def look_at_many(folder: str, names: list[str]) -> dict[str, Look | None]:
    """Look at files in or below a folder: those that are regular or links to such, None for one that is still written.

    Each is opened once, and from there the look and the lease tell of one and the same file.
    """
    looks: dict[str, Look | None] = {}
    doubtful: dict[str, Look] = {}
    try:
        at = os.open(folder, os.O_RDONLY | getattr(os, "O_DIRECTORY", 0))
    except OSError:
        return looks
    try:
        for name in names:
            seen, verdict = _opened(name, at, folder)
            if seen is not None:
                looks[name] = seen if verdict else None
                if verdict is None:
                    doubtful[f"{folder}/{name}"] = seen
    finally:
        os.close(at)
    for path in _steady(doubtful):
        looks[path[len(folder) + 1 :]] = doubtful[path]
    return looks


def _opened(name: str, at: int, folder: str) -> tuple[Look | None, bool | None]:
    """Look at one file and ask whether it is whole (None: a lease cannot tell)."""
    try:
        fd = os.open(name, _PLAIN, dir_fd=at)
    except OSError as error:
        if error.errno == errno.ENOENT:
            return None, None
        path = f"{folder}/{name}"  # a link, or not ours to read
        return look(path), _lease(path)
    try:
        facts = os.fstat(fd)
        if not stat.S_ISREG(facts.st_mode):
            return None, None
        return Look(facts.st_size, mtime_of(facts), facts.st_ino, None), _granted(fd)
    finally:
        os.close(fd)


def _steady(files: dict[str, Look]) -> set[str]:
    """Give the paths whose files look as they did, a moment later where they are new."""
    if any(time.time_ns() - (seen.mtime_ns or 0) < _SETTLED_NS for seen in files.values()):
        time.sleep(_BETWEEN_LOOKS)
    return {path for path, seen in files.items() if look(path) == seen}


def _lease(path: str) -> bool | None:
    """Tell whether nobody writes the file; None where that cannot be asked."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        return _granted(fd)
    finally:
        os.close(fd)


def _granted(fd: int) -> bool | None:
    """Tell whether a read lease is granted on an open file; None where there are no leases."""
    if not _HAS_LEASES:
        return None
    try:
        # Who opens the file for writing meanwhile waits the microseconds until we close it, and we are told by a
        # signal: by default SIGIO, which ends a process; SIGURG is ignored.
        fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGURG)
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        return True
    except BlockingIOError:
        return False
    except OSError:
        return None
