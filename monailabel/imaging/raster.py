"""Flat pictures: PNG, JPEG and TIFF (slides with smaller copies of themselves too), read by Pillow."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from monailabel.imaging.header import Header
from monailabel.interfaces.exception import UnreadableImageException

if TYPE_CHECKING:
    from PIL.ImageFile import ImageFile

MOST_PIXELS = 100_000_000  # that are decoded for one picture
_MOST_PAGES = 32  # of a TIFF file that are looked through for a smaller copy
_ALIKE = 0.02  # by which the sides' ratio of a smaller copy may differ

_PNG, _JPEG = b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff"
_TIFF = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")

# Pillow's modes -> kind and bytes of one number, numbers of a pixel
NUMBERS = {
    "1": ("u1", 1), "L": ("u1", 1), "P": ("u1", 1), "I;16": ("u2", 1), "I;16B": ("u2", 1), "I;16L": ("u2", 1),
    "I": ("i4", 1), "F": ("f4", 1),
}  # fmt: skip


def is_raster(data: bytes) -> bool:
    """Tell whether bytes begin as one of these pictures does."""
    return data.startswith((_PNG, _JPEG, *_TIFF))


def parsed(file: BinaryIO) -> Header:
    """Read what a picture says of itself. Raises UnreadableImageException."""
    with opened(file) as picture:
        return described(picture)


def described(picture: "ImageFile") -> Header:
    """Give the header of a picture, as it is."""
    kind, components = NUMBERS.get(picture.mode, ("u1", 3))
    return Header(
        format=str(picture.format),
        shape=picture.size,
        dtype="<" + kind,
        affine=None,
        components=components,
        colour=components > 1,
    )


@contextmanager
def opened(file: BinaryIO) -> Iterator["ImageFile"]:
    """Open a picture without decoding it; whatever its decoder stumbles over inside becomes our exception."""
    from PIL import JpegImagePlugin, PngImagePlugin, TiffImagePlugin

    # Only these three decoders, not whichever Pillow finds fitting.
    file.seek(0)
    decoders = {_PNG[0]: PngImagePlugin.PngImageFile, _JPEG[0]: JpegImagePlugin.JpegImageFile}
    decoder = decoders.get(file.read(1)[0], TiffImagePlugin.TiffImageFile)
    file.seek(0)
    try:
        with decoder(file) as picture:
            yield picture
    except UnreadableImageException:
        raise
    except Exception as error:  # decoders raise what they like: SyntaxError, KeyError, struct.error, …
        raise UnreadableImageException(f"it cannot be decoded: {error}"[:200]) from error


def shrink(picture: "ImageFile", size: int) -> None:
    """Have a picture decoded smaller where its file makes that cheap, the longer side not below `size` pixels.

    A slide holds smaller copies of itself as further pages; a JPEG can be decoded at an eighth. Raises
    UnreadableImageException where what is left is still too large.
    """
    width, height = picture.size
    if getattr(picture, "n_frames", 1) > 1:
        _seek_smaller(picture, size)
    elif picture.format == "JPEG":
        scale = size / max(width, height)
        picture.draft(None, (max(1, round(width * scale)), max(1, round(height * scale))))
    width, height = picture.size
    if width * height > MOST_PIXELS:
        raise UnreadableImageException(
            f"its {width} x {height} pixels are too many to draw, and it has no smaller copy"
        )


def _seek_smaller(picture: "ImageFile", size: int) -> None:
    width, height = picture.size
    best, pixels = 0, width * height
    for page in range(1, min(picture.n_frames, _MOST_PAGES)):  # type: ignore[attr-defined]
        picture.seek(page)
        w, h = picture.size
        alike = abs(w * height / (h * width) - 1) < _ALIKE
        if alike and w * h < pixels and max(w, h) >= size:
            best, pixels = page, w * h
    picture.seek(best)
