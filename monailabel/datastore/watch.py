"""Watching the folder: what other programs do to it is taken in one pass a burst."""

import logging
import os
import threading
import time
from collections.abc import Iterable
from contextlib import suppress

from watchfiles._rust_notify import RustNotify  # https://watchfiles.helpmanual.io/api/rust_backend/

from monailabel.datastore.store import Store
from monailabel.files import disk

logger = logging.getLogger(__name__)

_TICK = 1_000  # milliseconds without news after which what could not be judged yet is looked at again
_BURST_ENDS = 10  # milliseconds without news after which a burst is over
_BURST_LASTS = 50  # milliseconds after which what came of a longer one is taken in
_POLLS = 300  # milliseconds between two looks where the system tells no news
_PATIENCE = 2.0  # seconds that opening waits for the watch; what comes before it is set is found by a refresh
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
        self._due = False  # a refresh, when there is a moment without news
        self._pid = os.getpid()
        self._thread = threading.Thread(target=self._run, name="monailabel-watch", daemon=True)
        self._thread.start()
        self._set.wait(_PATIENCE)

    def close(self) -> None:
        """Stop watching."""
        self._stop.set()
        if self._pid == os.getpid() and self._thread is not threading.current_thread():
            self._thread.join()

    def _run(self) -> None:
        while not self._stop.is_set():
            self._set.clear()
            try:
                self._watch(self._folders())
            except Exception as error:  # noqa: BLE001 - a watcher that dies silently is worse than one that starts anew
                self._is_coarse = self._is_coarse or (not self._set.is_set() and bool(self._inner[1]))
                logger.warning("watching the folder failed, and begins anew: %s", error)
                self._stop.wait(_TICK / 1_000)

    def _watch(self, folders: set[str]) -> None:
        """Watch these folders until others are to be watched."""
        polls = any(disk.is_network(path) for path in folders)
        with RustNotify(sorted(folders), False, polls, _POLLS, False, False) as watcher:
            self._set.set()
            self._refresh()  # for what came before
            while self._folders() == folders:
                news = watcher.watch(_BURST_LASTS, _BURST_ENDS, _TICK, self._stop)
                if self._stop.is_set():
                    return
                self._take_in({path for _, path in news if _is_news(path)} if isinstance(news, set) else set())

    def _folders(self) -> set[str]:
        """Give the folder of the document, of the images, of the labels, of each tag, and all sub-folders of them."""
        folders = {self._store.path, self._store.images.root, self._store.labels.root}
        with suppress(FileNotFoundError, PermissionError), os.scandir(self._store.labels.root) as entries:
            folders.update(e.path for e in entries if e.is_dir() and not e.name.startswith("."))
        inner = [] if self._is_coarse else self._store.scan.folders()
        if inner is not self._inner[0]:
            self._inner = inner, _readable(inner)
        return _readable(folders) | self._inner[1]

    def _take_in(self, paths: set[str]) -> None:
        if len(paths) > _BURST:
            self._refresh()
            self._due = True
        elif paths or self._again:
            self._again = self._store.take_in(paths | self._again)
        elif self._due or (self._is_coarse and time.monotonic() - self._refreshed > _NOW_AND_THEN):
            self._refresh()

    def _refresh(self) -> None:
        self._due = self._store.refresh()
        self._refreshed = time.monotonic()


def _is_news(path: str) -> bool:
    return not os.path.basename(path).startswith(".")


def _readable(folders: Iterable[str]) -> set[str]:
    return {path for path in folders if os.path.isdir(path) and os.access(path, os.R_OK | os.X_OK)}
