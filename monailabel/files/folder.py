"""A folder that shows the newest version of each file by its name and keeps what came out of it beside."""

import errno
import hashlib
import itertools
import os
import re
import secrets
import shutil
import stat
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from io import FileIO

from monailabel.files.entering import Entered, FollowLinks, is_file, open_regular
from monailabel.files.locking import lock
from monailabel.files.ready import Begun, Ready
from monailabel.files.renaming import place, swap
from monailabel.files.sharing import file_mode_like, make_folder, refuse_other, sync_folder
from monailabel.files.shown import Shown
from monailabel.files.staged import STAGING, Staged
from monailabel.interfaces.exception import InvalidInputException

CHUNK = 1 << 20
HISTORY = "history"
TOKEN = re.compile(r"[0-9a-f]{32}")
ALIKE = 256  # tokens that begin alike
_NOFOLLOW = getattr(os, "O_NOFOLLOW", 0)
LINK = "link"  # the end of the history's name of what was a link


@dataclass(slots=True)
class Came:
    """What came out of a visible name, as it really was: under which token it is kept, and its hash and size."""

    token: str
    sha256: str | None  # None: it was a link, and the link is kept
    size: int | None


class Folder(Shown):
    """Files under visible names in `root`; staging and history in `work`, on the same disk."""

    def __init__(self, root: str, work: str, *, base: str | None = None, follow: FollowLinks = "reading") -> None:
        super().__init__(root, work, base=base, follow=follow)
        self.work = work
        self.staging = os.path.join(work, STAGING)
        self.history = os.path.join(work, HISTORY)
        self.file_mode = file_mode_like(root)
        self._given = itertools.count(1)
        self._beginning = secrets.token_hex(1)
        self.ready = Ready(self.begin, lambda: sync_folder(self.staging))

    def token(self) -> str:
        """Give a new random token; those that follow each other begin alike, so that one folder's sync serves many."""
        if next(self._given) % ALIKE == 0:
            self._beginning = secrets.token_hex(1)
        return self._beginning + secrets.token_hex(15)

    def prepare(self) -> None:
        """Make the folders, durable, and as usable for the group as the root is."""
        for path in (self.work, self.staging, self.history):
            refuse_other(path, folder=True)
        make_folder(self.root, like=os.path.dirname(self.root))
        for path in (self.work, self.staging, self.history):
            make_folder(path, like=self.root)
        self.file_mode = file_mode_like(self.root)

    def own(self, *names: str) -> Entered:
        """Enter a folder of our own, such as the staging: never through a link."""
        return self._entrances.enter(os.path.dirname(self.work), os.path.basename(self.work), *names)

    def close(self) -> None:
        """Remove what lay ready, and let go of the folders."""
        self.ready.close()
        self._entrances.close()

    # -- staging -------------------------------------------------------------------------------------------------------

    def begin(self) -> Iterator[Begun]:
        """Make empty files in the staging, locked, one after the other."""
        with self.own(STAGING) as staging:
            while True:
                token = self.token()
                file = FileIO(f"{staging}/{token}", "xb")
                lock(file)
                if os.fstat(file.fileno()).st_nlink:
                    yield f"{self.staging}/{token}", file
                else:
                    file.close()  # swept as rubbish before we had locked it

    def stage(self, name: str) -> Staged:
        """Begin a new file."""
        return Staged(self, name)

    def stage_copy(self, source: str, *, durable: bool = True) -> Staged:
        """Copy a file into the staging, hashing it on the way, with its permissions."""
        try:
            fd = open_regular(source)
        except OSError as error:
            if error.errno not in (errno.EINVAL, errno.ENXIO):
                raise
            raise InvalidInputException(f"{source!r} refused: it is no regular file") from None
        with FileIO(fd) as file:
            staged = self.stage(os.path.basename(source))
            try:
                while chunk := file.read(CHUNK):
                    staged.write(chunk)
                staged.seal(stat.S_IMODE(os.fstat(fd).st_mode) & 0o777, durable=durable)
            except BaseException:
                staged.discard()
                raise
        return staged

    def sweep(self, wanted: set[str]) -> None:
        """Remove staged files that no living writer holds and no change waits for."""
        with self.own(STAGING) as staging:
            for name in os.listdir(staging):
                token, _, kind = name.partition(".")
                if token in wanted or not TOKEN.fullmatch(token):
                    continue
                if kind == "out":  # whatever once lay under a visible name is kept
                    self.keep(token)
                    continue
                with suppress(OSError), os.fdopen(open_regular(f"{staging}/{name}", _NOFOLLOW), "rb") as file:
                    if lock(file, wait=False):
                        os.unlink(f"{staging}/{name}")

    # -- publishing ----------------------------------------------------------------------------------------------------

    def waits(self, token: str, inode: int | None, sha256: str | None) -> bool:
        """Tell whether a staged file still waits: it has that inode or, where the folder was copied, those bytes."""
        path = self.staged_path(token)
        try:
            return os.lstat(path).st_ino == inode or digest(path)[0] == sha256
        except FileNotFoundError:
            return False

    def put(self, token: str, inode: int | None, sha256: str | None, name: str, *, again: bool = True) -> bool:
        """Show a staged file under a name; what lay there is kept under the file's token. Tells whether something did.

        Does no harm twice, if told that it is `again`.
        """
        self.staged_path(token)
        waits = not again or self.waits(token, inode, sha256)
        folder, _, file = self.place(name).rpartition("/")
        with self.own(STAGING) as staging:
            source = f"{staging}/{token}"
            if not waits:
                try:  # an exchange that was cut short left what came out
                    os.rename(source, f"{source}.out")
                except FileNotFoundError:
                    self._check_there()
                return False
            try:
                with self.enter(folder) as shown:
                    came_out = _show(source, f"{shown}/{file}")
            except FileNotFoundError:
                self._check_there()
                self.make(folder)
                with self.enter(folder) as shown:
                    came_out = _show(source, f"{shown}/{file}")
            if again:  # whoever made the folders may have died before they were durable
                self._sync_leading(folder)
        return came_out

    def make(self, folder: str) -> None:
        """Make a folder below the root, those that lead to it, and the root, unless they are there."""
        make_folder(self.root, like=os.path.dirname(self.root))
        outer, _, inner = folder.rpartition("/")
        if outer and not os.path.isdir(os.path.join(self.root, folder)):
            self.make(outer)
        if folder:
            with self.enter(outer) as inside:
                make_folder(f"{inside}/{inner}", like=self.root)

    def _sync_leading(self, folder: str) -> None:
        """Make the entries durable that lead from the root to a folder."""
        while folder:
            folder = folder.rpartition("/")[0]
            sync_folder(os.path.join(self.root, folder) if folder else self.root)

    def withdraw(self, name: str, token: str, *, again: bool = True) -> None:
        """Take a name away; what lay there is kept under the token. Does no harm twice, if told that it is `again`.

        A folder, pipe or the like that took the name is nobody's image or label, and stays.
        """
        folder, _, file = self.place(name).rpartition("/")
        out = self.staged_path(token) + ".out"
        if again and (os.path.lexists(out) or self._kept(token)):
            return  # done before; what lies there now is somebody's new file
        with self.own(STAGING) as staging:
            try:
                with self.enter(folder) as shown:
                    if is_file(f"{shown}/{file}"):
                        os.rename(f"{shown}/{file}", f"{staging}/{token}.out")
                        return
            except FileNotFoundError:
                pass
        self._check_there()

    def set_aside(self, token: str) -> None:
        """Have a staged file kept without ever showing it. Does no harm twice."""
        self.staged_path(token)
        with self.own(STAGING) as staging:
            try:
                os.rename(f"{staging}/{token}", f"{staging}/{token}.out")
            except FileNotFoundError:
                self._check_there()

    def keep(self, token: str, *, again: bool = True) -> Came | None:
        """Move what came out into the history, under its own hash; None if nothing came out."""
        self.staged_path(token)
        with self.own(STAGING) as staging:
            source = f"{staging}/{token}.out"
            try:
                facts = os.lstat(source)
            except FileNotFoundError:
                self._check_there()
                return self._kept(token) if again else None
            if stat.S_ISLNK(facts.st_mode):
                came = Came(token, None, None)
            elif stat.S_ISREG(facts.st_mode):
                if facts.st_nlink > 1:
                    _make_private(source)
                came = Came(token, *digest(source))
            else:
                return None  # nothing that ever was an image or label
            with self.own(HISTORY) as history:
                make_folder(f"{history}/{token[:2]}", like=self.root)
            with self.own(HISTORY, token[:2]) as kept:
                os.rename(source, f"{kept}/{token}.{came.sha256 or LINK}")
        return came

    def _check_there(self) -> None:
        """Raise FileNotFoundError where not a file is missing, but the disk: a mount that is gone comes back."""
        if not os.path.isdir(self.staging):
            raise FileNotFoundError(errno.ENOENT, "the disk is gone, or the folder was moved", self.staging)

    def _kept(self, token: str) -> Came | None:
        for entry in _entries(os.path.join(self.history, token[:2])):
            if entry.name.startswith(token + "."):
                kind = entry.name.rpartition(".")[2]
                return Came(token, None, None) if kind == LINK else Came(token, kind, entry.stat().st_size)
        return None

    def kept_as(self, token: str) -> list[str]:
        """Give the paths that are kept under a token: one, or none."""
        folder = os.path.join(self.history, token[:2])
        return [entry.path for entry in _entries(folder) if entry.name.startswith(token + ".")]

    def sync(self, name: str) -> None:
        """Make the folder entries durable that putting or withdrawing a name changed."""
        with suppress(FileNotFoundError):
            sync_folder(os.path.dirname(self.path(name)))

    def sync_kept(self, token: str) -> None:
        """Make the history's entry of a token durable."""
        with suppress(FileNotFoundError):
            sync_folder(os.path.join(self.history, token[:2]))

    def staged(self) -> Iterator[os.DirEntry[str]]:
        """Give what lies in the staging."""
        return _entries(self.staging)

    # -- history -------------------------------------------------------------------------------------------------------

    def kept_path(self, token: str, sha256: str | None) -> str:
        """Give where what came out under a token is kept: its bytes, or the link that it was."""
        return self._kept_path(token, sha256 or LINK)

    def erase(self, token: str, kind: str) -> None:
        """Remove what is kept under a token (a SHA-256, or `LINK`) for good. Does no harm twice."""
        name = os.path.basename(self._kept_path(token, kind))
        with suppress(FileNotFoundError), self.own(HISTORY, token[:2]) as kept:
            os.unlink(f"{kept}/{name}")

    def kept(self) -> Iterator[os.DirEntry[str]]:
        """Give every file that the history keeps."""
        for folder in _entries(self.history):
            yield from _entries(folder.path)

    def staged_path(self, token: str) -> str:
        """Give where the file of a token waits; InvalidInputException for what is no token."""
        if not TOKEN.fullmatch(token):
            raise InvalidInputException(f"{token!r} refused: it is no token of a staged file")
        return os.path.join(self.staging, token)

    def _kept_path(self, token: str, sha256: str) -> str:
        if not TOKEN.fullmatch(token) or not (sha256 == LINK or sha256.isalnum()):
            raise InvalidInputException(f"{token!r} refused: it is no token of a kept file")
        return os.path.join(self.history, token[:2], f"{token}.{sha256}")


def digest(path: str | int, stop: Callable[[], bool] = lambda: False) -> tuple[str, int]:
    """Give SHA-256 and size of a file, of a path or of an open descriptor, which stays open.

    `stop` is asked between two pieces; where it says so, InterruptedError ends the reading.
    """
    sha256, size = hashlib.sha256(), 0
    fd = path if isinstance(path, int) else open_regular(path)
    with open(fd, "rb", buffering=0, closefd=not isinstance(path, int)) as file:
        while chunk := file.read(CHUNK):
            if stop():
                raise InterruptedError(errno.EINTR, "reading was stopped", str(path))
            sha256.update(chunk)
            size += len(chunk)
    return sha256.hexdigest(), size


def _show(source: str, target: str) -> bool:
    """Put a staged file in its place; what lay there comes out beside it. Tells whether something did."""
    while True:
        try:
            place(source, target)
            return False
        except FileExistsError:
            if os.path.lexists(target) and not is_file(target):
                raise FileExistsError(errno.EEXIST, "something that is no file has taken the name", target) from None
        try:
            swap(source, target, f"{source}.out")
            return True
        except FileNotFoundError:
            continue


def _make_private(path: str) -> None:
    """Give a file that others can reach by another name an inode of its own."""
    copy = path + ".copy"
    shutil.copy2(path, copy)
    with open(copy, "rb+") as file:
        os.fsync(file.fileno())
    os.replace(copy, path)


def _entries(path: str) -> Iterator[os.DirEntry[str]]:
    try:
        with os.scandir(path) as entries:
            yield from entries
    except FileNotFoundError:
        return
