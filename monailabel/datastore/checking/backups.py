"""Checks a backup against its own catalog: nobody changes one, so whatever differs in it is damage.

Opening it as a datastore would take the differences in as if somebody had made them.
"""

import os
from collections.abc import Iterator
from contextlib import suppress

from monailabel.catalog.sqlite import SqliteCatalog
from monailabel.datastore import layouts
from monailabel.datastore.checking import spares
from monailabel.datastore.checking.finding import Finding
from monailabel.datastore.edit import visible_name
from monailabel.datastore.gathering import LOCK, NAME, is_inside
from monailabel.datastore.options import STATE
from monailabel.datastore.progress import Progress
from monailabel.datastore.rebuilding import CATALOG
from monailabel.files.folder import Folder, digest
from monailabel.files.looks import mtime_of
from monailabel.interfaces.exception import InvalidInputException
from monailabel.models import Item, State

_PAGE = 100  # files between two words of progress


def is_backup(path: str) -> bool:
    """Tell whether a folder is one of several backups that were made in one place."""
    return bool(NAME.fullmatch(os.path.basename(path))) and os.path.exists(os.path.join(os.path.dirname(path), LOCK))


def findings(path: str, deep: bool, progress: Progress | None) -> Iterator[Finding]:
    """Tell of the visible files of a backup that are not as they were backed up."""
    for file, flaw in altered(path, deep, progress):
        yield Finding(
            "damaged", f"{file} {flaw}", "another backup may have it; what is brought up of this one lacks it"
        )


def altered(path: str, deep: bool, progress: Progress | None) -> Iterator[tuple[str, str]]:
    """Give the path of each such file, and what is wrong with it.

    `deep` reads every file, otherwise only those of another time are read. Files that are gone are not told of. Raises
    DamagedDatastoreException where the backup's catalog cannot be used, and InvalidInputException where it, or a link,
    leads out of the backup: none that we make does.
    """
    with spares.copied(os.path.join(path, STATE, CATALOG)) as catalog:
        images, labels = _folders(path, catalog)
        total, done, after = sum(catalog.tallies().values()), 0, 0
        inside: set[str] = set()  # folders of which that is known
        while page := catalog.places(after, _PAGE):
            for _, image_id, tag, *_ in page:
                item = catalog.item(image_id, tag)
                if item is not None and item.state is State.PRESENT:
                    file = (labels if tag else images).path(visible_name(image_id, tag, item.ext))
                    _check_inside(os.path.dirname(file), path, inside)
                    if flaw := _flaw(file, item, deep):
                        yield file, flaw
            after, done = page[-1][0], done + len(page)
            if progress is not None:
                progress("comparing the backup", done, max(done, total))


def _folders(path: str, catalog: SqliteCatalog) -> tuple[Folder, Folder]:
    said, own = catalog.settings(), os.path.join(path, STATE)
    images, labels = (
        Folder(os.path.normpath(os.path.join(path, said[name])), own) for name in ("images_dir", "labels_dir")
    )
    layouts.lay_out(layouts.known(catalog), images, labels, own)
    return images, labels


def _check_inside(folder: str, backup: str, known: set[str]) -> None:
    if folder not in known and not is_inside(folder, backup):
        raise InvalidInputException(f"{backup} refused: its files lie in {folder}, outside it; no backup's do")
    known.add(folder)


def _flaw(path: str, item: Item, deep: bool) -> str:
    """Say what is wrong with a file, `""` if nothing is, or if it is gone."""
    with suppress(FileNotFoundError):
        facts = os.stat(path)
        if item.size not in (None, facts.st_size):
            return f"has {facts.st_size} bytes, and had {item.size} when it was backed up"
        if item.sha256 is None or not (deep or mtime_of(facts) != item.mtime_ns):
            return ""
        try:
            return "" if digest(path)[0] == item.sha256 else "does not have the bytes that were backed up"
        except OSError as error:
            return f"cannot be read: {(error.strerror or str(error)).lower()}"
    return ""
