"""Gathers in a folder the catalog of one moment and every file that it speaks of, while others change the datastore."""

import os
import re
from contextlib import ExitStack, closing, suppress
from dataclasses import dataclass, field
from typing import Any

from monailabel.catalog import rows as asking
from monailabel.catalog.chain import PURGED
from monailabel.catalog.connections import copy_catalog
from monailabel.catalog.spare import copy_while_used
from monailabel.catalog.sqlite import SqliteCatalog
from monailabel.datastore import history, layouts
from monailabel.datastore.actor import UNKNOWN
from monailabel.datastore.checking.rows import named
from monailabel.datastore.edit import visible_name
from monailabel.datastore.head import HeadFile
from monailabel.datastore.options import STATE
from monailabel.datastore.progress import Progress
from monailabel.datastore.rebuilding import CATALOG, discard
from monailabel.datastore.snapshot import Snapshot
from monailabel.datastore.store import Store
from monailabel.files.copying import copy_file, link_file
from monailabel.files.folder import LINK, digest
from monailabel.files.looks import mtime_of
from monailabel.files.sharing import make_folder
from monailabel.interfaces.exception import ConflictException, InvalidInputException, MONAILabelException
from monailabel.models import IMAGE, Item, State

NAME = re.compile(r"\d{4}-\d\d-\d\dT\d\d-\d\d-\d\dZ(-\d+)?")  # of a whole backup: its time, UTC
LOCK = ".lock"  # beside the backups: whose turn it is to make one
_PAGE = 1_000


@dataclass(slots=True)
class Backup:
    """What a backup has, and what it lacks."""

    path: str
    last: int = 0  # the newest event in it
    copied: int = 0  # files that the backup before does not have; each was read in its new place
    size: int = 0  # their bytes
    unchanged: int = 0  # files that it shares with the backup before
    lacks: list[str] = field(default_factory=list)  # a sentence for each file that is not as the catalog says


class Gathering:
    """A backup on its way, in the folder `part`.

    Files that did not change are shared with the backup `before`, and with `cut`, one that was cut short: what that has
    is read first, and so is, if `deep`, what the other has.
    """

    def __init__(
        self, store: Store, part: str, before: str | None, cut: str, deep: bool, progress: Progress | None
    ) -> None:
        self._store = store
        self._part = part
        self._state = os.path.join(part, STATE)
        self._before = before
        self._cut = cut
        self._deep = deep
        self._progress = progress
        self._made = Backup(part)

    def run(self, document: str) -> Backup:
        """Gather all of it. Raises ConflictException where an image was purged meanwhile."""
        make_folder(os.path.join(self._state, "history"), like=os.path.dirname(self._part))
        path, earlier = os.path.join(self._state, CATALOG), os.path.join(self._state, "earlier.db")
        if self._before is not None:
            copy_catalog(os.path.join(self._before, STATE, CATALOG), earlier)
        self._store.changes.settle(UNKNOWN)
        copy_while_used(self._store.catalog, path)
        self._store.changes.settle(UNKNOWN)  # whatever the copy knows of is in its place or in the history now
        with ExitStack() as stack:
            catalog = stack.enter_context(closing(SqliteCatalog(path)))
            self._earlier = stack.enter_context(closing(SqliteCatalog(earlier)))
            self._gather(catalog)
            snapshot = stack.enter_context(
                closing(Snapshot(os.path.join(self._part, document), self._state, private=False))
            )
            snapshot.attach(catalog)
            snapshot.write()
            layouts.note(self._state, self._store.layout)
            HeadFile(catalog, self._state).note()
        discard(earlier)
        return self._made

    def _gather(self, catalog: SqliteCatalog) -> None:
        self._made.last = catalog.last_event()
        if self._before and self._earlier.settings().get("identity") != catalog.settings()["identity"]:
            raise InvalidInputException(f"{self._before} refused: it is of another datastore; name another folder")
        roots = {is_label: self._root(catalog, is_label) for is_label in (False, True)}
        kept = list(asking.asked(catalog, "kept"))
        total, after, done = sum(catalog.tallies().values()) + len(kept), 0, 0
        while page := catalog.places(after, _PAGE):
            for _, image_id, tag, *_ in page:
                item = catalog.item(image_id, tag)
                if item is not None and item.state is State.PRESENT:
                    place = self._store.changes.folder(tag).place(visible_name(image_id, tag, item.ext))
                    self._show(item, os.path.join(roots[bool(tag)], place))
                done += 1
                self._tell(done, total)
            after = page[-1][0]
        for row in kept:
            self._keep(catalog, row)
            done += 1
            self._tell(done, total)
        self._keep_what_came_out(catalog)
        if asking.happened(self._store.catalog, PURGED, self._made.last):
            raise ConflictException("an image was purged while it was copied, and may be in the copy: make it again")

    def _tell(self, done: int, total: int) -> None:
        if self._progress is not None and (done % 100 == 0 or done == total):
            self._progress("backing up", done, max(done, total))

    def _root(self, catalog: SqliteCatalog, is_label: bool) -> str:
        """Give where visible files go; a folder outside the datastore's gets a place in the backup."""
        name, place = ("labels_dir", "labels") if is_label else ("images_dir", "images")
        said, root = catalog.settings()[name], self._store.changes.folder("label" if is_label else IMAGE).root
        if os.path.isabs(said) or not is_inside(root, self._store.path):
            said = place
            with catalog.transaction() as rows:
                rows.set_setting(name, said)
        return os.path.normpath(os.path.join(self._part, said))

    # -- visible files -------------------------------------------------------------------------------------------------

    def _show(self, item: Item, target: str) -> None:
        """Bring the bytes of an item's newest version, wherever they are by now, to its visible name."""
        make_folder(os.path.dirname(target), like=self._part)
        then = self._earlier.item(item.image_id, item.tag)
        is_same = then is not None and (then.size, then.mtime_ns) == (item.size, item.mtime_ns)
        is_known = then is not None and then.sha256 == item.sha256
        is_unread = then is not None and then.sha256 is None  # by then nobody had read it: now it is, in the backup
        if self._share(target, item.sha256, item.size, is_same and (is_known or is_unread), self._deep or not is_known):
            return
        try:
            sha256 = self._copy_shown(item, target) or self._copy_version(item, target)
            if item.sha256 not in (None, sha256):
                raise ConflictException(
                    f"its bytes are not those of version {item.version}; they are copied as they are"
                )
        except (OSError, MONAILabelException) as error:
            self._made.lacks.append(f"{named(item.image_id, item.tag)}: {error}")
        if os.path.exists(target):
            self._count(target)

    def _copy_shown(self, item: Item, target: str) -> str | None:
        """Copy the visible file, if it still is the version that the catalog speaks of."""
        path = self._store.changes.folder(item.tag).path(visible_name(item.image_id, item.tag, item.ext))
        try:
            source = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        try:
            facts = os.fstat(source)
            is_it = (facts.st_size, mtime_of(facts)) == (item.size, item.mtime_ns)
            sha256 = copy_file(source, target) if is_it else None
            return sha256 if item.sha256 in (None, sha256) else None
        finally:
            os.close(source)

    def _copy_version(self, item: Item, target: str) -> str:
        """Copy the version from where it is now: it was replaced or removed since the catalog was copied."""
        store = self._store
        with history.open_version(store.settled, store.changes, item.image_id, item.tag, item.version) as source:
            return copy_file(source.fd, target)

    # -- earlier versions ----------------------------------------------------------------------------------------------

    def _keep(self, catalog: SqliteCatalog, row: tuple[Any, ...]) -> None:
        """Bring the bytes of an earlier version; one that was pruned meanwhile is noted as not kept."""
        image_id, tag, number, token, sha256, size = row
        path = self._store.changes.folder(tag).kept_path(token, sha256)
        try:
            self._keep_file(path, sha256, size)
        except (OSError, ConflictException) as error:
            now = {v[0]: v[6] for v in self._store.catalog.versions(image_id, tag)}
            item = catalog.item(image_id, tag)
            if now.get(number) != token and item is not None:
                with catalog.transaction() as rows:
                    rows.keep_version(item.rowid, number, "")
            else:
                self._made.lacks.append(f"version {number} of {named(image_id, tag)}: {error}")

    def _keep_what_came_out(self, catalog: SqliteCatalog) -> None:
        """Bring what came out of its visible name by the changes that were under way in the moment of the copy."""
        for mark in catalog.marks():
            folder = self._store.changes.folder(mark.tag)
            for token in {mark.staged, mark.out_token} - {None}:
                for path in folder.kept_as(token or ""):
                    sha256 = os.path.basename(path).partition(".")[2]
                    self._keep_file(path, None if sha256 == LINK else sha256, None)

    def _keep_file(self, path: str, sha256: str | None, size: int | None) -> None:
        """Bring a kept file: nobody ever writes it, so that it may have several names. Raises ConflictException."""
        folder, name = os.path.split(path)
        target = os.path.join(self._state, "history", os.path.basename(folder), name)
        make_folder(os.path.dirname(target), like=self._part)
        if sha256 is None:
            os.symlink(os.readlink(path), target)
            return
        if self._share(target, sha256, size, True, self._deep):
            return
        if link_file(path, target):
            found = digest(target)[0]
        else:
            with open(path, "rb") as source:
                found = copy_file(source.fileno(), target)
        self._count(target)
        if found != sha256:
            raise ConflictException("its bytes do not have its checksum; they are copied as they are")

    # -- what there is already -----------------------------------------------------------------------------------------

    def _share(self, target: str, sha256: str | None, size: int | None, is_same: bool, read: bool) -> bool:
        """Take a file over from the backup before, or from one that was cut short; tell whether that went."""
        name = os.path.relpath(target, self._part)
        before = os.path.join(self._before or "", name)
        if is_same and self._before and _is_right(before, sha256, size, read) and link_file(before, target):
            self._made.unchanged += 1
            return True
        if sha256 and _is_right(os.path.join(self._cut, name), sha256, size, True):
            os.rename(os.path.join(self._cut, name), target)
            self._count(target)
            return True
        return False

    def _count(self, target: str) -> None:
        self._made.copied += 1
        self._made.size += os.path.getsize(target)


def is_inside(path: str, root: str) -> bool:
    """Tell whether a path leads to a folder or into it."""
    path, root = os.path.realpath(path), os.path.realpath(root)
    return os.path.commonpath([path, root]) == root


def _is_right(path: str, sha256: str | None, size: int | None, read: bool) -> bool:
    with suppress(OSError):
        if os.path.islink(path) or size not in (None, os.path.getsize(path)):
            return False
        return not read or sha256 is None or digest(path)[0] == sha256
    return False
