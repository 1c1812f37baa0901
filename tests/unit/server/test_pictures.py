"""Pictures over HTTP: headers, previews and volumes, with what browsers and viewers need around them."""

import gzip
import os
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, BinaryIO

import numpy as np
import pytest

from monailabel.imaging import reduction
from monailabel.imaging.voxels import Voxels
from tests.conftest import DATA
from tests.unit.imaging.scans import corner, flat, loaded, nifti_gz, nrrd, pixels
from tests.unit.server.running import Server, running
from tests.waiting import until

HEAD = "image=mni152_t1"
PREVIEW = f"/datastore/image/preview?{HEAD}"


def _folder(path: Path) -> Path:
    shutil.copytree(DATA / "brains", path)
    (path / "small.nrrd").write_bytes(nrrd(corner()))
    (path / "photo.png").write_bytes(flat(np.zeros((4, 6, 3), np.uint8), "PNG"))
    (path / "notes.xml").write_bytes(b"<a/>")
    return path


@pytest.fixture(scope="module")
def heads(tmp_path_factory: Any) -> Iterator[Server]:
    """Give a server of one real head and some smaller things, for tests that change nothing."""
    with running(_folder(tmp_path_factory.mktemp("heads") / "studies")) as server:
        yield server


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Server]:
    """Give a server of the same, for one test."""
    with running(_folder(tmp_path / "studies")) as server:
        yield server


def test_a_header_is_told(heads: Server) -> None:
    """Shape, spacing and orientation, and null for what a picture does not say."""
    said = heads.get(f"/datastore/image/header?{HEAD}").json
    assert (said["shape"], said["spacing"], said["orientation"]) == ([197, 233, 189], [1.0, 1.0, 1.0], "RAS")
    assert heads.get("/datastore/image/header?image=photo").json["affine"] is None


@pytest.mark.parametrize(
    ("address", "shape", "kind"),
    [
        (PREVIEW, (256, 216), "image/png"),
        (f"{PREVIEW}&tag=final&size=128&format=webp", (128, 108), "image/webp"),
        (f"{PREVIEW}&plane=sagittal&slice=90&window=-5.5,120", (208, 256), "image/png"),
        ("/datastore/label/preview?label=mni152_t1&tag=final&size=64", (64, 54), "image/png"),
        ("/datastore/label/preview?label=mni152_t1&tag=final&size=64&over=true&version=1", (64, 54), "image/png"),
        ("/datastore/image/preview?image=photo", (171, 256), "image/png"),
    ],
)
def test_a_preview_is_a_picture_that_browsers_show(
    heads: Server, address: str, shape: tuple[int, int], kind: str
) -> None:
    """Of the size and format that was asked for, to be shown instead of saved, and asked for again each time."""
    answer = heads.get(address)
    assert (answer.status, answer.headers["content-type"]) == (200, kind)
    assert pixels(answer.body).shape[:2] == shape
    assert answer.headers["content-disposition"].startswith("inline")
    assert answer.headers["cache-control"] == "private, no-cache"
    assert answer.headers["content-length"] == str(len(answer.body))


def test_a_label_is_shown_alone_or_over_its_image(heads: Server) -> None:
    """Over its image it is the image's preview with its tag."""
    label = "/datastore/label/preview?label=mni152_t1&tag=final"
    assert heads.get(f"{label}&over=true").body == heads.get(f"{PREVIEW}&tag=final").body
    assert (pixels(heads.get(label).body)[0, 0] == 0).all()
    assert heads.get(label).body != heads.get(f"{label}&over=true").body


@pytest.mark.parametrize("address", [PREVIEW, "/datastore/image/volume?image=small", f"/datastore/image/volume?{HEAD}"])
def test_who_has_the_picture_gets_no_bytes(heads: Server, address: str) -> None:
    """304 for its ETag, and HEAD with the same headers."""
    got, head = heads.get(address), heads.ask("HEAD", address)
    assert (head.status, head.body) == (200, b"")
    assert [head.headers[name] for name in ("etag", "content-length")] == [
        got.headers[name] for name in ("etag", "content-length")
    ]
    known = heads.get(address, If_None_Match=got.headers["etag"])
    assert (known.status, known.body, known.headers["cache-control"]) == (304, b"", "private, no-cache")
    assert heads.get(address, Range="bytes=0-9").body == got.body[:10]


def test_a_volume_comes_as_nifti(heads: Server) -> None:
    """Whatever it is stored in, at its resolution or with no axis longer than was asked for."""
    answer = heads.get("/datastore/image/volume?image=small")
    assert answer.headers["content-disposition"] == 'attachment; filename="small.nii.gz"'
    assert (np.asarray(loaded(answer.body).dataobj) == corner()).all()
    for address in (
        f"/datastore/image/volume?{HEAD}&size=50",
        "/datastore/label/volume?label=mni152_t1&tag=final&size=50",
    ):
        assert loaded(heads.get(address).body).shape == (50, 47, 48)
    assert heads.get(f"/datastore/image/volume?{HEAD}").body == (DATA / "brains" / "mni152_t1.nii.gz").read_bytes()


def test_a_saved_label_gives_a_new_picture(fresh: Server) -> None:
    """At once and under another ETag; the earlier version is still to be had."""
    address, volume = f"{PREVIEW}&tag=final&size=64", "/datastore/label/volume?label=mni152_t1&tag=final&size=32"
    before, voxels = fresh.get(address), fresh.get(volume)
    label = np.zeros((197, 233, 189), np.uint8)
    label[60:120, 60:120, 60:120] = 5
    saved = fresh.put(f"/datastore/label?{HEAD}&tag=final", "label", "x.nii.gz", nifti_gz(label, np.diag([1, 1, 1, 1])))
    assert saved.status == 200
    after = fresh.get(address, If_None_Match=before.headers["etag"])
    assert after.status == 200 and after.body != before.body
    assert fresh.get(f"{address}&version=1").body == before.body
    assert fresh.get(f"{volume}&version=1").body == voxels.body != fresh.get(volume).body


@pytest.mark.parametrize(
    ("address", "status"),
    [
        ("/datastore/image/preview?image=notes", 415),
        ("/datastore/image/header?image=notes", 415),
        ("/datastore/image/volume?image=notes", 415),
        ("/datastore/image/preview?image=nobody", 404),
        ("/datastore/image/header?image=nobody", 404),
        (f"{PREVIEW}&tag=nothing", 404),
        (f"{PREVIEW}&version=9", 404),
        ("/datastore/label/preview?label=mni152_t1&tag=", 404),
        ("/datastore/label/volume?label=mni152_t1&tag=", 404),
        (f"{PREVIEW}&slice=900", 400),
        (f"{PREVIEW}&window=9,1", 400),
        (f"{PREVIEW}&window=bright", 422),
        (f"{PREVIEW}&size=100000", 422),
        (f"{PREVIEW}&plane=up", 422),
        (f"{PREVIEW}&format=gif", 422),
        (f"/datastore/image/volume?{HEAD}&size=0", 422),
    ],
)
def test_what_cannot_be_shown_is_one_sentence(heads: Server, address: str, status: int) -> None:
    """With the status that says whose fault it is."""
    answer = heads.get(address)
    assert (answer.status, set(answer.json)) == (status, {"detail"})
    assert str(heads.folder) not in answer.json["detail"]


def test_many_who_ask_for_one_picture_wait_for_one(fresh: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is made once, and all get it."""
    made: list[int | None] = []

    def counted(voxels: Voxels, size: int | None, out: BinaryIO, **options: Any) -> None:
        made.append(size)
        write(voxels, size, out, **options)

    write = reduction.write
    monkeypatch.setattr(reduction, "write", counted)
    data = nifti_gz(np.random.default_rng(3).integers(0, 2**15, (128, 128, 128)).astype(np.int16))
    fresh.put("/datastore/image?image=big", "file", "big.nii.gz", data)
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(fresh.get, ["/datastore/image/volume?image=big&size=10"] * 12))
    assert {answer.status for answer in answers} == {200}
    assert len({answer.body for answer in answers}) == 1
    assert made == [10]


def _open_files(folder: Path) -> int:
    links = (f"/proc/self/fd/{number}" for number in os.listdir("/proc/self/fd"))
    targets = [os.readlink(link) for link in links if os.path.islink(link)]
    return sum(target.startswith(str(folder)) and "catalog.db" not in target for target in targets)


def test_descriptors_do_not_leak(fresh: Server) -> None:
    """However an answer ends, nothing stays open."""
    volume = "/datastore/image/volume?image=small"
    etag = fresh.get(f"{PREVIEW}&tag=final").headers["etag"]
    fresh.get("/datastore/image/volume?image=small")
    before = _open_files(fresh.folder)
    with ThreadPoolExecutor(8) as pool:
        for _ in range(3):
            wanted = [f"{PREVIEW}&tag=final", volume, f"{volume}&size=8", "/datastore/image/volume?image=notes"]
            list(pool.map(fresh.get, [*wanted, f"{PREVIEW}&slice=999", f"{PREVIEW}&tag=none", f"{PREVIEW}&version=1"]))
            assert fresh.get(f"{PREVIEW}&tag=final", If_None_Match=etag).status == 304
    until(lambda: _open_files(fresh.folder) <= before)  # what the background reads is closed in a moment


def test_a_damaged_scan_does_not_hold_up_the_others(fresh: Server) -> None:
    """Many requests for what cannot be drawn are each refused, and others are answered meanwhile and after."""
    whole = gzip.compress(gzip.decompress(nifti_gz(corner((40, 40, 40))))[:30_000])
    fresh.put("/datastore/image?image=torn", "file", "torn.nii.gz", whole)
    with ThreadPoolExecutor(12) as pool:
        answers = list(pool.map(fresh.get, ["/datastore/image/preview?image=torn", PREVIEW] * 8))
    assert [answer.status for answer in answers] == [415, 200] * 8
