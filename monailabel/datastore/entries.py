"""Reads what a folder holds: its files' names and inodes, and the time stamps of all folders that were read for it."""

import os
import time
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import islice

from monailabel import naming
from monailabel.datastore.compare import Difference
from monailabel.files import disk
from monailabel.files.entering import is_inside
from monailabel.files.folder import Folder
from monailabel.files.layout import Sharded
from monailabel.files.looks import Look, look_at_many

_LARGE = 1 << 18  # bytes of a folder itself, of some thousand entries
_WAIT_NS = 100_000_000
_MOST_BELOW = 2_000  # entries of sub-folders that are looked at for one that could be taken in

_NOT_FOLLOWED = "a link that leads out of the datastore's folder, and none is followed (follow_links)"

Stamp = tuple[int, int]  # a folder's time stamp in nanoseconds, and its inode


@dataclass(slots=True)
class Reading:
    """What one folder (the images', or a tag's) holds against what the catalog knows of it."""

    tag: str
    folder: Folder
    extensions: naming.Extensions
    own_names: frozenset[str] = frozenset()  # files of ours that lie there
    single: bool = False  # a look at single files, not at the whole folder
    stamps: dict[str, Stamp | None] = field(default_factory=dict)  # of what was read, where they can be trusted
    difference: Difference = field(default_factory=lambda: Difference([]))
    problems: dict[str, tuple[str, bool]] = field(default_factory=dict)  # by place; true: a label without its image
    judged: set[str] = field(default_factory=set)  # image ids whose newest event is this scan's own
    claimed: set[str] = field(default_factory=set)  # image ids of files that are still written
    unread: list[str] = field(default_factory=list)  # places of sub-folders that could not be read
    dangling: list[str] = field(default_factory=list)  # names of links that lead to no file, which would be taken in
    unfinished: bool = False  # something in it could not be judged yet: it is to be read again
    key: str = field(init=False)  # the folder's name in the catalog
    path: str = field(init=False)

    def __post_init__(self) -> None:
        self.key = f"labels/{self.tag}" if self.tag else "images"
        self.path = path_of(self.folder, self.tag)

    def place(self, name: str) -> str:
        """Give where the file of a name lies, relative to the folder."""
        if self.folder.layout is None:
            return name
        return self.folder.place(f"{self.tag}/{name}")[len(self.tag) + 1 :] if self.tag else self.folder.place(name)

    def name_of(self, place: str) -> str | None:
        """Give the name of a file of ours that lies in a place below the folder."""
        name = self.folder.name_of(f"{self.tag}/{place}" if self.tag else place) or ""
        name = name.removeprefix(f"{self.tag}/") if self.tag else name
        return name if name and "/" not in name else None

    def rank(self, name: str) -> int:
        """Give the number of the first pattern that a file's own name matches."""
        return self.extensions.rank(name if self.folder.layout is None else os.path.basename(self.place(name)))

    def was_read(self, name: str) -> bool:
        """Tell whether the sub-folder in which a file lies, or would lie, could be read."""
        return not (self.unread and any(self.place(name).startswith(place + "/") for place in self.unread))

    def holds(self, key: str) -> bool:
        """Tell whether a folder's name in the catalog is that of this one, or of one below it."""
        return key == self.key or key.startswith(self.key + "/")

    def is_as_before(self, stamps: Mapping[str, Stamp]) -> bool:
        """Tell whether no folder that this is about has another time stamp than before."""
        before = stamps.get(self.key)
        if before is None or stamp_of(self.path) != before:
            return False
        if self.folder.layout is None:
            return True
        inner = (key for key in stamps if self.holds(key) and key != self.key)
        return all(stamp_of(self.path + key[len(self.key) :]) == stamps[key] for key in inner)

    def looks(self, names: list[str]) -> dict[str, Look | None]:
        """Look at files that may be taken in, by name; None for one that somebody still writes."""
        if self.folder.layout is None:
            return look_at_many(self.path, names)
        by_place = {self.place(name): name for name in names}
        return {by_place[place]: look for place, look in look_at_many(self.path, list(by_place)).items()}

    def note(self, place: str, what: str) -> None:
        """Note what cannot be taken in."""
        self.problems[place.encode(errors="backslashreplace").decode()] = (what, False)

    def entries(self) -> Iterator[tuple[str, int]]:
        """Give name and inode of every file that is not hidden; no file is looked at."""
        if not self.folder.shows(self.tag):
            self.note(".", f"the folder is reached by {_NOT_FOLLOWED}")
            self.stamps[self.key] = trusted(self.path, stamp_of(self.path))
            return iter(())
        return self._side_by_side() if self.folder.layout is None else Tree(self).entries()

    def _side_by_side(self) -> Iterator[tuple[str, int]]:
        self.stamps[self.key] = trusted(self.path, _awaited(self.path))
        try:
            found = os.scandir(self.path)
        except (FileNotFoundError, NotADirectoryError):
            del self.stamps[self.key]
            return
        with found as entries:
            for entry in entries:
                name = entry.name
                if naming.is_hidden(name) or name in self.own_names:
                    continue
                if not (name.isascii() or is_text(name)):
                    self.note(name, "its name is not UTF-8; rename the file")
                elif _is_file(entry):
                    if entry.is_symlink() and not self.folder.shows(os.path.join(self.tag, name)):
                        self.note(name, f"it is {_NOT_FOLLOWED}")
                    else:
                        yield name, entry.inode()
                elif leads_nowhere(entry) and self.extensions.take(name):
                    self.dangling.append(name)


def left_below(reading: Reading) -> str | None:
    """Give where one file that could be taken in lies in sub-folders; only its first entries are seen."""
    waiting, looked_at = [""], 0
    while waiting and looked_at < _MOST_BELOW:
        place = waiting.pop(0)
        with suppress(OSError), os.scandir(os.path.join(reading.path, place)) as entries:
            for entry in sorted(islice(entries, _MOST_BELOW), key=lambda entry: entry.name):
                looked_at += 1
                inner = f"{place}/{entry.name}" if place else entry.name
                if naming.is_hidden(entry.name) or entry.path in reading.folder.others or entry.is_symlink():
                    continue
                if entry.is_dir():
                    waiting.append(inner)
                elif place and is_text(inner) and reading.extensions.take(entry.name):
                    return inner
    return None


class Tree:
    """The files of a folder and of all that are below it, but for hidden folders and those of the datastore's own."""

    def __init__(self, reading: Reading) -> None:
        self._reading = reading
        self._folder = reading.folder
        self._others = {os.stat(path).st_ino: path for path in self._folder.others if os.path.isdir(path)}
        self._waiting = [("", False)]  # places of what is to be read, and whether a link leads there
        self._steps: dict[int, int] = {}  # of each disk's clock

    def entries(self) -> Iterator[tuple[str, int]]:
        """Give name and inode of each file, and note the time stamp of each folder before it is read."""
        while self._waiting:
            place, is_linked = self._waiting.pop()
            try:
                yield from self._files_in(place, is_linked)
            except (FileNotFoundError, NotADirectoryError):
                continue
            except OSError as error:
                if not place:
                    raise
                self._reading.note(f"{place}/.", f"the folder cannot be read ({error.strerror})".lower())
                self._reading.unread.append(place)
                if not isinstance(error, PermissionError):  # which comes to its end with another time stamp
                    self._reading.unfinished = True

    def _files_in(self, place: str, is_linked: bool) -> Iterator[tuple[str, int]]:
        reading, path = self._reading, os.path.join(self._reading.path, place) if place else self._reading.path
        reading.stamps[f"{reading.key}/{place}" if place else reading.key] = self._stamp(path)
        with os.scandir(path) as entries:
            for entry in entries:
                inner = f"{place}/{entry.name}" if place else entry.name
                if naming.is_hidden(entry.name) or inner in reading.own_names:
                    continue
                if not is_text(entry.name):
                    reading.note(inner, "its name is not UTF-8; rename it")
                elif _is_folder(entry):
                    if self._enters(entry, inner, is_linked):
                        self._waiting.append((inner, is_linked or entry.is_symlink()))
                elif _is_file(entry):
                    if self._shows(entry, inner) and (name := self._name(entry, inner)):
                        yield name, entry.inode()
                elif leads_nowhere(entry) and reading.extensions.take(entry.name) and (name := reading.name_of(inner)):
                    reading.dangling.append(name)

    def _stamp(self, path: str) -> Stamp | None:
        """Give a folder's time stamp as `trusted` does, without asking for each folder how old it must be."""
        now, facts = time.time_ns(), os.stat(path)
        if facts.st_dev not in self._steps:
            self._steps[facts.st_dev] = disk.clock_step_ns(path)
        stamp = _stamp(facts)
        return stamp if now - stamp[0] >= self._steps[facts.st_dev] else None

    def _name(self, entry: os.DirEntry[str], place: str) -> str | None:
        """Give a file's name; one that lies where no file of its name does is noted, if it is one to be taken in."""
        reading, name = self._reading, self._reading.name_of(place)
        if name is not None and len(name.encode()) <= naming.MAX_NAME_BYTES:
            return name
        if reading.extensions.rank(entry.name) < len(reading.extensions.patterns):
            if name is not None:
                what = f"its id would be too long: {len(name.encode())} bytes, and {naming.MAX_NAME_BYTES} are the most"
            elif belongs := os.path.dirname(self._usual(entry.name)):
                there = os.path.join(reading.tag and reading.key, belongs)
                what = f"it belongs in {there}; move it there, or add it with add_image or save_label"
            else:
                what = "its folder has the name of one of the datastore's own; rename the folder"
            reading.note(place, what)
        return None

    def _usual(self, file: str) -> str:
        """Give where a file of that own name lies."""
        return self._reading.place(file) if isinstance(self._folder.layout, Sharded) else file

    def _shows(self, entry: os.DirEntry[str], place: str) -> bool:
        """Tell whether an entry is listed, and note it if not."""
        if not entry.is_symlink() or self._folder.shows(os.path.join(self._reading.tag, place)):
            return True
        self._reading.note(place, f"it is {_NOT_FOLLOWED}")
        return False

    def _enters(self, entry: os.DirEntry[str], place: str, is_linked: bool) -> bool:
        """Tell whether a folder is read: of links only the first, and only where its files are not listed anyway.

        Otherwise links could lead on for ever, and to labels as if they were images.
        """
        if entry.path in self._folder.others:
            return False
        if not entry.is_symlink():
            other = self._others.get(entry.inode())
            return other is None or not os.path.samefile(entry.path, other)
        if not self._shows(entry, place):
            return False
        listed, target = (self._folder.root, *self._folder.others), os.path.realpath(entry.path)
        if any(is_inside(target, path) or is_inside(os.path.realpath(path), target) for path in listed):
            self._reading.note(place, "it is a link to a folder of the datastore, or around one; remove it")
        elif is_linked:
            self._reading.note(place, "it is a link to a folder, behind another one, and only the first is followed")
        else:
            return True
        return False


def path_of(folder: Folder, tag: str) -> str:
    """Give where the files of a tag lie."""
    return os.path.join(folder.root, tag) if tag else folder.root


def path_by_key(key: str, images: Folder, labels: Folder) -> str:
    """Give where a folder lies that has a name in the catalog."""
    first, _, place = key.partition("/")
    return path_of(images if first == "images" else labels, place)


def stamp_of(path: str) -> Stamp | None:
    """Give a folder's time stamp (nanoseconds) and inode; None where it cannot be looked at."""
    try:
        return _stamp(os.stat(path))
    except OSError:
        return None


def _stamp(facts: os.stat_result) -> Stamp:
    """Give a stamp that no program can set, the time of the last change of status.

    One that copies folders (`rsync -a`) gives a folder the same time of modification again after it put other files
    into it. Windows tells the time of making there.
    """
    return facts.st_mtime_ns if os.name == "nt" else facts.st_ctime_ns, facts.st_ino


def trusted(path: str, stamp: Stamp | None) -> Stamp | None:
    """Give a folder's time stamp if it is old enough to tell every change that came after it."""
    if stamp is None or time.time_ns() - stamp[0] < disk.clock_step_ns(path):
        return None
    return stamp


def _awaited(path: str) -> Stamp | None:
    """Give the time stamp of a folder that is about to be read; with a large one, wait until it can be trusted."""
    stamp = stamp_of(path)
    if stamp is None or os.stat(path).st_size < _LARGE:
        return stamp
    age, step = time.time_ns() - stamp[0], disk.clock_step_ns(path)
    if 0 <= age < step <= _WAIT_NS:
        time.sleep((step - age) / 1e9)
    return stamp_of(path)


def _is_file(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_file()
    except OSError:  # a link whose way ends in a circle, at a file, or where we may not go
        return False


def _is_folder(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir()
    except OSError:
        return False


def leads_nowhere(link: os.DirEntry[str] | str) -> bool:
    """Tell whether something is a link whose way ends at nothing, in a circle, or where we may not go."""
    return os.path.islink(link) and not os.path.exists(link)


def is_text(name: str) -> bool:
    """Tell whether a name can be kept as text: it is UTF-8."""
    try:
        name.encode()
    except UnicodeEncodeError:
        return False
    return True
