"""Taking in what other programs did to the folder: one pass over directory entries, none where nothing changed."""

import os
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from typing import TypeVar

from monailabel import naming
from monailabel.catalog.sqlite import SqliteCatalog
from monailabel.datastore.actor import UNKNOWN
from monailabel.datastore.change import Changes
from monailabel.datastore.edit import Edit
from monailabel.files import disk
from monailabel.files.looks import Look, complete, look
from monailabel.interfaces.exception import InvalidInputException
from monailabel.models import IMAGE, Item, State

BATCH = 5_000  # files to a transaction, so that other writers get their turn

T = TypeVar("T")

_FEW = 50  # files whose images are asked for one by one

Progress = Callable[[str, int, int | None], None]


@dataclass(slots=True)
class _File:
    """A file that is new in its folder, or other than the catalog knows it."""

    name: str
    image_id: str
    ext: str
    seen: Look
    taken: bool = False


@dataclass(slots=True)
class _Reading:
    """What one folder (the images', or a tag's) holds against what the catalog knows of it."""

    tag: str
    path: str
    stamp: tuple[int, int] | None  # time stamp and inode, where they can be trusted
    gone: list[str] = field(default_factory=list)  # image ids
    came: list[_File] = field(default_factory=list)
    problems: dict[str, tuple[str, bool]] = field(default_factory=dict)
    judged: set[str] = field(default_factory=set)  # image ids whose newest event is this scan's own
    touched: set[str] | None = None  # of a look at single files: those that are news though their entries are the same
    unfinished: bool = False  # something in it could not be judged yet: it is to be read again

    @property
    def key(self) -> str:
        """The folder's name in the catalog."""
        return f"labels/{self.tag}" if self.tag else "images"


class Scan:
    """Compares folders with the catalog."""

    def __init__(
        self,
        catalog: SqliteCatalog,
        changes: Changes,
        extensions: naming.Extensions,
        to_id: Callable[[str], tuple[str, str]],
        own_names: frozenset[str],
        progress: Progress | None,
    ) -> None:
        self._catalog = catalog
        self._changes = changes
        self._extensions = extensions
        self._to_id = to_id
        self._own_names = own_names  # files of ours beside the images
        self._progress = progress

    def run(self) -> bool:
        """Read the folders that changed and take in what is new; tell whether something could not be judged yet."""
        since = self._catalog.last_event()
        stamps = self._catalog.folders()
        unfinished = False
        images = self._read(IMAGE, stamps)
        if images is not None:
            unfinished = self._take_in(images, since)
            stamps = self._catalog.folders() if images.came else stamps  # labels may have waited for them
        for tag in self._tags(stamps):
            labels = self._read(tag, stamps)
            if labels is not None:
                unfinished = self._take_in(labels, since) or unfinished
        return unfinished

    def look_at(self, paths: set[str]) -> set[str]:
        """Take in what happened to single files, bytes changed in place too, without reading their folders.

        Gives the paths that could not be judged yet, because somebody still writes them or a change is under way.
        """
        again: set[str] = set()
        since = self._catalog.last_event()
        for tag, names in self._by_folder(paths):
            items = self._items(tag, names)
            path = self._path(tag)
            shown = [n for n in {*names, *items} if self._is_listed(n, tag)]
            seen = {n: facts for n in shown if (facts := look(f"{path}/{n}"))}
            news = {n for n in names if n not in items or not _is_as_known(items[n], seen.get(n))}
            reading = _Reading(tag, path, None, touched=news)
            present = {n: (i.image_id, i.inode) for n, i in items.items() if i.state is State.PRESENT}
            absent = {n: i.image_id for n, i in items.items() if i.state is State.MISSING}
            self._compare(reading, {n: facts.inode or 0 for n, facts in seen.items()}, present, absent.copy)
            if self._take_in(reading, since):
                again.update(os.path.join(reading.path, name) for name in names)
            if reading.problems or (reading.came and not tag and self._catalog.problems()):
                self.run()  # what cannot be taken in is noted by reading the folder, and images may end a problem
        return again

    def _by_folder(self, paths: set[str]) -> list[tuple[str, list[str]]]:
        """Sort paths by the folders that hold them, the images' first: '' for theirs, else the tag."""
        images, labels = self._changes.folder(IMAGE).root, self._changes.folder("label").root
        found: dict[str, list[str]] = {}
        for path in sorted(paths):
            folder, name = os.path.split(path)
            if folder == images:
                found.setdefault(IMAGE, []).append(name)
            elif os.path.dirname(folder) == labels:
                found.setdefault(os.path.basename(folder), []).append(name)
        return sorted(found.items())

    def _items(self, tag: str, names: list[str]) -> dict[str, Item]:
        """Give what the catalog knows of the images or labels that these files may be, by visible name."""
        owner = self._owner(len(names)) if tag else lambda name: self._to_id(name)[0]
        items = [self._catalog.item(i, tag) for i in {owner(n) or "" for n in names if _is_text(n)}]
        return {i.image_id + i.ext: i for i in items if i is not None}

    def _is_listed(self, name: str, tag: str) -> bool:
        return not naming.is_hidden(name) and _is_text(name) and (bool(tag) or name not in self._own_names)

    # -- reading -------------------------------------------------------------------------------------------------------

    def _tags(self, stamps: dict[str, tuple[int, int]]) -> list[str]:
        """Give the tags to look at: known ones, and folders that appeared."""
        known = self._catalog.tags()
        root = self._changes.folder("label").root
        stamp = _stamp(root)
        if stamp is not None and stamps.get("labels") == stamp:
            return list(dict.fromkeys([*known, *(k[7:] for k in stamps if k.startswith("labels/"))]))
        found = []
        trusted = _trusted(root, stamp)
        with suppress(FileNotFoundError, PermissionError), os.scandir(root) as entries:
            for entry in entries:
                with suppress(InvalidInputException):
                    if entry.is_dir():
                        found.append(naming.tag(entry.name))
        if trusted:
            with self._changes.begin(UNKNOWN) as edit:
                edit.rows.put_folder("labels", *trusted)
        return list(dict.fromkeys([*known, *sorted(found)]))

    def _read(self, tag: str, stamps: dict[str, tuple[int, int]]) -> _Reading | None:
        """Compare a folder's entries with the catalog; None if the folder did not change."""
        path = self._path(tag)
        stamp = _stamp(path)
        reading = _Reading(tag, path, _trusted(path, stamp))
        if stamp is not None and stamps.get(reading.key) == stamp:
            return None
        try:
            entries = self._entries(reading)
        except PermissionError as error:
            reading.problems["."] = (f"the folder cannot be read ({error.strerror})".lower(), False)
            reading.unfinished = True
            return reading
        self._compare(reading, entries, self._catalog.files(tag), partial(self._catalog.absent, tag))
        return reading

    def _path(self, tag: str) -> str:
        root = self._changes.folder(tag).root
        return os.path.join(root, tag) if tag else root

    def _entries(self, reading: _Reading) -> dict[str, int]:
        """Give name and inode of every file that is not hidden; no file is looked at."""
        found: dict[str, int] = {}
        with suppress(FileNotFoundError, NotADirectoryError), os.scandir(reading.path) as entries:
            for entry in entries:
                name = entry.name
                if naming.is_hidden(name) or (name in self._own_names and not reading.tag):
                    continue
                if not _is_text(name):
                    shown = name.encode(errors="backslashreplace").decode()
                    reading.problems[shown] = ("its name is not UTF-8; rename the file", False)
                elif entry.is_file():
                    found[name] = entry.inode()
        return found

    def _compare(
        self,
        reading: _Reading,
        entries: dict[str, int],
        present: dict[str, tuple[str, int | None]],
        absent: Callable[[], dict[str, str]],
    ) -> None:
        """Find what is gone and what is new beside what the catalog knows to be `present` and `absent`."""
        reading.gone = [image_id for name, (image_id, _) in present.items() if name not in entries]
        touched, unknown = reading.touched or (), (None, None)
        new = [n for n, inode in entries.items() if n in touched or present.get(n, unknown)[1] != inode]
        if not new:
            return
        taken = {image_id for name, (image_id, _) in present.items() if name in entries}
        missing = absent()
        owner = self._owner(len(new)) if reading.tag else None
        new.sort(key=lambda name: (self._extensions.rank(name), name))
        for done, name in enumerate(new):
            self._tell(f"reading {reading.key}", done, len(new))
            if name in present:
                self._note(reading, name, present[name][0])
            else:
                self._consider(reading, name, missing.get(name), owner, taken)
        whole = complete({f"{reading.path}/{file.name}": file.seen for file in reading.came})
        reading.unfinished = len(whole) < len(reading.came)  # somebody still writes the others
        reading.came = [file for file in reading.came if f"{reading.path}/{file.name}" in whole]

    def _consider(
        self,
        reading: _Reading,
        name: str,
        image_id: str | None,
        owner: Callable[[str], str | None] | None,
        taken: set[str],
    ) -> None:
        """Decide about a file that is new in its folder; `image_id` is whose it was before it went missing."""
        if image_id is None:
            if not self._extensions.take(name):
                return
            image_id = (owner(name) or "") if owner else self._to_id(name)[0]
            if owner and not image_id:
                reading.problems[name] = ("no image has the id that it begins with", True)
                return
            if not self._is_safe(reading, name, image_id):
                return
        if image_id in taken:
            reading.problems[name] = (f"another file has the id {image_id!r} already; rename one of the two", False)
        elif self._note(reading, name, image_id):
            taken.add(image_id)

    def _note(self, reading: _Reading, name: str, image_id: str) -> bool:
        """Note a file that may have to be taken in; tell whether it is there and regular."""
        seen = look(f"{reading.path}/{name}")
        if seen is not None:
            reading.came.append(_File(name, image_id, name[len(image_id) :], seen))
        return seen is not None

    def _is_safe(self, reading: _Reading, name: str, image_id: str) -> bool:
        try:
            naming.image_id(image_id)
        except InvalidInputException as error:
            reading.problems[ascii(name)[1:-1]] = (str(error), False)
            return False
        return True

    def _owner(self, files: int) -> Callable[[str], str | None]:
        """Give the function that finds the longest image id that a label's file name begins with."""
        ids = self._catalog.known_ids() if files > _FEW else None

        def is_image(candidate: str) -> bool:
            if ids is not None:
                return candidate in ids
            item = self._catalog.item(candidate, IMAGE)
            return item is not None and item.state is not State.REMOVED

        def owner(name: str) -> str | None:
            candidates = {name[:n] for n, letter in enumerate(name) if not letter.isalnum()} | {self._to_id(name)[0]}
            return max((c for c in candidates if is_image(c)), key=len, default=None)

        return owner

    # -- taking in -----------------------------------------------------------------------------------------------------

    def _take_in(self, reading: _Reading, since: int) -> bool:
        """Write a reading into the catalog, judging again in the transaction; tell whether something could not be."""
        for gone in _batches(reading.gone):
            with self._changes.begin(UNKNOWN) as edit:
                judged = [self._gone(image_id, edit, reading, since) for image_id in gone]
                reading.unfinished |= not all(judged)
        done = 0
        for came in _batches(reading.came):
            with self._changes.begin(UNKNOWN) as edit:
                judged = self._came_new(came, edit, reading)
                judged += [self._came(file, edit, reading, since) for file in came if not file.taken]
                reading.unfinished |= not all(judged)
            done += len(came)
            self._tell(f"taking in {reading.key}", done, len(reading.came))
        if reading.touched is None:
            self._record(reading)
        return reading.unfinished

    def _record(self, reading: _Reading) -> None:
        """Note problems, and the time stamp if the folder need not be read again while it stays as it is."""
        found = {f"{reading.key}/{name}": what for name, what in reading.problems.items()}
        known = {p: what for p, what in self._catalog.problems().items() if p.rpartition("/")[0] == reading.key}
        stamp = None if reading.unfinished else reading.stamp
        if stamp is None and known == {p: what for p, (what, _) in found.items()}:
            return
        with self._changes.begin(UNKNOWN) as edit:
            edit.rows.replace_problems(reading.key, found)
            if stamp is not None:
                edit.rows.put_folder(reading.key, *stamp)

    def _gone(self, image_id: str, edit: Edit, reading: _Reading, since: int) -> bool:
        """Note that a file is gone; tell whether that could be judged."""
        item = edit.rows.item(image_id, reading.tag)
        if item is None or item.mark is not None or item.seq > since:
            return False
        reading.judged.add(image_id)
        if item.state is State.PRESENT and look(os.path.join(reading.path, item.image_id + item.ext)) is None:
            edit.miss(item)
        return True

    def _came_new(self, files: list[_File], edit: Edit, reading: _Reading) -> list[bool]:
        """Take in those files that the catalog has no row for, all at once; tell of each whether it could be judged."""
        known = edit.rows.known(reading.tag, [file.image_id for file in files])
        new = [file for file in files if file.image_id not in known]
        for file in new:
            file.taken = True
        there = [file for file in new if look(f"{reading.path}/{file.name}") == file.seen]
        now = int(time.time())
        edit.find_new(reading.tag, [(f.image_id, f.ext, f.seen, {"ts": now, "name": f.name}) for f in there])
        return [len(there) == len(new)]

    def _came(self, file: _File, edit: Edit, reading: _Reading, since: int) -> bool:
        """Take in a file; tell whether that could be judged."""
        name, image_id, ext, seen = file.name, file.image_id, file.ext, file.seen
        item = edit.rows.item(image_id, reading.tag)
        if item is not None and (item.mark is not None or (item.seq > since and image_id not in reading.judged)):
            return False
        if item is not None and item.state is State.PRESENT and item.ext != ext:
            return False  # another file of that id came meanwhile
        if look(os.path.join(reading.path, name)) != seen:
            return False
        waited = item.info if item is not None and item.state is not State.REMOVED else None
        info = waited or {"ts": int(time.time())}  # what waited for the file is there again
        edit.find(item, image_id, reading.tag, ext, seen, {**info, "name": name})
        return True

    def _tell(self, what: str, done: int, total: int) -> None:
        if self._progress is not None and (done % 1_000 == 0 or done == total):
            self._progress(what, done, total)


def _batches(files: list[T]) -> Iterator[list[T]]:
    for begin in range(0, len(files), BATCH):
        yield files[begin : begin + BATCH]


def _stamp(path: str) -> tuple[int, int] | None:
    try:
        facts = os.stat(path)
    except (FileNotFoundError, PermissionError):
        return None
    return facts.st_mtime_ns, facts.st_ino


def _trusted(path: str, stamp: tuple[int, int] | None) -> tuple[int, int] | None:
    """Give a folder's time stamp if it is old enough to tell every change that came after it."""
    if stamp is None or time.time_ns() - stamp[0] < disk.clock_step_ns(path):
        return None
    return stamp


def _is_as_known(item: Item, seen: Look | None) -> bool:
    """Tell whether a file is just as the catalog says, as after a change of our own."""
    known = Look(item.size, item.mtime_ns, item.inode, item.link)
    return item.state is State.PRESENT and seen == known


def _is_text(name: str) -> bool:
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
