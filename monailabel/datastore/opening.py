"""Opens a folder's catalog: begun where there is none, made anew where it is gone or damaged."""

import os
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from monailabel.catalog.sqlite import NewerCatalog, SqliteCatalog
from monailabel.datastore import layouts
from monailabel.datastore.options import Options, check_inside
from monailabel.datastore.rebuilding import CATALOG, SETTINGS, behind, needs_rebuilding, opened, rebuild
from monailabel.datastore.snapshot import DESCRIPTION, NAME
from monailabel.files import disk
from monailabel.files.layout import FLAT
from monailabel.files.locking import FolderLock
from monailabel.files.sharing import open_shared
from monailabel.interfaces.exception import DamagedDatastoreException
from monailabel.models import plain

if TYPE_CHECKING:
    from monailabel.documents import LocalDatastoreModel


class Opened(NamedTuple):
    """A catalog, where files lie, and of a private copy the last event that it was copied with."""

    catalog: SqliteCatalog
    layout: str
    recorded: int | None


def open_catalog(
    options: Options,
    state: str,
    lock: FolderLock,
    read_document: "Callable[[], LocalDatastoreModel | None]",
    *,
    private: bool,
) -> Opened:
    """Open the catalog in the folder `state`; what a document says is the beginning of one that is not there."""
    path = os.path.join(state, CATALOG)
    with lock:
        if not private and (why := needs_rebuilding(state)):
            rebuild(state, why)
        elif not os.path.exists(path):  # closing it would free the locks of whoever has it open in this process
            os.close(open_shared(path, like=options.path))  # SQLite gives its other files the same permissions
        catalog = _sound(path, private)
        try:
            is_known = catalog.settings().keys() >= SETTINGS
            if not is_known:
                _begin(catalog, options, read_document(), private)
            recorded = catalog.last_event() if is_known and private else None
            layout = layouts.settled(catalog, options.wish, options.path, options.own_folder(), private=private)
            return Opened(catalog, layout, recorded)
        except BaseException:
            catalog.close()
            raise


def _sound(path: str, private: bool) -> SqliteCatalog:
    """Open the catalog; one that is damaged beyond that is made anew."""
    state = os.path.dirname(path)
    write_ahead = not disk.is_network(state)
    try:
        catalog = opened(path, write_ahead=write_ahead)
        why = "" if private else behind(catalog, state)
        if not why:
            return catalog
        catalog.close()
    except NewerCatalog:
        raise
    except DamagedDatastoreException as error:
        if private:
            raise
        why = error.msg.partition("; ")[0]
    rebuild(state, why)
    return opened(path, write_ahead=write_ahead)


def _begin(catalog: SqliteCatalog, given: Options, document: "LocalDatastoreModel | None", private: bool) -> None:
    """Write the settings of a new catalog; what a document says wins over the arguments."""
    images, labels = given.images_dir, given.labels_dir
    if document:
        images, labels = document.images_dir, document.labels_dir
        check_inside(given, "images_dir", images)
        check_inside(given, "labels_dir", labels)
    layout = FLAT
    if not (catalog.last_event() or layouts.noted_in(given.own_folder())):
        layout = given.wish.first(given.path, images, labels, given.extensions, document)
        if not private:
            layouts.note(given.own_folder(), layout)
    said = {"name": document.name, "description": document.description} if document else {}
    settings = {"name": NAME, "description": DESCRIPTION} | plain(said, lenient=True)
    settings |= {"images_dir": images, "labels_dir": labels, "identity": os.urandom(16).hex()}
    with catalog.transaction() as transaction:
        for name, value in settings.items():
            transaction.set_setting(name, value)
        if layout != FLAT:
            transaction.set_setting(layouts.NOTE, layout)
