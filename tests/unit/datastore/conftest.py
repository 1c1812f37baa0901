"""What the tests of the datastore share: a folder, files to add, stores that get closed, and other processes."""

import hashlib
import json
import os
import shutil
import stat
import subprocess
import sys
import tempfile
import textwrap
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from monailabel.datastore import stamps
from monailabel.datastore.local import LocalDatastore
from tests.unit.datastore.ageing import let_age
from tests.waiting import until


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Give an empty folder in which a datastore is to lie."""
    path = tmp_path / "studies"
    path.mkdir()
    return path


@pytest.fixture
def source(tmp_path: Path) -> Callable[..., str]:
    """Give a function that makes a file outside the datastore, to be added to it."""

    def make(name: str, data: bytes = b"some bytes") -> str:
        path = tmp_path / "sources" / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(data)
        return str(path)

    return make


@pytest.fixture
def open_store(folder: Path) -> Iterator[Callable[..., LocalDatastore]]:
    """Give a function that opens a datastore (in `folder`, unless told otherwise) and see to its closing."""
    opened: list[LocalDatastore] = []

    def make(path: str | Path | None = None, **options: Any) -> LocalDatastore:
        opened.append(LocalDatastore(str(path or folder), **options))
        return opened[-1]

    yield make
    for store in opened:
        store.close()


@pytest.fixture
def store(open_store: Callable[..., LocalDatastore], source: Callable[..., str]) -> LocalDatastore:
    """Give a datastore of two images; `a` has a label `original` and a label `final`."""
    made = open_store()
    made.add_image("a", source("a.nii.gz", b"image a"), {"modality": "CT"})
    made.add_image("b", source("b.nii.gz", b"image b"), {})
    made.save_label("a", source("proposal.nii.gz", b"proposal a"), "original", {"model": "m"})
    made.save_label("a", source("corrected.nii.gz", b"label a"), "final", {"client_id": "ann"})
    return made


@pytest.fixture
def note_stamps(
    open_store: Callable[..., LocalDatastore], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> Callable[[LocalDatastore], None]:
    """Give a function that closes a datastore; whoever opens it next knows the time stamps of its folders.

    Small folders count as large ones from then on.
    """

    def note(store: LocalDatastore) -> None:
        monkeypatch.setattr(stamps, "LARGE", 0)
        store.close()
        let_age(folder)
        open_store().close()

    return note


@pytest.fixture
def eventually() -> Callable[..., None]:
    """Give the function that waits until a condition holds, and fails when it does not within the time."""
    return until


@pytest.fixture
def child(tmp_path: Path) -> Callable[..., Any]:
    """Give a function that runs Python code in another process and gives what it printed, read as JSON."""

    def run(code: str, *arguments: object) -> Any:
        program = "import json, os, sys\nfrom monailabel.datastore.local import LocalDatastore\n" + textwrap.dedent(
            code
        )
        done = subprocess.run(
            [sys.executable, "-c", program, *map(str, arguments)],
            capture_output=True,
            text=True,
            timeout=60,
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout or "null")

    return run


@pytest.fixture
def public() -> Iterator[Path]:
    """Give a folder that every user may enter; pytest's own are for one user only."""
    path = Path(tempfile.mkdtemp(prefix="datastore-"))
    path.chmod(0o755)
    yield path
    for place in (path, *(p for p in path.rglob("*") if p.is_dir() and not p.is_symlink())):
        place.chmod(0o755)
    shutil.rmtree(path)


@pytest.fixture
def tree() -> Callable[..., dict[str, tuple[object, ...]]]:
    """Give a function that lists everything below a folder: kind and permissions, size, time, SHA-256 or target."""

    def listing(top: Path, leave_out: tuple[str, ...] = ()) -> dict[str, tuple[object, ...]]:
        found: dict[str, tuple[object, ...]] = {}
        for path in (top, *sorted(top.rglob("*"))):
            name = str(path.relative_to(top))
            if name.split(os.sep)[0] not in leave_out:
                found[name] = _facts(path)
        return found

    return listing


def _facts(path: Path) -> tuple[object, ...]:
    status = path.lstat()
    content = ""
    if stat.S_ISREG(status.st_mode):
        content = hashlib.sha256(path.read_bytes()).hexdigest()
    elif stat.S_ISLNK(status.st_mode):
        content = os.readlink(path)
    return oct(status.st_mode), status.st_size, status.st_mtime_ns, content
