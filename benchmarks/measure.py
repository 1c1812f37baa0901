"""Does one piece of work in a process of its own: `python -m benchmarks.measure OURS [--serve] < requests.jsonl`.

The first line names the work. Each further one asks for more of it, where the work is a generator.
"""

import importlib
import json
import os
import sys
from collections.abc import Generator

from benchmarks import mended
from benchmarks.results import Who


def main() -> None:
    """Carry out the requests on standard input and print for each, in a line, what was measured."""
    serving = "--serve" in sys.argv  # such work prints an address and does not end
    answers = os.fdopen(os.dup(1), "w")
    if not serving:
        os.dup2(2, 1)  # what the packages print does not belong into the answer
    prepare(Who[sys.argv[1]])
    requests = map(json.loads, sys.stdin)
    request = next(requests)
    module, function = request.pop("work").split(":")
    result = getattr(importlib.import_module(f"benchmarks.{module}"), function)(**request)
    if not isinstance(result, Generator):
        print(json.dumps(result), file=answers, flush=True)
        return
    print(json.dumps(next(result)), file=answers, flush=True)
    for request in requests:
        print(json.dumps(result.send(request)), file=answers, flush=True)
    result.close()


def prepare(who: Who) -> None:
    """Let MONAI Label's package find stand-ins for what it imports, and mend its two look-ups where that is asked."""
    if who in (Who.THEIRS, Who.MENDED):
        importlib.import_module("monai_label.standins").install()
    if who is Who.MENDED:
        mended.install()


if __name__ == "__main__":
    main()
