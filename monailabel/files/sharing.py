"""Making files and folders durable, and as usable for the group as the folder that they serve."""

import ctypes
import errno
import os
import stat
import sys
from collections.abc import Callable
from contextlib import suppress

from monailabel.files.entering import entered
from monailabel.interfaces.exception import InvalidInputException

_KINDS = {
    stat.S_IFREG: "file", stat.S_IFDIR: "folder", stat.S_IFLNK: "link", stat.S_IFIFO: "pipe", stat.S_IFSOCK: "socket",
}  # fmt: skip


def _umask() -> int:
    mask = os.umask(0o077)
    os.umask(mask)
    return mask


_UMASK = _umask()  # asked once, while no other thread makes files


def file_mode_like(folder: str) -> int:
    """Give the permissions for a file that everybody who may write to the folder has to write to."""
    mode = 0o666 & ~_UMASK
    with suppress(OSError):
        if os.stat(folder).st_mode & stat.S_IWGRP:
            mode |= stat.S_IRGRP | stat.S_IWGRP
    return mode


def sync_folder(path: str) -> None:
    """Make a folder's entries durable."""
    if not hasattr(os, "O_DIRECTORY"):  # Windows cannot sync a folder
        return
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # some network disks know no such thing
            raise
    finally:
        os.close(fd)


def _find_syncfs() -> Callable[[int], None] | None:
    function = getattr(ctypes.CDLL(None, use_errno=True), "syncfs", None) if sys.platform.startswith("linux") else None
    if function is None:
        return None

    def syncfs(fd: int) -> None:
        if function(fd):
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))

    return syncfs


_syncfs = _find_syncfs()


def sync_disk(path: str) -> bool:
    """Make everything durable that was written to a folder's disk (syncfs(2)); tell whether this system can."""
    if _syncfs is None:
        return False
    fd = os.open(path, os.O_RDONLY)
    try:
        _syncfs(fd)
    finally:
        os.close(fd)
    return True


def sync_file(path: str) -> None:
    """Make durable what another program wrote: a file's bytes, and the entry that leads to it."""
    fd = os.open(path, os.O_RDONLY if hasattr(os, "O_DIRECTORY") else os.O_RDWR)  # Windows syncs only what it may write
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
    sync_folder(os.path.dirname(path))


def make_folder(path: str, like: str) -> None:
    """Make a folder, and those that lead to it, as usable for the group as another; an existing one is left alone."""
    if os.path.isdir(path):
        return
    parent = os.path.dirname(os.path.abspath(path))
    make_folder(parent, like)
    with suppress(FileExistsError):
        os.mkdir(path)
        share_with_group(path, like)
        sync_folder(parent)


def share_with_group(path: str, like: str) -> None:
    """Make a new file or folder as usable for the group as a folder is; what is made in the folder will be too."""
    with suppress(OSError):
        facts = os.stat(like)
        if facts.st_mode & stat.S_IWGRP:
            os.chown(path, -1, facts.st_gid)
            is_folder = os.path.isdir(path)
            more = 0o070 | stat.S_ISGID if is_folder else 0o060
            os.chmod(path, stat.S_IMODE(os.stat(path).st_mode) | more)


def refuse_other(path: str, *, folder: bool = False) -> None:
    """Refuse what is no file, or no folder, where a datastore keeps its own.

    In a folder that came from elsewhere a link could lead anywhere, and a pipe would be waited for.
    """
    try:
        mode = os.lstat(path).st_mode
    except OSError:
        return
    kind = _KINDS.get(stat.S_IFMT(mode), "device")
    if kind != ("folder" if folder else "file"):
        raise InvalidInputException(
            f"{path} is a {kind}, and a datastore keeps its own files in its own folder; remove the {kind}"
        )


def open_shared(path: str, like: str) -> int:
    """Open a file for reading and writing, made if need be for everybody who may write to the folder `like`."""
    refuse_other(path)
    flags = os.O_RDWR | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)
    folder, name = os.path.split(path)
    with entered(os.path.dirname(folder), os.path.basename(folder)) as inside:
        try:
            fd = os.open(f"{inside}/{name}", flags | os.O_CREAT | os.O_EXCL, 0o666)
        except FileExistsError:
            return os.open(f"{inside}/{name}", flags)
        share_with_group(f"{inside}/{name}", like)
        return fd
