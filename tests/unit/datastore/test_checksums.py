"""SHA-256 and ETag of files: known for what was copied, found in the background for what a scan took in."""

import hashlib
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from monailabel.datastore.local import LocalDatastore
from monailabel.interfaces.exception import ImageNotFoundException, LabelNotFoundException

Open = Callable[..., LocalDatastore]
Source = Callable[..., str]


def sha256(data: bytes) -> str:
    """Give the hex SHA-256."""
    return hashlib.sha256(data).hexdigest()


def lying(path: Path, data: bytes) -> None:
    """Put a file there that looks as if nobody had touched it for an hour."""
    path.write_bytes(data)
    os.utime(path, (time.time() - 3600, time.time() - 3600))


def test_a_checksum_is_known_when_a_file_was_copied(store: LocalDatastore) -> None:
    """The checksum of an added image and a saved label is known at once."""
    with store.open_image("a") as image, store.open_label("a", "final") as label:
        assert (image.sha256, label.sha256) == (sha256(b"image a"), sha256(b"label a"))
    assert store.image_checksum("a") == sha256(b"image a")


def test_a_checksum_is_read_when_asked_for(open_store: Open, folder: Path) -> None:
    """`image_checksum` of a file that a scan found reads it where nobody has yet."""
    data = os.urandom(3_000_000)
    lying(folder / "a.nii.gz", data)
    store = open_store()
    assert store.image_checksum("a") == sha256(data)
    with store.open_image("a") as image:
        assert image.sha256 == sha256(data)


def test_checksums_come_in_the_background(open_store: Open, folder: Path, eventually: Callable[..., None]) -> None:
    """Files found by a scan, at opening or by a refresh, get their checksums without anybody asking for them."""
    (folder / "labels" / "final").mkdir(parents=True)
    for n in range(20):
        (folder / f"{n}.nii").write_bytes(b"image %d" % n)
        (folder / "labels" / "final" / f"{n}.nii").write_bytes(b"label %d" % n)
    store = open_store()
    (folder / "late.nii").write_bytes(b"late")
    store.refresh()

    def known() -> bool:
        found = []
        for name in store.list_images():
            with store.open_image(name) as image:
                found.append(image.sha256 == sha256(os.read(image.fd, 100)))
        for name in store.get_labeled_images():
            with store.open_label(name, "final") as label:
                found.append(label.sha256 == sha256(os.read(label.fd, 100)))
        return len(found) == 41 and all(found)

    eventually(known, within=30)


def test_what_was_learnt_is_kept(open_store: Open, folder: Path) -> None:
    """A checksum that was computed is there when the folder is opened again."""
    lying(folder / "a.nii.gz", b"i")
    first = open_store()
    first.image_checksum("a")
    first.close()
    with open_store(read_only=True).open_image("a") as image:
        assert image.sha256 == sha256(b"i")


def test_checksum_of_the_unknown(store: LocalDatastore) -> None:
    """Checksums and files of what is not there raise the exception for it."""
    with pytest.raises(ImageNotFoundException, match="unknown"):
        store.image_checksum("unknown")
    with pytest.raises(ImageNotFoundException, match="unknown"):
        store.open_image("unknown")
    with pytest.raises(LabelNotFoundException, match="unknown"):
        store.open_label("a", "unknown")
    with pytest.raises(ImageNotFoundException, match="unknown"):
        store.open_label("unknown", "final")


def test_an_open_file_tells_its_figures(store: LocalDatastore, folder: Path) -> None:
    """An opened file has the stored file's name, size, time, version and a plain ETag, and closes its descriptor."""
    with store.open_image("a") as image:
        status = os.fstat(image.fd)
        assert (image.name, image.size, image.version) == ("a.nii.gz", 7, 1)
        assert image.size == status.st_size and abs(image.mtime - status.st_mtime) < 1e-3
        assert image.etag.isascii() and image.etag.isprintable() and '"' not in image.etag and image.etag
        assert not os.get_inheritable(image.fd)
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.write(image.fd, b"x")
        fd = image.fd
    with pytest.raises(OSError, match="Bad file descriptor"):
        os.fstat(fd)


def test_an_etag_belongs_to_one_version(store: LocalDatastore, source: Source) -> None:
    """Each version has its own ETag, and asking twice gives the same."""
    etags = []
    for data in (b"v2", b"v3", b"v4"):
        store.add_image("a", source("x.nii.gz", data), {})
        with store.open_image("a") as once, store.open_image("a") as twice:
            assert once.etag == twice.etag
            etags.append(once.etag)
    assert len(set(etags)) == 3


def test_an_info_does_not_change_the_etag(store: LocalDatastore) -> None:
    """Changing an info leaves the bytes' ETag and version as they are."""
    with store.open_label("a", "final") as before:
        pass
    store.update_label_info("a", "final", {"k": 1})
    with store.open_label("a", "final") as after:
        assert (after.etag, after.version) == (before.etag, before.version)


@pytest.mark.parametrize("change", ["replaced", "replaced with another extension", "removed"])
def test_figures_and_bytes_are_of_one_version(store: LocalDatastore, source: Source, change: str) -> None:
    """A file that was opened gives its own version's bytes and figures, whatever happens to the image meanwhile."""
    with store.open_image("a") as image:
        if change == "removed":
            store.remove_image("a")
        else:
            store.add_image("a", source("x.nii.gz" if change == "replaced" else "x.nii", b"much longer bytes"), {})
        data = os.read(image.fd, 100)
        assert data == b"image a" and image.size == len(data) and image.sha256 == sha256(data)


def test_every_download_is_one_version(store: LocalDatastore, source: Source, folder: Path) -> None:
    """While another program replaces a label again and again, each opening has bytes, size and checksum that agree."""
    files = [source(f"{n}.nii.gz", b"x" * (n + 1) * 1000) for n in range(4)]
    store.save_label("b", files[0], "final", {})
    program = (
        "import sys\nfrom monailabel.datastore.local import LocalDatastore\nstore = LocalDatastore(sys.argv[1])\n"
        "for n in range(80):\n    store.save_label('b', sys.argv[2 + n % 4], 'final', {})\n"
    )
    path = os.pathsep.join(filter(None, sys.path))
    seen = set()
    with subprocess.Popen(
        [sys.executable, "-c", program, folder, *files], env={**os.environ, "PYTHONPATH": path}
    ) as other:
        while other.poll() is None:
            with store.open_label("b", "final") as label:
                data = os.read(label.fd, 10_000)
                assert len(data) == label.size and label.sha256 == sha256(data)
                seen.add(label.version)
    assert other.returncode == 0 and len(seen) > 1
