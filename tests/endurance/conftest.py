"""What the endurance tests share: workers that can be killed, and the comparison of a datastore with their journals."""

import copy
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from monailabel.datastore.local import LocalDatastore
from tests.endurance.judging import MEMORY, Change, State, make, observed, view


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
def wait_for() -> Callable[..., None]:
    """Give the function that waits until a condition holds, asking again after a pause."""

    def wait(condition: Callable[[], object], within: float = 30.0, pause: float = 0.005) -> None:
        deadline = time.monotonic() + within
        while not condition():
            assert time.monotonic() < deadline, f"waited for {within} s in vain"
            threading.Event().wait(pause)

    return wait


@pytest.fixture
def memory() -> Iterator[Path]:
    """Give a folder on a disk in memory, where there is one: no test that ends processes needs a slower one."""
    path = tempfile.mkdtemp(dir=MEMORY)
    yield Path(path)
    shutil.rmtree(path)


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


@pytest.fixture
def look() -> Callable[[LocalDatastore], State]:
    """Give the function that reads a datastore through its methods."""
    return view


@pytest.fixture
def observe() -> Callable[..., State]:
    """Give the function that opens a folder and reads it three times: catalog, files and document must agree."""
    return observed
