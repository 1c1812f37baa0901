"""The chain of events: each change of it is named, and so is a tail that is cut off."""

import json
import logging
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from monailabel.datastore.check import Finding
from monailabel.datastore.local import LocalDatastore
from monailabel.interfaces.exception import InvalidInputException

Found = Callable[..., list[Finding]]
Alter = Callable[..., None]
Open = Callable[..., LocalDatastore]
Source = Callable[..., str]

ALTERED = {
    "time": "UPDATE event SET time = time + 1 WHERE seq = 3",
    "actor": "UPDATE event SET actor = 'somebody' WHERE seq = 3",
    "authenticated": "UPDATE event SET authenticated = 1 WHERE seq = 3",
    "action": "UPDATE event SET action = 'restored' WHERE seq = 3",
    "image": "UPDATE event SET image_id = 'b' WHERE seq = 3",
    "tag": "UPDATE event SET tag = 'second' WHERE seq = 3",
    "version": "UPDATE event SET version = 2 WHERE seq = 3",
    "checksum": "UPDATE event SET after = replace(after, substr(after, 1, 1), 'x') WHERE seq = 3",
    "content": "UPDATE event SET content = replace(content, '\"m\"', '\"n\"') WHERE seq = 3",
    "salt": "UPDATE event SET salt = randomblob(16) WHERE seq = 3",
    "digest": "UPDATE event SET digest = randomblob(32) WHERE seq = 3",
    "link": "UPDATE event SET chain = randomblob(32) WHERE seq = 3",
    "a content erased": "UPDATE event SET content = NULL, salt = x'' WHERE seq = 3",
}


@pytest.mark.parametrize("sql", ALTERED.values(), ids=ALTERED)
def test_an_altered_event_is_named(store: LocalDatastore, found: Found, alter: Alter, sql: str) -> None:
    """Whatever is changed of an event, the check says which it is; and it stands, for nobody knows what it was."""
    store.close()
    alter(sql)
    flaws = [finding for finding in found() if finding.kind == "event"]
    assert flaws and all(finding.stands for finding in flaws)
    assert any(finding.what.startswith("event 3 ") for finding in flaws)


def test_a_missing_event_is_named(store: LocalDatastore, found: Found, alter: Alter) -> None:
    """Events that are gone from the middle leave a gap in the numbers."""
    store.close()
    alter("DELETE FROM event WHERE seq IN (2, 3)")
    assert any(finding.what.startswith("events 2 to 3 ") for finding in found() if finding.kind == "event")


def test_a_cut_tail_is_missed(store: LocalDatastore, folder: Path, found: Found, alter: Alter) -> None:
    """Events that are cut off at the end are missed: the head was noted beside the catalog when it was closed."""
    head = store.head()
    store.close()
    (folder / ".monailabel" / "catalog.copy").unlink()
    alter("DELETE FROM event WHERE seq = 4")
    (finding,) = (one for one in found() if one.kind == "head")
    assert finding.stands and head in finding.what and "4" in finding.what
    assert str(folder / ".monailabel" / "head") in finding.remedy


def test_a_cut_tail_is_not_forgotten(
    store: LocalDatastore, folder: Path, found: Found, alter: Alter, open_store: Open, source: Source,
    caplog: pytest.LogCaptureFixture,
) -> None:  # fmt: skip
    """What comes later takes the numbers of what was cut off, and the loss is told all the same, at opening too."""
    head = store.head()
    store.close()
    (folder / ".monailabel" / "catalog.copy").unlink()
    alter("DELETE FROM event WHERE seq = 4; UPDATE item SET seq = 0 WHERE seq = 4")
    with open_store() as again:
        assert head in caplog.text
        again.add_image("c", source("c.nii.gz"), {})
        again.add_image("d", source("d.nii.gz"), {})
    with open_store() as again:
        again.remove_image("d")
    (finding,) = (one for one in found() if one.kind == "head")
    assert finding.stands and head in finding.what


def test_a_cut_tail_that_the_copy_has_comes_back(
    store: LocalDatastore, found: Found, alter: Alter, open_store: Open
) -> None:
    """An older catalog in the place of a newer one, as a power loss or a wrong copy leaves it, is brought up again."""
    before = store.json(), store.events()
    store.close()
    alter("DELETE FROM event WHERE seq = 4; DELETE FROM version WHERE seq = 4; DELETE FROM item WHERE seq = 4")
    with open_store(read_only=True) as looking:
        assert looking.json() == before[0]
    assert [(finding.kind, finding.repaired) for finding in found()] == [("catalog", True)]
    assert found() == []
    with open_store() as again:
        events = again.events()
        assert (again.json(), events[:4]) == before and events[4]["action"] == "rebuilt"


def test_a_head_noted_elsewhere_is_compared(store: LocalDatastore, folder: Path, found: Found, alter: Alter) -> None:
    """Where the note beside the catalog is gone too, one from the log or from paper tells."""
    head = store.head()
    store.close()
    assert found(head=head) == []
    (folder / ".monailabel" / "head").unlink()
    alter("DELETE FROM event WHERE seq = 4")
    assert not [one for one in found() if one.kind == "head"]
    assert [one.kind for one in found(head=head) if head in one.what] == ["head"]


def test_another_chain_is_not_this_one(store: LocalDatastore, found: Found) -> None:
    """A head with the right number and another chain is told, too."""
    assert store.head().startswith("4:")
    (finding,) = found(head="4:" + "0" * 64)
    assert (finding.kind, finding.stands) == ("head", True) and "another" in finding.what


@pytest.mark.parametrize("head", ["", "4", "x:" + "0" * 64, "4:" + "0" * 63])
def test_a_head_that_is_none_is_refused(store: LocalDatastore, found: Found, head: str) -> None:
    """A mistyped head is an error and never a finding."""
    with pytest.raises(InvalidInputException, match="hex digits"):
        found(head=head)


def test_the_head_is_noted_while_open(
    store: LocalDatastore, folder: Path, eventually: Callable[..., None], found: Found
) -> None:
    """The note follows every change within moments, without closing."""
    path = folder / ".monailabel" / "head"
    eventually(lambda: path.exists() and path.read_text().startswith(store.head()))
    store.update_image_info("a", {"age": 7})
    eventually(lambda: path.read_text().startswith(store.head()))
    assert len(path.read_text().splitlines()) == 1


def test_the_log_has_the_head(open_store: Open, source: Source, caplog: pytest.LogCaptureFixture) -> None:
    """Opening and closing for writing say the head once each, for a log that is kept elsewhere."""
    with caplog.at_level(logging.INFO, "monailabel"):
        with open_store() as store:
            store.add_image("a", source("a.nii.gz"), {})
            head = store.head()
        with open_store(read_only=True):
            pass
    told = [record.getMessage() for record in caplog.records if "head of its events" in record.getMessage()]
    assert len(told) == 2 and told[1].endswith(head)


def test_many_events_are_one_chain(folder: Path, open_store: Open, found: Found) -> None:
    """A first open takes files in by thousands, and their events are sealed one by one all the same."""
    for number in range(50):
        (folder / f"{number}.nii.gz").write_bytes(b"x")
    with open_store() as store:
        assert store.head().startswith("50:")
    told: list[tuple[Any, ...]] = []
    assert found(progress=lambda *step: told.append(step)) == []
    assert ("checking events", 50, 50) in told
    assert json.loads((folder / "datastore_v2.json").read_bytes())["objects"]
