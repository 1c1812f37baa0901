"""Every version is kept with who and when, and comes back byte for byte."""

from collections.abc import Callable
from pathlib import Path

import pytest

from monailabel.datastore.local import LocalDatastore
from monailabel.interfaces.exception import ConflictException, ImageNotFoundException, LabelNotFoundException

Source = Callable[..., str]


@pytest.fixture
def five(store: LocalDatastore, source: Source) -> LocalDatastore:
    """A label that two people saved five times."""
    for n in range(5):
        with store.acting_as("anna" if n % 2 else "ben"):
            store.save_label("a", source("l.nii.gz", f"version {n + 1}".encode()), "review", {"round": n + 1})
    return store


def test_versions_tell_who_and_when(five: LocalDatastore) -> None:
    """Five savings by two people are five versions, in order, each with its author, and only the last is current."""
    versions = five.label_versions("a", "review")
    assert [v["version"] for v in versions] == [1, 2, 3, 4, 5]
    assert [v["actor"] for v in versions] == ["ben", "anna", "ben", "anna", "ben"]
    assert [v["current"] for v in versions] == [False] * 4 + [True]
    assert all(v["kept"] for v in versions)
    assert [v["time"] for v in versions] == sorted(v["time"] for v in versions)


def test_each_versions_bytes_come_back(five: LocalDatastore) -> None:
    """`get_label(version=…)` gives the bytes of that version, of the current one too."""
    for n in range(1, 6):
        label = five.get_label("a", "review", version=n)
        assert label is not None and label.read() == f"version {n}".encode()


def test_restoring_makes_a_version_of_its_own(five: LocalDatastore) -> None:
    """A restored version is the sixth, has the old bytes and info, and takes nothing away."""
    assert five.restore_label("a", "review", 2) == 6
    label = five.get_label("a", "review")
    assert label is not None and label.read() == b"version 2"
    assert five.get_label_info("a", "review")["round"] == 2
    assert [v["action"] for v in five.label_versions("a", "review")][-1] == "restored"
    label = five.get_label("a", "review", version=5)
    assert label is not None and label.read() == b"version 5"


def test_a_removed_image_comes_back_with_its_labels(store: LocalDatastore, source: Source) -> None:
    """`restore_image` brings back the image and the labels that were removed with it, not one removed before."""
    store.save_label("b", source("l.nii.gz", b"one"), "final", {"k": 1})
    store.save_label("b", source("l.nii.gz", b"two"), "original", {"k": 2})
    store.save_label("b", source("l.nii.gz", b"old"), "dropped", {})
    store.remove_label("b", "dropped")
    image = store.get_image("b")
    assert image is not None
    store.remove_image("b")
    assert store.get_image("b") is None and store.get_labels_by_image_id("b") == {}
    store.restore_image("b")
    back = store.get_image("b")
    assert back is not None and back.read() == image.read()
    assert store.get_labels_by_image_id("b") == {"final": "b", "original": "b"}
    assert store.get_label_info("b", "original")["k"] == 2


def test_what_cannot_come_back_is_said(store: LocalDatastore, source: Source, folder: Path) -> None:
    """Unknown versions, images and bytes that nobody kept give errors that name them."""
    store.save_label("a", source("l.nii.gz", b"one"), "made", {})
    with pytest.raises(LabelNotFoundException, match=r"version 7 .*'made'.*there are: 1"):
        store.get_label("a", "made", version=7)
    with pytest.raises(ImageNotFoundException, match="nobody"):
        store.restore_image("nobody")
    (folder / "labels" / "made" / "a.nii.gz").unlink()
    store.refresh()
    with pytest.raises(ConflictException, match="version 1"):
        store.restore_label("a", "made", 1)


def test_damaged_history_is_not_handed_out(five: LocalDatastore, folder: Path) -> None:
    """A byte changed in a kept version is found before it is restored or sent."""
    five.label_versions("a", "review")
    kept = [
        p for p in (folder / ".monailabel" / "history").rglob("*") if p.is_file() and p.read_bytes() == b"version 1"
    ]
    kept[0].write_bytes(b"version l")
    with pytest.raises(ConflictException, match="damaged"):
        five.restore_label("a", "review", 1)


def test_events_are_an_ordered_feed(store: LocalDatastore, source: Source) -> None:
    """A reader that remembers a number gets what came after it, once each, with old and new info."""
    start = store.events()[-1]["seq"] if store.events() else 0
    with store.acting_as("anna", authenticated=True):
        store.update_image_info("a", {"k": 1})
    store.save_label("a", source("l.nii.gz"), "made", {})
    store.set_description("a liver study")
    news = store.events(after=start)
    assert [(e["action"], e["image"], e["tag"]) for e in news] == [
        ("updated", "a", ""),
        ("added", "a", "made"),
        ("set", "", ""),
    ]
    assert [e["seq"] for e in news] == [start + 1, start + 2, start + 3]
    assert (news[0]["actor"], news[0]["authenticated"]) == ("anna", True)
    assert "k" not in news[0]["old"] and news[0]["new"]["k"] == 1
    assert store.events(after=start, limit=1) == news[:1] and store.events(after=start + 3) == []


def test_a_file_changed_in_place_by_another_program_is_kept_as_what_it_was(
    store: LocalDatastore, source: Source, folder: Path
) -> None:
    """Bytes that another program wrote over a label are kept as a version of actor unknown when it is replaced."""
    store.save_label("a", source("l.nii.gz", b"ours"), "made", {})
    (folder / "labels" / "made" / "a.nii.gz").write_bytes(b"scribbled by a script")
    store.save_label("a", source("l.nii.gz", b"ours again"), "made", {})
    versions = store.label_versions("a", "made")
    foreign = [v for v in versions if v["actor"] == "unknown"]
    assert len(foreign) == 1 and foreign[0]["kept"]
    label = store.get_label("a", "made", version=foreign[0]["version"])
    assert label is not None and label.read() == b"scribbled by a script"
    assert [v["kept"] for v in versions if v["version"] == 1] == [False]


def test_a_reader_takes_no_numbers_of_its_own(
    open_store: Callable[..., LocalDatastore], store: LocalDatastore, folder: Path
) -> None:
    """What a read-only datastore finds itself is listed, and is no event: its number will be another change's."""
    (folder / "c.nii").write_bytes(b"dropped in by another program")
    reader = open_store(read_only=True)
    assert "c" in reader.list_images()
    assert reader.events() == store.events() and reader.last_event() == store.last_event()
    store.update_image_info("a", {"k": 1})
    assert reader.events()[-1]["new"]["k"] == 1
    assert reader.events() == store.events() and reader.last_event() == store.last_event()
