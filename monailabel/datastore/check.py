"""Looks for what is wrong with a datastore, says what to do about it, and puts right what that loses nothing by."""

import os
from collections.abc import Generator, Iterator
from contextlib import closing
from typing import Any

from monailabel.catalog.sqlite import NewerCatalog, SqliteCatalog
from monailabel.datastore import beside
from monailabel.datastore.checking import backups, changes, document, events, files, history, rows, spares
from monailabel.datastore.checking.finding import Finding
from monailabel.datastore.head import HEAD, heads, noted
from monailabel.datastore.local import LocalDatastore
from monailabel.datastore.options import STATE
from monailabel.datastore.progress import Progress
from monailabel.datastore.rebuilding import CATALOG, behind, rebuild, words
from monailabel.datastore.salvage import mend
from monailabel.datastore.store import Store
from monailabel.files.locking import FolderLock
from monailabel.interfaces.exception import DamagedDatastoreException

__all__ = ["LOW_SPACE", "Finding", "check"]

LOW_SPACE = 1 << 30  # bytes: a few scans


def check(
    folder: str | os.PathLike[str],
    *,
    deep: bool = False,
    repair: bool = False,
    head: str | None = None,
    low_space: int = LOW_SPACE,
    **options: Any,
) -> Iterator[Finding]:
    """Look through a datastore and give what is found, one by one.

    The folder is opened with LocalDatastore's `options`, which takes in what other programs did, and finishes what is
    unfinished; a backup is only looked at. `deep` reads every file that has a checksum: images, labels, and their
    earlier versions. `repair` puts right what that loses nothing by. `head` is a head of the events that was noted
    elsewhere, as LocalDatastore.head() gave it: it tells whether events were cut off. `low_space` is the number of
    bytes that each of the folder's disks ought to have free.

    Raises InvalidInputException for a head that is none.
    """
    if head is not None:
        noted(head)
    path = os.path.realpath(folder)
    state = os.fspath(options.get("state_dir") or os.path.join(path, STATE))
    progress = options.get("progress")
    yield from _module()
    damage: DamagedDatastoreException | None = None
    is_told = False
    try:
        why = yield from _record(state, head, repair, repair and not options.get("read_only", False), progress)
    except NewerCatalog:
        why = ""  # as opening it will say
    except DamagedDatastoreException as error:
        damage, why = error, error.msg.partition("; ")[0]
    is_compared = False
    if backups.is_backup(path):
        options["read_only"] = True  # so that what differs in it is not taken in
        if damage is None and not why:
            yield from backups.findings(path, deep, progress)
            is_compared = True
    if why and repair and not options.get("read_only", False):
        with closing(FolderLock(os.path.join(state, "lock"), like=path)) as lock, lock:
            rebuild(state, why)
    try:
        for finding in _opened(path, deep, repair, head, low_space, options):
            is_told |= finding.kind == "catalog"
            if not (is_compared and finding.kind in ("damaged", "changed")):
                yield finding
    except DamagedDatastoreException as error:
        damage = None if why and not damage else error  # its structure is told to be damaged, and this is why
    if damage and not is_told:
        yield document.refused("catalog", damage)


def _opened(
    path: str, deep: bool, repair: bool, head: str | None, low_space: int, options: dict[str, Any]
) -> Iterator[Finding]:
    """Check what only shows in the open folder."""
    reason = document.damage(path, options)
    try:
        datastore = LocalDatastore(path, **options)
    except DamagedDatastoreException as error:
        if not reason:
            raise
        if not repair:
            yield document.refused("document", error)
            return
        yield from document.mended(reason, mend(path, *document.config(options)))
        reason = ""
        datastore = LocalDatastore(path, **options)
    progress, repair = options.get("progress"), repair and not datastore.read_only
    with datastore:
        if reason:
            yield document.set_aside(reason, not document.damage(path, options))
        if told := datastore._store.rebuilt:
            yield _made_anew(told, datastore.read_only)
            yield from _record(datastore._store.state, head, repair, False, progress)
        yield from _folder(datastore._store, deep, repair, low_space, progress)


def _made_anew(told: dict[str, Any], read_only: bool) -> Finding:
    what = f"the catalog could not be used: {told['why']}"
    remedy = f"open the folder for writing; for looking, {words(told)}" if read_only else words(told)
    return Finding("catalog", what, remedy, repaired=not read_only)


def _record(
    state: str, head: str | None, repair: bool, anew: bool, progress: Progress | None
) -> Generator[Finding, None, str]:
    """Check the catalog as it was before we open the folder, in which scans may write what hides what was there.

    Says in the end why it ought to be made anew, `""` if it need not; where it is going to be (`anew`), that is all.
    Raises DamagedDatastoreException where it cannot be used.
    """
    path = os.path.join(state, CATALOG)
    beside = heads(os.path.join(state, HEAD))  # before the copy: what comes meanwhile is in the copy alone
    if not os.path.exists(path):
        return ""
    with spares.copied(path) as catalog:
        if behind(catalog, state):
            return ""  # opening the folder makes it anew
        damage = list(rows.integrity(catalog, path))
        if anew and (why := _reason(catalog, state, bool(damage))):
            return why
        yield from damage
        yield from events.heads(catalog, beside, os.path.join(state, HEAD), head)
        yield from events.events(catalog, progress)
        if damage:
            return damage[0].what
        yield from rows.rows(catalog, progress)
        yield from rows.mendable(catalog) if not repair else ()
        return ""


def _reason(catalog: SqliteCatalog, state: str, is_damaged: bool) -> str:
    """Say why a catalog is to be made anew: its structure is damaged, or its copy or its events can put it right."""
    if is_damaged:
        return "its structure is damaged"
    is_altered = any(one.stands for one in (*events.events(catalog, None), *rows.rows(catalog, None)))
    return "events or rows were changed past the datastore" if is_altered and spares.can_heal(catalog, state) else ""


def _folder(store: Store, deep: bool, repair: bool, low_space: int, progress: Progress | None) -> Iterator[Finding]:
    yield from changes.space(store, low_space)
    yield from changes.unfinished(store)
    yield from rows.mended(store) if repair else ()
    for problem in store.problems():
        yield Finding("problem", problem, "rename the file or move it away; a label may also wait for its image")
    if deep:
        yield from document.as_written(store, repair)
        yield from spares.copy(store, repair)
    yield from spares.head(store, repair)
    yield from files.taken_in(store)
    yield from files.files(store, repair, deep, progress)
    yield from history.versions(store, deep, progress)
    yield from history.stray(store, repair)


def _module() -> Iterator[Finding]:
    found = beside.look()
    if found is not None:
        yield Finding("module", found.sentence, "" if found.ours else f"`{beside.INSTALL_AGAIN}`")
