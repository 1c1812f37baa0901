"""Runs the benchmarks: `python -m benchmarks`, or `make bench`."""

import argparse
import dataclasses
import json
import re
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks import curves, folders, machine, report
from benchmarks.results import Results
from benchmarks.run import FULL, QUICK, Scope, everything, slowest
from benchmarks.telling import note
from tests.compatibility.monai_label import released

DOCUMENT = released.PROJECT / "docs" / "benchmarks.md"
_FIGURES = re.compile(r"(<!-- figures -->\n).*?(<!-- end of figures -->)", re.DOTALL)


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; give 0, or 2 where the folder lies in memory."""
    options = _options().parse_args(arguments)
    try:
        with folders.scratch(options.folder) as place:
            results = Results(machine.describe(place))
            counted = slowest(place, results) if options.slowest else everything(place, _scope(options), results)
            _tell(results, counted or "", options)
            note("removing the folders")
    except folders.NotADisk as refusal:
        print(refusal, file=sys.stderr)
        return 2
    return 0


def _tell(results: Results, counted: str, options: argparse.Namespace) -> None:
    results.quote()
    if options.json:
        print(json.dumps(results.as_dict(), indent=2))
        return
    text = report.ratios(results) if options.quick else f"{report.summary(results)}\n\n{counted}".rstrip()
    print(text)
    if options.write:
        pictures = "\n".join(f"![{path.stem}]({path.name})" for path in curves.draw(results, DOCUMENT.parent))
        filled = _FIGURES.sub(lambda m: f"{m[1]}\n{text}\n\n{pictures}\n\n{m[2]}", DOCUMENT.read_text())
        DOCUMENT.write_text(filled)


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="small folders, few samples, ratios: under two minutes")
    parser.add_argument("--slowest", action="store_true", help="time MONAI Label's minutes once, to be quoted")
    parser.add_argument("--sizes", type=_numbers, help="numbers of images, with commas between")
    parser.add_argument("--theirs", type=_numbers, help="the sizes at which MONAI Label is measured")
    parser.add_argument("--mended", type=_numbers, help="the sizes at which it is measured with its look-ups mended")
    parser.add_argument("--samples", type=int, help="calls of each change")
    parser.add_argument("--rounds", type=int, help="how often each size is opened; the rest is measured once")
    parser.add_argument("--only", type=lambda text: text.split(","), help="only these operations, with commas between")
    parser.add_argument("--json", action="store_true", help="print medians and p99, for machines")
    parser.add_argument("--write", action="store_true", help="write tables and curves into docs/")
    parser.add_argument("--folder", type=Path, default=released.PROJECT / "build", help="where to work, on a real disk")
    return parser


def _numbers(text: str) -> tuple[int, ...]:
    return tuple(sorted(int(part.replace("_", "")) for part in text.split(",") if part))


def _scope(options: argparse.Namespace) -> Scope:
    scope = QUICK if options.quick else FULL
    given = {
        "ours": options.sizes, "theirs": options.theirs, "mended": options.mended, "samples": options.samples,
        "rounds": options.rounds, "only": options.only,
    }  # fmt: skip
    plan = dataclasses.replace(scope.plan, **{name: value for name, value in given.items() if value is not None})
    if options.only:
        return Scope(plan, served=(), seconds=0, watched=0, once=False)
    return dataclasses.replace(scope, plan=plan)


if __name__ == "__main__":
    sys.exit(main())
