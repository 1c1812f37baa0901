"""The folder of what can be made again: it keeps, forgets, and never stands in the way."""

import hashlib
import os
from collections.abc import Callable
from pathlib import Path
from typing import BinaryIO

import pytest

from monailabel.files.cache import Cache, Kept

KEY = hashlib.sha256(b"a").hexdigest()


def writing(data: bytes) -> Callable[[BinaryIO], None]:
    """Give what writes these bytes."""
    return lambda out: out.write(data) and None


def content(kept: Kept | None) -> bytes | None:
    """Read what was kept, and close it."""
    if kept is None:
        return None
    try:
        return os.pread(kept.fd, kept.size, 0)
    finally:
        os.close(kept.fd)


def files(folder: Path) -> list[Path]:
    """List the files below a folder."""
    return sorted(path for path in folder.rglob("*") if path.is_file())


@pytest.fixture
def cache(tmp_path: Path) -> Cache:
    """Give a cache of 1000 bytes in one folder."""
    return Cache(str(tmp_path), ("made",), like=str(tmp_path), budget=1000, spread=0)


def test_what_was_put_is_found(cache: Cache) -> None:
    """Under its key, and under no other."""
    assert cache.get(KEY) is None
    assert content(cache.put(KEY, writing(b"picture"))) == b"picture"
    assert content(cache.get(KEY)) == b"picture"
    assert cache.get(KEY[::-1]) is None


@pytest.mark.parametrize("damage", [b"", b"pict", b"Picture", b"picture and more"])
def test_damage_is_noticed(cache: Cache, tmp_path: Path, damage: bytes) -> None:
    """A file that was torn or changed is not handed out, and makes room for a good one."""
    content(cache.put(KEY, writing(b"picture")))
    (path,) = files(tmp_path)
    path.write_bytes(damage)
    assert cache.get(KEY) is None
    assert files(tmp_path) == []
    assert content(cache.put(KEY, writing(b"picture"))) == content(cache.get(KEY)) == b"picture"


def test_what_was_not_used_for_longest_goes_first(cache: Cache, tmp_path: Path) -> None:
    """The folder stays below its size, and what is used stays."""
    keys = [hashlib.sha256(bytes([n])).hexdigest() for n in range(5)]
    for age, key in enumerate(keys[:4]):
        content(cache.put(key, writing(bytes(240))))
        (path,) = (tmp_path / "made").glob(f"{key}*")
        os.utime(path, (0, 10_000 * age))
    assert content(cache.get(keys[0])) is not None
    content(cache.put(keys[4], writing(bytes(240))))
    assert [content(cache.get(key)) is not None for key in keys] == [True, False, True, True, True]


def test_what_is_larger_than_the_folder_is_kept_until_the_next(cache: Cache, tmp_path: Path) -> None:
    """The newest stays, alone."""
    content(cache.put(KEY, writing(b"small")))
    content(cache.put(KEY[::-1], writing(bytes(5000))))
    assert content(cache.get(KEY[::-1])) == bytes(5000)
    assert len(files(tmp_path)) == 1


def test_other_files_are_left_alone(cache: Cache, tmp_path: Path) -> None:
    """Only what the cache made itself is removed to make room."""
    (tmp_path / "made").mkdir()
    (tmp_path / "made" / "mine.txt").write_bytes(bytes(9000))
    content(cache.put(KEY, writing(bytes(900))))
    content(cache.put(KEY[::-1], writing(bytes(900))))
    assert [path.name[:4] for path in files(tmp_path)].count("mine") == 1
    assert len(files(tmp_path)) == 2


@pytest.mark.parametrize("obstacle", ["a file in its place", "a link in its place", "a link to nowhere"])
def test_a_folder_that_cannot_be_used_is_no_obstacle(cache: Cache, tmp_path: Path, obstacle: str) -> None:
    """What cannot be kept is handed out all the same, and nothing is written where a link leads."""
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    if obstacle == "a file in its place":
        (tmp_path / "made").write_bytes(b"")
    else:
        (tmp_path / "made").symlink_to(elsewhere if obstacle == "a link in its place" else tmp_path / "nowhere")
    assert content(cache.put(KEY, writing(b"picture"))) == b"picture"
    assert cache.get(KEY) is None
    assert files(elsewhere) == []


def test_what_is_dropped_is_gone(cache: Cache, tmp_path: Path) -> None:
    """And nothing else."""
    content(cache.put(KEY, writing(b"picture")))
    content(cache.put(KEY[::-1], writing(b"another")))
    cache.drop(KEY)
    assert cache.get(KEY) is None and len(files(tmp_path)) == 1


def test_what_could_not_be_made_leaves_nothing(cache: Cache, tmp_path: Path) -> None:
    """An error while writing is the caller's, and no half of a file stays."""

    def fail(out: BinaryIO) -> None:
        out.write(b"half")
        raise ValueError("no more")

    with pytest.raises(ValueError, match="no more"):
        cache.put(KEY, fail)
    assert files(tmp_path) == []


def test_the_group_can_use_what_was_made(tmp_path: Path) -> None:
    """In a folder of a group its members read and clear away what another one's process made."""
    tmp_path.chmod(0o2770)
    content(Cache(str(tmp_path), ("made",), like=str(tmp_path), budget=1000, spread=2).put(KEY, writing(b"x")))
    (path,) = files(tmp_path)
    assert path.stat().st_mode & 0o060 == 0o060 and path.parent.stat().st_mode & 0o070 == 0o070
