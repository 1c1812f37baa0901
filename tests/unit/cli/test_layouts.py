"""The options of the command line for files in sub-folders."""

from pathlib import Path

import pytest

from tests.unit.cli.running import Run


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    """Give an image to add."""
    path = tmp_path / "scan.nii.gz"
    path.write_bytes(b"\x1f\x8b scan")
    return path


def test_a_sharded_datastore_is_made_and_stays_one(run: Run, scan: Path, tmp_path: Path) -> None:
    """`add --create --layout sharded` makes one; every verb knows it from then on, and another layout is refused."""
    folder = tmp_path / "many"
    assert run("add", folder, scan, "--id", "case_7", "--create", "--layout", "sharded").status == 0
    assert (folder / "9" / "f" / "case_7.nii.gz").exists()
    assert run("label", folder, "case_7", scan).status == 0
    assert (folder / "labels" / "final" / "9" / "f" / "case_7.nii.gz").exists()
    assert run("check", folder).status == 0
    refused = run("add", folder, scan, "--layout", "flat")
    assert refused.status == 1 and "layout='sharded'" in refused.err


def test_sub_folders_are_taken_in_from_then_on(
    run: Run, scan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--recursive`, or its variable, is said once; a mistyped layout is told before anything is made."""
    folder = tmp_path / "tree"
    (folder / "ward").mkdir(parents=True)
    scan.rename(folder / "ward" / "case.nii.gz")
    monkeypatch.setenv("MONAI_LABEL_DATASTORE_RECURSIVE", "true")
    assert run("refresh", folder).status == 0
    monkeypatch.delenv("MONAI_LABEL_DATASTORE_RECURSIVE")
    listed = run("list", folder)
    assert listed.status == 0 and "ward~1case" in listed.out
    monkeypatch.setenv("MONAI_LABEL_DATASTORE_LAYOUT", "deep")
    refused = run("list", folder)
    assert refused.status == 1 and "MONAI_LABEL_DATASTORE_LAYOUT='deep' refused" in refused.err
