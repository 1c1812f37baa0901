"""Many images and labels at once: the same as one after the other, and nothing lost where one is refused."""

from collections.abc import Callable
from pathlib import Path

import pytest

from monailabel.datastore.batch import FILES
from monailabel.datastore.local import LocalDatastore
from monailabel.interfaces.exception import ImageNotFoundException, InvalidInputException, ReadOnlyException

Source = Callable[..., str]


def lasting(store: LocalDatastore) -> dict[str, object]:
    """Give what there is, without the times."""
    document = store.json()["objects"]
    for entry in document.values():
        for file in (entry["image"], *entry["labels"].values()):
            file["info"].pop("ts")
    return document  # type: ignore[no-any-return]


def test_many_are_as_one_after_the_other(
    open_store: Callable[..., LocalDatastore], tmp_path: Path, source: Source
) -> None:
    """More than one batch of images and labels ends as single calls do: files, infos, versions, events, document."""
    count = FILES + 20
    images = [(f"i{n}" if n % 2 else None, source(f"i{n}.nii.gz", b"image %d" % n), {"n": n}) for n in range(count)]
    labels = [(f"i{n}", source(f"l{n}.nii", b"label %d" % n), "final", {"l": n}) for n in range(count)]
    together, singly = open_store(tmp_path / "together"), open_store(tmp_path / "singly")
    told: list[str] = []
    assert together.add_images(iter(images), told.extend) == [f"i{n}" for n in range(count)] == told
    assert together.save_labels(labels) == told
    for image in images:
        singly.add_image(*image)
    for label in labels:
        singly.save_label(*label)
    assert lasting(together) == lasting(singly)
    keys = ("seq", "action", "image", "tag", "version", "before", "after", "actor")
    assert [[e[k] for k in keys] for e in together.events()] == [[e[k] for k in keys] for e in singly.events()]
    for n in (0, FILES - 1, FILES, count - 1):
        label = together.get_label(f"i{n}", "final")
        assert label is not None and label.read() == b"label %d" % n
    together.close()
    assert list((tmp_path / "together" / ".monailabel" / "staging").iterdir()) == []


def test_one_name_twice_is_two_versions(store: LocalDatastore, source: Source) -> None:
    """What comes twice in one call replaces itself, and both are kept."""
    first, second = source("one.nii.gz", b"first"), source("two.nii", b"second")
    store.save_labels([("a", first, "review", {"k": 1}), ("a", second, "review", {"k": 2}), ("b", first, "review", {})])
    assert [v["name"] for v in store.label_versions("a", "review")] == ["a.nii.gz", "a.nii"]
    for version, data in ((1, b"first"), (2, b"second")):
        label = store.get_label("a", "review", version=version)
        assert label is not None and label.read() == data


def test_those_before_a_refused_one_are_there(store: LocalDatastore, source: Source, folder: Path) -> None:
    """A bad name, an unknown image and a file that is not there stop the rest, and take nothing back."""
    good = source("good.nii.gz")
    with pytest.raises(InvalidInputException, match="refused"):
        store.add_images([("one", good, {}), ("../two", good, {}), ("three", good, {})])
    with pytest.raises(FileNotFoundError):
        store.add_images([("four", good, {}), ("five", str(folder / "nowhere.nii.gz"), {})])
    with pytest.raises(ImageNotFoundException, match="nobody"):
        store.save_labels([("one", good, "final", {}), ("nobody", good, "final", {})])
    assert set(store.list_images()) == {"a", "b", "one", "four"}
    assert "final" in store.get_labels_by_image_id("one")
    store.close()
    assert list((folder / ".monailabel" / "staging").iterdir()) == []


def test_what_is_handed_over_in_another_form_is_refused(store: LocalDatastore, source: Source) -> None:
    """A file without its info, or a bare path, is named in the error, which says what each file is given as."""
    path = source("new.nii.gz")
    for wrong in (("new", path), path):
        with pytest.raises(InvalidInputException, match=r"new.*refused: give each file as \(id, path, info\)"):
            store.add_images([("one", path, {}), wrong])  # type: ignore[list-item]
    with pytest.raises(InvalidInputException, match=r"give each file as \(image id, path, tag, info\)"):
        store.save_labels([("a", path, "review")])  # type: ignore[list-item]
    assert set(store.list_images()) == {"a", "b", "one"}
    assert "review" not in store.get_labels_by_image_id("a")


def test_a_read_only_datastore_takes_none(open_store: Callable[..., LocalDatastore], store: LocalDatastore) -> None:
    """Many are refused as one is."""
    with pytest.raises(ReadOnlyException):
        open_store(read_only=True).add_images([])
