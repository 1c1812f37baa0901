"""Bytes in and out of compression, piece by piece: what a file claims to unpack to costs nothing until it is read."""

import bz2
import zlib
from collections.abc import Iterator
from typing import Any, BinaryIO, Protocol

from monailabel.imaging.header import Packing
from monailabel.interfaces.exception import UnreadableImageException

fast: Any  # the module that unpacks and packs
try:
    from isal import isal_zlib as fast
except ImportError:  # twice the time to read, and thirty times to write
    fast = zlib

READ = 256 * 1024  # compressed bytes taken at once
PIECE = 1024 * 1024  # bytes that one step unpacks at most
_EITHER = 32 + 15  # zlib's word for: gzip or zlib, whichever it is
_GZIP = 16 + 15
_MAGIC = b"\x1f\x8b"

_ERRORS: tuple[type[Exception], ...] = (zlib.error, fast.error, OSError, EOFError, ValueError)


class Bytes(Protocol):
    """The unpacked bytes of a file from some place on."""

    def fill(self, buffer: memoryview) -> None:
        """Fill a buffer; raises UnreadableImageException where the file ends before."""

    def skip(self, count: int) -> None:
        """Pass over bytes."""


def opened(file: BinaryIO, start: int, packing: Packing) -> Bytes:
    """Give the unpacked bytes of a file from `start` on."""
    file.seek(start)
    if packing is Packing.NONE:
        return _Plain(file)
    return _Unpacked(_inflated(file) if packing is Packing.DEFLATE else _from_bzip2(file))


def beginning(file: BinaryIO, count: int) -> bytes:
    """Give the first bytes of what a gzip file holds, or fewer where there are no more."""
    try:
        return zlib.decompressobj(_GZIP).decompress(file.read(4 * count), count)
    except zlib.error as error:
        raise UnreadableImageException("its gzip compression is damaged") from error


class Packer:
    """Writes gzip, fast rather than small."""

    def __init__(self, out: BinaryIO) -> None:
        self._out, self._packer = out, fast.compressobj(1, zlib.DEFLATED, _GZIP)

    def write(self, data: bytes | memoryview) -> None:
        """Write more."""
        self._out.write(self._packer.compress(data))

    def end(self) -> None:
        """Write what is left."""
        self._out.write(self._packer.flush())


class _Plain:
    def __init__(self, file: BinaryIO) -> None:
        self._file = file

    def fill(self, buffer: memoryview) -> None:
        filled = 0
        while filled < len(buffer):
            piece = self._file.read(min(PIECE, len(buffer) - filled))
            if not piece:
                raise _cut_off(len(buffer) - filled)
            buffer[filled : filled + len(piece)] = piece
            filled += len(piece)

    def skip(self, count: int) -> None:
        self._file.seek(count, 1)


class _Unpacked:
    def __init__(self, pieces: Iterator[bytes]) -> None:
        self._pieces = pieces
        self._rest = memoryview(b"")

    def fill(self, buffer: memoryview) -> None:
        filled = 0
        while filled < len(buffer):
            piece = self._next(len(buffer) - filled)
            buffer[filled : filled + len(piece)] = piece
            filled += len(piece)

    def skip(self, count: int) -> None:
        while count:
            count -= len(self._next(count))

    def _next(self, most: int) -> memoryview:
        while not self._rest:
            try:
                self._rest = memoryview(next(self._pieces))
            except StopIteration:
                raise _cut_off(most) from None
            except _ERRORS as error:
                raise UnreadableImageException("its compressed voxels are damaged") from error
        piece, self._rest = self._rest[:most], self._rest[most:]
        return piece


def _cut_off(lacking: int) -> UnreadableImageException:
    return UnreadableImageException(f"it is cut off: at least {lacking} bytes of its voxels are missing")


def _inflated(file: BinaryIO) -> Iterator[bytes]:
    """Unpack gzip (one member after the other) or zlib."""
    unpacker, data = fast.decompressobj(_EITHER), b""
    while True:
        data = data or file.read(READ)
        piece = unpacker.decompress(data, PIECE)
        at_end = not data
        data = unpacker.unconsumed_tail
        yield piece
        if unpacker.eof:
            data = unpacker.unused_data + file.read(READ)
            if not data.startswith(_MAGIC):
                return
            unpacker = fast.decompressobj(_EITHER)
        elif at_end and not piece:
            return


def _from_bzip2(file: BinaryIO) -> Iterator[bytes]:
    unpacker = bz2.BZ2Decompressor()
    while not unpacker.eof:
        data = file.read(READ) if unpacker.needs_input else b""
        if unpacker.needs_input and not data:
            return
        yield unpacker.decompress(data, PIECE)
