"""Cases that a test makes for itself, over HTTP like any client, and what the server says of them."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import nibabel as nib
import numpy as np

from tests.unit.server.running import Server

SHAPE = (40, 44, 36)
AFFINE = nib.affines.from_matvec(np.diag([2.0, 2.0, 2.0]), [-40.0, -44.0, -36.0])
VOXEL = 0.008  # ml

Voxels = np.ndarray[Any, Any]
Box = tuple[slice, slice, slice]

LEFT_BOX: Box = (slice(8, 18), slice(12, 32), slice(8, 28))  # 4000 voxels, 32 ml
RIGHT_BOX: Box = (slice(22, 32), slice(12, 32), slice(8, 28))  # as many


def ball() -> Voxels:
    """Draw a bright ball on grey."""
    grid = np.indices(SHAPE) - np.array([20, 22, 18])[:, None, None, None]
    return np.where((grid**2).sum(0) < 16**2, 200, 20).astype(np.uint8)


def boxes(*filled: tuple[Box, int]) -> Voxels:
    """Draw a label of boxes, each with its value."""
    label = np.zeros(SHAPE, np.uint8)
    for box, value in filled:
        label[box] = value
    return label


def nrrd(voxels: Voxels) -> bytes:
    """Write a volume of bytes on the cases' grid as NRRD, which counts to the left and backwards."""
    header = f"""NRRD0004
type: uint8
dimension: 3
space: left-posterior-superior
sizes: {" ".join(map(str, voxels.shape))}
space directions: (-2,0,0) (0,-2,0) (0,0,2)
kinds: domain domain domain
encoding: raw
space origin: (40,44,-36)

"""
    return header.encode() + voxels.tobytes("F")


def mha(voxels: Voxels) -> bytes:
    """Write a volume of bytes on the cases' grid as MetaImage."""
    header = f"""ObjectType = Image
NDims = 3
BinaryData = True
BinaryDataByteOrderMSB = False
CompressedData = False
TransformMatrix = -1 0 0 0 -1 0 0 0 1
Offset = 40 44 -36
ElementSpacing = 2 2 2
DimSize = {" ".join(map(str, voxels.shape))}
ElementType = MET_UCHAR
ElementDataFile = LOCAL
"""
    return header.encode() + voxels.tobytes("F")


class Cases:
    """Makes cases in a server's datastore."""

    def __init__(self, server: Server, scratch: Path) -> None:
        self.server = server
        self._scratch = scratch

    def nifti(self, voxels: Voxels, affine: Voxels = AFFINE) -> bytes:
        """Write a volume and give its bytes (.nii.gz)."""
        path = self._scratch / "volume.nii.gz"
        nib.Nifti1Image(voxels, affine).to_filename(path)
        return path.read_bytes()

    def image(self, image: str, voxels: Voxels | None = None, **info: Any) -> str:
        """Add an image, or replace it; a ball where no voxels are given. The same id comes back."""
        data = self.nifti(ball() if voxels is None else voxels)
        self.file(image, "image.nii.gz", data, **info)
        return image

    def file(self, image: str, name: str, data: bytes, **info: Any) -> None:
        """Add an image as it is."""
        answer = self.server.put(f"/datastore/image?image={quote(image)}", "file", name, data, params=json.dumps(info))
        assert answer.status == 200, answer.body

    def label(
        self, image: str, voxels: Voxels | None = None, tag: str = "final", by: str = "anna", names: Sequence[str] = ()
    ) -> None:
        """Save a label: of boxes 1 and 2 where no voxels are given."""
        data = self.nifti(boxes((LEFT_BOX, 1), (RIGHT_BOX, 2)) if voxels is None else voxels)
        self.label_file(image, "label.nii.gz", data, tag, by, names)

    def label_file(
        self, image: str, file: str, data: bytes, tag: str = "final", by: str = "anna", names: Sequence[str] = ()
    ) -> None:
        """Save a label as it is."""
        named = [{"name": name, "idx": idx} for idx, name in enumerate(names or ("left box", "right box"), 1)]
        params = json.dumps({"client_id": by, "label_info": named})
        address = f"/datastore/label?image={quote(image)}&tag={quote(tag)}"
        answer = self.server.put(address, "label", file, data, params=params)
        assert answer.status == 200, answer.body

    def review(self, image: str, **meta: Any) -> None:
        """Write a review as MONAILabelReviewer does."""
        whole = {"status": "", "level": "", "approvedBy": "bob", "comment": "", "editTime": 1_700_000_000, **meta}
        body = urlencode({"params": json.dumps({"segmentationMeta": whole})}).encode()
        answer = self.server.ask(
            "PUT", f"/datastore/updatelabelinfo?label={quote(image)}&tag=final", body,
            content_type="application/x-www-form-urlencoded",
        )  # fmt: skip
        assert answer.status == 200, answer.body

    def label_info(self, image: str, tag: str = "final") -> dict[str, Any]:
        """Give what the server says of a label to MONAILabelReviewer."""
        document = self.server.get("/datastore/?output=all").json
        info: dict[str, Any] = document["objects"][image]["labels"][tag]["info"]
        return info

    def written_info(self, image: str) -> dict[str, Any]:
        """Give what datastore_v2.json says of a final label."""
        document = json.loads((self.server.folder / "datastore_v2.json").read_bytes())
        info: dict[str, Any] = document["objects"][image]["labels"]["final"]["info"]
        return info

    def ids(self, **query: Any) -> list[str]:
        """Give the ids of a list as the server has it."""
        return [
            row["id"] for row in self.server.get(f"/datastore/images?{urlencode(query, doseq=True)}").json["images"]
        ]
