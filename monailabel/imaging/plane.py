"""Which voxels a picture shows, and where: planes as radiologists look at them.

Axial planes are seen from the feet and coronal ones from the front, so that the patient's right is at the picture's
left; sagittal ones from the patient's left, so that the front is at the picture's left. Front or head are at the top.
This is how DICOM viewers, 3D Slicer and OHIF show them; whoever compares a thumbnail with these must not see it
mirrored. In RAS coordinates it means that columns and rows always run towards smaller ones. A tilted volume is shown
along its own axes, in the plane that is closest.
"""

from dataclasses import dataclass

import numpy as np

from monailabel.imaging import geometry
from monailabel.imaging.voxels import Array, Matrix, Voxels
from monailabel.interfaces.exception import InvalidInputException

# name -> the axes of space (0 right, 1 anterior, 2 superior) along columns, along rows, and across the plane
PLANES = {"axial": (0, 1, 2), "coronal": (0, 2, 1), "sagittal": (1, 2, 0)}
MOST_ALONG = 2048  # rows and columns that are looked at for one picture
_PICTURE = ((0, -1), (1, -1), (2, 1))  # a flat picture is shown as it is stored


@dataclass(frozen=True, slots=True)
class Cut:
    """One plane of a volume: the indices i, j, k of its pixels (arrays of one shape together), and their size in mm."""

    indices: tuple[Array, Array, Array]
    width: float
    height: float

    @property
    def shape(self) -> tuple[int, ...]:
        """Give rows and columns."""
        return np.broadcast_shapes(*(a.shape for a in self.indices))


class Planes:
    """The planes of one kind through a volume, counted from the patient's left, back or feet, from 0."""

    def __init__(self, voxels: Voxels, plane: str) -> None:
        """Choose `axial`, `coronal` or `sagittal`; a flat picture has one plane, whichever is asked for."""
        self._voxels, affine = voxels, voxels.header.affine
        across, down, through = PLANES["axial" if affine is None else plane]
        axes = _PICTURE if affine is None else geometry.axes(affine)
        (self._column, self._column_sign), (self._row, self._row_sign) = axes[across], axes[down]
        self.axis, self._sign = axes[through]
        self.count = voxels.shape[self.axis]
        self._steps = (1.0, 1.0, 1.0) if affine is None else geometry.spacing(affine)

    def cut(self, number: int) -> Cut:
        """Give a plane. Raises InvalidInputException where there is none of that number."""
        if not 0 <= number < self.count:
            raise InvalidInputException(f"slice {number} refused: there are the slices 0 to {self.count - 1}")
        columns = _towards_smaller(self._voxels.shape[self._column], self._column_sign)
        rows = _towards_smaller(self._voxels.shape[self._row], self._row_sign)
        along = {
            self._column: columns[None, :],
            self._row: rows[:, None],
            self.axis: np.array([[self.index(number)]]),
        }
        width, height = self._size(self._column, len(columns)), self._size(self._row, len(rows))
        return Cut((along[0], along[1], along[2]), width, height)

    def middle(self) -> int:
        """Give the number of the plane in the middle."""
        return self.count // 2

    def largest(self) -> int | None:
        """Give the number of the plane in which most voxels are set, the middle one of several; None for no voxel."""
        counts = _areas(self._voxels, self.axis)[:: self._sign]
        best = np.flatnonzero(counts == counts.max())
        return int(best[len(best) // 2]) if counts.any() else None

    def index(self, number: int) -> int:
        """Give the voxels' index along the axis across for a plane's number."""
        return number if self._sign > 0 else self.count - 1 - number

    def of(self, index: float) -> int:
        """Give the number of the plane that is closest to a voxel's index along the axis across."""
        return min(max(self.index(round(index)), 0), self.count - 1)

    def _size(self, axis: int, count: int) -> float:
        """Give the size in mm of a pixel when `count` of them span an axis."""
        return self._steps[axis] * self._voxels.shape[axis] / count


def _towards_smaller(count: int, sign: int) -> Array:
    """Give the indices along an axis in the order of smaller coordinates; of very many, every second, third, ..."""
    step = -(-count // MOST_ALONG)
    indices = np.minimum(np.arange(0, count, step) + step // 2, count - 1)
    return indices[::-1] if sign > 0 else indices


def _areas(label: Voxels, axis: int) -> Array:
    """Count the voxels of a label that are set at each index along an axis."""
    counts = np.zeros(label.shape[axis], np.int64)
    others = tuple(a for a in range(3) if a != 2 - axis)  # blocks have the axes k, j, i
    for start, block in label.blocks():
        is_set = block.any(axis=3) if block.ndim == 4 else block != 0
        part = counts[start : start + len(block)] if axis == 2 else counts
        part += np.count_nonzero(is_set, axis=others)
    return counts


def between(voxels: Voxels, other: Voxels) -> Matrix:
    """Give the matrix from the indices of one volume to those of another that shows the same.

    Where both lie in space it is space that they share; a flat picture and its label share their pixels.
    """
    if voxels.affine is None or other.affine is None:
        return np.linalg.inv(other.pixels) @ voxels.pixels
    return np.linalg.inv(other.affine) @ voxels.affine


def moved(indices: tuple[Array, Array, Array], matrix: Matrix) -> tuple[Array, Array, Array]:
    """Give the nearest indices in another volume, by the matrix from these to those."""
    i, j, k = indices
    x, y, z = (np.rint(m[0] * i + m[1] * j + m[2] * k + m[3]).astype(np.intp) for m in matrix[:3])
    return x, y, z
