"""The models of datastore_v2.json behave as MONAI Label's do."""

from typing import Any

import pytest

from tests.compatibility.monai_label.children import Package, ask

DOCUMENT = {
    "name": "new-dataset",
    "description": "New Dataset",
    "images_dir": ".",
    "labels_dir": "labels",
    "objects": {
        "a": {
            "image": {"ext": ".nii.gz", "info": {"ts": 1700000000, "name": "a.nii.gz"}},
            "labels": {
                "version 2": {"ext": ".nrrd", "info": {}},
                "final": {"ext": ".nii.gz", "info": {"ts": 1700000000, "name": "a.nii.gz"}},
            },
        },
        "größe": {"image": {"ext": "", "info": {}}, "labels": {"original": {"ext": ".nii", "info": {"x": None}}}},
        "bare": {"image": {}},
    },
}


@pytest.mark.parametrize("base_path", ["", "/data/brains", "relative"])
@pytest.mark.parametrize("document", [DOCUMENT, {"name": "n", "description": "d", "objects": {}}], ids=["full", "bare"])
def test_behave_as_monai_labels_do(document: dict[str, Any], base_path: str) -> None:
    """`tags`, `filter_by_tag`, `label`, `image_path`, `label_path` and defaults give the same."""
    ours, theirs = (ask(p, "models", document=document, base_path=base_path) for p in (Package.BESIDE, Package.THEIRS))
    assert ours == theirs
