"""Files that lie ready for the next changes: used once, never another's, and gone when nobody needs them."""

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import pytest

from monailabel.files.folder import Folder
from monailabel.files.ready import COUNT, Begun, Ready


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[Folder]:
    """A folder of files under visible names."""
    made = Folder(str(tmp_path / "shown"), str(tmp_path / "shown" / ".own"))
    made.prepare()
    yield made
    made.ready.close()


def staged(folder: Folder) -> set[str]:
    """Give the names that lie in the staging."""
    return {entry.name for entry in folder.staged()}


def test_nothing_lies_ready_where_nothing_is_changed(folder: Folder) -> None:
    """Who only looks makes no file."""
    assert not folder.ready.is_low and staged(folder) == set()


def test_a_change_takes_a_file_that_lies_ready(folder: Folder) -> None:
    """Once filled, each new file is one of those that were there, and no two are the same."""
    with folder.stage("first"):
        assert folder.ready.is_low
    folder.ready.fill()
    there = staged(folder)
    assert len(there) == COUNT and not folder.ready.is_low
    taken = [folder.stage("next") for _ in range(COUNT)]
    assert {file.token for file in taken} == there
    another = folder.stage("one more")
    assert another.token not in there
    for file in (*taken, another):
        file.discard()
    assert staged(folder) == set()


def test_the_bytes_are_those_that_were_written(folder: Folder, tmp_path: Path) -> None:
    """A file that lay ready is shown as any other."""
    folder.ready.fill()
    (tmp_path / "source").write_bytes(b"voxels")
    with folder.stage_copy(str(tmp_path / "source")) as file:
        folder.put(file.token, file.inode, file.sha256, "final/a.nii")
        file.taken = True
    assert Path(folder.path("final/a.nii")).read_bytes() == b"voxels"


def test_a_file_that_was_taken_away_is_not_used(folder: Folder) -> None:
    """What somebody removed from the staging, or put in the place of it, is passed over."""
    folder.ready.fill()
    gone, other, *_ = sorted(staged(folder))
    for name in (gone, other):
        os.unlink(Path(folder.staging, name))
    Path(folder.staging, other).write_bytes(b"somebody's")
    taken = [folder.stage("next") for _ in range(COUNT)]
    assert not {gone, other} & {file.token for file in taken}
    for file in taken:
        file.discard()
    assert Path(folder.staging, other).read_bytes() == b"somebody's"


def test_a_sweep_passes_over_them_while_their_owner_lives(folder: Folder) -> None:
    """Another process that opens the folder leaves them; those of a dead owner it removes."""
    folder.ready.fill()
    same = Folder(folder.root, folder.work)
    same.sweep(set())
    assert len(staged(folder)) == COUNT
    folder.ready.close()
    script = f"""
from monailabel.files.folder import Folder
import os
folder = Folder({folder.root!r}, {folder.work!r})
folder.ready.fill()
os._exit(9)
"""
    subprocess.run([sys.executable, "-c", script], check=False)
    assert len(staged(folder)) == COUNT
    same.sweep(set())
    assert staged(folder) == set()


def test_a_disk_that_takes_none_is_no_error(folder: Folder) -> None:
    """Where no file can be made ahead, the change that needs one says what is wrong."""
    os.rmdir(folder.staging)
    folder.ready.fill()
    with pytest.raises(FileNotFoundError, match="staging"):
        folder.stage("next")


def test_who_closes_while_they_are_made_leaves_none(folder: Folder) -> None:
    """A datastore that is let go of just then, as the garbage collector may do in any thread, keeps no file open."""
    ready = Ready(folder.begin, lambda: ready.close())
    ready.fill()
    assert staged(folder) == set() and ready.take() is None


@pytest.mark.parametrize("fails", ["the third file", "the sync"])
def test_a_disk_that_takes_no_more_keeps_none(folder: Folder, fails: str) -> None:
    """Where not all of them can be made, and made durable, none is left behind, and none is used."""
    left = 2 if fails == "the third file" else COUNT

    def begin() -> Iterator[Begun]:
        yield from islice(folder.begin(), left)
        raise OSError(errno.ENOSPC, "no space left on device")

    def sync() -> None:
        raise OSError(errno.EIO, "input/output error")

    ready = Ready(begin, sync)
    ready.fill()
    assert ready.take() is None and staged(folder) == set()


def test_an_error_of_another_kind_is_raised_and_keeps_none(folder: Folder) -> None:
    """What nobody foresaw is not hidden, and leaves no file behind or open either."""
    begun: list[Begun] = []

    def begin() -> Iterator[Begun]:
        for made in islice(folder.begin(), 2):
            begun.append(made)
            yield made
        raise RuntimeError("not foreseen")

    ready = Ready(begin, lambda: None)
    with pytest.raises(RuntimeError, match="not foreseen"):
        ready.fill()
    assert ready.take() is None and staged(folder) == set() and all(file.closed for _, file in begun)


def test_a_forked_child_takes_none_of_its_parents(tmp_path: Path) -> None:
    """What lay ready at the fork is the parent's alone."""
    script = f"""
import os, sys
from monailabel.datastore.local import LocalDatastore
store = LocalDatastore({str(tmp_path / "studies")!r})
ready = store._store.labels.ready
ready.fill()
child = os.fork()
mine = {{store.stage("x").token for _ in range({COUNT})}}
if not child:
    print(*mine, flush=True)
    os._exit(0)
os.waitpid(child, 0)
print(*mine)
os._exit(0)
"""
    said = subprocess.run([sys.executable, "-W", "ignore", "-c", script], check=True, capture_output=True, text=True)
    ours, theirs = (set(line.split()) for line in said.stdout.splitlines())
    assert len(ours) == len(theirs) == COUNT and not ours & theirs
