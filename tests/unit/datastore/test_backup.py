"""Backups: consistent while others write, only what changed, whole or not at all, and up again with every byte."""

import hashlib
import logging
import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import monailabel.datastore.gathering as gathering
from monailabel.catalog.sqlite import SqliteCatalog
from monailabel.datastore import backup
from monailabel.datastore.backup import bring_up
from monailabel.datastore.check import Finding, check
from monailabel.datastore.checksums import Checksums
from monailabel.datastore.local import LocalDatastore
from monailabel.interfaces.exception import ConflictException, InvalidInputException

Open = Callable[..., LocalDatastore]
Source = Callable[..., str]
Tree = Callable[..., dict[str, tuple[object, ...]]]


def found(folder: str | Path, **options: Any) -> list[Finding]:
    """Check a folder deep, whatever this machine has beside it."""
    return [one for one in check(folder, deep=True, low_space=0, **options) if one.kind != "module"]


def contents(store: LocalDatastore) -> dict[str, Any]:
    """Give the document and the bytes of every version."""

    def data(file: Any) -> str:
        return hashlib.sha256(file.read()).hexdigest()

    versions = {}
    for image in store.list_images():
        versions[image, ""] = [(v["version"], v["sha256"]) for v in store.image_versions(image)]
        for tag in store.get_labels_by_image_id(image):
            known = [v["version"] for v in store.label_versions(image, tag) if v["kept"]]
            versions[image, tag] = [(v, data(store.get_label(image, tag, version=v))) for v in known]
    return {"document": store.json(), "versions": versions}


@pytest.fixture
def backups(tmp_path: Path) -> Path:
    """Give where backups go."""
    return tmp_path / "backups"


def test_a_backup_is_a_datastore(store: LocalDatastore, backups: Path, source: Source, open_store: Open) -> None:
    """It opens as what the datastore was, with every version; and an event says where it is."""
    store.save_label("a", source("l.nii.gz", b"second"), "final", {"client_id": "ben"})
    store.remove_image("b")
    before = contents(store)
    made = store.backup(backups)
    assert (made.lacks, made.unchanged, made.copied) == ([], 0, 5)
    assert Path(made.path).parent == backups and made.last == 6
    event = store.events()[-1]
    assert (event["action"], event["new"]["path"]) == ("backed up", made.path)
    assert found(made.path, read_only=True) == []
    with open_store(made.path) as again:
        assert contents(again) == before
        assert again.restore_image("b") == 2
    assert found(made.path) == []


def test_only_what_changed_is_copied_again(store: LocalDatastore, backups: Path, source: Source) -> None:
    """The next backup shares with the one before what is the same, and each stays what it was."""
    first = store.backup(backups)
    store.save_label("a", source("l.nii.gz", b"second"), "final", {})
    store.remove_image("b")
    second = store.backup(backups)
    assert (first.copied, second.copied, second.unchanged) == (4, 3, 2)
    assert os.path.samefile(f"{first.path}/a.nii.gz", f"{second.path}/a.nii.gz")
    assert (Path(first.path) / "labels/final/a.nii.gz").read_bytes() == b"label a"
    assert (Path(second.path) / "labels/final/a.nii.gz").read_bytes() == b"second"
    assert not (Path(second.path) / "b.nii.gz").exists()
    third = store.backup(backups, deep=True)
    assert (third.copied, third.unchanged) == (0, 5)
    for made in (first, second, third):
        assert found(made.path, read_only=True) == []
    assert len(list(backups.glob("2*"))) == 3


def test_what_a_backup_lost_is_copied_again(store: LocalDatastore, backups: Path) -> None:
    """A file that the earlier backup has lost, or, read deep, that its disk changed, is not shared."""
    first = Path(store.backup(backups).path)
    (first / "a.nii.gz").unlink()
    facts = (first / "b.nii.gz").stat()
    (first / "b.nii.gz").write_bytes(b"IMAGE b")
    os.utime(first / "b.nii.gz", ns=(facts.st_atime_ns, facts.st_mtime_ns))
    second = store.backup(backups, deep=True)
    assert (second.copied, second.unchanged) == (2, 2)
    assert found(second.path, read_only=True) == []


def test_a_checksum_that_came_later_copies_nothing(
    folder: Path, backups: Path, open_store: Open, eventually: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file that nobody had read when it was backed up first is read there, and shared if its bytes are right."""
    for name in ("a", "b"):
        (folder / f"{name}.nii.gz").write_bytes(name.encode())
    with monkeypatch.context() as unread:
        unread.setattr(Checksums, "wanted", lambda _: False)
        with open_store() as store:
            first = Path(store.backup(backups).path)
    facts = (first / "b.nii.gz").stat()
    (first / "b.nii.gz").write_bytes(b"B")
    os.utime(first / "b.nii.gz", ns=(facts.st_atime_ns, facts.st_mtime_ns))
    store = open_store()
    eventually(lambda: all(store.image_versions(name)[0]["sha256"] for name in ("a", "b")))
    second = store.backup(backups)
    assert (second.copied, second.unchanged) == (1, 1)
    assert found(second.path, read_only=True) == []


def test_a_datastores_files_are_its_own(store: LocalDatastore, folder: Path, backups: Path) -> None:
    """A visible file is never shared: another program may write over it in place."""
    made = Path(store.backup(backups).path)
    for name in ("a.nii.gz", "labels/final/a.nii.gz"):
        (folder / name).write_bytes(b"written over in place")
        assert not os.path.samefile(folder / name, made / name)
    assert found(made, read_only=True) == []


def test_a_backup_is_of_one_moment(
    store: LocalDatastore, backups: Path, source: Source, monkeypatch: pytest.MonkeyPatch, open_store: Open
) -> None:
    """Whatever changes while files are copied, the backup has each as it was when it began."""
    before = contents(store)
    copy = gathering.copy_while_used

    def meanwhile(*arguments: Any) -> None:
        copy(*arguments)
        store.save_label("a", source("l.nii.gz", b"too late"), "final", {})
        store.save_label("a", source("l.nii", b"later still"), "original", {})
        store.add_image("a", source("a.nii", b"another a"), {})
        store.add_image("c", source("c.nii.gz", b"c"), {})
        store.remove_image("b")

    monkeypatch.setattr(gathering, "copy_while_used", meanwhile)
    made = store.backup(backups)
    assert made.lacks == []
    assert found(made.path, read_only=True) == []
    with open_store(made.path) as again:
        assert contents(again) == before


def test_a_backup_while_others_write(store: LocalDatastore, backups: Path, source: Source, open_store: Open) -> None:
    """Made again and again beside writers, every backup is sound and lacks nothing."""
    stop = threading.Event()

    def write(name: str) -> None:
        with LocalDatastore(store.path) as own:
            number = 0
            while not stop.is_set():
                number += 1
                own.add_image(name, source(f"{name}.nii.gz", b"image %d" % number), {"n": number})
                own.save_label(name, source(f"{name}.l.nii.gz", b"label %d" % number), "final", {"n": number})
                if number % 3 == 0:
                    own.remove_image(name)

    writers = [threading.Thread(target=write, args=(f"case_{n}",)) for n in range(3)]
    for writer in writers:
        writer.start()
    try:
        made = [store.backup(backups) for _ in range(4)]
    finally:
        stop.set()
        for writer in writers:
            writer.join()
    assert [one.lacks for one in made] == [[]] * 4
    for one in made:
        assert found(one.path) == []
        with open_store(one.path) as again:
            for image in again.list_images():
                for tag in again.get_labels_by_image_id(image) if image.startswith("case") else ():
                    label = again.get_label(image, tag)
                    assert label and label.read() == b"label %d" % again.get_label_info(image, tag)["n"]


def test_a_backup_that_is_cut_short_is_none(
    store: LocalDatastore, backups: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Cut short, it has no name of a backup; the next one takes over what it had, and nothing that does not belong."""
    with monkeypatch.context() as patched:
        patched.setattr(gathering.Gathering, "_keep_what_came_out", lambda *_: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            store.backup(backups)
    assert [path.name for path in backups.iterdir() if not path.name.startswith(".")] == []
    with pytest.raises(InvalidInputException, match="no backup"):
        bring_up(str(backups), str(backups.parent / "up"))
    taken = (backups / ".part" / "a.nii.gz").stat().st_ino
    (backups / ".part" / "labels" / "final" / "a.nii.gz").write_bytes(b"cut")
    store.remove_image("b")
    made = store.backup(backups)
    assert (Path(made.path) / "a.nii.gz").stat().st_ino == taken
    assert found(made.path, read_only=True) == [] and not (Path(made.path) / "b.nii.gz").exists()
    assert sorted(path.name for path in backups.iterdir()) == [".lock", Path(made.path).name]


def test_what_a_backup_lacks_is_told(store: LocalDatastore, folder: Path, backups: Path, source: Source) -> None:
    """A version that is gone, one that is damaged, an image that somebody wrote over: each is named."""
    for data in (b"second", b"third"):
        store.save_label("a", source("l.nii.gz", data), "final", {})
    store.label_versions("a", "final")
    gone, damaged = sorted((folder / ".monailabel" / "history").glob("*/*"), key=lambda path: path.read_bytes())
    gone.unlink()
    damaged.write_bytes(b"SECOND")
    facts = (folder / "b.nii.gz").stat()
    (folder / "b.nii.gz").write_bytes(b"IMAGE b")
    os.utime(folder / "b.nii.gz", ns=(facts.st_atime_ns, facts.st_mtime_ns))
    made = store.backup(backups)
    assert len(made.lacks) == 3
    for what in ("image 'b'", "version 1 of label 'final' of image 'a'", "version 2 of label 'final' of image 'a'"):
        assert any(sentence.startswith(what) for sentence in made.lacks), what
    assert (Path(made.path) / "b.nii.gz").read_bytes() == b"IMAGE b", "what there is, is copied all the same"


def test_a_purge_meanwhile_ends_it(store: LocalDatastore, backups: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where a person's data was erased while it was copied there is no backup; made again it has none of it."""
    copy = gathering.copy_while_used

    def meanwhile(*arguments: Any) -> None:
        copy(*arguments)
        store.remove_image("a", purge=True)

    with monkeypatch.context() as patched:
        patched.setattr(gathering, "copy_while_used", meanwhile)
        with pytest.raises(ConflictException, match="purged"):
            store.backup(backups)
    made = Path(store.backup(backups).path)
    assert not [path for path in backups.rglob("*") if path.is_file() and b"image a" in path.read_bytes()]
    assert found(made, read_only=True) == []


def test_a_purge_names_the_backups(store: LocalDatastore, backups: Path, caplog: pytest.LogCaptureFixture) -> None:
    """Backups that were made before somebody was erased are named, as long as they are there."""
    first, second = store.backup(backups).path, store.backup(backups).path
    shutil.rmtree(first)
    store.remove_image("a", purge=True)
    assert second in caplog.text and first + "," not in caplog.text


def test_where_a_backup_may_not_go(store: LocalDatastore, folder: Path, tmp_path: Path, open_store: Open) -> None:
    """Inside the datastore, beside other things, over a file, or among those of another datastore it is refused."""
    taken, file = tmp_path / "taken", tmp_path / "file"
    taken.mkdir()
    (taken / "thesis.tex").write_text("mine")
    file.write_text("a file")
    places = [folder, folder / "backups", folder / "labels", folder / ".monailabel" / "b", taken, file, folder.parent]
    for place in places:
        with pytest.raises(InvalidInputException, match="refused"):
            store.backup(place)
    other = open_store(tmp_path / "other")
    other.backup(tmp_path / "b")
    with pytest.raises(InvalidInputException, match="another datastore"):
        store.backup(tmp_path / "b")
    assert (taken / "thesis.tex").read_text() == "mine" and not (folder / "backups").exists()


def test_folders_elsewhere_come_along(tmp_path: Path, folder: Path, backups: Path, source: Source) -> None:
    """Images and labels that lie outside the datastore's folder lie inside the backup's."""
    places = {"images_dir": str(tmp_path / "far"), "labels_dir": str(tmp_path / "labels far")}
    with LocalDatastore(folder, **places) as store:
        store.add_image("a", source("a.nii.gz", b"a"), {})
        store.save_label("a", source("l.nii.gz", b"l"), "final", {})
        made = store.backup(backups).path
    shutil.rmtree(tmp_path / "far")
    shutil.rmtree(tmp_path / "labels far")
    with LocalDatastore(made) as again:
        assert again.datalist(full_path=False) == [{"image": "images/a.nii.gz", "label": "labels/final/a.nii.gz"}]
        label = again.get_label("a", "final")
        assert label is not None and label.read() == b"l"


def test_a_link_is_backed_up_as_its_bytes(tmp_path: Path, folder: Path, backups: Path, open_store: Open) -> None:
    """What a link leads to is in the backup itself."""
    (tmp_path / "far.nii.gz").write_bytes(b"far")
    (folder / "a.nii.gz").symlink_to(tmp_path / "far.nii.gz")
    made = open_store().backup(backups).path
    (tmp_path / "far.nii.gz").unlink()
    assert (Path(made) / "a.nii.gz").read_bytes() == b"far"
    assert found(made, read_only=True) == []


def test_a_read_only_datastore_can_be_backed_up(
    store: LocalDatastore, folder: Path, backups: Path, open_store: Open, tree: Tree
) -> None:
    """Without a byte written into the folder."""
    store.close()
    before = tree(folder)
    made = open_store(read_only=True).backup(backups)
    assert tree(folder) == before
    assert made.copied == 4 and found(made.path, read_only=True) == []


# ---- the way back


@pytest.mark.parametrize("there", [False, True], ids=["a folder that is not there", "an empty folder"])
def test_a_backup_is_brought_up(
    store: LocalDatastore, folder: Path, backups: Path, tmp_path: Path, there: bool, tree: Tree, source: Source
) -> None:
    """All of it is there again, in files of its own; the backup stays as it is, and an event tells of it."""
    store.save_label("a", source("l.nii.gz", b"second"), "final", {})
    before = contents(store)
    made = store.backup(backups).path
    store.close()
    shutil.rmtree(folder)
    if there:
        folder.mkdir()
    as_it_was = tree(backups)
    assert bring_up(str(backups), str(folder)) == made
    assert tree(backups) == as_it_was
    assert found(folder) == []
    with LocalDatastore(folder) as again:
        assert contents(again) == before
        event = again.events()[-1]
        assert (event["action"], event["new"]["path"]) == ("brought up", made)
    shared = {path.stat().st_ino for path in backups.rglob("*") if path.is_file()}
    assert not shared & {path.stat().st_ino for path in folder.rglob("*") if path.is_file()}


def test_a_backup_is_brought_up_over_nothing(
    store: LocalDatastore, folder: Path, backups: Path, tmp_path: Path
) -> None:
    """A datastore, or whatever else lies there, stays; so does a backup."""
    made = store.backup(backups).path
    (tmp_path / "file").write_text("mine")
    for place in (folder, tmp_path / "file", Path(made), backups / "up", tmp_path):
        with pytest.raises(InvalidInputException, match="refused"):
            bring_up(made, str(place))
    with pytest.raises(InvalidInputException, match="no backup"):
        bring_up(str(tmp_path / "file"), str(tmp_path / "up"))
    assert (tmp_path / "file").read_text() == "mine" and not (tmp_path / "up").exists()


def test_bringing_up_is_all_or_nothing(store: LocalDatastore, backups: Path, tmp_path: Path) -> None:
    """Where a file cannot be read there is no folder that looks like a datastore, nor anything left of it."""
    made = Path(store.backup(backups).path)
    (made / "a.nii.gz").unlink()
    os.mkfifo(made / "a.nii.gz")
    with pytest.raises(InvalidInputException, match=r"a\.nii\.gz"):
        bring_up(str(made), str(tmp_path / "up"))
    assert not [path for path in tmp_path.iterdir() if "up" in path.name and path != backups]


def test_what_a_killed_bringing_up_left_is_removed_by_the_next(
    store: LocalDatastore, backups: Path, tmp_path: Path, child: Callable[..., Any]
) -> None:
    """A process that dies at it leaves a hidden folder, which the next one removes; that of a living one stays."""
    made = store.backup(backups).path
    arguments = made, str(tmp_path / "up")
    child(
        """
import monailabel.datastore.backup as backup
backup.copy_catalog = lambda *_: os._exit(0)
backup.bring_up(sys.argv[1], sys.argv[2])
""",
        *arguments,
    )
    (left,) = tmp_path.glob(".up.*")
    assert (left / "a.nii.gz").exists()
    with backup._part_of(str(tmp_path / "up")) as alive:
        assert bring_up(*arguments) == made
        assert list(tmp_path.glob(".up.*")) == [Path(alive)]
    assert found(tmp_path / "up") == []


@pytest.mark.parametrize("how", ["named", "linked", "linked labels"])
def test_a_backup_that_leads_elsewhere_touches_nothing_there(
    store: LocalDatastore, backups: Path, tmp_path: Path, how: str
) -> None:
    """A backup from a stranger whose catalog or links lead out of it is refused, and what lies there stays."""
    made, mine = Path(store.backup(backups).path), tmp_path / "mine"
    store.close()
    mine.mkdir()
    for name in ("a.nii.gz", "b.nii.gz"):
        (mine / name).write_text("my own file")
    if how == "linked labels":
        shutil.rmtree(made / "labels" / "final")
        (made / "labels" / "final").symlink_to(mine)
    else:
        if how == "linked":
            (made / "elsewhere").symlink_to(mine)
        with SqliteCatalog(str(made / ".monailabel" / "catalog.db")).transaction() as rows:
            rows.set_setting("images_dir", "elsewhere" if how == "linked" else str(mine))
    with pytest.raises(InvalidInputException, match="outside it"):
        bring_up(str(made), str(tmp_path / "up"))
    with pytest.raises(InvalidInputException, match="outside it"):
        found(made)
    assert [path.read_text() for path in mine.iterdir()] == ["my own file"] * 2
    assert not [path for path in tmp_path.iterdir() if "up" in path.name and path != backups]


def cut_short(path: Path) -> None:
    """Take the end of a file away."""
    path.write_bytes(path.read_bytes()[:-1])


def flip(path: Path) -> None:
    """Change a byte of a file in place."""
    data = path.read_bytes()
    path.write_bytes(bytes([data[0] ^ 1]) + data[1:])


@pytest.mark.parametrize("damage", [cut_short, flip])
@pytest.mark.parametrize("is_told_by_its_time", [False, True])
def test_damage_in_a_backup_is_no_version(
    store: LocalDatastore, folder: Path, backups: Path, tmp_path: Path, tree: Tree, caplog: pytest.LogCaptureFixture,
    damage: Callable[[Path], None], is_told_by_its_time: bool,
) -> None:  # fmt: skip
    """A check names a backup's damaged file each time, and what is brought up lacks it: no damage passes for sound."""
    made = Path(store.backup(backups).path)
    store.close()
    damaged = made / "b.nii.gz", made / "labels" / "final" / "a.nii.gz"
    for path in damaged:
        times = path.stat().st_atime_ns, path.stat().st_mtime_ns
        damage(path)
        if not is_told_by_its_time:
            os.utime(path, ns=times)
    as_it_was = tree(backups)
    for _ in range(2):
        assert [one.kind for one in found(made) if one.stands] == ["damaged", "damaged"]
        assert found(made, repair=True) == found(made)
    assert len([one for one in check(made, low_space=0) if one.stands]) == (
        2 if damage is cut_short or is_told_by_its_time else 0
    )
    with caplog.at_level(logging.WARNING):
        bring_up(str(made), str(tmp_path / "up"))
    assert tree(backups) == as_it_was
    assert all(str(path) in caplog.text for path in damaged)
    assert [one.kind for one in found(tmp_path / "up") if one.stands] == ["missing", "missing"]
    with LocalDatastore(tmp_path / "up") as again:
        assert again.list_images() == ["a"] and again.get_labels_by_image_id("a").keys() == {"original"}
        shutil.copy2(folder / "b.nii.gz", tmp_path / "up" / "b.nii.gz")
        again.refresh()
        assert [(v["version"], v["kept"]) for v in again.image_versions("b")] == [(1, True)]
