"""Says on the terminal what is being measured now."""

import sys
import time

_begun = time.monotonic()


def note(text: str) -> None:
    """Write a line with the minutes since the beginning."""
    seconds = int(time.monotonic() - _begun)
    print(f"{seconds // 60:3}:{seconds % 60:02}  {text}", file=sys.stderr, flush=True)
