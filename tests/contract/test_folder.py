"""What a folder of files promises, with the system's one-step renames and with what stands in for them."""

import os
import re
import secrets
import shutil
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from monailabel.files import renaming
from monailabel.files.folder import Folder
from monailabel.files.layout import FLAT, NESTED, SHARDED, layout_of
from monailabel.files.staged import Staged
from monailabel.interfaces.exception import InvalidInputException

NAMES = {FLAT: "a.nii", SHARDED: "final/a.nii", NESTED: "ward~1bed~02~1a.nii"}


@pytest.fixture(params=NAMES)
def layout(request: pytest.FixtureRequest) -> str:
    """Files side by side, spread over 256 folders, and in folders as they come."""
    return str(request.param)


@pytest.fixture
def name(layout: str) -> str:
    """Give a visible name."""
    return NAMES[layout]


@pytest.fixture(params=["renameat2", "links"])
def folder(
    tmp_path: Path, request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, layout: str
) -> Iterator[Folder]:
    """A folder on a disk that has renameat2, and on one where links have to stand in."""
    if request.param == "links":
        monkeypatch.setattr(renaming, "_renameat2", None)
    else:
        assert renaming._renameat2 is not None
    folder = Folder(str(tmp_path / "shown"), str(tmp_path / "work"))
    folder.layout = layout_of(layout, folder.root, ())
    folder.prepare()
    return folder


def staged(folder: Folder, data: bytes) -> Staged:
    """Stage a file as a writer does who is about to commit."""
    file = folder.stage("x.nii")
    file.write(data)
    file.seal()
    file.taken = True
    file.release()
    return file


def put(folder: Folder, file: Staged, name: str) -> None:
    """Show a staged file."""
    folder.put(file.token, file.inode, file.sha256, name)


def shown(folder: Folder, name: str) -> bytes:
    """Read a visible file behind the folder's back."""
    return Path(folder.path(name)).read_bytes()


def test_a_staged_file_is_shown_under_its_name(folder: Folder, name: str) -> None:
    """A new name, in folders that are not there yet, gets the staged bytes, and the staging is empty."""
    put(folder, staged(folder, b"one"), name)
    assert shown(folder, name) == b"one"
    assert os.listdir(folder.staging) == []


def test_what_a_replacement_drives_out_is_kept_under_its_own_hash(folder: Folder, name: str) -> None:
    """The replaced bytes lie in the history, under the new file's token and the hash of what really came out."""
    put(folder, staged(folder, b"one"), name)
    Path(folder.path(name)).write_bytes(b"changed by another program")
    second = staged(folder, b"two")
    put(folder, second, name)
    came = folder.keep(second.token)
    assert shown(folder, name) == b"two"
    assert came is not None and came.size == len(b"changed by another program")
    assert Path(folder.kept_path(came.token, came.sha256)).read_bytes() == b"changed by another program"


def test_putting_twice_does_no_harm(folder: Folder, name: str) -> None:
    """Whoever finishes a change again, also after somebody put a new file there, changes nothing."""
    first = staged(folder, b"one")
    put(folder, first, name)
    Path(folder.path(name)).write_bytes(b"newer")
    put(folder, first, name)
    assert shown(folder, name) == b"newer" and folder.keep(first.token) is None


def test_withdrawing_twice_leaves_a_new_file_alone(folder: Folder, name: str) -> None:
    """A removal that is finished again does not take what another program put there meanwhile."""
    put(folder, staged(folder, b"one"), name)
    folder.withdraw(name, "f" * 32)
    Path(folder.path(name)).write_bytes(b"newer")
    folder.withdraw(name, "f" * 32)
    kept = folder.keep("f" * 32)
    folder.withdraw(name, "f" * 32)
    assert shown(folder, name) == b"newer"
    assert kept is not None and Path(folder.kept_path(kept.token, kept.sha256)).read_bytes() == b"one"


def test_an_exchange_cut_short_is_finished(folder: Folder, name: str) -> None:
    """What came out and still bears the staged file's name goes to the history, and the new file stays."""
    put(folder, staged(folder, b"one"), name)
    second = staged(folder, b"two")
    waiting, target = os.path.join(folder.staging, second.token), folder.path(name)
    os.rename(target, waiting + ".aside")
    os.rename(waiting, target)
    os.rename(waiting + ".aside", waiting)
    put(folder, second, name)
    came = folder.keep(second.token)
    assert shown(folder, name) == b"two" and came is not None
    assert Path(folder.kept_path(came.token, came.sha256)).read_bytes() == b"one"


def test_a_copied_folder_knows_its_waiting_files_by_their_bytes(folder: Folder, name: str) -> None:
    """Where inodes changed because the folder was copied, a staged file still waits to be shown."""
    file = staged(folder, b"one")
    path = Path(folder.staging, file.token)
    path.with_suffix(".copy").write_bytes(path.read_bytes())
    path.with_suffix(".copy").rename(path)
    assert path.stat().st_ino != file.inode
    put(folder, file, name)
    assert shown(folder, name) == b"one"


def test_a_link_that_comes_out_is_kept_as_a_link(folder: Folder, name: str, tmp_path: Path) -> None:
    """Replacing a link leaves the file that it leads to alone."""
    outside = tmp_path / "outside.nii"
    outside.write_bytes(b"outside")
    Path(folder.path(name)).parent.mkdir(parents=True, exist_ok=True)
    Path(folder.path(name)).symlink_to(outside)
    file = staged(folder, b"new")
    put(folder, file, name)
    came = folder.keep(file.token)
    assert came is not None and came.sha256 is None
    assert os.readlink(folder.kept_path(came.token, None)) == str(outside)
    assert outside.read_bytes() == b"outside" and shown(folder, name) == b"new"


def test_kept_bytes_cannot_be_written_by_another_name(folder: Folder, name: str) -> None:
    """What others can reach by a hard link is copied, so that the history stays what it was."""
    put(folder, staged(folder, b"one"), name)
    os.link(folder.path(name), folder.path(name) + ".elsewhere")
    file = staged(folder, b"two")
    put(folder, file, name)
    came = folder.keep(file.token)
    Path(folder.path(name) + ".elsewhere").write_bytes(b"scribbled over")
    assert came is not None and Path(folder.kept_path(came.token, came.sha256)).read_bytes() == b"one"


def test_sweeping_spares_what_a_living_writer_holds(folder: Folder) -> None:
    """Only a staged file that nobody holds and no change waits for is rubbish."""
    living, waiting, dead = folder.stage("x"), staged(folder, b"waiting"), staged(folder, b"dead")
    folder.sweep({waiting.token})
    assert set(os.listdir(folder.staging)) == {living.token, waiting.token}
    assert not os.path.exists(dead.path)
    living.discard()


def test_a_place_leads_back_to_its_name(folder: Folder, name: str) -> None:
    """Where a file lies tells its name; the same file elsewhere has none, or another."""
    place = os.path.relpath(folder.path(name), folder.root)
    assert folder.name_of(place) == name and folder.place(name) == place
    assert folder.name_of(f"elsewhere/{place}") != name


def test_whoever_finishes_a_change_makes_its_folders(folder: Folder, name: str) -> None:
    """Folders that somebody removed between commit and publishing are made anew."""
    first = staged(folder, b"one")
    shutil.rmtree(folder.root)
    put(folder, first, name)
    assert shown(folder, name) == b"one"


def test_a_named_pipe_is_refused_at_once(folder: Folder, tmp_path: Path) -> None:
    """What is no regular file is refused instead of being waited for, and leaves nothing."""
    os.mkfifo(tmp_path / "pipe.nii")
    with pytest.raises(InvalidInputException, match="no regular file"):
        folder.stage_copy(str(tmp_path / "pipe.nii"))
    assert os.listdir(folder.staging) == []


def test_tokens_that_are_given_at_once_are_whole(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread that asks while another one's common beginning is made gets one as long as all."""
    make, asked = secrets.token_hex, list[str]()

    def interrupted(size: int) -> str:
        if size == 1 and not asked:
            asked.append("by another thread")
            with ThreadPoolExecutor(1) as pool:
                asked.append(pool.submit(folder.token).result())
        return make(size)

    folder = Folder(str(tmp_path / "shown"), str(tmp_path / "work"))
    monkeypatch.setattr(secrets, "token_hex", interrupted)
    tokens = [folder.token() for _ in range(600)] + asked[1:]
    assert len(asked) == 2 and all(re.fullmatch("[0-9a-f]{32}", token) for token in tokens)
