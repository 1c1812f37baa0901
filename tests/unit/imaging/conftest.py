"""What the tests of imaging share: another process."""

import json
import subprocess
import sys
import textwrap
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

PROJECT = Path(__file__).parents[3]


@pytest.fixture
def child(tmp_path: Path) -> Callable[..., Any]:
    """Give a function that runs Python code in a fresh process and gives what it printed, read as JSON."""

    def run(code: str, *arguments: object) -> Any:
        command = [sys.executable, "-c", textwrap.dedent(code), *map(str, arguments)]
        ran = subprocess.run(command, capture_output=True, text=True, timeout=60, cwd=PROJECT)
        assert ran.returncode == 0, ran.stderr
        return json.loads(ran.stdout)

    return run
