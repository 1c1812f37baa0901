"""Where voxels lie in space: affines from voxel indices to millimetres, right, anterior and superior being positive.

In plain Python, because a header is read in a few hundredths of a millisecond and NumPy takes longer to import.
"""

import math
from collections.abc import Sequence
from itertools import permutations

from monailabel.interfaces.exception import UnreadableImageException

Row = tuple[float, float, float, float]
Affine = tuple[Row, Row, Row, Row]
Vector = Sequence[float]

_BOTTOM: Row = (0.0, 0.0, 0.0, 1.0)
_LETTERS = ("LR", "PA", "IS")  # where each axis of space begins and ends
_TINY, _HUGE = 1e-9, 1e9  # mm
_FLAT = 1e-6  # cosine volumes below this are those of axes that do not span space


def affine_of(columns: Sequence[Vector], origin: Vector) -> Affine:
    """Put an affine together from the step along each of three axes and the first voxel's centre, in mm."""
    x, y, z = ((columns[0][r], columns[1][r], columns[2][r], origin[r]) for r in range(3))
    return x, y, z, _BOTTOM


def columns_of(affine: Affine) -> tuple[tuple[float, float, float], ...]:
    """Give the step in mm along each voxel axis."""
    return tuple((affine[0][a], affine[1][a], affine[2][a]) for a in range(3))


def spacing(affine: Affine) -> tuple[float, ...]:
    """Give the distance in mm between neighbours along each voxel axis."""
    return tuple(math.hypot(*column) for column in columns_of(affine))


def scaled(affine: Affine, factor: float) -> Affine:
    """Give the affine in a unit of which `factor` is one of its own."""
    x, y, z = ((r[0] * factor, r[1] * factor, r[2] * factor, r[3] * factor) for r in affine[:3])
    return x, y, z, _BOTTOM


def from_lps(affine: Affine) -> Affine:
    """Turn an affine for which left and posterior are positive (ITK, DICOM) into ours; it is its own inverse."""
    (a, b, c, d), (e, f, g, h), z, _ = affine
    return (0.0 - a, 0.0 - b, 0.0 - c, 0.0 - d), (0.0 - e, 0.0 - f, 0.0 - g, 0.0 - h), z, _BOTTOM  # never -0.0


def axes(affine: Affine) -> tuple[tuple[int, int], ...]:
    """Give for right, anterior and superior the voxel axis that runs closest to it, and +1 or -1 for its direction."""
    lengths = spacing(affine)
    cosines = [[affine[r][a] / lengths[a] for a in range(3)] for r in range(3)]
    best = max(permutations(range(3)), key=lambda order: sum(abs(cosines[r][order[r]]) for r in range(3)))
    return tuple((best[r], 1 if cosines[r][best[r]] >= 0 else -1) for r in range(3))


def orientation(affine: Affine) -> str:
    """Give the direction in which each voxel axis runs, such as `RAS` or `LPS`."""
    letters = ["", "", ""]
    for space, (axis, sign) in enumerate(axes(affine)):
        letters[axis] = _LETTERS[space][sign > 0]
    return "".join(letters)


def checked(affine: Affine, shape: Sequence[int]) -> Affine:
    """Give the affine of a volume of that shape, completed for axes of one voxel that have no direction.

    Raises UnreadableImageException for one that does not say where its voxels lie.
    """
    if not all(abs(value) < _HUGE for row in affine for value in row):
        raise UnreadableImageException("its affine holds values that are no numbers, or beyond all measure")
    columns = list(columns_of(affine))
    lost = [a for a, column in enumerate(columns) if not any(column)]
    if len(lost) == 1 and shape[lost[0]] == 1:
        columns[lost[0]] = _across(columns[lost[0] - 2], columns[lost[0] - 1])
        affine = affine_of(columns, [affine[r][3] for r in range(3)])
    lengths = spacing(affine)
    if not all(length > _TINY for length in lengths) or abs(_spanned(columns, lengths)) < _FLAT:
        raise UnreadableImageException("its affine is singular: its axes do not span space")
    return affine


def _across(one: Vector, other: Vector) -> tuple[float, float, float]:
    """Give the direction at right angles to two others, of length 1 mm."""
    cross = (
        one[1] * other[2] - one[2] * other[1],
        one[2] * other[0] - one[0] * other[2],
        one[0] * other[1] - one[1] * other[0],
    )
    length = math.hypot(*cross) or 1.0
    return cross[0] / length, cross[1] / length, cross[2] / length


def _spanned(columns: Sequence[Vector], lengths: Vector) -> float:
    """Give the volume that three directions of length 1 span."""
    (a, b, c), (d, e, f), (g, h, i) = ([v / lengths[n] for v in column] for n, column in enumerate(columns))
    return a * (e * i - f * h) - b * (d * i - f * g) + c * (d * h - e * g)
