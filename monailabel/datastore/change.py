"""How a change is kept: staged without a lock, committed with its event, published in one step, finished by anyone.

    stage    the new bytes are written under a random name and synced          (nothing is changed yet)
    commit   rows, event and a mark become durable in one transaction          (from here the change is acknowledged)
    publish  the staged file takes its visible name; what lay there is kept    (tried again by whoever comes next)

A mark says what waits where. It stands until the folders' entries are durable and what came out of them is recorded,
which is done for several at once: by the next writer, by whoever touches the same file, or soon in the background.
"""

import logging
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager

from monailabel.catalog.sqlite import SqliteCatalog
from monailabel.catalog.transaction import Transaction
from monailabel.datastore.actor import Actor
from monailabel.datastore.edit import Edit
from monailabel.files.folder import Came, Folder
from monailabel.files.locking import FolderLock
from monailabel.interfaces.exception import InvalidInputException
from monailabel.models import Mark

logger = logging.getLogger(__name__)

STANDING = 64  # marks of our own that may stand before the next change finishes them

on_step: Callable[[str], None] | None = None
"""Called with "stage", "commit", "publish" or "done" when a change enters that step; for tests that interrupt it."""


def enter(step: str) -> None:
    """Tell whoever watches that a change enters a step."""
    if on_step is not None:
        on_step(step)


class Changes:
    """The one door through which anything in a datastore changes."""

    def __init__(
        self, catalog: SqliteCatalog, images: Folder, labels: Folder, lock: FolderLock, *, private: bool = False
    ) -> None:
        self._catalog = catalog
        self._private = private  # a private copy of the catalog: the files are not ours to move
        self._images = images
        self._labels = labels
        self._lock = lock
        self._published: dict[int, Mark] = {}  # what we put in place ourselves since it was last settled
        self.listeners: set[Callable[[], None]] = set()  # called after each commit of ours
        self.before_publishing: Callable[[list[Mark]], None] = lambda _: None  # called before files go to their places
        self.waiting = threading.Event()  # set while marks stand that nobody has settled

    def folder(self, tag: str) -> Folder:
        """Give the folder of the images (tag `""`) or of the labels."""
        return self._labels if tag else self._images

    @contextmanager
    def begin(self, actor: Actor, *, settled: bool = False, then: Callable[[], None] | None = None) -> Iterator[Edit]:
        """Make a change: durable and visible when the block ends, undone if it raises.

        Waits for the writer's lock and first finishes whatever another writer left unfinished. Of our own changes a few
        may stand that only want to be recorded: `settled` finishes those too, and so does whoever touches their files.
        `then` is called when the change is made.
        """
        with self._lock:
            enter("commit")
            done: set[int] = set()
            stuck: dict[int, Exception] = {}

            def finish(marks: Iterable[Mark]) -> None:
                came, trouble = self._finish([mark for mark in marks if mark.id not in done])
                _settle(transaction, came)
                done.update(mark.id for mark, _ in came)
                stuck.update(trouble)

            with self._catalog.transaction() as transaction:
                if settled or not self._is_in_order(transaction):
                    finish(self._standing())
                edit = Edit(transaction, self.folder, actor, stuck, lambda: finish(self._published.values()))
                yield edit
            for told in list(self.listeners):
                told()
            if self.waiting.is_set():
                self.waiting.clear()
            if edit.marks:
                self.before_publishing(edit.marks)
                enter("publish")
                self._publish_all(edit.marks)
            if self._published or stuck:
                self.waiting.set()
            enter("done")
        if then is not None:
            then()

    def _is_in_order(self, transaction: Transaction) -> bool:
        """Tell whether no marks stand but a few of our own, whose files we have put in their places.

        Since our last change others can only have dropped marks and added newer ones.
        """
        ours = self._published
        as_we_left_it = transaction.standing == (len(ours), next(reversed(ours), None))
        return self._private or (len(ours) < STANDING and as_we_left_it)

    def _standing(self) -> list[Mark]:
        """Give all marks that stand, and forget those of ours that somebody else has finished."""
        marks = [] if self._private else self._catalog.marks()
        self._published = {mark.id: mark for mark in marks if mark.id in self._published}
        return marks

    @contextmanager
    def begin_quietly(self) -> Iterator[Transaction]:
        """Write rows that are no change of anything that people see."""
        with self._lock, self._catalog.transaction() as transaction:
            yield transaction

    def settle(self, actor: Actor) -> None:
        """Finish what is unfinished, without a change of one's own."""
        if not self._private and self._catalog.marks():
            with self.begin(actor, settled=True):
                pass

    def try_settle(self, actor: Actor) -> bool:
        """Finish what is unfinished unless a living writer is at it; tell whether nothing is unfinished."""
        if not self._catalog.marks():
            return True
        if not self._lock.is_free():
            return False
        self.settle(actor)
        return True

    def sweep(self) -> None:
        """Remove what dead writers left in the staging."""
        with self._lock:
            wanted = {t for m in self._catalog.marks() for t in (m.staged, m.out_token) if t}
            for folder in {f.staging: f for f in (self._images, self._labels)}.values():
                folder.sweep(wanted)

    def renew(self) -> None:
        """Forget what a parent process had under way."""
        self._lock.renew()
        self._published.clear()
        self.listeners.clear()

    # -- publishing ----------------------------------------------------------------------------------------------------

    def is_published(self, mark: int) -> bool:
        """Tell whether we have put the files of a change in their places ourselves."""
        return mark in self._published

    def _publish_all(self, marks: list[Mark]) -> None:
        for mark in marks:
            try:
                if self._publish(mark, again=False):
                    self._published[mark.id] = mark
                else:
                    self.waiting.set()
            except (OSError, InvalidInputException) as error:  # acknowledged it is: whoever comes next tries again
                self.waiting.set()
                logger.warning("%r is saved but not in its place yet: %s", mark.name, error)

    def _publish(self, mark: Mark, *, again: bool) -> bool:
        """Put a change's files in their places; `again` where somebody may have begun to.

        Tells whether nothing came out but what the mark names.
        """
        folder, came_out = self.folder(mark.tag), False
        if mark.staged and mark.name:
            came_out = folder.put(mark.staged, mark.inode, mark.sha256, mark.name, again=again)
        elif mark.staged:
            folder.set_aside(mark.staged)
        if mark.out_name and mark.out_token and mark.out_token != mark.staged:
            folder.withdraw(mark.out_name, mark.out_token, again=again)
        return mark.out_token == mark.staged or not came_out

    def _finish(self, marks: list[Mark]) -> tuple[list[tuple[Mark, list[Came]]], dict[int, Exception]]:
        """Publish marks and make that durable; give what came out, and the items that are stuck."""
        done: list[tuple[Mark, list[Came]]] = []
        stuck: dict[int, Exception] = {}
        for mark in marks:
            try:
                again = self._published.pop(mark.id, None) is None  # from here on it is not as we left it
                if again:
                    self._publish(mark, again=True)
                # Somebody who died at it may have moved what came out already, and not come to record it.
                done.append((mark, self._keep(mark, again=again or mark.out_token is not None)))
            except (OSError, InvalidInputException) as error:  # the latter: a mark that we never made
                stuck[mark.item] = error
        self._sync(done)
        return done, stuck

    def _keep(self, mark: Mark, *, again: bool) -> list[Came]:
        """Move what came out into the history."""
        tokens = dict.fromkeys(t for t in (mark.staged, mark.out_token) if t)
        return [came for token in tokens if (came := self.folder(mark.tag).keep(token, again=again))]

    def _sync(self, done: list[tuple[Mark, list[Came]]]) -> None:
        names = {
            (m.tag, self.folder(m.tag).folder_of(name)): name
            for m, _ in done for name in (m.name, m.out_name) if name
        }  # fmt: skip
        for (tag, _), name in names.items():
            self.folder(tag).sync(name)
        for tag, token in {(m.tag, c.token[:2]): (m.tag, c.token) for m, came in done for c in came}.values():
            self.folder(tag).sync_kept(token)


def _settle(transaction: Transaction, done: list[tuple[Mark, list[Came]]]) -> None:
    """Record where that which came out is kept, as what it really was, and drop the marks."""
    for mark, came in done:
        expected = False
        for found in came:
            version = transaction.version(mark.item, mark.out_version) if mark.out_version else None
            ours = version is not None and found.token == mark.out_token
            if version is not None and ours and version[2] in (None, found.sha256):
                transaction.keep_version(mark.item, version[0], found.token, found.sha256, found.size)
                expected = True
            elif found.sha256 is not None:
                ext = version[1] if version is not None and ours else ""
                transaction.add_foreign_version(mark.item, ext, found.sha256, found.size or 0, found.token)
        if mark.out_version and not expected:
            transaction.keep_version(mark.item, mark.out_version, "")
        transaction.drop_mark(mark)
