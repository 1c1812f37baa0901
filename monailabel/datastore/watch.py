"""Watching the folder: what other programs do to it is taken in one pass a burst."""

import logging
import os
import threading

from watchfiles import watch

from monailabel.datastore.store import STATE, Store
from monailabel.files import disk

logger = logging.getLogger(__name__)

_OVERFLOW_RESCAN = 30_000  # milliseconds without news after which one looks anyway: a full queue loses them silently


class Watch:
    """A thread that refreshes a store when its folders change, until it is closed."""

    def __init__(self, store: Store, path: str) -> None:
        self._store = store
        self._own = (os.path.join(path, STATE) + os.sep, os.path.join(path, ".lock"))
        self._paths = sorted({path, store.images.root, store.labels.root})
        self._stop = threading.Event()
        self._pid = os.getpid()
        self._ready = threading.Event()
        self._thread = threading.Thread(target=self._run, name="monailabel-watch", daemon=True)
        self._thread.start()

    def close(self) -> None:
        """Stop watching."""
        self._stop.set()
        if self._pid == os.getpid() and self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        polling = any(disk.is_network(path) for path in self._paths)
        changes = watch(
            *self._paths, watch_filter=self._is_news, debounce=50, step=10, stop_event=self._stop, recursive=True,
            force_polling=polling or None, yield_on_timeout=True, rust_timeout=1_000, raise_interrupt=False,
        )  # fmt: skip
        for _ in changes:
            self._refresh()

    def _is_news(self, change: object, path: str) -> bool:
        return not path.startswith(self._own) and not os.path.basename(path).startswith(".datastore")

    def _refresh(self) -> None:
        try:
            self._store.refresh()
        except Exception as error:  # the next change, or the next second, tries again
            logger.warning("the folder changed and could not be read: %s", error)
