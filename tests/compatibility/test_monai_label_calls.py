"""The same calls on this datastore and on MONAI Label's own give the same results."""

from pathlib import Path
from typing import Any

import pytest

from tests.compatibility.monai_label.children import Package, ask
from tests.compatibility.monai_label.settled import settled

FILES = {
    "a.nii.gz": "voxels of a",
    "b b.nii": "voxels of b",
    "größe.nii.gz": "voxels of a third",
    "scan.dcm": "a slice",
    "label.nii.gz": "first label",
    "other.nii.gz": "another label",
    "label.seg.nrrd": "a segmentation",
    "points.json": "[]",
    "mask.bin": "raw",
}

THREE = [
    ["add_image", "a", "{files}/a.nii.gz", {"PatientID": "P1", "deep": {"list": [1, 2.5, None, True]}}],
    ["add_image", "", "{files}/b b.nii", {}],
    ["add_image", None, "{files}/größe.nii.gz", None],
    ["save_label", "a", "{files}/label.nii.gz", "original", {"model": "m", "params": {"label_names": {"liver": 1}}}],
    ["save_label", "a", "{files}/other.nii.gz", "final", {"label_info": [{"name": "liver", "idx": 1}]}],
    ["save_label", "b b", "{files}/label.seg.nrrd", "DefaultLabelTag.FINAL", None],
    ["save_label", "größe", "{files}/points.json", "version 2", {"日本": "語"}],
]
ASKED_OF_ALL = [["json"], ["status"], ["list_images"], ["datalist"], ["get_labeled_images"], ["get_unlabeled_images"]]
ASKED_OF_IMAGES = ["get_image", "get_image_info", "get_image_uri", "get_labels_by_image_id"]
ASKED_OF_LABELS = ["get_label", "get_label_info", "get_label_uri", "get_label_by_image_id"]
ASKED = [
    *ASKED_OF_ALL,
    *([method, id] for method in ASKED_OF_IMAGES for id in ("a", "b b", "größe")),
    *([m, id, t] for m in ASKED_OF_LABELS for id in ("a", "b b") for t in ("final", "original", "unknown")),
]

SCENARIOS: dict[str, dict[str, Any]] = {
    "an empty folder": {"steps": [*ASKED_OF_ALL, ["name"], ["description"], ["refresh"]]},
    "images and labels as they are added": {"steps": [*THREE, *ASKED, ["files"]]},
    "images and labels as they are found when opened again": {"steps": [*THREE, ["reopen"], *ASKED]},
    "the unknown": {
        "steps": [
            *THREE,
            *([method, "nobody"] for method in [*ASKED_OF_IMAGES, "remove_image"]),
            *([method, id, "final"] for method in [*ASKED_OF_LABELS, "remove_label"] for id in ("nobody", "größe")),
            ["save_label", "nobody", "{files}/label.nii.gz", "final", {}],
            ["update_image_info", "nobody", {"x": 1}],
            ["update_label_info", "nobody", "final", {"x": 1}],
            ["update_label_info", "a", "nothing", {"x": 1}],
            ["json"],
        ]
    },
    "info that is merged": {
        "steps": [
            *THREE,
            ["update_image_info", "a", {"PatientID": "P2", "strategy": {"random": {"ts": 5, "client_id": "c"}}}],
            ["update_image_info", "a", {"strategy": {"first": {}}}],
            ["update_label_info", "a", "final", {"segmentationMeta": {"status": "approved"}, "label_info": []}],
            ["update_label_info", "a", "DefaultLabelTag.ORIGINAL", {"name": "renamed.nii.gz"}],
            ["get_image_info", "a"],
            ["get_label_info", "a", "final"],
            ["get_label_info", "a", "original"],
            ["reopen"],
            ["json"],
        ]
    },
    "a label saved again": {
        "steps": [
            *THREE,
            ["save_label", "a", "{files}/label.nii.gz", "final", {"second": True}],
            ["get_label", "a", "final"],
            ["get_label_info", "a", "final"],
            ["get_labels_by_image_id", "a"],
            ["files"],
        ]
    },
    "a label removed and saved again": {
        "steps": [
            *THREE,
            ["remove_label", "a", "original"],
            ["save_label", "a", "{files}/label.nii.gz", "original", {"second": True}],
            ["json"],
            ["get_labels_by_image_id", "a"],
            ["reopen"],
            ["json"],
        ]
    },
    "an image removed and added again": {
        "steps": [
            *THREE,
            ["remove_image", "a"],
            ["add_image", "a", "{files}/other.nii.gz", {}],
            ["json"],
            ["list_images"],
            ["reopen"],
            ["json"],
        ]
    },
    "an image without labels added again": {
        "steps": [
            ["add_image", "a", "{files}/a.nii.gz", {"first": 1}],
            ["add_image", "z", "{files}/a.nii.gz", {}],
            ["add_image", "a", "{files}/other.nii.gz", {"second": 2}],
            ["get_image", "a"],
            ["get_image_info", "a"],
            ["list_images"],
        ]
    },
    "removal": {
        "steps": [
            *THREE,
            ["remove_label", "a", "final"],
            ["get_label_uri", "a", "final"],
            ["status"],
            ["remove_image", "b b"],
            ["remove_label", "größe", "DefaultLabelTag.FINAL"],
            ["json"],
            ["files"],
            ["remove_image", "b b"],
        ]
    },
    "name and description": {
        "steps": [
            ["set_name", "livers"],
            ["set_description", "All Livers of 2024, größer"],
            ["name"],
            ["description"],
            ["reopen"],
            ["name"],
            ["description"],
            ["json"],
        ]
    },
    "files that lie there and files that come": {
        "steps": [
            ["put", "one.nii.gz", "1"],
            ["put", "two words.nii", "2"],
            ["put", "notes.txt", "not an image"],
            ["put", "labels/final/one.nii.gz", "l"],
            ["put", "labels/my tag/one.nii", "l"],
            ["put", "labels/final/nobody.nii.gz", "a label of no image"],
            ["refresh"],
            *ASKED_OF_ALL,
            ["get_image_info", "one"],
            ["get_label_info", "one", "my tag"],
            ["reopen"],
            *ASKED_OF_ALL,
        ]
    },
    "files that only other extensions take": {
        "constructor": {"extensions": ["*_ct.nii.gz", "*.png"]},
        "steps": [
            ["put", "c_ct.nii.gz", "1"],
            ["put", "c_mr.nii.gz", "not taken"],
            ["put", "photo.png", "2"],
            ["refresh"],
            ["json"],
            ["add_image", "slice", "{files}/scan.dcm", {}],
            ["save_label", "slice", "{files}/mask.bin", "final", {}],
            ["reopen"],
            ["json"],
        ],
    },
    "one extension as a plain string": {
        "constructor": {"extensions": "*.png"},
        "steps": [["put", "p.png", "1"], ["put", "q.nii", "2"], ["refresh"], ["list_images"]],
    },
    "folders and a document of other names": {
        "constructor": {"images_dir": "scans", "labels_dir": "drawn/by hand", "datastore_config": "mine.json"},
        "steps": [*THREE, *ASKED, ["files"], ["reopen"], ["json"]],
    },
    "an image and a label that are links": {
        "steps": [
            ["link", "linked.nii.gz", "{files}/a.nii.gz"],
            ["link", "labels/final/linked.nii.gz", "{files}/label.nii.gz"],
            ["refresh"],
            *ASKED_OF_ALL,
            *([method, "linked"] for method in ASKED_OF_IMAGES),
            *([method, "linked", "final"] for method in ASKED_OF_LABELS),
            ["archive", None],
        ]
    },
    "what the document says wins over the arguments": {
        "constructor": {"images_dir": "ignored", "labels_dir": "ignored"},
        "document": (
            '{"name": "n", "description": "d", "images_dir": "i", "labels_dir": "l", "objects": {"x": {"image": '
            '{"ext": ".nii", "info": {"ts": 1700000000, "name": "x.nii", "kept": [1]}}, "labels": {}}}}'
        ),
        "files": ["i/x.nii", "l/final/x.nii"],
        "steps": [
            ["json"],
            ["get_image", "x"],
            ["datalist"],
            ["name"],
            ["add_image", "", "{files}/a.nii.gz", {}],
            ["files"],
        ],
    },
    "the text of the document": {
        "steps": [*THREE, ["document"], ["remove_label", "a", "final"], ["document"], ["rewritten"]],
    },
    "dates and sets, which JSON writes as text": {
        "steps": [["put", "a.nii", "1"], ["refresh"], ["with_objects", "a"], ["reopen"], ["json"]],
    },
}


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, dict[str, list[Any]]]:
    """Carry out every scenario with both packages, each in one child process."""
    root = tmp_path_factory.mktemp("calls")
    files = root / "files"
    files.mkdir()
    for name, content in FILES.items():
        (files / name).write_text(content)
    return {"theirs": _carried_out(Package.THEIRS, root, files), "ours": _carried_out(Package.BESIDE, root, files)}


def _carried_out(package: Package, root: Path, files: Path) -> dict[str, list[Any]]:
    folders = {name: root / package.name / name for name in SCENARIOS}
    runs = [_prepared(folders[name], scenario, files) for name, scenario in SCENARIOS.items()]
    given = ask(package, "calls", runs=runs)
    return {name: settled(answer, folders[name]) for name, answer in zip(SCENARIOS, given, strict=True)}


def _prepared(folder: Path, scenario: dict[str, Any], files: Path) -> dict[str, Any]:
    folder.mkdir(parents=True)
    if "document" in scenario:
        (folder / "datastore_v2.json").write_text(scenario["document"])
    for name in scenario.get("files", []):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)
    steps = [
        [a.replace("{files}", str(files)) if isinstance(a, str) else a for a in step] for step in scenario["steps"]
    ]
    return {"folder": str(folder), "steps": steps, "constructor": scenario.get("constructor")}


@pytest.mark.parametrize("scenario", SCENARIOS)
def test_gives_what_monai_label_gives(answers: dict[str, dict[str, list[Any]]], scenario: str) -> None:
    """Every call of the scenario has the result, the exception's class and its attributes that MONAI Label's has."""
    steps = SCENARIOS[scenario]["steps"]
    for step, ours, theirs in zip(steps, answers["ours"][scenario], answers["theirs"][scenario], strict=True):
        assert (step, _comparable(step, ours)) == (step, _comparable(step, theirs))


def _comparable(step: list[Any], answer: Any) -> Any:
    """Take out what is promised to be alike in meaning only: an error's wording, and the order of files found."""
    if isinstance(answer, dict) and "raised" in answer:
        named = {part for part in step[1:3] if isinstance(part, str) and part in answer["msg"]}
        return {
            "raised": answer["raised"],
            "error": answer["error"],
            "told": answer["told"] == answer["msg"],
            "names": named,
        }
    if step[0] in ("list_images", "get_labeled_images", "get_unlabeled_images", "datalist"):
        return sorted(answer, key=str)
    return answer


@pytest.mark.parametrize("scenario", [name for name, parts in SCENARIOS.items() if parts["steps"][:7] == THREE])
def test_keeps_the_order_in_which_images_and_labels_came(answers: dict[str, Any], scenario: str) -> None:
    """Images are listed in the order in which they were added, and an image's tags in the order of their creation."""
    steps = SCENARIOS[scenario]["steps"]
    for step, ours, theirs in zip(steps, answers["ours"][scenario], answers["theirs"][scenario], strict=True):
        if step[0] == "json":
            assert _order(ours) == _order(theirs)
        if step[0] in ("list_images", "datalist", "get_labeled_images", "get_unlabeled_images"):
            assert ours == theirs


def _order(document: dict[str, Any]) -> list[Any]:
    return [*document, *((id, *entry["labels"]) for id, entry in document["objects"].items())]
