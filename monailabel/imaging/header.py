"""What an image file says of its voxels, whatever its format, and where in the file they lie."""

import math
from dataclasses import dataclass
from enum import Enum
from typing import Any

from monailabel.imaging.geometry import Affine, orientation, spacing
from monailabel.interfaces.exception import UnreadableImageException

MOST_VOXELS = 2**48  # more than any file holds
MOST_SKIPPED = 2**26  # bytes between the beginning of what is compressed and the voxels
MOST_SCALE = 1e30

# NumPy's names of the stored types, by kind and bytes
_NAMES = {"u": "uint", "i": "int", "f": "float", "c": "complex"}


class Packing(Enum):
    """How the voxels' bytes are compressed."""

    NONE = "none"
    DEFLATE = "deflate"  # gzip or zlib
    BZIP2 = "bzip2"


@dataclass(frozen=True, slots=True)
class Header:
    """What a file says of its voxels, which lie in it with the first axis fastest."""

    format: str
    shape: tuple[int, ...]  # voxels along each axis: up to three in space, then volumes
    dtype: str  # byte order, kind and bytes of one number, as NumPy writes it: `<i2`
    affine: Affine | None  # voxel index -> mm, RAS; None for a picture, which lies nowhere
    modality: str | None = None
    components: int = 1  # numbers of one voxel, beside each other
    colour: bool = False  # the components are red, green, blue (and opacity)
    slope: float = 1.0  # value = slope * stored + intercept
    intercept: float = 0.0
    start: int = 0  # where in the file the compressed bytes begin
    skip: int = 0  # bytes between there (unpacked) and the first voxel
    packing: Packing = Packing.NONE
    elsewhere: str = ""  # why the voxels cannot be had from this file

    def __post_init__(self) -> None:
        if not self.shape or any(n < 1 for n in self.shape) or math.prod(self.shape) > MOST_VOXELS:
            raise UnreadableImageException(f"its {self.format} header has an absurd shape: {_listed(self.shape)}")
        is_placed = 0 <= self.skip <= MOST_SKIPPED and 0 <= self.start <= MOST_VOXELS
        if not (is_placed and abs(self.slope) < MOST_SCALE and abs(self.intercept) < MOST_SCALE):
            raise UnreadableImageException(f"its {self.format} header holds figures that make no sense")

    @property
    def space(self) -> tuple[int, int, int]:
        """Give the voxels along the three axes in space."""
        x, y, z = (*self.shape, 1, 1)[:3]
        return x, y, z

    @property
    def number(self) -> str:
        """Give the type of one number, such as `int16`."""
        return f"{_NAMES[self.dtype[1]]}{8 * int(self.dtype[2:])}"

    def described(self) -> dict[str, Any]:
        """Give what people want to know, ready for JSON; spacing in mm, the affine from voxel index to mm (RAS)."""
        where = self.affine
        return {
            "format": self.format,
            "shape": list(self.shape),
            "spacing": [round(step, 6) for step in spacing(where)] if where else None,
            "orientation": orientation(where) if where else None,
            "affine": [list(row) for row in where] if where else None,
            "dtype": self.number,
            "components": self.components,
            "modality": self.modality,
        }


def _listed(shape: tuple[int, ...]) -> str:
    return " x ".join(map(str, shape)) or "none"
