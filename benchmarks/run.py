"""One run of the benchmark: every subject in its order, in folders that are removed afterwards."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from benchmarks import archives, calls, folders, http, starting, transfer
from benchmarks.children import ask
from benchmarks.results import Results, Who
from benchmarks.sizes import MANY, Plan, Sizes
from benchmarks.telling import note


@dataclass(frozen=True)
class Scope:
    """What a run measures beside the operations at several sizes."""

    plan: Plan
    served: tuple[int, ...]  # images of the folders that are served over HTTP
    seconds: float  # of requests of each kind, to each server
    watched: int  # images of the folder that is watched; 0: none is
    once: bool = True  # also what does not depend on the number of images


FULL = Scope(
    Plan((1_000, 10_000, 100_000, 1_000_000), (1_000, 10_000), (1_000, 10_000, 100_000), samples=200, rounds=2),
    served=(10_000, 100_000), seconds=4.0, watched=100_000,
)  # fmt: skip
QUICK = Scope(Plan((1_000, 10_000), (1_000,), (), samples=40, rounds=1), (1_000,), 1.0, 0, once=False)
SLOWEST = 100_000  # images with which MONAI Label's opening takes minutes


def everything(place: Path, scope: Scope, results: Results) -> str:
    """Measure all subjects; give the table of system calls."""
    counted = _once(place, results) if scope.once else ""
    sizes = Sizes(place, scope.plan, results)
    sizes.run()
    if scope.watched:
        _watch(place, scope, results)
    for size in scope.served:
        if size in scope.plan.ours:
            theirs = sizes.folder(Who.THEIRS, size) if size in scope.plan.theirs else None
            http.measure(results, sizes.folder(Who.OURS, size), sizes.limits(size), theirs, size, scope.seconds)
    return counted


def _once(place: Path, results: Results) -> str:
    inside = place / "once"
    for subject in (starting, archives, transfer):
        inside.mkdir()
        subject.measure(results, inside)
        shutil.rmtree(inside)
    inside.mkdir()
    counted = calls.table(inside)
    shutil.rmtree(inside)
    return counted


def _watch(place: Path, scope: Scope, results: Results) -> None:
    """Watch ours at the size that is asked for, and both at the smallest."""
    smallest = min(scope.plan.ours, default=0)
    many = place / "watched-many"
    folders.make_many(many, MANY)
    for size in sorted({size for size in (smallest, scope.watched) if size in scope.plan.ours}):
        for who in (Who.OURS, Who.THEIRS) if size == smallest else (Who.OURS,):
            if size in scope.plan.of(who):
                note(f"watching: {who.value}, {size:,} images")
                folder = place / f"watched-{who.name.lower()}-{size}"
                folders.make(folder, size)
                ask(who, "opening:first", folder=str(folder), checksums=False)
                results.add(who, size, ask(who, "watching:measure", folder=str(folder), many=str(many)))
                shutil.rmtree(folder)


def slowest(place: Path, results: Results) -> None:
    """Time once what takes MONAI Label minutes, opening and refreshing, and keep it to be quoted."""
    plan = Plan((), (SLOWEST,), (), samples=1, rounds=1, only=["refresh, nothing new"], patience=7_200)
    Sizes(place, plan, results).run()
    results.keep_quotes(SLOWEST)
