"""Uploads that arrive in pieces: staged without a lock, taken as a whole or leaving no trace."""

# mypy: disable-error-code="union-attr"
# Where an image or label is missing, None has no read(), and that is how the test fails.

import hashlib
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from monailabel.datastore.local import LocalDatastore
from monailabel.files.ready import COUNT
from monailabel.interfaces.exception import ImageNotFoundException, InvalidInputException

Open = Callable[..., LocalDatastore]
Tree = Callable[..., dict[str, tuple[object, ...]]]


def contents(folder: Path) -> dict[str, bytes]:
    """Read every file below a folder that is not the catalog's, and none of those that lie ready in the staging."""
    files = (p for p in folder.rglob("*") if p.is_file() and ".db" not in p.name)
    found = (p for p in files if p.parent.name != "staging" or p.stat().st_size)
    return {str(p.relative_to(folder)): p.read_bytes() for p in found}


def test_a_staged_file_becomes_an_image_and_a_label(store: LocalDatastore, folder: Path) -> None:
    """Bytes written in pieces become the image's or label's file, with their checksum known."""
    with store.stage("upload.nii.gz") as staged:
        staged.write(b"first ")
        staged.write(b"second")
        assert store.add_image("c", staged, {"k": 1}) == "c"
    with store.stage("upload.seg.nrrd") as staged:
        staged.write(b"mask")
        store.save_label("c", staged, "final", {})
    assert (folder / "c.nii.gz").read_bytes() == b"first second"
    assert (folder / "labels" / "final" / "c.seg.nrrd").read_bytes() == b"mask"
    assert store.image_checksum("c") == hashlib.sha256(b"first second").hexdigest()
    assert store.get_image_info("c")["k"] == 1


@pytest.mark.parametrize("name", ["C:\\Users\\ann\\case 1.nii.gz", "/home/ann/case 1.nii.gz", "../../case 1.nii.gz"])
def test_only_the_end_of_a_clients_name_is_used(store: LocalDatastore, folder: Path, name: str) -> None:
    """A client's file name may be a whole path, a Windows path too; its end decides id and extension."""
    with store.stage(name) as staged:
        staged.write(b"i")
        assert store.add_image("", staged, {}) == "case 1"
    assert (folder / "case 1.nii.gz").read_bytes() == b"i"


def broken_upload(store: LocalDatastore, end: str) -> None:
    """Begin an upload that comes to nothing."""
    with store.stage("x.nii.gz") as staged:
        staged.write(b"half an upload")
        if end == "refused":
            store.add_image("../x", staged, {})
        if end == "unknown image":
            store.save_label("unknown", staged, "final", {})
        raise ConnectionError("the client hung up")


@pytest.mark.parametrize("end", ["left unused", "an exception", "refused", "unknown image"])
def test_what_is_not_taken_leaves_no_trace(store: LocalDatastore, folder: Path, end: str) -> None:
    """A staged file that is not taken, for whatever reason, is gone when its `with` ends."""
    before, listed = contents(folder), store.json()
    if end == "left unused":
        with store.stage("x.nii.gz") as staged:
            staged.write(b"half an upload")
    else:
        with pytest.raises((ConnectionError, InvalidInputException, ImageNotFoundException)):
            broken_upload(store, end)
    assert contents(folder) == before and store.json() == listed


def test_staging_holds_no_lock(store: LocalDatastore, open_store: Open) -> None:
    """While an upload lasts, others upload and change; the slow one can still be taken, and is taken last."""
    other = open_store()
    with store.stage("slow.nii.gz") as slow:
        slow.write(b"slow ")
        with other.stage("quick.nii.gz") as quick:
            quick.write(b"quick")
            other.add_image("c", quick, {})
        worker = threading.Thread(target=other.update_image_info, args=("a", {"k": 1}))
        worker.start()
        worker.join(30)
        assert store.get_image_info("a")["k"] == 1 and store.get_image("c").read() == b"quick"
        other.refresh()
        slow.write(b"upload")
        store.add_image("c", slow, {})
    assert other.get_image("c").read() == b"slow upload"


def test_a_staged_file_is_never_listed(store: LocalDatastore, open_store: Open) -> None:
    """An upload under way is no image for a refresh or an opening, whatever the extensions."""
    with store.stage("x.nii.gz") as staged:
        staged.write(b"half")
        store.refresh()
        everything = open_store(extensions=("*",))
        everything.refresh()
        assert store.list_images() == ["a", "b"] == everything.list_images()


def test_an_upload_lost_to_a_crash_is_cleared_away(
    store: LocalDatastore, folder: Path, child: Callable[..., object], open_store: Open
) -> None:
    """What a program that died in the middle of an upload left behind is gone after the next opening."""
    store.close()
    before = contents(folder)
    child(
        """
store = LocalDatastore(sys.argv[1])
staged = store.stage("x.nii.gz").__enter__()
staged.write(b"half an upload" * 100000)
os._exit(0)
""",
        folder,
    )
    open_store().close()
    assert contents(folder) == before


def test_files_that_lie_ready_are_gone_when_it_is_closed(
    open_store: Open, folder: Path, source: Callable[..., str], eventually: Callable[..., None]
) -> None:
    """Changes have empty files laid ready in the background, many changes use them up, and closing removes them."""
    store, staging = open_store(), folder / ".monailabel" / "staging"
    store.add_image("new", source("new.nii.gz"), {})
    eventually(lambda: len(list(staging.iterdir())) == COUNT)
    for number in range(3 * COUNT):
        store.add_image(f"b{number}", source("new.nii.gz"), {})
    store.close()
    assert list(staging.iterdir()) == []
