"""Folders that are entered again and again: what stays, what is noticed, what is let go of."""

import gc
import os
from pathlib import Path

import pytest

from monailabel.files.entering import Entrances


@pytest.fixture
def inner(tmp_path: Path) -> Path:
    """Make a folder in a folder."""
    path = tmp_path / "outer" / "inner"
    path.mkdir(parents=True)
    return path


def test_who_is_inside_stays_there(tmp_path: Path, inner: Path) -> None:
    """What is made goes into the folder that was entered; who comes later enters what has its name then."""
    entrances = Entrances()
    with entrances.enter(str(tmp_path), "outer", "inner") as first:
        inner.rename(tmp_path / "moved")
        inner.mkdir()
        with entrances.enter(str(tmp_path), "outer", "inner") as second:
            Path(second, "later").touch()
        Path(first, "earlier").touch()
    assert os.listdir(inner) == ["later"] and os.listdir(tmp_path / "moved") == ["earlier"]


@pytest.mark.parametrize("moved", ["outer", "outer/inner"])
def test_a_link_to_the_very_folder_is_noticed(tmp_path: Path, inner: Path, moved: str) -> None:
    """A folder that was moved away with a link left in its place is not entered, unless links are followed."""
    entrances = Entrances()
    names = ("outer", "inner")
    for follow in (False, True):
        with entrances.enter(str(tmp_path), *names, follow=follow):
            pass
    (tmp_path / moved).rename(tmp_path / "elsewhere")
    (tmp_path / moved).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(NotADirectoryError), entrances.enter(str(tmp_path), *names):
        pass
    with entrances.enter(str(tmp_path), *names, follow=True) as inside:
        Path(inside, "file").touch()
    assert os.listdir(inner) == ["file"]


def test_a_folder_that_is_gone_is_missed(tmp_path: Path, inner: Path) -> None:
    """A folder that was removed is an error that names it, though it is open still."""
    entrances = Entrances()
    with entrances.enter(str(tmp_path), "outer", "inner"):
        pass
    inner.rmdir()
    with pytest.raises(FileNotFoundError) as refused, entrances.enter(str(tmp_path), "outer", "inner"):
        pass
    assert refused.value.filename == str(inner)


def test_few_stay_open_and_none_when_closed(tmp_path: Path) -> None:
    """However many folders are entered, few stay open; closing lets go of them."""
    gc.collect()  # what earlier tests left open
    before = len(os.listdir("/proc/self/fd"))
    entrances = Entrances()
    for number in range(100):
        (tmp_path / str(number)).mkdir()
        with entrances.enter(str(tmp_path), str(number)):
            pass
    assert len(os.listdir("/proc/self/fd")) < before + 20
    entrances.close()
    assert len(os.listdir("/proc/self/fd")) <= before


def test_errors_name_what_people_know(tmp_path: Path, inner: Path) -> None:
    """An error inside tells the folder's own path, not the one that it is reached by."""
    entrances = Entrances()
    with (
        pytest.raises(FileNotFoundError) as refused,
        entrances.enter(str(tmp_path), "outer", "inner") as inside,
    ):
        os.unlink(f"{inside}/nothing")
    assert refused.value.filename == str(inner / "nothing")
