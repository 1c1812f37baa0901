"""What the endurance tests share: workers that can be killed, and the comparison of a datastore with their journals."""

import copy
import hashlib
import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from monailabel.datastore.local import LocalDatastore

Change = dict[str, Any]
State = dict[tuple[str, str], Any]  # (image, tag): extension, checksum and info; an image itself has the tag ""


class Nursery:
    """Starts workers and sees them end; the process that forks them has no threads and everything imported."""

    def __init__(self) -> None:
        self._parent = subprocess.Popen(
            [sys.executable, str(Path(__file__).with_name("nursery.py"))],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))},
        )
        self.running: set[int] = set()

    def start(self, task: str, **arguments: Any) -> int:
        """Start a task of workers.py and give its process id."""
        pid = int(self._ask({"task": task, "arguments": arguments}))
        self.running.add(pid)
        return pid

    def status(self, pid: int) -> int | None:
        """Give the exit status of a worker, None while it runs."""
        status: int | None = self._ask({"poll": pid})
        if status is not None:
            self.running.discard(pid)
        return status

    def wait(self, pid: int, within: float = 60.0) -> int:
        """Wait until a worker ends and give its exit status; the test fails when it takes longer than `within`."""
        deadline = time.monotonic() + within
        while (status := self.status(pid)) is None:
            if time.monotonic() > deadline:
                self.kill(pid)
                pytest.fail(f"a worker did not end within {within} s")
            threading.Event().wait(0.002)
        return status

    def kill(self, pid: int) -> int:
        """Kill a worker and give its exit status."""
        if (status := self.status(pid)) is None:
            os.kill(pid, signal.SIGKILL)
            status = self._ask({"wait": pid})
        self.running.discard(pid)
        return int(status)

    def clear(self) -> None:
        """End the workers that are left."""
        for pid in list(self.running):
            self.kill(pid)

    def close(self) -> None:
        """End the parent of the workers."""
        assert self._parent.stdin and self._parent.stdout
        self._parent.stdin.close()
        self._parent.wait(10)
        self._parent.stdout.close()

    def _ask(self, request: dict[str, Any]) -> Any:
        assert self._parent.stdin and self._parent.stdout
        self._parent.stdin.write(json.dumps(request) + "\n")
        self._parent.stdin.flush()
        return json.loads(self._parent.stdout.readline())


@pytest.fixture(scope="session")
def one_nursery() -> Iterator[Nursery]:
    """Start the process that forks workers, once for all tests."""
    made = Nursery()
    yield made
    made.close()


@pytest.fixture
def nursery(one_nursery: Nursery) -> Iterator[Nursery]:
    """Give a nursery whose workers all end with the test."""
    yield one_nursery
    one_nursery.clear()


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """Give a folder for what workers make before it is added."""
    path = tmp_path / "scratch"
    path.mkdir()
    return path


@pytest.fixture
def step_by_step() -> Callable[[State, Change], State]:
    """Give the function that tells what a change makes of a state; the one given stays as it is."""

    def after(state: State, change: Change) -> State:
        state = copy.deepcopy(state)
        make(state, change)
        return state

    return after


def make(state: State, change: Change) -> None:
    """Make a change to a state as the datastore should make it to itself."""
    kind, key = change["kind"], (change.get("image", ""), change.get("tag", ""))
    if kind in ("add_image", "save_label"):
        info = copy.deepcopy(change["info"])
        state[key] = {"ext": change["name"], "sha256": info["sha256"], "info": info}
    elif kind == "remove_image":
        for other in [k for k in state if k[0] == key[0]]:
            del state[other]
    elif kind == "remove_label":
        state.pop(key, None)
    elif kind == "set_description":
        state["", ""] = change["text"]
    else:
        state[key]["info"].update(change["info"])


@pytest.fixture
def replay() -> Callable[..., tuple[State, Change | None]]:
    """Give the function that tells the state a journal acknowledges, and the change it leaves open."""

    def run(journal: Path, state: State | None = None) -> tuple[State, Change | None]:
        state, left_open = {} if state is None else state, None
        for line in journal.read_text().splitlines():
            entry = json.loads(line)
            if "do" in entry:
                left_open = entry["do"]
                continue
            if "done" in entry and left_open:
                make(state, left_open)
            left_open = None
        return state, left_open

    return run


def view(store: LocalDatastore) -> State:
    """Read the whole of a datastore through its methods: extensions, checksums of the bytes, infos."""
    state: State = {("", ""): store.description()}
    for image in store.list_images():
        info = store.get_image_info(image)
        del info["path"]
        with store.open_image(image) as file:
            state[image, ""] = facts(image, file, info)
        for tag in store.get_labels_by_image_id(image):
            with store.open_label(image, tag) as file:
                state[image, tag] = facts(image, file, store.get_label_info(image, tag))
    return state


def facts(image: str, file: Any, info: dict[str, Any]) -> dict[str, Any]:
    """Tell of one opened file what the journals know; its figures must agree with its bytes."""
    with open(file.fd, "rb", closefd=False) as opened:
        data = opened.read()
    checksum = hashlib.sha256(data).hexdigest()
    assert file.sha256 in (None, checksum) and file.size == len(data), f"{file.name}: figures of another version"
    assert info.pop("name") == file.name and type(info.pop("ts")) is int
    return {"ext": file.name.removeprefix(image), "sha256": checksum, "info": info}


@pytest.fixture
def look() -> Callable[[LocalDatastore], State]:
    """Give the function that reads a datastore through its methods."""
    return view


@pytest.fixture
def observe() -> Callable[..., State]:
    """Give the function that opens a folder and reads it three times: catalog, files and document must agree."""

    def run(folder: Path, foreign: tuple[str, ...] = ()) -> State:
        with LocalDatastore(str(folder)) as store:
            if foreign:
                store.refresh()
            state, document = view(store), store.json()
        files = {relative(key, entry["ext"]): entry["sha256"] for key, entry in state.items() if key != ("", "")}
        lying = visible(folder)
        for name in [n for n in lying if n.split("/")[-1].startswith(foreign or "\0") and n not in files]:
            assert name.startswith("labels/"), f"{name} lies in the folder and is not listed"
            del lying[name]  # another program's label without an image
        assert lying == files, f"files that differ: {lying.items() ^ files.items()}"
        written = json.loads((folder / "datastore_v2.json").read_bytes())
        assert written == document
        assert told(written) == {k: v if k == ("", "") else (v["ext"], v["info"]) for k, v in state.items()}
        return state

    return run


def relative(key: tuple[str, str], extension: str) -> str:
    """Give the place of a file in the datastore's folder."""
    image, tag = key
    return f"labels/{tag}/{image}{extension}" if tag else f"{image}{extension}"


def visible(folder: Path) -> dict[str, str]:
    """Give the checksums of the files that people see in the folder, the document left out."""
    places = [folder, *(p for p in (folder / "labels").iterdir() if p.is_dir())]
    files = [f for p in places for f in p.iterdir() if f.is_file() and not f.name.startswith(".")]
    return {
        str(f.relative_to(folder)): hashlib.sha256(f.read_bytes()).hexdigest()
        for f in files
        if f.name != "datastore_v2.json"
    }


def told(document: dict[str, Any]) -> State:
    """Give what a document tells of each file: extension and info."""
    state: State = {("", ""): document["description"]}
    for image, entry in document["objects"].items():
        for tag, file in {"": entry["image"], **entry["labels"]}.items():
            info = {k: v for k, v in file["info"].items() if k not in ("ts", "name")}
            state[image, tag] = (file["ext"], info)
    return state
