"""What a folder that came from elsewhere may not do, whoever made its catalog, its document and its links."""

import os
import socket
from collections.abc import Callable
from pathlib import Path

import apsw
import pytest

from monailabel.datastore.local import LocalDatastore
from monailabel.interfaces.exception import ConflictException, InvalidInputException

Source = Callable[..., str]
TOKEN = "ab" * 16


@pytest.fixture
def received(folder: Path, source: Source) -> Path:
    """A folder with one image, closed, for a test to forge."""
    with LocalDatastore(str(folder)) as store:
        store.add_image("x", source("x.nii.gz", b"x"), {})
    return folder


@pytest.fixture
def outside(tmp_path: Path) -> Path:
    """A file of somebody's beside the datastore's folder, which has to stay as it is."""
    path = tmp_path / "outside.txt"
    path.write_bytes(b"mine")
    return path


def forge(folder: Path, *statements: str) -> None:
    """Write into the catalog as an attacker would."""
    connection = apsw.Connection(str(folder / ".monailabel" / "catalog.db"))
    for statement in statements:
        connection.execute(statement).fetchall()
    connection.close()


def mark(name: str, out_name: str, staged: str | None = None, token: str = TOKEN) -> str:
    """Give the statement for a forged change under way."""
    waits = "NULL" if staged is None else f"'{staged}'"
    return (
        "INSERT INTO mark (id, item, tag, staged, inode, sha256, name, out_name, out_token, out_version) "
        f"VALUES (99, 1, '', {waits}, 1, 'no', '{name}', '{out_name}', '{token}', 1)"
    )


@pytest.mark.parametrize(
    "forged",
    [
        mark("../outside.txt", "../outside.txt"),
        mark("x.nii.gz", "../outside.txt"),
        mark("x.nii.gz", "x.nii.gz", staged="../../../outside.txt"),
        mark("x.nii.gz", "x.nii.gz", token="../../../outside.txt"),
        "UPDATE item SET ext = '/../../outside.txt'",
    ],
    ids=[
        "a change's name",
        "what it removes",
        "where its file waits",
        "where it keeps what it removes",
        "an extension",
    ],
)
def test_a_forged_catalog_leads_nowhere(received: Path, outside: Path, forged: str) -> None:
    """Opening, reading and removing with forged rows neither reads nor touches a file outside."""
    forge(received, forged)
    with LocalDatastore(str(received)) as store:
        for attempt in (lambda: store.get_image("x"), lambda: store.remove_image("x"), store.refresh):
            try:
                found = attempt()
            except (InvalidInputException, OSError):
                continue
            assert found is None or found.read() != b"mine"
    assert outside.read_bytes() == b"mine"


OWN = [
    "",
    "staging",
    "history",
    "catalog.db",
    "catalog.db-wal",
    "lock",
    "reading.lock",
    "snapshot.json",
    "snapshot.note",
    "snapshot.parts",
]
OWN += ["../datastore_v2.json", "../.lock"]


@pytest.mark.parametrize("name", OWN)
def test_own_files_are_no_links(received: Path, tmp_path: Path, name: str) -> None:
    """A link in the place of a datastore's own file or folder is refused, and what it leads to stays as it is."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    (elsewhere / TOKEN).write_bytes(b"mine")
    own = received / ".monailabel" / name
    if own.exists():
        os.rename(own, tmp_path / "aside")
    own.symlink_to(elsewhere if (tmp_path / "aside").is_dir() else elsewhere / TOKEN)
    for read_only in (False, True):
        with pytest.raises(InvalidInputException, match="is a link"):
            LocalDatastore(str(received), read_only=read_only)
    assert (elsewhere / TOKEN).read_bytes() == b"mine" and os.listdir(elsewhere) == [TOKEN]


def listen(place: Path) -> None:
    """Make a socket; its name has to be short, and is given in its own folder."""
    with socket.socket(socket.AF_UNIX) as made:
        made.bind(f"/proc/self/fd/{os.open(place.parent, os.O_PATH)}/{place.name}")


THINGS = {"a pipe": os.mkfifo, "a socket": listen, "a folder": os.mkdir}


@pytest.mark.timeout(30)
@pytest.mark.parametrize("what", THINGS)
@pytest.mark.parametrize("name", [name for name in OWN if name])
def test_own_files_are_files(received: Path, name: str, what: str) -> None:
    """A pipe, socket or folder in their place is named, and nobody waits for it; removed, the datastore opens."""
    own = received / ".monailabel" / name
    aside = received.parent / "aside"
    if own.exists():
        os.rename(own, aside)
    if what == "a folder" and aside.is_dir():
        own.write_bytes(b"a file")
        what = "a file"
    else:
        THINGS[what](own)
    with pytest.raises(InvalidInputException, match=f"{os.path.normpath(own)} is {what}"):
        LocalDatastore(str(received))
    own.rmdir() if what == "a folder" else own.unlink()
    if aside.exists():
        os.rename(aside, own)
    with LocalDatastore(str(received)) as store:
        assert store.list_images() == ["x"]


@pytest.mark.timeout(30)
@pytest.mark.parametrize("what", THINGS)
@pytest.mark.parametrize("name", [f"staging/{TOKEN}", f"staging/{TOKEN}.out", f"history/{TOKEN[:2]}/{TOKEN}.link"])
def test_rubbish_among_own_files_is_passed_over(received: Path, source: Source, name: str, what: str) -> None:
    """What is no file in the staging or in the history is neither waited for nor taken for one of ours."""
    place = received / ".monailabel" / name
    place.parent.mkdir(exist_ok=True)
    THINGS[what](place)
    with LocalDatastore(str(received)) as store:
        store.add_image("x", source("x.nii.gz", b"another x"), {})
        store.remove_image("x")
        store.restore_image("x")
        image = store.get_image("x")
        assert image is not None and image.read() == b"another x"
    assert os.path.lexists(place)


def test_two_ids_never_share_a_file(folder: Path, source: Source) -> None:
    """`a` + `.nii.gz` and `a.nii` + `.gz` would be one file: the second is refused, for images and for labels."""
    with LocalDatastore(str(folder), extensions=["*.nii.gz", "*.gz"]) as store:
        store.add_image("a", source("x.nii.gz", b"first"), {})
        with pytest.raises(ConflictException, match=r"'a\.nii\.gz' is that of 'a'"):
            store.add_image("a.nii", source("y.gz", b"second"), {})
        image = store.get_image("a")
        assert image is not None and image.read() == b"first" and store.list_images() == ["a"]


def test_a_folders_name_is_taken(folder: Path, source: Source) -> None:
    """An image whose file would have a folder's name is refused, and the folder stays where it is."""
    (folder / "raw").mkdir()
    (folder / "raw" / "scan.dcm").write_bytes(b"raw")
    with LocalDatastore(str(folder), labels_dir="annotations") as store:
        for name in ("raw", "annotations"):
            with pytest.raises(ConflictException, match="a folder has the name"):
                store.add_image(name, source("noext", b"bytes"), {})
    assert (folder / "raw" / "scan.dcm").read_bytes() == b"raw" and (folder / "annotations" / "final").is_dir()


@pytest.mark.parametrize("loss", ["gone", "empty", "garbage set aside"])
def test_a_lost_catalog_is_made_again_from_the_document(folder: Path, source: Source, loss: str) -> None:
    """Infos and approvals come back from the document, and later changes reach it."""
    with LocalDatastore(str(folder)) as store:
        store.add_image("a", source("a.nii.gz"), {"age": 57})
        store.save_label("a", source("l.nii.gz"), "final", {"approved": True})
        for n in range(5):
            store.update_image_info("a", {"n": n})
    catalog = folder / ".monailabel" / "catalog.db"
    catalog.rename(folder.parent / "aside.db")
    if loss == "empty":
        catalog.touch()
    with LocalDatastore(str(folder)) as store:
        assert store.get_image_info("a")["age"] == 57 and store.get_image_info("a")["n"] == 4
        assert store.get_label_info("a", "final")["approved"] is True
        store.update_image_info("a", {"later": 1})
    with LocalDatastore(str(folder), read_only=True) as store:
        assert store.get_image_info("a")["later"] == 1 and store.get_image_info("a")["age"] == 57
    assert '"later": 1' in (folder / "datastore_v2.json").read_text()
