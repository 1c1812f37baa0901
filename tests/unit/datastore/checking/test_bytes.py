"""Every file of a datastore: images, labels, earlier versions and what waits, each against what is known of it."""

import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from monailabel.datastore.check import Finding
from monailabel.datastore.local import LocalDatastore
from monailabel.interfaces.exception import ConflictException

Found = Callable[..., list[Finding]]
Open = Callable[..., LocalDatastore]
Source = Callable[..., str]


def flip(path: Path) -> None:
    """Change one byte as a failing disk does: neither size nor time of the file tell."""
    facts = path.stat()
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(bytes(data))
    os.utime(path, ns=(facts.st_atime_ns, facts.st_mtime_ns))


@pytest.fixture
def versions(store: LocalDatastore, folder: Path, source: Source) -> list[Path]:
    """Save a label thrice more, and give where the first three versions are kept."""
    for data in (b"second", b"third", b"fourth"):
        store.save_label("a", source("label.nii.gz", data), "final", {})
    assert len(store.label_versions("a", "final")) == 4
    kept = list((folder / ".monailabel" / "history").glob("*/*"))
    assert len(kept) == 3
    return sorted(kept, key=lambda path: path.read_bytes())


@pytest.mark.parametrize("name", ["a.nii.gz", "labels/final/a.nii.gz"], ids=["an image", "a label"])
def test_a_changed_byte_is_found_by_reading(store: LocalDatastore, folder: Path, found: Found, name: str) -> None:
    """One byte that a disk changed is named by `deep`, with what to do; without it nothing is read."""
    flip(folder / name)
    assert found() == []
    (finding,) = found(deep=True)
    assert (finding.kind, finding.stands) == ("damaged", True) and str(folder / name) in finding.what
    assert found(deep=True, repair=True) == [finding]


def test_bytes_changed_in_place_become_a_version(store: LocalDatastore, folder: Path, found: Found) -> None:
    """Bytes of the same number under a new time were written by somebody: `repair` takes them in."""
    path = folder / "labels/final/a.nii.gz"
    path.write_bytes(b"LABEL A")
    (finding,) = found(deep=True)
    assert (finding.kind, finding.stands) == ("changed", True)
    assert found(deep=True, repair=True)[0].repaired
    assert [version["version"] for version in store.label_versions("a", "final")] == [1, 2]
    assert found(deep=True) == []


def test_a_version_that_is_damaged_is_named(
    store: LocalDatastore, versions: list[Path], found: Found, open_store: Open
) -> None:
    """One changed byte in the history is named by `deep`, and that version is neither given out nor restored."""
    flip(versions[1])
    assert found() == []
    (finding,) = found(deep=True)
    assert (finding.kind, finding.stands) == ("version", True)
    assert "version 2 of label 'final' of image 'a'" in finding.what and str(versions[1]) in finding.what
    with pytest.raises(ConflictException, match="damaged"):
        store.get_label("a", "final", version=2)
    with pytest.raises(ConflictException, match="damaged"):
        store.restore_label("a", "final", 2)


@pytest.mark.parametrize("harm", ["cut", "gone"])
def test_a_version_that_is_cut_or_gone_is_named(
    store: LocalDatastore, versions: list[Path], found: Found, harm: str
) -> None:
    """Kept bytes of another number, or none, are found without reading."""
    versions[0].unlink() if harm == "gone" else versions[0].write_bytes(b"l")
    (finding,) = found()
    assert (finding.kind, finding.stands) == ("version", True) and str(versions[0]) in finding.what


def test_kept_bytes_that_no_version_names_are_told(
    store: LocalDatastore, folder: Path, versions: list[Path], found: Found
) -> None:
    """A file in the history that belongs to nothing is told and left alone."""
    stray = versions[0].with_name(versions[0].name[:2] + "0" * 30 + "." + "1" * 64)
    stray.write_bytes(b"stray")
    (finding,) = found(repair=True)
    assert (finding.kind, finding.stands) == ("history", True) and str(stray) in finding.what
    assert stray.read_bytes() == b"stray"


def test_a_version_gets_its_bytes_back(
    store: LocalDatastore, folder: Path, tmp_path: Path, source: Source, found: Found
) -> None:
    """Bytes that an old version lacks and that lie in the history under no name are given back to it by `repair`."""
    path = folder / "labels/final/a.nii.gz"
    shutil.copy2(path, tmp_path / "as it was")
    path.write_bytes(b"changed in place")
    store.refresh()
    assert [v["kept"] for v in store.label_versions("a", "final")] == [True]
    assert found(repair=True)[0].repaired
    first = store.label_versions("a", "final")[0]
    assert first["kept"] is False
    stray = folder / ".monailabel" / "history" / "00" / ("0" * 32 + "." + first["sha256"])
    stray.parent.mkdir()
    shutil.copy2(tmp_path / "as it was", stray)
    (finding,) = found()
    assert finding.stands and "version 1 of label 'final' of image 'a'" in finding.what
    assert found(repair=True)[0].repaired
    assert found(deep=True) == []
    label = store.get_label("a", "final", version=1)
    assert label is not None and label.read() == b"label a"


def test_a_stale_staged_file_is_told(store: LocalDatastore, folder: Path, found: Found) -> None:
    """What a dead writer left goes with the next opening, is told to who only looks, and one in use is left alone."""
    stale = folder / ".monailabel" / "staging" / ("0" * 32)
    with store.stage("image.nii.gz") as staged:
        staged.write(b"on its way")
        stale.write_bytes(b"left")
        (finding,) = found(read_only=True)
        assert (finding.kind, finding.stands) == ("staging", True) and str(stale) in finding.what
        assert found() == [] and not stale.exists()
        foreign = stale.with_name("thumbs.db")
        foreign.write_bytes(b"not ours")
        (finding,) = found(repair=True)
        assert (finding.kind, finding.stands) == ("staging", True) and foreign.exists()
        assert os.path.exists(staged.path)


def test_a_file_that_is_just_begun_is_no_finding(store: LocalDatastore, folder: Path, found: Found) -> None:
    """An empty file may be a living writer's, who has not locked it yet; an old one is nobody's."""
    begun = folder / ".monailabel" / "staging" / ("1" * 32)
    begun.touch()
    assert found(read_only=True) == []
    os.utime(begun, (0, 0))
    (finding,) = found(read_only=True)
    assert finding.kind == "staging" and str(begun) in finding.what


def test_looking_for_what_is_wrong_writes_nothing(
    store: LocalDatastore, folder: Path, versions: list[Path], found: Found, tree: Callable[..., object]
) -> None:
    """A deep look at a folder read-only leaves every byte and time as it was."""
    store.close()
    flip(versions[0])
    before = tree(folder)
    assert [finding.kind for finding in found(read_only=True, deep=True)] == ["version"]
    assert tree(folder) == before
