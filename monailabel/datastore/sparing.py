"""The newest intact copy of the catalog, made now and then while others write, for the day the catalog is lost."""

import logging
import os
import secrets
import time
from contextlib import suppress

from monailabel.catalog import spare
from monailabel.catalog.chain import PURGED
from monailabel.catalog.rows import happened
from monailabel.catalog.sqlite import SqliteCatalog
from monailabel.datastore.rebuilding import COPY
from monailabel.files.sharing import share_with_group, sync_folder

LEAST = 60.0  # seconds between two copies
SHARE = 500  # at most this part of the time goes into copies, and of the disk's bandwidth into writing them

logger = logging.getLogger(__name__)


class Spare:
    """Makes the copy; one that is not intact never takes the place of one that is."""

    def __init__(self, catalog: SqliteCatalog, state: str) -> None:
        self._catalog = catalog
        self._state = state
        self._path = os.path.join(state, COPY)
        self.cost = 0.0  # seconds that the last one took

    @property
    def pause(self) -> float:
        """Give the seconds that are to lie between two copies."""
        return max(LEAST, self.cost * SHARE)

    def is_due(self) -> bool:
        """Tell whether the copy is older than the pause, by whomever it was made, and the catalog has newer events."""
        with suppress(FileNotFoundError):
            if time.time() - os.stat(self._path).st_mtime < self.pause:
                return False
        return self._catalog.last_event() != spare.last_event(self._path)

    def make(self) -> None:
        """Copy the catalog, verify the copy, and let it take the older one's place."""
        begin = time.monotonic()
        made = f"{self._path}.{secrets.token_hex(4)}"
        try:
            spare.copy_while_used(self._catalog, made)
            last = spare.last_event(made)
            if last is None:
                logger.error("the catalog of %s is damaged; `monailabel-datastore check` says what to do", self._state)
                return
            share_with_group(made, self._state)
            os.replace(made, self._path)
            sync_folder(self._state)
            if happened(self._catalog, PURGED, last):  # meanwhile: what was erased is not to live on here
                os.unlink(self._path)
        finally:
            with suppress(FileNotFoundError):
                os.unlink(made)
        self.cost = time.monotonic() - begin
