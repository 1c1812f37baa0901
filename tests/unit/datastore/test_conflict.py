"""Two people save the same label: nobody overwrites unawares, and nothing that was sent is lost."""

import os
import pickle
from collections.abc import Callable
from pathlib import Path

import pytest

from monailabel.datastore.local import LocalDatastore
from monailabel.interfaces.exception import ConflictException, InvalidInputException, VersionConflictException

Source = Callable[..., str]


def etag(store: LocalDatastore) -> str:
    """Give the ETag of the label that the tests are about."""
    with store.open_label("a", "review") as opened:
        return opened.etag


def read(store: LocalDatastore, version: int | None = None) -> bytes:
    """Give the bytes of that label, or of a version of it."""
    label = store.get_label("a", "review", version=version)
    assert label is not None
    return label.read()


@pytest.fixture
def saved(store: LocalDatastore, source: Source) -> LocalDatastore:
    """A label that Anna saved."""
    with store.acting_as("anna"):
        store.save_label("a", source("l.nii.gz", b"anna's"), "review", {"round": 1})
    return store


def test_who_knows_the_newest_version_replaces_it(saved: LocalDatastore, source: Source) -> None:
    """With the ETag of the newest version a label is saved as without."""
    saved.save_label("a", source("l.nii.gz", b"next"), "review", {}, if_match=etag(saved))
    saved.save_label("a", source("l.nii.gz", b"last"), "review", {}, if_match=["nothing", etag(saved)])
    saved.save_label("a", source("l.nii.gz", b"any"), "review", {}, if_match="*")
    assert read(saved) == b"any" and len(saved.label_versions("a", "review")) == 4


def test_who_knows_an_older_version_overwrites_nothing(saved: LocalDatastore, source: Source) -> None:
    """What is sent on top of an older version is kept beside the newest, to be fetched and restored."""
    known = etag(saved)
    with saved.acting_as("ben"):
        saved.save_label("a", source("l.nii.gz", b"ben's"), "review", {"round": 2})
    with saved.acting_as("carl"), pytest.raises(VersionConflictException, match="kept as version 3") as refusal:
        saved.save_label("a", source("l.nii", b"carl's"), "review", {"round": 9}, if_match=known)
    assert refusal.value.version == 3 and isinstance(refusal.value, ConflictException)
    assert read(saved) == b"ben's" and saved.get_label_info("a", "review")["round"] == 2
    assert [(v["actor"], v["current"], v["kept"]) for v in saved.label_versions("a", "review")] == [
        ("anna", False, True),
        ("ben", True, True),
        ("carl", False, True),
    ]
    assert read(saved, 3) == b"carl's"
    assert saved.restore_label("a", "review", 3) == 4
    assert read(saved) == b"carl's" and saved.get_label_info("a", "review")["round"] == 9
    assert read(saved, 2) == b"ben's"


def test_a_label_that_must_not_be_there_yet(saved: LocalDatastore, source: Source) -> None:
    """`if_match=()` saves only where there is no label yet; any ETag, only where there is one."""
    with pytest.raises(VersionConflictException):
        saved.save_label("a", source("l.nii.gz", b"second"), "review", {}, if_match=())
    saved.save_label("a", source("l.nii.gz", b"new"), "fresh", {}, if_match=())
    with pytest.raises(VersionConflictException) as refusal:
        saved.save_label("a", source("l.nii.gz", b"gone?"), "never", {"k": 1}, if_match="*")
    assert "never" not in saved.get_labels_by_image_id("a")
    assert saved.restore_label("a", "never", refusal.value.version) == 2
    assert saved.get_label_info("a", "never")["k"] == 1


def test_what_names_no_version_is_refused(saved: LocalDatastore, source: Source) -> None:
    """A version's number is no checksum: refused with what to give, and nothing is kept of it."""
    before = saved.label_versions("a", "final")
    with pytest.raises(InvalidInputException, match="sha256"):
        saved.save_label("a", source("n.nii.gz", b"new"), "final", {}, if_match=2)  # type: ignore[arg-type]
    assert saved.label_versions("a", "final") == before


def test_a_label_changed_in_place_is_another_version(saved: LocalDatastore, source: Source, folder: Path) -> None:
    """Where another program wrote over the label, the ETag of the bytes before does not match any more."""
    known = etag(saved)
    (folder / "labels" / "review" / "a.nii.gz").write_bytes(b"scribbled over")
    with pytest.raises(VersionConflictException):
        saved.save_label("a", source("l.nii.gz", b"on the old one"), "review", {}, if_match=known)
    assert (folder / "labels" / "review" / "a.nii.gz").read_bytes() == b"scribbled over"


def test_what_was_refused_is_not_what_comes_back(saved: LocalDatastore, source: Source) -> None:
    """A removed image comes back as it was shown last, not as a version that was refused."""
    shown = saved.get_image("a")
    assert shown is not None
    with pytest.raises(VersionConflictException):
        saved.add_image("a", source("a.nii.gz", b"other bytes"), {}, if_match="unknown")
    saved.remove_image("a")
    saved.restore_image("a")
    back = saved.get_image("a")
    assert back is not None and back.read() == shown.read()


def test_the_refusal_crosses_processes() -> None:
    """The exception can be pickled, with its version."""
    refusal = pickle.loads(pickle.dumps(VersionConflictException("a sentence", 7)))
    assert (refusal.version, str(refusal)) == (7, "a sentence")


def test_a_label_that_was_only_touched_is_at_its_version(saved: LocalDatastore, folder: Path, source: Source) -> None:
    """Another time of the file makes no other version of it: whoever knows its checksum may replace it."""
    os.utime(folder / "labels" / "final" / "a.nii.gz", ns=(1, 1))
    known = saved.label_versions("a", "final")[-1]["sha256"]
    saved.save_label("a", source("newer.nii.gz", b"newer"), "final", {}, if_match=known)
    assert saved.label_versions("a", "final")[-1]["action"] == "replaced"


def test_a_refusal_says_what_is_there(saved: LocalDatastore, source: Source) -> None:
    """The version that it is at, or that there is none."""
    with pytest.raises(VersionConflictException, match="it is at version"):
        saved.save_label("a", source("newer.nii.gz", b"newer"), "final", {}, if_match="unknown")
    with pytest.raises(VersionConflictException, match="it is not there"):
        saved.save_label("a", source("newer.nii.gz", b"newer"), "another", {}, if_match="*")
