"""Writes the archive of 200 MiB of labelled cases, beside a plain copy of the same bytes."""

import os
import subprocess
import time
from pathlib import Path

from benchmarks.children import ask
from benchmarks.opening import close, opened
from benchmarks.operations import timed
from benchmarks.results import Results, Samples, Who
from benchmarks.rows import Limit
from benchmarks.telling import note

NAME = "get_dataset_archive, 200 MiB"
CASES, BYTES = 50, 2 << 20  # of each image and of each label
TIMES = 3


def measure(results: Results, place: Path) -> None:
    """Measure ours, MONAI Label's and the copy, each in a process of its own."""
    note(NAME)
    for who in (Who.OURS, Who.THEIRS):
        folder = place / f"archive-{who.name.lower()}"
        _make(folder)
        results.add(who, 0, ask(who, "archives:write", folder=str(folder)))
    results.add(Who.LIMIT, 0, {Limit.BYTES.value: [_copy(folder, place / f"copy-{n}") for n in range(TIMES)]})


def _make(folder: Path) -> None:
    labels = folder / "labels" / "final"
    labels.mkdir(parents=True)
    for number in range(CASES):
        for at in (folder, labels):
            (at / f"case_{number}.nii.gz").write_bytes(os.urandom(BYTES))
    os.sync()


def write(folder: str) -> Samples:
    """Write the archive of all cases of a known folder."""
    close(opened(folder)[0])
    store, _ = opened(folder)
    store.get_dataset_archive(None)
    seconds = timed([lambda: store.get_dataset_archive(None)] * TIMES)
    close(store)
    return {NAME: seconds}


def _copy(folder: Path, target: Path) -> float:
    target.mkdir()
    begin = time.perf_counter()
    subprocess.run(
        ["cp", "--recursive", "-t", str(target), *(str(p) for p in folder.glob("case_*")), str(folder / "labels")],
        check=True,
    )
    return time.perf_counter() - begin
