"""Writes the archive of 200 MiB of labelled cases, beside a plain copy of the same bytes."""

import os
import shutil
import subprocess
import time
from collections.abc import Generator
from contextlib import ExitStack, closing
from pathlib import Path

from benchmarks.children import Child
from benchmarks.opening import close, opened
from benchmarks.operations import timed
from benchmarks.results import Results, Samples, Who
from benchmarks.rows import Limit
from benchmarks.telling import note

NAME = "get_dataset_archive, 200 MiB"
CASES, BYTES = 50, 2 << 20  # of each image and of each label
TIMES = 5


def measure(results: Results, place: Path) -> None:
    """Measure ours, MONAI Label's and the copy, taking turns."""
    note(NAME)
    with ExitStack() as standing:
        writers = {}
        for who in (Who.OURS, Who.THEIRS):
            folder = place / f"archive-{who.name.lower()}"
            _make(folder)
            writers[who] = standing.enter_context(closing(Child(who, "archives:write", folder=str(folder))))
        for turn in range(TIMES):
            for who, writer in writers.items():
                results.add(who, 0, writer.ask())
            results.add(Who.LIMIT, 0, {Limit.BYTES.value: [_copy(folder, place / f"copy-{turn}")]})


def _make(folder: Path) -> None:
    labels = folder / "labels" / "final"
    labels.mkdir(parents=True)
    for number in range(CASES):
        for at in (folder, labels):
            (at / f"case_{number}.nii.gz").write_bytes(os.urandom(BYTES))
    os.sync()


def write(folder: str) -> Generator[Samples, None, None]:
    """Write the archive of all cases of a known folder, once more whenever it is asked for."""
    close(opened(folder)[0])
    store, _ = opened(folder)
    os.unlink(store.get_dataset_archive(None))
    samples: Samples = {}
    paths: list[str] = []
    try:
        while True:
            yield samples
            samples = {NAME: timed([lambda: paths.append(store.get_dataset_archive(None))])}
            os.unlink(paths.pop())  # so that the next file finds memory which was in use a moment ago
    finally:
        close(store)


def _copy(folder: Path, target: Path) -> float:
    target.mkdir()
    begin = time.perf_counter()
    subprocess.run(
        ["cp", "--recursive", "-t", str(target), *(str(p) for p in folder.glob("case_*")), str(folder / "labels")],
        check=True,
    )
    seconds = time.perf_counter() - begin
    shutil.rmtree(target)
    return seconds
