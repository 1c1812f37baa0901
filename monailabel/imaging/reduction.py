"""A volume at fewer voxels, or all of them, written as NIfTI (.nii.gz) for programs that read no other format."""

from collections.abc import Iterator
from typing import BinaryIO

import numpy as np

from monailabel.imaging import geometry, nifti
from monailabel.imaging.header import Header, Packing
from monailabel.imaging.packing import Packer
from monailabel.imaging.voxels import Array, Voxels
from monailabel.interfaces.exception import InvalidInputException

SMALLEST, LARGEST = 8, 4096  # voxels along the longest axis that can be asked for


def is_fine(header: Header, size: int | None) -> bool:
    """Tell whether a file can be handed out as it is: NIfTI in gzip, no axis longer than `size`.

    Raises InvalidInputException for a size that nobody can mean.
    """
    if size is not None and not SMALLEST <= size <= LARGEST:
        raise InvalidInputException(f"size {size} refused: use {SMALLEST} to {LARGEST} voxels")
    is_packed = header.format.startswith("NIfTI") and header.packing is Packing.DEFLATE
    return is_packed and (size is None or max(header.space) <= size)


def write(voxels: Voxels, size: int | None, out: BinaryIO, *, is_label: bool) -> None:
    """Write a volume of which no axis has more than `size` voxels; without a size it keeps all of them.

    A voxel of an image is the mean of those that it replaces, one of a label that in the middle of them. Of several
    volumes only the first is written. Memory is needed for a few planes. Raises UnreadableImageException.
    """
    steps = [1 if size is None else -(-n // size) for n in voxels.shape]
    x, y, z = (-(-n // step) for n, step in zip(voxels.shape, steps, strict=True))
    kind, header = _kind(voxels), voxels.header
    packer = Packer(out)
    start = nifti.written((x, y, z), kind, voxels.components, _affine(voxels, steps), (header.slope, header.intercept))
    packer.write(start)
    for plane in _picked(voxels, steps) if is_label else _averaged(voxels, steps):
        packer.write(np.ascontiguousarray(plane, "<" + kind).data.cast("B"))
    packer.end()


def _kind(voxels: Voxels) -> str:
    """Give kind and bytes of the numbers that are written; of complex ones the size is."""
    kind = voxels.dtype
    return "f4" if kind.kind == "c" else f"{kind.kind}{kind.itemsize}"


def _affine(voxels: Voxels, steps: list[int]) -> geometry.Affine:
    """Give the affine of the reduced volume, whose voxels' centres are those of the blocks that they replace."""
    before = np.diag([-1.0, -1.0, 1.0, 1.0]) @ voxels.pixels if voxels.affine is None else voxels.affine
    shrinking = np.diag([*map(float, steps), 1.0])
    shrinking[:3, 3] = [(step - 1) / 2 for step in steps]
    x, y, z, _ = (before @ shrinking).tolist()
    return tuple(x), tuple(y), tuple(z), (0.0, 0.0, 0.0, 1.0)


def _picked(voxels: Voxels, steps: list[int]) -> Iterator[Array]:
    """Give the voxels in the middle of blocks, plane by plane."""
    across, down, through = (_middles(n, step) for n, step in zip(voxels.shape, steps, strict=True))
    for start, block in voxels.blocks():
        for k in through[(through >= start) & (through < start + len(block))]:
            yield block[k - start][np.ix_(down, across)]


def _middles(count: int, step: int) -> Array:
    return np.minimum(np.arange(0, count, step) + step // 2, count - 1)


def _averaged(voxels: Voxels, steps: list[int]) -> Iterator[Array]:
    """Give the means of blocks, plane by plane, those at the borders of what is left of them."""
    if steps == [1, 1, 1] and voxels.dtype.kind != "c":
        for _, block in voxels.blocks():
            yield from block
        return
    across, down, through = steps
    total, planes = None, 0
    for start, block in voxels.blocks():
        for k, plane in enumerate(_sizes(block), start):
            total = plane.astype(np.float64) if total is None else np.add(total, plane, out=total)
            planes += 1
            if planes == through or k == voxels.shape[2] - 1:
                yield _rounded(_means(total, down, across) / planes, voxels.dtype)
                total, planes = None, 0


def _sizes(block: Array) -> Array:
    return np.abs(block) if block.dtype.kind == "c" else block


def _means(plane: Array, down: int, across: int) -> Array:
    """Average blocks of a plane."""
    for axis, step in ((0, down), (1, across)):
        starts = np.arange(0, plane.shape[axis], step)
        counts = np.diff(np.append(starts, plane.shape[axis]))
        plane = np.add.reduceat(plane, starts, axis=axis) / counts.reshape(
            [-1 if a == axis else 1 for a in range(plane.ndim)]
        )
    return plane


def _rounded(plane: Array, kind: np.dtype[np.generic]) -> Array:
    return np.rint(plane).astype(kind) if kind.kind in "iu" else plane
