"""Stands between a datastore and its disk: tells of each call that touches a file, Python's and SQLite's alike."""

import builtins
import io
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Any, NamedTuple

import apsw

import monailabel.files.folder as folder_module
import monailabel.files.renaming as renaming
import monailabel.files.sharing as sharing

BY_PATH = "open rename replace link unlink remove mkdir rmdir chmod chown utime truncate symlink".split()
BY_DESCRIPTOR = "fsync fdatasync fchmod fchown ftruncate".split()
SYNCS = ("fsync", "fdatasync", "syncfs")  # the last: everything on the disk
WRITING = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC


class Call(NamedTuple):
    """A call: what it does, to which file, and whether that file is durable when it returns."""

    name: str
    path: str
    syncs: bool = False
    database: bool = False  # whether SQLite asks for it


Around = Callable[[Call], AbstractContextManager[None]]


def stand_between(folder: str, around: Around) -> None:
    """Have `around` entered for each call of this process that touches a file below a folder, until the process ends.

    What it raises before the call happens instead of the call. Only one thread at a time is let through.
    """
    turn = threading.RLock()
    real = os.path.realpath(folder)

    @contextmanager
    def guarded(call: Call) -> Iterator[None]:
        if call.path != real and not call.path.startswith(real + "/"):
            yield
            return
        with turn, around(call):
            yield

    _stand_before_python(guarded)
    _stand_before_sqlite(guarded)


def _stand_before_python(around: Around) -> None:
    for name in BY_PATH + BY_DESCRIPTOR:
        setattr(os, name, _guarded(name, getattr(os, name), around))
    builtins.open = _opening(builtins.open, around)  # type: ignore[assignment]
    folder_module.FileIO = _opening_raw(around)  # type: ignore[misc,assignment]
    for module, name in ((renaming, "_renameat2"), (sharing, "_syncfs")):
        if (function := getattr(module, name)) is not None:
            setattr(module, name, _guarded(name[1:], function, around))


def _guarded(name: str, function: Callable[..., Any], around: Around) -> Callable[..., Any]:
    def call(*arguments: Any, **more: Any) -> Any:
        if name == "open" and not arguments[1] & WRITING:
            return function(*arguments, **more)
        with around(Call(name, _path(arguments[0]), syncs=name in SYNCS)):
            return function(*arguments, **more)

    return call


def _path(target: Any) -> str:
    if isinstance(target, int):
        return os.readlink(f"/proc/self/fd/{target}")
    path = os.path.abspath(os.fsdecode(target))
    return os.path.join(os.path.realpath(os.path.dirname(path)), os.path.basename(path))


class _Writing(io.FileIO):
    """A file whose writes are told of, one by one."""

    around: Around
    path: str

    def write(self, data: Any) -> int:
        with self.around(Call("write", self.path)):
            return super().write(data)


def _opening_raw(around: Around) -> Callable[..., io.FileIO]:
    def call(file: Any, mode: str = "r") -> io.FileIO:
        if isinstance(file, int):
            return io.FileIO(file, mode)
        with around(Call("open", _path(file))):
            raw = _Writing(file, mode)
        raw.around, raw.path = around, _path(file)
        return raw

    return call


def _opening(function: Callable[..., Any], around: Around) -> Callable[..., Any]:
    def call(file: Any, mode: str = "r", buffering: int = -1, *arguments: Any, **more: Any) -> Any:
        if isinstance(file, int) or not set(mode) & set("wxa+"):
            return function(file, mode, buffering, *arguments, **more)
        raw = _opening_raw(around)(file, mode.replace("t", "").replace("b", ""))
        if not buffering:
            return raw
        buffered = io.BufferedRandom(raw) if "+" in mode else io.BufferedWriter(raw)
        return buffered if "b" in mode else io.TextIOWrapper(buffered, *arguments, **more)

    return call


# -- SQLite ------------------------------------------------------------------------------------------------------------


class _File(apsw.VFSFile):
    """A file of SQLite's; the first sync of a log or journal also makes its name durable (sqlite3's os_unix.c)."""

    def __init__(self, name: Any, flags: list[int], around: Around) -> None:
        self._path = _path(name.filename() if isinstance(name, apsw.URIFilename) else name)
        self._around = around
        logs = apsw.SQLITE_OPEN_WAL | apsw.SQLITE_OPEN_MAIN_JOURNAL | apsw.SQLITE_OPEN_SUPER_JOURNAL
        self._names_folder = bool(flags[0] & apsw.SQLITE_OPEN_CREATE and flags[0] & logs)
        with around(Call("open", self._path, database=True)):
            super().__init__("unix", name, flags)

    def xWrite(self, data: Any, offset: int) -> None:  # noqa: N802 - SQLite's name
        with self._around(Call("write", self._path, database=True)):
            super().xWrite(data, offset)

    def xTruncate(self, size: int) -> None:  # noqa: N802
        with self._around(Call("truncate", self._path, database=True)):
            super().xTruncate(size)

    def xSync(self, flags: int) -> None:  # noqa: N802
        with self._around(Call("sync", self._path, syncs=True, database=True)):
            super().xSync(flags)
        if self._names_folder:
            self._names_folder = False
            with self._around(Call("sync", os.path.dirname(self._path), syncs=True, database=True)):
                pass


class _Files(apsw.VFS):
    """SQLite's files, as the system has them."""

    def __init__(self, around: Around) -> None:
        self._around = around
        super().__init__("between", "unix", makedefault=True)

    def xOpen(self, name: Any, flags: list[int]) -> Any:  # noqa: N802
        return super().xOpen(name, flags) if name is None else _File(name, flags, self._around)

    def xDelete(self, name: str, sync: bool) -> None:  # noqa: N802
        with self._around(Call("unlink", _path(name), database=True)):
            super().xDelete(name, sync)
        if sync:
            with self._around(Call("sync", os.path.dirname(_path(name)), syncs=True, database=True)):
                pass


_registered: list[_Files] = []


def _stand_before_sqlite(around: Around) -> None:
    _registered.append(_Files(around))
