"""The archive of labelled cases holds what MONAI Label's holds."""

from pathlib import Path
from typing import Any

import pytest

from tests.compatibility.monai_label.children import Package, ask
from tests.compatibility.monai_label.settled import settled

LIMITS = [None, 0, -1, 1, 2, 3, 99]
NAMES = ["one.nii.gz", "two.nii", "drei ß.nii.gz", "unlabelled.nii.gz"]


@pytest.fixture(scope="module")
def archives(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """Ask both packages for archives with every limit."""
    root = tmp_path_factory.mktemp("archives")
    for name in NAMES:
        (root / name).write_text(f"voxels of {name}")
    steps: list[list[Any]] = [["add_image", "", str(root / name), {"of": name}] for name in NAMES]
    steps += [["save_label", Path(n).name.split(".")[0], str(root / n), "final", {}] for n in NAMES[:3]]
    steps += [["save_label", "one", str(root / NAMES[3]), "original", {}]]
    steps += [["archive", limit] for limit in LIMITS]
    given = {}
    for package in (Package.THEIRS, Package.BESIDE):
        folder = root / package.name
        runs = [{"folder": str(folder), "steps": steps}]
        given[package.name] = settled(ask(package, "calls", runs=runs)[0][-len(LIMITS) :], folder)
    return given


@pytest.mark.parametrize("limit", LIMITS)
def test_has_the_same_members_for_every_limit(archives: dict[str, list[Any]], limit: int | None) -> None:
    """`image/<file>` and `label/<file>` of the first cases; none, zero, negative and too large limits mean all."""
    ours, theirs = (archives[which][LIMITS.index(limit)] for which in ("BESIDE", "THEIRS"))
    assert ours["names"] == theirs["names"]
    assert ours["files"] == theirs["files"]


@pytest.mark.parametrize("limit", LIMITS)
def test_speaks_of_the_cases_inside_as_monai_label_does(archives: dict[str, list[Any]], limit: int | None) -> None:
    """The metadata has the same form and entries, and only those of the cases inside."""
    ours, theirs = (archives[which][LIMITS.index(limit)]["metadata"] for which in ("BESIDE", "THEIRS"))
    cases = 3 if limit is None or not 0 < limit < 3 else limit
    inside = [Path(name).name.split(".")[0] for name in NAMES[:cases]]
    assert ours == theirs | {"objects": {id: theirs["objects"][id] for id in inside}}
