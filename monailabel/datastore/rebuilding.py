"""A catalog that is gone or damaged is made again: from what can be read of it, its last intact copy, and the files."""

import glob
import json
import logging
import os
import secrets
import time
from contextlib import closing, suppress
from typing import Any

from monailabel.catalog import spare
from monailabel.catalog.chain import REBUILT
from monailabel.catalog.rescue import rescue
from monailabel.catalog.rows import gaps
from monailabel.catalog.sqlite import SqliteCatalog
from monailabel.datastore.actor import UNKNOWN
from monailabel.datastore.head import HEAD, Noted, contradiction, heads
from monailabel.files.sharing import share_with_group, sync_folder
from monailabel.interfaces.exception import DamagedDatastoreException
from monailabel.models import Event

logger = logging.getLogger(__name__)

CATALOG = "catalog.db"
COPY = "catalog.copy"  # the newest intact copy of the catalog
PENDING = "rebuilt"  # the setting that stands until the folder was compared with a catalog that was made anew
_NEXT = "catalog.next-"  # how a catalog begins that was made anew, and is to take the other's place
_ASIDE = "catalog.db.damaged-"  # how the other's name begins then; both end alike
_FILES = ("", "-wal", "-shm", "-journal")


SETTINGS = frozenset(["name", "description", "images_dir", "labels_dir", "identity"])  # that every catalog has


def opened(path: str, *, write_ahead: bool = True) -> SqliteCatalog:
    """Open a catalog. Raises DamagedDatastoreException where it shows at once that it is damaged."""
    catalog = SqliteCatalog(path, write_ahead=write_ahead)
    try:
        catalog.head()
        settings = catalog.settings().keys()
        if settings and PENDING not in settings and not settings >= SETTINGS:
            raise DamagedDatastoreException(f"the catalog {path} is damaged (settings are missing)")
    except BaseException:
        catalog.close()
        raise
    return catalog


def needs_rebuilding(state: str) -> str:
    """Say why the catalog is to be made anew before it is opened, `""` if it is not."""
    if _waiting(state):
        return "its making was interrupted"
    left = [name for name in (COPY, HEAD, CATALOG + "-wal") if _size(os.path.join(state, name))]
    return "it is gone" if left and not _size(os.path.join(state, CATALOG)) else ""


def behind(catalog: SqliteCatalog, state: str) -> str:
    """Say which events its copy has and the catalog lacks, though it had them once, `""` if there are none."""
    last = catalog.last_event()
    if any(head.seq > last and contradiction(catalog, head) for head in heads(os.path.join(state, HEAD))):
        copied = spare.last_event(os.path.join(state, COPY)) or 0
        return f"it lacks events {last + 1} to {copied}" if copied > last else ""
    return ""


def rebuild(state: str, why: str) -> None:
    """Make the catalog anew and set the damaged one aside. The caller holds the writer's lock."""
    waiting = _waiting(state)
    if not waiting:
        end = f"{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"
        made, waiting = os.path.join(state, f"catalog.part-{end}"), os.path.join(state, _NEXT + end)
        try:
            told = make(state, made, why, _ASIDE + end)
            os.rename(made, waiting)  # from here on it is made, whoever finishes
        finally:
            discard(made)
        logger.warning("the catalog in %s: %s; %s", state, why, told)
    _put_in_place(state, waiting)


def make(state: str, target: str, why: str, aside: str) -> str:
    """Write a catalog of all that can be read to `target`, with an event that tells of it; give that in words."""
    path = os.path.join(state, CATALOG)
    noted = heads(os.path.join(state, HEAD))
    found = rescue(path, os.path.join(state, COPY), target, max((head.seq for head in noted), default=0))
    with closing(SqliteCatalog(target, write_ahead=False)) as catalog:
        lost = _lost(catalog, noted)
        content = {
            "why": why, "aside": aside if _size(path) else "", "copy": found.copied, "read": found.read,
            "last": found.last, "lost": lost, "heads": [str(head) for head in noted],
        }  # fmt: skip
        with catalog.transaction() as rows:
            rows.skip_to(max((last for _, last in lost), default=0))
            rows.event(Event(UNKNOWN.name, False, REBUILT, content={"new": content}))
            rows.set_setting(PENDING, json.dumps(content))
    if os.path.dirname(target) == state:
        share_with_group(target, state)
    with open(target, "rb+") as file:
        os.fsync(file.fileno())
    return words(content)


def _lost(catalog: SqliteCatalog, noted: list[Noted]) -> list[tuple[int, int]]:
    """Give the first and last numbers of the events that are not there any more."""
    last = catalog.last_event()
    beyond = max((head.seq for head in noted if contradiction(catalog, head)), default=0)
    return gaps(catalog) + ([(last + 1, beyond)] if beyond > last else [])


def words(told: dict[str, Any]) -> str:
    """Say in words what a catalog was made of, as its event tells it."""
    parts = ["the JSON document and the files"]
    if told["copy"] is not None:
        parts.insert(0, f"the copy of it up to event {told['copy']}")
    if told["aside"]:
        parts.insert(0, f"{sum(told['read'].values())} rows of the damaged one, which is set aside as {told['aside']}")
    lost = "".join(f"; events {first} to {last} are lost" for first, last in told["lost"])
    return f"it was made anew from {', '.join(parts)}{lost}"


def _put_in_place(state: str, waiting: str) -> None:
    aside = _ASIDE + os.path.basename(waiting).removeprefix(_NEXT)
    for suffix in _FILES:
        with suppress(FileNotFoundError):
            os.rename(os.path.join(state, CATALOG + suffix), os.path.join(state, aside + suffix))
    os.rename(waiting, os.path.join(state, CATALOG))
    sync_folder(state)


def _waiting(state: str) -> str | None:
    return next(glob.iglob(os.path.join(glob.escape(state), _NEXT + "*")), None)


def discard(path: str) -> None:
    """Remove a catalog that was to be made."""
    for suffix in _FILES:
        with suppress(FileNotFoundError):
            os.unlink(path + suffix)


def _size(path: str) -> int:
    try:
        return os.stat(path, follow_symlinks=False).st_size
    except FileNotFoundError:
        return 0
