"""Copying a file whole: sharing its blocks where the disk can do that, and reading the copy to see that it is right."""

import errno
import os
from contextlib import suppress

from monailabel.files.folder import CHUNK, digest

_UNABLE = (errno.ENOSYS, errno.EXDEV, errno.EINVAL, errno.EOPNOTSUPP, errno.EBADF, errno.EPERM)


def copy_file(source: int, target: str) -> str:
    """Copy an open file with its permissions and time to a new name; give the SHA-256 that is read from the copy.

    Until it is whole the copy has another name. It is not durable yet.
    """
    facts = os.fstat(source)
    part = target + ".part"
    try:
        with open(part, "wb") as out:
            copy_bytes(source, out.fileno())
            os.fchmod(out.fileno(), facts.st_mode & 0o777)
        sha256, _ = digest(part)
        os.utime(part, ns=(facts.st_atime_ns, facts.st_mtime_ns))
        os.replace(part, target)
    except BaseException:
        with suppress(FileNotFoundError):
            os.unlink(part)
        raise
    return sha256


def link_file(source: str, target: str) -> bool:
    """Give a file that nobody writes a second name; tell whether the disk could do that."""
    with suppress(FileNotFoundError):
        os.unlink(target)
    try:
        os.link(source, target, follow_symlinks=False)
    except OSError:  # another disk, a disk without links, too many of them, or none there
        return False
    return True


def copy_bytes(source: int, target: int) -> None:
    """Copy all bytes of an open file in the kernel (copy_file_range(2)).

    Btrfs and XFS then share the blocks of both files.
    """
    at = 0
    if hasattr(os, "copy_file_range"):
        try:
            while count := os.copy_file_range(source, target, CHUNK * 1024, at):
                at += count
        except OSError as error:
            if error.errno not in _UNABLE:
                raise
    while data := os.pread(source, CHUNK, at):  # all of it, or what is left
        os.pwrite(target, data, at)
        at += len(data)
