"""MetaImage headers, with their voxels in the same file (.mha).

The format: https://itk.org/Wiki/ITK/MetaIO/Documentation.
"""

import math
import re
from collections.abc import Sequence
from typing import BinaryIO

from monailabel.imaging.geometry import Affine, affine_of, checked, from_lps
from monailabel.imaging.header import Header, Packing
from monailabel.interfaces.exception import UnreadableImageException

_LONGEST = 64 * 1024  # bytes that are looked through for the header's end
_BEGIN = re.compile(rb"\s*(ObjectType|Comment|NDims|ID|Name)\s*=")
_END = re.compile(rb"^ElementDataFile\s*=[ \t]*([^\r\n]*)\r?\n?", re.MULTILINE)

_TYPES = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4", "MET_UINT": "u4",
    "MET_LONG": "i4", "MET_ULONG": "u4", "MET_LONG_LONG": "i8", "MET_ULONG_LONG": "u8", "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}  # fmt: skip


def is_metaimage(data: bytes) -> bool:
    """Tell whether bytes begin as a MetaImage does."""
    return _BEGIN.match(data) is not None


def parsed(file: BinaryIO) -> Header:
    """Read the header at a file's beginning. Raises UnreadableImageException."""
    data = file.read(_LONGEST)
    end = _END.search(data)
    if end is None:
        raise UnreadableImageException("its MetaImage header is cut off: it has no ElementDataFile")
    pairs = (line.partition("=") for line in data[: end.end()].decode("utf-8", "replace").splitlines())
    fields = {name.strip(): value.strip() for name, _, value in pairs}
    try:
        return _header(fields, end.end(), file)
    except (KeyError, ValueError, IndexError, OverflowError) as error:
        if isinstance(error, UnreadableImageException):
            raise
        raise UnreadableImageException(f"its MetaImage header is damaged: {type(error).__name__} {error}") from error


def _header(fields: dict[str, str], end: int, file: BinaryIO) -> Header:
    shape = [int(word) for word in fields["DimSize"].split()]
    kind = _TYPES.get(fields["ElementType"].removesuffix("_ARRAY"))
    if kind is None:
        raise UnreadableImageException(
            f"its voxels are of MetaImage type {fields['ElementType'][:40]!r}, not read here"
        )
    components = int(fields.get("ElementNumberOfChannels", 1))
    packed = _is_true(fields, "CompressedData")
    size = math.prod(shape) * components * int(kind[1:])
    skip = int(fields.get("HeaderSize", 0))  # -1: the voxels are the end of the file
    modality = fields.get("Modality", "").removeprefix("MET_MOD_")
    return Header(
        format="MetaImage",
        shape=tuple(shape),
        dtype=(">" if _is_true(fields, "BinaryDataByteOrderMSB", "ElementByteOrderMSB") else "<") + kind,
        affine=_affine(fields, shape),
        modality=modality if modality not in ("", "UNKNOWN", "OTHER") else None,
        components=components,
        colour=components in (3, 4) and kind == "u1",
        start=file.seek(0, 2) - size if skip == -1 and not packed else end + max(skip, 0),
        packing=Packing.DEFLATE if packed else Packing.NONE,
        elsewhere=_elsewhere(fields),
    )


def _elsewhere(fields: dict[str, str]) -> str:
    if fields["ElementDataFile"].upper() != "LOCAL":
        return "its voxels lie in a file of their own; save it as one file (.mha)"
    return "" if fields.get("BinaryData", "True").lower() == "true" else "its voxels are written as text"


def _is_true(fields: dict[str, str], *names: str) -> bool:
    return any(fields.get(name, "").lower() in ("true", "1") for name in names)


def _affine(fields: dict[str, str], shape: Sequence[int]) -> Affine:
    """Give the affine; the matrix lists the direction of one axis after the other, left and posterior positive."""
    n = len(shape)
    axes, flat = min(n, 3), [float(i == j) for i in range(n) for j in range(n)]
    matrix = _numbers(fields, ("TransformMatrix", "Rotation", "Orientation"), flat)
    steps = _numbers(fields, ("ElementSpacing", "ElementSize"), [1.0] * n)
    origin = _numbers(fields, ("Offset", "Position", "Origin"), [0.0] * n)
    columns = [[matrix[a * n + r] * steps[a] if r < axes else 0.0 for r in range(3)] for a in range(axes)]
    columns += [[float(r == a and a != 2) for r in range(3)] for a in range(axes, 3)]
    return checked(from_lps(affine_of(columns, [*origin[:axes], 0.0, 0.0])), (*shape, 1, 1)[:3])


def _numbers(fields: dict[str, str], names: Sequence[str], otherwise: list[float]) -> list[float]:
    """Read a list of numbers that goes by one of several names."""
    given = next((fields[name] for name in names if name in fields), None)
    return otherwise if given is None else [float(word) for word in given.split()]
