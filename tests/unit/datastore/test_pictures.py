"""What a datastore shows: headers, previews and volumes of real scans, drawn once and never stale."""

import gzip
import io
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import pytest

from monailabel.datastore.local import LocalDatastore
from monailabel.interfaces.exception import (
    ImageNotFoundException,
    InvalidInputException,
    LabelNotFoundException,
    UnreadableImageException,
)
from tests.unit.imaging.scans import Array, corner, flat, loaded, metaimage, nifti, nifti_gz, nrrd, pixels
from tests.waiting import until

HEAD = "mni152_t1"


@pytest.fixture
def head(brains: Path, open_store: Callable[..., LocalDatastore]) -> LocalDatastore:
    """Give a datastore of one real head and its label."""
    return open_store(brains)


@pytest.fixture
def cases(open_store: Callable[..., LocalDatastore], source: Callable[..., str]) -> LocalDatastore:
    """Give a datastore of the same volume in every format, and what is none."""
    made = open_store(extensions=("*.*",))
    data = corner()
    for name, content in {
        "nii.nii": nifti(data), "gz.nii.gz": nifti_gz(data), "nrrd.nrrd": nrrd(data), "mha.mha": metaimage(data),
        "png.png": flat(data[:, :, 0].astype(np.uint8), "PNG"), "jpg.jpg": flat(data[:, :, 0].astype(np.uint8), "JPEG"),
        "tif.tif": flat(data[:, :, 0].astype(np.uint8), "TIFF"), "xml.xml": b"<a/>",
    }.items():  # fmt: skip
        made.add_image(None, source(name, content), {})
    return made


def label_of(store: LocalDatastore, image_id: str, source: Callable[..., str], value: int, tag: str = "final") -> None:
    """Save a label of one structure, a block."""
    label = np.zeros(store.get_image_header(image_id)["shape"], np.uint8)
    label[3:7, 3:7, 2:6] = value
    store.save_label(image_id, source(f"{value}.nii.gz", nifti_gz(label)), tag, {})


def damaged(path: str) -> None:
    """Spoil a file's voxels so that nobody notices: its size and time stay."""
    facts = os.stat(path)
    with open(path, "r+b") as file:
        file.seek(facts.st_size // 2)
        file.write(b"spoilt" * 200)
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def test_a_header_tells_of_a_real_head(head: LocalDatastore) -> None:
    """Shape, spacing, orientation, affine and type of the scan."""
    header = head.get_image_header(HEAD)
    assert header["shape"] == [197, 233, 189]
    assert (header["spacing"], header["orientation"], header["dtype"]) == ([1.0, 1.0, 1.0], "RAS", "uint8")
    assert header["affine"][0] == [1.0, 0.0, 0.0, -98.0]
    assert (header["format"], header["components"], header["modality"]) == ("NIfTI-1", 1, None)


def test_a_real_head_is_drawn_with_its_label(head: LocalDatastore) -> None:
    """Grey alone without a label; with one, both structures' outlines in the middle of the picture."""
    plain, over = pixels(head.preview(HEAD)), pixels(head.preview(HEAD, "final"))
    assert plain.shape == (256, 216, 3) and (plain[..., 0] == plain[..., 2]).all()
    coloured = over[..., 0].astype(int) != over[..., 2]
    assert 0.02 < coloured.mean() < 0.2
    alone = pixels(head.preview(HEAD, "final", alone=True, plane="coronal", size=64, format="webp"))
    assert alone.shape[:2] == (64, 60) or max(alone.shape) == 64


@pytest.mark.parametrize("image_id", ["nii", "gz", "nrrd", "mha", "png", "jpg", "tif"])
def test_every_format_is_shown(cases: LocalDatastore, image_id: str) -> None:
    """Header, picture and volume of what people keep, without a further package."""
    assert cases.get_image_header(image_id)["shape"][:2] in ([12, 10], [10, 12])
    assert max(pixels(cases.preview(image_id, size=32)).shape) == 32
    assert max(loaded(cases.volume(image_id, size=8)).shape) <= 8
    assert max(loaded(cases.volume(image_id)).shape) == 12


@pytest.mark.parametrize("method", ["get_image_header", "preview", "volume"])
def test_what_cannot_be_shown_says_so(cases: LocalDatastore, method: str) -> None:
    """With the image's id and the formats that can be."""
    with pytest.raises(UnreadableImageException, match=r"image 'xml' cannot be shown: it is an XML file; .* NIfTI"):
        getattr(cases, method)("xml")


def test_a_label_that_cannot_be_shown_is_named(cases: LocalDatastore, source: Callable[..., str]) -> None:
    """The image is not blamed for its label."""
    cases.save_label("gz", source("a.xml", b"<a/>"), "final", {})
    with pytest.raises(UnreadableImageException, match="label 'final' of image 'gz' cannot be shown"):
        cases.preview("gz", "final")
    assert cases.preview("gz")


@pytest.mark.parametrize("method", ["get_image_header", "preview", "volume"])
def test_an_unknown_image_is_not_found(cases: LocalDatastore, method: str) -> None:
    """As everywhere."""
    with pytest.raises(ImageNotFoundException):
        getattr(cases, method)("nobody")


@pytest.mark.parametrize("method", ["preview", "volume"])
def test_an_unknown_label_is_not_found(cases: LocalDatastore, method: str) -> None:
    """As everywhere, with the labels that there are."""
    with pytest.raises(LabelNotFoundException, match="no labels"):
        getattr(cases, method)("gz", "final")


def test_what_nobody_can_mean_is_refused(cases: LocalDatastore) -> None:
    """Sizes, planes, formats, windows and slices, with those that can be meant."""
    for wrong in ({"size": 3}, {"plane": "up"}, {"format": "bmp"}, {"window": (1, 0)}, {"slice": 99}):
        with pytest.raises(InvalidInputException, match="refused"):
            cases.preview("gz", **wrong)
    with pytest.raises(InvalidInputException, match="refused"):
        cases.volume("gz", size=0)


def test_a_picture_is_drawn_once(head: LocalDatastore) -> None:
    """The second time no voxel is read: it is the same though the file was spoilt since, and another one fails."""
    first, small = head.preview(HEAD), head.volume(HEAD, size=64)
    damaged(head.get_image_uri(HEAD))
    assert head.preview(HEAD) == first
    assert head.volume(HEAD, size=64) == small
    with pytest.raises(UnreadableImageException):
        head.preview(HEAD, plane="sagittal")
    with pytest.raises(UnreadableImageException):
        head.volume(HEAD, size=63)


def test_a_new_label_gives_a_new_picture(cases: LocalDatastore, source: Callable[..., str]) -> None:
    """And an earlier version its own; the image stays as it was."""
    plain, pictures = cases.preview("gz"), []
    for value in (1, 2):
        label_of(cases, "gz", source, value)
        pictures.append(cases.preview("gz", "final"))
    assert len({plain, *pictures}) == 3
    assert cases.preview("gz", "final", version=1) == pictures[0]
    assert cases.preview("gz") == plain
    assert loaded(cases.volume("gz", "final", version=1)).get_fdata().max() == 1
    with pytest.raises(LabelNotFoundException, match="version 9"):
        cases.preview("gz", "final", version=9)


def test_a_new_image_gives_a_new_picture(cases: LocalDatastore, source: Callable[..., str]) -> None:
    """Replaced through the datastore or changed past it; the earlier version can still be seen."""
    first = cases.preview("gz")
    cases.add_image("gz", source("new.nii.gz", nifti_gz(corner()[::-1])), {})
    second = cases.preview("gz")
    assert second != first == cases.preview("gz", version=1)
    Path(cases.get_image_uri("gz")).write_bytes(nifti_gz(np.zeros((12, 10, 8), np.int16)))
    assert cases.preview("gz") not in (first, second)


def test_two_labels_are_told_apart(cases: LocalDatastore, source: Callable[..., str]) -> None:
    """Pictures of two tags, and of a label alone, are different ones."""
    label_of(cases, "gz", source, 1, "final")
    label_of(cases, "gz", source, 2, "original")
    pictures = {cases.preview("gz", tag, alone=alone) for tag in ("final", "original") for alone in (False, True)}
    assert len(pictures) == 4


def _made(folder: Path) -> list[Path]:
    return [path for path in (folder / ".monailabel" / "pictures").rglob("*") if path.is_file()]


@pytest.mark.parametrize("damage", [b"", b"no picture", None])
def test_what_was_kept_can_be_damaged_or_deleted(cases: LocalDatastore, folder: Path, damage: bytes | None) -> None:
    """The answer is the same, made anew."""
    known = cases.preview("gz"), cases.volume("mha")
    assert len(_made(folder)) == 2
    for path in _made(folder):
        path.write_bytes(damage) if damage is not None else path.unlink()
    assert (cases.preview("gz"), cases.volume("mha")) == known


def test_pictures_need_no_room_of_their_own(
    cases: LocalDatastore, folder: Path, tmp_path: Path, tree: Callable[..., Any]
) -> None:
    """Where nothing can be kept, or a link stands in its place, the answers are the same and nothing is written."""
    known = cases.preview("gz"), cases.volume("mha")
    (folder / ".monailabel" / "pictures").rename(tmp_path / "pictures")
    (folder / ".monailabel" / "pictures").symlink_to(tmp_path / "pictures")
    for path in (tmp_path / "pictures").rglob("*"):
        if path.is_file():
            path.write_bytes(b"somebody else's")
    before = tree(tmp_path / "pictures")
    assert (cases.preview("gz"), cases.volume("mha")) == known
    assert tree(tmp_path / "pictures") == before


def test_no_picture_of_an_erased_image_stays(cases: LocalDatastore, folder: Path, tmp_path: Path) -> None:
    """Neither one that was drawn before, nor one that is drawn while the image is erased; nor does a link hinder it."""
    cases.preview("gz")
    cases.volume("mha")
    with cases.open_preview("gz", size=100) as asked:
        cases.remove_image("gz", purge=True)
        assert _made(folder) == []
        asked.made().close()
        assert _made(folder) == []
    shutil.rmtree(folder / ".monailabel" / "pictures")
    (folder / ".monailabel" / "pictures").symlink_to(tmp_path)
    cases.remove_image("mha", purge=True)
    assert tmp_path.is_dir()


def test_a_read_only_datastore_draws_and_writes_nothing(
    brains: Path, open_store: Callable[..., LocalDatastore], tree: Callable[..., Any]
) -> None:
    """Pictures are kept elsewhere while it is open."""
    before = tree(brains)
    store = open_store(brains, read_only=True)
    assert store.preview(HEAD, size=64) == store.preview(HEAD, size=64)
    assert store.volume(HEAD, size=32)
    store.close()
    assert tree(brains) == before


def test_a_small_nifti_is_handed_out_as_it_is(head: LocalDatastore) -> None:
    """Byte for byte, without a copy among the datastore's own files; a larger one at fewer voxels, in its place."""
    stored = Path(head.get_image_uri(HEAD)).read_bytes()
    assert head.volume(HEAD) == head.volume(HEAD, size=233) == stored
    assert _made(Path(head.path)) == []
    small = loaded(head.volume(HEAD, size=100))
    assert small.shape == (99, 78, 95)
    assert np.allclose(nib.affines.apply_affine(small.affine, [-0.5] * 3), [-98.5, -134.5, -72.5])


def test_image_and_label_stay_on_one_grid(head: LocalDatastore) -> None:
    """Reduced to the same size they have the same shape and affine."""
    image, label = (loaded(head.volume(HEAD, tag, size=64)) for tag in (None, "final"))
    assert image.shape == label.shape and np.allclose(image.affine, label.affine)
    values = np.unique(np.asarray(label.dataobj))
    assert values.tolist() == [0, 1, 2]
    grey = np.asarray(image.dataobj)
    means: list[Array] = [grey[np.asarray(label.dataobj) == value].mean() for value in values]
    assert means[0] < means[1] < means[2]  # white matter is the brightest


def test_a_gzip_bomb_is_no_danger(cases: LocalDatastore, source: Callable[..., str]) -> None:
    """A volume that claims terabytes is refused for its picture, and its header still tells what it claims."""
    claims = nib.Nifti1Image(np.zeros((1, 1, 1), np.float64), np.eye(4)).header
    claims.set_data_shape((30000, 30000, 3000))
    claims["magic"], claims["vox_offset"] = b"n+1", 352
    data = gzip.compress(claims.binaryblock + bytes(4)) + gzip.compress(bytes(2**24), 9) * 8
    cases.add_image("bomb", source("bomb.nii.gz", data), {})
    assert cases.get_image_header("bomb")["shape"] == [30000, 30000, 3000]
    for show in (cases.preview, lambda name: cases.volume(name, size=64)):
        with pytest.raises(UnreadableImageException, match="too many"):
            show("bomb")


def test_opening_a_datastore_imports_nothing_to_draw_with(child: Callable[..., Any], folder: Path) -> None:
    """Who only keeps images does not wait for NumPy, nibabel or Pillow; nor does who asks for a header."""
    (folder / "a.nii.gz").write_bytes(nifti_gz(corner()))
    code = """
        with LocalDatastore(sys.argv[1]) as store:
            store.get_image_header("a")
            print(json.dumps([name for name in ("numpy", "nibabel", "PIL") if name in sys.modules]))
    """
    assert child(code, folder) == []


def test_what_is_drawn_is_one_version(cases: LocalDatastore, source: Callable[..., str]) -> None:
    """A picture that was asked for shows what was there then, though the label is replaced before it is made."""
    label_of(cases, "gz", source, 1)
    known = cases.preview("gz", "final", alone=True)
    for path in _made(Path(cases.path)):
        path.unlink()
    with cases.open_preview("gz", "final", alone=True) as asked:
        label_of(cases, "gz", source, 2)
        with asked.made() as file:
            assert os.pread(file.fd, file.size, 0) == known
    assert cases.preview("gz", "final", alone=True) != known


def _open_files(folder: str) -> list[str]:
    links = (f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd"))
    targets = [os.readlink(link) for link in links if os.path.islink(link)]
    ours = [target for target in targets if target.startswith(folder)]
    return [target for target in ours if any(p in target for p in (".nii", ".mha", ".xml", "/history/", "/pictures/"))]


def test_descriptors_do_not_leak(cases: LocalDatastore, source: Callable[..., str]) -> None:
    """However it ends, nothing stays open."""
    label_of(cases, "gz", source, 1)
    cases.preview("gz", "final")
    before = _open_files(cases.path)
    for _ in range(5):
        cases.preview("gz", "final")
        cases.volume("mha", size=8)
        cases.preview("gz", "final", version=1)
        for wrong in (lambda: cases.preview("xml"), lambda: cases.volume("xml"), lambda: cases.preview("gz", "no"),
                      lambda: cases.preview("gz", slice=99), lambda: cases.volume("gz", size=1)):  # fmt: skip
            with pytest.raises((LabelNotFoundException, InvalidInputException)):
                wrong()
    until(lambda: set(_open_files(cases.path)) <= set(before))  # what the background reads is closed in a moment


def test_a_picture_is_one_that_others_can_decode(cases: LocalDatastore) -> None:
    """PNG and WebP by their own first bytes."""
    assert cases.preview("gz").startswith(b"\x89PNG\r\n")
    assert io.BytesIO(cases.preview("gz", format="webp")).read(12)[8:] == b"WEBP"
