"""Comparing a folder with a catalog that was made anew: what its events, the files and the document know beside it."""

import json
from typing import Any

from monailabel.catalog import rows as asking
from monailabel.catalog.sqlite import SqliteCatalog
from monailabel.datastore.actor import UNKNOWN
from monailabel.datastore.change import Changes
from monailabel.datastore.rebuilding import PENDING
from monailabel.datastore.retelling import retell
from monailabel.datastore.strays import every_folder, give_back, rescue_staged, strays


def pending(catalog: SqliteCatalog) -> dict[str, Any] | None:
    """Give what the event of its making tells of a catalog that no folder was compared with yet, else None."""
    text = catalog.settings().get(PENDING)
    told: dict[str, Any] | None = json.loads(text) if text else None
    return told


def reconcile(catalog: SqliteCatalog, changes: Changes, *, private: bool) -> None:
    """Bring the rows up to their events; the folder's visible files are left to the scan that follows."""
    with changes.begin_quietly() as rows:
        for mark in catalog.marks():
            if not (mark.staged and changes.folder(mark.tag).waits(mark.staged, mark.inode, mark.sha256)):
                rows.drop_mark(mark)  # done long since, and what has that name now may be another one's
    retell(catalog, changes)
    if not private:
        rescue_staged(catalog, every_folder(changes))


def reconciled(catalog: SqliteCatalog, changes: Changes, *, private: bool) -> None:
    """After the scan, which may have found newer versions: give kept bytes back, and note that it is done."""
    for folder, path in strays(catalog, every_folder(changes)) if not private else ():
        give_back(catalog, changes, folder, path)
    with changes.begin(UNKNOWN) as edit:
        asking.drop_setting(edit.rows, PENDING)
