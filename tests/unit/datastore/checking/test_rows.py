"""The catalog's rows against its events: what was changed in them past the datastore is named."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from monailabel.datastore.check import Finding
from monailabel.datastore.local import LocalDatastore

Found = Callable[..., list[Finding]]
Alter = Callable[..., None]
Open = Callable[..., LocalDatastore]
Source = Callable[..., str]

FINAL = "WHERE image_id = 'a' AND tag = 'final'"
ALTERED = {
    "info": f"UPDATE item SET info = replace(info, 'ann', 'bob') {FINAL}",
    "extension": f"UPDATE item SET ext = '.nii' {FINAL}",
    "state": f"UPDATE item SET state = 2 {FINAL}",
    "last event": f"UPDATE item SET seq = 3 {FINAL}",
    "the version's checksum": "UPDATE version SET sha256 = replace(sha256, substr(sha256, 1, 1), 'x') WHERE seq = 4",
    "the version's extension": "UPDATE version SET ext = '.nii' WHERE seq = 4",
    "the version's event": "UPDATE version SET seq = 3 WHERE seq = 4",
    "a row that is gone": f"DELETE FROM version WHERE seq = 4; DELETE FROM item {FINAL}",
    "an info that is older": f"UPDATE item SET info = (SELECT info FROM item WHERE tag = 'original'), seq = 3 {FINAL}",
}


@pytest.mark.parametrize("sql", ALTERED.values(), ids=ALTERED)
def test_a_row_that_is_not_what_its_event_says_is_named(
    store: LocalDatastore, found: Found, alter: Alter, sql: str
) -> None:
    """Whatever is changed of an image's or label's row, the check says of which."""
    store.close()
    alter(sql)
    flaws = [finding for finding in found() if finding.kind == "row"]
    assert flaws and all(finding.stands for finding in flaws)
    assert any("label 'final' of image 'a'" in finding.what for finding in flaws)


def test_an_altered_info_is_put_right(store: LocalDatastore, found: Found, alter: Alter, open_store: Open) -> None:
    """`repair` gives an info back that the events have, and loses neither the other nor that it was there."""
    store.close()
    alter(ALTERED["info"])
    (finding,) = found(repair=True)
    assert (finding.kind, finding.repaired) == ("row", True)
    assert found() == []
    again = open_store()
    assert again.get_label_info("a", "final")["client_id"] == "ann"
    event = again.events()[-1]
    assert (event["action"], event["actor"], event["old"]["client_id"]) == ("updated", "unknown", "bob")


DERIVED = {
    "an image not listed": ("UPDATE item SET listed = 0 WHERE image_id = 'b'", "image 'b'"),
    "a label listed that is removed": ("UPDATE item SET listed = 1 WHERE tag = 'second'", "label 'second'"),
    "no final label": ("UPDATE item SET final = 0 WHERE image_id = 'a' AND tag = ''", "image 'a'"),
    "a tally": ("UPDATE tally SET n = 7 WHERE tag = 'final'", "labels 'final'"),
    "a tally of a tag that is not": ("INSERT INTO tally VALUES ('third', 1)", "labels 'third'"),
    "when it was handed out": ("UPDATE item SET handed = 5 WHERE image_id = 'b'", "image 'b'"),
    "a change under way": ("UPDATE item SET mark = 99 WHERE image_id = 'b'", "image 'b'"),
}


@pytest.mark.parametrize(("sql", "of"), DERIVED.values(), ids=DERIVED)
def test_what_is_derived_wrongly_is_derived_anew(
    store: LocalDatastore, found: Found, alter: Alter, source: Source, open_store: Open, sql: str, of: str
) -> None:
    """A flag or tally that other rows contradict is named, and `repair` puts it right."""
    store.save_label("a", source("s.nii.gz"), "second", {})
    store.remove_label("a", "second")
    status = store.status()
    store.close()
    alter(sql)
    looked = [finding for finding in found() if finding.stands]
    assert looked and all(finding.kind == "row" for finding in looked) and any(of in one.what for one in looked)
    assert all(finding.repaired for finding in found(repair=True))
    assert found() == []
    assert open_store().status() == status


def test_a_repair_is_told_and_reaches_the_documents_that_others_write(
    open_store: Open, folder: Path, found: Found, alter: Alter, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An event names what was derived anew, and who had the folder open all along does not go on with the old pages."""
    monkeypatch.setattr("monailabel.catalog.document.PAGE", 3)
    store = open_store()
    for number in range(8):
        store.add_image(f"i{number}", source("i.nii.gz"), {})
    alter("UPDATE item SET listed = 0 WHERE image_id = 'i1'")
    store.update_image_info("i0", {"on": "its page"})
    assert "i1" not in json.loads((folder / "datastore_v2.json").read_bytes())["objects"]
    assert all(finding.repaired for finding in found(repair=True))
    (event,) = [event for event in store.events() if event["action"] == "repaired"]
    assert any("image 'i1'" in what for what in event["new"]["rows"])
    store.update_image_info("i7", {"on": "another"})
    assert list(json.loads((folder / "datastore_v2.json").read_bytes())["objects"]) == store.list_images()


def test_every_kind_of_change_is_sound(
    store: LocalDatastore, folder: Path, found: Found, source: Source, tmp_path: Path, open_store: Open
) -> None:
    """Rows and events agree after everything that can happen to an image and its labels."""
    store.add_image("a", source("a.nii", b"another a"), {"age": 5})
    store.save_label("a", source("second.nii.gz", b"second"), "final", {"client_id": "ben"})
    store.restore_label("a", "final", 1)
    store.remove_label("a", "original")
    store.update_label_info("a", "final", {"note": "é 1.50"})
    store.next_image("random", "ann")
    store.set_name("liver")
    store.remove_image("a")
    store.restore_image("a")
    (folder / "b.nii.gz").rename(tmp_path / "away")
    (folder / "c.nii.gz").write_bytes(b"found")
    store.refresh()
    assert {finding.kind for finding in found()} == {"missing"}
    (tmp_path / "away").rename(folder / "b.nii.gz")
    (folder / "c.nii.gz").write_bytes(b"changed in place")
    store.refresh()
    (folder / "datastore_v2.json").write_text(
        (folder / "datastore_v2.json").read_text().replace('"age": 5', '"age": 6')
    )
    store.refresh()
    assert found(deep=True, repair=True)[0].repaired
    store.close()
    assert found(deep=True) == []
    assert open_store().get_image_info("a")["age"] == 6


def test_what_was_altered_comes_back(
    store: LocalDatastore, folder: Path, found: Found, alter: Alter, open_store: Open
) -> None:
    """`repair` has the copy give back events and their rows, and sets what was there aside."""
    before = store.json(), store.label_versions("a", "final"), store.events()
    store.close()
    alter("UPDATE event SET content = replace(content, 'ann', 'bob') WHERE seq = 4")
    alter("UPDATE item SET info = replace(info, 'ann', 'bob') WHERE seq = 4")
    alter("UPDATE version SET sha256 = replace(sha256, substr(sha256, 1, 1), 'x') WHERE seq = 3")
    assert {finding.kind for finding in found() if finding.stands} == {"event", "row"}
    (finding,) = found(repair=True)
    assert (finding.kind, finding.repaired) == ("catalog", True) and "changed past" in finding.what
    assert found(deep=True) == []
    again = open_store()
    assert (again.json(), again.label_versions("a", "final"), again.events()[:4]) == before
    assert len(list((folder / ".monailabel").glob("catalog.db.damaged-*[!ml]"))) == 1


def test_an_altered_event_is_not_believed(
    store: LocalDatastore, folder: Path, found: Found, alter: Alter, open_store: Open
) -> None:
    """Where nobody knows what an event was, `repair` writes nothing by it; the event is told, and stays as it is."""
    store.close()
    (folder / ".monailabel" / "catalog.copy").unlink()
    alter("UPDATE event SET content = replace(content, 'ann', 'bob') WHERE seq = 4")
    assert any(finding.kind == "event" and finding.stands for finding in found(repair=True))
    assert open_store().get_label_info("a", "final")["client_id"] == "ann"
    assert not list((folder / ".monailabel").glob("catalog.db.damaged-*"))
