"""Sees what this process opens, makes, moves and removes, and tells what lies outside the folders where it may."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

PATHS = {
    "open": (0,), "os.listdir": (0,), "os.scandir": (0,), "os.mkdir": (0,), "os.rmdir": (0,), "os.remove": (0,),
    "os.rename": (0, 1), "os.link": (0, 1), "os.symlink": (1,), "os.truncate": (0,), "os.chmod": (0,), "os.chown": (0,),
    "os.utime": (0,),
}  # fmt: skip
PYTHON = tuple({os.path.realpath(p) for p in (sys.prefix, sys.base_prefix, Path(__file__).parents[3], *sys.path) if p})
SYSTEM = ("/proc", "/dev/urandom", "/dev/null", "/usr/share/zoneinfo", "/etc/mime.types", "/etc/localtime")

_allowed: tuple[str, ...] | None = None
_seen: list[str] = []


@contextmanager
def only_below(*folders: Path) -> Iterator[list[str]]:
    """Give a list of what is done, in any thread and until the block ends, to paths outside these folders."""
    global _allowed
    _seen.clear()
    _allowed = (*PYTHON, *SYSTEM, *map(os.path.realpath, folders))
    try:
        yield _seen
    finally:
        _allowed = None


def _note(event: str, arguments: tuple[Any, ...]) -> None:
    allowed = _allowed  # the block may end meanwhile, in another thread
    if allowed is None or event not in PATHS:
        return
    for position in PATHS[event]:
        path = arguments[position]
        if isinstance(path, str | bytes | os.PathLike) and not _is_entered(event, arguments):
            folder, name = os.path.split(os.path.abspath(os.fsdecode(path)))
            place = os.path.join(os.path.realpath(folder), name)
            if not any(place == a or place.startswith(a + "/") for a in allowed):
                _seen.append(f"{event} {place!r}")


def _is_entered(event: str, arguments: tuple[Any, ...]) -> bool:
    """Tell whether a folder is opened by its name in another one, which is open, and no link to it is followed."""
    if event != "open" or "/" in os.fsdecode(arguments[0]) or arguments[0] in (".", ".."):
        return False
    return bool(arguments[2] & os.O_PATH and arguments[2] & os.O_NOFOLLOW)


sys.addaudithook(_note)
