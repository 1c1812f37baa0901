"""What the kernel tells of folders: which names came, went or moved in them since they are watched (inotify(7))."""

import ctypes
import os
import struct
import sys

# <sys/inotify.h>
_MOVED_FROM, _MOVED_TO, _CREATE, _DELETE, _DELETE_SELF, _MOVE_SELF = 0x40, 0x80, 0x100, 0x200, 0x400, 0x800
_OVERFLOW, _IGNORED, _UNMOUNT, _ONLYDIR = 0x4000, 0x8000, 0x2000, 0x01000000
_ENTRIES = _MOVED_FROM | _MOVED_TO | _CREATE | _DELETE
_LOST = _OVERFLOW | _IGNORED | _UNMOUNT | _DELETE_SELF | _MOVE_SELF
_EVENT = struct.Struct("iIII")
_BUFFER = 1 << 16


class News:
    """A watch on folders. Raises OSError where the system has none, or no more of them."""

    def __init__(self) -> None:
        if not sys.platform.startswith("linux"):
            raise OSError("this system tells nothing of its folders")
        self._libc = ctypes.CDLL(None, use_errno=True)
        self._fd = self._called(self._libc.inotify_init1(os.O_NONBLOCK | os.O_CLOEXEC))
        self._folders: dict[int, str] = {}

    def watch(self, folder: str) -> None:
        """Watch a folder from now on."""
        mask = _ENTRIES | _DELETE_SELF | _MOVE_SELF | _ONLYDIR
        watch = self._libc.inotify_add_watch(self._fd, os.fsencode(folder), ctypes.c_uint32(mask))
        self._folders[self._called(watch)] = folder

    def read(self) -> set[str] | None:
        """Give the paths of what changed since it was last asked; None where some of it was lost."""
        paths: set[str] = set()
        while True:
            try:
                data = os.read(self._fd, _BUFFER)
            except BlockingIOError:
                return paths
            place = 0
            while place < len(data):
                watch, mask, _, length = _EVENT.unpack_from(data, place)
                name = data[place + _EVENT.size : place + _EVENT.size + length].rstrip(b"\0")
                place += _EVENT.size + length
                if mask & _LOST or watch not in self._folders:
                    return None
                paths.add(os.path.join(self._folders[watch], os.fsdecode(name)))

    def close(self) -> None:
        """Stop watching."""
        os.close(self._fd)

    def _called(self, result: int) -> int:
        if result < 0:
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))
        return result
