"""Starts processes that measure with one package or the other, and reads what they measured."""

import json
import os
import subprocess
import sys
from typing import Any

from benchmarks.results import Samples, Who
from tests.compatibility.monai_label import released
from tests.compatibility.monai_label.children import Package, environment

PACKAGES = {Who.THEIRS: Package.THEIRS, Who.MENDED: Package.THEIRS}


class ChildFailed(Exception):
    """A process that ended with an error, or not in time; the message holds the end of what it wrote."""


def settings(who: Who) -> dict[str, str]:
    """Give the environment in which a process finds whose package, and the benchmarks."""
    found = environment(PACKAGES.get(who, Package.OURS))
    return found | {"PYTHONPATH": os.pathsep.join([found["PYTHONPATH"], str(released.PROJECT)])}


def command(who: Who) -> list[str]:
    """Give the command of such a process; its request is written to its standard input."""
    return [sys.executable, "-P", "-m", "benchmarks.measure", who.name]


def ask(who: Who, work: str, *, seconds: float = 1_200, **request: Any) -> Samples:
    """Do one piece of work, such as `opening:first`, in a process of its own."""
    text = json.dumps({"work": work} | request)
    try:
        child = subprocess.run(
            command(who), input=text, capture_output=True, text=True, env=settings(who), timeout=seconds
        )
    except subprocess.TimeoutExpired as late:
        raise ChildFailed(f"{work} of {who.value} took more than {seconds:.0f} s") from late
    if child.returncode:
        raise ChildFailed(f"{work} of {who.value} failed:\n{child.stderr[-4000:]}")
    samples: Samples = json.loads(child.stdout)
    return samples
