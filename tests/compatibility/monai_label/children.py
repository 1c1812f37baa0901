"""Starts a child process that imports one `monailabel` or the other, and reads the JSON that it answers with."""

import json
import os
import subprocess
import sys
from enum import Enum
from pathlib import Path
from typing import Any

from . import released

HERE = Path(__file__).resolve().parent


class Package(Enum):
    """Which `monailabel` a child process imports."""

    THEIRS = "MONAI Label's alone"
    BESIDE = "ours, with MONAI Label's modules behind it"
    OURS = "ours alone"


class ChildFailed(Exception):
    """A child process that ended with an error; the message holds what it wrote."""


def path_of(package: Package) -> list[str]:
    """Give the folders that lead a child process to that package, first one first."""
    ours, theirs = [str(released.PROJECT)], [str(released.folder())] if package is not Package.OURS else []
    return [str(HERE.parent), *({Package.THEIRS: []}.get(package, ours)), *theirs]


def environment(package: Package) -> dict[str, str]:
    """Give the environment of such a child: settings of this machine's own MONAI Label do not reach it."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("MONAI_", "PYTHON", "COV"))}
    return kept | {"PYTHONPATH": os.pathsep.join(path_of(package)), "PYTHONDONTWRITEBYTECODE": "1"}


def ask(package: Package, command: str, **request: Any) -> Any:
    """Run one command of this package's `__main__` in a child process and give its answer.

    Raises ChildFailed when the child ends with an error or takes longer than two minutes.
    """
    child = subprocess.run(
        [sys.executable, "-m", HERE.name, command],
        input=json.dumps(request),
        capture_output=True,
        text=True,
        env=environment(package),
        cwd=HERE.parent,
        timeout=120,
    )
    if child.returncode:
        raise ChildFailed(f"{command} with {package.value} ended with {child.returncode}:\n{child.stderr[-4000:]}")
    return json.loads(child.stdout)
