"""What tests of every folder share: copies of real data to work on."""

import shutil
from pathlib import Path

import pytest

DATA = Path(__file__).parent / "data"


@pytest.fixture
def brains(tmp_path: Path) -> Path:
    """Give a copy of the folder with one real head and its label."""
    return Path(shutil.copytree(DATA / "brains", tmp_path / "brains"))
