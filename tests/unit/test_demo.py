"""The demo's datastore: real scans byte for byte, and phantoms whose labels are exact in every voxel."""

import json
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import nibabel
import numpy as np
import pytest

from monailabel import demo
from monailabel.cli.__main__ import main
from monailabel.datastore.local import LocalDatastore
from monailabel.interfaces.exception import ConflictException

LABELLED = [
    pytest.param(case, proposal, id=f"{case.image_id} {proposal.tag.value}")
    for case in demo.PHANTOMS
    for proposal in case.proposals
]


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Give the demo's folder."""
    folder = tmp_path_factory.mktemp("demo") / "demo-datastore"
    demo.make(folder)
    return folder


def _voxels(path: str) -> tuple[Any, Any]:
    volume: Any = nibabel.load(path)
    return np.asarray(volume.dataobj), volume.affine


def _value_at(point: Any) -> int:
    """Say which structure a point in millimetres lies in, one ellipsoid after the other."""
    found = 0
    for structure, axes, centre, turn in demo.ELLIPSOIDS:
        dx, dy, dz = (p / demo.HALF_EXTENT_MM - c for p, c in zip(point, centre, strict=True))
        c, s = np.cos(np.radians(turn)), np.sin(np.radians(turn))
        if ((c * dx + s * dy) / axes[0]) ** 2 + ((c * dy - s * dx) / axes[1]) ** 2 + (dz / axes[2]) ** 2 <= 1:
            found = structure.value
    return found


def test_it_holds_real_scans_byte_for_byte(made: Path) -> None:
    """Each scan is the file that nibabel carries."""
    carried = Path(nibabel.__file__).parent / "tests" / "data"
    for name in demo.SCANS:
        assert (made / name).read_bytes() == (carried / name).read_bytes()


def test_it_looks_like_a_project_under_way(made: Path) -> None:
    """There are finished, proposed and untouched images, and more than one annotator."""
    with LocalDatastore(str(made), read_only=True) as datastore:
        status = datastore.status()
        unlabelled = set(datastore.get_unlabeled_images())
        finals = [datastore.get_label_info(id, "final") for id in datastore.get_labeled_images()]
    assert status["total"] == len(demo.SCANS) + len(demo.PHANTOMS)
    assert status["label_tags"] == {"final": 3, "original": 2}
    assert {"anatomical", "phantom_4", "phantom_5"} <= unlabelled
    assert {info["client_id"] for info in finals} == {"anna", "ben"}


@pytest.mark.parametrize(("case", "proposal"), LABELLED)
def test_a_label_fits_its_image(made: Path, case: demo.Phantom, proposal: demo.Proposal) -> None:
    """Label and image have one grid, and every voxel of the image has the brightness of the structure in the label."""
    with LocalDatastore(str(made), read_only=True) as datastore:
        image, image_affine = _voxels(datastore.get_image_uri(case.image_id))
        label, label_affine = _voxels(datastore.get_label_uri(case.image_id, proposal.tag))
    assert image.shape == label.shape == case.shape
    assert np.array_equal(image_affine, label_affine)
    brightness = np.array([0, *(s.brightness for s in demo.STRUCTURES)])
    shown = np.where((image == demo.LESION.brightness) & (label == demo.BRAIN.value), demo.BRAIN.brightness, image)
    expected = image if demo.LESION not in proposal.without else shown
    assert np.array_equal(brightness[label], expected)


@pytest.mark.parametrize(("case", "proposal"), LABELLED)
def test_a_label_is_exact(made: Path, case: demo.Phantom, proposal: demo.Proposal) -> None:
    """Every voxel that was looked at has the value of the ellipsoid that its centre lies in, however the grid lies."""
    label, affine = _voxels(str(made / "labels" / proposal.tag.value / f"{case.image_id}.nii.gz"))
    left_out = {structure.value for structure in proposal.without}
    for index in np.random.default_rng(7).integers(0, case.shape, (4000, 3)):
        exact = _value_at((affine @ [*index, 1])[:3])
        assert label[tuple(index)] == (demo.BRAIN.value if exact in left_out else exact)


@pytest.mark.parametrize(("case", "proposal"), LABELLED)
def test_a_label_names_the_structures_that_it_shows(made: Path, case: demo.Phantom, proposal: demo.Proposal) -> None:
    """`label_info` has a name for every value in the label, and no other."""
    with LocalDatastore(str(made), read_only=True) as datastore:
        info = datastore.get_label_info(case.image_id, proposal.tag)
        label, _ = _voxels(datastore.get_label_uri(case.image_id, proposal.tag))
    assert {entry["idx"] for entry in info["label_info"]} == set(np.unique(label)) - {0}
    assert all(entry["name"] for entry in info["label_info"])
    assert info["client_id"] == proposal.client_id


@pytest.mark.parametrize("case", demo.PHANTOMS, ids=lambda case: f"{case.image_id} {case.axes}")
def test_a_grid_lies_as_it_says(case: demo.Phantom) -> None:
    """The affine has the spacing and the axes of the case, and the middle of the grid is the phantom's."""
    affine = demo.grid(case)
    assert np.allclose(np.linalg.norm(affine[:3, :3], axis=0), case.spacing)
    assert nibabel.aff2axcodes(affine) == tuple(case.axes)
    assert np.allclose(affine @ [*((np.array(case.shape) - 1) / 2), 1], [0, 0, 0, 1])


def test_making_it_again_changes_nothing(made: Path) -> None:
    """A folder that is complete is used as it is."""
    with LocalDatastore(str(made), read_only=True) as datastore:
        before = datastore.json(), len(datastore.events())
    demo.make(made)
    with LocalDatastore(str(made), read_only=True) as datastore:
        assert (datastore.json(), len(datastore.events())) == before


def test_what_a_stopped_demo_left_out_is_made_up_for(tmp_path: Path) -> None:
    """A folder that lacks an image and a label gets them, and keeps what a user changed."""
    demo.make(tmp_path)
    with LocalDatastore(str(tmp_path)) as datastore:
        complete = set(datastore.list_images())
        datastore.remove_image("anatomical")
        datastore.remove_label("phantom_1", "final")
        datastore.update_image_info("phantom_2", {"mine": 1})
    demo.make(tmp_path)
    with LocalDatastore(str(tmp_path), read_only=True) as datastore:
        assert set(datastore.list_images()) == complete
        assert datastore.get_label_by_image_id("phantom_1", "final") == "phantom_1"
        assert datastore.get_image_info("phantom_2")["mine"] == 1


def test_it_keeps_out_of_other_folders(brains: Path) -> None:
    """A folder with somebody's images is refused, and nothing is written into it."""
    before = sorted(brains.rglob("*"))
    with pytest.raises(ConflictException, match="choose another with --folder"):
        demo.make(brains)
    assert sorted(brains.rglob("*")) == before
    assert main(["demo", "--folder", str(brains)]) == 1


def test_it_takes_the_next_free_port() -> None:
    """A port that somebody listens on is passed over."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", demo.free_port(8200)))
        taken.listen()
        port = taken.getsockname()[1]
        assert demo.free_port(port) > port


def test_the_demo_serves_what_it_made(made: Path) -> None:
    """The verb prints an address, three things to try, and answers there with images and labels, until Ctrl-C."""
    command = [sys.executable, "-m", "monailabel.cli", "demo", "--folder", str(made), "--port", "8300"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout
        told = [process.stdout.readline() for _ in range(7)]
        address = re.search(r"http://127\.0\.0\.1:\d+", "".join(told))
        assert address
        with urlopen(f"{address.group()}/datastore/?output=all") as answer:
            objects = json.load(answer)["objects"]
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=20)
    assert "final" in objects["phantom_1"]["labels"]
    assert {"curl", "Python", "Slicer"} <= set(re.findall(r"curl|Python|Slicer", "".join(told)))
    assert process.returncode == 0
    assert "Traceback" not in errors
