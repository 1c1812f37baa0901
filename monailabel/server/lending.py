"""Lends open files to the server that sends them, by a name under which it finds them a moment later.

The server opens what it is told to send at a time of its own, and does not say when. A file is therefore lent as a
descriptor with a number that nothing else in this process gets, and kept for longer than any opening takes: a server
that comes too late finds nothing, never another file.
"""

import asyncio
import os

try:
    import fcntl
    import resource
except ImportError:  # Windows
    LENDS = False
else:
    LENDS = os.path.isdir("/proc/self/fd")

HOLD = 10.0  # seconds; opening what is open already takes none
MOST = 1024  # files that are lent at once
FEWEST, HIGHEST = 4096, 65_536  # with fewer numbers none can be set apart; higher ones cost the kernel memory


class Lender:
    """Lends descriptors, and closes them in its time."""

    def __init__(self) -> None:
        self._first, self._end = _numbers()
        self._next = self._first
        self._lent: dict[int, asyncio.TimerHandle] = {}

    def lend(self, fd: int) -> str | None:
        """Give the path under which an open file is found from now on; None where that cannot be."""
        if self._first == self._end or len(self._lent) >= MOST:
            return None
        number = fcntl.fcntl(fd, fcntl.F_DUPFD_CLOEXEC, self._next)
        self._next = number + 1 if number + 1 < self._end - MOST else self._first
        self._lent[number] = asyncio.get_running_loop().call_later(HOLD, self._take_back, number)
        return f"/proc/self/fd/{number}"

    def _take_back(self, number: int) -> None:
        del self._lent[number]
        os.close(number)

    def close(self) -> None:
        """Take back all that is lent."""
        for number, timer in list(self._lent.items()):
            timer.cancel()
            self._take_back(number)


def _numbers() -> tuple[int, int]:
    """Give the first number that is lent, and the one after the last: far above those that the system gives."""
    if not LENDS:
        return 0, 0
    end = min(resource.getrlimit(resource.RLIMIT_NOFILE)[0], HIGHEST)
    return (end // 2, end) if end >= FEWEST else (0, 0)
