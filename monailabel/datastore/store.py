"""An open folder: its catalog, its files, and the rooms that work on both, put together and taken apart."""

import glob
import logging
import os
import shutil
import time
import weakref
from contextlib import AbstractContextManager, ExitStack, closing, suppress

from monailabel import naming
from monailabel.catalog.chain import backups
from monailabel.catalog.sqlite import SqliteCatalog
from monailabel.datastore import layouts
from monailabel.datastore.actor import UNKNOWN, Actor
from monailabel.datastore.background import Background
from monailabel.datastore.beginning import LARGE, Beginning, Names
from monailabel.datastore.calm import Calm
from monailabel.datastore.change import Changes
from monailabel.datastore.checksums import Checksums
from monailabel.datastore.edit import Edit, visible_name
from monailabel.datastore.entries import Reading, path_by_key
from monailabel.datastore.erasing import SHOWN, Erasing
from monailabel.datastore.finder import INDEX, Finder
from monailabel.datastore.head import HeadFile
from monailabel.datastore.merge import merge
from monailabel.datastore.objects import Telling
from monailabel.datastore.opening import open_catalog
from monailabel.datastore.options import LOCK, Options, folder_of, prepared
from monailabel.datastore.reconciling import pending, reconcile, reconciled
from monailabel.datastore.scan import Scan
from monailabel.datastore.snapshot import EditedElsewhere, Snapshot
from monailabel.datastore.sparing import Spare
from monailabel.datastore.stamps import Stamps
from monailabel.files.locking import FolderLock
from monailabel.files.sharing import make_folder
from monailabel.interfaces.datastore import DefaultLabelTag
from monailabel.interfaces.exception import DamagedDatastoreException, InvalidInputException
from monailabel.models import IMAGE

logger = logging.getLogger(__name__)

# What is made of the catalog and the files, and may go; the last are documents that somebody is writing, or died at.
DERIVED = (SHOWN, "pictures", "search.db*", "catalog.copy*", ".snapshot.next.*")
_SETTLE_AFTER = 0.3  # seconds without a change, until the last ones are finished
_SNAPSHOT_AFTER = 1.0  # seconds that a snapshot which takes longer may lag behind
_SNAPSHOT_SHARE = 10  # at most this part of the time goes into writing snapshots
_CLOSE_SECONDS = 2.0  # that closing may spend on the snapshot, or on a copy of the catalog
_CLOSE_BYTES = 100 << 20  # of a catalog that is surely copied within that time

_PATIENCE = 1.0  # seconds that a path may wait for a living writer
_POLL = 0.002
_ATTEMPTS = 100

_open: "weakref.WeakSet[Store]" = weakref.WeakSet()


class Store:
    """The parts of one open datastore; LocalDatastore asks them on behalf of its callers.

    With `private` it works on a copy of the catalog in that folder and touches no file of the datastore.
    """

    def __init__(self, options: Options, *, private: str | None = None) -> None:
        self.path = options.path
        self.private = private is not None
        self.closed = False
        self.opened_at: int  # the newest event before we took in what other programs did
        self.recorded: int | None  # of a private copy: the last event that it was copied with
        self._options = options
        if not self.private:
            make_folder(self.path, like=os.path.dirname(self.path))
        self.state = private or prepared(options)
        document = os.path.join(self.path, naming.file_name(options.config))
        with ExitStack() as undo:
            self.snapshot = undo.enter_context(closing(Snapshot(document, options.own_folder(), private=self.private)))
            self.lock = undo.enter_context(closing(FolderLock(os.path.join(self.state, LOCK), like=self.path)))
            opened = open_catalog(options, self.state, self.lock, self.snapshot.read, private=self.private)
            self.catalog, self.layout, self.recorded = opened
            undo.enter_context(closing(self.catalog))
            self._open(document, options)
            undo.pop_all()
        _open.add(self)

    def _open(self, document: str, options: Options) -> None:
        self.snapshot.attach(self.catalog)
        self.telling = Telling(self.catalog, self.snapshot.current)
        said = self.catalog.settings()
        self.images = folder_of(options, "images_dir", said["images_dir"], private=self.private)
        self.labels = folder_of(options, "labels_dir", said["labels_dir"], private=self.private)
        layouts.lay_out(self.layout, self.images, self.labels, options.own_folder())
        self.images.follow_layout = self.labels.follow_layout = self.follow_layout
        self.changes = Changes(self.catalog, self.images, self.labels, self.lock, private=self.private)
        own = frozenset([os.path.basename(document), ".lock"])
        self.scan = Scan(self.catalog, self.changes, options.extensions, options.to_id, own, options.progress)
        self.stamps = Stamps(self.catalog, self.changes, self.scan, own)
        self.changes.before_publishing = self.stamps.begin
        self.calm = Calm(self.catalog, document, self.images, self.labels)
        self.erasing = Erasing(self.catalog, self.changes, self.state)
        self.checksums = Checksums(self.catalog, self.changes, os.path.join(self.state, "reading.lock"))
        source = os.path.join(options.own_folder(), INDEX) if self.private else None
        self.finder = Finder(self.state, self.path, self.lock, options.progress, source)
        self.own = options.own_folder()
        self.head = HeadFile(self.catalog, self.own)
        self.spare = Spare(self.catalog, self.state)
        self.background = Background()
        self.beginning: Beginning | None = None  # while what a first opening found is recorded
        self.opened_at = self.catalog.last_event()
        self.rebuilt = pending(self.catalog)
        self._after_loss = self._is_after_loss()
        if self._after_loss:
            reconcile(self.catalog, self.changes, private=self.private)
            self.snapshot.forget_before(self.rebuilt["last"] if self.rebuilt else self.catalog.last_event())
        if not self.private:
            self._tidy()
        if self.private or self.opened_at or self._after_loss:
            self.refresh()
        else:
            self._begin()
        if self._after_loss:
            reconciled(self.catalog, self.changes, private=self.private)
            self._after_loss = False

    def _tidy(self) -> None:
        with suppress(InvalidInputException, PermissionError):  # a link leads to it: saving says so
            self.labels.check_writable()
            for tag in DefaultLabelTag:
                self.labels.make(tag.value)
        self.changes.settle(UNKNOWN)
        self.changes.sweep()
        self.snapshot.sweep()
        self.erasing.finish()

    def _begin(self) -> None:
        """Take in a folder of which nothing is recorded; what a large one holds is listed before that."""
        self._take_in_document()
        readings = self.scan.survey()
        if self.catalog.last_event() or sum(len(reading.difference.new) for reading in readings) < LARGE:
            self._record(readings)
        else:
            names = Names(readings, self.scan)
            self.beginning = Beginning(self.catalog, names, lambda: self._record(readings))
            self.beginning.start()

    def _record(self, readings: list[Reading]) -> None:
        self.scan.take_in(readings)
        self.refresh()
        self.beginning = None

    def wait(self) -> None:
        """Wait until all that the folder held when it was opened first is recorded."""
        beginning = self.beginning
        if beginning is None or not beginning.join():
            return
        if self.beginning is not None:  # it failed, or a fork left its thread behind
            self.refresh()
            self.beginning = None

    def listing(self) -> SqliteCatalog | Names:
        """Give who can say which images and labels there are."""
        beginning = self.beginning
        if beginning is None:
            return self.catalog
        if (names := beginning.names()) is not None:
            return names
        self.wait()
        return self.catalog

    def _tell_head(self, what: str) -> None:
        """Note the head of the events in the log, from which it can be given to a check."""
        seq, chain = self.catalog.head()
        logger.info("%s %s; the head of its events is %d:%s", what, self.path, seq, chain.hex())

    def _is_after_loss(self) -> bool:
        """Tell whether the catalog was made anew, or lacks events that it had: then others may know more than it."""
        if not self.private:
            self._tell_head("opened")
        contradicted = self.head.contradicted()
        for _, how in contradicted:
            logger.warning("%s: %s; `monailabel-datastore check` says what to do", self.path, how)
        return self.rebuilt is not None or bool(contradicted)

    # -- changes -------------------------------------------------------------------------------------------------------

    def change(self, actor: Actor) -> AbstractContextManager[Edit]:
        """Make a change, and have what may follow the answer done."""
        return self.changes.begin(actor, then=self._follow)

    def _follow(self) -> None:
        if self.private:
            return
        if self.images.ready.is_low or self.labels.ready.is_low:
            self.background.ask(self._make_ready)
        self.background.ask(self._after_changes, _SETTLE_AFTER)
        if self.snapshot.is_cheap():
            self.write_snapshot()
        else:
            self.background.ask(self._write_snapshot, max(_SNAPSHOT_AFTER, self.snapshot.cost * _SNAPSHOT_SHARE))

    def real_path(self, image_id: str, tag: str, ext: str, mark: int | None, is_link: int) -> str:
        """Give a file's real path; while a change of it is under way, the file may not be there for a moment.

        A change whose writer is dead is finished first; a living one is given a second to show a new file.
        """
        path = self.changes.folder(tag).real_path(visible_name(image_id, tag, ext), is_link=bool(is_link))
        if mark is not None and not self.private and not self.changes.is_published(mark):
            deadline = time.monotonic() + _PATIENCE
            while not self.changes.try_settle(UNKNOWN) and not os.path.exists(path) and time.monotonic() < deadline:
                time.sleep(_POLL)
        return path

    def purge(self, image_id: str, actor: Actor) -> None:
        """Erase an image and all that is known of it, also from what was made of the catalog."""
        self.erasing.purge(image_id, actor)
        self.telling.forget()
        for name in DERIVED:
            for path in glob.glob(os.path.join(glob.escape(self.state), name)):
                _remove(path)
        self.write_snapshot(durable=True)
        aside = (
            os.path.join(glob.escape(self.path), "*.damaged-*"),
            os.path.join(glob.escape(self.state), "*.damaged-*"),
        )
        for path in [found for pattern in aside for found in glob.glob(pattern)] + backups(self.catalog):
            logger.warning(
                "image %r was erased, but %s, set aside or backed up earlier, may hold data of it", image_id, path
            )

    def settled(self) -> SqliteCatalog:
        """Give the catalog after recording where the versions lie that the last changes replaced."""
        self.changes.settle(UNKNOWN)
        return self.catalog

    def follow_layout(self) -> None:
        """Lay files out as the datastore has it now: another process may have switched sub-folders on or off."""
        layout = layouts.known(self.catalog)
        if layout != self.layout:
            layouts.lay_out(layout, self.images, self.labels, self._options.own_folder())
            self.layout = layout

    def refresh(self) -> bool:
        """Take in what other programs did; tell whether something could not be judged yet."""
        self.catalog.follow()
        if self.calm.lasts():
            return False
        moment = self.calm.now()
        self.follow_layout()
        self.changes.settle(UNKNOWN)
        self._take_in_document()
        unfinished = self.scan.run(self.stamps.settle())
        self._after_news()
        if unfinished or self.stamps.is_watching or self.catalog.marks() or self._is_to_be_written():
            self.calm.end()
        else:
            self.calm.note(moment)
        return unfinished

    def take_in(self, paths: set[str]) -> set[str]:
        """Take in what other programs did to these files; give those that are to be looked at again."""
        self.follow_layout()
        if self.snapshot.path in paths:
            self._take_in_document()
        if any(self.scan.wants_reading(path) for path in paths):
            self.scan.run()
        again = self.scan.look_at(paths)
        self._after_news()
        return again

    def _after_news(self) -> None:
        if self.private:
            return
        if self._is_to_be_written():
            self._follow()
        if self.checksums.wanted():
            self.background.ask(self._read_checksums)

    def _is_to_be_written(self) -> bool:
        return not self.private and self.snapshot.is_stale()

    def problems(self) -> list[str]:
        """Say what scans could not take in, a sentence for each file, by its path in the datastore's folder."""
        folders = self.changes.folder(IMAGE), self.changes.folder("label")
        places = ((path_by_key(key, *folders), what) for key, what in self.catalog.problems().items())
        return [f"{os.path.relpath(path, self.path)}: {what}" for path, what in places]

    def checksum(self, image_id: str, tag: str) -> str | None:
        """Read a visible file's checksum and keep it; None if the file is not the one that the catalog speaks of."""
        item = self.catalog.item(image_id, tag)
        sha256 = self.checksums.of(item) if item is not None else None
        if item is not None and sha256 is not None and not self.private:
            with self.changes.begin(UNKNOWN) as edit:
                edit.rows.read_version(item.rowid, item.version, sha256)
        return sha256

    def _take_in_document(self) -> None:
        if not self.snapshot.is_edited():
            return
        try:
            with self.changes.begin(UNKNOWN) as edit:
                news = self.snapshot.news()
                if news is not None:
                    merge(edit, news.theirs, news.base)
        except DamagedDatastoreException:
            if not self.private:
                self.snapshot.set_aside()
                self.write_snapshot()
            return
        if news is not None and not self.private:
            self.snapshot.accept(news)

    def write_snapshot(self, *, durable: bool = False) -> None:
        """Bring the document up to date, after taking in what others wrote into it."""
        try:
            with self.stamps.doing():  # it may lie among the images
                for _ in range(5):
                    try:
                        return self.snapshot.write(durable=durable)
                    except EditedElsewhere:
                        self._take_in_document()
        except Exception as error:  # noqa: BLE001 - the change is saved; the document is tried again after the next one
            logger.warning("%s cannot be written now: %s", self.snapshot.path, error)

    # -- in the background ---------------------------------------------------------------------------------------------

    def _after_changes(self) -> float | None:
        """Ask for what else follows changes: a question for each of these, at each change, would cost it time."""
        if self.changes.waiting.is_set():
            self.background.ask(self._settle)
        for job in (self._note_head, self._tend_log):
            self.background.ask(job)
        self.background.ask(self._copy_catalog, self.spare.pause)
        return None

    def _settle(self) -> float | None:
        self.changes.settle(UNKNOWN)
        self.stamps.settle()
        return _SETTLE_AFTER if self.stamps.is_watching else None

    def _tend_log(self) -> float | None:
        self.catalog.log.lengthen(self.lock)
        self.catalog.log.empty(self.lock)
        return None

    def _make_ready(self) -> float | None:
        for folder in (self.images, self.labels):
            if folder.ready.is_low:
                folder.ready.fill()
        return None

    def _note_head(self) -> float | None:
        self.head.note()
        return None

    def _copy_catalog(self) -> float | None:
        if self.spare.is_due():
            self.spare.make()
        return None

    def _write_snapshot(self) -> float | None:
        self.write_snapshot(durable=True)
        if self.stamps.is_watching:
            self.background.ask(self._settle, _SETTLE_AFTER)
        return None

    def _read_checksums(self) -> float | None:
        return self.checksums.read_some()

    # -- the end -------------------------------------------------------------------------------------------------------

    def close(self) -> None:
        """Finish what is unfinished, bring the document up to date if that is quick, and let go of everything."""
        _open.discard(self)
        if self.beginning is not None:
            self.beginning.join()  # where it failed the next opening goes on
        self.closed = True
        self.checksums.stopped.set()
        self.background.close()
        try:
            last_steps = (self._finish, self._note_head, self._finish_snapshot, self._finish_stamps, self._finish_copy)
            for last in () if self.private else last_steps:
                with suppress(OSError, DamagedDatastoreException):
                    last()
        finally:
            for folder in (self.images, self.labels):
                folder.close()
            self.finder.close()
            self.catalog.close()
            self.snapshot.close()
            self.lock.close()

    def _finish(self) -> None:
        self.changes.settle(UNKNOWN)
        self._tell_head("closed")

    def _finish_snapshot(self) -> None:
        late = self.snapshot.is_stale() or not self.snapshot.is_durable()
        if late and (not self.snapshot.is_there() or self.snapshot.expected() < _CLOSE_SECONDS):
            self.write_snapshot(durable=True)

    def _finish_stamps(self) -> None:
        self.stamps.settle(last=True)

    def _finish_copy(self) -> None:
        if self.spare.cost < _CLOSE_SECONDS and self.catalog.size() < _CLOSE_BYTES and self.spare.is_due():
            self.spare.make()

    def renew(self) -> None:
        """Begin anew in a forked child."""
        for folder in (self.images, self.labels):
            folder.ready.renew()
        self.changes.renew()
        self.stamps.renew()
        self.snapshot.renew()
        self.finder.renew()
        self.background.renew()


def _remove(path: str) -> None:
    """Remove a file, a link or a folder, also one in which somebody is making something."""
    if os.path.islink(path) or not os.path.isdir(path):
        os.unlink(path)
        return
    for _ in range(_ATTEMPTS):
        shutil.rmtree(path, ignore_errors=True)
        if not os.path.exists(path):
            return
    shutil.rmtree(path)


def _after_fork() -> None:
    for store in list(_open):
        store.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
