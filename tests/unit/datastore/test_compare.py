"""A folder is compared with the catalog piece by piece, with the same outcome as all at once."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from monailabel.datastore import compare
from monailabel.datastore.local import LocalDatastore

Open = Callable[..., LocalDatastore]


@pytest.mark.parametrize("chunk", [1, 2, 50_000])
def test_the_size_of_a_piece_does_not_matter(
    open_store: Open, folder: Path, chunk: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Files that came, went, were replaced and were renamed are told, with pieces of one file and of all files."""
    monkeypatch.setattr(compare, "CHUNK", chunk)
    for name in "abcde":
        (folder / f"{name}.nii.gz").write_bytes(name.encode())
    store = open_store()
    last = store.events()[-1]["seq"]
    (folder / "a.nii.gz").unlink()
    (folder / "new").write_bytes(b"B anew")
    os.replace(folder / "new", folder / "b.nii.gz")
    (folder / "c.nii.gz").rename(folder / "c.nii")
    (folder / "f.nii.gz").write_bytes(b"f")
    store.refresh()
    told = [(event["action"], event["image"]) for event in store.events(last)]
    assert sorted(told) == [("back", "c"), ("changed", "b"), ("found", "f"), ("missing", "a"), ("missing", "c")]
    assert store.list_images() == ["b", "c", "d", "e", "f"]
    assert store.get_image_uri("c").endswith("c.nii")


def test_names_of_one_file_are_told_apart(open_store: Open, folder: Path) -> None:
    """Hard links are images of their own: one that goes is missing, and the others stay."""
    (folder / "a.nii.gz").write_bytes(b"one")
    for name in "bc":
        os.link(folder / "a.nii.gz", folder / f"{name}.nii.gz")
    store = open_store()
    (folder / "b.nii.gz").unlink()
    store.refresh()
    assert store.list_images() == ["a", "c"]
    store.refresh()
    assert [event["action"] for event in store.events()] == ["found"] * 3 + ["missing"]
