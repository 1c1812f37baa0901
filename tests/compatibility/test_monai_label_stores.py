"""MONAI Label's own server, DICOMweb store and CVAT store run on this datastore as they do on their own."""

from pathlib import Path
from typing import Any

import pytest

from tests.compatibility.monai_label import released
from tests.compatibility.monai_label.children import Package, ask
from tests.compatibility.monai_label.settled import settled

BOTH = (Package.THEIRS, Package.BESIDE)
LABEL = {"label": ["C:\\data\\drawn.nrrd", "a drawn label"]}

REQUESTS: dict[str, dict[str, Any]] = {
    "what the app is": {"method": "GET", "url": "/info/"},
    "the counts": {"method": "GET", "url": "/datastore/"},
    "a new image": {
        "method": "PUT",
        "url": "/datastore/image",
        "params": {"image": "new ß"},
        "data": {"params": '{"PatientID": "P"}'},
        "files": {"file": ["upload.nii.gz", "new voxels"]},
    },
    "a label": {
        "method": "PUT",
        "url": "/datastore/label",
        "params": {"image": "one", "tag": "final"},
        "data": {"params": '{"label_info": [{"name": "liver", "idx": 1}], "client_id": "me"}'},
        "files": LABEL,
    },
    "a label of another tag": {
        "method": "PUT",
        "url": "/datastore/label",
        "params": {"image": "one", "tag": "version_1"},
        "files": LABEL,
    },
    "the image's bytes": {"method": "GET", "url": "/datastore/image", "params": {"image": "one"}},
    "the label's bytes": {"method": "GET", "url": "/datastore/label", "params": {"label": "one", "tag": "final"}},
    "whether an image is there": {"method": "HEAD", "url": "/datastore/image", "params": {"image": "one"}},
    "whether another is there": {"method": "HEAD", "url": "/datastore/image", "params": {"image": "nobody"}},
    "the image's info": {"method": "GET", "url": "/datastore/image/info", "params": {"image": "new ß"}},
    "the label's info": {"method": "GET", "url": "/datastore/label/info", "params": {"label": "one", "tag": "final"}},
    "a change of the image's info": {
        "method": "PUT",
        "url": "/datastore/image/info",
        "params": {"image": "one"},
        "data": {"info": '{"note": "größer"}'},
    },
    "a review": {
        "method": "PUT",
        "url": "/datastore/updatelabelinfo",
        "params": {"label": "one", "tag": "final"},
        "data": {"params": '{"segmentationMeta": {"status": "approved"}}'},
    },
    "the training list": {"method": "GET", "url": "/datastore/", "params": {"output": "train"}},
    "the next image": {"method": "POST", "url": "/activelearning/random", "json": {"client_id": "me"}},
    "a label removed": {"method": "DELETE", "url": "/datastore/label", "params": {"id": "one", "tag": "version_1"}},
    "a label that is not there removed": {
        "method": "DELETE",
        "url": "/datastore/label",
        "params": {"id": "one", "tag": "none"},
    },
    "an image removed": {"method": "DELETE", "url": "/datastore/image", "params": {"id": "gone"}},
    "everything": {"method": "GET", "url": "/datastore/", "params": {"output": "all"}},
    "what the app is in the end": {"method": "GET", "url": "/info/"},
}


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory) -> dict[Package, dict[str, Any]]:
    """Run MONAI Label's server over a folder with each datastore and send it all requests."""
    root = tmp_path_factory.mktemp("served")
    return {package: _served(package, root / package.name) for package in BOTH}


def _served(package: Package, root: Path) -> dict[str, Any]:
    app, studies = root / "app", root / "studies"
    app.mkdir(parents=True)
    studies.mkdir()
    for name in ("one", "gone"):
        (studies / f"{name}.nii.gz").write_text(f"voxels of {name}")
    result = ask(package, "server", app=str(app), studies=str(studies), requests=list(REQUESTS.values()))
    return {"answers": settled(result["answers"], studies), "datastore": result["datastore"]}


def test_monai_labels_server_takes_our_datastore(served: dict[Package, dict[str, Any]]) -> None:
    """Its app opens the folder with the LocalDatastore that is earlier on the path."""
    assert served[Package.BESIDE]["datastore"].startswith(str(released.PROJECT / "monailabel"))
    assert served[Package.THEIRS]["datastore"].startswith(str(released.RELEASED))


@pytest.mark.parametrize("request_of", REQUESTS)
def test_monai_labels_server_answers_alike_on_our_datastore(
    served: dict[Package, dict[str, Any]], request_of: str
) -> None:
    """Same status, type, file name, bytes and document as on MONAI Label's own datastore."""
    place = list(REQUESTS).index(request_of)
    ours, theirs = (served[package]["answers"][place] for package in reversed(BOTH))
    if request_of == "the next image":  # chosen by chance, with weights made of the time
        known = {"id", "weight", "path", "ts", "name"}
        ours, theirs = ({"status": a["status"], "keys": known & a["json"].keys()} for a in (ours, theirs))
    if request_of == "everything":
        ours, theirs = ({"status": a["status"], "json": _unhanded(a["json"])} for a in (ours, theirs))
    assert ours["status"] == 200 or request_of == "whether another is there"
    assert ours == theirs


def _unhanded(document: dict[str, Any]) -> dict[str, Any]:
    """Leave out to whom an image was handed, which is chosen by chance."""
    for entry in document["objects"].values():
        entry["image"]["info"].pop("strategy", None)
    return document


@pytest.fixture(scope="module")
def fetched(tmp_path_factory: pytest.TempPathFactory) -> dict[Package, dict[str, Any]]:
    """Run MONAI Label's DICOMweb store with each datastore."""
    root = tmp_path_factory.mktemp("dicomweb")
    label = root / "label.nii.gz"
    _write_label(label)
    return {package: _fetched(package, root / package.name, label) for package in BOTH}


def _write_label(path: Path) -> None:
    import nibabel
    import numpy

    voxels = numpy.zeros((8, 8, 4), numpy.uint8)
    voxels[2:4, 2:4] = 1
    nibabel.nifti1.Nifti1Image(voxels, numpy.eye(4)).to_filename(path)


def _fetched(package: Package, root: Path, label: Path) -> dict[str, Any]:
    cache, tools = root / "cache", root / "tools"
    tools.mkdir(parents=True)
    answers = ask(package, "dicomweb", cache=str(cache), tools=str(tools), label=str(label))
    result: dict[str, Any] = settled(answers, cache)
    return result


FETCHED = ["name", "images", "fetched", "uri", "image", "info", "original", "original uri", "original bytes", "final"]
FETCHED += ["final info", "labelled", "unlabelled", "status", "datalist", "stored", "json", "unknown", "removed"]


@pytest.mark.parametrize("part", FETCHED)
def test_monai_labels_dicomweb_store_works_alike_on_our_datastore(
    fetched: dict[Package, dict[str, Any]], part: str
) -> None:
    """Series are fetched, converted, labelled, uploaded and listed as on MONAI Label's own datastore."""
    assert fetched[Package.BESIDE][part] == fetched[Package.THEIRS][part]


def test_a_dicomweb_store_keeps_the_label_that_it_uploaded(fetched: dict[Package, dict[str, Any]]) -> None:
    """A final label is stored here and in the archive, and stands in the list that trainings read."""
    answers = fetched[Package.BESIDE]
    assert answers["stored"] == 1
    assert [sorted(case) for case in answers["datalist"]] == [["image", "label"]]
    assert answers["status"]["completed"] == 1


@pytest.mark.parametrize("watch", [True, False], ids=["watching the folder", "refreshing it"])
def test_monai_labels_cvat_store_works_alike_on_our_datastore(tmp_path: Path, watch: bool) -> None:
    """Masks that CVAT's store puts straight into labels/final become labels: seen by the watcher, or by a refresh."""
    answers = {}
    for package in BOTH:
        folder = tmp_path / package.name
        folder.mkdir()
        _write_pictures(folder)
        answers[package] = settled(ask(package, "cvat", folder=str(folder), watch=watch), folder)
    assert answers[Package.BESIDE]["seen"]
    assert answers[Package.BESIDE]["masks"] == [[2], [2]]
    assert answers[Package.BESIDE] == answers[Package.THEIRS]


def _write_pictures(folder: Path) -> None:
    from PIL import Image

    for name in ("frame_1.png", "frame_2.jpg", "frame_3.png"):
        Image.new("RGB", (8, 6), (0, 0, 255)).save(folder / name)
