"""Waits for what another thread or process brings about, for tests and benchmarks alike."""

import threading
import time
from collections.abc import Callable


def until(condition: Callable[[], object], within: float = 15.0, pause: float = 0.01) -> None:
    """Return once a condition holds, looking again after each pause; TimeoutError if it does not within the seconds."""
    deadline, never = time.monotonic() + within, threading.Event()
    while not condition():
        if time.monotonic() > deadline:
            raise TimeoutError(f"it did not come to pass within {within:g} s")
        never.wait(pause)
