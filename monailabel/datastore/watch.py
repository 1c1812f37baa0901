"""Watching the folder: what other programs do to it is taken in one pass a burst."""

import logging
import os
import threading
import time
from collections.abc import Iterable
from contextlib import suppress

from watchfiles import Change, watch

from monailabel.datastore.store import Store
from monailabel.files import disk

logger = logging.getLogger(__name__)

_TICK = 1_000  # milliseconds without news after which what could not be judged yet is looked at again
_TOUCHED = ".lock"  # a file of ours in the folder, whose time stamp means nothing
_TOUCHES = 200
_NOW_AND_THEN = 10.0  # seconds between two looks at sub-folders that are not watched
_BURST = 1_000  # more files than that are read in one pass over the folder


class Watch:
    """A thread that takes in what happens in the folders of a store, until it is closed.

    Single files are judged one by one, our own too, which costs no reading of a folder. The system's queue of news
    loses what overflows it without a word, so a large burst is followed by a refresh.
    """

    def __init__(self, store: Store) -> None:
        self._store = store
        self._stop = threading.Event()
        self._set = threading.Event()
        self._again: set[str] = set()  # files that could not be judged yet
        self._inner: tuple[list[str], set[str]] = ([], set())  # sub-folders, and those of them that can be watched
        self._is_coarse = False  # there are more of them than the system watches: they are looked at now and then
        self._refreshed = time.monotonic()
        self._has_begun = False  # the system watches all that it was asked to
        self._due = True  # what came between the opening and the first news
        self._pid = os.getpid()
        self._thread = threading.Thread(target=self._run, name="monailabel-watch", daemon=True)
        self._thread.start()
        self._await_first_news()

    def _await_first_news(self) -> None:
        """Return when the watch is set, so that nothing after the opening goes unseen: a touch of ours is told."""
        if self._store.private:
            return
        for _ in range(_TOUCHES):
            with suppress(OSError):
                os.utime(os.path.join(self._store.path, _TOUCHED))
            if self._set.wait(0.01):
                return

    def close(self) -> None:
        """Stop watching."""
        self._stop.set()
        if self._pid == os.getpid() and self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            try:
                self._watch(self._folders())
            except Exception as error:  # noqa: BLE001 - a watcher that dies silently is worse than one that starts anew
                self._is_coarse = self._is_coarse or (not self._has_begun and bool(self._inner[1]))
                logger.warning("watching the folder failed, and begins anew: %s", error)
                self._stop.wait(_TICK / 1_000)

    def _watch(self, folders: set[str]) -> None:
        """Watch these folders until others are to be watched."""
        self._has_begun = False
        news = watch(
            *folders, watch_filter=self._is_news, debounce=50, step=10, stop_event=self._stop, recursive=False,
            rust_timeout=_TICK, yield_on_timeout=True, raise_interrupt=False,
            force_polling=any(disk.is_network(path) for path in folders) or None,
        )  # fmt: skip
        for changes in news:
            self._has_begun = True
            self._take_in({path for _, path in changes})
            if self._folders() != folders:
                self._due = True
                return

    def _folders(self) -> set[str]:
        """Give the folder of the document, of the images, of the labels, of each tag, and all sub-folders of them."""
        folders = {self._store.path, self._store.images.root, self._store.labels.root}
        with suppress(FileNotFoundError, PermissionError), os.scandir(self._store.labels.root) as entries:
            folders.update(e.path for e in entries if e.is_dir() and not e.name.startswith("."))
        inner = [] if self._is_coarse else self._store.scan.folders()
        if inner is not self._inner[0]:
            self._inner = inner, _readable(inner)
        return _readable(folders) | self._inner[1]

    def _is_news(self, change: Change, path: str) -> bool:  # noqa: ARG002 - the form that watchfiles calls
        name = os.path.basename(path)
        if name == _TOUCHED:
            self._set.set()
        return not name.startswith(".")

    def _take_in(self, paths: set[str]) -> None:
        if len(paths) > _BURST:
            self._store.refresh()
            self._due = True
        elif paths or self._again:
            self._again = self._store.take_in(paths | self._again)
        elif self._due or (self._is_coarse and time.monotonic() - self._refreshed > _NOW_AND_THEN):
            self._due = self._store.refresh()
            self._refreshed = time.monotonic()


def _readable(folders: Iterable[str]) -> set[str]:
    return {path for path in folders if os.path.isdir(path) and os.access(path, os.R_OK | os.X_OK)}
