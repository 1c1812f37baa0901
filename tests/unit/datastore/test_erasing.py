"""What the history keeps goes only when it is named, and then for good."""

import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from monailabel.datastore import change as change_protocol
from monailabel.datastore.check import check
from monailabel.datastore.local import LocalDatastore
from monailabel.interfaces.exception import (
    ConflictException,
    ImageNotFoundException,
    InvalidInputException,
    ReadOnlyException,
)

Source = Callable[..., str]
SECRET = "Erika Mustermann"


@pytest.fixture
def five(store: LocalDatastore, source: Source) -> LocalDatastore:
    """A label that was saved five times, and another one twice."""
    for n in range(5):
        store.save_label("a", source("l.nii.gz", f"version {n + 1}".encode()), "review", {"round": n + 1})
    for n in range(2):
        store.save_label("b", source("l.nii.gz", f"b {n + 1}".encode()), "review", {})
    return store


def kept(store: LocalDatastore, image: str = "a") -> list[int]:
    """Give the versions of a label that can be fetched."""
    return [v["version"] for v in store.label_versions(image, "review") if v["kept"]]


def holding(folder: Path, text: str) -> list[str]:
    """Give the files below a folder that hold a text."""
    return [str(p.relative_to(folder)) for p in folder.rglob("*") if p.is_file() and text.encode() in p.read_bytes()]


def test_the_newest_earlier_versions_stay(five: LocalDatastore, folder: Path) -> None:
    """`keep=2` leaves the present version and two before it; the others' bytes are gone from the disk."""
    gone = five.prune(keep=2)
    assert [(v["image"], v["version"]) for v in gone] == [("a", 2), ("a", 1)]
    assert kept(five) == [3, 4, 5] and kept(five, "b") == [1, 2]
    assert not holding(folder, "version 1") and holding(folder, "version 3")
    with pytest.raises(ConflictException, match="version 1"):
        five.restore_label("a", "review", 1)


def test_pruning_is_an_event(five: LocalDatastore) -> None:
    """Each version that goes is told in the feed, with who had it removed."""
    start = five.events()[-1]["seq"]
    with five.acting_as("the librarian"):
        five.prune(keep=3, image_id="a")
    news = five.events(after=start)
    assert [(e["action"], e["actor"], e["image"], e["tag"], e["version"]) for e in news] == [
        ("pruned", "the librarian", "a", "review", 1)
    ]


def test_age_counts_from_the_replacement(five: LocalDatastore) -> None:
    """`older_than` looks at when a version was replaced: nothing is that old, and by a later moment all is."""
    assert five.prune(older_than=timedelta(days=90)) == []
    assert five.prune(older_than=datetime.now(UTC) - timedelta(days=1)) == []
    assert len(five.prune(older_than=datetime.now(UTC) + timedelta(days=1), tag="review", keep=1)) == 3
    assert kept(five) == [4, 5]


def test_a_rehearsal_removes_nothing(five: LocalDatastore) -> None:
    """`dry_run` gives what would go, with sizes and times, and leaves it."""
    would = five.prune(keep=0, tag="review", dry_run=True)
    assert [v["size"] for v in would] == [9, 9, 9, 9, 3] and kept(five) == [1, 2, 3, 4, 5]
    assert all(v["time"] <= v["until"] for v in would)
    assert five.prune(keep=0, tag="review") == would and kept(five) == [5]


def test_what_was_removed_goes_only_with_keep_zero(five: LocalDatastore) -> None:
    """`keep=1` leaves what restoring needs; after `keep=0` a removed label does not come back."""
    five.remove_label("a", "review")
    five.prune(keep=1)
    assert five.restore_label("a", "review", 5) == 6
    five.remove_label("a", "review")
    five.prune(keep=0)
    with pytest.raises(ConflictException):
        five.restore_label("a", "review", 6)


def test_nothing_goes_unnamed(five: LocalDatastore, open_store: Callable[..., LocalDatastore]) -> None:
    """Pruning without a limit, with a senseless one, or read-only is refused."""
    for limits in ({}, {"keep": -1}):
        with pytest.raises(InvalidInputException):
            five.prune(**limits)
    with pytest.raises(ReadOnlyException):
        open_store(read_only=True).prune(keep=0)
    assert kept(five) == [1, 2, 3, 4, 5]


def test_an_interrupted_pruning_is_finished_by_the_next_opening(
    five: LocalDatastore, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Between the commit and the files' end the versions count as pruned; opening the folder removes the files."""

    def stop(step: str) -> None:
        if step == "done":
            raise KeyboardInterrupt

    five.label_versions("a", "review")
    monkeypatch.setattr(change_protocol, "on_step", stop)
    with pytest.raises(KeyboardInterrupt):
        five.prune(keep=0, image_id="a", tag="review")
    monkeypatch.setattr(change_protocol, "on_step", None)
    assert kept(five) == [5] and holding(folder, "version 2")
    with LocalDatastore(folder):
        assert not holding(folder, "version 2")


def test_a_persons_data_goes_for_good(store: LocalDatastore, source: Source, folder: Path) -> None:
    """`remove_image(purge=True)` leaves no byte of image, labels, versions and infos in any file of the datastore."""
    store.add_image("p", source("p.nii.gz", f"scan of {SECRET}".encode()), {"PatientName": SECRET})
    store.save_label("p", source("l.nii.gz", f"label of {SECRET}".encode()), "final", {"comment": SECRET})
    store.save_label("p", source("l.nii.gz", f"better label of {SECRET}".encode()), "final", {"comment": SECRET})
    store.update_image_info("p", {"PatientName": f"{SECRET}, corrected"})
    moment = store.events()[-1]["seq"]
    store.datalist(as_of=moment)
    (folder / ".monailabel" / ".snapshot.next.0123abcd").write_text(SECRET)  # as a killed writer leaves it
    others = {id: store.get_image_info(id) for id in ("a", "b")}
    assert len(holding(folder, SECRET)) > 3
    with store.acting_as("the data protection officer"):
        store.remove_image("p", purge=True)
    assert holding(folder, SECRET) == []
    store.close()
    assert holding(folder, SECRET) == []
    with LocalDatastore(folder) as again:
        assert holding(folder, SECRET) == []
        told = again.events(image_id="p")
        assert [e["action"] for e in told][-1] == "purged" and told[-1]["actor"] == "the data protection officer"
        assert all(e["new"] is None and e["old"] is None for e in told)
        assert {id: again.get_image_info(id) for id in ("a", "b")} == others
        assert "p" not in again.list_images() and "p" not in again.json(as_of=moment)["objects"]
        with pytest.raises(ImageNotFoundException):
            again.restore_image("p")
    assert [f for f in check(folder) if f.stands] == []


def test_what_was_removed_before_can_be_purged(store: LocalDatastore, folder: Path) -> None:
    """An image that was removed as usual can be erased later, and its id used again."""
    store.remove_image("a")
    store.remove_image("a", purge=True)
    assert not holding(folder, "label a") and not holding(folder, "proposal a")
    with pytest.raises(ImageNotFoundException):
        store.remove_image("never", purge=True)


def test_a_pruned_version_says_so(five: LocalDatastore) -> None:
    """Who asks for it is told that it was pruned, not that another program took it."""
    five.prune(keep=0, image_id="a", tag="review")
    with pytest.raises(
        ConflictException, match=r"version 2 of label 'review' of image 'a' was not kept: it was pruned"
    ):
        five.restore_label("a", "review", 2)


def test_kept_bytes_that_no_version_names_go_too(five: LocalDatastore, folder: Path) -> None:
    """Bytes in the history that a fault left without a version are erased with the image whose they were."""
    other = five.label_versions("b", "review")
    for version in ("version 2", "b 1"):
        (path,) = [p for p in (folder / ".monailabel" / "history").rglob("*.*") if p.read_bytes() == version.encode()]
        path.with_name(path.name[:2] + "f" * 30 + path.suffix).write_bytes(path.read_bytes())
    five.remove_image("a", purge=True)
    assert not holding(folder, "version 2") and len(holding(folder, "b 1")) == 2
    assert five.label_versions("b", "review") == other


def test_what_was_erased_gets_no_bytes_again(five: LocalDatastore, folder: Path) -> None:
    """A repair gives bytes that somebody brings back from elsewhere to no version that was erased."""
    (path,) = [p for p in (folder / ".monailabel" / "history").rglob("*.*") if p.read_bytes() == b"version 2"]
    name = path.name
    five.remove_image("a", purge=True)
    path.parent.mkdir(exist_ok=True)
    (path.parent / name).write_bytes(b"version 2")
    assert [f.repaired for f in check(folder, repair=True, low_space=0)] == [False]
    assert not any(v["kept"] for v in five.label_versions("a", "review"))


def test_copies_elsewhere_are_named(store: LocalDatastore, folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    """A document that was set aside earlier may hold the data too; a warning names it."""
    aside = folder / "datastore_v2.json.damaged-20260101-000000-aa"
    aside.write_text("{")
    with caplog.at_level(logging.WARNING):
        store.remove_image("a", purge=True)
    assert aside.name in caplog.text and aside.exists()
