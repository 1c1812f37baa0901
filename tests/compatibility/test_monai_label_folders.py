"""A folder that MONAI Label wrote opens here, one written here opens in MONAI Label, and both can take turns."""

import json
from pathlib import Path
from typing import Any

import pytest

from tests.compatibility.monai_label.children import Package, ask
from tests.compatibility.monai_label.settled import settled

Step = list[Any]
OURS, THEIRS = Package.BESIDE, Package.THEIRS

ROUNDS: list[list[Step]] = [
    [
        ["add_image", "case_1", "{nii}", {"PatientID": "P1", "Größe": "größer", "n": 1.5, "none": None}],
        ["add_image", "fall ä 日本 🧠", "{nii}", {}],
        ["save_label", "case_1", "{nii}", "version_2", {"model": "m", "params": {"label_names": {"liver": 1}}}],
        ["save_label", "case_1", "{nii}", "original", {}],
        ["save_label", "case_1", "{nii}", "final", {"label_info": [{"name": "Leber", "idx": 1}]}],
        ["save_label", "fall ä 日本 🧠", "{nrrd}", "tag mit ö", {"client_id": "ü"}],
    ],
    [
        ["add_image", "1.2.840.113619.2", "{nii}", {"SeriesInstanceUID": "1.2.840.113619.2"}],
        ["save_label", "fall ä 日本 🧠", "{nii}", "final", {"segmentationMeta": {"status": "approved"}}],
        ["update_image_info", "case_1", {"strategy": {"random": {"ts": 1, "client_id": "c"}}}],
        ["update_label_info", "case_1", "final", {"comment": '\u2028 quotes " and \\ and / and \u0001'}],
        ["set_description", "Gehirne"],
    ],
    [
        ["remove_label", "case_1", "original"],
        ["add_image", "another", "{nii}", {"list": [[], {}, [1, {"a": []}]], "empty": {}, "text": ""}],
        ["save_label", "another", "{nrrd}", "final", {"big": 2**53, "small": 1e-12, "exponent": 1e22}],
        ["set_name", "brains"],
    ],
    [
        ["save_label", "case_1", "{nii}", "original", {}],
        ["remove_image", "another"],
        ["update_image_info", "1.2.840.113619.2", {"PatientID": "é"}],
        ["save_label", "1.2.840.113619.2", "{nii}", "version_1", {}],
    ],
    [
        ["remove_label", "fall ä 日本 🧠", "tag mit ö"],
        ["save_label", "case_1", "{nii}", "version_3", {"last": True}],
        ["remove_image", "fall ä 日本 🧠"],
    ],
]


@pytest.fixture
def files(tmp_path: Path) -> dict[str, str]:
    """Write an image and a label."""
    paths = {"{nii}": tmp_path / "source.nii.gz", "{nrrd}": tmp_path / "source.seg.nrrd"}
    for path in paths.values():
        path.write_text(f"bytes of {path.name}")
    return {word: str(path) for word, path in paths.items()}


def _do(package: Package, folder: Path, steps: list[Step], files: dict[str, str]) -> list[Any]:
    """Open the folder in a process of its own, carry out the steps, and give their answers."""
    filled = [[files.get(a, a) if isinstance(a, str) else a for a in step] for step in steps]
    answers: list[Any] = ask(package, "calls", runs=[{"folder": str(folder), "steps": filled}])[0]
    assert not [a for a in answers if isinstance(a, dict) and "raised" in a]
    return answers


def _changes(count: int) -> list[Step]:
    return [step for one in ROUNDS[:count] for step in one]


def _text(document: Any) -> str:
    """Write a document so that the order of its keys counts too."""
    return json.dumps(document, indent=2)


@pytest.mark.parametrize(("writer", "reader"), [(THEIRS, OURS), (OURS, THEIRS)], ids=["theirs here", "ours there"])
@pytest.mark.parametrize("count", range(1, len(ROUNDS) + 1))
def test_a_folder_opens_in_the_other_with_nothing_lost(
    tmp_path: Path, files: dict[str, str], writer: Package, reader: Package, count: int
) -> None:
    """`json()` is equal, the order of its keys included, and every file is found."""
    folder = tmp_path / "store"
    written = _do(writer, folder, [*_changes(count), ["json"], ["datalist"], ["status"], ["files"]], files)[-4:]
    read = _do(reader, folder, [["json"], ["datalist"], ["status"], ["files"]], files)
    assert _text(read[0]) == _text(written[0])
    assert read[1:] == written[1:]


@pytest.mark.parametrize(("remover", "saver"), [(THEIRS, OURS), (OURS, THEIRS)], ids=["removed there", "removed here"])
def test_what_one_removed_and_the_other_saved_again_has_its_new_info(
    tmp_path: Path, files: dict[str, str], remover: Package, saver: Package
) -> None:
    """A label or an image that comes again under its old name is new: its info is the new one, and it comes last."""
    folder = tmp_path / "store"
    removals: list[Step] = [["remove_label", "case_1", "original"], ["remove_image", "fall ä 日本 🧠"]]
    again: list[Step] = [
        ["add_image", "another", "{nii}", {}],
        ["save_label", "case_1", "{nii}", "original", {"client_id": "anna", "again": True}],
        ["add_image", "fall ä 日本 🧠", "{nii}", {"PatientID": "P9"}],
    ]
    _do(saver, folder, _changes(1), files)
    _do(remover, folder, removals, files)
    saved = _do(saver, folder, [*again, ["json"]], files)[-1]
    assert list(saved["objects"]) == ["case_1", "another", "fall ä 日本 🧠"]
    assert list(saved["objects"]["case_1"]["labels"]) == ["version_2", "final", "original"]
    assert saved["objects"]["case_1"]["labels"]["original"]["info"]["client_id"] == "anna"
    assert _text(_do(remover, folder, [["json"]], files)[0]) == _text(saved)


@pytest.mark.parametrize("first", [THEIRS, OURS], ids=["theirs first", "ours first"])
def test_both_take_turns_on_one_folder(tmp_path: Path, files: dict[str, str], first: Package) -> None:
    """Over several rounds each sees exactly what the other left, and the end is as if one had done it all."""
    folder, alone = tmp_path / "shared", tmp_path / "alone"
    left: Any = None
    for turn, steps in enumerate([*ROUNDS, []]):
        package = first if turn % 2 == 0 else (OURS if first is THEIRS else THEIRS)
        answers = _do(package, folder, [["json"], *steps, ["json"], ["reopen"], ["json"]], files)
        assert left is None or _text(answers[0]) == _text(left)
        assert _text(answers[-1]) == _text(answers[-3])
        left = answers[-1]
    by_one = _do(THEIRS, alone, [*_changes(len(ROUNDS)), ["json"], ["files"]], files)[-2:]
    assert _text(settled(left)) == _text(settled(by_one[0]))
    assert _do(OURS, folder, [["files"]], files) == [by_one[1]]


@pytest.mark.parametrize(("writer", "other"), [(THEIRS, OURS), (OURS, THEIRS)], ids=["theirs", "ours"])
def test_the_document_has_the_same_bytes_whoever_writes_it(
    tmp_path: Path, files: dict[str, str], writer: Package, other: Package
) -> None:
    """Indent of two, the order of the keys, escapes: the other package writes the file again byte for byte."""
    folder = tmp_path / "store"
    written = _do(writer, folder, [*_changes(len(ROUNDS)), ["document"]], files)[-1]
    assert written == _do(other, folder, [["rewritten"]], files)[0]
    assert written == json.dumps(json.loads(written), indent=2)
    assert written.isascii()


def test_what_ours_keeps_beside_the_documents_does_not_show_in_monai_label(
    tmp_path: Path, files: dict[str, str]
) -> None:
    """Catalog, history and staging are neither images nor tags there, and are still there afterwards."""
    folder = tmp_path / "store"
    _do(OURS, folder, [*_changes(3), ["save_label", "case_1", "{nrrd}", "final", {}]], files)
    own = sorted(
        str(p.relative_to(folder)) for p in folder.rglob("*") if p.relative_to(folder).parts[0].startswith(".")
    )
    status = _do(THEIRS, folder, [["refresh"], ["status"]], files)[1]
    assert sorted(status["label_tags"]) == ["final", "tag mit ö", "version_2"]
    assert status["total"] == 4
    assert set(own) <= {str(p.relative_to(folder)) for p in folder.rglob("*")}
