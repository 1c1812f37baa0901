"""Measures the library's operations at several sizes, beside MONAI Label and the bare machine, taking turns."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

from benchmarks import folders
from benchmarks.children import Child, ask
from benchmarks.operations import CHANGES, LARGE, LATER, READING
from benchmarks.results import Results, Who
from benchmarks.rows import Limit
from benchmarks.telling import note

CHECKSUMS = 10_000  # up to so many images the checksums are waited for, which take half a millisecond for each file
ONCE = 10_000  # larger folders are opened for the first time in the first round only
MANY = 1_000  # files that are added at once
BARE = {limit.value for limit in Limit}


@dataclass(frozen=True)
class Plan:
    """Which sizes are measured for whom, how often they are opened, and which operations are measured (None: all)."""

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

    def includes(self, name: str) -> bool:
        """Tell whether an operation is measured; the changes build on each other."""
        return not self.only or name in self.only or (name in CHANGES and bool(CHANGES.keys() & self.only))

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
            with ExitStack() as standing:
                children = {}
                for who, size in self._taking_part(number):
                    note(f"round {number + 1} of {self._plan.rounds}: {who.value}, {size:,} images: opening")
                    child = self._opened(who, size, number)
                    children[who, size] = standing.enter_context(closing(child))
                if number > 0:
                    continue
                self._take_turns("all in turns", children, READING)
                ours = {(who, size): child for (who, size), child in children.items() if who is Who.OURS}
                self._take_turns("ours in turns", ours, CHANGES)
                for (who, size), child in children.items():
                    if who is not Who.LIMIT:
                        left = LATER if who is Who.OURS else CHANGES | LATER
                        self._take_turns(f"{who.value}, {size:,} images", {(who, size): child}, left)

    def _taking_part(self, number: int) -> Iterator[tuple[Who, int]]:
        """Give who is measured in this round: what is opened again in the others is ours, but for the million."""
        for size in sorted({*self._plan.ours, *self._plan.theirs, *self._plan.mended}):
            for who in (Who.OURS, Who.LIMIT, Who.THEIRS, Who.MENDED):
                if size in self._plan.of(who) and (number == 0 or (who is Who.OURS and size < LARGE)):
                    yield who, size

    def _opened(self, who: Who, size: int, number: int) -> Child:
        """Open a folder, before that for the first time in some rounds; give the process that has it open."""
        if who is Who.LIMIT:
            child = self._limit(size)
        else:
            folder = self.folder(who, size)
            if number == 0 or size <= ONCE:
                self._open_first(who, size, number, folder)
            child = Child(
                who, "opening:again", folder=str(folder), source=str(self._source), many=str(self._many),
                samples=self._plan.samples_of(who, size), limits=str(self.limits(size)) if who is Who.OURS else None,
                seconds=self._plan.patience,
            )  # fmt: skip
        self._results.add(who, size, child.first)
        return child

    def _open_first(self, who: Who, size: int, number: int, folder: Path) -> None:
        if number == 0:
            folders.make(folder, size)
        checksums, patience = size <= CHECKSUMS, self._plan.patience
        first = ask(who, "opening:first", folder=str(folder), checksums=checksums, seconds=patience)
        self._results.add(who, size, first)
        if who is Who.OURS and number == 0:
            self.limits(size).mkdir(exist_ok=True)
            opening = ask(Who.LIMIT, "limit:of_opening", folder=str(self.limits(size)), scanned=str(folder))
            self._results.add(Who.LIMIT, size, opening)

    def _take_turns(self, title: str, children: dict[tuple[Who, int], Child], names: Iterable[str]) -> None:
        """Measure operations: every process is asked for one turn before any is asked for the next."""
        for name in filter(self._plan.includes, names):
            note(f"{title}: {name}")
            turn, waiting = 0, children
            while waiting:
                measured = {key: child.ask(name=name, turn=turn) for key, child in waiting.items()}
                for (who, size), samples in measured.items():
                    for found, seconds in samples.items():
                        self._results.add(Who.LIMIT if found in BARE else who, size, {found: seconds})
                turn, waiting = turn + 1, {key: waiting[key] for key, samples in measured.items() if samples}

    def _limit(self, size: int) -> Child:
        paths = {"folder": str(self.limits(size)), "scanned": str(self.folder(Who.OURS, size))}
        return Child(Who.LIMIT, "limit:of_operations", **paths, samples=self._plan.samples, count=size)

    def folder(self, who: Who, size: int) -> Path:
        """Give the folder in which somebody is measured."""
        return self._place / f"{who.name.lower()}-{size}"

    def limits(self, size: int) -> Path:
        """Give the folder in which the bare machine is measured."""
        return self._place / f"limit-{size}"
