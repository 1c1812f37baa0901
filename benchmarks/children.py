"""Starts processes that measure with one package or the other, and reads what they measured."""

import json
import os
import subprocess
import sys
import tempfile
import threading
from typing import Any

from benchmarks.results import Samples, Who
from tests.compatibility.monai_label import released
from tests.compatibility.monai_label.children import Package, environment

PACKAGES = {Who.THEIRS: Package.THEIRS, Who.MENDED: Package.THEIRS}
PATIENCE = 1_200.0  # seconds for one answer


class ChildFailed(Exception):
    """A process that ended with an error, or not in time; the message holds the end of what it wrote."""


def settings(who: Who) -> dict[str, str]:
    """Give the environment in which a process finds whose package, and the benchmarks."""
    found = environment(PACKAGES.get(who, Package.OURS))
    return found | {"PYTHONPATH": os.pathsep.join([found["PYTHONPATH"], str(released.PROJECT)])}


def command(who: Who) -> list[str]:
    """Give the command of such a process; its requests are lines of its standard input."""
    return [sys.executable, "-P", "-m", "benchmarks.measure", who.name]


class Child:
    """A process that does one piece of work, such as `opening:again`, and answers as long as it is asked for more."""

    def __init__(self, who: Who, work: str, *, seconds: float = PATIENCE, **request: Any) -> None:
        self._name = f"{work} of {who.value}"
        self._seconds = seconds
        self._errors = tempfile.TemporaryFile()  # noqa: SIM115 - `close` does
        self._process = subprocess.Popen(
            command(who), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=self._errors, text=True,
            env=settings(who),
        )  # fmt: skip
        try:
            self.first = self.ask(work=work, **request)
        except BaseException:
            self.close()
            raise

    def ask(self, **request: Any) -> Samples:
        """Ask for more; give what was measured."""
        assert self._process.stdin is not None and self._process.stdout is not None
        late = threading.Timer(self._seconds, self._process.kill)
        late.start()
        try:
            print(json.dumps(request), file=self._process.stdin, flush=True)
            answer = self._process.stdout.readline()
        except BrokenPipeError:
            answer = ""
        finally:
            in_time = not late.finished.is_set()
            late.cancel()
        if not answer:
            self._process.wait()
            self._errors.seek(0)
            why = "failed" if in_time else f"took more than {self._seconds:.0f} s"
            raise ChildFailed(f"{self._name} {why}:\n{self._errors.read().decode()[-4000:]}")
        samples: Samples = json.loads(answer)
        return samples

    def close(self) -> None:
        """Ask for nothing more, and wait until the process has ended."""
        self._process.communicate()
        self._errors.close()


def ask(who: Who, work: str, *, seconds: float = PATIENCE, **request: Any) -> Samples:
    """Do one piece of work in a process of its own."""
    child = Child(who, work, seconds=seconds, **request)
    child.close()
    return child.first
