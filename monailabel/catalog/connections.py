"""Connections to the catalog's database: lent to threads, given up for the moment of a fork, and copied from."""

import errno
import logging
import os
import shutil
import threading
import time
import weakref
from contextlib import suppress
from types import TracebackType
from typing import Any

import apsw

from monailabel.interfaces.exception import DamagedDatastoreException

_BUSY_MS = 60_000
_PAGE = 2_048  # bytes, of a new database: a change touches a dozen pages, and the log takes each of them whole
_LOG_AT_MOST = 16_000  # pages after which a commit empties the log itself, if nobody did in the background
_FORK_SECONDS = 10.0  # that a fork waits for those who read or write
_POLL = 0.001
# A link that somebody put in the place of the file, or of a folder on the way to it, is not followed.
_KNOWN, _NEW = apsw.SQLITE_OPEN_READWRITE | apsw.SQLITE_OPEN_NOFOLLOW, apsw.SQLITE_OPEN_CREATE

_NO_SPACE = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
# What a sound catalog never says: our statements fit our tables, our rows each other, and their texts are UTF-8.
_DAMAGE = (
    apsw.NotADBError,
    apsw.CorruptError,
    apsw.SQLError,
    apsw.ConstraintError,
    apsw.MismatchError,
    UnicodeDecodeError,
)

logger = logging.getLogger(__name__)
_open: "weakref.WeakSet[Connections]" = weakref.WeakSet()
_forking = threading.Lock()  # nobody comes to have connections while a fork closes them


class Connections:
    """The connections of one catalog, which any thread may borrow."""

    def __init__(self, path: str, *, write_ahead: bool, durable: bool = True) -> None:
        self.path = path
        self._durable = durable
        self._write_ahead = write_ahead
        self._idle: list[apsw.Connection] = []  # its single operations are safe between threads
        self._opened = 0  # connections, whether idle or lent
        self._mine = threading.local()
        self._held = False  # for the moment of a fork
        self._gate = threading.Condition(threading.Lock())
        self._watch: apsw.Connection | None = None
        self._watch_lock = threading.Lock()
        self._inode: int | None = None  # of the file that the connections have open
        self._was_open = False
        self._watches = 0  # how many connections watched for commits: each counts from a number of its own
        with _forking:
            _open.add(self)

    def close(self) -> None:
        """Close all connections; what was committed is on the disk already."""
        with self._gate:
            self._close_idle()
        watch, self._watch = self._watch, None
        if watch is not None:
            watch.close()

    def get(self, statement: str, values: Any) -> Any:
        """Run one statement and give its only row, or its only value, or None: what most questions ask for.

        The first connection that is idle does, without what lending one takes.
        """
        idle = self._idle  # to which it goes back, and which is another one by then where the database is
        connection = self._borrowed()
        try:
            return connection.execute(statement, values).get
        except (apsw.Error, UnicodeDecodeError) as error:
            raise translated(error, self.path, connection) from error
        finally:
            idle.append(connection)

    def lend(self) -> "Lent":
        """Lend a connection; they are kept, for opening one costs more than thirty reads."""
        return Lent(self)

    def borrow(self) -> "tuple[apsw.Connection, list[apsw.Connection]]":
        """Give a connection, and where it goes back to."""
        idle = self._idle
        connection = self._borrowed()
        self._mine.lent = getattr(self._mine, "lent", 0) + 1
        return connection, idle

    def give_back(self, connection: apsw.Connection, idle: list[apsw.Connection]) -> None:
        """Take back what was borrowed in this thread."""
        self._mine.lent -= 1
        idle.append(connection)

    def _borrowed(self) -> apsw.Connection:
        if self._idle and not self._held:
            try:
                return self._idle.pop()
            except IndexError:  # another thread was faster
                pass
        with self._gate:
            while self._held and not getattr(self._mine, "lent", 0):  # who holds one must not wait for itself
                self._gate.wait()
            self._opened += 1
        try:
            return self._connect()
        except BaseException:
            with self._gate:
                self._opened -= 1
            raise

    def stamp(self) -> tuple[int, int]:
        """Give numbers that are others after every commit of any process."""
        with self._watch_lock:
            try:
                if self._watch is None:
                    self._watch = self._connect()
                    self._watches += 1
                return self._watches, self._watch.execute("PRAGMA data_version").get
            except apsw.Error as error:
                raise translated(error, self.path, self._watch) from error

    def follow(self) -> None:
        """Let go of a database that somebody has set aside: what lies under its name now is the one."""
        if self._inode in (None, _inode(self.path)):
            return
        with self._gate:
            idle, self._idle = self._idle.copy(), []  # what is lent goes back to the list that nobody knows any more
            self._inode = None
            self._opened = 0
        with self._watch_lock:
            watch, self._watch = self._watch, None
        for connection in idle + ([watch] if watch else []):
            connection.close()

    def _connect(self) -> apsw.Connection:
        """Open the database; one that was open and is gone is not begun anew, or changes would be lost in it."""
        self._inode = self._inode or _inode(self.path)
        connection = None
        try:
            connection = apsw.Connection(self.path, flags=_KNOWN if self._was_open else _KNOWN | _NEW)
            self._inode, self._was_open = self._inode or _inode(self.path), True
            connection.set_busy_timeout(_BUSY_MS)
            connection.pragma("page_size", _PAGE)
            if self._write_ahead:
                connection.pragma("journal_mode", "wal")
                connection.pragma("wal_autocheckpoint", _LOG_AT_MOST)
            # FULL: a commit is on the disk before it is acknowledged. NORMAL: a loss of power may undo the last ones.
            connection.pragma("synchronous", 2 if self._durable else 1)
            connection.pragma("foreign_keys", 1)
        except apsw.Error as error:
            raise translated(error, self.path, connection) from error
        return connection

    # -- forks ---------------------------------------------------------------------------------------------------------

    def hold(self) -> None:
        """Close all connections for the moment of a fork, and let nobody open one until `resume`.

        SQLite keeps what it believes of its files' locks once for a process. A child that inherits open files takes no
        locks of its own, and what it commits can end up in a log that its parent deletes (sqlite.org/howtocorrupt.html,
        section 2.6).
        """
        self._gate.acquire()
        self._held = True
        deadline = time.monotonic() + _FORK_SECONDS
        while not self._close_idle() and time.monotonic() < deadline:
            self._gate.wait(_POLL)
        if self._opened:
            logger.warning("the catalog %s is in use while the process forks; do not use it in the child", self.path)
        self._watch_lock.acquire()
        if self._watch is not None:
            self._watch.close()
        self._watch = None

    def _close_idle(self) -> bool:
        """Close what is idle; tell whether nothing is lent any more."""
        with suppress(IndexError):
            while True:
                self._idle.pop().close()
                self._opened -= 1
        return self._opened == 0

    def resume(self) -> None:
        """Go on in the parent after a fork."""
        self._held = False
        self._watch_lock.release()
        self._gate.notify_all()
        self._gate.release()

    def renew(self) -> None:
        """Begin anew in a forked child."""
        self._gate = threading.Condition(threading.Lock())
        self._held = False
        self._opened = 0
        self._mine = threading.local()
        self._watch = None
        self._watch_lock = threading.Lock()


class Lent:
    """A connection for the length of a block; what SQLite raises in it is told as callers understand it.

    A class, since it costs a change less than a generator does.
    """

    def __init__(self, connections: Connections) -> None:
        self._connections = connections

    def __enter__(self) -> apsw.Connection:
        self._connection, self._idle = self._connections.borrow()
        return self._connection

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if isinstance(error, (apsw.Error, UnicodeDecodeError)):
                raise translated(error, self._connections.path, self._connection) from error
        finally:
            self._connections.give_back(self._connection, self._idle)


def translated(error: Exception, path: str, connection: apsw.Connection | None = None) -> Exception:
    """Give what a caller can understand of SQLite's errors."""
    code = connection.system_errno if connection is not None and isinstance(error, apsw.IOError) else 0
    is_header = isinstance(error, apsw.ReadOnlyError) and os.access(path, os.W_OK)  # it names a format to come
    if isinstance(error, _DAMAGE) or is_header:
        reason = str(error).replace("not an error", "it cannot be copied")
        return DamagedDatastoreException(
            f"the catalog {path} is damaged ({reason}); `monailabel-datastore check --repair` on its folder "
            "sets it aside and keeps all of it that can be read"
        )
    if isinstance(error, apsw.FullError) or code in _NO_SPACE:
        return OSError(
            code or errno.ENOSPC,
            "no space left on the catalog's disk; make room, or open the datastore read-only to look at it",
            path,
        )
    if isinstance(error, apsw.ReadOnlyError):
        return PermissionError(
            errno.EACCES,
            "the catalog cannot be written; open the datastore read-only (read_only=True, --read-only) to look at it",
            path,
        )
    if isinstance(error, apsw.BusyError):
        return OSError(errno.EBUSY, "another program holds the catalog for a minute already; try again", path)
    if isinstance(error, apsw.CantOpenError) and not os.path.isdir(os.path.dirname(path)):
        return FileNotFoundError(errno.ENOENT, "the catalog's disk is gone, or the folder was moved", path)
    if isinstance(error, apsw.CantOpenError) and not os.path.lexists(path):
        return FileNotFoundError(errno.ENOENT, "the catalog is gone: whoever opens the datastore anew makes it", path)
    if isinstance(error, (apsw.IOError, apsw.CantOpenError)):
        return OSError(errno.EIO, f"the catalog cannot be read or written ({error})", path)
    return error


def _inode(path: str) -> int | None:
    try:
        return os.stat(path).st_ino
    except FileNotFoundError:
        return None


_holding: "list[Connections]" = []


def _before_fork() -> None:
    _forking.acquire()
    _holding[:] = list(_open)
    for connections in _holding:
        connections.hold()


def _after_fork_in_parent() -> None:
    try:
        while _holding:
            _holding.pop().resume()
    finally:
        _forking.release()


def _after_fork() -> None:
    global _forking
    _forking = threading.Lock()
    _holding.clear()
    for connections in list(_open):
        connections.renew()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(before=_before_fork, after_in_parent=_after_fork_in_parent, after_in_child=_after_fork)


def copy_catalog(source: str, target: str) -> None:
    """Copy a catalog that others may be writing to over another one, without writing a byte beside it.

    Raises DamagedDatastoreException where it is damaged.

    The shared-memory file of SQLite's write-ahead log is opened read-only (https://sqlite.org/wal.html#readonly). Where
    it is missing nobody has the catalog open; a log without it is read from a copy.
    """
    try:
        _copy(source, target)
    except apsw.Error as error:
        raise translated(error, source) from error


def _copy(source: str, target: str) -> None:
    from urllib.parse import quote

    has_log, has_memory = (os.path.exists(source + suffix) for suffix in ("-wal", "-shm"))
    if has_log and not has_memory:
        spare = target + ".spare"
        for suffix in ("", "-wal"):
            shutil.copyfile(source + suffix, spare + suffix)
        _copy_over(apsw.Connection(spare), target)
        return
    how = "mode=ro&readonly_shm=1" if has_log else "immutable=1"
    flags = apsw.SQLITE_OPEN_READONLY | apsw.SQLITE_OPEN_URI
    _copy_over(apsw.Connection(f"file:{quote(source)}?{how}", flags=flags), target)


def _copy_over(theirs: apsw.Connection, target: str) -> None:
    ours = apsw.Connection(target)
    try:
        for connection in (theirs, ours):
            connection.set_busy_timeout(_BUSY_MS)
        with ours.backup("main", theirs, "main") as backup:
            backup.step()
    finally:
        theirs.close()
        ours.close()
