"""What a look at a file tells without reading it: size, time, inode, link, and whether somebody still writes it."""

import os
import signal
import stat
import time
from dataclasses import dataclass

try:
    import fcntl
except ImportError:  # Windows
    fcntl = None  # type: ignore[assignment]

_SETTLED_NS = 2_000_000_000  # what has not changed for so long need not be waited for between two looks
_BETWEEN_LOOKS = 0.1  # seconds


@dataclass(frozen=True, slots=True)
class Look:
    """The figures by which a file is known again: bytes, nanoseconds since 1970, inode, and a link's target."""

    size: int | None
    mtime_ns: int | None
    inode: int | None
    link: str | None


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
    return Look(facts.st_size, facts.st_mtime_ns, entry.st_ino, link)


def complete(files: dict[str, Look]) -> set[str]:
    """Give the paths that nobody writes any more, of those given with what a look at each told.

    A read lease is granted only where nobody has the file open for writing (fcntl(2), F_SETLEASE). Where leases fail
    (another owner, a network disk), size and time must agree in two looks.
    """
    verdicts = {path: _lease(path) for path in files}
    doubtful = [path for path, verdict in verdicts.items() if verdict is None]
    if any(time.time_ns() - (files[path].mtime_ns or 0) < _SETTLED_NS for path in doubtful):
        time.sleep(_BETWEEN_LOOKS)
    return {path for path, verdict in verdicts.items() if (look(path) == files[path] if verdict is None else verdict)}


def _lease(path: str) -> bool | None:
    if fcntl is None or not hasattr(fcntl, "F_SETLEASE"):
        return None
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError:
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
    finally:
        os.close(fd)
