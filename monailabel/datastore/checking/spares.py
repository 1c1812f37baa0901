"""Checks what is kept for the day the catalog is lost: its copy, and the note of the head of its events."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import closing, contextmanager

from monailabel.catalog.chain import flawed
from monailabel.catalog.connections import copy_catalog
from monailabel.catalog.spare import last_event
from monailabel.catalog.sqlite import SqliteCatalog
from monailabel.datastore.checking import events, rows
from monailabel.datastore.checking.finding import Finding
from monailabel.datastore.head import HEAD, heads
from monailabel.datastore.rebuilding import CATALOG, COPY, opened
from monailabel.datastore.store import Store
from monailabel.interfaces.exception import DamagedDatastoreException


@contextmanager
def copied(path: str) -> Iterator[SqliteCatalog]:
    """Copy a catalog that others may be writing to. Raises DamagedDatastoreException where it cannot be copied."""
    with tempfile.TemporaryDirectory(prefix="monailabel-") as folder:
        copy = os.path.join(folder, CATALOG)
        copy_catalog(path, copy)
        with closing(opened(copy)) as catalog:
            yield catalog


def copy(store: Store, repair: bool) -> Iterator[Finding]:
    """Read the copy of the catalog as the catalog itself is read."""
    path = os.path.join(store.own, COPY)
    if not os.path.exists(path) or not (flaw := _flaw(path)):
        return
    if repair:
        os.unlink(path)
        store.spare.make()
    done = "it was made anew" if repair else "`check --repair` makes it anew"
    yield Finding("copy", f"the copy of the catalog {path} is damaged: {flaw}", done, repaired=repair)


def _flaw(path: str) -> str:
    """Say the first thing that is wrong with the copy, `""` if nothing is."""
    try:
        with copied(path) as catalog:
            for finding in (*rows.integrity(catalog, path), *events.events(catalog, None), *rows.rows(catalog, None)):
                if finding.stands:
                    return finding.what
    except DamagedDatastoreException as error:
        return error.msg.partition("; ")[0]
    return ""


def can_heal(catalog: SqliteCatalog, state: str) -> bool:
    """Tell whether every event that is not as it was sealed is in the copy: rows can then be told by sound events."""
    worst = max(flawed(catalog), default=0)
    path = os.path.join(state, COPY)
    return not worst or ((last_event(path) or 0) >= worst and not _flaw(path))


def head(store: Store, repair: bool) -> Iterator[Finding]:
    """See whether the note of the head can be read."""
    path = os.path.join(store.own, HEAD)
    if not os.path.exists(path) or heads(path):
        return
    if repair:
        store.head.note()
    done = "it was written anew" if repair else "the next change writes it anew"
    yield Finding("head", f"the note of the head in {path} cannot be read", done, repaired=repair)
