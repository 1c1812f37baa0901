"""Draws one plane of an image, a label's outlines over it, or a label alone, as a PNG or WebP picture."""

import colorsys
import io
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from monailabel.imaging.plane import PLANES, Cut, Planes, between, moved
from monailabel.imaging.voxels import Array, Voxels
from monailabel.interfaces.exception import InvalidInputException

FORMATS = ("png", "webp")
SMALLEST, LARGEST = 8, 2048  # pixels of the longer side
DEFAULT_SIZE = 256

_PERCENTILES = (1, 99)  # of what is brighter than the background: a few bright or dark voxels do not decide
_GOLDEN = 0.6180339887498949  # steps of the golden ratio round a circle stay as far from each other as can be
_HUE, _SATURATION = 0.4, 0.7  # value 1 is red, 2 blue, 3 green, 4 pink, 5 turquoise, 6 orange
_SAME_GRID = 1e-6  # by which the way from an image's indices to its label's may differ from none: no voxel is missed
_OUTLINE = 256  # pixels of the longer side for each pixel of an outline


@dataclass(frozen=True, slots=True)
class View:
    """What a picture is to show: the longer side's pixels, the plane, its number, the window's low and high value.

    Without a number it is the plane with the largest area of the label, or the one in the middle where there is no
    label. Without a window it is what lies between the first and the 99th percentile of the plane's values, those of
    the background (the smallest value) left out; pictures of 8 bits are shown as they are.

    Raises InvalidInputException.
    """

    size: int = DEFAULT_SIZE
    plane: str = "axial"
    slice: int | None = None
    window: tuple[float, float] | None = None
    format: str = "png"

    def __post_init__(self) -> None:
        if not SMALLEST <= self.size <= LARGEST:
            raise InvalidInputException(f"size {self.size} refused: use {SMALLEST} to {LARGEST} pixels")
        if self.plane not in PLANES:
            raise InvalidInputException(f"plane {self.plane!r} refused: use {', '.join(PLANES)}")
        if self.format not in FORMATS:
            raise InvalidInputException(f"format {self.format!r} refused: use {' or '.join(FORMATS)}")
        if self.window is not None and not (np.isfinite(self.window).all() and self.window[0] < self.window[1]):
            raise InvalidInputException(f"window {self.window} refused: its low value must be below its high one")


def draw(image: Voxels | None, label: Voxels | None, view: View) -> bytes:
    """Draw an image, a label, or the label's outlines over the image, and give the picture's bytes.

    Raises UnreadableImageException, and InvalidInputException for a slice that is not there.
    """
    shown = image or label
    assert shown is not None
    planes = Planes(shown, view.plane)
    cut = planes.cut(_number(planes, shown, label, view))
    size = _fitted(cut, view.size)
    pixels = np.zeros((*size, 3), np.uint8) if image is None else _grey_or_coloured(image, cut, size, view)
    if label is not None:
        _paint(pixels, _structures(label, shown, cut, size), view.size if image else None)
    return _encoded(pixels, view.format)


def _number(planes: Planes, shown: Voxels, label: Voxels | None, view: View) -> int:
    """Choose the plane."""
    if view.slice is not None:
        return view.slice
    own = Planes(label, view.plane) if label is not None else planes
    number = own.largest() if label is not None and own.count > 1 else None
    if label is None or number is None:
        return planes.middle()
    point = np.array([*((n - 1) / 2 for n in label.shape), 1.0])
    point[own.axis] = own.index(number)
    return planes.of(float((between(label, shown) @ point)[planes.axis]))


def _fitted(cut: Cut, size: int) -> tuple[int, int]:
    """Give the picture's rows and columns, so that its pixels are square."""
    rows, columns = cut.shape
    height, width = rows * cut.height, columns * cut.width
    scale = size / max(height, width)
    return max(1, round(height * scale)), max(1, round(width * scale))


def _grey_or_coloured(image: Voxels, cut: Cut, size: tuple[int, int], view: View) -> Array:
    """Give the image's plane as red, green and blue."""
    from PIL import Image

    values = image.at(*cut.indices)
    is_shown_as_it_is = image.header.affine is None and values.dtype == np.uint8
    if image.header.colour:
        values = values[..., :3]
    elif values.ndim == 3:
        values = values[..., 0]
    if view.window or not (is_shown_as_it_is or image.header.colour):
        values = _windowed(_numbers(values, image), view.window)
    drawn = Image.fromarray(np.ascontiguousarray(values.astype(np.uint8, copy=False)))
    return np.array(drawn.resize((size[1], size[0]), Image.Resampling.BILINEAR).convert("RGB"))


def _numbers(stored: Array, image: Voxels) -> Array:
    """Give the values that the stored numbers stand for; of complex ones, their size."""
    values = np.abs(stored) if stored.dtype.kind == "c" else stored
    return values.astype(np.float64) * image.header.slope + image.header.intercept


def _windowed(values: Array, window: tuple[float, float] | None) -> Array:
    low, high = window or _usual(values)
    with np.errstate(invalid="ignore", over="ignore"):
        scaled = np.nan_to_num((values - low) * (255 / ((high - low) or 1.0)), nan=0.0)
    return np.clip(scaled, 0, 255).round().astype(np.uint8)


def _usual(values: Array) -> tuple[float, float]:
    """Give a window in which most of what is not background can be told apart."""
    known = values[np.isfinite(values)]
    if not known.size:
        return 0.0, 1.0
    floor = known.min()
    inside = known[known > floor]
    if not inside.size:
        return float(floor), float(floor) + 1.0
    low, high = (float(p) for p in np.percentile(inside, _PERCENTILES))
    return (low, high) if low < high else (float(floor), high)


def _structures(label: Voxels, shown: Voxels, cut: Cut, size: tuple[int, int]) -> Array:
    """Give the structure's value for each pixel of the picture, 0 where there is none."""
    rows, columns = ((np.arange(n) * full // n) for n, full in zip(size, cut.shape, strict=True))
    pixels, way = np.ix_(rows, columns), between(shown, label)
    if np.allclose(way, np.eye(4), rtol=0, atol=_SAME_GRID):
        return structures(label.at(*cut.indices), label.header.colour)[pixels]
    i, j, k = (np.broadcast_to(a, cut.shape)[pixels] for a in cut.indices)
    return structures(label.at(*moved((i, j, k), way)), label.header.colour)


def structures(stored: Array, is_coloured: bool) -> Array:
    """Give structures' values: colours are counted as 0xRRGGBB; of several layers the last that is set counts."""
    if stored.dtype.kind in "fc":
        stored = np.nan_to_num(np.rint(stored.real))
    values = stored.astype(np.int64)
    if values.ndim == 2:
        return values
    if is_coloured:
        return (values[..., 0] << 16) | (values[..., 1] << 8) | values[..., 2]
    found = np.zeros(values.shape[:2], np.int64)
    for layer in np.moveaxis(values, 2, 0):
        found = np.where(layer != 0, layer, found)
    return found


def _paint(pixels: Array, found: Array, size: int | None) -> None:
    """Paint structures in their colours: their outlines in a picture of that size, or all of them."""
    where = found != 0
    if size is not None:
        where &= _edges(found, max(1, round(size / _OUTLINE)))
    values, place = np.unique(found[where], return_inverse=True)
    pixels[where] = np.array([colour(int(value)) for value in values], np.uint8).reshape(-1, 3)[place]


def _edges(found: Array, width: int) -> Array:
    """Tell which pixels are at most `width` from one of another value; beyond the border there are none."""
    edges = np.zeros(found.shape, bool)
    for step in range(1, width + 1):
        down, across = found[step:] != found[:-step], found[:, step:] != found[:, :-step]
        for side, differs in ((np.s_[step:], down), (np.s_[:-step], down)):
            edges[side] |= differs
        for side, differs in ((np.s_[step:], across), (np.s_[:-step], across)):
            edges[:, side] |= differs
    return edges


def colour(value: int) -> tuple[int, int, int]:
    """Give a structure's colour (red, green, blue), which depends on its value alone.

    >>> [colour(value) for value in (1, 2, 3)]
    [(255, 95, 76), (76, 109, 255), (161, 255, 76)]
    """
    red, green, blue = colorsys.hsv_to_rgb((_HUE + value * _GOLDEN) % 1.0, _SATURATION, 1.0)
    return int(red * 255), int(green * 255), int(blue * 255)


def _encoded(pixels: Array, format: str) -> bytes:
    from PIL import Image

    picture, out = Image.fromarray(pixels), io.BytesIO()
    if _is_grey(pixels):
        picture = picture.convert("L")
    if format == "webp":
        picture.save(out, "WEBP", quality=85, method=2)
    else:
        picture.save(out, "PNG", compress_level=3)
    return out.getvalue()


def _is_grey(pixels: Array) -> bool:
    red: Iterable[Array] = pixels[..., 0]
    return bool((red == pixels[..., 1]).all() and (red == pixels[..., 2]).all())
