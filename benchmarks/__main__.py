"""Runs the benchmarks: `python -m benchmarks`, or `make bench`."""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from benchmarks import folders, machine, report
from benchmarks.results import Results
from benchmarks.sizes import Plan, Sizes
from tests.compatibility.monai_label import released

FULL = Plan((1_000, 10_000, 100_000, 1_000_000), (1_000, 10_000), (1_000, 10_000, 100_000), samples=200, rounds=3)
QUICK = Plan((1_000, 10_000), (1_000, 10_000), (), samples=50, rounds=1)


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
    results = Results(machine.describe(place))
    try:
        Sizes(place, _plan(options), results).run()
    finally:
        shutil.rmtree(place)
    results.quote()
    print(json.dumps(results.as_dict(), indent=2) if options.json else report.summary(results))
    return 0


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small folders, few samples: under two minutes")
    parser.add_argument("--sizes", type=_numbers, help="numbers of images, with commas between")
    parser.add_argument("--theirs", type=_numbers, help="the sizes at which MONAI Label is measured")
    parser.add_argument("--mended", type=_numbers, help="the sizes at which it is measured with its look-ups mended")
    parser.add_argument("--samples", type=int, help="calls of each change in each round")
    parser.add_argument("--rounds", type=int, help="processes for each size, one size after the other")
    parser.add_argument("--only", type=lambda text: text.split(","), help="operations to measure, with commas between")
    parser.add_argument("--json", action="store_true", help="print medians and p99, for machines")
    parser.add_argument("--folder", type=Path, default=released.PROJECT / "build", help="where to work, on a real disk")
    return parser


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(sorted(int(part.replace("_", "")) for part in text.split(",") if part))


def _plan(options: argparse.Namespace) -> Plan:
    plan = QUICK if options.quick else FULL

    def asked(name: str, otherwise: tuple[int, ...]) -> tuple[int, ...]:
        given: tuple[int, ...] | None = getattr(options, name)
        return otherwise if given is None else given

    return Plan(
        asked("sizes", plan.ours),
        asked("theirs", plan.theirs),
        asked("mended", plan.mended),
        options.samples or plan.samples,
        options.rounds or plan.rounds,
        options.only,
    )


if __name__ == "__main__":
    sys.exit(main())
