"""Runs the benchmark of the local datastore: `python -m benchmarks`."""

import sys

from benchmarks.local import main

if __name__ == "__main__":
    sys.exit(main())
