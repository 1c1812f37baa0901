"""Which words become names of files: hostile ids and tags, extensions, hidden and half-copied files, two for one id."""

# mypy: disable-error-code="union-attr"
# Where an image or label is missing, None has no read(), and that is how the test fails.

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from monailabel.datastore.local import LocalDatastore
from monailabel.interfaces.exception import ImageNotFoundException, InvalidInputException, LabelNotFoundException

Open = Callable[..., LocalDatastore]
Source = Callable[..., str]
Tree = Callable[..., dict[str, tuple[object, ...]]]

HOSTILE = {
    "a way up": "../../x",
    "an absolute path": "/abs",
    "a path below": "a/b",
    "a Windows path": "a\\b",
    "the folder itself": ".",
    "the folder above": "..",
    "a NUL": "a\0b",
    "a newline": "a\nb",
    "a lone surrogate": "a\udcff",
}
CHANGES: dict[str, Callable[[LocalDatastore, str, str], object]] = {
    "add_image": lambda s, bad, file: s.add_image(bad, file, {}),
    "save_label, its image": lambda s, bad, file: s.save_label(bad, file, "final", {}),
    "save_label, its tag": lambda s, bad, file: s.save_label("a", file, bad, {}),
    "remove_image": lambda s, bad, file: s.remove_image(bad),
    "remove_label, its id": lambda s, bad, file: s.remove_label(bad, "final"),
    "remove_label, its tag": lambda s, bad, file: s.remove_label("a", bad),
    "update_image_info": lambda s, bad, file: s.update_image_info(bad, {"k": 1}),
    "update_label_info, its id": lambda s, bad, file: s.update_label_info(bad, "final", {"k": 1}),
    "update_label_info, its tag": lambda s, bad, file: s.update_label_info("a", bad, {"k": 1}),
}


@pytest.fixture
def surroundings(tmp_path: Path, folder: Path) -> Path:
    """Put files where hostile names would lead, beside the datastore and inside it."""
    for name in ("x", "x.nii.gz", "b.nii.gz", "sources/x.nii.gz"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"not yours")
    (folder / "a").mkdir()
    (folder / "a" / "b.nii.gz").write_bytes(b"not yours")
    return tmp_path


@pytest.mark.parametrize("change", CHANGES.values(), ids=CHANGES)
@pytest.mark.parametrize("bad", HOSTILE.values(), ids=HOSTILE)
def test_a_hostile_name_is_refused(
    surroundings: Path, store: LocalDatastore, open_store: Callable[..., LocalDatastore], source: Source, tree: Tree,
    change: Callable[..., object], bad: str,
) -> None:  # fmt: skip
    """A change with a name that leads elsewhere is refused with a clear error, and touches no file anywhere."""
    store.close()  # and with it what follows earlier changes in the background
    store, file = open_store(), source("file.nii.gz", b"new bytes")
    before, listed = tree(surroundings), store.json()
    with pytest.raises(InvalidInputException) as refusal:
        change(store, bad, file)
    assert isinstance(refusal.value, ValueError) and "refused" in refusal.value.msg
    assert tree(surroundings) == before and store.json() == listed


@pytest.mark.parametrize("change", [c for name, c in CHANGES.items() if name != "add_image"])
def test_an_empty_name_is_refused(store: LocalDatastore, source: Source, change: Callable[..., object]) -> None:
    """An empty id or tag is refused; only `add_image` has a meaning for it."""
    listed = store.json()
    with pytest.raises(InvalidInputException):
        change(store, "", source("file.nii.gz"))
    assert store.json() == listed


@pytest.mark.parametrize("bad", [*HOSTILE.values(), ""], ids=[*HOSTILE, "nothing"])
def test_a_hostile_name_reads_nothing(surroundings: Path, store: LocalDatastore, bad: str) -> None:
    """Asked for with a name that leads elsewhere, nothing is there."""
    assert store.get_image_uri(bad) == "" == store.get_label_uri(bad, "final") == store.get_label_uri("a", bad)
    assert store.get_image_info(bad) == {} == store.get_label_info(bad, "final") == store.get_label_info("a", bad)
    assert store.get_image(bad) is None and store.get_label(bad, "final") is None and store.get_label("a", bad) is None
    assert store.get_labels_by_image_id(bad) == {} and store.get_label_by_image_id("a", bad) == ""
    with pytest.raises(ImageNotFoundException):
        store.open_image(bad)
    with pytest.raises(LabelNotFoundException):
        store.open_label("a", bad)


@pytest.mark.parametrize("name", [".nii.gz", "a\nb.nii.gz", ".hidden.nii.gz", "a\x7f.nii"], ids=ascii)
def test_a_file_whose_name_gives_no_safe_id_is_refused(store: LocalDatastore, source: Source, name: str) -> None:
    """`add_image` without an id refuses a file whose own name would make none."""
    file, listed = source(name), store.list_images()
    with pytest.raises(InvalidInputException):
        store.add_image("", file, {})
    assert store.list_images() == listed


@pytest.mark.parametrize(
    "name",
    [
        "with a space",
        "1.2.840.113619.2.55.3",
        "trailing.nii.gz.inside",
        "Schädel-Größe",
        "頭部CT",
        "رأس",
        "голова",
        "😀",
        "a%2Fb",
        "~root",
        "-rf",
        "$(x); `y` | 'z' \"w\" #1 & [?] *",
        "x" * 240,
    ],
)
def test_names_of_any_script_are_fine(open_store: Open, folder: Path, source: Source, name: str) -> None:
    """Spaces, dots and the letters of any script are fine in ids and tags, now and after opening again."""
    store = open_store()
    assert store.add_image(name, source("x.nii.gz", b"i"), {}) == name
    store.save_label(name, source("y.nii.gz", b"l"), name, {})
    assert (folder / f"{name}.nii.gz").read_bytes() == b"i"
    assert (folder / "labels" / name / f"{name}.nii.gz").read_bytes() == b"l"
    expected = store.json()
    store.close()
    again = open_store()
    again.refresh()
    assert again.json() == expected and again.list_images() == [name]
    assert again.get_label(name, name).read() == b"l"
    again.remove_image(name)
    assert not (folder / f"{name}.nii.gz").exists() and not (folder / "labels" / name / f"{name}.nii.gz").exists()


@pytest.mark.parametrize("name", ["con", "LPT1", "aux.2024"])
def test_names_that_windows_reserves_are_refused_but_listed(
    open_store: Open, folder: Path, source: Source, name: str
) -> None:
    """A name that Windows reserves is refused for a new file and listed where it already exists."""
    (folder / f"{name}.nii.gz").write_bytes(b"i")
    store = open_store()
    assert store.get_image(name).read() == b"i"
    store.remove_image(name)
    with pytest.raises(InvalidInputException):
        store.add_image(name, source("x.nii.gz"), {})
    assert store.list_images() == []


SPLITS = [
    ("a.nii.b.nii.gz", "a.nii.b", ".nii.gz"),
    ("IMG.JPG.jpg", "IMG.JPG", ".jpg"),
    ("IMG.JPG", "IMG", ".JPG"),
    ("case.NII.GZ", "case", ".NII.GZ"),
    ("x.nii.gz", "x", ".nii.gz"),
    ("x.nii", "x", ".nii"),
    ("x.nii.gz.nii", "x.nii.gz", ".nii"),
    ("x.gz", "x", ".gz"),
]


@pytest.mark.parametrize(("name", "expected", "extension"), SPLITS, ids=[s[0] for s in SPLITS])
@pytest.mark.parametrize("way", ["found by a scan", "added"])
def test_only_the_end_is_cut(
    folder: Path, open_store: Open, source: Source, way: str, name: str, expected: str, extension: str
) -> None:
    """Only the end is cut from a file's name; the longest extension wins, letter case apart."""
    patterns = ("*.gz", "*.nii", "*.nii.gz", "*.jpg")
    if way == "added":
        store = open_store(extensions=patterns)
        assert store.add_image("", source(name, b"i"), {}) == expected
    else:
        (folder / name).write_bytes(b"i")
        store = open_store(extensions=patterns)
    assert store.list_images() == [expected]
    assert store.json()["objects"][expected]["image"]["ext"] == extension
    assert (folder / name).read_bytes() == b"i" and store.get_image(expected).read() == b"i"


def test_of_two_files_found_together_the_first_extension_wins(folder: Path, open_store: Open) -> None:
    """Of two files that give one id the one of the earlier extension is taken, the other is reported."""
    for name in ("x.png", "x.nii.gz", "y.nii.gz"):
        (folder / name).write_bytes(name.encode())
    store = open_store(extensions=("*.nii.gz", "*.png"))
    assert sorted(store.list_images()) == ["x", "y"] and store.get_image("x").read() == b"x.nii.gz"
    assert [p for p in store.problems() if "x.png" in p], store.problems()
    assert (folder / "x.png").read_bytes() == b"x.png"


def test_of_two_files_the_one_that_was_there_stays(folder: Path, open_store: Open) -> None:
    """A second file for an id that is taken changes nothing, whatever its extension; it is reported."""
    (folder / "x.png").write_bytes(b"first")
    store = open_store(extensions=("*.nii.gz", "*.png"))
    (folder / "x.nii.gz").write_bytes(b"second")
    store.refresh()
    assert store.list_images() == ["x"] and store.get_image("x").read() == b"first"
    assert [p for p in store.problems() if "x.nii.gz" in p], store.problems()
    (folder / "x.nii.gz").unlink()
    store.refresh()
    assert store.problems() == []


def test_hidden_files_are_not_listed(folder: Path, open_store: Open) -> None:
    """Hidden files, macOS's `._a.nii.gz` among them, are neither images nor labels nor tags."""
    for name in ("._a.nii.gz", ".b.nii.gz", "a.nii.gz", "labels/final/._a.nii.gz", "labels/.x/a.nii.gz"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"i")
    store = open_store()
    assert store.list_images() == ["a"] and store.get_labels_by_image_id("a") == {}


@pytest.mark.parametrize("place", ["an image", "a label"])
def test_a_file_still_being_written_is_not_listed(store: LocalDatastore, folder: Path, place: str) -> None:
    """A new file is taken when nobody has it open for writing any more, and then whole."""
    path = folder / "c.nii.gz" if place == "an image" else folder / "labels" / "final" / "b.nii.gz"
    with open(path, "wb") as copying:
        copying.write(b"half ")
        copying.flush()
        store.refresh()
        assert store.list_images() == ["a", "b"] and store.get_labels_by_image_id("b") == {}
        copying.write(b"and half")
    store.refresh()
    found = store.get_image("c") if place == "an image" else store.get_label("b", "final")
    assert found.read() == b"half and half"


def test_names_that_are_not_utf8_are_reported(folder: Path, open_store: Open) -> None:
    """A file, or a tag's folder, whose name is not UTF-8 is reported and not listed, and disturbs nothing."""
    (folder / "labels").mkdir()
    with open(os.fsencode(folder) + b"/caf\xe9.nii.gz", "wb") as file:
        file.write(b"i")
    os.mkdir(os.fsencode(folder) + b"/labels/caf\xe9")
    (folder / "a.nii.gz").write_bytes(b"i")
    store = open_store()
    assert store.list_images() == ["a"] and store.get_labels_by_image_id("a") == {}
    assert [p for p in store.problems() if "caf" in p], store.problems()
    assert all(p.encode() for p in store.problems())
    assert store.json_bytes().isascii()


def test_extensions_never_hide_what_is_known(folder: Path, open_store: Open, source: Source) -> None:
    """Two programs may open one folder with different extensions: each lists what either has taken in."""
    (folder / "a.nii.gz").write_bytes(b"i")
    (folder / "b.png").write_bytes(b"i")
    first = open_store(extensions=("*.nii.gz",))
    assert first.list_images() == ["a"]
    second = open_store(extensions=("*.png",))
    second.save_label("a", source("l.nrrd", b"l"), "final", {})
    for store in (first, second):
        store.refresh()
        assert sorted(store.list_images()) == ["a", "b"]
        assert store.get_label("a", "final").read() == b"l"


@pytest.mark.parametrize("name", ["x.dcm", "x.seg.nrrd", "x.json", "x.bin", "x"])
def test_what_is_added_may_have_any_extension(folder: Path, open_store: Open, source: Source, name: str) -> None:
    """Images and labels that are added keep the extension they come with, though no scan would take it in."""
    store = open_store()
    extension = name.removeprefix("x")
    store.add_image("a", source(name, b"i"), {})
    store.save_label("a", source(name, b"l"), "final", {})
    store.refresh()
    store.close()
    again = open_store()
    again.refresh()
    assert (folder / f"a{extension}").read_bytes() == b"i"
    assert (folder / "labels" / "final" / f"a{extension}").read_bytes() == b"l"
    entry = again.json()["objects"]["a"]
    assert entry["image"]["ext"] == extension == entry["labels"]["final"]["ext"]


def test_a_pattern_with_more_than_an_extension(folder: Path, open_store: Open, source: Source) -> None:
    """The pattern `*_ct.nii.gz` gives id `c` and extension `_ct.nii.gz` for `c_ct.nii.gz`, and passes over others."""
    for name in ("c_ct.nii.gz", "c_pet.nii.gz", "d.nii.gz"):
        (folder / name).write_bytes(name.encode())
    store = open_store(extensions=("*_ct.nii.gz",))
    assert store.list_images() == ["c"] and store.get_image("c").read() == b"c_ct.nii.gz"
    assert store.json()["objects"]["c"]["image"]["ext"] == "_ct.nii.gz"
    assert store.add_image("", source("e_ct.nii.gz"), {}) == "e" and (folder / "e_ct.nii.gz").exists()


@pytest.mark.parametrize("pattern", ["scan_*.nii.gz", "scan_[0-9].nii.gz", "scan_?.NII.gz"])
def test_extensions_may_be_any_glob(folder: Path, open_store: Open, pattern: str) -> None:
    """A glob with something before the wildcard decides what a scan takes in; one string may stand for one pattern."""
    for name in ("scan_1.nii.gz", "other.nii.gz"):
        (folder / name).write_bytes(b"i")
    assert open_store(extensions=pattern).list_images() == ["scan_1"]


def test_a_labels_file_belongs_to_the_longest_image_id(folder: Path, open_store: Open) -> None:
    """A label's file belongs to the longest image id that it begins with."""
    (folder / "labels" / "final").mkdir(parents=True)
    for name in ("case", "case_1", "case.1", "other"):
        (folder / f"{name}.nii.gz").write_bytes(b"i")
    for name in ("case_1.nii.gz", "case.1.seg.nrrd", "other_seg.nii.gz"):
        (folder / "labels" / "final" / name).write_bytes(name.encode())
    store = open_store(extensions=("*.nii.gz", "*.nrrd"))
    assert sorted(store.get_labeled_images()) == ["case.1", "case_1", "other"]
    assert store.get_label("case_1", "final").read() == b"case_1.nii.gz"
    assert store.get_label("case.1", "final").read() == b"case.1.seg.nrrd"
    assert store.get_label("other", "final").read() == b"other_seg.nii.gz"
    assert store.json()["objects"]["other"]["labels"]["final"]["ext"] == "_seg.nii.gz"
