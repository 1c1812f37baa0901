"""Volumes at fewer voxels: where they lie, what their voxels are, and that they cost little memory."""

import gzip
import io
import tracemalloc
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from monailabel.imaging.reduction import write
from monailabel.imaging.voxels import Voxels
from monailabel.interfaces.exception import UnreadableImageException
from tests.unit.imaging.scans import Array, corner, flat, loaded, metaimage, nifti, nifti_gz, nrrd

AFFINE = nib.affines.from_matvec(np.array([[0, 0, 3.0], [-2.0, 0, 0], [0, 1.5, 0]]), [4, 5, 6])


def reduced(data: bytes, size: int | None, is_label: bool = False) -> nib.Nifti1Image:
    """Reduce a volume, and load what came of it."""
    out = io.BytesIO()
    write(Voxels(io.BytesIO(data), size), size, out, is_label=is_label)
    return loaded(out.getvalue())


def centre(image: nib.Nifti1Image) -> Array:
    """Give the centre of mass in mm."""
    weights = np.asarray(image.dataobj, float)
    mean = [np.average(index, weights=weights) for index in np.indices(weights.shape)]
    moved: Array = nib.affines.apply_affine(image.affine, mean)
    return moved


@pytest.mark.parametrize("size", [None, 40, 20, 13, 8])
@pytest.mark.parametrize("is_label", [False, True])
def test_what_is_reduced_stays_where_it_is(size: int | None, is_label: bool) -> None:
    """No axis is longer than what was asked for, and the affine says where the larger voxels lie."""
    voxels = np.zeros((40, 24, 16), np.int16)
    voxels[8:24, 8:16, 4:12] = 1000
    found = reduced(nifti(voxels, AFFINE), size, is_label)
    assert max(found.shape) <= (size or 40)
    steps = -(-np.array(voxels.shape) // (size or 40))
    assert found.header.get_zooms() == pytest.approx(steps * [2, 1.5, 3])
    assert np.abs(centre(found) - centre(nib.Nifti1Image(voxels, AFFINE))).max() <= steps.max() * 1.5
    corners = [np.array([-0.5, -0.5, -0.5])]  # of the volume, not of its first voxel's centre
    assert np.allclose(*(nib.affines.apply_affine(a, corners) for a in (found.affine, AFFINE)), atol=1e-4)


def test_voxels_of_an_image_are_averaged() -> None:
    """Each is the mean of the block that it stands for; at the borders, of what is left of it."""
    voxels = corner((10, 9, 7), "float32")
    found = np.asarray(reduced(nifti(voxels), 4 + 4).dataobj)
    blocks = [np.add.reduceat(np.ones(n), np.arange(0, n, 2)) for n in (10, 9)]
    expected = voxels
    for axis in (0, 1):
        expected = np.add.reduceat(expected, np.arange(0, voxels.shape[axis], 2), axis=axis)
    expected = expected / blocks[0][:, None, None] / blocks[1][None, :, None]
    assert np.allclose(found, expected)


def test_a_label_keeps_its_structures() -> None:
    """No value appears that was not there before."""
    label = np.random.default_rng(1).choice([0, 3, 7], (20, 21, 22)).astype(np.uint8)
    found = reduced(nifti(label), 8, is_label=True)
    assert found.get_data_dtype() == np.uint8
    assert set(np.unique(np.asarray(found.dataobj))) == {0, 3, 7}


@pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "float32", "int64"])
def test_without_a_size_another_format_becomes_nifti(dtype: str) -> None:
    """Type, voxels and place stay as they are."""
    for data in (nrrd(corner(dtype=dtype), AFFINE), metaimage(corner(dtype=dtype), AFFINE)):
        found = reduced(data, None)
        assert found.get_data_dtype() == np.dtype(dtype)
        assert (np.asarray(found.dataobj) == corner(dtype=dtype)).all()
        assert np.allclose(found.affine, AFFINE, atol=1e-4)


def test_the_scale_of_values_stays() -> None:
    """Slope and intercept are kept, so that values mean what they meant."""
    image = nib.Nifti1Image(corner(), np.eye(4))
    image.header.set_slope_inter(2, -1000)
    data = image.to_bytes()
    assert np.asarray(nib.Nifti1Image.from_bytes(data).dataobj).min() == -1000
    assert np.allclose(np.asarray(reduced(data, None).dataobj), corner() * 2.0 - 1000)


def test_of_several_volumes_the_first_is_written() -> None:
    """A series in time becomes one volume."""
    series = np.stack([corner(), corner()[::-1]], axis=3)
    assert (np.asarray(reduced(nifti(series), None).dataobj) == corner()).all()


def test_a_flat_picture_becomes_a_volume_of_one_plane() -> None:
    """With its colours, its columns running left and its rows back, as it is looked at."""
    picture = np.random.default_rng(2).integers(0, 255, (12, 20, 3)).astype(np.uint8)
    found = reduced(flat(picture, "PNG"), None)
    assert found.shape == (20, 12, 1) and nib.aff2axcodes(found.affine) == ("L", "P", "S")
    assert (picture[..., 0] == np.asarray(found.dataobj)["R"][:, :, 0].T).all()
    assert reduced(flat(picture, "PNG"), 10).shape == (10, 6, 1)


def test_a_turned_byte_order_and_complex_numbers_are_written_plainly() -> None:
    """Big-endian numbers are turned round, of complex ones the size is written."""
    assert (np.asarray(reduced(nifti(corner().astype(">i2")), None).dataobj) == corner()).all()
    waves = corner((8, 8, 8)).astype(np.complex64) * 1j
    for size in (None, 8):
        assert np.allclose(np.asarray(reduced(nifti(waves), size).dataobj), np.abs(waves))


def test_a_damaged_volume_is_refused() -> None:
    """Half a file does not become a smaller whole."""
    with pytest.raises(UnreadableImageException):
        reduced(nifti_gz(np.random.default_rng(0).integers(0, 999, (24, 24, 24)).astype(np.int16))[:9000], 8)


def test_memory_is_needed_for_a_few_planes_only() -> None:
    """A volume of 128 MB is reduced in a fraction of that."""
    head = nib.Nifti1Image(np.zeros((256, 256, 1), np.uint8), np.eye(4)).header
    head.set_data_shape((256, 256, 2048))
    head["magic"], head["vox_offset"] = b"n+1", 352
    data = gzip.compress(head.binaryblock + bytes(4)) + gzip.compress(bytes(2**24), 1) * 8
    tracemalloc.start()
    try:
        out: Any = io.BytesIO()
        write(Voxels(io.BytesIO(data)), 256, out, is_label=False)
        assert tracemalloc.get_traced_memory()[1] < 30_000_000
    finally:
        tracemalloc.stop()
