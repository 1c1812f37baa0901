"""Drops files into a folder that is watched: what it costs until all of them are listed."""

import os
import subprocess
import time
from pathlib import Path

from benchmarks.opening import close, opened
from benchmarks.resting import rest
from benchmarks.results import Samples
from tests.waiting import until

CPU, LISTED = "watching 1,000 new files: CPU", "watching 1,000 new files: until all are listed"
_PATIENCE = 300.0  # seconds
_POLL = 0.02
_AT_MOST = 30.0  # seconds that are waited for it: what a package spends later is not counted


def measure(folder: str, many: str) -> Samples:
    """Open a known folder, watch it, have another process copy files into it, and take them away again."""
    place = Path(folder)
    store, _ = opened(folder, auto_reload=True)
    before = store.status()["total"]
    files = sorted(str(path) for path in Path(many).iterdir())
    used, begin = time.process_time(), time.perf_counter()
    subprocess.run(["cp", "-t", folder, *files], check=True)
    until(lambda: store.status()["total"] >= before + len(files), within=_PATIENCE, pause=_POLL)
    listed = time.perf_counter() - begin
    rest(_AT_MOST)  # some are told one by one when all files are listed already
    result = {CPU: [time.process_time() - used], LISTED: [listed]}
    close(store)
    for file in files:
        (place / os.path.basename(file)).unlink()
    return result
