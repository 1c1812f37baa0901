"""Measures the local datastore at several sizes, beside MONAI Label and the bare machine."""

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks import folders, machine
from benchmarks.operations import Limit
from benchmarks.report import Results, Samples, duration, table
from tests.compatibility.monai_label import released
from tests.compatibility.monai_label.children import Package, environment

SIZES = (1_000, 100_000)
QUICK = (1_000, 20_000)
ONCE = 10_000  # larger folders are opened for the first time in the first round only: their checksums take minutes


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; give 0, or 2 where the folder lies in memory."""
    options = _options().parse_args(arguments)
    try:
        folders.refuse_memory(options.folder)
    except folders.NotADisk as refusal:
        print(refusal, file=sys.stderr)
        return 2
    options.folder.mkdir(parents=True, exist_ok=True)
    place = Path(tempfile.mkdtemp(prefix="bench-", dir=options.folder))
    try:
        results = Measuring(place, options).all()
    finally:
        shutil.rmtree(place)
    print(json.dumps(results.as_dict(), indent=2) if options.json else _told(results))
    return 0


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.local", description=__doc__)
    parser.add_argument("--sizes", type=_numbers, help="numbers of images, with commas between")
    parser.add_argument("--theirs", type=_numbers, default=QUICK[:1], help="the sizes at which MONAI Label is measured")
    parser.add_argument("--samples", type=int, default=300, help="calls of each change in each round")
    parser.add_argument("--rounds", type=int, default=3, help="processes for each size, one size after the other")
    parser.add_argument("--only", type=lambda text: text.split(","), help="operations to measure, with commas between")
    parser.add_argument(
        "--quick", action="store_const", const=True, help="smaller folders, fewer samples: under two minutes"
    )
    parser.add_argument("--json", action="store_true", help="print medians and p99 in seconds, for machines")
    parser.add_argument("--folder", type=Path, default=released.PROJECT / "build", help="where to work, on a real disk")
    return parser


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(int(part.replace("_", "")) for part in text.split(",") if part)


class Measuring:
    """One run of the benchmark in a folder of its own."""

    def __init__(self, place: Path, options: argparse.Namespace) -> None:
        self.place = place
        self.sizes: tuple[int, ...] = tuple(sorted(options.sizes or (QUICK if options.quick else SIZES)))
        self.theirs: tuple[int, ...] = tuple(sorted(options.theirs))
        self.samples: int = 60 if options.quick else options.samples
        self.rounds: int = 1 if options.quick else options.rounds
        self.theirs_samples = min(self.samples, 20 if options.quick else 50)  # one of theirs takes up to half a second
        self.only: list[str] | None = options.only
        self.source = place / "source.nii.gz"
        self.results = Results(machine.describe(place))

    def all(self) -> Results:
        """Measure everything; sizes and packages take turns, so that what the machine does else meets all alike."""
        self.source.write_bytes(bytes(folders.BYTES))
        for size in sorted({*self.sizes, *self.theirs}):
            self._make(size)
        for number in range(self.rounds):
            for size in self.sizes:
                self._note(f"round {number + 1} of {self.rounds}: {size:,} images")
                _add(self.results.ours.setdefault(size, {}), self._both(Package.OURS, size, number))
                _add(self.results.limits.setdefault(size, {}), self._limits(size, number))
            for size in self.theirs:
                self._note(f"round {number + 1} of {self.rounds}: MONAI Label with {size:,} images")
                _add(
                    self.results.theirs.setdefault(size, {}),
                    self._both(Package.THEIRS, size, number),
                )
        return self.results

    def _make(self, size: int) -> None:
        self._note(f"writing folders of {size:,} images")
        if size in self.sizes:
            folders.make(self._folder("ours", size), size)
        if size in self.theirs:
            folders.make(self._folder("theirs", size), size)

    def _folder(self, name: str, size: int) -> Path:
        return self.place / f"{name}-{size}"

    def _both(self, package: Package, size: int, number: int) -> Samples:
        """Open a folder for the first time in one process, and again with all operations in another."""
        ours = package is Package.OURS
        folder = str(self._folder("ours" if ours else "theirs", size))
        first = _child(package, "first open", folder=folder) if number == 0 or size <= ONCE else {}
        samples = self.samples if ours else self.theirs_samples
        request = {"folder": folder, "source": str(self.source), "samples": samples, "only": self.only}
        return first | _child(package, "operations", **request)

    def _limits(self, size: int, number: int) -> Samples:
        folder = self.place / f"limit-{size}-{number}"
        folder.mkdir()
        scanned = str(self._folder("ours", size))
        return _child(Package.OURS, "limits", folder=str(folder), scanned=scanned, samples=self.samples)

    def _note(self, text: str) -> None:
        print(text, file=sys.stderr, flush=True)


def _add(samples: Samples, more: Samples) -> None:
    for name, seconds in more.items():
        samples.setdefault(name, []).extend(seconds)


def _child(package: Package, work: str, **request: Any) -> Samples:
    """Do one piece of work in a child process with that package."""
    settings = environment(package)
    settings["PYTHONPATH"] = os.pathsep.join([settings["PYTHONPATH"], str(released.PROJECT)])
    child = subprocess.run(
        [sys.executable, "-P", "-m", "benchmarks.measure"],
        input=json.dumps({"work": work, "stand_ins": package is Package.THEIRS} | request),
        capture_output=True,
        text=True,
        env=settings,
    )
    if child.returncode:
        sys.exit(f"{work} with {package.value} failed:\n{child.stderr[-4000:]}")
    samples: Samples = json.loads(child.stdout)
    return samples


def _told(results: Results) -> str:
    bare = results.limits[max(results.limits)]
    fsync, file = (duration(median(bare[name])) for name in ("fsync", Limit.FILE.value))
    grown = results.grown()
    return "\n".join(
        [
            *(f"{name}: {value}" for name, value in results.machine.items()),
            f"an fsync: {fsync}; {Limit.FILE.value}: {file}",
            "",
            table(results),
            "",
            f"changes that grow more than allowed: {', '.join(grown)}"
            if grown
            else "no change grows more than allowed",
        ]
    )


if __name__ == "__main__":
    sys.exit(main())
