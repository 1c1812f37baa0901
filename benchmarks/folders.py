"""Makes folders of many small images and labels, on a real disk, and brings them back to how they were."""

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

VOLATILE = ("tmpfs", "ramfs", "devtmpfs")
BYTES = 256  # of each file
CONTENT = b"\x1f\x8b" + bytes(BYTES - 2)
HOLLOW = 1_000_000  # images: in such a folder files have their size but no bytes, whose removal would take minutes
CATALOG = ".monailabel/catalog.db"


class NotADisk(Exception):
    """The folder lies in memory, where nothing that is measured would be true."""


def file_system(path: Path) -> str:
    """Give the type of the file system that a folder lies on, "unknown" where the machine does not say."""
    mounts = _mounts()
    for folder in (path.resolve(), *path.resolve().parents):
        if str(folder) in mounts:
            return mounts[str(folder)]
    return "unknown"


def _mounts() -> dict[str, str]:
    """Read which folders are mounts, and of which type; the last one mounted on a folder counts."""
    # https://www.kernel.org/doc/html/latest/filesystems/proc.html, 3.5: optional fields end with a hyphen
    try:
        lines = Path("/proc/self/mountinfo").read_text().splitlines()
    except OSError:
        return {}
    parts = [line.split(" - ") for line in lines]
    return {left.split()[4].replace("\\040", " "): right.split()[0] for left, right in parts}


@contextmanager
def scratch(path: Path) -> Iterator[Path]:
    """Make a folder to work in below another one, and remove it afterwards; NotADisk where that lies in memory."""
    if (kind := file_system(path)) in VOLATILE:
        raise NotADisk(f"{path} lies on a {kind}, where an fsync costs nothing; name a folder on a disk with --folder")
    path.mkdir(parents=True, exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix="bench-", dir=path))
    try:
        yield place
    finally:
        _remove(place)


def _remove(place: Path) -> None:
    """Remove millions of files: images and labels at once, and by `rm`, as Python takes twice as long."""
    (aside := place / "aside").mkdir()
    for number, labels in enumerate(place.glob("*/labels")):
        labels.rename(aside / str(number))
    with subprocess.Popen(["rm", "-rf", aside]):
        subprocess.run(["rm", "-rf", *(path for path in place.iterdir() if path != aside)], check=True)
    place.rmdir()


def image_ids(count: int) -> list[str]:
    """Give the ids of a folder's images."""
    return [f"case_{number:07}" for number in range(count)]


def make(folder: Path, count: int) -> None:
    """Write the images of a folder, a `final` label for half of them and an `original` one for a tenth."""
    for place, ids in _contents(folder, image_ids(count)):
        place.mkdir(parents=True, exist_ok=True)
        _write(place, ids, hollow=count >= HOLLOW)
    os.sync()  # what is still on its way to the disk would be paid for by the first fsync that is measured


def _contents(folder: Path, ids: list[str]) -> Iterator[tuple[Path, list[str]]]:
    yield folder, ids
    yield folder / "labels" / "final", ids[::2]
    yield folder / "labels" / "original", ids[::10]


def _write(place: Path, ids: list[str], *, hollow: bool = False) -> None:
    at = os.open(place, os.O_RDONLY)
    try:
        for id in ids:
            file = os.open(f"{id}.nii.gz", os.O_WRONLY | os.O_CREAT, 0o644, dir_fd=at)
            if hollow:
                os.ftruncate(file, BYTES)
            else:
                os.write(file, CONTENT)
            os.close(file)
    finally:
        os.close(at)


def make_many(folder: Path, count: int) -> None:
    """Write the files that are added at once."""
    folder.mkdir()
    _write(folder, [f"many_{number:06}" for number in range(count)])
    os.sync()


def warm(catalog: Path) -> None:
    """Read a catalog, if there is one, into the system's cache: some systems take from it what was not used lately."""
    if catalog.exists():
        with catalog.open("rb") as file:
            while file.read(1 << 20):
                pass


def forget(folder: Path) -> None:
    """Remove what a datastore wrote into the folder, so that the next open is the first."""
    for path in folder.iterdir():
        if path.name.startswith(".") or path.suffix == ".json":
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    os.sync()
