"""A datastore that is only looked at: a private copy of its catalog, and not a byte written beside it."""

import logging
import os
import shutil
import tempfile
import threading
from contextlib import closing

from monailabel.catalog.connections import copy_catalog
from monailabel.catalog.sqlite import NewerCatalog
from monailabel.datastore.options import LOCK, Options, refuse_others
from monailabel.datastore.rebuilding import CATALOG, behind, discard, make, needs_rebuilding, opened
from monailabel.datastore.store import Store
from monailabel.files.locking import lock
from monailabel.interfaces.exception import DamagedDatastoreException

logger = logging.getLogger(__name__)


class ReadOnly:
    """Keeps the private copy current: a look at two files tells whether somebody changed the catalog."""

    def __init__(self, options: Options) -> None:
        if not os.path.isdir(options.path):
            raise FileNotFoundError(2, "no such folder, and a read-only datastore makes none", options.path)
        refuse_others(options)
        self._options = options
        self._source = os.path.join(options.own_folder(), CATALOG)
        self._lock = threading.Lock()
        self._pid = os.getpid()
        self._seen = self._seen_whole()
        self._private = _private_folder()
        self._store = self._opened()

    def current(self) -> Store:
        """Give the store with everything that was committed before this call."""
        if self._pid != os.getpid():  # a forked child has a copy of its own: its parent may remove the other
            self._lock = threading.Lock()
            self._pid = os.getpid()
            self._seen = self._seen_whole()
            self._private = _private_folder()
            self._store = self._opened()
        if self._signature() != self._seen:
            with self._lock:
                if self._signature() != self._seen:
                    seen = self._seen_whole()
                    copy_catalog(self._source, os.path.join(self._private, CATALOG))
                    self._store.catalog.bring_up()  # an older version may be writing the other one
                    self._store.recorded = self._store.catalog.last_event()
                    self._store.refresh()
                    self._seen = seen
        return self._store

    def close(self) -> None:
        """Remove the private copy."""
        if self._pid == os.getpid():
            self._store.close()
            shutil.rmtree(self._private, ignore_errors=True)

    def _opened(self) -> Store:
        try:
            self._copy()
            return Store(self._options, private=self._private)
        except BaseException:
            shutil.rmtree(self._private, ignore_errors=True)
            raise

    def _copy(self) -> None:
        """Copy the catalog; of one that is gone or damaged, what can be read of it and of its last copy."""
        target, state = os.path.join(self._private, CATALOG), self._options.own_folder()
        why = needs_rebuilding(state)
        try:
            if not why and os.path.exists(self._source):
                copy_catalog(self._source, target)
                with closing(opened(target)) as catalog:
                    why = behind(catalog, state)
        except NewerCatalog:
            raise
        except DamagedDatastoreException as error:
            why = error.msg.partition("; ")[0]
        if why:
            discard(target)
            logger.warning("the catalog in %s: %s; for reading only, %s", state, why, make(state, target, why, ""))

    def _seen_whole(self) -> list[tuple[int, int, int] | None] | None:
        """Give the signature, None while a commit may be half done: its end would not show in the files' facts."""
        seen = self._signature()
        try:
            with open(os.path.join(os.path.dirname(self._source), LOCK), "rb") as file:
                return seen if lock(file, wait=False) else None
        except OSError:  # no lock is there, or none that could be taken
            return seen

    def _signature(self) -> list[tuple[int, int, int] | None]:
        return [_facts(self._source), _facts(self._source + "-wal")]


def _private_folder() -> str:
    return os.path.realpath(tempfile.mkdtemp(prefix="monailabel-"))


def _facts(path: str) -> tuple[int, int, int] | None:
    try:
        facts = os.stat(path)
    except FileNotFoundError:
        return None
    return facts.st_size, facts.st_mtime_ns, facts.st_ino
