"""NIfTI-1 and NIfTI-2: headers read and written by hand.

The formats: https://nifti.nimh.nih.gov/pub/dist/src/niftilib/nifti1.h and .../pub/dist/doc/nifti2.h.
"""

import math
import struct
from dataclasses import dataclass
from typing import Any

from monailabel.imaging.geometry import Affine, affine_of, checked, scaled, spacing
from monailabel.imaging.header import Header, Packing
from monailabel.interfaces.exception import UnreadableImageException

LONGEST = 540  # bytes of the longer of the two headers
SUFFIX = ".nii.gz"
_OFFSET = 352  # of the voxels in what we write: the header and four bytes that say that no extension follows
_BITS = 72  # where NIfTI-1 says how many bits a voxel has
_LONGEST_AXIS = 32767  # of NIfTI-1, whose axes are 16-bit numbers

# name -> offset in bytes and type, in either header; both begin with their size
_FIRST_SIZE = 348
_FIRST = {
    "dim": (40, "8h"), "type": (70, "h"), "pixdim": (76, "8f"), "offset": (108, "f"), "scale": (112, "2f"),
    "units": (123, "B"), "forms": (252, "2h"), "turn": (256, "6f"), "rows": (280, "12f"), "magic": (344, "4s"),
}  # fmt: skip
_SECOND = {
    "magic": (4, "4s"), "type": (12, "h"), "dim": (16, "8q"), "pixdim": (104, "8d"), "offset": (168, "q"),
    "scale": (176, "2d"), "forms": (344, "2i"), "turn": (352, "6d"), "rows": (400, "12d"), "units": (500, "i"),
}  # fmt: skip
_FORMATS = {b"n+1": "NIfTI-1", b"n+2": "NIfTI-2"}
_APART = "its voxels lie in a file of their own (.img); save it as one file (.nii.gz)"
_NO_TURN = 1e-7  # what is left for the fourth number of a quaternion when the turn is half a circle, as in nifti1_io.c

# code -> kind and bytes of a number, numbers of a voxel
_TYPES = {
    2: ("u1", 1), 4: ("i2", 1), 8: ("i4", 1), 16: ("f4", 1), 32: ("c8", 1), 64: ("f8", 1), 128: ("u1", 3),
    256: ("i1", 1), 512: ("u2", 1), 768: ("u4", 1), 1024: ("i8", 1), 1280: ("u8", 1), 1792: ("c16", 1), 2304: ("u1", 4),
}  # fmt: skip
_CODES = {kind: code for code, kind in _TYPES.items()}
_MILLIMETRES = {1: 1000.0, 3: 0.001}  # code of the unit -> mm; all others are taken for mm
_MILLIMETRE = 2


def is_nifti(data: bytes) -> bool:
    """Tell whether bytes begin as a NIfTI file does."""
    return data[:4] in (b"\x5c\x01\0\0", b"\0\0\x01\x5c", b"\x1c\x02\0\0", b"\0\0\x02\x1c")


def parsed(data: bytes, packing: Packing) -> Header:
    """Read a header from a file's first bytes, unpacked. Raises UnreadableImageException."""
    order = "<" if data[0] else ">"
    (size,) = struct.unpack_from(order + "i", data)
    if len(data) < size:
        raise UnreadableImageException(f"its NIfTI header is cut off after {len(data)} of {size} bytes")
    layout = _FIRST if size == _FIRST_SIZE else _SECOND
    return _header(
        _Fields(**{name: struct.unpack_from(order + kind, data, at) for name, (at, kind) in layout.items()}),
        order, packing,
    )  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Fields:
    """The fields that count, whichever of the two headers they come from."""

    magic: tuple[bytes]
    dim: tuple[int, ...]  # the number of axes, then the voxels along each
    type: tuple[int]
    pixdim: tuple[float, ...]  # the sign of the qform's third axis, then the distances
    offset: tuple[float]
    scale: tuple[float, float]
    units: tuple[int]
    forms: tuple[int, int]  # qform and sform: above 0 where it is given
    turn: tuple[float, ...]  # of the qform: b, c, d of the quaternion, and the offset
    rows: tuple[float, ...]  # of the sform


def _header(fields: _Fields, order: str, packing: Packing) -> Header:
    axes, (code,), (begin,), (slope, intercept) = fields.dim[0], fields.type, fields.offset, fields.scale
    if not 1 <= axes <= 7 or not math.isfinite(begin):
        raise UnreadableImageException(f"its NIfTI header is damaged: {axes} axes, voxels from byte {begin} on")
    if code not in _TYPES:
        raise UnreadableImageException(f"its voxels have the NIfTI type {code}, which is not read here")
    shape = fields.dim[1 : axes + 1]
    while len(shape) > 3 and shape[-1] == 1:
        shape = shape[:-1]
    kind, components = _TYPES[code]
    is_scaled, is_plain = math.isfinite(slope) and slope != 0, packing is Packing.NONE
    return Header(
        format=_FORMATS.get(fields.magic[0][:3], "NIfTI"),
        shape=shape,
        dtype=order + kind,
        affine=_affine(fields, shape),
        components=components,
        colour=components > 1,
        slope=slope if is_scaled else 1.0,
        intercept=intercept if is_scaled else 0.0,
        start=int(begin) if is_plain else 0,
        skip=0 if is_plain else int(begin),
        packing=packing,
        elsewhere="" if fields.magic[0][:3] in _FORMATS else _APART,
    )


def _affine(fields: _Fields, shape: tuple[int, ...]) -> Affine:
    """Give the affine: the sform, else the qform, else what nibabel and SPM make of a header without either."""
    x, y, z = (abs(p) if a < fields.dim[0] and p else 1.0 for a, p in enumerate(fields.pixdim[1:4]))
    shape = (*shape, 1, 1)[:3]
    qform, sform = fields.forms
    if sform > 0:
        rows = fields.rows
        affine = affine_of((rows[0::4], rows[1::4], rows[2::4]), rows[3::4])
    elif qform > 0:
        affine = _turned(fields.turn, (x, y, -z if fields.pixdim[0] < 0 else z))
    else:
        columns = ((-x, 0.0, 0.0), (0.0, y, 0.0), (0.0, 0.0, z))
        affine = affine_of(columns, [s * (1 - n) / 2 for s, n in zip((-x, y, z), shape, strict=True)])
    return scaled(checked(affine, shape), _MILLIMETRES.get(fields.units[0] & 7, 1.0))


def _turned(turn: tuple[float, ...], steps: tuple[float, float, float]) -> Affine:
    """Give the affine of a quaternion, whose fourth number follows from the three that are stored, and an offset."""
    b, c, d, *origin = turn
    rest = 1.0 - (b * b + c * c + d * d)
    a = math.sqrt(rest) if rest > _NO_TURN else 0.0
    if a == 0.0:
        length = math.sqrt(b * b + c * c + d * d)
        b, c, d = b / length, c / length, d / length
    columns = (
        (a * a + b * b - c * c - d * d, 2 * (b * c + a * d), 2 * (b * d - a * c)),
        (2 * (b * c - a * d), a * a + c * c - b * b - d * d, 2 * (c * d + a * b)),
        (2 * (b * d + a * c), 2 * (c * d - a * b), a * a + d * d - b * b - c * c),
    )
    return affine_of([[v * step for v in column] for column, step in zip(columns, steps, strict=True)], origin)


def written(
    shape: tuple[int, int, int], kind: str, components: int, affine: Affine, scale: tuple[float, float]
) -> bytes:
    """Give the first bytes of a NIfTI-1 file whose voxels follow, little-endian, the first axis fastest.

    `kind` is kind and bytes of one number (`i2`), `scale` slope and intercept. Raises UnreadableImageException for
    what the format cannot hold.
    """
    code = _CODES.get((kind, components))
    if code is None:
        raise UnreadableImageException(f"a NIfTI file cannot hold {components} numbers of type {kind} for a voxel")
    if max(shape) > _LONGEST_AXIS:
        found = f"there are {max(shape)} voxels along an axis"
        raise UnreadableImageException(f"{found}, and a NIfTI file holds at most {_LONGEST_AXIS}; ask for fewer")
    data = bytearray(_OFFSET)
    struct.pack_into("<i", data, 0, _FIRST_SIZE)
    struct.pack_into("<h", data, _BITS, 8 * int(kind[1:]) * components)
    values: dict[str, tuple[Any, ...]] = {
        "dim": (3, *shape, 1, 1, 1, 1),
        "type": (code,),
        "pixdim": (1.0, *spacing(affine), 1.0, 1.0, 1.0, 1.0),
        "offset": (_OFFSET,),
        "scale": scale,
        "units": (_MILLIMETRE,),
        "forms": (0, 1),  # no qform, which cannot say everything that the sform can
        "rows": (*affine[0], *affine[1], *affine[2]),
        "magic": (b"n+1",),
    }
    for name, value in values.items():
        at, fields = _FIRST[name]
        struct.pack_into("<" + fields, data, at, *value)
    return bytes(data)
