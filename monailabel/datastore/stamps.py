"""Follows the folders' time stamps through changes of our own, so that no folder is read again because of them.

A scan passes over a folder whose time stamp is the one it last saw, and each file that we show ourselves moves it. The
stamp after a change of ours is as good as the one before if nothing else happened in the folder in between, which a
look before and one after could not tell: a file that another program brought between the two would never be found.
So the folders are watched by the kernel from a moment at which their stamps are the known ones, and what it tells is
accounted for, name by name, before a newer stamp is noted.
"""

import os
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from monailabel import naming
from monailabel.catalog.sqlite import SqliteCatalog
from monailabel.datastore.change import Changes
from monailabel.datastore.entries import Stamp, path_by_key, stamp_of
from monailabel.datastore.scan import Scan
from monailabel.files import disk
from monailabel.files.news import News
from monailabel.interfaces.exception import DamagedDatastoreException, InvalidInputException
from monailabel.models import IMAGE, Mark

LARGE = 5_000  # files; with fewer, reading a folder costs less than a careful look at what happened in it
# Where there is no watch to be had, folders are read again; a change of ours must not fail because of that.
_HARMLESS = (OSError, DamagedDatastoreException, InvalidInputException)
_MOST_NAMES = 10_000  # that are looked at one by one
_WAIT_NS = 100_000_000  # for a stamp to come of age when the datastore closes


class Stamps:
    """Watches the folders while changes of ours are under way, and notes their time stamps when they are done."""

    def __init__(self, catalog: SqliteCatalog, changes: Changes, scan: Scan, own_names: frozenset[str]) -> None:
        self._catalog = catalog
        self._changes = changes
        self._scan = scan
        self._own_names = own_names  # files of ours beside the images
        self._news: News | None = None
        self.renew()

    def renew(self) -> None:
        """Forget what a parent process watched."""
        if self._news is not None:
            self._news.close()
        self._news = None
        self._state = threading.Lock()  # taken by who holds the writer's lock; never the other way round
        self._settling = threading.Lock()
        self._watched: dict[str, str] = {}  # paths of the folders whose stamps can be followed, by their keys
        self._unwatched: dict[str, Stamp] = {}  # sub-folders and their stamps, watched once we change something in them
        self._shown: dict[str, int | None] = {}  # what we showed: path and inode, None for what we took away
        self._doings = 0
        self._under_way = 0

    @property
    def is_watching(self) -> bool:
        """Tell whether stamps are followed at this moment."""
        return bool(self._watched)

    def begin(self, marks: Iterable[Mark] = ()) -> None:
        """Watch the folders before something of ours changes them: these marks' files, or the document."""
        with self._state, suppress(*_HARMLESS):
            if not self._doings:
                self._watch()
            self._doings += 1
            if self._watched or self._unwatched:
                for mark in marks:
                    self._note(mark)

    @contextmanager
    def doing(self) -> Iterator[None]:
        """Watch the folders while something of ours is under way that takes its time, such as writing the document."""
        with self._state:
            self._under_way += 1
        try:
            self.begin()
            yield
        finally:
            with self._state:
                self._under_way -= 1

    def _note(self, mark: Mark) -> None:
        folder = self._changes.folder(mark.tag)
        if mark.out_name:
            self._shown[folder.path(mark.out_name)] = None
        if mark.staged and mark.name:
            self._shown[folder.path(mark.name)] = mark.inode
        for name in filter(None, (mark.name, mark.out_name)) if self._unwatched else ():
            self._attend(folder.folder_of(name), "labels" if mark.tag else "images")

    def _attend(self, place: str, top: str) -> None:
        """Watch a sub-folder in which something is about to change, or the one in which it will be made."""
        while place and f"{top}/{place}" not in self._watched:
            if stamp := self._unwatched.pop(f"{top}/{place}", None):
                self._watch_folder(f"{top}/{place}", stamp)
                return
            place = place.rpartition("/")[0]

    def _watch(self) -> None:
        """Watch each folder whose time stamp is known and still the same."""
        if sum(self._catalog.tallies().values()) < LARGE:
            return
        self._news = News()
        for key, stamp in self._catalog.folders().items():
            if key.count("/") > key.startswith("labels"):  # there may be more of them than can be watched
                self._unwatched[key] = stamp
            else:
                self._watch_folder(key, stamp)

    def _watch_folder(self, key: str, stamp: Stamp) -> None:
        path = self._path(key)
        with suppress(OSError):  # the folder is gone
            assert self._news is not None
            self._news.watch(path)
            if stamp_of(path) == stamp:  # what happens from here on is told
                self._watched[key] = path

    def _path(self, key: str) -> str:
        return path_by_key(key, self._changes.folder(IMAGE), self._changes.folder("label"))

    def settle(self, *, last: bool = False) -> dict[str, Stamp]:
        """Account for what happened in the folders; give the stamps as of which all in them is known.

        Stamps that are old enough to tell every later change are noted in the catalog, and the watch ends if nothing of
        ours is under way. `last`: wait for that, if it is a matter of milliseconds.
        """
        with self._settling:
            with self._state:
                doings, news = self._doings, self._news
                stamps = {key: stamp for key, path in self._watched.items() if (stamp := stamp_of(path))}
                if last:
                    self._wait(stamps)
                now = time.time_ns()  # what is told comes after the stamp: by far less than a step of the disk's clock
                told = news.read() if news is not None else None
                shown, self._shown = self._shown, {}
            self._account(told, shown)
            stamps = {key: stamp for key, stamp in stamps.items() if key in self._watched}
            old = {k: s for k, s in stamps.items() if now - s[0] >= disk.clock_step_ns(self._watched[k])}
            self._record(old)
            self._end(doings if last or len(old) == len(stamps) else None)
            return stamps

    def _account(self, told: set[str] | None, shown: dict[str, int | None]) -> None:
        """Take in what others did, and give up the folders of which not all could be judged."""
        unknown = None if told is None else {path for path in told if not self._is_known(path, shown)}
        if unknown is None or len(unknown) > _MOST_NAMES:
            self._watched.clear()
            return
        again = self._scan.look_at(unknown) if unknown else set()
        labels, deep = self._path("labels"), self._changes.folder(IMAGE).layout is not None
        new = {p for p in unknown if os.path.dirname(p) == labels or (deep and self._scan.wants_reading(p))}
        for folder in {os.path.dirname(path) for path in again | new}:
            for key in [key for key, path in self._watched.items() if path == folder]:
                del self._watched[key]

    def _is_known(self, path: str, shown: dict[str, int | None]) -> bool:
        """Tell whether an entry is as we left it, or none that counts."""
        folder, name = os.path.split(path)
        if naming.is_hidden(name) or (name in self._own_names and folder == self._changes.folder(IMAGE).root):
            return True
        if path not in shown:
            return False
        try:
            return os.lstat(path).st_ino == shown[path]
        except FileNotFoundError:
            return shown[path] is None

    def _wait(self, stamps: dict[str, Stamp]) -> None:
        """Wait until the stamps are old enough, where that takes no time to speak of."""
        ages = [disk.clock_step_ns(self._watched[key]) - (time.time_ns() - stamp[0]) for key, stamp in stamps.items()]
        if ages and 0 < max(ages) <= _WAIT_NS:
            time.sleep(max(ages) / 1e9)

    def _record(self, stamps: dict[str, Stamp]) -> None:
        known = self._catalog.folders() if stamps else {}
        news = {key: stamp for key, stamp in stamps.items() if known.get(key) != stamp}
        if news:
            with self._changes.begin_quietly() as transaction:
                for key, stamp in news.items():
                    transaction.put_folder(key, *stamp)

    def _end(self, doings: int | None) -> None:
        """Stop watching, unless something of ours began meanwhile or some stamp is too young yet (None)."""
        with self._state:
            if (doings != self._doings or self._under_way) and self._watched:
                return
            news, self._news = self._news, None
            self._watched.clear()
            self._unwatched.clear()
            self._shown.clear()
            self._doings = 0
        if news is not None:
            news.close()
