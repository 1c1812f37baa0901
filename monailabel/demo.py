"""Makes a small datastore out of real scans that nibabel carries and of phantoms whose labels are exact."""

import json
import socket
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib import resources
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
import numpy.typing as npt

from monailabel.datastore.local import LocalDatastore
from monailabel.interfaces.datastore import DefaultLabelTag
from monailabel.interfaces.exception import ConflictException

NAME = "demo"
DESCRIPTION = "real scans from nibabel's test data, and Shepp-Logan phantoms with exact labels"
SCANS = ("anatomical.nii", "functional.nii", "example4d.nii.gz", "reoriented_anat_moved.nii")

Voxels = npt.NDArray[Any]
Matrix = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Structure:
    """A structure of the phantom: its value in the label, and its brightness in the image."""

    name: str
    value: int
    brightness: int


SKULL = Structure("skull", 1, 1000)
BRAIN = Structure("brain", 2, 200)
LEFT_VENTRICLE = Structure("left ventricle", 3, 0)
RIGHT_VENTRICLE = Structure("right ventricle", 4, 0)
LESION = Structure("lesion", 5, 300)
STRUCTURES = (SKULL, BRAIN, LEFT_VENTRICLE, RIGHT_VENTRICLE, LESION)

# The 3-D Shepp-Logan phantom: what each ellipsoid is made of, half axes, centre (both in units of HALF_EXTENT_MM), turn
# about z in degrees. The figures are those of the "modified" phantom in M. Schabel's phantom3d (MATLAB Central 9416)
# without its turns about other axes. Where two overlap, the later one counts. x points to the right, y forward, z up.
ELLIPSOIDS = (
    (SKULL, (0.69, 0.92, 0.81), (0.0, 0.0, 0.0), 0),
    (BRAIN, (0.6624, 0.874, 0.78), (0.0, -0.0184, 0.0), 0),
    (RIGHT_VENTRICLE, (0.11, 0.31, 0.22), (0.22, 0.0, 0.0), -18),
    (LEFT_VENTRICLE, (0.16, 0.41, 0.28), (-0.22, 0.0, 0.0), 18),
    (LESION, (0.21, 0.25, 0.41), (0.0, 0.35, -0.15), 0),
    (LESION, (0.046, 0.046, 0.05), (0.0, 0.1, 0.25), 0),
    (LESION, (0.046, 0.046, 0.05), (0.0, -0.1, 0.25), 0),
    (LESION, (0.046, 0.023, 0.05), (-0.08, -0.605, 0.0), 0),
    (LESION, (0.023, 0.023, 0.02), (0.0, -0.606, 0.0), 0),
    (LESION, (0.023, 0.046, 0.02), (0.06, -0.605, 0.0), 0),
)
HALF_EXTENT_MM = 100.0


@dataclass(frozen=True)
class Proposal:
    """Who saved which label of a phantom, and the structures that they left out."""

    tag: DefaultLabelTag
    client_id: str
    without: tuple[Structure, ...] = ()


@dataclass(frozen=True)
class Phantom:
    """One phantom: its grid (voxels, mm, the directions in which its axes run, a turn in degrees) and its labels."""

    image_id: str
    shape: tuple[int, int, int]
    spacing: tuple[float, float, float]
    axes: str
    tilt: float
    proposals: tuple[Proposal, ...]


_MODEL = Proposal(DefaultLabelTag.ORIGINAL, "segmentation-model", without=(LESION,))
PHANTOMS = (
    Phantom("phantom_1", (64, 72, 64), (3.0, 3.0, 3.0), "RAS", 0, (_MODEL, Proposal(DefaultLabelTag.FINAL, "anna"))),
    Phantom("phantom_2", (96, 112, 44), (2.0, 2.0, 4.0), "LPS", 0, (Proposal(DefaultLabelTag.FINAL, "anna"),)),
    Phantom("phantom_3", (72, 64, 56), (3.0, 3.0, 3.0), "PIR", 12, (Proposal(DefaultLabelTag.FINAL, "ben"),)),
    Phantom("phantom_4", (80, 88, 72), (2.2, 2.2, 2.4), "RAS", -7, (_MODEL,)),
    Phantom("phantom_5", (56, 64, 48), (3.2, 3.2, 3.6), "LAS", 0, ()),
)


def make(folder: Path, progress: Callable[[str, int, int | None], None] | None = None) -> None:
    """Make the demo's datastore in a folder, or complete the one that is there; what it holds is not changed.

    Raises ConflictException for a folder with anything else in it.
    """
    _refuse_foreign(folder)
    folder.mkdir(parents=True, exist_ok=True)
    with LocalDatastore(str(folder), progress=progress, actor="demo") as datastore:
        if datastore.name() != NAME:
            datastore.set_name(NAME)
            datastore.set_description(DESCRIPTION)
        cases: list[Path | Phantom] = [*_scans(), *PHANTOMS]
        for done, case in enumerate(cases):
            if progress:
                progress("making images", done, len(cases))
            if isinstance(case, Phantom):
                _add_phantom(datastore, case)
            else:
                _add_scan(datastore, case)


def free_port(first: int, host: str = "127.0.0.1") -> int:
    """Give the first port from `first` on that nobody listens on."""
    for port in range(first, 65536):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((host, port))
            except OSError:
                continue
            return port
    raise ConflictException(f"no free port from {first} on: name one with --port")


def phantom(shape: tuple[int, int, int], affine: Matrix) -> tuple[Voxels, Voxels]:
    """Draw the phantom on a grid and give image (int16) and label (uint8), both of the grid's shape.

    `affine` is the 4 x 4 matrix from voxel indices to millimetres, right, anterior and superior being positive.
    A voxel belongs to what its centre lies in.
    """
    image, label = np.zeros(shape, np.int16), np.zeros(shape, np.uint8)
    indices = np.indices(shape).reshape(3, -1)
    points = (affine[:3, :3] @ indices + affine[:3, 3:]) / HALF_EXTENT_MM
    for structure, axes, centre, turn in ELLIPSOIDS:
        inside = _inside(points, axes, centre, turn).reshape(shape)
        image[inside], label[inside] = structure.brightness, structure.value
    return image, label


def grid(case: Phantom) -> Matrix:
    """Give the affine of a phantom's grid, whose middle is the phantom's."""
    angle = np.radians(case.tilt)
    turned = np.array([[1, 0, 0], [0, np.cos(angle), -np.sin(angle)], [0, np.sin(angle), np.cos(angle)]])
    directions = np.zeros((3, 3))
    for axis, letter in enumerate(case.axes):
        row, sign = {"R": (0, 1), "L": (0, -1), "A": (1, 1), "P": (1, -1), "S": (2, 1), "I": (2, -1)}[letter]
        directions[row, axis] = sign
    affine = np.eye(4)
    affine[:3, :3] = turned @ directions @ np.diag(case.spacing)
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(case.shape) - 1) / 2)
    return affine


def _inside(points: Matrix, axes: tuple[float, ...], centre: tuple[float, ...], turn: float) -> npt.NDArray[np.bool_]:
    x, y, z = points - np.array(centre)[:, None]
    cosine, sine = np.cos(np.radians(turn)), np.sin(np.radians(turn))
    along = np.stack([cosine * x + sine * y, cosine * y - sine * x, z])
    inside: npt.NDArray[np.bool_] = ((along / np.array(axes)[:, None]) ** 2).sum(axis=0) <= 1
    return inside


def _refuse_foreign(folder: Path) -> None:
    """Refuse a folder that the demo did not make: its images would end up among somebody's own."""
    if not folder.exists() or not any(folder.iterdir()):
        return
    try:
        document = json.loads((folder / "datastore_v2.json").read_bytes())
    except (OSError, ValueError):
        document = None
    if not isinstance(document, dict) or document.get("name") != NAME:
        raise ConflictException(f"{folder} holds something other than the demo: choose another with --folder")


def _scans() -> Iterator[Path]:
    """Give the scans that the installed nibabel carries; a distribution may leave its test data out."""
    with resources.as_file(resources.files("nibabel") / "tests" / "data") as data:
        yield from (data / name for name in SCANS if (data / name).exists())


def _add_scan(datastore: LocalDatastore, scan: Path) -> None:
    image_id = scan.name.split(".")[0]
    if not datastore.get_image_uri(image_id):
        datastore.add_image(image_id, str(scan), {"source": "nibabel's test data"})


def _add_phantom(datastore: LocalDatastore, case: Phantom) -> None:
    known = bool(datastore.get_image_uri(case.image_id))
    missing = [p for p in case.proposals if not known or not datastore.get_label_uri(case.image_id, p.tag)]
    if known and not missing:
        return
    affine = grid(case)
    image, label = phantom(case.shape, affine)
    with tempfile.TemporaryDirectory() as scratch:
        if not known:
            path = _written(Path(scratch, "image.nii.gz"), image, affine)
            datastore.add_image(case.image_id, path, {"source": "3-D Shepp-Logan phantom"})
        for proposal in missing:
            _save(datastore, case, proposal, _written(Path(scratch, "label.nii.gz"), _of(proposal, label), affine))


def _of(proposal: Proposal, label: Voxels) -> Voxels:
    """Give what a proposal shows of the exact label: a structure left out is taken for brain."""
    return np.where(np.isin(label, [s.value for s in proposal.without]), np.uint8(BRAIN.value), label)


def _save(datastore: LocalDatastore, case: Phantom, proposal: Proposal, path: str) -> None:
    shown = [s for s in STRUCTURES if s not in proposal.without]
    info = {"client_id": proposal.client_id, "label_info": [{"name": s.name, "idx": s.value} for s in shown]}
    with datastore.acting_as(proposal.client_id):
        datastore.save_label(case.image_id, path, proposal.tag, info)


def _written(path: Path, voxels: Voxels, affine: Matrix) -> str:
    volume = nib.Nifti1Image(voxels, affine)
    volume.header.set_xyzt_units("mm")
    volume.to_filename(path)
    return str(path)
