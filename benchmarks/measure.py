"""Does one piece of work in a process of its own: `python -m benchmarks.measure OURS [--serve] < request.json`."""

import importlib
import json
import os
import sys

from benchmarks import mended
from benchmarks.results import Who


def main() -> None:
    """Carry out the request on standard input and print what was measured."""
    serving = "--serve" in sys.argv  # such work prints an address and does not end
    answers = os.fdopen(os.dup(1), "w")
    if not serving:
        os.dup2(2, 1)  # what the packages print does not belong into the answer
    prepare(Who[sys.argv[1]])
    request = json.load(sys.stdin)
    module, function = request.pop("work").split(":")
    result = getattr(importlib.import_module(f"benchmarks.{module}"), function)(**request)
    with answers:
        json.dump(result, answers)


def prepare(who: Who) -> None:
    """Let MONAI Label's package find stand-ins for what it imports, and mend its two look-ups where that is asked."""
    if who in (Who.THEIRS, Who.MENDED):
        importlib.import_module("monai_label.standins").install()
    if who is Who.MENDED:
        mended.install()


if __name__ == "__main__":
    main()
