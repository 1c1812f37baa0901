"""Refreshing a folder in which nothing happened looks at nothing but the folders; whatever happens is seen."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from monailabel.datastore.local import LocalDatastore
from monailabel.datastore.scan import Scan
from tests.waiting import until

Open = Callable[..., LocalDatastore]
Source = Callable[..., str]


@pytest.fixture
def scans(monkeypatch: pytest.MonkeyPatch) -> list[Scan]:
    """Give a list of the comparisons of folders and catalog that are made from now on."""
    made: list[Scan] = []
    run = Scan.run

    def counted(self: Scan, *arguments: Any) -> bool:
        made.append(self)
        return run(self, *arguments)

    monkeypatch.setattr(Scan, "run", counted)
    return made


@pytest.fixture
def calm(store: LocalDatastore, scans: list[Scan]) -> LocalDatastore:
    """Give a datastore whose last refresh had nothing to do and compared nothing."""

    def is_calm() -> bool:
        scans.clear()
        store.refresh()
        return not scans

    until(is_calm)
    return store


def test_nothing_is_compared_again(calm: LocalDatastore, scans: list[Scan]) -> None:
    """However often it is refreshed."""
    for _ in range(5):
        calm.refresh()
    assert scans == []


def _drop_image(folder: Path) -> None:
    (folder / "new.nii.gz").write_bytes(b"new")


def _drop_label(folder: Path) -> None:
    (folder / "labels" / "final" / "b.nii.gz").write_bytes(b"label b")


def _drop_tag(folder: Path) -> None:
    (folder / "labels" / "second").mkdir()
    (folder / "labels" / "second" / "b.nii.gz").write_bytes(b"label b")


def _remove_tag(folder: Path) -> None:
    shutil.rmtree(folder / "labels" / "original")


def _edit_document(folder: Path) -> None:
    path = folder / "datastore_v2.json"
    document = json.loads(path.read_bytes())
    document["objects"]["b"]["image"]["info"]["by hand"] = True
    path.write_text(json.dumps(document))


@pytest.mark.parametrize(
    ("happen", "seen"),
    [
        (_drop_image, lambda store: "new" in store.list_images()),
        (_drop_label, lambda store: store.get_label_uri("b", "final")),
        (_drop_tag, lambda store: store.get_label_uri("b", "second")),
        (_remove_tag, lambda store: not store.get_label_uri("a", "original")),
        (_edit_document, lambda store: store.get_image_info("b").get("by hand")),
    ],
)
def test_what_others_do_ends_the_calm(
    calm: LocalDatastore, folder: Path, happen: Callable[[Path], None], seen: Callable[[LocalDatastore], object]
) -> None:
    """Files, folders and a document that others write are seen by the next refresh."""
    assert not seen(calm)
    happen(folder)
    calm.refresh()
    assert seen(calm)


def test_a_document_that_is_removed_is_written_again(calm: LocalDatastore, folder: Path) -> None:
    """Nothing was committed since, and yet there is something to do."""
    document = folder / "datastore_v2.json"
    document.unlink()
    calm.refresh()
    until(document.exists)


def test_what_another_process_commits_ends_the_calm(
    calm: LocalDatastore, folder: Path, child: Callable[..., Any], scans: list[Scan]
) -> None:
    """Its change may have left something to do."""
    child(
        """
        with LocalDatastore(sys.argv[1]) as store:
            store.update_image_info("a", {"n": 1})
        """,
        folder,
    )
    calm.refresh()
    assert scans


def test_a_catalog_that_was_set_aside_is_let_go(
    calm: LocalDatastore, folder: Path, open_store: Open, source: Source
) -> None:
    """A refresh follows to the catalog that has its name now."""
    state = folder / ".monailabel"
    (state / "catalog.db").rename(state / "catalog.db.aside")
    open_store().add_image("c", source("c.nii.gz"), {})
    calm.refresh()
    assert "c" in calm.list_images()
