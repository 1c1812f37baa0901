"""Voxels as they are read: block after block along the slowest axis, and never the whole volume at once."""

import math
from collections.abc import Iterator
from typing import Any, BinaryIO

import numpy as np
import numpy.typing as npt

from monailabel.imaging import packing, raster
from monailabel.imaging.formats import read_header
from monailabel.interfaces.exception import UnreadableImageException

Array = npt.NDArray[Any]
Matrix = npt.NDArray[np.float64]

MOST_BYTES = 4 * 2**30  # that are unpacked for one answer
MOST_AT_ONCE = 2**29  # bytes of one plane along the slowest axis
MOST_ALONG = 65_536  # voxels along an axis
BLOCK = 4 * 2**20  # bytes that are looked at together


class Voxels:
    """The voxels of an open file; of several volumes, the first.

    `shape` counts them along the three axes of the arrays' indices i, j, k. `affine` leads from these indices to mm
    (RAS), or is None for a picture; `pixels` leads to the indices of the picture at its full size.
    """

    def __init__(self, file: BinaryIO, size: int | None = None) -> None:
        """Read the header; a flat picture may be decoded smaller, its longer side not below `size` pixels.

        Raises UnreadableImageException.
        """
        self.header = read_header(file)
        self._file = file
        self._picture = None if self.header.affine else _decoded(file, size)
        x, y, z = self.header.space
        if self._picture is not None:
            y, x = self._picture.shape[1:3]
        self.shape = (x, y, z)
        self.components = self.header.components if self._picture is None else math.prod(self._picture.shape[3:])
        self.affine: Matrix | None = np.array(self.header.affine) if self.header.affine else None
        self.pixels = _enlarging(self.header.space, self.shape)
        _check(self)

    @property
    def dtype(self) -> np.dtype[Any]:
        """Give the type of one number as it is stored."""
        return np.dtype(self.header.dtype) if self._picture is None else self._picture.dtype

    def blocks(self, first: int = 0, end: int | None = None) -> Iterator[tuple[int, Array]]:
        """Give the voxels from plane `first` up to `end` along the slowest axis, a few planes at a time.

        Each block comes with its first plane's index; its axes are k, j, i and, where a voxel has several numbers,
        these. A block is overwritten by the next. Raises UnreadableImageException for damaged bytes.
        """
        end = self.shape[2] if end is None else end
        if self._picture is not None:
            yield 0, self._picture
            return
        plane = self.plane_bytes
        if end * plane > MOST_BYTES:
            raise UnreadableImageException(
                f"its voxels are more than the {MOST_BYTES} bytes that are read for a picture"
            )
        source = packing.opened(self._file, self.header.start, self.header.packing)
        source.skip(self.header.skip + first * plane)
        yield from self._blocks(source, first, end, max(1, BLOCK // plane))

    def _blocks(self, source: packing.Bytes, first: int, end: int, together: int) -> Iterator[tuple[int, Array]]:
        x, y, _ = self.shape
        numbers = () if self.components == 1 else (self.components,)
        buffer = np.empty((min(together, end - first), y, x, *numbers), self.dtype)
        for start in range(first, end, together):
            block = buffer[: end - start]
            source.fill(block.data.cast("B"))
            yield start, block

    @property
    def plane_bytes(self) -> int:
        """Give the size of one plane along the slowest axis."""
        return self.shape[0] * self.shape[1] * self.components * self.dtype.itemsize

    def at(self, i: Array, j: Array, k: Array) -> Array:
        """Give the voxels at these indices, of the indices' common shape; zero where there are none.

        Only what lies between the first and the last plane is unpacked, and one block of it kept at a time.
        """
        x, y, z = self.shape
        i, j, k = np.broadcast_arrays(i, j, k)
        inside = np.flatnonzero((i >= 0) & (i < x) & (j >= 0) & (j < y) & (k >= 0) & (k < z))
        inside = inside[np.argsort(k.flat[inside], kind="stable")]
        planes, found = k.flat[inside], np.zeros((i.size, self.components), self.dtype)
        i, j = i.flat[inside], j.flat[inside]
        if len(inside):
            for start, block in self.blocks(int(planes[0]), int(planes[-1]) + 1):
                here = slice(*np.searchsorted(planes, [start, start + len(block)]))
                chosen = block[planes[here] - start, j[here], i[here]]
                found[inside[here]] = chosen.reshape(-1, self.components)
        return found.reshape(k.shape if self.components == 1 else (*k.shape, self.components))


def _check(voxels: Voxels) -> None:
    """Refuse what only a hostile file claims to be, before anything is allocated for it."""
    header = voxels.header
    if header.elsewhere:
        raise UnreadableImageException(header.elsewhere)
    if max(voxels.shape) > MOST_ALONG or voxels.plane_bytes > MOST_AT_ONCE:
        shape = " x ".join(map(str, header.shape))
        raise UnreadableImageException(f"its {shape} voxels are too many to draw")


def _enlarging(full: tuple[int, int, int], shape: tuple[int, int, int]) -> Matrix:
    factors = [f / n for f, n in zip(full, shape, strict=True)]
    matrix = np.diag([*factors, 1.0])
    matrix[:3, 3] = [(f - 1) / 2 for f in factors]
    return matrix


def _decoded(file: BinaryIO, size: int | None) -> Array:
    """Decode a flat picture as one plane: axes k, j, i and, of a coloured one, red, green and blue."""
    with raster.opened(file) as picture:
        raster.shrink(picture, size or max(picture.size))
        pixels = np.asarray(picture if picture.mode in raster.NUMBERS else picture.convert("RGB"))[None]
        return pixels.view(np.uint8) if pixels.dtype == np.bool_ else pixels
