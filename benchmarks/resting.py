"""Waits until a process has done what an operation left to its background."""

import math
import time
from contextlib import suppress

from tests.waiting import until

# Less CPU than this in so many seconds is rest: work in the background begins within one.
_CALM, _REST = 0.01, 1.2
_AT_MOST = 15.0  # seconds


def rest(at_most: float = _AT_MOST) -> None:
    """Wait until this process rests, but no longer than so many seconds."""
    used = -math.inf

    def rests() -> bool:
        nonlocal used
        before, used = used, time.process_time()
        return used - before < _CALM

    with suppress(TimeoutError):
        until(rests, within=at_most, pause=_REST)
