"""Checks what the history keeps: whether the bytes of each version are there, and nothing that is no version's."""

import os
import time
from collections.abc import Iterator
from contextlib import suppress

from monailabel.catalog import rows as asking
from monailabel.datastore import strays
from monailabel.datastore.actor import UNKNOWN
from monailabel.datastore.checking.finding import Finding
from monailabel.datastore.checking.rows import named
from monailabel.datastore.progress import Progress
from monailabel.datastore.store import Store
from monailabel.files.folder import TOKEN, Folder, digest
from monailabel.files.locking import lock
from monailabel.interfaces.exception import InvalidInputException

_BEGINNING = 60.0  # seconds in which a file that is empty may be one that its writer has not locked yet
_GONE = "a backup may have it; elsewhere it is lost, and this version cannot be restored"


def versions(store: Store, deep: bool, progress: Progress | None) -> Iterator[Finding]:
    """Look for the bytes of every earlier version; `deep` reads them."""

    def tell(done: int, total: int) -> None:
        if progress is not None:
            progress("checking versions", done, total)

    for image_id, tag, number, token, sha256, size in asking.asked(store.catalog, "kept", tell):
        what = _flaw(store.changes.folder(tag), token, sha256, size, deep)
        if what and _is_kept(store, image_id, tag, number, token):
            yield Finding("version", f"version {number} of {named(image_id, tag)} {what}", _GONE)


def _flaw(folder: Folder, token: str, sha256: str | None, size: int | None, deep: bool) -> str:
    """Say what is wrong with kept bytes, `""` if nothing is."""
    try:
        path = folder.kept_path(token, sha256)
        there = os.lstat(path).st_size
        if sha256 is not None and size is not None and there != size:
            return f"has {there} bytes in {path}, and not {size}"
        if deep and sha256 is not None and digest(path)[0] != sha256:
            return f"is damaged: {path} does not have its checksum"
    except InvalidInputException as error:
        return str(error)
    except OSError as error:
        return f"cannot be read: {error.filename}: {(error.strerror or str(error)).lower()}"
    return ""


def _is_kept(store: Store, image_id: str, tag: str, number: int, token: str) -> bool:
    """Tell whether a version is still to be kept there, and was not pruned meanwhile."""
    return any(row[0] == number and row[6] == token for row in store.catalog.versions(image_id, tag))


# -- what no version names ---------------------------------------------------------------------------------------------


def stray(store: Store, repair: bool) -> Iterator[Finding]:
    """Find kept files that no version names, and staged ones that no change waits for."""
    folders = strays.every_folder(store.changes)
    for folder, path in strays.strays(store.catalog, folders):
        yield from _stray(store, folder, path, repair)
    for folder in folders:
        yield from _staged(store, folder, strays.tokens(store.catalog), repair)


def _stray(store: Store, folder: Folder, path: str, repair: bool) -> Iterator[Finding]:
    what = f"{path} is kept, and no version names it"
    if repair and (version := strays.give_back(store.catalog, store.changes, folder, path)):
        yield Finding("history", what, f"it is {_version(version)} again", repaired=True)
        return
    with store.changes.begin(UNKNOWN):  # look again while nobody changes anything
        if os.path.basename(path).partition(".")[0] in strays.tokens(store.catalog) or not os.path.lexists(path):
            return
    version = strays.owner(store.catalog, store.changes, folder, path)
    if version is not None:
        yield Finding(
            "history", f"{what}; its name says {_version(version)}", "`check --repair` reads it and gives it back"
        )
    else:
        yield Finding("history", what, "where its bytes are of use add them as an image or label; then move it away")


def _version(version: strays.Unkept) -> str:
    return f"version {version[1]} of {named(version[2], version[3])}"


def _staged(store: Store, folder: Folder, known: set[str], repair: bool) -> Iterator[Finding]:
    for entry in folder.staged():
        if entry.name.partition(".")[0] in known or _is_held(entry.path):
            continue
        if repair and not store.private and TOKEN.match(entry.name):
            store.changes.sweep()
            yield Finding("staging", f"{entry.path} waits for no change", "it was removed", repaired=True)
        else:
            ours = "`check --repair` removes it, and so does the next opening"
            remedy = ours if TOKEN.match(entry.name) else "it is not the datastore's; move it away"
            yield Finding("staging", f"{entry.path} waits for no change", remedy)


def _is_held(path: str) -> bool:
    """Tell whether a living writer holds a staged file, is about to, or has just put it in its place."""
    with suppress(OSError), open(path, "rb") as file:
        facts = os.fstat(file.fileno())
        is_begun = not facts.st_size and time.time() - facts.st_mtime < _BEGINNING
        return is_begun or not lock(file, wait=False)
    return not os.path.lexists(path)
