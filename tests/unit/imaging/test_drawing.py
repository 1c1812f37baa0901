"""Pictures of planes: which way round, which plane, how bright, and a label's colours over them."""

import gzip
import io
import itertools
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from PIL import Image

from monailabel.imaging.drawing import View, colour, draw
from monailabel.imaging.voxels import Voxels
from monailabel.interfaces.exception import InvalidInputException, UnreadableImageException
from tests.unit.imaging.scans import Array, corner, drawn, flat, metaimage, nifti, nifti_gz, nrrd, pixels

ORIENTATIONS = [
    "".join(letters)
    for axes in itertools.permutations(("LR", "PA", "IS"))
    for letters in itertools.product(*axes)
]  # fmt: skip
PLANES = ("axial", "coronal", "sagittal")
RED, BLUE = colour(1), colour(2)
SIZES = np.diag([1.0, 2, 3, 1])


def oriented(voxels: Array, orientation: str, affine: Any = SIZES) -> nib.Nifti1Image:
    """Give a volume that is stored in RAS as it is stored in another orientation."""
    turn = nib.orientations.ornt_transform(
        nib.orientations.axcodes2ornt("RAS"), nib.orientations.axcodes2ornt(orientation)
    )
    return nib.Nifti1Image(voxels, affine).as_reoriented(turn)


@pytest.mark.parametrize("plane", PLANES)
def test_the_orientation_in_which_a_volume_is_stored_does_not_show(plane: str) -> None:
    """All 48 orientations of one volume and its label give the same picture, whichever each is stored in."""
    label = (corner() > 150).astype(np.uint8)
    for number in (None, 6):
        pictures = [
            drawn(
                oriented(corner(), orientation).to_bytes(),
                oriented(label, ORIENTATIONS[-1 - n]).to_bytes(),
                plane=plane,
                slice=number,
            )
            for n, orientation in enumerate(ORIENTATIONS)
        ]
        assert all((picture == pictures[0]).all() for picture in pictures)
        assert (pictures[0] == RED).all(axis=2).any()


def marked(right: bool, anterior: bool, superior: bool) -> bytes:
    """Give a dark volume with one bright corner, where it is said."""
    voxels = np.full((9, 9, 9), 10, np.uint8)
    voxels[8 if right else 0, 8 if anterior else 0, 8 if superior else 0] = 200
    voxels[4, 4, 4] = 0
    return nifti(voxels)


def bright(picture: Array) -> tuple[str, str]:
    """Say in which corner a picture is bright."""
    rows, columns = np.nonzero(picture[..., 0] > 150)
    return "top" if rows.mean() < 32 else "bottom", "left" if columns.mean() < 32 else "right"


@pytest.mark.parametrize(
    ("plane", "place", "number", "where"),
    [
        ("axial", (True, True, True), 8, ("top", "left")),
        ("axial", (False, True, True), 8, ("top", "right")),
        ("axial", (True, False, False), 0, ("bottom", "left")),
        ("coronal", (True, True, True), 8, ("top", "left")),
        ("coronal", (False, False, False), 0, ("bottom", "right")),
        ("sagittal", (True, True, True), 8, ("top", "left")),
        ("sagittal", (False, False, True), 0, ("top", "right")),
    ],
)
def test_planes_are_seen_as_radiologists_see_them(
    plane: str, place: tuple[bool, bool, bool], number: int, where: tuple[str, str]
) -> None:
    """The patient's right is at the left, front or head at the top; slices count from feet, back and left."""
    assert bright(drawn(marked(*place), plane=plane, slice=number)) == where


def test_a_tilted_volume_is_shown_along_its_own_axes() -> None:
    """A head that was held at an angle is shown as it would be upright."""
    angle = np.radians(20)
    turn = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    tilted = nib.affines.from_matvec(turn @ np.diag([1.0, 2, 3]), [5, 6, 7])
    for plane in PLANES:
        upright = drawn(nifti(corner(), SIZES), plane=plane)
        assert (drawn(nifti(corner(), tilted), plane=plane) == upright).all()


@pytest.mark.parametrize(("plane", "sides"), [("axial", (60, 36)), ("coronal", (60, 30)), ("sagittal", (50, 60))])
def test_pixels_are_square(plane: str, sides: tuple[int, int]) -> None:
    """The sides of a picture are those of the plane in mm, the longer one having the size that was asked for."""
    picture = drawn(nifti(np.ones((10, 12, 8), np.uint8), np.diag([3.0, 1.5, 3.75, 1])), plane=plane, size=60)
    width_and_height = {"axial": (30, 18), "coronal": (30, 30), "sagittal": (18, 30)}[plane]
    scale = 60 / max(width_and_height)
    assert picture.shape[1::-1] == tuple(round(side * scale) for side in width_and_height)


def test_every_format_gives_the_same_picture() -> None:
    """Whatever a volume is stored in, packed or not."""
    files = [nifti(corner()), nifti_gz(corner()), nrrd(corner()), nrrd(corner(), encoding="raw"), metaimage(corner())]
    files += [metaimage(corner(), packed=False), nifti(corner().astype(">i2")), nifti(corner(), kind=nib.Nifti2Image)]
    for plane in PLANES:
        pictures = [drawn(data, plane=plane) for data in files]
        assert all((picture == pictures[0]).all() for picture in pictures)


def test_the_window_decides_what_is_black_and_white() -> None:
    """Values at its ends and beyond are black and white, those between in proportion; scaled values are meant."""
    ramp = np.broadcast_to(np.arange(64, dtype=np.int16)[:, None, None], (64, 64, 1))
    image = nib.Nifti1Image(ramp, np.diag([-1.0, 1, 1, 1]))
    image.header.set_slope_inter(10, -100)
    row = drawn(image.to_bytes(), window=(0, 255))[32, :, 0].astype(int)
    assert (row == np.clip(np.arange(64) * 10 - 100, 0, 255)).all()


def test_a_few_bright_voxels_do_not_decide_the_usual_window() -> None:
    """Without a window, background and extremes are left out, so that tissue can be told apart."""
    voxels = np.zeros((100, 100, 1), np.int16)
    voxels[20:80, 20:80] = np.linspace(100, 200, 60)[:, None, None].astype(np.int16)
    voxels[50, 50] = 30000
    picture = drawn(nifti(voxels, np.diag([-1.0, 1, 1, 1])), size=100)[..., 0].astype(int)
    assert picture[50, 22] < 30 and picture[50, 78] > 225


@pytest.mark.parametrize(
    "voxels",
    [
        pytest.param(np.zeros((8, 8, 8), np.int16), id="nothing but zeros"),
        pytest.param(np.full((8, 8, 8), np.nan, np.float32), id="nothing but nan"),
        pytest.param(np.where(corner((8, 8, 8)) > 80, np.inf, -np.inf).astype(np.float32), id="infinite"),
        pytest.param(np.full((8, 8, 8), 1e308), id="enormous"),
        pytest.param(corner((8, 8, 8)).astype(np.complex64), id="complex"),
    ],
)
def test_odd_values_give_a_picture(voxels: Array) -> None:
    """Whatever the voxels hold, something is drawn."""
    assert drawn(nifti(voxels)).shape == (64, 64, 3)


def test_of_several_volumes_the_first_is_shown() -> None:
    """A series in time is shown as it begins."""
    series = np.stack([corner(), corner()[::-1]], axis=3)
    assert (drawn(nifti(series)) == drawn(nifti(corner()))).all()


@pytest.mark.parametrize("make", [nrrd, metaimage])
def test_colours_are_shown_as_they_are(make: Callable[..., bytes]) -> None:
    """A volume of red, green and blue is no scale of grey."""
    voxels = np.zeros((8, 8, 8, 3), np.uint8)
    voxels[..., 0], voxels[..., 1] = 200, 30
    assert (drawn(make(voxels)) == (200, 30, 0)).all()


def test_colours_of_a_nifti_are_shown_as_they_are() -> None:
    """RGB24 too."""
    kind = np.dtype([("R", "u1"), ("G", "u1"), ("B", "u1")])
    voxels = np.zeros((8, 8, 8), kind)
    voxels["R"], voxels["G"] = 200, 30
    assert (drawn(nifti(voxels)) == (200, 30, 0)).all()


def disc(value: int = 1, dtype: str = "uint8") -> Array:
    """Give a label of one structure, a block in the middle."""
    label = np.zeros((32, 32, 8), dtype)
    label[8:24, 8:24, 2:6] = value
    return label


def test_a_label_is_drawn_as_outlines_in_its_structures_colours() -> None:
    """Borders, also those between structures, are coloured; what they enclose stays as it is."""
    image, label = np.full((32, 32, 8), 100, np.uint8), disc()
    label[16:24, 8:24, 2:6] = 2
    picture = drawn(nifti(image), nifti(label), size=32)
    is_red, is_blue = ((picture == c).all(axis=2) for c in (RED, BLUE))
    # 16 rows, 8 columns each: their borders alone
    assert is_red.sum() == is_blue.sum() == 2 * 16 + 2 * 8 - 4
    assert is_blue[:, :16].any() and not is_red[:, :16].any()  # the right is at the left
    assert len(np.unique(picture[12:20, 10:14].reshape(-1, 3), axis=0)) == 1


def test_a_label_alone_is_filled() -> None:
    """Without an image each structure has its colour, and the rest is black."""
    picture = drawn(None, nifti(disc(2)), size=32)
    assert (picture == BLUE).all(axis=2).sum() == 256
    assert (picture == 0).all(axis=2).sum() == 32 * 32 - 256


def test_colours_are_stable_and_differ() -> None:
    """A structure has its colour whatever else is in the label, and neighbours in number look unlike."""
    alone, together = disc(3), disc(3)
    together[0:4, 0:4, :] = 1
    assert (drawn(None, nifti(alone))[32, 32] == drawn(None, nifti(together))[32, 32]).all()
    found = np.array([colour(value) for value in range(1, 13)], int)
    distances = np.abs(found[:, None] - found[None]).sum(axis=2)
    assert distances[~np.eye(12, dtype=bool)].min() > 30


@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32", "int64"])
def test_a_labels_type_does_not_matter(dtype: str) -> None:
    """A structure's value counts, whatever it is stored as."""
    assert (drawn(None, nifti(disc(2).astype(dtype) if dtype != "int64" else disc(2))) == BLUE).any()
    assert (drawn(None, nrrd(disc(2, dtype))) == BLUE).all(axis=2).any()


def test_a_label_on_another_grid_lies_where_it_lies_in_space() -> None:
    """A label that covers a part of the image, in another format, orientation and spacing, is drawn in its place."""
    image = nifti(np.full((32, 32, 8), 100, np.uint8))
    part = disc()[6:26, 6:26, 1:7]
    moved = nib.affines.from_matvec(np.eye(3), [6, 6, 1])
    for other in (nrrd(part, moved), oriented(part, "PIR", moved).to_bytes(), metaimage(part, moved)):
        assert (drawn(image, other, size=32) == drawn(image, nifti(disc()), size=32)).all()
    coarse = nib.affines.from_matvec(np.diag([2.0, 2, 1]), [0.5, 0.5, 0])
    assert (drawn(image, nifti(disc()[::2, ::2], coarse), size=32) == drawn(image, nifti(disc()), size=32)).all()


def test_without_a_number_the_plane_with_most_of_the_label_is_shown() -> None:
    """In each kind of plane; without a label it is the one in the middle."""
    image, label = corner((16, 16, 16)), np.zeros((16, 16, 16), np.uint8)
    label[3:7, 2:5, 12:15] = 1
    label[3, 2:12, 13], label[3:7, 3, 13] = 1, 1
    label[8:14, 3, 13] = 1
    data = nifti(image), oriented(label, "PIL", np.eye(4)).to_bytes()
    for plane, largest in (("axial", 13), ("coronal", 3), ("sagittal", 3)):
        assert (drawn(*data, plane=plane) == drawn(*data, plane=plane, slice=largest)).all()
        assert (drawn(data[0], plane=plane) == drawn(data[0], plane=plane, slice=8)).all()
        assert not (drawn(*data, plane=plane) == drawn(*data, plane=plane, slice=largest + 1)).all()


def test_an_empty_label_leaves_the_middle() -> None:
    """A label of nothing changes nothing."""
    data = nifti(corner())
    assert (drawn(data, nifti(np.zeros((12, 10, 8), np.uint8))) == drawn(data)).all()


def test_layers_of_a_segmentation_are_drawn_together() -> None:
    """3D Slicer stores overlapping segments as several numbers for each voxel; each that is set is drawn."""
    layers = np.zeros((32, 32, 8, 2), np.uint8)
    layers[2:8, 2:8, :, 0], layers[20:26, 20:26, :, 1] = 1, 2
    picture = drawn(None, nrrd(layers).replace(b"kinds: vector", b"kinds: list"))
    assert (picture == RED).all(axis=2).any() and (picture == BLUE).all(axis=2).any()


@pytest.mark.parametrize("format", ["PNG", "TIFF"])
def test_flat_pictures_are_shown_as_they_are(format: str) -> None:
    """Neither turned nor brightened, whichever plane is asked for; 16 bits get a window."""
    shades = np.arange(64, dtype=np.uint8).reshape(8, 8)
    assert (drawn(flat(shades, format), size=8, plane="coronal")[..., 0] == shades).all()
    colours = np.stack([shades, shades[::-1], shades.T], axis=2)
    assert (drawn(flat(colours, format), size=8) == colours).all()
    assert drawn(flat(shades.astype(np.uint16) * 900, format), size=8).max() == 255


def test_a_flat_picture_has_a_flat_label() -> None:
    """A PNG of structures' values, as one of palette colours, is drawn over the picture pixel by pixel."""
    picture, label = np.full((40, 60), 100, np.uint8), np.zeros((40, 60), np.uint8)
    label[5:15, 40:55] = 2
    palette = Image.frombytes("P", (60, 40), label.tobytes())
    palette.putpalette([90, 90, 90, 200, 0, 0, 0, 200, 0])
    out = io.BytesIO()
    palette.save(out, "PNG")
    for over in (flat(label, "PNG"), out.getvalue(), nifti(label.T[:, :, None])):
        shown = (drawn(flat(picture, "PNG"), over, size=60) == BLUE).all(axis=2)
        assert [shown[5:15, 40:55].sum(), shown.sum()] == [2 * 10 + 2 * 15 - 4] * 2


def test_coloured_pixels_are_structures_of_their_own() -> None:
    """A label painted in colours has a structure for each; black is none."""
    label = np.zeros((16, 16, 3), np.uint8)
    label[2:6, 2:6], label[9:14, 9:14] = (255, 0, 0), (0, 255, 0)
    picture = drawn(None, flat(label, "PNG"), size=16)
    assert len(np.unique(picture.reshape(-1, 3), axis=0)) == 3
    assert (picture[3, 3] == colour(0xFF0000)).all()


def slide(tmp_path: Path) -> Path:
    """Make a TIFF of a large page and smaller copies of it, as slide scanners do."""
    path = tmp_path / "slide.tif"
    full = Image.fromarray(np.zeros((2000, 4000, 3), np.uint8))
    copies = [Image.new("RGB", (4000 // n, 2000 // n), (10 * n, 0, 0)) for n in (4, 8, 16)]
    full.save(
        path, save_all=True, append_images=[*copies, Image.new("RGB", (250, 60), (0, 0, 255))], compression="jpeg"
    )
    return path


def test_a_slide_is_shown_from_its_smallest_copy_that_is_large_enough(tmp_path: Path) -> None:
    """Not its gigapixels are decoded but a copy; a page of another shape (the slide's label) is none."""
    path = slide(tmp_path)
    assert drawn(path, size=240)[50, 50, 0] == pytest.approx(160, abs=5)
    assert drawn(path, size=400)[50, 50, 0] == pytest.approx(80, abs=5)
    assert drawn(path, size=2048)[50, 50, 0] == 0


def test_a_picture_of_too_many_pixels_is_refused() -> None:
    """Whoever claims a gigapixel without a smaller copy is told so, before it is decoded."""
    big = flat(np.zeros((1, 1), np.uint8), "PNG")
    assert big[16:24] == bytes((0, 0, 0, 1)) * 2
    head = b"IHDR" + (50_000).to_bytes(4, "big") * 2 + big[24:29]
    hostile = big[:12] + head + zlib.crc32(head).to_bytes(4, "big") + big[33:]
    with pytest.raises(UnreadableImageException, match="50000 x 50000"):
        drawn(hostile)


@pytest.mark.parametrize("make", [nifti, nifti_gz, nrrd, metaimage], ids=["nii", "nii.gz", "nrrd", "mha"])
def test_a_file_that_is_cut_off_is_refused(make: Callable[[Array], bytes]) -> None:
    """What a download or a full disk left of a file is not drawn by half."""
    whole = make(np.random.default_rng(0).integers(0, 999, (24, 24, 24)).astype(np.int16))
    with pytest.raises(UnreadableImageException):
        drawn(whole[: len(whole) // 3])


def test_several_gzip_members_are_one_file() -> None:
    """As bgzip and pigz -i write them."""
    data = nifti(corner())
    packed = b"".join(gzip.compress(data[n : n + 500]) for n in range(0, len(data), 500))
    assert (drawn(packed) == drawn(data)).all()


def test_webp_is_the_same_picture_in_fewer_bytes(tmp_path: Path) -> None:
    """Much smaller, and not much different."""
    image = Voxels(io.BytesIO(nifti(corner((40, 40, 8)))))
    png, webp = draw(image, None, View()), draw(image, None, View(format="webp"))
    assert webp[8:12] == b"WEBP" and len(webp) < len(png)
    assert np.abs(pixels(png).astype(int) - pixels(webp)).mean() < 5


@pytest.mark.parametrize(
    "view",
    [{"size": 7}, {"size": 2049}, {"plane": "oblique"}, {"format": "gif"}, {"window": (2, 1)}, {"window": (0, np.nan)}],
)
def test_a_view_that_nobody_can_draw_is_refused(view: dict[str, Any]) -> None:
    """With the values that can be."""
    with pytest.raises(InvalidInputException, match="refused"):
        View(**view)


@pytest.mark.parametrize("number", [-1, 8])
def test_a_slice_that_is_not_there_is_refused(number: int) -> None:
    """With the numbers that there are."""
    with pytest.raises(InvalidInputException, match="0 to 7"):
        drawn(nifti(corner()), slice=number)
