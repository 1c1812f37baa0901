"""Unpacks an archive from a stranger: plain files only, none outside the folder, and no more than was allowed."""

import tarfile
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from lzma import LZMAError
from pathlib import Path, PurePosixPath
from typing import IO

from monailabel import naming
from monailabel.interfaces.exception import InvalidInputException
from monailabel.server.settings import MIB

MOST_FILES = 100_000
_BROKEN = (zipfile.BadZipFile, tarfile.TarError, zlib.error, LZMAError, EOFError, NotImplementedError, RuntimeError)


def unpack(archive: Path, folder: Path, most: int) -> None:
    """Unpack a ZIP or TAR file (plain, gzip, bzip2, xz) into a new folder, of at most `most` bytes.

    Raises InvalidInputException for what is no archive, and for one with anything in it that is no plain file, that
    would lie outside, or that is larger than allowed.
    """
    folder.mkdir()
    left = most
    try:
        with _members(archive) as members:
            for number, (name, source) in enumerate(members):
                if number >= MOST_FILES:
                    raise InvalidInputException(f"archive refused: it has more than {MOST_FILES} files")
                left -= _copy(source, _inside(folder, name), left, most)
    except _BROKEN as error:
        raise InvalidInputException(f"archive refused: it cannot be read ({type(error).__name__})") from None
    except OSError as error:
        if error.errno is None:  # how gzip and bzip2 report damage
            raise InvalidInputException("archive refused: it is damaged") from None
        raise


@contextmanager
def _members(archive: Path) -> Iterator[Iterator[tuple[str, IO[bytes]]]]:
    if zipfile.is_zipfile(archive):
        with zipfile.ZipFile(archive) as zipped:
            yield _of_zip(zipped)
    elif tarfile.is_tarfile(archive):
        with tarfile.open(archive) as tarred:
            yield _of_tar(tarred)
    else:
        raise InvalidInputException("archive refused: it is neither ZIP nor TAR; send it without uncompress")


def _of_zip(archive: zipfile.ZipFile) -> Iterator[tuple[str, IO[bytes]]]:
    for entry in archive.infolist():
        kind = entry.external_attr >> 28  # the upper bits of a Unix mode: 8 is a plain file, 0 what Windows writes
        if entry.is_dir():
            continue
        if kind not in (0, 8):
            raise InvalidInputException(f"archive refused: {entry.filename!r} is no plain file")
        with archive.open(entry) as source:
            yield entry.filename, source


def _of_tar(archive: tarfile.TarFile) -> Iterator[tuple[str, IO[bytes]]]:
    for entry in archive:
        if entry.isdir():
            continue
        source = archive.extractfile(entry) if entry.isreg() else None
        if source is None:
            raise InvalidInputException(f"archive refused: {entry.name!r} is no plain file")
        with source:
            yield entry.name, source


def _inside(folder: Path, name: str) -> Path:
    """Give where a member goes, refusing names that lead elsewhere."""
    parts = [part for part in PurePosixPath(name.replace("\\", "/")).parts if part != "."]
    if not parts:
        raise InvalidInputException(f"archive refused: {name!r} is no file's name")
    path = folder
    for part in parts:
        path /= naming.new_file("file", naming.image_id(part), "")
    return path


def _copy(source: IO[bytes], path: Path, left: int, most: int) -> int:
    size = 0
    with _new(path) as target:
        while data := source.read(min(MIB, left - size + 1)):
            size += len(data)
            if size > left:
                raise InvalidInputException(f"archive refused: it unpacks to more than {most} bytes")
            target.write(data)
    return size


def _new(path: Path) -> IO[bytes]:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        return open(path, "xb")
    except (FileExistsError, NotADirectoryError, IsADirectoryError):
        raise InvalidInputException(f"archive refused: two of its files would lie at {path.name!r}") from None
