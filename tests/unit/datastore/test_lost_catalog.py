"""A catalog that is gone or damaged: the folder opens, and what can be read of it, its copy and the files is there."""

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest

import monailabel.datastore.sparing as sparing
from monailabel.datastore.actor import UNKNOWN
from monailabel.datastore.check import Finding, check
from monailabel.datastore.local import LocalDatastore
from monailabel.interfaces.exception import DamagedDatastoreException

Open = Callable[..., LocalDatastore]
Source = Callable[..., str]

CASES = 12


def found(folder: Path, **options: Any) -> list[Finding]:
    """Check a folder, whatever this machine has beside it."""
    return [finding for finding in check(folder, low_space=0, **options) if finding.kind != "module"]


def own(folder: Path, name: str) -> Path:
    """Give a file of the datastore's own."""
    return folder / ".monailabel" / name


@pytest.fixture
def cases(folder: Path, source: Source, open_store: Open) -> dict[str, Any]:
    """Make a datastore of many cases, each label saved twice and the first of it kept; give what it tells."""
    with open_store() as store:
        for number in range(CASES):
            store.add_image(f"case_{number}", source("i.nii.gz", b"image %d" % number), {"age": number})
            for version in (1, 2):
                data = b"label %d of %d" % (version, number)
                store.save_label(f"case_{number}", source("l.nii.gz", data), "final", {"client_id": f"ann {version}"})
        store.remove_image("case_7")
        store.set_description("a dozen cases")
        return told(store)


def told(store: LocalDatastore) -> dict[str, Any]:
    """Give all that a datastore tells, but for the events of a rebuilding."""
    versions = {
        image: {
            (tag, v["version"]): (v["sha256"], v["kept"], v["current"])
            for tag in ("", "final")
            for v in (store.label_versions(image, tag) if tag else store.image_versions(image))
        }
        for image in [f"case_{number}" for number in range(CASES)]
    }
    return {
        "document": store.json(),
        "versions": versions,
        "status": store.status(),
        "events": [event for event in store.events() if event["action"] != "rebuilt"],
    }


def damage(path: Path, begin: int, data: bytes) -> None:
    """Overwrite bytes of a file."""
    with path.open("rb+") as file:
        file.seek(begin)
        file.write(data)


def page_size(path: Path) -> int:
    """Give a database's page size in bytes (https://sqlite.org/fileformat2.html#the_database_header)."""
    return int.from_bytes(path.read_bytes()[16:18], "big")


def without_copy(folder: Path) -> None:
    """Take the copy of the catalog away."""
    own(folder, "catalog.copy").unlink()


LOSSES: dict[str, Callable[[Path], object]] = {
    "gone": lambda path: path.unlink(),
    "empty": lambda path: path.write_bytes(b""),
    "overwritten": lambda path: path.write_bytes(b"garbage" * 9_000),
    "another header": lambda path: damage(path, 0, b"x"),
    "another page size": lambda path: damage(path, 16, b"\x10"),
    "a first page of zeros": lambda path: damage(path, 0, bytes(page_size(path))),
    "cut": lambda path: os.truncate(path, path.stat().st_size // 2),
}


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES)
def test_a_lost_catalog_comes_back(folder: Path, cases: dict[str, Any], open_store: Open, loss: Any) -> None:
    """The folder opens as it was: images, labels, infos, versions and events, with one event more that tells of it."""
    loss(own(folder, "catalog.db"))
    assert found(folder, repair=True) and found(folder) == []
    with open_store() as store:
        assert told(store) == cases
        event = store.events()[-1]
        assert (event["action"], event["actor"]) == ("rebuilt", "unknown")
        label = store.get_label("case_3", "final", version=1)
        assert label is not None and label.read() == b"label 1 of 3"
        store.restore_image("case_7")
    assert found(folder, deep=True) == []


@pytest.mark.parametrize("loss", list(LOSSES)[3:6])
def test_a_damaged_beginning_needs_no_copy(
    folder: Path, cases: dict[str, Any], open_store: Open, loss: str, caplog: pytest.LogCaptureFixture
) -> None:
    """Where only the first page is damaged, which has no rows, all of them are read, with a warning at opening."""
    without_copy(folder)
    before = own(folder, "catalog.db").read_bytes()
    LOSSES[loss](own(folder, "catalog.db"))
    damaged = own(folder, "catalog.db").read_bytes()
    assert damaged != before
    with open_store() as store:
        assert told(store) == cases
    assert "made anew" in caplog.text
    (aside,) = own(folder, "").glob("catalog.db.damaged-*[!ml]")
    assert aside.read_bytes() == damaged and aside.name in caplog.text


def test_nothing_is_lost_that_came_after_the_copy(
    folder: Path, cases: dict[str, Any], open_store: Open, source: Source, tmp_path: Path
) -> None:
    """What the copy does not have yet comes from the files and the document; the history's bytes are given back."""
    shutil.copy2(own(folder, "catalog.copy"), tmp_path / "copy")
    with open_store() as store:
        store.add_image("new", source("n.nii.gz", b"new"), {"age": 99})
        store.save_label("case_1", source("l.nii.gz", b"third"), "final", {"client_id": "ben"})
        store.update_image_info("case_2", {"age": 77})
        last = store.events()[-1]["seq"]
    own(folder, "catalog.db").unlink()
    shutil.copy2(tmp_path / "copy", own(folder, "catalog.copy"))
    with open_store() as store:
        assert store.get_image_info("new")["age"] == 99 and store.get_image_info("case_2")["age"] == 77
        assert store.get_label_info("case_1", "final")["client_id"] == "ben"
        label, earlier = store.get_label("case_1", "final"), store.get_label("case_1", "final", version=2)
        assert label is not None and label.read() == b"third"
        assert earlier is not None and earlier.read() == b"label 2 of 1"
        rebuilt = next(event for event in store.events() if event["action"] == "rebuilt")
        assert rebuilt["seq"] == last + 1, "a reader of events that had the lost ones misses none of the new"
    assert all(finding.kind in ("event", "history") for finding in found(folder))
    (finding,) = (finding for finding in found(folder) if finding.kind == "event")
    assert not finding.stands and f"to {last} " in finding.what, "the loss is told, and nothing is to be done"


def test_without_any_copy_the_document_counts(folder: Path, cases: dict[str, Any], open_store: Open) -> None:
    """With catalog and copy gone images, labels and infos come from the files and the document."""
    without_copy(folder)
    own(folder, "catalog.db").unlink()
    with open_store() as store:
        assert store.json() == cases["document"] and store.description() == "a dozen cases"
        assert store.events()[0]["seq"] > len(cases["events"])
    kept = [finding for finding in found(folder) if finding.kind == "history"]
    assert len(kept) == CASES + 2, "bytes that nobody can name any more are told, and kept"


@pytest.mark.parametrize("copied", [True, False], ids=["with a copy", "without"])
def test_a_page_damaged_in_the_middle_is_mended(
    folder: Path, cases: dict[str, Any], open_store: Open, copied: bool
) -> None:
    """A page that cannot be read is an error that says what to do; what it says brings everything else back."""
    if not copied:
        without_copy(folder)
    path = own(folder, "catalog.db")
    connection = apsw.Connection(str(path))
    root = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'item'").get
    connection.close()
    damage(path, (root - 1) * page_size(path), b"\xff" * page_size(path))
    with pytest.raises(DamagedDatastoreException, match=r"check --repair"), open_store() as store:
        store.list_images()
    assert any(finding.kind == "catalog" and finding.stands for finding in found(folder))
    repaired = found(folder, repair=True)
    assert [finding.repaired for finding in repaired if finding.kind == "catalog"] == [True]
    with open_store() as store:
        assert told(store)["events"][: len(cases["events"])] == cases["events"]
        assert store.json() == cases["document"] and store.status() == cases["status"]
        versions = told(store)["versions"]
        assert versions == cases["versions"], "rows that cannot be read are told by the events"
    assert found(folder, deep=True) == []


def test_events_that_cannot_be_read_are_told(folder: Path, cases: dict[str, Any], open_store: Open) -> None:
    """Events that are lost for good leave a gap, which the check tells of, and the chain goes on behind it."""
    without_copy(folder)
    path = own(folder, "catalog.db")
    connection = apsw.Connection(str(path))
    page = connection.execute(
        "SELECT pageno FROM dbstat WHERE name = 'event' AND pagetype = 'leaf' LIMIT 1 OFFSET 2"
    ).get
    connection.close()
    damage(path, (page - 1) * page_size(path), b"\xff" * page_size(path))
    assert any(finding.repaired for finding in found(folder, repair=True))
    (finding,) = (one for one in found(folder) if one.kind == "event")
    assert not finding.stands and "rebuilt" in finding.what
    with open_store() as store:
        seqs = [event["seq"] for event in store.events()]
        lost = {event["seq"] for event in cases["events"]} - set(seqs)
        assert 0 < len(lost) < 20 and store.json() == cases["document"]


def test_looking_at_a_lost_catalog_changes_nothing(
    folder: Path, cases: dict[str, Any], open_store: Open, tree: Callable[..., object]
) -> None:
    """Opened read-only the folder shows all of it, and not a byte of it is touched."""
    own(folder, "catalog.db").write_bytes(b"garbage" * 9_000)
    before = tree(folder)
    with open_store(read_only=True) as store:
        assert store.json() == cases["document"]
    (finding,) = found(folder, read_only=True)
    assert (finding.kind, finding.stands) == ("catalog", True) and "for writing" in finding.remedy
    assert tree(folder) == before


def test_whoever_is_open_follows(folder: Path, cases: dict[str, Any], open_store: Open, source: Source) -> None:
    """A datastore that was open all along writes into the catalog that another one made anew, not the one set aside."""
    witness = open_store()
    own(folder, "catalog.db").write_bytes(b"garbage" * 9_000)
    own(folder, "catalog.db-wal").unlink(missing_ok=True)
    with open_store() as store:
        assert store.json() == cases["document"]
        witness.update_image_info("case_5", {"seen": True})
        assert store.get_image_info("case_5")["seen"] is True
        assert witness.get_image_info("case_5")["seen"] is True


def test_a_rebuilding_that_was_cut_short_is_finished(
    folder: Path, cases: dict[str, Any], open_store: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between any two renames of it somebody may die: whoever comes next has all that was read."""
    path = own(folder, "catalog.db")
    damage(path, 0, b"x")
    without_copy(folder)
    rename = os.rename

    def dying(step: int) -> Callable[[Any, Any], None]:
        left = iter(range(step - 1))

        def run(source: Any, target: Any) -> None:
            if "catalog" in str(source) and next(left, None) is None:
                raise KeyboardInterrupt
            rename(source, target)

        return run

    for step in (1, 2, 3):
        with monkeypatch.context() as patched:
            patched.setattr(os, "rename", dying(step))
            with pytest.raises(KeyboardInterrupt):
                open_store()
    with open_store() as store:
        assert told(store) == cases
        assert [event["action"] for event in store.events()].count("rebuilt") == 1
    assert not list(own(folder, "").glob("catalog.part*")) and not list(own(folder, "").glob("catalog.next*"))


# ---- the copy


def test_a_copy_follows_the_catalog(
    folder: Path, open_store: Open, source: Source, eventually: Callable[..., None], monkeypatch: pytest.MonkeyPatch
) -> None:
    """While changes are made a copy is brought up in the background, and when the datastore is closed."""
    monkeypatch.setattr(sparing, "LEAST", 0.05)
    monkeypatch.setattr(sparing, "SHARE", 1)
    copy = own(folder, "catalog.copy")
    store = open_store()
    store.add_image("a", source("a.nii.gz"), {})
    eventually(copy.exists)
    first = copy.read_bytes()
    store.add_image("b", source("b.nii.gz"), {})
    eventually(lambda: copy.read_bytes() != first)
    eventually(lambda: apsw.Connection(str(copy)).execute("SELECT max(seq) FROM event").get == 2)
    store.close()
    connection = apsw.Connection(str(copy))
    assert connection.execute("SELECT max(seq) FROM event").get == 2
    connection.close()


def test_a_damaged_catalog_does_not_replace_its_copy(
    folder: Path, cases: dict[str, Any], open_store: Open, monkeypatch: pytest.MonkeyPatch, caplog: Any
) -> None:
    """What was intact stays, though the catalog has newer events by now."""
    path, copy = own(folder, "catalog.db"), own(folder, "catalog.copy").read_bytes()
    with open_store() as store:
        store.update_image_info("case_5", {"x": 1})
    connection = apsw.Connection(str(path))
    root = connection.execute("SELECT rootpage FROM sqlite_schema WHERE name = 'event_of_item'").get
    connection.close()
    damage(path, (root - 1) * page_size(path), b"\xff" * 64)
    monkeypatch.setattr(sparing, "LEAST", 0.0)
    open_store().close()
    assert "is damaged" in caplog.text
    assert own(folder, "catalog.copy").read_bytes() == copy
    assert [path.name for path in own(folder, "").glob("catalog.copy*")] == ["catalog.copy"]


def test_a_purge_while_the_catalog_is_copied(
    folder: Path, cases: dict[str, Any], open_store: Open, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A copy of the moment before a purge does not outlive it."""
    copy = sparing.spare.copy_while_used

    def meanwhile(*arguments: Any) -> None:
        copy(*arguments)
        monkeypatch.undo()
        store.purge("case_3", UNKNOWN)
        shutil.copyfile(before, arguments[1])

    with open_store() as opened:
        opened.update_image_info("case_3", {"person": "Erika Mustermann"})
        before = folder.parent / "before"
        store = opened._store
        copy(store.catalog, str(before))
        monkeypatch.setattr(sparing.spare, "copy_while_used", meanwhile)
        store.spare.make()
        assert not own(folder, "catalog.copy").exists()


def test_what_is_purged_is_not_in_the_copy(folder: Path, cases: dict[str, Any], open_store: Open) -> None:
    """The copy goes with the purge, and the next one knows nothing of the person."""
    with open_store() as store:
        store.update_image_info("case_3", {"person": "Erika Mustermann"})
    with open_store() as store:
        store.remove_image("case_3", purge=True)
        assert not own(folder, "catalog.copy").exists()
    assert own(folder, "catalog.copy").exists()
    for path in own(folder, "").rglob("*"):
        assert not path.is_file() or b"Mustermann" not in path.read_bytes(), path
    assert json.loads((folder / "datastore_v2.json").read_bytes())["objects"].keys() == {
        f"case_{n}" for n in range(CASES) if n not in (3, 7)
    }


def test_a_catalog_that_goes_under_an_open_datastore_takes_no_change_along(
    folder: Path, open_store: Open, source: Callable[..., str]
) -> None:
    """What is deleted is not begun anew: changes fail until somebody opens the folder, and what is saved then stays."""
    store = open_store()
    store.add_image("before", source("before.nii.gz"), {"age": 57})
    store.close()
    store = open_store()
    for path in own(folder, "").glob("catalog.db*"):
        path.unlink()
    with pytest.raises(FileNotFoundError, match="opens the datastore anew"):
        store.add_image("lost", source("lost.nii.gz"), {})
    other = open_store()
    assert other.get_image_info("before")["age"] == 57
    store.add_image("after", source("after.nii.gz"), {"age": 9})
    assert other.get_image_info("after")["age"] == 9 and store.get_image_info("before")["age"] == 57
    store.close()
    other.close()
    assert open_store().get_image_info("after")["age"] == 9
