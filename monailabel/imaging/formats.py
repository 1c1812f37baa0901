"""Which format a file has, told from its bytes and never from its name, and its header."""

from typing import BinaryIO

from monailabel.imaging import metaimage, nifti, nrrd, packing, raster
from monailabel.imaging.header import Header, Packing
from monailabel.interfaces.exception import UnreadableImageException

READABLE = "NIfTI, NRRD, MetaImage, PNG, JPEG and TIFF"

_GZIP = b"\x1f\x8b"
_DICOM_AT = 128  # where a DICOM file says that it is one


def read_header(file: BinaryIO) -> Header:
    """Read an image's header and none of its voxels; the file can be at any position.

    Raises UnreadableImageException for a format that is not read here, and for a header that makes no sense.
    """
    file.seek(0)
    data = file.read(nifti.LONGEST)
    file.seek(0)
    if data.startswith(_GZIP):
        return _packed(packing.beginning(file, nifti.LONGEST))
    if nifti.is_nifti(data):
        return nifti.parsed(data, Packing.NONE)
    if raster.is_raster(data):
        return raster.parsed(file)
    if data.startswith(nrrd.MAGIC):
        return nrrd.parsed(file)
    if metaimage.is_metaimage(data):
        return metaimage.parsed(file)
    raise UnreadableImageException(f"{_named(data)}; what can be read are {READABLE} files")


def _packed(data: bytes) -> Header:
    if not nifti.is_nifti(data):
        raise UnreadableImageException(f"it is a gzip file, but not of a NIfTI image; what can be read are {READABLE}")
    return nifti.parsed(data, Packing.DEFLATE)


def _named(data: bytes) -> str:
    if not data:
        return "it is empty"
    if data[_DICOM_AT : _DICOM_AT + 4] == b"DICM":
        return "it is a DICOM file"
    return "it is an XML file" if data.lstrip().startswith(b"<") else "its format is not known"
