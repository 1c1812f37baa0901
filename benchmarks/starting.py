"""Measures what a user waits for before anything happens: imports, the server's start, the program's help."""

import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

from benchmarks import folders, servers
from benchmarks.children import settings
from benchmarks.opening import close, opened
from benchmarks.results import Results, Who
from benchmarks.rows import Limit
from benchmarks.telling import note

TIMES = 10
IMPORT, START, HELP = "importing the library", "the server's start", "monailabel-datastore --help"
_STATEMENTS = {
    IMPORT: "import monailabel.datastore.local",
    Limit.IMPORTS.value: "from pydantic import BaseModel; import apsw",
}
_TIMED = "import time; begin = time.perf_counter(); {}; print(time.perf_counter() - begin)"


def measure(results: Results, place: Path) -> None:
    """Measure each a few times, taking turns; what Python compiles once is compiled before."""
    note(f"{IMPORT}, {START}, {HELP}")
    folder = place / "started"
    folders.make(folder, 1_000)
    close(opened(str(folder))[0])
    work: dict[str, Callable[[], float]] = {
        IMPORT: lambda: _imported(_STATEMENTS[IMPORT]),
        Limit.IMPORTS.value: lambda: _imported(_STATEMENTS[Limit.IMPORTS.value]),
        START: lambda: _started(folder),
        HELP: _helped,
    }
    for call in work.values():
        call()
    for _ in range(TIMES):
        for name, call in work.items():
            results.add(Who.LIMIT if name == Limit.IMPORTS.value else Who.OURS, 0, {name: [call()]})


def _environment() -> dict[str, str]:
    return {k: v for k, v in settings(Who.OURS).items() if k != "PYTHONDONTWRITEBYTECODE"}


def _imported(statement: str) -> float:
    command = [sys.executable, "-P", "-c", _TIMED.format(statement)]
    return float(subprocess.run(command, check=True, capture_output=True, text=True, env=_environment()).stdout)


def _started(folder: Path) -> float:
    begin = time.perf_counter()
    with servers.ours(folder, _environment()):
        return time.perf_counter() - begin


def _helped() -> float:
    command = [sys.executable, "-P", "-m", "monailabel.cli", "--help"]
    begin = time.perf_counter()
    subprocess.run(command, check=True, capture_output=True, env=_environment())
    return time.perf_counter() - begin
