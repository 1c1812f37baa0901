"""NRRD headers, attached to their voxels (.nrrd).

The format: https://teem.sourceforge.net/nrrd/format.html.
"""

import math
import re
from collections.abc import Sequence
from typing import BinaryIO

from monailabel.imaging.geometry import Affine, Vector, affine_of, checked, from_lps, scaled
from monailabel.imaging.header import Header, Packing
from monailabel.interfaces.exception import UnreadableImageException

MAGIC = b"NRRD000"
_LONGEST = 1024 * 1024  # bytes that are looked through for the header's end

_TYPES = {
    "i1": "signed char, int8, int8_t", "u1": "uchar, unsigned char, uint8, uint8_t",
    "i2": "short, short int, signed short, signed short int, int16, int16_t",
    "u2": "ushort, unsigned short, unsigned short int, uint16, uint16_t",
    "i4": "int, signed int, int32, int32_t", "u4": "uint, unsigned int, uint32, uint32_t",
    "i8": "longlong, long long, long long int, signed long long, signed long long int, int64, int64_t",
    "u8": "ulonglong, unsigned long long, unsigned long long int, uint64, uint64_t",
    "f4": "float", "f8": "double",
}  # fmt: skip
_KIND = {name: kind for kind, names in _TYPES.items() for name in names.split(", ")}
_PACKING = {"raw": Packing.NONE, "gzip": Packing.DEFLATE, "gz": Packing.DEFLATE} | dict.fromkeys(
    ("bzip2", "bz2"), Packing.BZIP2
)
_COLOUR = ("rgb-color", "rgba-color", "3-color", "4-color")
_IN_SPACE = ("", "domain", "space", "???")  # kinds of axes that are no list of numbers
_RAS = ("right-anterior-superior", "ras", "right-anterior-superior-time", "rast")
_LAS = ("left-anterior-superior", "las", "left-anterior-superior-time", "last")
_MILLIMETRES = {"m": 1000.0, "cm": 10.0, "um": 0.001, "µm": 0.001, "micron": 0.001}


def parsed(file: BinaryIO) -> Header:
    """Read the header at a file's beginning. Raises UnreadableImageException."""
    data = file.read(_LONGEST)
    end = re.search(rb"\r?\n\r?\n", data)
    fields = _fields((data[: end.start()] if end else data).decode("utf-8", "replace"))
    try:
        return _header(fields, end.end() if end else 0, file)
    except (KeyError, ValueError, IndexError, OverflowError) as error:
        if isinstance(error, UnreadableImageException):
            raise
        raise UnreadableImageException(f"its NRRD header is damaged: {type(error).__name__} {error}") from error


def _fields(text: str) -> dict[str, str]:
    """Give the fields of a header by name, and the key/value pairs as `key:=`."""
    fields = {}
    for line in text.splitlines()[1:]:
        name, pair, value = line.partition(":=")
        if pair:
            fields[name.strip().lower() + ":="] = value.strip()
        elif not line.startswith("#"):
            name, _, value = line.partition(":")
            fields[name.strip().lower().replace(" ", "")] = value.strip()
    return fields


def _header(fields: dict[str, str], end: int, file: BinaryIO) -> Header:
    sizes = [int(word) for word in fields["sizes"].split()]
    first = (fields.get("kinds", "").lower().split() or [""])[0]
    kind, packing = _KIND.get(fields["type"].lower()), _PACKING.get(fields["encoding"].lower())
    if kind is None or packing is None:
        stored = f"type {fields['type'][:40]!r}, encoded as {fields['encoding'][:40]!r}"
        raise UnreadableImageException(f"its voxels are of NRRD {stored}, which is not read here")
    directions = _directions(fields, len(sizes), first)
    listed = 1 if directions[0] is None else 0  # the first axis holds the numbers of one voxel
    columns = [d for d in directions if d is not None]
    if not columns or directions[listed : listed + len(columns)] != columns:
        raise UnreadableImageException("its NRRD axes are in an order that is not read here")
    shape, rest = sizes[listed : listed + len(columns)], sizes[listed + len(columns) :]
    shape += [1] * (3 - len(shape)) if rest else []
    start, skip = _place(fields, end, packing, math.prod(sizes) * int(kind[1:]), file)
    return Header(
        format="NRRD",
        shape=(*shape, *rest),
        dtype=(">" if fields.get("endian", "").lower() == "big" else "<") + kind,
        affine=_affine(fields, columns, shape),
        modality=fields.get("modality:=") or None,
        components=sizes[0] if listed else 1,
        colour=bool(listed) and (first in _COLOUR or (first == "vector" and kind == "u1" and sizes[0] in (3, 4))),
        start=start,
        skip=skip,
        packing=packing,
        elsewhere="its voxels lie in a file of their own; save it as one file" if "datafile" in fields else "",
    )


def _place(fields: dict[str, str], end: int, packing: Packing, size: int, file: BinaryIO) -> tuple[int, int]:
    """Give where the bytes begin, and how many are to be skipped after they are unpacked."""
    lines, skip = int(fields.get("lineskip", 0)), int(fields.get("byteskip", 0))
    if lines:
        raise UnreadableImageException("its NRRD header skips lines, which is not read here")
    if packing is not Packing.NONE:
        return end, skip
    return (file.seek(0, 2) - size, 0) if skip == -1 else (end + skip, 0)


def _directions(fields: dict[str, str], axes: int, first: str) -> list[Vector | None]:
    """Give each axis's step in space; None for axes that are not in space."""
    if "spacedirections" in fields:
        found = [_vector(word) for word in re.findall(r"none|\([^()]*\)", fields["spacedirections"].lower())]
        if len(found) != axes:
            raise UnreadableImageException("its NRRD header is damaged: not each axis has a direction")
        return found
    steps = [_step(word) for word in fields.get("spacings", "").split()] or [1.0] * axes
    lead = int(axes > 1 and first not in _IN_SPACE)
    places = range(-lead, axes - lead)
    return [_along(place, step) if 0 <= place < 3 else None for place, step in zip(places, steps, strict=True)]


def _along(axis: int, step: float) -> Vector:
    return tuple(step if a == axis else 0.0 for a in range(3))


def _step(word: str) -> float:
    step = float(word)
    return step if math.isfinite(step) and step else 1.0


def _vector(word: str) -> Vector | None:
    """Read `(1,0,0)`; a vector of a plane gets a third number."""
    return None if word == "none" else ([float(number) for number in word.strip("()").split(",")] + [0.0, 0.0])[:3]


def _affine(fields: dict[str, str], columns: list[Vector], shape: Sequence[int]) -> Affine:
    """Give the affine; a space that is not named is taken for LPS, as ITK takes it."""
    missing = [_along(axis, 0.0 if axis == 2 else 1.0) for axis in range(len(columns), 3)]
    affine = affine_of([*columns, *missing], _vector(fields.get("spaceorigin", "none").lower()) or (0.0, 0.0, 0.0))
    x, y, z, bottom = affine
    space = fields.get("space", "").lower()
    if space in _LAS:
        affine = (-x[0], -x[1], -x[2], -x[3]), y, z, bottom
    elif space not in _RAS:
        affine = from_lps(affine)
    units = re.findall(r'"([^"]*)"', fields.get("spaceunits", ""))
    return scaled(checked(affine, (*shape, 1, 1)[:3]), _MILLIMETRES.get(units[0].strip() if units else "mm", 1.0))
