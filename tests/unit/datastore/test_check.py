"""What a check finds, what it says about it, and what it reads of a damaged document."""

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import monailabel
from monailabel.datastore import change
from monailabel.datastore.check import Finding, check
from monailabel.datastore.local import LocalDatastore
from monailabel.datastore.salvage import mend, salvage
from monailabel.interfaces.exception import ConflictException

Open = Callable[..., LocalDatastore]
Source = Callable[..., str]
Tree = Callable[..., dict[str, tuple[object, ...]]]

IMAGES = 20
PLENTY = {"low_space": 0}  # however full this machine's disk is


def found(folder: Path, **options: Any) -> list[Finding]:
    """Check a folder, whatever this machine has beside it."""
    return [finding for finding in check(folder, **{**PLENTY, **options}) if finding.kind != "module"]


def entry(image_id: str, *tags: str) -> dict[str, Any]:
    """Give an image's entry as MONAI Label writes it, with words in its infos that look like the document's own."""

    def file(more: dict[str, Any]) -> dict[str, Any]:
        return {"ext": ".nii.gz", "info": {"ts": 1700000000, **more, "name": f"{image_id}.nii.gz"}}

    labels = {tag: file({"params": {"labels": {"spleen": 1}}, "of": tag}) for tag in tags}
    return {"image": file({"note": 'a "quoted" } word ü', "sizes": [{"x": [1, 2]}]}), "labels": labels}


@pytest.fixture
def document() -> dict[str, Any]:
    """Give a document of many images, with no, one and two labels in turns."""
    tags = [(), ("final",), ("original", "final")]
    objects = {f"case {n}": entry(f"case {n}", *tags[n % 3]) for n in range(IMAGES)}
    return {"name": "liver", "description": "d", "images_dir": ".", "labels_dir": "masks", "objects": objects}


def salvaged(path: Path, data: bytes) -> tuple[dict[str, Any], list[str]]:
    """Write a damaged document and give what can be read of it, and which images' entries are not whole."""
    path.write_bytes(data)
    result = salvage(str(path))
    return result.document.model_dump(exclude={"base_path"}), result.damaged


def expected_of(text: str, document: dict[str, Any]) -> dict[str, Any]:
    """Give the entries whose image stands whole before a cut, with those of their labels that do."""
    objects = {}
    at = 0
    for image_id, whole in document["objects"].items():
        at = _after(text, json.dumps(image_id) + ": {", at)
        end = _after(text, _indented({"image": whole["image"]}), at)
        labels = {}
        for tag, label in whole["labels"].items():
            end_of_label = _after(text, _indented({tag: label}, 8), end)
            if end_of_label >= 0:
                labels[tag] = label
        if at >= 0 and end >= 0:
            objects[image_id] = {"image": whole["image"], "labels": labels}
    return objects


def _indented(member: dict[str, Any], by: int = 6) -> str:
    """Give how a member stands in a document that has an indent of two."""
    return "\n".join(" " * (by - 2) + line for line in json.dumps(member, indent=2).splitlines()[1:-1]).strip()


def _after(text: str, part: str, at: int) -> int:
    place = text.find(part, at) if at >= 0 else -1
    return place + len(part) if place >= 0 else -1


# ---- what is read of a damaged document


def test_a_whole_document_is_read_as_it_is(tmp_path: Path, document: dict[str, Any]) -> None:
    """Of a document that is not damaged nothing is missing, however it is laid out."""
    for layout in ({"indent": 2}, {}, {"indent": 2, "ensure_ascii": False}, {"separators": (",", ":")}):
        assert salvaged(tmp_path / "d.json", json.dumps(document, **layout).encode()) == (document, [])


def test_a_document_cut_anywhere_gives_all_that_is_whole(tmp_path: Path, document: dict[str, Any]) -> None:
    """Cut at any byte, a document gives exactly the entries before the cut, and of the cut one image and labels."""
    text = json.dumps(document, indent=2)
    assert expected_of(text, document) == document["objects"]
    kept = 0
    for cut in range(0, len(text), 17):
        result, damaged = salvaged(tmp_path / "d.json", text[:cut].encode())
        expected = expected_of(text[:cut], document)
        assert result["objects"] == expected and list(result["objects"]) == list(expected), cut
        assert len(damaged) <= 1 and kept <= len(expected)
        kept = len(expected)
        for key, by_default in [("name", "new-dataset"), ("description", "New Dataset"), ("labels_dir", "labels")]:
            is_whole = f'"{key}": "{document[key]}"' in text[:cut]
            assert result[key] == (document[key] if is_whole else by_default), cut
    assert kept == IMAGES


@pytest.mark.parametrize("hole", [b"\0", b"\xff", b"{", b'"', b"]}", b"[["], ids=repr)
def test_a_hole_costs_the_entries_that_it_touches(tmp_path: Path, document: dict[str, Any], hole: bytes) -> None:
    """Bytes overwritten anywhere: each image that they do not touch is read as it was, and none gets another's info."""
    data = json.dumps(document, indent=2).encode()
    for begin in range(data.index(b'"objects"'), len(data) - 300, 97):
        holed = data[:begin] + (hole * 300)[:300] + data[begin + 300 :]
        result, _ = salvaged(tmp_path / "d.json", holed)
        touched = _touched(data, begin, begin + 300, document)
        for image_id, whole in document["objects"].items():
            if image_id not in touched:
                assert result["objects"].get(image_id) == whole, (begin, image_id)
        for image_id, read in result["objects"].items():
            if image_id in document["objects"]:
                whole = document["objects"][image_id]
                assert read["labels"].items() <= whole["labels"].items() or hole == b"\xff", (begin, image_id)
        assert (result["name"], result["labels_dir"]) == ("liver", "masks")


def _touched(data: bytes, begin: int, end: int, document: dict[str, Any]) -> set[str]:
    """Give the images whose entries a range of bytes lies in."""
    starts = {image_id: data.index(json.dumps(image_id).encode() + b": {") for image_id in document["objects"]}
    ends = [*list(starts.values())[1:], len(data)]
    return {id for (id, first), last in zip(starts.items(), ends, strict=True) if first < end and begin < last}


def test_labels_behind_a_hole_stay_with_their_image(tmp_path: Path) -> None:
    """Where an image's own part is damaged, its labels are kept; one whose info names another file is not its."""
    text = json.dumps({"name": "n", "objects": {"a": entry("a", "original", "final"), "b": entry("b")}}, indent=2)
    result, damaged = salvaged(tmp_path / "d.json", text.replace('"sizes": [', '"sizes": \0', 1).encode())
    assert result["objects"]["a"]["labels"] == entry("a", "original", "final")["labels"]
    assert (result["objects"]["b"], damaged) == (entry("b"), ["a"])
    other = text.replace('"sizes": [', '"sizes": \0', 1).replace('"name": "a.nii.gz"', '"name": "x.nii.gz"')
    result, _ = salvaged(tmp_path / "d.json", other.encode())
    assert list(result["objects"]) == ["b"]


def test_entries_of_every_length_are_read(tmp_path: Path) -> None:
    """An info of any length, with numbers, words and escapes anywhere in it, is read whole."""
    info = {str(n): [n / 7, n % 2 == 0, None, "ü\U0001f600" * (n % 9)] for n in range(20_000)}
    objects = {"a": {"image": {"ext": ".nii", "info": info}, "labels": {}}, "b": entry("b", "final")}
    text = json.dumps({"name": "n", "objects": objects}, indent=2)
    result, damaged = salvaged(tmp_path / "d.json", text[:-1].encode())
    assert (result["objects"], damaged) == (objects, [])


def test_a_beginning_that_is_gone_costs_no_entry(tmp_path: Path, document: dict[str, Any]) -> None:
    """Without its first bytes a document still gives the entries behind them, and no info's name as its own."""
    data = json.dumps(document, indent=2).encode()
    cut = data.index(b'"case 3"')
    result, _ = salvaged(tmp_path / "d.json", b"\0" * cut + data[cut:])
    assert list(result["objects"].items()) == list(document["objects"].items())[3:]
    assert result["name"] == "new-dataset"


def test_of_two_documents_over_each_other_the_first_counts(tmp_path: Path, document: dict[str, Any]) -> None:
    """A shorter document written over a longer one counts where both speak of an image, and nothing is dropped."""
    older = json.dumps(document, indent=2)
    newer = {**document, "name": "newer", "objects": {"case 19": entry("case 19", "second"), "new": entry("new")}}
    text = json.dumps(newer, indent=2)
    result, _ = salvaged(tmp_path / "d.json", (text + older[len(text) :]).encode())
    assert result["name"] == "newer" and list(result["objects"])[:2] == ["case 19", "new"]
    assert result["objects"]["case 19"]["labels"].keys() == {"second", *document["objects"]["case 19"]["labels"]}
    rest = {id: whole for id, whole in document["objects"].items() if older.index(f'"{id}": {{') >= len(text)}
    assert rest.keys() <= result["objects"].keys() and len(rest) > IMAGES / 2


def test_a_name_in_a_western_encoding_is_read(tmp_path: Path) -> None:
    """A document that an editor saved as Latin-1 keeps its letters."""
    text = json.dumps({"name": "Müller", "objects": {"ä": entry("ä", "final")}}, indent=2, ensure_ascii=False)
    result, damaged = salvaged(tmp_path / "d.json", text.encode("latin-1"))
    assert (result["name"], result["objects"], damaged) == ("Müller", {"ä": entry("ä", "final")}, [])


GARBAGE = {
    "empty": b"",
    "a hole": b"\0" * 999,
    "cut": b"{",
    "nested": b"[" * 99_999,
    "nested entries": b'{"a": {"image": {' * 999,
    "a lone surrogate": b'"\\ud800": {"image": {"ext": "", "info": {}}}',
    "another shape": b'{"name": 5, "objects": {"a": 5, "b": {"image": {}}, "c": {"image": {"ext": 1, "info": []}}}}',
    "backslashes": b'"\\' * 999,
}


@pytest.mark.parametrize("data", GARBAGE.values(), ids=GARBAGE)
def test_whatever_lies_there_becomes_a_document(tmp_path: Path, data: bytes) -> None:
    """No content makes reading fail, and what is written in its place opens."""
    (tmp_path / "datastore_v2.json").write_bytes(data)
    result = mend(str(tmp_path))
    assert result.aside is not None and Path(result.aside).read_bytes() == data
    with LocalDatastore(str(tmp_path)) as store:
        assert store.list_images() == []


# ---- mending


def _received(folder: Path, document: dict[str, Any]) -> bytes:
    """Make a folder as MONAI Label leaves it when it is killed while it writes, and give what it wrote."""
    for image_id, whole in document["objects"].items():
        (folder / f"{image_id}.nii.gz").write_bytes(image_id.encode())
        for tag in whole["labels"]:
            path = folder / "masks" / tag / f"{image_id}.nii.gz"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(tag.encode())
    data = json.dumps(document, indent=2).encode()
    data = data[: data.index(b'"case 17"')]
    (folder / "datastore_v2.json").write_bytes(data)
    return data


def test_a_damaged_document_without_a_catalog_stands(folder: Path, document: dict[str, Any], tree: Tree) -> None:
    """Without `repair` the finding names the command that mends it, and neither document nor images are changed."""
    data = _received(folder, document)
    (finding,) = found(folder)
    assert (finding.kind, finding.stands) == ("document", True)
    assert "datastore_v2.json" in finding.what and f"check --repair {folder}" in finding.remedy
    assert (folder / "datastore_v2.json").read_bytes() == data
    before = tree(folder)
    assert [finding.kind for finding in found(folder, read_only=True)] == ["document"]
    assert tree(folder) == before


def test_repairing_a_document_keeps_all_that_could_be_read(
    folder: Path, document: dict[str, Any], open_store: Open
) -> None:
    """After it the folder opens with the infos that were whole; files without an entry are found by the scan."""
    data = _received(folder, document)
    (finding,) = found(folder, repair=True)
    assert (finding.kind, finding.repaired, finding.stands) == ("document", True, False)
    assert "images: 17, labels: 16" in finding.remedy
    (aside,) = folder.glob("datastore_v2.json.damaged-*")
    assert aside.read_bytes() == data and str(aside) in finding.remedy
    store = open_store()
    assert (store.name(), len(store.list_images())) == ("liver", IMAGES)
    objects = store.json()["objects"]
    assert {id: objects[id] for id in list(document["objects"])[:17]} == dict(list(document["objects"].items())[:17])
    assert store.get_labels_by_image_id("case 19") == {"final": "case 19"}
    assert found(folder) == []


def test_a_sound_document_is_not_mended(store: LocalDatastore, folder: Path, tree: Tree) -> None:
    """Mending leaves a document alone that can be read."""
    store.close()
    before = tree(folder)
    assert mend(str(folder)).aside is None
    assert tree(folder) == before


def test_a_damaged_document_with_a_catalog_is_written_anew(store: LocalDatastore, folder: Path) -> None:
    """Where there is a catalog, opening the folder has mended the document already, and the check says so."""
    before = store.json()
    store.close()
    (folder / "datastore_v2.json").write_bytes(b'{"name": "x", "obj')
    (looked,) = found(folder, read_only=True)
    assert (looked.kind, looked.stands) == ("document", True)
    (finding,) = found(folder)
    assert (finding.kind, finding.repaired) == ("document", True)
    assert json.loads((folder / "datastore_v2.json").read_bytes()) == before


# ---- the other findings


def test_a_sound_datastore_has_no_findings(store: LocalDatastore, folder: Path) -> None:
    """Nothing is found where nothing is wrong, while it is open and afterwards, reading only or not."""
    assert found(folder) == found(folder, read_only=True) == []
    store.remove_image("b")
    store.close()
    assert found(folder) == found(folder, read_only=True) == found(folder, repair=True) == []


def test_a_damaged_catalog_is_a_finding(store: LocalDatastore, folder: Path) -> None:
    """A catalog that cannot be opened is named, with what opening the folder has done about it."""
    store.close()
    (folder / ".monailabel" / "catalog.db").write_bytes(b"garbage" * 1000)
    (finding,) = found(folder)
    assert (finding.kind, finding.repaired) == ("catalog", True)
    assert "catalog.db" in finding.what and "set aside as catalog.db.damaged-" in finding.remedy


def test_a_full_disk_is_a_finding(store: LocalDatastore, folder: Path) -> None:
    """A disk with less room than wanted is named once, though several folders lie on it."""
    (finding,) = found(folder, low_space=1 << 62)
    assert (finding.kind, finding.stands) == ("space", True)
    assert str(folder) in finding.what


def test_a_change_that_cannot_be_finished_is_told_with_its_reason(
    store: LocalDatastore, folder: Path, source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A label whose folder's name a file takes meanwhile is saved but not in its place; once it can be, nothing stands.

    A file that has the name beforehand is told at once.
    """
    taken = folder / "labels" / "second"
    monkeypatch.setattr(change, "on_step", lambda step: taken.write_bytes(b"a file") if step == "publish" else None)
    store.save_label("a", source("l.nii.gz", b"second a"), "second", {})
    monkeypatch.undo()
    with pytest.raises(ConflictException, match="no folder"):
        store.save_label("b", source("l.nii.gz"), "second", {})
    (finding,) = found(folder)
    assert (finding.kind, finding.stands) == ("unfinished", True)
    assert str(folder / "labels/second/a.nii.gz") in finding.what and "directory" in finding.what
    (looked,) = found(folder, read_only=True)
    assert (looked.kind, looked.stands) == ("unfinished", True)
    (folder / "labels" / "second").unlink()
    assert found(folder) == []
    assert (folder / "labels/second/a.nii.gz").read_bytes() == b"second a"


def test_what_a_scan_could_not_take_in_is_a_finding(store: LocalDatastore, folder: Path) -> None:
    """A second file for an id is named, with what to do."""
    (folder / "a.nii").write_bytes(b"another a")
    (finding,) = found(folder)
    assert (finding.kind, finding.stands) == ("problem", True)
    assert "a.nii" in finding.what and "rename" in finding.remedy


@pytest.mark.parametrize("repair", [False, True], ids=["looking", "repairing"])
def test_a_missing_file_is_a_finding_until_it_is_back(
    store: LocalDatastore, folder: Path, tmp_path: Path, repair: bool
) -> None:
    """An image and a label that are gone are both named; put back, they are findings no more."""
    image, label = folder / "b.nii.gz", folder / "labels" / "final" / "a.nii.gz"
    image.rename(tmp_path / "image")
    label.rename(tmp_path / "label")
    missing = found(folder, repair=repair)
    assert [(finding.kind, finding.stands) for finding in missing] == [("missing", True)] * 2
    assert {path for path in (image, label) if any(str(path) in f.what for f in missing)} == {image, label}
    (tmp_path / "image").rename(image)
    (tmp_path / "label").rename(label)
    assert found(folder) == []


def test_a_link_that_leads_nowhere_is_missing(folder: Path, tmp_path: Path, open_store: Open) -> None:
    """The image behind a link is gone, though no folder of the datastore changed."""
    (tmp_path / "far.nii.gz").write_bytes(b"far")
    (folder / "a.nii.gz").symlink_to(tmp_path / "far.nii.gz")
    assert open_store().list_images() == ["a"]
    (tmp_path / "far.nii.gz").unlink()
    assert [finding.kind for finding in found(folder)] == ["missing"]


def test_a_file_changed_in_place_is_found_and_taken_in(store: LocalDatastore, folder: Path) -> None:
    """Bytes of another number are a finding that stands; `repair` makes them a new version."""
    with (folder / "labels" / "final" / "a.nii.gz").open("ab") as file:
        file.write(b" and more")
    (finding,) = found(folder)
    assert (finding.kind, finding.stands) == ("changed", True)
    assert "16 bytes and not the 7" in finding.what
    assert found(folder, read_only=True, repair=True) == [finding]
    (repaired,) = found(folder, repair=True)
    assert (repaired.kind, repaired.repaired, repaired.what) == ("changed", True, finding.what)
    assert [v["version"] for v in store.label_versions("a", "final")] == [1, 2]
    assert found(folder) == []


def test_a_file_that_another_took_the_place_of_is_told(store: LocalDatastore, folder: Path) -> None:
    """Opening the folder takes such a file in; the check that opens it says so, with the version that it became."""
    store.close()
    (folder / "torn").write_bytes(b"ima")
    (folder / "torn").replace(folder / "a.nii.gz")
    (finding,) = found(folder, read_only=True)
    assert (finding.kind, finding.stands) == ("changed", True)
    (repaired,) = found(folder)
    assert (repaired.kind, repaired.repaired, repaired.what) == ("changed", True, finding.what)
    assert "image 'a'" in repaired.what and "version 2" in repaired.remedy
    assert found(folder) == []


def test_progress_is_told(store: LocalDatastore, folder: Path) -> None:
    """Whoever waits is told how many files were looked at, and of how many."""
    told: list[tuple[str, int, int | None]] = []
    found(folder, progress=lambda *step: told.append(step))
    assert ("checking files", 4, 4) in told


# ---- beside MONAI Label


def _install(place: Path, *, over: bool) -> None:
    """Put files of MONAI Label's names into a folder, as pip does, where `over` means over ours."""
    package = place / "monailabel"
    if over:
        shutil.copytree(Path(monailabel.__file__).parent, package, ignore=shutil.ignore_patterns("__pycache__"))
    record = place / "monailabel-0.8.5.dist-info"
    record.mkdir(parents=True)
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: monailabel\nVersion: 0.8.5\n")


def _overwrite(place: Path) -> None:
    """Write what stands for MONAI Label's modules."""
    modules = {
        "__init__.py": "",
        "interfaces/__init__.py": "",
        "interfaces/exception.py": "class MONAILabelException(Exception): ...\n",
        "datastore/__init__.py": "",
        "datastore/local.py": "class LocalDatastore: ...\n",
    }
    for name, text in modules.items():
        path = place / "monailabel" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def _check_in(paths: list[Path], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run the command in a process of its own, where Python looks for modules in these folders first."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))}
    command = [sys.executable, "-m", "monailabel.cli", "check", str(folder), "--json"]
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, timeout=60)


OURS = Path(monailabel.__file__).parents[1]


def test_monai_label_behind_ours_is_told(store: LocalDatastore, folder: Path, tmp_path: Path) -> None:
    """Where MONAI Label comes later on the path, the check says that ours is active; nothing has to be done."""
    _install(tmp_path / "theirs", over=False)
    _overwrite(tmp_path / "theirs")
    ran = _check_in([OURS, tmp_path / "theirs"], folder)
    (finding,) = (one for one in json.loads(ran.stdout) if one["kind"] == "module")
    assert "MONAI Label 0.8.5 is installed too" in finding["what"] and not finding["stands"]
    assert f"monailabel-datastore's: {OURS}" in finding["what"]


def test_ours_written_over_monai_label_is_told(store: LocalDatastore, folder: Path, tmp_path: Path) -> None:
    """Where both write the same files and ours were written last, the check says what turns that round."""
    _install(tmp_path / "both", over=True)
    ran = _check_in([tmp_path / "both"], folder)
    (finding,) = (one for one in json.loads(ran.stdout) if one["kind"] == "module")
    assert "monailabel-datastore's" in finding["what"] and "turns that round" in finding["what"]
    assert not finding["stands"]


def test_monai_label_written_over_ours_is_one_sentence(folder: Path, tmp_path: Path) -> None:
    """Where MONAI Label's files were written last, the command says so and what puts ours back, with no traceback."""
    _install(tmp_path / "both", over=True)
    _overwrite(tmp_path / "both")
    ran = _check_in([tmp_path / "both"], folder)
    assert (ran.returncode, ran.stdout, ran.stderr.count("\n")) == (1, "", 1)
    assert "is MONAI Label's" in ran.stderr and "pip install --force-reinstall" in ran.stderr
