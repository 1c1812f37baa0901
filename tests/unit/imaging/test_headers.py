"""Headers of every format: what they say, without reading voxels, and what hostile ones come to."""

import gzip
import io
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from importlib import resources
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from monailabel.imaging.drawing import View, draw
from monailabel.imaging.formats import read_header
from monailabel.imaging.voxels import Voxels
from monailabel.interfaces.exception import InvalidInputException, UnreadableImageException
from tests.unit.imaging.scans import corner, flat, metaimage, nifti, nifti_gz, nrrd

TURNED = np.array([[0, -1.9, 0.8, -10], [0, -0.6, -2.9, 20], [0.5, 0, 0, 5], [0, 0, 0, 1.0]])
SCANS = sorted(
    path.name
    for path in resources.files("nibabel").joinpath("tests/data").iterdir()
    if path.name in ("anatomical.nii", "functional.nii", "example4d.nii.gz", "example_nifti2.nii.gz")
)


def header_of(data: bytes) -> dict[str, Any]:
    """Read a header."""
    return read_header(io.BytesIO(data)).described()


@pytest.mark.parametrize("name", SCANS)
def test_a_real_scan_says_what_nibabel_reads(name: str) -> None:
    """Shape, spacing, orientation, affine and type of nibabel's own scans are those that nibabel tells."""
    with resources.as_file(resources.files("nibabel") / "tests" / "data" / name) as path:
        known: Any = nib.load(path)
        said = header_of(path.read_bytes())
    assert said["shape"] == list(known.shape)
    assert said["spacing"] == pytest.approx(known.header.get_zooms()[:3], abs=1e-4)
    assert said["orientation"] == "".join(nib.aff2axcodes(known.affine))
    assert np.allclose(said["affine"], known.affine, atol=1e-4)
    assert said["dtype"] == known.get_data_dtype().name
    assert said["format"] == ("NIfTI-2" if "nifti2" in name else "NIfTI-1")


@pytest.mark.parametrize("kind", [nib.Nifti1Image, nib.Nifti2Image])
@pytest.mark.parametrize("forms", [(0, 1), (1, 0), (0, 0), (1, 1)], ids=["sform", "qform", "neither", "both"])
@pytest.mark.parametrize("order", ["<", ">"])
def test_where_voxels_lie_is_read_as_nibabel_reads_it(kind: Any, forms: tuple[int, int], order: str) -> None:
    """Sform before qform before spacing alone, in either version and byte order."""
    header = kind.header_class(endianness=order)
    header.set_data_dtype("int16")
    affine = nib.affines.from_matvec(np.array([[0, 0, 3.0], [-2.0, 0, 0], [0, 1.5, 0]]), [4, 5, 6])
    image = kind(corner(), affine, header)
    image.set_qform(affine, code=forms[0])
    image.set_sform(affine, code=forms[1])
    data = image.to_bytes()
    assert np.allclose(header_of(data)["affine"], kind.from_bytes(data).affine, atol=1e-4)


@pytest.mark.parametrize(("unit", "factor"), [("meter", 1000), ("mm", 1), ("micron", 0.001), ("unknown", 1)])
def test_spacing_is_in_millimetres(unit: str, factor: float) -> None:
    """Whatever unit a NIfTI file is in."""
    image = nib.Nifti1Image(corner(), np.diag([2.0, 3, 4, 1]))
    image.header.set_xyzt_units(unit)
    assert header_of(image.to_bytes())["spacing"] == pytest.approx([2 * factor, 3 * factor, 4 * factor])


@pytest.mark.parametrize("make", [nifti, nifti_gz, nrrd, metaimage])
@pytest.mark.parametrize("dtype", ["uint8", "int16", "float32"])
def test_every_format_says_the_same_of_the_same_volume(make: Callable[..., bytes], dtype: str) -> None:
    """A tilted volume has one affine, right, anterior and superior being positive."""
    said = header_of(make(corner((4, 5, 6), dtype), TURNED))
    assert np.allclose(said["affine"], TURNED, atol=1e-5)
    assert (said["shape"], said["dtype"], said["orientation"]) == ([4, 5, 6], dtype, "SLP")


@pytest.mark.parametrize(
    ("fields", "orientation"),
    [
        ("space: right-anterior-superior", "RAS"),
        ("space: RAS", "RAS"),
        ("space: left-anterior-superior", "LAS"),
        ("space: left-posterior-superior", "LPS"),
        ("space dimension: 3", "LPS"),
    ],
)
def test_the_space_of_an_nrrd_counts(fields: str, orientation: str) -> None:
    """One that is not named is taken for LPS, as ITK takes it."""
    data = nrrd(corner((4, 5, 6)), np.diag([-1.0, -1, 1, 1])).replace(
        b"space: left-posterior-superior", fields.encode()
    )
    assert header_of(data)["orientation"] == orientation


def test_an_nrrd_may_have_spacings_alone() -> None:
    """Without directions the axes run along those of space, and `nan` stands for an axis that lies in none."""
    text = b"NRRD0001\r\ntype: unsigned short\r\ndimension: 4\r\nsizes: 2 3 4 5\r\nkinds: list domain domain domain\r\n"
    text += b"spacings: nan 0.5 0.6 2\r\nencoding: raw\r\nendian: big\r\nmodality:=MR\r\n\r\n"
    said = header_of(text + bytes(240))
    assert (said["shape"], said["spacing"], said["components"]) == ([3, 4, 5], [0.5, 0.6, 2.0], 2)
    assert (said["dtype"], said["modality"]) == ("uint16", "MR")


def test_a_metaimage_tells_its_modality() -> None:
    """Without what the format puts before it."""
    assert header_of(metaimage(corner(), extra="Modality = MET_MOD_CT\n"))["modality"] == "CT"
    assert header_of(metaimage(corner(), extra="Modality = MET_MOD_UNKNOWN\n"))["modality"] is None


@pytest.mark.parametrize("format", ["PNG", "JPEG", "TIFF"])
def test_a_flat_picture_lies_nowhere_in_space(format: str) -> None:
    """Its shape is width and height; what it does not say is None."""
    said = header_of(flat(np.zeros((5, 7, 3), np.uint8), format))
    assert (said["format"], said["shape"], said["components"], said["dtype"]) == (format, [7, 5], 3, "uint8")
    assert said["affine"] is said["spacing"] is said["orientation"] is said["modality"] is None


def _patched(offset: int, value: bytes) -> bytes:
    data = bytearray(nifti(corner()))
    data[offset : offset + len(value)] = value
    return bytes(data)


NAN = np.float32("nan").tobytes()
HOSTILE = {
    "nothing": b"",
    "no axes": _patched(40, b"\0\0"),
    "too many axes": _patched(40, b"\x09\0"),
    "a negative axis": _patched(42, b"\xff\xff"),
    "an empty axis": _patched(42, b"\0\0"),
    "more voxels than there are": _patched(40, b"\x07\0" + b"\xff\x7f" * 7),
    "an unknown type": _patched(70, b"\x07\0"),
    "an affine of no numbers": _patched(280, NAN),
    "an affine that is flat": _patched(280, bytes(48)),
    "an affine beyond all measure": _patched(280, np.float32(3e38).tobytes()),
    "voxels that begin nowhere": _patched(108, NAN),
    "voxels that begin before the file": _patched(108, np.float32(-1000).tobytes()),
    "half a header": nifti(corner())[:200],
    "half a header in gzip": gzip.compress(nifti(corner())[:200]),
    "gzip of something else": gzip.compress(b"hello"),
    "broken gzip": b"\x1f\x8b" + bytes(500),
    "an nrrd without fields": b"NRRD0004\n\n",
    "an nrrd without a type": nrrd(corner()).replace(b"type:", b"tipe:"),
    "an nrrd with words for numbers": nrrd(corner()).replace(b"sizes: 12", b"sizes: xx"),
    "an nrrd of nothing": nrrd(corner()).replace(b"sizes: 12", b"sizes: 00"),
    "an nrrd as text": nrrd(corner()).replace(b"encoding: gzip", b"encoding: ascii"),
    "an nrrd with too few directions": nrrd(corner()).replace(b"space directions: (", b"space directions: "),
    "a metaimage without an end": b"ObjectType = Image\nNDims = 3\n",
    "a metaimage without a size": metaimage(corner()).replace(b"DimSize", b"DimSice"),
    "a metaimage of half a matrix": metaimage(corner()).replace(b"TransformMatrix = ", b"TransformMatrix = 1\nX = "),
    "a metaimage of enormous numbers": metaimage(corner()).replace(b"DimSize = 12", b"DimSize = 9" + b"9" * 5000),
    "a torn png": flat(np.zeros((5, 7), np.uint8), "PNG")[:20],
    "a torn tiff": flat(np.zeros((5, 7), np.uint8), "TIFF")[:9],
    "an xml file": b"<?xml version='1.0'?><a/>",
    "a dicom file": bytes(128) + b"DICM" + bytes(600),
    "something else": b"hello, world" * 100,
}


@pytest.mark.parametrize("data", HOSTILE.values(), ids=HOSTILE)
def test_a_header_that_makes_no_sense_is_refused_with_a_sentence(data: bytes) -> None:
    """A clear error that is one of bad input too, whatever the file claims."""
    with pytest.raises(UnreadableImageException) as refused:
        header_of(data)
    assert isinstance(refused.value, InvalidInputException)
    assert str(refused.value)[:2] in ("it", "wh") and "\n" not in str(refused.value)


GOOD = [nifti(corner()), nifti(corner(), kind=nib.Nifti2Image), nrrd(corner()), nrrd(corner(), encoding="raw")]
GOOD += [metaimage(corner()), metaimage(corner(), packed=False), nifti_gz(corner())]
GOOD += [flat(corner()[:, :, 0].astype(np.uint8), format) for format in ("PNG", "JPEG", "TIFF")]


@settings(max_examples=400, deadline=None, derandomize=True)
@given(
    data=st.sampled_from(GOOD),
    cut=st.integers(0, 2000),
    places=st.lists(st.tuples(st.integers(0, 600), st.binary(min_size=1, max_size=8)), max_size=4),
)
@pytest.mark.filterwarnings("ignore::UserWarning")  # Pillow tells of oddities besides
def test_no_damage_ends_in_anything_but_a_picture_or_a_sentence(
    data: bytes, cut: int, places: list[tuple[int, bytes]]
) -> None:
    """However a file is damaged or cut off, it is drawn, or refused as unreadable."""
    damaged = bytearray(data)
    for place, value in places:
        damaged[place % len(data) : place % len(data) + len(value)] = value
    with suppress(UnreadableImageException):
        voxels = Voxels(io.BytesIO(damaged[: max(4, len(damaged) - cut)] if cut < 1000 else damaged), 16)
        assert draw(voxels, None, View(size=16)).startswith(b"\x89PNG")


def bomb(shape: tuple[int, int, int], dtype: str = "uint8", gigabytes: int = 1) -> bytes:
    """Give a .nii.gz of a megabyte or so that unpacks to gigabytes of zeros."""
    head = nib.Nifti1Header()
    head.set_data_dtype(dtype)
    head.set_data_shape(shape)
    head.set_sform(np.eye(4), 1)
    head["magic"], head["vox_offset"] = b"n+1", 352
    member = gzip.compress(bytes(2**24), 9)
    return gzip.compress(head.binaryblock + bytes(4)) + member * (64 * gigabytes)


def _peak(work: Callable[[], object]) -> int:
    tracemalloc.start()
    try:
        work()
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


@pytest.fixture(scope="module")
def imported() -> None:
    """See that all modules are imported before memory is measured."""
    draw(Voxels(io.BytesIO(nifti(corner()))), None, View())


def test_a_gzip_bomb_costs_a_header_no_memory(imported: None) -> None:
    """A header is read from the first bytes alone, whatever else the file unpacks to."""
    data = bomb((16, 16, 16))
    assert _peak(lambda: header_of(data)) < 100_000


def test_a_gzip_bomb_costs_a_picture_no_memory(imported: None) -> None:
    """Only what the header speaks of is unpacked, a few planes at a time."""
    small, long = bomb((16, 16, 16)), bomb((512, 512, 4000))
    assert _peak(lambda: draw(Voxels(io.BytesIO(small)), None, View())) < 5_000_000
    assert _peak(lambda: draw(Voxels(io.BytesIO(long)), None, View(slice=2000))) < 40_000_000


@pytest.mark.parametrize(
    ("shape", "plane"),
    [((32767, 32767, 1), "axial"), ((32767, 4, 32767), "axial"), ((2000, 2000, 20000), "sagittal")],
)
def test_a_volume_that_is_too_large_is_refused_before_it_is_unpacked(imported: None, shape: Any, plane: str) -> None:
    """What a header claims is not allocated."""
    data = bomb(shape, "float64", 0)

    def refused() -> None:
        with pytest.raises(UnreadableImageException, match=r"too many|more than"):
            draw(Voxels(io.BytesIO(data)), None, View(plane=plane))

    assert _peak(refused) < 200_000_000


def test_a_header_is_read_without_numpy(tmp_path: Path, child: Callable[..., Any]) -> None:
    """Who only asks for headers does not wait for NumPy, nibabel or Pillow to be imported."""
    path = tmp_path / "a.nii.gz"
    path.write_bytes(nifti_gz(corner()))
    code = """
        import json, sys
        from monailabel.imaging.formats import read_header
        with open(sys.argv[1], "rb") as file:
            assert read_header(file).shape == (12, 10, 8)
        print(json.dumps([name for name in ("numpy", "nibabel", "PIL") if name in sys.modules]))
    """
    assert child(code, path) == []


def test_a_plane_that_is_too_large_is_looked_at_in_part(imported: None) -> None:
    """Not even the indices of all its pixels take memory."""
    data = bomb((30000, 1, 16000))
    assert _peak(lambda: draw(Voxels(io.BytesIO(data)), None, View(plane="coronal"))) < 200_000_000
