"""Backups: each a folder of its own, named after its time, that opens as a datastore; and the way back from one."""

import logging
import os
import re
import secrets
import shutil
import stat
from collections.abc import Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from itertools import count

from monailabel.catalog.chain import BACKED_UP
from monailabel.catalog.connections import copy_catalog
from monailabel.datastore.actor import Actor, acting
from monailabel.datastore.checking.backups import altered
from monailabel.datastore.gathering import LOCK, NAME, Backup, Gathering, is_inside
from monailabel.datastore.options import STATE
from monailabel.datastore.progress import Progress
from monailabel.datastore.rebuilding import CATALOG
from monailabel.datastore.store import Store
from monailabel.files.copying import copy_file
from monailabel.files.locking import FolderLock, lock
from monailabel.files.sharing import make_folder, sync_folder
from monailabel.interfaces.exception import InvalidInputException
from monailabel.models import Event

logger = logging.getLogger(__name__)

BROUGHT_UP = "brought up"
_PART, _CUT = ".part", ".cut"  # one on its way, one that was cut short
_BESIDE_CATALOG = tuple(CATALOG + suffix for suffix in ("", "-wal", "-shm", "-journal"))


def back_up(
    store: Store, target: str, actor: Actor, document: str, deep: bool = False, progress: Progress | None = None
) -> Backup:
    """Make a backup in the folder `target`, beside those that it has, while others go on changing the datastore.

    What did not change since the backup before is shared with it, and read only if `deep`. Raises
    InvalidInputException for a place inside the datastore, or one that holds something else.
    """
    target = os.path.realpath(target)
    _check_place(store, target)
    make_folder(target, like=os.path.dirname(target))
    part, cut = os.path.join(target, _PART), os.path.join(target, _CUT)
    with closing(FolderLock(os.path.join(target, LOCK), like=target)) as turn, turn:
        if os.path.exists(part):
            shutil.rmtree(cut, ignore_errors=True)
            os.rename(part, cut)
        made = Gathering(store, part, newest(target), cut, deep, progress).run(document)
        made.path = _free_name(target)
        os.sync()  # all at once: one file after another would take a multiple of the time
        os.rename(part, made.path)
        sync_folder(target)
        shutil.rmtree(cut, ignore_errors=True)
    _tell(store, actor, BACKED_UP, {"path": made.path, "last": made.last, "lacks": made.lacks})
    return made


def newest(target: str) -> str | None:
    """Give the newest whole backup in a folder."""
    names = [name for name in os.listdir(target) if NAME.fullmatch(name)]
    return os.path.join(target, max(names)) if names else None


def _check_place(store: Store, target: str) -> None:
    for root in (store.path, store.images.root, store.labels.root, store.state):
        if is_inside(target, root):
            raise InvalidInputException(f"{target} refused: it lies in the datastore; name another folder, or disk")
    if not os.path.isdir(target):
        if os.path.lexists(target):
            raise InvalidInputException(f"{target} refused: it is no folder")
        return
    others = [name for name in os.listdir(target) if name not in (_PART, _CUT, LOCK) and not NAME.fullmatch(name)]
    if others:
        raise InvalidInputException(f"{target} refused: it holds {min(others)!r}; backups want a folder of their own")


def _free_name(target: str) -> str:
    now = os.path.join(target, datetime.now(UTC).strftime("%Y-%m-%dT%H-%M-%SZ"))
    names = (f"{now}-{number}" if number else now for number in count())
    return next(name for name in names if not os.path.lexists(name))


def _tell(store: Store, actor: Actor, action: str, what: dict[str, object]) -> None:
    """Append an event about the datastore itself."""
    if not store.private:
        with store.change(actor) as edit:
            edit.rows.event(Event(actor.name, actor.authenticated, action, content={"new": what}))


# -- the way back ------------------------------------------------------------------------------------------------------


def bring_up(backup: str, folder: str, progress: Progress | None = None) -> str:
    """Copy a backup (the newest in a folder of several) to a folder that is not there yet, or empty; give its path.

    Not a byte of it is shared with the backup. Visible files that are not as they were backed up stay behind, and a
    warning names each: in the new folder they are missing. Raises InvalidInputException.
    """
    backup, folder = _whole(os.path.realpath(backup)), os.path.realpath(folder)
    beside = os.path.dirname(backup) if NAME.fullmatch(os.path.basename(backup)) else backup
    if is_inside(folder, beside) or is_inside(backup, folder):
        raise InvalidInputException(f"{folder} refused: it lies among the backups, or they in it; name another folder")
    if os.path.lexists(folder) and (not os.path.isdir(folder) or os.listdir(folder)):
        raise InvalidInputException(f"{folder} refused: it is not empty; a backup is brought up in a folder of its own")
    os.makedirs(os.path.dirname(folder), exist_ok=True)
    _remove_cut_short(folder)
    with _part_of(folder) as part:
        _copy_tree(backup, part, progress)
        for path, flaw in list(altered(part, True, progress)):
            logger.warning("%s %s; it is left there", os.path.join(backup, os.path.relpath(path, part)), flaw)
            os.unlink(path)
        os.sync()
        with suppress(FileNotFoundError):
            os.rmdir(folder)
        os.rename(part, folder)
        sync_folder(os.path.dirname(folder))
    _tell_of_bringing_up(backup, folder)
    return backup


@contextmanager
def _part_of(folder: str) -> Iterator[str]:
    """Give a hidden folder beside the one that is to come, locked while we live, and removed if we fail."""
    part = os.path.join(os.path.dirname(folder), f".{os.path.basename(folder)}.{secrets.token_hex(4)}.part")
    os.mkdir(part)
    try:
        with _locked(part):
            yield part
    except BaseException:
        shutil.rmtree(part, ignore_errors=True)
        raise


def _remove_cut_short(folder: str) -> None:
    """Remove the hidden folders that were to become this one and whose makers are dead."""
    part = re.compile(rf"\.{re.escape(os.path.basename(folder))}\.[0-9a-f]{{8}}\.part")
    for name in filter(part.fullmatch, os.listdir(os.path.dirname(folder))):
        left = os.path.join(os.path.dirname(folder), name)
        with _locked(left) as is_ours:
            if is_ours:
                shutil.rmtree(left, ignore_errors=True)


@contextmanager
def _locked(folder: str) -> Iterator[bool]:
    """Lock a folder itself for the length of a block; tell whether that went: nobody else holds it."""
    try:
        fd = os.open(folder, os.O_RDONLY)
    except OSError:  # it is gone, or Windows opens no folders
        yield False
        return
    try:
        yield lock(fd, wait=False)
    finally:
        os.close(fd)


def _whole(backup: str) -> str:
    if os.path.isfile(os.path.join(backup, STATE, CATALOG)):
        return backup
    found = newest(backup) if os.path.isdir(backup) else None
    if found is None:
        raise InvalidInputException(f"{backup} refused: it is no backup, nor a folder of backups")
    return found


def _copy_tree(source: str, target: str, progress: Progress | None) -> None:
    total = sum(len(files) for _, _, files in os.walk(source))
    done = 0
    for folder, folders, files in os.walk(source):
        into = os.path.normpath(os.path.join(target, os.path.relpath(folder, source)))
        os.makedirs(into, exist_ok=True)
        for name in [*files, *(f for f in folders if os.path.islink(os.path.join(folder, f)))]:
            if name not in _BESIDE_CATALOG:
                _copy_one(os.path.join(folder, name), os.path.join(into, name))
            done += 1
            if progress is not None and done % 100 == 0:
                progress("copying", done, max(done, total))
    copy_catalog(os.path.join(source, STATE, CATALOG), os.path.join(target, STATE, CATALOG))


def _copy_one(source: str, target: str) -> None:
    if os.path.islink(source):
        os.symlink(os.readlink(source), target)
        return
    # Without O_NONBLOCK the opening of a named pipe would wait for somebody who writes into it.
    with os.fdopen(os.open(source, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0)), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise InvalidInputException(f"{source} refused: it is no regular file")
        copy_file(file.fileno(), target)


def _tell_of_bringing_up(backup: str, folder: str) -> None:
    from monailabel.datastore.local import LocalDatastore

    with LocalDatastore(folder) as datastore:
        _tell(datastore._store, acting(None), BROUGHT_UP, {"path": backup})
