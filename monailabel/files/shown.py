"""A folder in which people see files: which of its names are read, which are written, and where links lead."""

import errno
import os
import re
from collections.abc import Callable

from monailabel.files import disk
from monailabel.files.entering import NO_FILE, Entered, Entrances, FollowLinks, is_inside, open_regular, place_of
from monailabel.files.layout import Layout
from monailabel.files.looks import Look, look
from monailabel.interfaces.exception import ConflictException, InvalidInputException

# A part that is empty or hidden, more than a tag and a file's name, and what ends a path for the system.
_LEADS_ELSEWHERE = re.compile(r"(?:\A|/)(?:[./]|\Z)|/[^/]*/|\0")


class Shown:
    """Files under visible names in `root`, which lies in `base`, whose place is the caller's word.

    What links below `base` lead to is read, unless `follow` is "never", and written only where it is "writing"; a
    visible file that is a link is itself replaced or removed. `own` is a folder below which files are read as well.
    With a `layout` they lie in sub-folders, but never in the folders `others`.
    """

    layout: Layout | None = None
    follow_layout: Callable[[], None] | None = None  # asked before a name with ~, of which layouts think differently

    def __init__(self, root: str, own: str, *, base: str | None = None, follow: FollowLinks = "reading") -> None:
        self.root = root
        self.others: tuple[str, ...] = ()
        self._follow = follow
        self._base = base or root
        self._own = own
        self._movable: set[tuple[int, int]] = set()  # folders on the disk of our own files
        self._readable = (self._base, own)
        self._steps = [step for step in os.path.relpath(root, self._base).split(os.sep) if step != "."]
        self._real: set[str] = set()  # folders that no link leads to
        self._entrances = Entrances()

    def path(self, name: str) -> str:
        """Give the path of a visible name; InvalidInputException for one that leads elsewhere, or is hidden."""
        if _LEADS_ELSEWHERE.search(name):
            raise InvalidInputException(f"file name {name!r} refused: it leads out of the datastore's folder")
        return f"{self.root}/{self._laid_out(name)}"

    def _laid_out(self, name: str) -> str:
        """Give where the layout puts a name."""
        if "~" in name and self.follow_layout is not None:
            self.follow_layout()
        return name if self.layout is None else self.layout.place(name)

    def place(self, name: str) -> str:
        """Give where the file of a visible name lies, relative to the root; InvalidInputException as from `path`."""
        return self.path(name)[len(self.root) + 1 :]

    def name_of(self, place: str) -> str | None:
        """Give the visible name of the file that lies in a place, None where none does."""
        return place if self.layout is None else self.layout.name_of(place)

    def id_of(self, stem: str) -> str:
        """Give the id of a file that comes without one, by its name without the extension."""
        return stem if self.layout is None else self.layout.id_of(stem)

    def check_new(self, name: str) -> None:
        """Refuse the name of a file that we are about to make where some disk could not hold what it stands for."""
        if self.layout is not None:
            self.layout.check_new(name)

    def folder_of(self, name: str) -> str:
        """Give the folder, relative to the root, in which the file of a visible name lies."""
        return self._laid_out(name).rpartition("/")[0]

    def real_path(self, name: str, *, is_link: bool) -> str:
        """Give the real path of a visible name, `""` for one that is not read.

        Where links are followed the file itself is not looked at, which in a large folder costs more than all else:
        `is_link` tells what it is.
        """
        path = self.path(name)
        if not self._reads(path):
            return ""
        folder, _, file = path.rpartition("/")
        path = f"{self._real_folder(folder)}/{file}"
        return os.path.realpath(path) if is_link else path

    def _real_folder(self, path: str) -> str:
        """Give a folder's real path, looked up again each time only where links lead to it: they may change."""
        if path in self._real:
            return path
        real = os.path.realpath(path)
        if real == path:
            self._real.add(path)
        return real

    def enter(self, folder: str) -> Entered:
        """Enter the root or a folder below it, to change what it shows."""
        names = folder.split("/") if folder else []
        return self._entrances.enter(self._base, *self._steps, *names, follow=self._follow == "writing")

    def check_writable(self, name: str = "") -> None:
        """Refuse what could not be put in its place or taken away from it.

        Raises InvalidInputException for a folder that a link leads to, ConflictException for what is no folder,
        PermissionError for one that is not ours to change.
        """
        self._check_folder(self.folder_of(name))

    def _check_folder(self, folder: str) -> None:
        path = os.path.join(self.root, folder) if folder else self.root
        outer = folder.rpartition("/")[0]
        try:
            with self.enter(folder) as inside:
                if not os.access(inside, os.W_OK | os.X_OK):
                    raise PermissionError(errno.EACCES, "the folder cannot be written", path)
                self._check_disk(inside, path)
            if self.layout is not None and any(is_inside(os.path.realpath(path), other) for other in self.others):
                raise InvalidInputException(f"{path} refused: a link leads to other files of the datastore")
        except FileNotFoundError:
            if folder:  # it will be made in the one that leads to it
                self._check_folder(outer)
        except NotADirectoryError:
            if outer:  # that may be the one which is no folder
                self._check_folder(outer)
            if not os.path.isdir(path):
                raise ConflictException(f"{path} is no folder; move what has its name away") from None
            raise InvalidInputException(
                f"{path} refused: a link leads to it, to {os.path.realpath(path)}, and nothing is saved or removed "
                "through links; if that is right, open the datastore with follow_links='writing'"
            ) from None

    def _check_disk(self, inside: str, path: str) -> None:
        """Refuse a folder into which no staged file can be moved in one step; one that was found good stays so."""
        facts = os.stat(inside)
        place = facts.st_dev, facts.st_ino
        if place in self._movable:
            return
        if not disk.is_one(inside, self._own):
            raise InvalidInputException(
                f"{path} refused: it lies on another disk than {self._own}, and no file moves from there in one step; "
                "serve it as a datastore of its own"
            )
        self._movable.add(place)

    def twin_of_folder(self, name: str) -> str | None:
        """Give the other name under which the disk lists a sub-folder that leads to a file, None if there is none."""
        folder = "" if self.layout is None else self.folder_of(name)
        while folder:
            if other := disk.folder_twin(os.path.join(self.root, folder)):
                return other
            folder = folder.rpartition("/")[0]
        return None

    def shows(self, name: str) -> bool:
        """Tell whether a file or folder is listed: not where a link leads out of the base and none is followed."""
        return self._reads(os.path.join(self.root, name))

    def _reads(self, path: str) -> bool:
        return self._follow != "never" or is_inside(os.path.realpath(path), self._base)

    def look(self, name: str) -> Look | None:
        """Look at a visible file; None if there is none, or one that is not read: behind a link, or elsewhere."""
        try:
            path = self.path(name)
        except InvalidInputException:  # out of a catalog that somebody forged
            return None
        return look(path) if self._reads(path) else None

    def open(self, path: str) -> int:
        """Open a visible file or a staged one for reading; FileNotFoundError for one that is not read."""
        try:
            fd = open_regular(path)
        except OSError as error:
            if error.errno in NO_FILE:
                raise FileNotFoundError(errno.ENOENT, "no regular file has the name", path) from None
            raise
        if self._follow == "never" and not any(is_inside(place_of(fd, path), p) for p in self._readable):
            os.close(fd)
            raise FileNotFoundError(errno.ENOENT, "a link leads to it out of the datastore's folder", path)
        return fd
