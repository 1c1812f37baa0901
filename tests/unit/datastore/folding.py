"""Disks that take two names for one: a real one where this machine can make one, and one that is only simulated.

The simulated one folds letter case and Unicode forms in the calls that this process makes to the system below a folder,
as macOS' and Windows' disks do. It shows what the datastore does with such answers, not what a kernel would do.
"""

import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from unittest import mock

from monailabel.files import renaming
from monailabel.naming import folded

PINNED = "/proc/self/fd/"
ONE = ("lstat", "stat", "open", "access", "mkdir", "unlink", "readlink", "listdir", "scandir", "chmod", "utime")
TWO = ("rename", "replace", "link")


@contextmanager
def simulated(place: Path) -> Iterator[Path]:
    """Fold names below a folder for as long as the block lasts."""
    place.mkdir()
    listing = os.listdir

    def resolved(path: Any, dir_fd: int | None = None) -> Any:
        if not isinstance(path, str | Path):
            return path
        path = os.fspath(path)
        whole = path if dir_fd is None else f"{PINNED}{dir_fd}/{path}"
        for start in (f"{place}/", f"{PINNED}{whole.removeprefix(PINNED).partition('/')[0]}/"):
            if whole.startswith(start):
                found = start[:-1]
                for name in whole[len(start) :].split("/"):
                    found += "/" + entry(found, name)
                return found if dir_fd is None else found.removeprefix(f"{PINNED}{dir_fd}/")
        return path

    def entry(folder: str, name: str) -> str:
        with suppress(OSError):
            return next((n for n in listing(folder) if folded(n) == folded(name)), name)
        return name

    def one(real: Callable[..., Any]) -> Callable[..., Any]:
        return lambda path=".", *rest, **more: real(resolved(path, more.get("dir_fd")), *rest, **more)

    def two(real: Callable[..., Any]) -> Callable[..., Any]:
        return lambda source, target, **more: real(resolved(source), resolved(target), **more)

    patches = {name: one(getattr(os, name)) for name in ONE} | {name: two(getattr(os, name)) for name in TWO}
    with mock.patch.multiple(os, **patches), mock.patch.object(renaming, "_renameat2", None):
        yield place


@contextmanager
def real(place: Path) -> Iterator[Path]:
    """Mount a small exFAT disk."""
    image = place.with_suffix(".img")
    place.mkdir()
    with open(image, "wb") as file:
        file.truncate(64 << 20)
    subprocess.run(["mkfs.exfat", image], check=True, capture_output=True)
    device = subprocess.run(["losetup", "--find", "--show", image], check=True, capture_output=True, text=True).stdout
    try:
        subprocess.run(["mount.exfat-fuse", device.strip(), place], check=True, capture_output=True)
        try:
            yield place
        finally:
            subprocess.run(["umount", place], check=True)
    finally:
        subprocess.run(["losetup", "--detach", device.strip()], check=True)
        image.unlink()


def _can_mount() -> bool:
    """Tell whether this machine has what it takes; containers, and who is not root, have not."""
    tools = ("mkfs.exfat", "mount.exfat-fuse", "losetup", "umount")
    has = os.geteuid() == 0 and os.path.exists("/dev/fuse") and os.path.exists("/dev/loop-control")
    return has and all(shutil.which(tool) for tool in tools)


DISKS: dict[str, Callable[[Path], Any]] = {"simulated": simulated} | ({"exFAT": real} if _can_mount() else {})
