"""Scans made for tests: the same voxels in every format, and the pictures that are drawn of them."""

import gzip
import io
import zlib
from pathlib import Path
from typing import Any, BinaryIO

import nibabel as nib
import numpy as np
from PIL import Image

from monailabel.imaging.drawing import View, draw
from monailabel.imaging.voxels import Voxels

Array = np.ndarray[Any, Any]

NRRD_TYPES = {"uint8": "uchar", "int16": "short", "uint16": "ushort", "float32": "float", "int64": "int64"}
MET_TYPES = {
    "uint8": "MET_UCHAR", "int16": "MET_SHORT", "uint16": "MET_USHORT", "float32": "MET_FLOAT", "int64": "MET_LONG_LONG"
}  # fmt: skip


def corner(shape: tuple[int, int, int] = (12, 10, 8), dtype: str = "int16") -> Array:
    """Give voxels, indices running right, anterior and superior, that no turn or mirror leaves as they are."""
    i, j, k = np.indices(shape)
    voxels = 10 * i + 7 * j + 5 * k + 20
    voxels[: shape[0] // 3, : shape[1] // 3, :] = 0
    return voxels.astype(dtype)


def nifti(voxels: Array, affine: Any = None, kind: type = nib.Nifti1Image) -> bytes:
    """Give a .nii file as nibabel writes it."""
    image = kind(voxels, np.eye(4) if affine is None else affine)
    image.header.set_xyzt_units("mm")
    data: bytes = image.to_bytes()
    return data


def nifti_gz(voxels: Array, affine: Any = None) -> bytes:
    """Give a .nii.gz file."""
    return gzip.compress(nifti(voxels, affine), 1)


def _lps(affine: Any) -> Array:
    return np.diag([-1, -1, 1, 1.0]) @ (np.eye(4) if affine is None else affine)


def nrrd(voxels: Array, affine: Any = None, encoding: str = "gzip", extra: str = "") -> bytes:
    """Give a .nrrd file as ITK writes it; a fourth axis of the voxels holds the numbers of each."""
    matrix, lead = _lps(affine), voxels.ndim == 4
    directions = " ".join(f"({','.join(map(repr, column[:3].tolist()))})" for column in matrix.T[:3])
    sizes = " ".join(map(str, ([voxels.shape[3]] if lead else []) + list(voxels.shape[:3])))
    header = (
        f"NRRD0004\n# a comment\ntype: {NRRD_TYPES[voxels.dtype.name]}\ndimension: {3 + lead}\n"
        f"space: left-posterior-superior\nsizes: {sizes}\nspace directions: {'none ' * lead}{directions}\n"
        f"kinds: {'vector ' * lead}domain domain domain\nendian: little\nencoding: {encoding}\n"
        f"space origin: ({','.join(map(repr, matrix[:3, 3].tolist()))})\n{extra}\n"
    )
    data = _raw(voxels)
    return header.encode() + (gzip.compress(data, 1) if encoding == "gzip" else data)


def metaimage(voxels: Array, affine: Any = None, packed: bool = True, extra: str = "") -> bytes:
    """Give a .mha file as ITK writes it; a fourth axis of the voxels holds the numbers of each."""
    matrix = _lps(affine)
    steps = np.linalg.norm(matrix[:3, :3], axis=0)
    directions = " ".join(repr(v) for v in (matrix[:3, :3] / steps).T.ravel().tolist())
    channels = f"ElementNumberOfChannels = {voxels.shape[3]}\n" if voxels.ndim == 4 else ""
    header = (
        f"ObjectType = Image\nNDims = 3\nBinaryData = True\nBinaryDataByteOrderMSB = False\nCompressedData = {packed}\n"
        f"TransformMatrix = {directions}\nOffset = {' '.join(map(repr, matrix[:3, 3].tolist()))}\n"
        f"ElementSpacing = {' '.join(map(repr, steps.tolist()))}\n{extra}"
        f"DimSize = {' '.join(map(str, voxels.shape[:3]))}\n{channels}"
        f"ElementType = {MET_TYPES[voxels.dtype.name]}\nElementDataFile = LOCAL\n"
    )
    data = _raw(voxels)
    return header.encode() + (zlib.compress(data) if packed else data)


def _raw(voxels: Array) -> bytes:
    return voxels.transpose(*(range(voxels.ndim)[2::-1]), *range(3, voxels.ndim)).tobytes()


def flat(pixels: Array, format: str, **options: Any) -> bytes:
    """Give a PNG, JPEG or TIFF file; rows first."""
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, format, **options)
    return out.getvalue()


def drawn(image: bytes | Path | None, label: bytes | Path | None = None, **view: Any) -> Array:
    """Draw, and give the picture's pixels: rows, columns, red, green, blue."""
    size = view.setdefault("size", 64)
    shown, over = (Voxels(_file(data), size) if data is not None else None for data in (image, label))
    return pixels(draw(shown, over, View(**view)))


def pixels(picture: bytes) -> Array:
    """Decode a picture: rows, columns, red, green, blue."""
    with Image.open(io.BytesIO(picture)) as decoded:
        return np.asarray(decoded.convert("RGB"))


def _file(data: bytes | Path) -> BinaryIO:
    return io.BytesIO(data.read_bytes() if isinstance(data, Path) else data)


def loaded(data: bytes) -> nib.Nifti1Image:
    """Load a .nii.gz file as nibabel does."""
    return nib.Nifti1Image.from_bytes(gzip.decompress(data))
