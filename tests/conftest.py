"""What tests of every folder share: copies of real data to work on."""

import shutil
import signal
from pathlib import Path

import pytest

DATA = Path(__file__).parent / "data"

# A shell's job in the background ignores it, and what the tests start would inherit that and not end on Ctrl-C.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture
def brains(tmp_path: Path) -> Path:
    """Give a copy of the folder with one real head and its label."""
    return Path(shutil.copytree(DATA / "brains", tmp_path / "brains"))
