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
from types import TracebackType
from typing import Self

from monailabel.files.locking import lock
from monailabel.files.renaming import place, swap
from monailabel.files.sharing import file_mode_like, make_folder, refuse_link, sync_folder
from monailabel.interfaces.exception import InvalidInputException

CHUNK = 1 << 20
_UP = (".", "..")
_NOWHERE = ("", *_UP)
TOKEN = re.compile(r"[0-9a-f]{32}")
ALIKE = 256  # tokens that begin alike
LINK = "link"  # the end of the history's name of what was a link


class Staged:
    """A new file under a random name, invisible until it is put in its place, and locked by whoever writes it.

    Used as a context manager it leaves no trace, unless a change took it over.
    """

    def __init__(self, folder: "Folder", name: str) -> None:
        self.folder = folder
        self.name = name  # what the sender calls it; only its end is ever used
        self.token = folder.token()
        self.path = os.path.join(folder.staging, self.token)
        self.taken = False
        self._hash = hashlib.sha256()
        self.size = 0
        self._file: FileIO | None = self._create()

    def _create(self) -> FileIO:
        while True:
            file = FileIO(self.path, "xb")
            lock(file)
            if os.fstat(file.fileno()).st_nlink:
                return file
            file.close()  # swept as rubbish before we had locked it

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Append bytes."""
        assert self._file is not None
        self._hash.update(data)
        left = memoryview(data)
        while left := left[self._file.write(left) :]:
            pass
        self.size += len(data)

    def seal(self, mode: int | None = None, *, durable: bool = True) -> None:
        """Set the permissions; make the bytes and the entry that leads to them durable, or leave that for `sync`."""
        assert self._file is not None
        fd = self._file.fileno()
        os.fchmod(fd, self.folder.file_mode if mode is None else mode)
        if durable:
            self.sync()
        facts = os.fstat(fd)
        self.sha256, self.inode, self.mtime_ns = self._hash.hexdigest(), facts.st_ino, facts.st_mtime_ns

    def sync(self) -> None:
        """Make the bytes and the entry that leads to them durable."""
        assert self._file is not None
        os.fsync(self._file.fileno())
        sync_folder(self.folder.staging)

    def release(self) -> None:
        """Let go of the file, which stands on its own from here."""
        if self._file is not None:
            self._file.close()
            self._file = None

    def discard(self) -> None:
        """Remove the file, unless a change took it over; one that cannot be removed goes at the next opening."""
        if not self.taken:
            with suppress(OSError):
                os.unlink(self.path)
        self.release()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.discard()


@dataclass(slots=True)
class Came:
    """What came out of a visible name, as it really was: under which token it is kept, and its hash and size."""

    token: str
    sha256: str | None  # None: it was a link, and the link is kept
    size: int | None


class Folder:
    """Files under visible names in `root`; staging and history in `work`, on the same disk."""

    def __init__(self, root: str, work: str) -> None:
        self.root = root
        self.work = work
        self.staging = os.path.join(work, "staging")
        self.history = os.path.join(work, "history")
        self.file_mode = file_mode_like(root)
        self._real: dict[str, str] = {}
        self._given = itertools.count()
        self._beginning = ""

    def token(self) -> str:
        """Give a new random token; those that follow each other begin alike, so that one folder's sync serves many."""
        if next(self._given) % ALIKE == 0:
            self._beginning = secrets.token_hex(1)
        return self._beginning + secrets.token_hex(15)

    def prepare(self) -> None:
        """Make the folders, durable, and as usable for the group as the root is."""
        for path in (self.work, self.staging, self.history):
            refuse_link(path)
        for path in (self.root, self.work, self.staging, self.history):
            make_folder(path, like=self.root if path != self.root else os.path.dirname(self.root))
        self.file_mode = file_mode_like(self.root)

    def path(self, name: str) -> str:
        """Give the path of a visible name; InvalidInputException for one that leads elsewhere."""
        folder, _, file = name.rpartition("/")
        if file in _NOWHERE or folder in _UP or "/" in folder or "\0" in name:
            raise InvalidInputException(f"file name {name!r} refused: it leads out of the datastore's folder")
        return f"{self.root}/{name}"

    def real_path(self, name: str) -> str:
        """Give the real path of a visible name; where its folder really is, is looked up once."""
        self.path(name)
        folder, _, file = name.rpartition("/")
        real = self._real.get(folder)
        if real is None:
            real = self._real[folder] = os.path.realpath(os.path.join(self.root, folder))
        path = f"{real}/{file}"
        try:
            return os.path.realpath(path) if stat.S_ISLNK(os.lstat(path).st_mode) else path
        except OSError:
            return path

    # -- staging -------------------------------------------------------------------------------------------------------

    def stage(self, name: str) -> Staged:
        """Begin a new file."""
        return Staged(self, name)

    def stage_copy(self, source: str, *, durable: bool = True) -> Staged:
        """Copy a file into the staging, hashing it on the way, with its permissions."""
        # Without O_NONBLOCK the opening of a named pipe would wait for somebody who writes into it.
        with FileIO(os.open(source, os.O_RDONLY | os.O_CLOEXEC | getattr(os, "O_NONBLOCK", 0))) as file:
            facts = os.fstat(file.fileno())
            if not stat.S_ISREG(facts.st_mode):
                raise InvalidInputException(f"{source!r} refused: it is no regular file")
            staged = self.stage(os.path.basename(source))
            try:
                while chunk := file.read(CHUNK):
                    staged.write(chunk)
                staged.seal(stat.S_IMODE(facts.st_mode) & 0o777, durable=durable)
            except BaseException:
                staged.discard()
                raise
        return staged

    def sweep(self, wanted: set[str]) -> None:
        """Remove staged files that no living writer holds and no change waits for."""
        for entry in _entries(self.staging):
            token, _, kind = entry.name.partition(".")
            if token in wanted or not TOKEN.fullmatch(token):
                continue
            if kind == "out":  # whatever once lay under a visible name is kept
                self.keep(token)
                continue
            with suppress(OSError), open(entry.path, "rb") as file:
                if lock(file, wait=False):
                    os.unlink(entry.path)

    # -- publishing ----------------------------------------------------------------------------------------------------

    def waits(self, token: str, inode: int | None, sha256: str | None) -> bool:
        """Tell whether a staged file still waits: it has that inode or, where the folder was copied, those bytes."""
        path = self.staged_path(token)
        try:
            return os.lstat(path).st_ino == inode or digest(path)[0] == sha256
        except FileNotFoundError:
            return False

    def put(self, token: str, inode: int | None, sha256: str | None, name: str, *, again: bool = True) -> None:
        """Show a staged file under a name; what lay there is kept under the file's token.

        Does no harm twice, if told that it is `again`.
        """
        source, target = self.staged_path(token), self.path(name)
        out = source + ".out"
        if again and not self.waits(token, inode, sha256):
            try:  # an exchange that was cut short left what came out
                os.rename(source, out)
            except FileNotFoundError:
                self._check_there()
            return None
        self._check_there()
        make_folder(os.path.dirname(target), like=self.root)
        while True:
            try:
                return place(source, target)
            except FileExistsError:
                if os.path.isdir(target) and not os.path.islink(target):
                    raise IsADirectoryError(errno.EISDIR, "a folder has taken the name", target) from None
            try:
                return swap(source, target, out)
            except FileNotFoundError:
                continue

    def withdraw(self, name: str, token: str, *, again: bool = True) -> None:
        """Take a name away; what lay there is kept under the token. Does no harm twice, if told that it is `again`."""
        out = self.staged_path(token) + ".out"
        if again and (os.path.lexists(out) or self._kept(token)):
            return  # done before; what lies there now is somebody's new file
        try:
            os.rename(self.path(name), out)
        except FileNotFoundError:
            self._check_there()

    def set_aside(self, token: str) -> None:
        """Have a staged file kept without ever showing it. Does no harm twice."""
        try:
            os.rename(self.staged_path(token), self.staged_path(token) + ".out")
        except FileNotFoundError:
            self._check_there()

    def keep(self, token: str, *, again: bool = True) -> Came | None:
        """Move what came out into the history, under its own hash; None if nothing came out."""
        source = self.staged_path(token) + ".out"
        try:
            facts = os.lstat(source)
        except FileNotFoundError:
            self._check_there()
            return self._kept(token) if again else None
        if stat.S_ISLNK(facts.st_mode):
            target = self._kept_path(token, LINK)
            sha256, size = None, None
        else:
            if facts.st_nlink > 1:
                _make_private(source)
            sha256, size = digest(source)
            target = self._kept_path(token, sha256)
        make_folder(os.path.dirname(target), like=self.root)
        refuse_link(os.path.dirname(target))
        os.rename(source, target)
        return Came(token, sha256, size)

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
        with suppress(FileNotFoundError):
            os.unlink(self._kept_path(token, kind))

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
    with open(path, "rb", buffering=0, closefd=not isinstance(path, int)) as file:
        while chunk := file.read(CHUNK):
            if stop():
                raise InterruptedError(errno.EINTR, "reading was stopped", str(path))
            sha256.update(chunk)
            size += len(chunk)
    return sha256.hexdigest(), size


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
