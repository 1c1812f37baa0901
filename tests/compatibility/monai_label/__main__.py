"""Runs one command in this process and prints its answer as JSON: `python -m monai_label COMMAND < request.json`."""

import json
import os
import sys
from importlib import import_module

from . import standins

# command: the module and function that carry it out; none is imported before the stand-ins are in place
COMMANDS = {
    "calls": ("calls", "run_all"),
    "traced": ("subclasses", "traced"),
    "overridden": ("subclasses", "overridden"),
    "names": ("names", "describe"),
    "package": ("names", "package"),
    "models": ("documents", "run"),
    "server": ("server", "run"),
    "dicomweb": ("dicomweb", "run"),
    "cvat": ("cvat", "run"),
}


def main() -> None:
    """Carry out the command named first, with the request on standard input as its arguments."""
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what the packages print does not belong into the answer
    standins.install()
    module, function = COMMANDS[sys.argv[1]]
    answer = getattr(import_module(f"{__package__}.{module}"), function)(**json.load(sys.stdin))
    with answers:
        json.dump(answer, answers)


if __name__ == "__main__":
    main()
