"""Reaching files without being led astray: no link, pipe or device in the place of what was there a moment ago."""

import errno
import os
import stat
from types import TracebackType
from typing import Literal, get_args

from monailabel.interfaces.exception import InvalidInputException

FollowLinks = Literal["never", "reading", "writing"]
"""What links that lead out of a datastore's folder are followed for; own files never are."""

# What the system says of a name that leads to no regular file: a folder, pipe, socket or device, or links in a circle.
NO_FILE = (errno.EINVAL, errno.EISDIR, errno.ENXIO, errno.ENODEV, errno.ELOOP, errno.ENOTDIR, errno.ENAMETOOLONG)

_PINS = "/proc/self/fd"
_CAN_PIN = hasattr(os, "O_PATH") and os.path.isdir(_PINS)
_OPEN = 16  # folders that stay open, at most


def how_to_follow(word: str) -> FollowLinks:
    """Check what somebody says of links; InvalidInputException for another word."""
    for known in get_args(FollowLinks):
        if word == known:
            return known  # type: ignore[no-any-return]
    raise InvalidInputException(f"follow_links={word!r} refused: use one of {', '.join(get_args(FollowLinks))}")


def entered(base: str, *names: str, follow: bool = False) -> "Entered":
    """Enter the folder `names` below `base`, which stays that folder's whatever takes its place meanwhile.

    Links in `base` are the caller's own; those below it are entered only with `follow`. Raises NotADirectoryError for
    them, and FileNotFoundError. Where the system cannot pin a folder (not Linux) the links are looked for instead.
    """
    steps = [base]
    for name in filter(None, names):
        steps.append(os.path.join(steps[-1], name))
    return Entered(steps, follow)


class Entered:
    """A folder that was entered; `with` gives a path of it, and errors inside name the folder as people know it."""

    def __init__(self, steps: list[str], follow: bool) -> None:
        self._steps = steps if len(steps) == 1 else steps[1:]  # each may have become a link, but for the base
        self._shown = steps[-1]
        self._look = os.stat if follow or len(steps) == 1 else os.lstat
        self._is_doubtful = False
        self._fd: int | None = None
        if not _CAN_PIN:
            self._refuse_links()
            self._path = self._shown
            return
        self._fd = _pinned(self._steps, follow or len(steps) == 1)
        self._path = f"{_PINS}/{self._fd}"
        facts = os.fstat(self._fd)
        self._identity = facts.st_dev, facts.st_ino

    def __del__(self) -> None:
        if self._fd is not None:
            os.close(self._fd)

    def is_there(self) -> bool:
        """Tell whether it would be entered again under its name, by no link that came meanwhile; after an error, no."""
        if self._fd is None or self._is_doubtful:
            return False
        try:
            if not all(stat.S_ISDIR(self._look(step).st_mode) for step in self._steps[:-1]):
                return False
            facts = self._look(self._shown)
        except OSError:
            return False
        return (facts.st_dev, facts.st_ino) == self._identity

    def __enter__(self) -> str:
        return self._path

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if isinstance(error, OSError):
            self._is_doubtful = True
            _tell(error, self._path, self._shown)

    def _refuse_links(self) -> None:
        for step in self._steps:
            if self._look is os.lstat and os.path.islink(step):
                raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), step)


class Entrances:
    """The way into folders that are entered again and again: they stay open while nothing else has their names."""

    def __init__(self) -> None:
        self._entered: dict[tuple[object, ...], Entered] = {}

    def enter(self, base: str, *names: str, follow: bool = False) -> Entered:
        """Enter a folder as `entered` does; who is inside stays there, whoever enters next.

        Where one is no longer there all are entered anew: a disk that was taken away and came back looks the same, but
        nothing moves between what was opened before and after.
        """
        key = (follow, base, *names)
        found = self._entered.get(key)
        if found is not None and found.is_there():
            return found
        if found is not None or len(self._entered) >= _OPEN:
            self._entered.clear()
        found = self._entered[key] = entered(base, *names, follow=follow)
        return found

    def close(self) -> None:
        """Let go of the folders, once nobody is inside."""
        self._entered.clear()


def _pinned(steps: list[str], follow: bool) -> int:
    flags = os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC | (0 if follow else os.O_NOFOLLOW)
    fd = os.open(steps[0], flags)
    for step in steps[1:]:
        outer = fd
        try:
            fd = os.open(os.path.basename(step), flags, dir_fd=outer)
        except OSError as error:
            error.filename = step
            raise
        finally:
            os.close(outer)
    return fd


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
