"""Taking in what other programs did to the folder: one pass over directory entries, none where nothing changed."""

import os
import re
import sys
import time
from collections.abc import Callable, Container, Iterable, Iterator, Mapping
from contextlib import suppress
from types import MappingProxyType
from typing import NamedTuple, TypeVar

from monailabel import naming
from monailabel.catalog.finding import Found
from monailabel.catalog.sqlite import SqliteCatalog
from monailabel.datastore.actor import UNKNOWN
from monailabel.datastore.change import Changes
from monailabel.datastore.compare import compare, compare_files
from monailabel.datastore.edit import Edit
from monailabel.datastore.entries import (
    Reading,
    Stamp,
    is_text,
    leads_nowhere,
    left_below,
    path_by_key,
    stamp_of,
    trusted,
)
from monailabel.datastore.progress import Progress
from monailabel.files import disk
from monailabel.files.folder import digest
from monailabel.files.looks import Look
from monailabel.interfaces.exception import InvalidInputException
from monailabel.models import IMAGE, Item, State

BATCH = 5_000  # files to a transaction, so that other writers get their turn
_ENDS = re.compile(r"[\W_]")  # where an id may end in a label's file name: all but letters and digits
_LEADS_NOWHERE = "it is a link that leads to no file; bring back what it leads to, or remove the link"
_UNKNOWN_STAMP = (0, 0)  # of a folder that is to be looked at again, whatever its stamp is

T = TypeVar("T")

_Images = dict[str, tuple[bool, int]]  # by id: whether each is listed, and its version


class _File(NamedTuple):
    """A file that is new in its folder, or other than the catalog knows it."""

    name: str
    image_id: str
    ext: str  # what follows the id
    seen: Look | None  # None: somebody still writes it


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
        self._told: tuple[object, list[str]] = (None, [])  # what `folders` gave, and as of which commit

    def run(self, certain: Mapping[str, Stamp] = MappingProxyType({})) -> bool:
        """Read the folders that changed and take in what is new; tell whether something could not be judged yet.

        `certain` are time stamps as of which folders are known, beside those that the catalog has.
        """
        since = self._catalog.last_event()
        stamps = {**self._catalog.folders(), **certain}
        unfinished = False
        images = self._read(IMAGE, stamps)
        if images is not None:
            unfinished = self._take_in(images, since)
            if images.difference.new:  # labels may have waited for them
                stamps = self._catalog.folders()
        for tag in self._tags(stamps):
            labels = self._read(tag, stamps)
            if labels is not None:
                unfinished = self._take_in(labels, since) or unfinished
        return unfinished

    def survey(self) -> list[Reading]:
        """Read the folders that changed, and take in nothing yet."""
        stamps = self._catalog.folders()
        readings = (self._read(tag, stamps) for tag in [IMAGE, *self._tags(stamps)])
        return [reading for reading in readings if reading is not None]

    def take_in(self, readings: list[Reading]) -> None:
        """Take in what a survey found in folders of which nothing was known."""
        for reading in readings:
            self._take_in(reading, since=0)

    def sorted_out(self, reading: Reading, images: Container[str] = ()) -> dict[str, str]:
        """Give image id and extension of the new files that would be taken in if names were all that counts."""
        found: dict[str, str] = {}
        for name in self._candidates(reading):
            image_id = self._begins_with(name, images) if reading.tag else self._to_id(name)[0]
            if image_id is None or image_id in found:
                continue
            if reading.tag or self._is_safe(reading, name, image_id):
                found[image_id] = sys.intern(name[len(image_id) :])  # of a million files, few are different
        return found

    def look_at(self, paths: set[str]) -> set[str]:
        """Take in what happened to single files, bytes changed in place too, without reading their folders.

        Gives the paths that could not be judged yet, because somebody still writes them or a change is under way.
        """
        again: set[str] = set()
        since = self._catalog.last_event()
        for tag, names in self._by_folder(paths):
            items = self._items(tag, names)
            shown = [n for n in {*names, *items} if self._is_listed(n, tag)]
            seen = {n: facts for n in shown if (facts := self._look(tag, n))}
            reading = self._reading(tag, single=True)
            reading.difference = compare_files(names, items, seen)
            if self._take_in(reading, since):
                again.update(os.path.join(reading.path, reading.place(name)) for name in names)
            if reading.problems or (reading.difference.new and not tag and self._catalog.problems()):
                self.run()  # what cannot be taken in is noted by reading the folder, and images may end a problem
        return again

    def _by_folder(self, paths: set[str]) -> list[tuple[str, list[str]]]:
        """Sort the names of files by the folders that hold them, the images' first: '' for theirs, else the tag."""
        found: dict[str, list[str]] = {}
        for path in sorted(paths):
            if (name := self._name_in("label", path)) and name.count("/") == 1:
                tag, _, name = name.partition("/")
                found.setdefault(tag, []).append(name)
            elif (name := self._name_in(IMAGE, path)) and "/" not in name:
                found.setdefault(IMAGE, []).append(name)
        return sorted(found.items())

    def wants_reading(self, path: str) -> bool:
        """Tell whether what came or went at a path is told only by reading its folder."""
        if os.path.isdir(path) or leads_nowhere(path):
            return True
        for tag in ("label", IMAGE):
            folder = self._changes.folder(tag)
            if _place_in(folder.root, path) is not None:
                return folder.layout is not None and self._name_in(tag, path) is None
        return False

    def _name_in(self, tag: str, path: str) -> str | None:
        """Give the name of a file in the folder of the images or of the labels, None for one that lies elsewhere."""
        folder = self._changes.folder(tag)
        place = _place_in(folder.root, path)
        if place is None or any(_place_in(other, path) is not None for other in folder.others):
            return None
        return folder.name_of(place)

    def _items(self, tag: str, names: list[str]) -> dict[str, Item]:
        """Give what the catalog knows of the images or labels that these files may be, by visible name."""
        texts = [name for name in names if is_text(name)]
        ids = {id for name in texts for id in (self._starts(name) if tag else [self._to_id(name)[0]])}
        items = [self._catalog.item(id, tag) for id in ids]
        return {i.image_id + i.ext: i for i in items if i is not None}

    def _is_listed(self, name: str, tag: str) -> bool:
        return not naming.is_hidden(name) and is_text(name) and (bool(tag) or name not in self._own_names)

    def _reading(self, tag: str, *, single: bool = False) -> Reading:
        own = frozenset() if tag else self._own_names
        return Reading(tag, self._changes.folder(tag), self._extensions, own, single)

    # -- reading -------------------------------------------------------------------------------------------------------

    def _tags(self, stamps: Mapping[str, Stamp]) -> list[str]:
        """Give the tags to look at: known ones, and folders that appeared."""
        known = self._catalog.tags()
        root = self._changes.folder("label").root
        stamp = stamp_of(root)
        if stamp is not None and stamps.get("labels") == stamp:
            return list(dict.fromkeys([*known, *(k.split("/")[1] for k in stamps if k.startswith("labels/"))]))
        found = []
        known_as_of = trusted(root, stamp)
        with suppress(FileNotFoundError, NotADirectoryError, PermissionError), os.scandir(root) as entries:
            for entry in entries:
                with suppress(InvalidInputException, OSError):  # the latter: links in a circle
                    if entry.is_dir():
                        found.append(naming.tag(entry.name))
        if known_as_of:
            with self._changes.begin(UNKNOWN) as edit:
                edit.rows.put_folder("labels", *known_as_of)
                for key in {f"labels/{tag}" for tag in found} - stamps.keys():
                    edit.rows.put_folder(key, *_UNKNOWN_STAMP)  # or it would not be looked at again
        return list(dict.fromkeys([*known, *sorted(found)]))

    def _read(self, tag: str, stamps: Mapping[str, Stamp]) -> Reading | None:
        """Compare a folder's entries with the catalog; None if the folder did not change."""
        reading = self._reading(tag)
        if reading.is_as_before(stamps):
            return None
        try:
            reading.difference = compare(self._catalog, tag, reading.entries())
        except PermissionError as error:
            reading.note(".", f"the folder cannot be read ({error.strerror})".lower())
            reading.unfinished = True
        return reading

    def _look(self, tag: str, name: str) -> Look | None:
        return self._changes.folder(tag).look(os.path.join(tag, name))

    def _path(self, tag: str, name: str) -> str:
        return self._changes.folder(tag).path(os.path.join(tag, name))

    def folders(self) -> list[str]:
        """Give the paths of all folders that files lie in, where they lie in sub-folders, as of the last reading.

        The list is the same one while nothing was committed.
        """
        images, labels = self._changes.folder(IMAGE), self._changes.folder("label")
        if images.layout is None:
            return []
        stamp = self._catalog.stamp()  # before the question: what is committed meanwhile counts as unseen
        if self._told[0] != stamp:
            self._told = stamp, [path_by_key(key, images, labels) for key in self._catalog.folders()]
        return self._told[1]

    def left_out(self) -> str | None:
        """Give one file's place in the sub-folders of the images, where those are not taken in and could be."""
        images = self._reading(IMAGE)
        return left_below(images) if images.folder.layout is None else None

    # -- deciding ------------------------------------------------------------------------------------------------------

    def _candidates(self, reading: Reading) -> list[str]:
        """Give the names of the files to take in, in the order in which the first of two for one id stays."""
        ranked: list[list[str]] = [[] for _ in range(len(self._extensions.patterns) + 1)]
        for name in sorted(reading.difference.new):
            ranked[reading.rank(name)].append(name)
        known = [name for name in ranked.pop() if name in reading.difference.known]  # by a program with other patterns
        return [name for names in (*ranked, known) for name in names]

    def _whose(
        self, looks: dict[str, Look | None], starts: dict[str, list[str]], images: _Images, reading: Reading
    ) -> Iterator[_File]:
        """Give those files that may be taken in, each with its image's id; of labels, `images` has all `starts`."""
        known = reading.difference.known
        for name, seen in looks.items():
            image_id = known.get(name)
            if image_id is None and reading.tag:
                image_id = next((start for start in starts[name] if start in images), None)
                if image_id is None:
                    reading.problems[reading.place(name)] = ("no image has the id that it begins with", True)
                    continue
            elif image_id is None:
                image_id = self._to_id(name)[0]
            if name in known or self._is_safe(reading, name, image_id):
                yield _File(name, image_id, name[len(image_id) :], seen)

    def _starts(self, name: str) -> list[str]:
        """Give the image ids that a label's file may belong to, the longest first."""
        starts = [name[: end.start()] for end in _ENDS.finditer(name, 1)][::-1]
        usual = self._to_id(name)[0]
        return starts if usual in starts else sorted([*starts, usual], key=len, reverse=True)

    def _begins_with(self, name: str, images: Container[str]) -> str | None:
        """Give the longest id among those of `images` that a label's file may belong to."""
        return next((start for start in self._starts(name) if start in images), None)

    def _images_of(self, starts: Iterable[list[str]], edit: Edit) -> _Images:
        """Give which images labels that begin so may belong to: whether each is listed, and its version."""
        rows = edit.rows.known(IMAGE, list({start for of_one in starts for start in of_one}))
        return {id: (listed, version) for id, (_, state, listed, version) in rows.items() if state is not State.REMOVED}

    def _is_safe(self, reading: Reading, name: str, image_id: str) -> bool:
        try:
            naming.image_id(image_id)
        except InvalidInputException as error:
            reading.note(ascii(reading.place(name))[1:-1], str(error))
            return False
        return True

    # -- taking in -----------------------------------------------------------------------------------------------------

    def _take_in(self, reading: Reading, since: int) -> bool:
        """Write a reading into the catalog, judging again in the transaction; tell whether something could not be."""
        for gone in _batches(reading.difference.gone):
            with self._changes.begin(UNKNOWN) as edit:
                judged = [self._gone(image_id, edit, reading, since) for image_id in gone]
                reading.unfinished |= not all(judged)
        names, done = self._candidates(reading), 0
        for batch in _batches(names):
            looks = reading.looks(batch)  # before the lock is taken
            read = self._read_again(looks, reading)
            with self._changes.begin(UNKNOWN) as edit:
                judged = self._came(looks, read, edit, reading, since)
                reading.unfinished |= not all(judged)
            done += len(batch)
            self._tell(f"taking in {reading.key}", done, len(names))
        if not reading.single:
            self._record(reading)
        return reading.unfinished

    def _record(self, reading: Reading) -> None:
        """Note problems, and the time stamps of folders that need not be read again while they stay as they are."""
        known = self._items(reading.tag, reading.dangling)
        for name in reading.dangling:
            if name not in known or known[name].state is State.REMOVED:  # else it is missing, and told as that
                reading.note(reading.place(name), _LEADS_NOWHERE)
        found = {f"{reading.key}/{place}": what for place, what in reading.problems.items()}
        noted = {p: what for p, what in self._catalog.problems().items() if p.startswith(reading.key + "/")}
        stamps, dropped = self._news_of(reading)
        if not stamps and not dropped and noted == {p: what for p, (what, _) in found.items()}:
            return
        with self._changes.begin(UNKNOWN) as edit:
            edit.rows.replace_problems(reading.key, found)
            for key, stamp in stamps.items():
                edit.rows.put_folder(key, *stamp)
            for key in dropped:
                edit.rows.drop_folder(key)

    def _news_of(self, reading: Reading) -> tuple[dict[str, Stamp], list[str]]:
        """Give the stamps to note of the folders that were read, and those that are no more.

        A sub-folder that is new is noted in any case, or the next scan would not know that it is to be looked at.
        """
        before = {key: stamp for key, stamp in self._catalog.folders().items() if reading.holds(key)}
        stamps = {key: _UNKNOWN_STAMP for key in reading.stamps if key not in before and key != reading.key}
        if reading.unfinished:
            return stamps, []
        stamps |= {key: stamp for key, stamp in reading.stamps.items() if stamp and before.get(key) != stamp}
        return stamps, [key for key in before if key not in reading.stamps]

    def _gone(self, image_id: str, edit: Edit, reading: Reading, since: int) -> bool:
        """Note that a file is gone; tell whether that could be judged."""
        item = edit.rows.item(image_id, reading.tag)
        if item is None or item.mark is not None or item.seq > since:
            return False
        name = item.image_id + item.ext
        if not reading.was_read(name):
            return True  # it is as it was, for all that can be seen
        reading.judged.add(image_id)
        is_there = self._look(reading.tag, name) is not None and disk.twin(self._path(reading.tag, name)) is None
        if item.state is State.PRESENT and not is_there:
            edit.miss(item)
        return True

    def _read_again(self, looks: dict[str, Look | None], reading: Reading) -> dict[str, str]:
        """Give the checksums of files that may have the bytes they had, under another time: a copy of the folder."""
        alike = []
        for name in reading.difference.known.keys() & looks.keys():
            item, seen = self._catalog.item(reading.difference.known[name], reading.tag), looks[name]
            if item is None or item.sha256 is None or seen is None or item.mtime_ns == seen.mtime_ns:
                continue
            if (item.size, item.link) == (seen.size, seen.link):
                alike.append(name)
        read: dict[str, str] = {}
        for done, name in enumerate(alike, 1):
            with suppress(OSError):  # gone again, or not ours to read
                read[name] = digest(self._path(reading.tag, name))[0]
            self._tell(f"comparing {reading.key}", done, len(alike))
        return read

    def _came(
        self, looks: dict[str, Look | None], read: dict[str, str], edit: Edit, reading: Reading, since: int
    ) -> list[bool]:
        """Take in files; tell of each whether it could be judged. Those that have no row yet go in all at once."""
        starts = {name: self._starts(name) for name in looks} if reading.tag else {}
        images = self._images_of(starts.values(), edit) if reading.tag else {}
        files = list(self._whose(looks, starts, images, reading))
        rows = edit.rows.known(reading.tag, [file.image_id for file in files])
        gone, judged, new = set(reading.difference.gone), [], []
        taken = reading.claimed.copy()
        for file in files:
            ext, state, _, _ = rows.get(file.image_id, (file.ext, State.REMOVED, False, 0))
            other = state is State.PRESENT and ext != file.ext and file.image_id not in gone
            if other or file.image_id in taken:
                what = f"another file has the id {file.image_id!r} already; rename one of the two"
                reading.note(reading.place(file.name), what)
                continue
            taken.add(file.image_id)
            if file.seen is None:
                reading.claimed.add(file.image_id)
                judged.append(False)
            elif file.image_id in rows:
                judged.append(self._changed(file, file.seen, read.get(file.name), edit, reading, since))
            else:
                new.append(file)
        edit.rows.put_found(reading.tag, [_found(file, images) for file in new], UNKNOWN.name)
        return judged

    def _changed(self, file: _File, seen: Look, sha256: str | None, edit: Edit, reading: Reading, since: int) -> bool:
        """Take in a file that has a row; tell whether that could be judged."""
        name, image_id, ext = file.name, file.image_id, file.ext
        item = edit.rows.item(image_id, reading.tag)
        if item is not None and (item.mark is not None or (item.seq > since and image_id not in reading.judged)):
            return False
        if item is not None and item.state is State.PRESENT and item.ext != ext:
            return False  # another file of that id came meanwhile
        if self._look(reading.tag, name) != seen:
            return False
        waited = item.info if item is not None and item.state is not State.REMOVED else None
        info = waited or {"ts": int(time.time())}  # what waited for the file is there again
        edit.find(item, image_id, reading.tag, ext, seen, {**info, "name": name}, sha256=sha256)
        return True

    def _tell(self, what: str, done: int, total: int) -> None:
        if self._progress is not None and (done % 1_000 == 0 or done == total):
            self._progress(what, done, total)


def _place_in(folder: str, path: str) -> str | None:
    """Give where a path leads below a folder, with `/` between the parts; None for one that leads elsewhere."""
    start = folder.rstrip(os.sep) + os.sep
    path = os.path.normpath(path)  # a Windows path can have both kinds of separators
    return path[len(start) :].replace(os.sep, "/") if path.startswith(start) else None


def _found(file: _File, images: _Images) -> Found:
    """Give the row of a new file; a label is listed where its image is."""
    listed, made_for = images.get(file.image_id, (True, None))
    seen = file.seen
    assert seen is not None
    return Found(file.image_id, file.ext, seen.size, seen.mtime_ns, seen.inode, seen.link, listed, made_for)


def _batches(files: list[T]) -> Iterator[list[T]]:
    for begin in range(0, len(files), BATCH):
        yield files[begin : begin + BATCH]
