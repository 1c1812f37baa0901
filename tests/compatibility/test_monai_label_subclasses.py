"""Classes that build on LocalDatastore find the methods that they override asked, as MONAI Label's own stores do."""

from pathlib import Path
from typing import Any

import pytest

from tests.compatibility.monai_label.children import Package, ask

STEPS: list[list[Any]] = [
    ["add_image", "", "{file}", {}],
    ["save_label", "a", "{file}", "final", {}],
    ["status"],
    ["get_image", "a"],
    ["get_label", "a", "final"],
    ["get_dataset_archive", None],
    ["remove_label", "a", "final"],
]


@pytest.fixture
def file(tmp_path: Path) -> str:
    """Write an image."""
    path = tmp_path / "a.nii.gz"
    path.write_text("voxels")
    return str(path)


def test_inner_calls_go_through_the_methods_that_subclasses_override(tmp_path: Path, file: str) -> None:
    """Whatever MONAI Label's methods ask of themselves, ours ask too: a URI, the ids, the lists, a file's name."""
    steps = [[file if a == "{file}" else a for a in step] for step in STEPS]
    theirs = ask(Package.THEIRS, "traced", folder=str(tmp_path / "theirs"), steps=steps)
    ours = ask(Package.OURS, "traced", folder=str(tmp_path / "ours"), steps=steps)
    for step, mine, other in zip(STEPS, ours, theirs, strict=True):
        # Names of files are asked for where files are made. For the other calls ours knows them: MONAI Label makes
        # them anew from its document, or scans the folder.
        needed = set(other) - (set() if step[0] in ("add_image", "save_label") else {"_to_id", "_filename"})
        assert needed <= set(mine), step[0]


@pytest.mark.parametrize("package", [Package.THEIRS, Package.OURS], ids=["theirs", "ours"])
def test_what_is_overridden_decides(tmp_path: Path, package: Package) -> None:
    """Overridden ids, lists and URIs decide what the inherited methods store, count, give and archive."""
    source, elsewhere, folder = tmp_path / "case--x.bin", tmp_path / "elsewhere.raw", tmp_path / "store"
    source.write_text("added")
    elsewhere.write_text("elsewhere")
    answers = ask(package, "overridden", folder=str(folder), elsewhere=str(elsewhere), source=str(source))
    status = answers.pop("status")
    assert (status["total"], status["completed"]) == (4, 3)
    assert answers == {
        "added": "case",
        "saved": "case",
        "file": ["case.bin"],
        "image": {"bytes": "elsewhere"},
        "label": {"bytes": "elsewhere"},
        "archived": ["image/elsewhere.raw", "label/elsewhere.raw", "metadata.json"],
        "image_path": str(folder),
        "label_path": str(folder / "labels" / "final"),
        "tag_path": str(folder / "labels" / "x"),
    }
