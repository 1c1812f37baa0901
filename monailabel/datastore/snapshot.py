"""datastore_v2.json, the catalog's snapshot for other programs: replaced whole, and merged where others edited it."""

import filecmp
import json
import logging
import os
import secrets
import stat
import tempfile
import time
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from monailabel.catalog.sqlite import SqliteCatalog
from monailabel.datastore import composing, note
from monailabel.datastore.composing import Composed, compose
from monailabel.datastore.note import NOTHING, Signature, Written, signature, signature_of
from monailabel.datastore.objects import whole, with_refused
from monailabel.datastore.parsing import parse, patient, read_file
from monailabel.files import disk
from monailabel.files.copying import copy_bytes
from monailabel.files.entering import entered, open_regular
from monailabel.files.locking import FolderLock
from monailabel.files.sharing import share_with_group, sync_folder
from monailabel.interfaces.exception import DamagedDatastoreException

if TYPE_CHECKING:
    from monailabel.documents import LocalDatastoreModel

logger = logging.getLogger(__name__)

NAME, DESCRIPTION = "new-dataset", "New Dataset"  # of a datastore that nobody named yet
_LARGE = 1 << 16  # bytes
_EACH = 3e-6  # seconds that a file costs in a snapshot, until one has been written
_SPARED = 0.2  # of them where the pages of the last one can be had
_CHEAP_OBJECTS = 100  # with more files than that, the snapshot is written in the background
_DEAD = 3600.0  # seconds after which nobody is still at writing one


class EditedElsewhere(Exception):
    """Another program changed the document since we wrote it: its changes are to be taken in first."""


@dataclass(frozen=True, slots=True)
class News:
    """A document that another program changed, the one that we wrote last, and how the file looked.

    The base is None where nobody knows any more what we wrote: the document may then be an older one of ours.
    """

    theirs: "LocalDatastoreModel"
    base: "LocalDatastoreModel | None"
    signature: Signature


class Snapshot:
    """The document, the copy of it that we wrote last, and the lock that MONAI Label guards it with."""

    def __init__(self, path: str, state: str, *, private: bool) -> None:
        self.path = path
        self._private = private  # not a byte is written beside the document, not even its lock
        self._catalog: SqliteCatalog | None = None
        self._identity = ""
        self._base = os.path.join(state, "snapshot.json")
        self._next = os.path.join(state, "snapshot.next")  # the copy of one that may not be in its place yet
        self._note = os.path.join(state, "snapshot.note")
        self._parts = os.path.join(state, "snapshot.parts")  # what pages the copy has
        self._lock = FolderLock(os.path.join(os.path.dirname(path), ".lock"), like=os.path.dirname(path))
        self._composed: Composed | None = None  # what the copy has
        self.cost = 0.0  # seconds that the last one took, or the first one will take
        self.is_large = False

    def attach(self, catalog: SqliteCatalog) -> None:
        """Name the catalog that it is a snapshot of; what was noted for another one, lost meanwhile, does not count."""
        self._catalog = catalog
        self._identity = catalog.settings().get("identity", "")
        self.cost = self._objects() * _EACH

    def forget_before(self, seq: int) -> None:
        """After a loss: let the document count as another program's if it may show more than the catalog's events."""
        written = self._written()
        if written is None or written.seq <= seq:
            return
        if self._private:
            self._identity = ""
        else:
            os.unlink(self._note)

    def close(self) -> None:
        """Close the lock file."""
        self._lock.close()

    def renew(self) -> None:
        """Forget what was inherited from a parent process."""
        self._lock.renew()

    # -- writing -------------------------------------------------------------------------------------------------------

    def is_cheap(self) -> bool:
        """Tell whether writing it takes about a millisecond; of a large datastore that is not asked anew each time."""
        assert self._catalog is not None
        if self.is_large:
            return False
        objects = self._objects()
        self.is_large = objects > 2 * _CHEAP_OBJECTS
        return objects <= _CHEAP_OBJECTS

    def _objects(self) -> int:
        assert self._catalog is not None
        return sum(self._catalog.tallies().values())

    def expected(self) -> float:
        """Give about how many seconds the next one will take: the pages of the last one spare it most of them."""
        return self._objects() * _EACH * (_SPARED if self._last() is not None else 1)

    def is_stale(self) -> bool:
        """Tell whether the catalog has events that the document does not show, or the document is gone."""
        assert self._catalog is not None
        written = self._written()
        return written is None or written.seq < self._catalog.last_event() or not self.is_there()

    def is_there(self) -> bool:
        """Tell whether there is a document, of whatever age."""
        return signature(self.path) is not None

    def is_durable(self) -> bool:
        """Tell whether a power loss would leave the document as it is."""
        written = self._written()
        return written is not None and written.is_durable

    def damaged(self) -> list[str]:
        """Give those of the document and the copy of it that are not as we wrote them, though nobody edited them."""
        with tempfile.TemporaryDirectory(prefix="monailabel-") as folder:
            right = os.path.join(folder, "right.json")
            seq = self._write_into(right).head[0]
            with nullcontext() if self._private else self._lock:
                written = self._written()
                if written is None or written.seq != seq or written.signature != signature(self.path):
                    return []  # it is older than the catalog, or another program's
                return [path for path in (self.path, self._base) if not _is_same(path, right)]

    def write(self, *, durable: bool = False, damaged: bool = False) -> None:
        """Bring the document up to date; the older of two never replaces the newer.

        One that is `damaged` is written anew though it is current, whatever it holds. Raises EditedElsewhere if another
        program changed the document.
        """
        assert self._catalog is not None
        begin = time.monotonic()
        with self._temporary(self._next, secrets.token_hex(4)) as fresh:
            composed = self._write_into(fresh, None if damaged else self._last())
            with self._lock:
                written = self._written()
                there = signature(self.path)
                if damaged:
                    pass
                elif there is not None and (written is None or there != written.signature):
                    if self._read_base(there) != read_file(self.path):
                        raise EditedElsewhere(self.path)
                elif there and written and written.seq >= composed.head[0]:
                    is_newer = written.seq > composed.head[0]
                    if is_newer or written.is_durable or not durable:
                        return
                self._put(fresh, self._next, durable=durable)
                with self._temporary(self.path) as copy:
                    with open(self._next, "rb") as ours, open(copy, "xb") as theirs:
                        copy_bytes(ours.fileno(), theirs.fileno())
                    self._put(copy, self.path, durable=durable)
                own = os.path.dirname(fresh)
                os.replace(f"{own}/{os.path.basename(self._next)}", f"{own}/{os.path.basename(self._base)}")
                self._composed = replace(composed, signature=signature(self._base))
                if len(composed.parts) > 1:
                    self._replace(self._parts, composing.noted(self._composed))
                self._take_note(composed.head[0], composed.checksum, durable=durable)
        self.cost = time.monotonic() - begin

    def _last(self) -> Composed | None:
        """Give what was written last, by whomever."""
        if self._composed is None or self._composed.signature != signature(self._base):
            self._composed = composing.read(read_file(self._parts))
        return self._composed

    def _write_into(self, path: str, last: Composed | None = None) -> Composed:
        """Write the document as it is now, of what stays of the `last` one."""
        assert self._catalog is not None
        with open(path, "xb") as file, self._catalog.document() as pages:
            self._make_room(file.fileno())
            if refused := pages.refused():
                data = json.dumps(with_refused(whole(pages), json.loads(refused)), indent=2).encode()
                file.write(data)
                composed = Composed(pages.head(), zlib.crc32(data), ())
            else:
                composed = compose(pages, file, last, self._base)
            file.truncate()
            return composed

    def _make_room(self, file: int) -> None:
        """Give a file the room that the document needed last, if it was large.

        Of a file without, ext4 writes all bytes out when it is renamed over another (auto_da_alloc in ext4(5)); only
        the document itself is worth that. Network disks may give room by writing to each block: they are spared it.
        """
        with suppress(OSError, AttributeError):  # there is no copy yet; the disk or system has no such thing
            size = os.stat(self._base).st_size
            if size > _LARGE and not disk.is_network(self._base):
                os.posix_fallocate(file, 0, size)

    def _forget_next(self) -> None:
        with suppress(FileNotFoundError):
            os.unlink(self._next)

    def _take_note(self, seq: int, checksum: int, *, durable: bool = False) -> None:
        """Note how the document looks that we wrote; `durable` where what the note speaks of was synced."""
        if durable:
            sync_folder(os.path.dirname(self.path))
            sync_folder(os.path.dirname(self._base))
        noted = note.text(self._identity, seq, signature(self.path), durable=durable, checksum=checksum)
        self._replace(self._note, noted, durable=durable)

    def _replace(self, path: str, data: bytes, *, durable: bool = False) -> None:
        with self._temporary(path) as fresh:
            with open(fresh, "xb") as file:
                file.write(data)
            self._put(fresh, path, durable=durable)

    @contextmanager
    def _temporary(self, path: str, end: str = "new") -> Iterator[str]:
        """Give a name beside a file for what will take its place; a file that has it, before or at the end, is removed.

        Under the lock one `end` does for all, so that what a killed process leaves gives way to what comes next.
        """
        folder, name = os.path.split(path)
        with entered(os.path.dirname(folder), os.path.basename(folder)) as inside:
            temporary = f"{inside}/.{name}.{end}"
            try:
                os.unlink(temporary)
            except FileNotFoundError:
                pass
            except OSError:  # a folder, or not ours to remove
                temporary = f"{temporary}.{secrets.token_hex(4)}"
            try:
                yield temporary
            finally:
                with suppress(OSError):
                    os.unlink(temporary)

    def sweep(self) -> None:
        """Remove documents that were begun without the lock and whose writers must be dead by now."""
        state, name = os.path.split(self._next)
        with os.scandir(state) as entries:
            for entry in entries:
                with suppress(OSError):  # it may have come to its end
                    if entry.name.startswith(f".{name}.") and time.time() - os.lstat(entry.path).st_mtime > _DEAD:
                        os.unlink(entry.path)

    def _put(self, temporary: str, path: str, *, durable: bool = False) -> None:
        """Put a new file in the place of an old one, with its permissions."""
        with suppress(PermissionError):
            self._share(temporary, path)
        if durable:
            with open(temporary, "rb+") as file:
                os.fsync(file.fileno())
        os.replace(temporary, os.path.join(os.path.dirname(temporary), os.path.basename(path)))

    def _share(self, temporary: str, path: str) -> None:
        """Give a new document the permissions of the one it replaces, and the group what the folder gives it."""
        with suppress(FileNotFoundError):
            facts = os.lstat(path)
            if stat.S_ISREG(facts.st_mode):
                os.chmod(temporary, stat.S_IMODE(facts.st_mode))
        share_with_group(temporary, os.path.dirname(self.path))

    # -- reading -------------------------------------------------------------------------------------------------------

    def current(self) -> bytes | None:
        """Give the document's bytes where they are what we wrote and show the newest event; None where they may not."""
        assert self._catalog is not None
        written = None if self._private else self._written()  # a reader's own events have numbers of its own
        if written is None or written.seq != self._catalog.last_event() or "refused" in self._catalog.settings():
            return None
        try:
            with os.fdopen(open_regular(self.path, getattr(os, "O_NOFOLLOW", 0)), "rb") as file:
                before, data, after = os.fstat(file.fileno()), file.read(), os.fstat(file.fileno())
        except OSError:
            return None
        is_as_written = signature_of(before) == signature_of(after) == written.signature
        return data if is_as_written and zlib.crc32(data) == written.checksum else None

    def is_edited(self) -> bool:
        """Tell whether the document does not look as we left it."""
        there = signature(self.path)
        written = self._written()
        return there is not None and (written is None or there != written.signature)

    def read(self) -> "LocalDatastoreModel | None":
        """Read the document as it is; None if there is none.

        Raises DamagedDatastoreException if it cannot be read.
        """
        if self._private:
            return patient(self.path)
        with self._lock:
            data = read_file(self.path)
        return None if data is None else parse(data, self.path)

    def news(self) -> News | None:
        """Give what another program wrote into the document since we did; None if it did not.

        The caller holds the writer's lock: else a document could be compared with a base that is newer than itself.
        Raises DamagedDatastoreException if it cannot be read.
        """
        if self._private:
            theirs = patient(self.path)
            return News(theirs, self._parsed(self._read_base(signature(self.path))), (0, 0, 0)) if theirs else None
        with self._lock:
            data, there = read_file(self.path), signature(self.path)
            if data is None or there is None:
                return None
            base = self._read_base(there)
            if data == base:  # the same bytes under a new time stamp
                written = self._written()
                self._replace(self._base, data)
                self._forget_next()
                self._take_note(written.seq if written else NOTHING, zlib.crc32(data))
                return None
            return News(parse(data, self.path), self._parsed(base), there)

    def accept(self, news: News) -> None:
        """Note that these news are in the catalog."""
        with self._lock:
            data = read_file(self.path)
            if data is not None and signature(self.path) == news.signature:
                self._replace(self._base, data)
                self._forget_next()
                self._take_note(NOTHING, zlib.crc32(data))

    def set_aside(self) -> None:
        """Give a document that cannot be read another name."""
        aside = f"{self.path}.damaged-{time.strftime('%Y%m%d-%H%M%S')}-{secrets.token_hex(2)}"
        with self._lock:
            data = read_file(self.path)
            if data is None:
                return
            try:
                parse(data, self.path)
            except DamagedDatastoreException:
                os.rename(self.path, aside)
                logger.error("%s cannot be read; it is set aside as %s and written anew", self.path, aside)

    def _parsed(self, base: bytes | None) -> "LocalDatastoreModel | None":
        try:
            return None if base is None else parse(base, self._base)
        except DamagedDatastoreException:
            return None

    def _read_base(self, there: Signature | None) -> bytes | None:
        """Give what we wrote last into the document that looks like this; None if we never did, or cannot know.

        A writer that died between the document and its copy leaves both copies: the newer one belongs to the document
        if that is another file than the one noted.
        """
        written = self._written()
        if written is None:
            return None
        newer = read_file(self._next) if there is None or there[2] != written.signature[2] else None
        return newer if newer is not None else read_file(self._base)

    def _written(self) -> Written | None:
        assert self._catalog is not None
        return note.read(read_file(self._note), self._identity, self._catalog.last_event)


def _is_same(path: str, right: str) -> bool:
    try:
        return filecmp.cmp(path, right, shallow=False)
    except FileNotFoundError:
        return False
