"""One quiet thread for what may follow the answer: finishing changes, the snapshot, checksums."""

import logging
import threading
import time
from collections.abc import Callable

logger = logging.getLogger(__name__)


class Background:
    """Runs jobs when they are due; each says when it wants to run again.

    A job is called without arguments and gives the seconds after which it is due again, None if it waits to be asked.
    """

    def __init__(self, *jobs: Callable[[], float | None]) -> None:
        self._jobs = jobs
        self.renew()

    def renew(self) -> None:
        """Forget the thread of a parent process, which a fork does not copy."""
        self._condition = threading.Condition()
        self._due: dict[Callable[[], float | None], float] = {}
        self._thread: threading.Thread | None = None
        self._closed = False

    def ask(self, job: Callable[[], float | None], delay: float = 0.0) -> None:
        """Have a job run after `delay` seconds, or earlier if it is due earlier."""
        when = time.monotonic() + delay
        if self._due.get(job, when + 1) <= when:  # looked at without the lock: that it is due soon is known already
            return
        with self._condition:
            if self._closed or self._due.get(job, when + 1) <= when:
                return
            self._due[job] = when
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="monailabel-datastore", daemon=True)
                self._thread.start()
            else:
                self._condition.notify()

    def close(self) -> None:
        """Stop, after the job that is running."""
        with self._condition:
            self._closed = True
            thread, self._thread = self._thread, None
            self._condition.notify()
        if thread is not None and thread is not threading.current_thread():
            thread.join()

    def _run(self) -> None:
        while (job := self._next()) is not None:
            try:
                again = job()
            except Exception as error:  # noqa: BLE001 - a job must not take the others with it; it is asked for again
                logger.warning("work in the background failed: %s", error)
                again = None
            if again is not None:
                self.ask(job, again)

    def _next(self) -> Callable[[], float | None] | None:
        with self._condition:
            while not self._closed:
                now = time.monotonic()
                job = min(self._due, key=self._due.__getitem__, default=None)
                if job is not None and self._due[job] <= now:
                    del self._due[job]
                    return job
                self._condition.wait(self._due[job] - now if job is not None else None)
            return None
