"""The options of the command line for files in sub-folders."""

from collections.abc import Callable
from pathlib import Path

import pytest

from monailabel.cli.__main__ import main

Said = Callable[..., str]


@pytest.fixture
def said(capsys: pytest.CaptureFixture[str]) -> Said:
    """Give a function that runs a verb and gives what it says."""

    def run(*words: object, status: int = 0) -> str:
        ended, told = main([str(word) for word in words]), capsys.readouterr()
        assert ended == status, told
        return told.out if status == 0 else told.err

    return run


@pytest.fixture
def scan(tmp_path: Path) -> Path:
    """Give an image to add."""
    path = tmp_path / "scan.nii.gz"
    path.write_bytes(b"\x1f\x8b scan")
    return path


def test_a_sharded_datastore_is_made_and_stays_one(said: Said, scan: Path, tmp_path: Path) -> None:
    """`add --create --layout sharded` makes one; every verb knows it from then on, and another layout is refused."""
    folder = tmp_path / "many"
    said("add", folder, scan, "--id", "case_7", "--create", "--layout", "sharded")
    assert (folder / "9" / "f" / "case_7.nii.gz").exists()
    said("label", folder, "case_7", scan)
    assert (folder / "labels" / "final" / "9" / "f" / "case_7.nii.gz").exists()
    said("check", folder)
    assert "layout='sharded'" in said("add", folder, scan, "--layout", "flat", status=1)


def test_sub_folders_are_taken_in_from_then_on(
    said: Said, scan: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`--recursive`, or its variable, is said once; a mistyped layout is told before anything is made."""
    folder = tmp_path / "tree"
    (folder / "ward").mkdir(parents=True)
    scan.rename(folder / "ward" / "case.nii.gz")
    monkeypatch.setenv("MONAI_LABEL_DATASTORE_RECURSIVE", "true")
    said("refresh", folder)
    monkeypatch.delenv("MONAI_LABEL_DATASTORE_RECURSIVE")
    assert "ward~1case" in said("list", folder)
    monkeypatch.setenv("MONAI_LABEL_DATASTORE_LAYOUT", "deep")
    assert "MONAI_LABEL_DATASTORE_LAYOUT='deep' refused" in said("list", folder, status=1)
