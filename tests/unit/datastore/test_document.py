"""What happens to datastore_v2.json in other hands: edited, damaged, or received from strangers."""

# mypy: disable-error-code="union-attr"
# Where an image or label is missing, None has no read(), and that is how the test fails.

import gc
import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from monailabel.datastore import note, snapshot
from monailabel.datastore.local import LocalDatastore
from monailabel.interfaces.exception import DamagedDatastoreException, ImageNotFoundException, MONAILabelException
from tests.waiting import until

Open = Callable[..., LocalDatastore]
Source = Callable[..., str]
Tree = Callable[..., dict[str, tuple[object, ...]]]


def read(folder: Path) -> dict[str, Any]:
    """Read the document as another program does."""
    content: dict[str, Any] = json.loads((folder / "datastore_v2.json").read_bytes())
    return content


def write_in_place(folder: Path, content: object) -> None:
    """Write the document as MONAI Label does."""
    (folder / "datastore_v2.json").write_text(json.dumps(content, indent=2))


def write_by_rename(folder: Path, content: object) -> None:
    """Write the document as careful programs do."""
    (folder / "edited.tmp").write_text(json.dumps(content))
    os.replace(folder / "edited.tmp", folder / "datastore_v2.json")


Write = Callable[[Path, object], None]
both_ways = pytest.mark.parametrize("write", [write_in_place, write_by_rename], ids=["in place", "by rename"])


def refreshed(store: LocalDatastore, open_store: Open) -> LocalDatastore:
    """Take a change in while the datastore is open."""
    store.refresh()
    return store


def reopened(store: LocalDatastore, open_store: Open) -> LocalDatastore:
    """Take a change in by opening another."""
    return open_store()


Take = Callable[[LocalDatastore, Open], LocalDatastore]
both_takes = pytest.mark.parametrize("take", [refreshed, reopened], ids=["refreshed", "opened"])


@both_takes
@both_ways
def test_an_edited_document_is_taken_in(
    store: LocalDatastore, folder: Path, open_store: Open, write: Write, take: Take
) -> None:
    """Infos, name and description that another program wrote into the document are taken in."""
    content = read(folder)
    content["name"], content["description"] = "renamed", "Described"
    content["objects"]["a"]["image"]["info"]["modality"] = "MR"
    content["objects"]["a"]["labels"]["final"]["info"]["segmentationMeta"] = {"status": "approved"}
    write(folder, content)
    store = take(store, open_store)
    assert (store.name(), store.description()) == ("renamed", "Described")
    assert store.get_image_info("a")["modality"] == "MR"
    assert store.get_label_info("a", "final")["segmentationMeta"] == {"status": "approved"}
    assert store.json() == content


@both_takes
@both_ways
def test_absence_in_the_document_deletes_nothing(
    store: LocalDatastore, folder: Path, open_store: Open, write: Write, take: Take
) -> None:
    """An image, label or key that another program left out is kept, and is in the document again."""
    before = store.json()
    content = read(folder)
    del content["objects"]["b"], content["objects"]["a"]["labels"]["original"]
    del content["objects"]["a"]["image"]["info"]["modality"]
    write(folder, content)
    store = take(store, open_store)
    assert store.json() == before
    store.set_description(store.description() + "!")
    assert read(folder)["objects"] == before["objects"]


def test_both_sides_changes_are_kept(store: LocalDatastore, folder: Path, open_store: Open) -> None:
    """An edit is compared with what we last wrote: what changed here since stays, what changed there is added."""
    content = read(folder)
    store.update_image_info("a", {"here": 1})
    store.update_label_info("a", "final", {"client_id": "here"})
    content["objects"]["a"]["image"]["info"]["there"] = 2
    content["objects"]["a"]["labels"]["original"]["info"]["model"] = "there"
    write_in_place(folder, content)
    store.refresh()
    info = store.get_image_info("a")
    assert (info["here"], info["there"]) == (1, 2)
    assert store.get_label_info("a", "original")["model"] == "there"
    assert read(folder) == json.loads(store.json_bytes())


def test_an_edit_is_not_overwritten_by_the_next_change(store: LocalDatastore, folder: Path, source: Source) -> None:
    """A change made here right after an edit there does not lose the edit."""
    content = read(folder)
    content["objects"]["b"]["image"]["info"]["there"] = 2
    write_in_place(folder, content)
    store.add_image("c", source("c.nii.gz"), {})
    store.refresh()
    store.close()
    assert read(folder)["objects"]["b"]["image"]["info"]["there"] == 2 and "c" in read(folder)["objects"]


@pytest.mark.parametrize("edited", [False, True], ids=["untouched", "edited"])
@pytest.mark.parametrize("names", [("datastore_v2.json",), ("datastore_v2.json", ".monailabel/snapshot.json")])
def test_an_older_document_after_a_power_loss_undoes_nothing(
    store: LocalDatastore,
    folder: Path,
    open_store: Open,
    monkeypatch: pytest.MonkeyPatch,
    names: tuple[str, ...],
    edited: bool,
) -> None:
    """What a disk brings back of an older document is no edit; what somebody wrote into that document is one."""
    older, later = {name: (folder / name).read_bytes() for name in names}, folder.with_name("later")
    store.update_image_info("a", {"modality": "MR"})
    store.set_description("newer")
    store.remove_label("a", "original")
    shutil.copytree(folder, later)
    for name, data in older.items():
        (later / name).write_bytes(data)
    if edited:
        content = read(later)
        content["objects"]["b"]["image"]["info"]["there"] = 2
        write_in_place(later, content)
    monkeypatch.setattr(note, "_boot", lambda: "the machine was started again")
    with open_store(later) as again:
        assert (again.get_image_info("a")["modality"], again.description()) == ("MR", "newer")
        assert again.get_labels_by_image_id("a") == {"final": "a"}
        assert again.get_image_info("b").get("there") == (2 if edited else None)


def test_of_two_values_both_are_in_the_events(store: LocalDatastore, folder: Path) -> None:
    """Where both sides changed one key, neither value is lost: the events have both."""
    content = read(folder)
    store.update_image_info("a", {"modality": "value from here"})
    content["objects"]["a"]["image"]["info"]["modality"] = "value from there"
    write_in_place(folder, content)
    store.refresh()
    told = json.dumps(store.events(), default=str)
    assert "value from here" in told and "value from there" in told
    assert store.get_image_info("a")["modality"] in ("value from here", "value from there")


def test_a_label_named_in_the_document_is_taken_with_its_file(
    store: LocalDatastore, folder: Path, open_store: Open
) -> None:
    """Files and their entries that MONAI Label added beside us come in together, info included."""
    content = read(folder)
    (folder / "labels" / "version_1").mkdir()
    (folder / "labels" / "version_1" / "b.nrrd").write_bytes(b"l")
    entry = {"ext": ".nrrd", "info": {"ts": 5, "name": "b.nrrd", "by": "another"}}
    content["objects"]["b"]["labels"]["version_1"] = entry
    write_in_place(folder, content)
    store.refresh()
    assert store.get_label("b", "version_1").read() == b"l"
    assert store.json()["objects"]["b"]["labels"]["version_1"] == entry


DAMAGE = {
    "empty": b"",
    "cut off": b'{"name": "new-dataset", "description": "New Data',
    "no JSON": b"\x00\xff\xfe garbage",
    "a list": b"[1, 2]",
    "of another shape": b'{"name": "x", "description": "y", "objects": {"a": 5}}',
}


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
@both_takes
def test_a_damaged_document_is_set_aside(
    store: LocalDatastore, folder: Path, open_store: Open, damage: bytes, take: Take
) -> None:
    """A document that cannot be read is written anew from the catalog; what was in the file is set aside."""
    before = store.json()
    (folder / "datastore_v2.json").write_bytes(damage)
    store = take(store, open_store)
    assert store.json() == before and read(folder) == before
    assert any(path.is_file() and path.read_bytes() == damage for path in folder.rglob("*"))


def test_a_document_that_is_gone_is_written_anew(store: LocalDatastore, folder: Path, open_store: Open) -> None:
    """Without its document a known folder opens with everything, and the document is there again."""
    before = store.json()
    store.close()
    (folder / "datastore_v2.json").unlink()
    assert open_store().json() == before
    assert read(folder) == before


@pytest.mark.parametrize("damage", DAMAGE.values(), ids=DAMAGE)
def test_a_damaged_document_without_a_catalog(folder: Path, open_store: Open, damage: bytes) -> None:
    """Where there is no catalog yet, the error names the file and the command that mends it; nothing is changed."""
    (folder / "a.nii.gz").write_bytes(b"i")
    (folder / "datastore_v2.json").write_bytes(damage)
    for _turn in ("first", "again"):
        with pytest.raises(DamagedDatastoreException) as refusal:
            open_store()
        assert "datastore_v2.json" in refusal.value.msg and "monailabel-datastore" in refusal.value.msg
        assert (folder / "datastore_v2.json").read_bytes() == damage


@pytest.mark.parametrize("key", ["images_dir", "labels_dir"])
@pytest.mark.parametrize("way", ["absolute", "above", "through a link"])
def test_a_received_document_may_not_lead_outside(
    folder: Path, tmp_path: Path, open_store: Open, tree: Tree, key: str, way: str
) -> None:
    """A document whose folders lead outside is refused, unless the constructor says the same."""
    outside = tmp_path / "outside"
    (outside / "final").mkdir(parents=True)
    (outside / "a.nii.gz").write_bytes(b"private")
    (outside / "final" / "a.nii.gz").write_bytes(b"private")
    (folder / "a.nii.gz").write_bytes(b"i")
    (folder / "link").symlink_to(outside)
    told = {"absolute": str(outside), "above": "../outside", "through a link": "link"}[way]
    received = {"name": "n", "description": "d", "images_dir": ".", "labels_dir": "labels", "objects": {}, key: told}
    write_in_place(folder, received)
    before = tree(outside)
    with pytest.raises(MONAILabelException, match=key):
        open_store()
    assert tree(outside) == before
    options: dict[str, Any] = {key: told}
    store = open_store(**options)
    assert store.json()[key] == told
    found = store.get_image_uri("a") if key == "images_dir" else store.get_label_uri("a", "final")
    assert found.startswith(str(outside))


def test_hostile_entries_are_kept_and_reach_no_file(folder: Path, tmp_path: Path, open_store: Open, tree: Tree) -> None:
    """Ids, tags and extensions that lead elsewhere stay in the document, and no file is read or removed for them."""
    for name in ("evil.nii.gz", "studies/a.nii.gz"):
        (tmp_path / name).write_bytes(b"private")
    file = {"ext": ".nii.gz", "info": {"ts": 1, "name": "n"}}
    hostile = {
        "../evil": {"image": file, "labels": {"final": file}},
        "/abs": {"image": file, "labels": {}},
        "a": {"image": file, "labels": {"../..": file, "final": {"ext": "/../../../evil.nii.gz", "info": {}}}},
        "x": {"image": {"ext": "/../../evil.nii.gz", "info": {}}, "labels": {}},
    }
    received = {"name": "n", "description": "d", "images_dir": ".", "labels_dir": "labels", "objects": hostile}
    write_in_place(folder, received)
    before = (tmp_path / "evil.nii.gz").stat()
    store = open_store()
    assert store.list_images() == ["a"] and store.get_labels_by_image_id("a") == {}
    assert store.get_image_uri("../evil") == "" and store.get_image("x") is None
    with pytest.raises((ValueError, ImageNotFoundException)):
        store.remove_image("../evil")
    store.set_description("changed")
    store.close()
    written = read(folder)
    assert written["description"] == "changed"
    assert {"../evil", "/abs", "x"} <= written["objects"].keys()
    assert {"../..", "final"} <= written["objects"]["a"]["labels"].keys()
    assert (tmp_path / "evil.nii.gz").stat() == before


@pytest.mark.parametrize("images", [0, 1, 2, 3, 5])
def test_pages_make_one_document(
    open_store: Open, folder: Path, source: Source, images: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told two images at a time, the document is the same on disk, over the interface and by `json()`."""
    monkeypatch.setattr("monailabel.catalog.document.PAGE", 2)
    store = open_store()
    store.set_description("größer")
    for number in range(images):
        store.add_image(f"ä_{number}", source("i.nii.gz"), {"place": number})
        for tag in ("second", "first"):
            store.save_label(f"ä_{number}", source("l.nii.gz"), tag, {})
    assert list(store.json()["objects"]) == [f"ä_{number}" for number in range(images)]
    assert all(list(entry["labels"]) == ["second", "first"] for entry in store.json()["objects"].values())
    told = json.loads(store.json_bytes())
    assert store.json() == told
    assert (folder / "datastore_v2.json").read_text("ascii") == json.dumps(told, indent=2)
    (folder / "datastore_v2.json").unlink()
    assert json.dumps(store.json()) == json.dumps(told)


def test_the_first_document_is_written_at_the_latest_when_closing(
    open_store: Open, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long it takes: other programs would find a folder that was opened and closed without a document."""
    monkeypatch.setattr("monailabel.datastore.store._CLOSE_SECONDS", 0.0)
    monkeypatch.setattr("monailabel.datastore.store._SNAPSHOT_AFTER", 60.0)
    for number in range(120):
        (folder / f"i{number}.nii.gz").write_bytes(b"i")
    store = open_store()
    store.close()
    assert len(read(folder)["objects"]) == 120


@pytest.fixture
def small_pages(monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the document made of pages of three images each."""
    monkeypatch.setattr("monailabel.catalog.document.PAGE", 3)


def assert_is_as_told(store: LocalDatastore, folder: Path, what: str) -> None:
    """Compare the document with what the catalog tells: it is made of the last one's pages, that is not."""
    told = json.loads(store.json_bytes())
    assert (folder / "datastore_v2.json").read_text("ascii") == json.dumps(told, indent=2), what


Step = Callable[[LocalDatastore, Path, str, str], object]
STEPS: dict[str, Step] = {
    "an info is updated": lambda store, _, image, file: store.update_image_info(image, {"note": file}),
    "a label is saved": lambda store, _, image, file: store.save_label(image, file, "final", {"by": "ann"}),
    "its info is updated": lambda store, _, image, file: store.update_label_info(image, "final", {"level": "hard"}),
    "it is removed": lambda store, _, image, file: store.remove_label(image, "final"),
    "an image is replaced": lambda store, _, image, file: store.add_image(image, file, {"again": True}),
    "an image is added": lambda store, _, image, file: store.add_image(f"new_{image}", file, {}),
    "two are added at once": lambda store, _, image, file: store.add_images([(f"{image}_{n}", file, {}) for n in "ab"]),
    "one is removed": lambda store, _, image, file: store.remove_image(f"{image}_a"),
    "it is added again, and goes to the end": lambda store, _, image, file: store.add_image(f"{image}_a", file, {}),
    "one is erased": lambda store, _, image, file: store.remove_image(f"{image}_b", purge=True),
    "the name is set": lambda store, _, image, file: store.set_name(f"of {image}"),
    "a file is gone": lambda store, folder, image, file: ((folder / f"{image}.nii.gz").unlink(), store.refresh()),
    "it is there again": lambda store, folder, image, file: (
        shutil.copy(file, folder / f"{image}.nii.gz"),
        store.refresh(),
    ),
}


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize("number", [0, 2, 3, 7])
def test_a_document_made_of_pages_of_the_last_one_is_the_whole(
    open_store: Open, folder: Path, source: Source, number: int
) -> None:
    """After each kind of change, of images on the first, a middle or the last page, the document is as if made anew."""
    store, file = open_store(), source("i.nii.gz")
    for place in range(8):
        store.add_image(f"i{place}", file, {"place": place})
    for what, step in STEPS.items():
        step(store, folder, f"i{number}", file)
        assert_is_as_told(store, folder, what)
    for place in range(8):
        store.remove_image(f"i{place}")
        assert_is_as_told(store, folder, f"without i{place}")


@pytest.mark.usefixtures("small_pages")
def test_an_image_that_moved_and_went_is_on_no_page(open_store: Open, folder: Path, source: Source) -> None:
    """What was removed, added and removed again since the document was written last is not in the next one."""
    store, file = open_store(), source("i.nii.gz")
    store.add_images([(f"i{place}", file, {}) for place in range(120)])
    until(lambda: len(read(folder)["objects"]) == 120)
    for change in (store.remove_image, lambda image: store.add_image(image, file, {}), store.remove_image):
        change("i1")
    store.update_image_info("i7", {"note": "x"})
    store.close()
    assert_is_as_told(open_store(read_only=True), folder, "when closed")


@pytest.mark.usefixtures("small_pages")
def test_two_processes_write_documents_in_turns(open_store: Open, folder: Path, source: Source) -> None:
    """Who writes a document takes the pages of the one that was written last, by whomever."""
    stores, file = [open_store(), open_store()], source("i.nii.gz")
    for place in range(12):
        stores[place % 2].add_image(f"i{place}", file, {})
        stores[place // 3 % 2].update_image_info(f"i{place // 2}", {"place": place})
        assert_is_as_told(stores[0], folder, f"at {place}")


@pytest.mark.usefixtures("small_pages")
def test_a_page_that_lost_its_bytes_is_made_anew(open_store: Open, folder: Path, source: Source) -> None:
    """Bytes of our own copy that the disk gives back changed, under the old size and time, reach no document."""
    store, copy = open_store(), folder / ".monailabel" / "snapshot.json"
    for place in range(8):
        store.add_image(f"i{place}", source("i.nii.gz"), {"note": "right"})
    facts, data = copy.stat(), copy.read_bytes()
    with copy.open("r+b") as file:
        file.write(data.replace(b"right", b"wrong"))
    os.utime(copy, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    store.update_image_info("i7", {"more": 1})
    assert b"wrong" not in (folder / "datastore_v2.json").read_bytes()
    assert_is_as_told(store, folder, "after the change")


NOTES: dict[str, Callable[[bytes], bytes]] = {
    "empty": lambda _: b"",
    "cut short": lambda note: note[:-20],
    "no JSON": lambda _: b"\xff[[",
    "of another form": lambda _: b'{"parts": 1}',
    "with other pages": lambda note: json.dumps([*json.loads(note)[:4], [[3, 3, 0, 10, 0]] * 4]).encode(),
    "with a page that ends behind the document": lambda note: json.dumps(
        [*json.loads(note)[:4], [[3, 3, 5, 10**15, 0], [3, 6, 10, 20, 0]]]
    ).encode(),
    "with texts": lambda note: json.dumps([*json.loads(note)[:4], [[3, "3", 5, 10, 0]]]).encode(),
    "nested": lambda _: b"[" * 100_000,
}


@pytest.mark.usefixtures("small_pages")
@pytest.mark.parametrize("how", NOTES)
def test_a_note_of_the_pages_that_is_damaged_is_not_believed(
    open_store: Open, folder: Path, source: Source, how: str
) -> None:
    """Whatever the note says of the pages of our copy, the next document is the whole."""
    note = folder / ".monailabel" / "snapshot.parts"
    with open_store() as first:
        for place in range(8):
            first.add_image(f"i{place}", source("i.nii.gz"), {"place": place})
    note.write_bytes(NOTES[how](note.read_bytes()))
    store = open_store()
    store.update_image_info("i7", {"more": 1})
    assert_is_as_told(store, folder, how)


def _gone(document: Path) -> None:
    document.unlink()


def _cut(document: Path) -> None:
    os.truncate(document, 40)


def _changed(document: Path) -> None:
    document.write_bytes(document.read_bytes().replace(b'"a"', b'"zz"'))


def _rotten(document: Path) -> None:
    """Change a letter and no time stamp: what is left is a document."""
    facts = document.stat()
    document.write_bytes(document.read_bytes().replace(b'"final"', b'"finam"'))
    os.utime(document, ns=(facts.st_atime_ns, facts.st_mtime_ns))


@pytest.mark.parametrize("happens", [_gone, _cut, _changed, _rotten])
def test_json_tells_the_datastore_whatever_becomes_of_its_document(
    store: LocalDatastore, folder: Path, happens: Callable[[Path], None]
) -> None:
    """What `json()` gives is what was saved, where the document on disk is another one by now."""
    before = json.loads(store.json_bytes())
    happens(folder / "datastore_v2.json")
    assert store.json() == before


def test_json_of_an_empty_datastore_is_its_own(open_store: Open, folder: Path) -> None:
    """What another program wrote that says nothing of images is not given out as if we had written it."""
    store = open_store()
    (folder / "datastore_v2.json").write_text('{"name": "new-dataset", "description": "New Dataset"}')
    store.refresh()
    assert store.json()["objects"] == {}
    store.close()
    assert read(folder)["objects"] == {}


def test_json_gives_each_caller_a_dictionary_of_its_own(store: LocalDatastore, open_store: Open) -> None:
    """What a caller does with the dictionary reaches nobody else, and what others commit is in the next one."""
    first = store.json()
    first["objects"].clear()
    assert store.json() == json.loads(store.json_bytes())
    open_store().update_image_info("a", {"note": "by another"})
    assert store.json()["objects"]["a"]["image"]["info"]["note"] == "by another"


@pytest.mark.parametrize("enabled", [False, True])
def test_json_leaves_the_garbage_collector_as_it_was(store: LocalDatastore, enabled: bool) -> None:
    """Whether the program has it switched off is the program's affair."""
    try:
        (gc.enable if enabled else gc.disable)()
        assert store.json()["objects"]
        assert gc.isenabled() is enabled
    finally:
        gc.enable()


def test_json_leaves_frozen_what_the_program_froze(store: LocalDatastore) -> None:
    """What a server froze before it forked stays out of the collector's sight, in memory that its children share."""
    gc.freeze()
    try:
        assert gc.get_freeze_count()
        assert store.json()["objects"]
        assert gc.get_freeze_count()
    finally:
        gc.unfreeze()


def test_json_tells_what_the_document_does_not_show_yet(
    store: LocalDatastore, open_store: Open, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where the document follows in the background, `json()` has a change at once, whoever made it."""
    other = open_store()
    monkeypatch.setattr(snapshot.Snapshot, "is_cheap", lambda _: False)
    monkeypatch.setattr(snapshot.Snapshot, "write", lambda *_, **__: None)
    for made, changed in (("here", store), ("elsewhere", other)):
        changed.update_image_info("a", {"made": made})
        assert store.json()["objects"]["a"]["image"]["info"]["made"] == made
    assert "made" not in read(folder)["objects"]["a"]["image"]["info"]


def test_a_document_that_begins_with_a_byte_order_mark_is_read(store: LocalDatastore, folder: Path) -> None:
    """Editors on Windows write one; what was changed with them is taken in."""
    content = read(folder)
    content["objects"]["a"]["image"]["info"]["seen"] = "in Notepad"
    (folder / "datastore_v2.json").write_text(json.dumps(content), encoding="utf-8-sig")
    store.refresh()
    assert store.get_image_info("a")["seen"] == "in Notepad"


def test_what_is_wrong_with_a_document_is_named(folder: Path) -> None:
    """The error says where in the document something else ought to be."""
    folder.mkdir(exist_ok=True)
    wrong = {"name": "n", "description": "", "objects": {"a": {"image": {"ext": ".nii", "info": []}, "labels": {}}}}
    write_in_place(folder, wrong)
    with pytest.raises(DamagedDatastoreException, match=r"objects → a → image → info: input should be a valid dict"):
        LocalDatastore(str(folder))


DIES = """
from monailabel.datastore.snapshot import Snapshot
store = LocalDatastore(sys.argv[1])
put, puts = Snapshot._put, iter(range(int(sys.argv[2]), -1, -1))
Snapshot._put = lambda *a, **k: put(*a, **k) if next(puts) else os._exit(0)
store.update_image_info("a", {"k": 1})
store.close()
raise AssertionError("it lives")
"""


@pytest.mark.parametrize("puts", range(3))
def test_what_a_killed_writer_leaves_goes(
    open_store: Open, folder: Path, source: Source, child: Callable[..., Any], puts: int
) -> None:
    """A process that dies while it writes the document leaves a hidden file; it does not stay for ever."""
    with open_store() as store:
        store.add_image("a", source("a.nii.gz"), {})
    child(DIES, folder, puts)
    left = hidden(folder)
    assert left
    for path in left:
        os.utime(path, (0, 0))
    with open_store() as store:
        store.update_image_info("a", {"k": 2})
    assert hidden(folder) == []
    assert read(folder)["objects"]["a"]["image"]["info"]["k"] == 2


@pytest.mark.parametrize("obstacle", ["a link that leads nowhere", "a folder in the document's way"])
def test_what_has_the_name_of_a_begun_document_is_in_nobodys_way(
    open_store: Open, folder: Path, source: Source, obstacle: str
) -> None:
    """The folder is opened and the document written, whatever has the names of those that a killed process left."""
    (folder / ".monailabel").mkdir()
    if obstacle.startswith("a link"):
        (folder / ".monailabel" / ".snapshot.next.0123abcd").symlink_to("nowhere")
    else:
        (folder / ".datastore_v2.json.new").mkdir()
    with open_store() as store:
        store.add_image("a", source("a.nii.gz"), {})
    assert list(read(folder)["objects"]) == ["a"]


def hidden(folder: Path) -> list[Path]:
    """List the hidden files beside the document and among the datastore's own."""
    found = [*folder.iterdir(), *(folder / ".monailabel").iterdir()]
    return [path for path in found if path.name.startswith(".") and path.is_file() and path.name != ".lock"]
