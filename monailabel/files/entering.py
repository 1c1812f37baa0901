"""Reaching files without being led astray: no link, pipe or device in the place of what was there a moment ago."""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Literal, get_args

from monailabel.interfaces.exception import InvalidInputException

FollowLinks = Literal["never", "reading", "writing"]
"""What links that lead out of a datastore's folder are followed for; own files never are."""

# What the system says of a name that leads to no regular file: a folder, pipe, socket or device, or links in a circle.
NO_FILE = (errno.EINVAL, errno.EISDIR, errno.ENXIO, errno.ENODEV, errno.ELOOP, errno.ENOTDIR, errno.ENAMETOOLONG)

_PINS = "/proc/self/fd"
_CAN_PIN = hasattr(os, "O_PATH") and os.path.isdir(_PINS)


def how_to_follow(word: str) -> FollowLinks:
    """Check what somebody says of links; InvalidInputException for another word."""
    for known in get_args(FollowLinks):
        if word == known:
            return known  # type: ignore[no-any-return]
    raise InvalidInputException(f"follow_links={word!r} refused: use one of {', '.join(get_args(FollowLinks))}")


@contextmanager
def entered(base: str, *names: str, follow: bool = False) -> Iterator[str]:
    """Give a path of the folder `names` below `base`, which stays that folder's whatever takes its place meanwhile.

    Links in `base` are the caller's own; those below it are entered only with `follow`. Raises NotADirectoryError for
    them, and FileNotFoundError. Where the system cannot pin a folder (not Linux) the links are looked for instead.
    """
    shown = os.path.join(base, *names)
    if not _CAN_PIN:
        _refuse_links(base, names if not follow else ())
        yield shown
        return
    fd = _pinned(base, tuple(filter(None, names)), follow)
    path = f"{_PINS}/{fd}"
    try:
        yield path
    except OSError as error:
        _tell(error, path, shown)
        raise
    finally:
        os.close(fd)


def _pinned(base: str, names: tuple[str, ...], follow: bool) -> int:
    flags = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC
    inner = flags if follow else flags | os.O_NOFOLLOW
    fd = os.open(os.path.join(base, *names[:1]), inner if names else flags)
    for name in names[1:]:
        outer = fd
        try:
            fd = os.open(name, inner, dir_fd=outer)
        except OSError as error:
            error.filename = os.path.join(base, *names)
            raise
        finally:
            os.close(outer)
    return fd


def _refuse_links(base: str, names: tuple[str, ...]) -> None:
    path = base
    for name in names:
        path = os.path.join(path, name)
        if os.path.islink(path):
            raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), path)


def _tell(error: OSError, path: str, shown: str) -> None:
    """Have an error name the folder as people know it."""
    for which in ("filename", "filename2"):
        name = getattr(error, which)
        if isinstance(name, str) and name.startswith(path + "/"):
            setattr(error, which, shown + name[len(path) :])


def open_regular(path: str, flags: int = 0) -> int:
    """Open a regular file for reading; OSError (EINVAL) for a pipe, which would be waited for, and all else."""
    fd = os.open(path, os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | flags)
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "no regular file", path)
    return fd


def is_file(path: str) -> bool:
    """Tell whether there is a regular file or a link, and no folder, pipe, socket or device."""
    try:
        mode = os.lstat(path).st_mode
    except FileNotFoundError:
        return False
    return stat.S_ISREG(mode) or stat.S_ISLNK(mode)


def is_inside(path: str, folder: str) -> bool:
    """Tell whether a real path is a folder's or leads below it."""
    return os.path.commonpath([os.path.realpath(folder), path]) == os.path.realpath(folder)


def place_of(fd: int, path: str) -> str:
    """Give where an open file really lies; where the system does not say (not Linux), where its path leads now."""
    return os.readlink(f"{_PINS}/{fd}") if _CAN_PIN else os.path.realpath(path)
