"""Kept bytes that no version names: given back to the version whose checksum they have and that lacks them."""

import os
from collections.abc import Iterator
from contextlib import suppress

from monailabel.catalog import rows as asking
from monailabel.catalog.sqlite import SqliteCatalog
from monailabel.datastore.actor import UNKNOWN
from monailabel.datastore.change import Changes
from monailabel.files.folder import LINK, TOKEN, Folder, digest
from monailabel.interfaces.exception import InvalidInputException
from monailabel.models import IMAGE

Unkept = tuple[int, int, str, str]
"""A version without its bytes: row and number, image and tag."""


def tokens(catalog: SqliteCatalog) -> set[str]:
    """Give every token under which something is kept, waits, or is to be removed."""
    return {token for (token,) in asking.once(catalog, "tokens")}


def strays(catalog: SqliteCatalog, folders: list[Folder]) -> Iterator[tuple[Folder, str]]:
    """Give the kept files that had no version when it began, with the folder whose history they are in."""
    known = tokens(catalog)
    for folder in folders:
        for entry in folder.kept():
            if entry.name.partition(".")[0] not in known:
                yield folder, entry.path


def owner(catalog: SqliteCatalog, changes: Changes, folder: Folder, path: str) -> Unkept | None:
    """Give the version that has the checksum of a stray file and lacks its bytes."""
    token, _, sha256 = os.path.basename(path).partition(".")
    if not TOKEN.fullmatch(token) or sha256 == LINK:
        return None
    for item, number, image_id, tag, kept in asking.once(catalog, "unkept", sha256=sha256):
        if changes.folder(tag).history == folder.history and not (kept and _is_there(folder, kept, sha256)):
            return item, number, image_id, tag
    return None


def _is_there(folder: Folder, token: str, sha256: str) -> bool:
    with suppress(InvalidInputException):
        return os.path.lexists(folder.kept_path(token, sha256))
    return False


def give_back(catalog: SqliteCatalog, changes: Changes, folder: Folder, path: str) -> Unkept | None:
    """Give a stray file, whose bytes are read, back to its version; None where it has none or has just got it."""
    token, _, sha256 = os.path.basename(path).partition(".")
    if owner(catalog, changes, folder, path) is None or digest(path)[0] != sha256:
        return None
    with changes.begin(UNKNOWN) as edit:
        version = owner(catalog, changes, folder, path)
        if version is not None and token not in tokens(catalog) and os.path.exists(path):
            edit.rows.keep_version(version[0], version[1], token, sha256, os.path.getsize(path))
            return version
    return None


def rescue_staged(catalog: SqliteCatalog, folders: list[Folder]) -> None:
    """Move what waits in the staging into the history, where the catalog that knew what it waits for was lost."""
    known = tokens(catalog)
    for folder in folders:
        for entry in folder.staged():
            if TOKEN.fullmatch(entry.name) and entry.name not in known and _has_bytes(entry):
                folder.set_aside(entry.name)
                folder.keep(entry.name)


def _has_bytes(entry: os.DirEntry[str]) -> bool:
    """Tell whether a file is there and not empty, as those are that lie ready for a change."""
    with suppress(FileNotFoundError):
        return bool(entry.stat(follow_symlinks=False).st_size)
    return False


def every_folder(changes: Changes) -> list[Folder]:
    """Give the folders that have a history of their own."""
    return list({folder.history: folder for folder in (changes.folder(IMAGE), changes.folder("label"))}.values())
