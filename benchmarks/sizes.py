"""Measures the library's operations at several sizes, beside MONAI Label and the bare machine, taking turns."""

from dataclasses import dataclass
from pathlib import Path

from benchmarks import folders
from benchmarks.children import ask
from benchmarks.operations import LARGE
from benchmarks.results import Results, Samples, Who
from benchmarks.rows import Limit
from benchmarks.telling import note

CHECKSUMS = 10_000  # up to so many images the checksums are waited for, which take half a millisecond for each file
ONCE = 10_000  # larger folders are opened for the first time in the first round only
MANY = 1_000  # files that are added at once


@dataclass(frozen=True)
class Plan:
    """Which sizes are measured for whom, how often, and which operations (None: all)."""

    ours: tuple[int, ...]
    theirs: tuple[int, ...]
    mended: tuple[int, ...]
    samples: int
    rounds: int
    only: list[str] | None = None
    patience: float = 1_200  # seconds for one process

    def of(self, who: Who) -> tuple[int, ...]:
        """Give the sizes at which somebody is measured."""
        return {Who.OURS: self.ours, Who.LIMIT: self.ours, Who.THEIRS: self.theirs, Who.MENDED: self.mended}[who]

    def samples_of(self, who: Who, size: int) -> int:
        """Give how many calls are measured in a process: one of MONAI Label's changes takes 20 ms to 3 s."""
        return self.samples if who is Who.OURS else min(self.samples, max(1, 20_000 // size))


class Sizes:
    """The folders of one run, and what is measured in them."""

    def __init__(self, place: Path, plan: Plan, results: Results) -> None:
        self._place = place
        self._plan = plan
        self._results = results
        self._source = place / "source.nii.gz"
        self._many = place / "many"

    def run(self) -> None:
        """Measure everything; sizes and packages take turns, so that what the machine does else meets all alike."""
        self._source.write_bytes(folders.CONTENT)
        folders.make_many(self._many, MANY)
        for number in range(self._plan.rounds):
            for size in sorted({*self._plan.ours, *self._plan.theirs, *self._plan.mended}):
                for who in (Who.OURS, Who.LIMIT, Who.THEIRS, Who.MENDED):
                    if size in self._plan.of(who) and self._has_turn(who, size, number):
                        note(f"round {number + 1} of {self._plan.rounds}: {who.value}, {size:,} images")
                        self._results.add(who, size, self._measured(who, size, number))

    def _has_turn(self, who: Who, size: int, number: int) -> bool:
        """Tell whether somebody is measured in this round: the million and MONAI Label only in the first."""
        return number == 0 or (who in (Who.OURS, Who.LIMIT) and size < LARGE)

    def _measured(self, who: Who, size: int, number: int) -> Samples:
        if who is Who.LIMIT:
            return self._limit(size)
        folder, samples = self.folder(who, size), self._plan.samples_of(who, size)
        first: Samples = {}
        if number == 0 or size <= ONCE:
            if number == 0:
                note(f"writing {size:,} images")
                folders.make(folder, size)
            first = ask(
                who, "opening:first", folder=str(folder), checksums=size <= CHECKSUMS, seconds=self._plan.patience
            )
        ours = who is Who.OURS
        if ours and number == 0:
            self.limits(size).mkdir(exist_ok=True)
            opening = ask(Who.LIMIT, "limit:of_opening", folder=str(self.limits(size)), scanned=str(folder))
            self._results.add(Who.LIMIT, size, opening)
        later = ask(
            who, "opening:again", folder=str(folder), source=str(self._source), many=str(self._many), samples=samples,
            only=self._plan.only, limits=str(self.limits(size)) if ours else None, seconds=self._plan.patience,
        )  # fmt: skip
        beside = {name: later.pop(name) for name in (Limit.FILE.value, Limit.ROW.value) if name in later}
        self._results.add(Who.LIMIT, size, beside)
        return first | later

    def _limit(self, size: int) -> Samples:
        paths = {"folder": str(self.limits(size)), "scanned": str(self.folder(Who.OURS, size))}
        return ask(
            Who.LIMIT, "limit:of_operations", **paths, many=str(self._many), samples=self._plan.samples, count=size
        )

    def folder(self, who: Who, size: int) -> Path:
        """Give the folder in which somebody is measured."""
        return self._place / f"{who.name.lower()}-{size}"

    def limits(self, size: int) -> Path:
        """Give the folder in which the bare machine is measured."""
        return self._place / f"limit-{size}"
