"""Names that the disk takes for one: never do two images, or two labels, get one file."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from monailabel.datastore.local import LocalDatastore
from monailabel.interfaces.exception import ConflictException
from tests.unit.datastore.folding import DISKS

Source = Callable[..., str]
rename = os.rename  # the system's own, which gives an entry another spelling also where the rest is simulated

PAIRS = {"letter case": ("Case", "cASE"), "a letter with an accent": ("CAFÉ", "café")}
FORMS = {**PAIRS, "Unicode forms": ("caf\u00e9", "cafe\u0301")}  # exFAT tells these apart, as Linux' own disks do


@pytest.fixture(params=DISKS)
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Path]:
    """A disk that ignores letter case."""
    with DISKS[request.param](tmp_path / "disk") as path:
        (path / "Probe").touch()
        assert (path / "pROBE").exists()
        yield path / "studies"


@pytest.mark.parametrize("pair", PAIRS)
def test_two_images_never_get_one_file(disk: Path, source: Source, pair: str) -> None:
    """The second of two names that the disk takes for one is refused with the first, and nothing of it is kept."""
    first, second = PAIRS[pair]
    with LocalDatastore(str(disk)) as store:
        store.add_image(first, source("x.nii.gz", b"first"), {})
        events = store.events()
        with pytest.raises(ConflictException, match=f"{first}.nii.gz"):
            store.add_image(second, source("x.nii.gz", b"second"), {})
        image = store.get_image(first)
        assert image is not None and image.read() == b"first"
        assert store.list_images() == [first] and store.events() == events
        store.add_image(first, source("x.nii.gz", b"newer"), {})
        store.remove_image(first)
        assert store.add_image(second, source("x.nii.gz", b"second"), {}) == second


def test_two_unicode_forms_never_get_one_file(tmp_path: Path, source: Source) -> None:
    """The same for forms of one letter, on a disk that takes them for one (simulated: macOS' does)."""
    with DISKS["simulated"](tmp_path / "disk") as path, LocalDatastore(str(path / "studies")) as store:
        store.add_image("caf\u00e9", source("x.nii.gz", b"first"), {})
        with pytest.raises(ConflictException, match="takes"):
            store.add_image("cafe\u0301", source("x.nii.gz", b"second"), {})
        image = store.get_image("caf\u00e9")
        assert image is not None and image.read() == b"first"


def test_on_a_disk_that_tells_them_apart_they_are_two(folder: Path, source: Source) -> None:
    """Where the disk keeps both names, both images are kept."""
    with LocalDatastore(str(folder)) as store:
        for one, other in FORMS.values():
            store.add_image(one, source("x.nii.gz", b"one"), {})
            store.add_image(other, source("x.nii.gz", b"other"), {})
            images = store.get_image(one), store.get_image(other)
            assert [image and image.read() for image in images] == [b"one", b"other"]


def test_two_tags_never_get_one_folder(disk: Path, source: Source) -> None:
    """A tag whose folder the disk takes for another tag's is refused: a label would be in both."""
    with LocalDatastore(str(disk)) as store:
        store.add_image("a", source("a.nii.gz"), {})
        store.save_label("a", source("l.nii.gz", b"label"), "final", {})
        for tag in ("Final", "ORIGINAL"):
            with pytest.raises(ConflictException, match=f"'{tag}' refused: this disk takes it for '{tag.lower()}'"):
                store.save_label("a", source("l.nii.gz", b"other"), tag, {})
        label = store.get_label("a", "final")
        assert label is not None and label.read() == b"label"
        assert store.get_labels_by_image_id("a") == {"final": "a"}


def test_a_file_that_is_spelled_anew_is_one_image(disk: Path, source: Source) -> None:
    """After another program changed the letter case of a file's name, the image has its new name, and only that."""
    with LocalDatastore(str(disk)) as store:
        store.add_image("Case", source("x.nii.gz", b"bytes"), {"k": 1})
        rename(disk / "Case.nii.gz", disk / "case.nii.gz")
        store.refresh()
        assert store.list_images() == ["case"]
        rename(disk / "case.nii.gz", disk / "Case.nii.gz")
        store.refresh()
        assert store.list_images() == ["Case"] and store.get_image_info("Case")["k"] == 1
