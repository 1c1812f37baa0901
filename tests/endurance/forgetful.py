"""A disk that forgets: records what was written and synced, and tells what may be left when the power goes.

What holds on it is what POSIX promises, and a little more. Bytes of a file are durable once the file was synced; a name
once its folder was. Whatever was not may be there or not: any subset of the written blocks of 512 bytes, in any
combination with older ones, of any length that the file had since; any subset of the changed names. A name may lead to
a file none of whose bytes arrived. It is laxer than POSIX in three things. A rename (also from folder to folder, also
an exchange) happens as a whole or not at all, and a sync of either folder makes it durable; of two changes of one name
the later does not arrive without the earlier: so it is in every journal. And SQLite's "powersafe overwrite" holds:
writing a block does not damage its neighbours.
"""

import itertools
import os
import random
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from tests.endurance.calls import Call, stand_between

BLOCK = 512
Names = dict[tuple[int, str], int | None]  # (inode of a folder, name): inode of what the name leads to
_open = os.open  # as it is before somebody stands between


class Attributes(NamedTuple):
    """What a folder entry leads to, its bytes left out."""

    is_folder: bool
    mode: int
    mtime_ns: int


class Wrote(NamedTuple):
    """Blocks of a file changed, or its length."""

    inode: int
    blocks: dict[int, bytes]
    size: int
    attributes: Attributes


class Named(NamedTuple):
    """Names came, went or lead elsewhere, all in one call; the folders' attributes are those afterwards."""

    names: Names
    folders: dict[int, Attributes]


class Synced(NamedTuple):
    """A file's bytes, or a folder's names, are durable; all of them where there is no inode."""

    inode: int | None
    path: str


class Begun(NamedTuple):
    """What lay in the folder, of which this is the inode, is durable; from here on it is recorded."""

    root: int


class Noted(NamedTuple):
    """Whoever is recorded has something to say."""

    what: Any


Entry = Wrote | Named | Synced | Begun | Noted


class Recorder:
    """Looks at a whole folder before and after each call of this process; what changed goes into the log."""

    def __init__(self, folder: str) -> None:
        self.log: list[Entry] = []
        self._root = os.path.realpath(folder)
        self._files: dict[int, int] = {}  # descriptors by inode: kept open, so that no inode's number is given twice
        self._bytes: dict[int, tuple[bytes, Attributes]] = {}
        self._names: Names = {}
        self._folders: dict[int, Attributes] = {}
        self._looking = threading.Lock()
        self.look()
        self.log.append(Begun(os.stat(self._root).st_ino))
        stand_between(self._root, self._around)

    def note(self, what: Any) -> None:
        """Add something to the log."""
        self.look()
        self.log.append(Noted(what))

    @contextmanager
    def _around(self, call: Call) -> Iterator[None]:
        self.look()
        inode = self._inode(call.path) if call.syncs else None
        yield
        if call.name == "syncfs":
            self.log.append(Synced(None, "disk"))
        elif inode is not None:
            self.log.append(Synced(inode, os.path.relpath(call.path, self._root)))
        self.look()

    def _inode(self, path: str) -> int | None:
        try:
            return os.stat(path).st_ino
        except FileNotFoundError:
            return None

    def look(self) -> None:
        """Compare the folder with what it was at the last look, one thread after the other."""
        with self._looking:
            self._look()

    def _look(self) -> None:
        names: Names = {}
        folders: dict[int, Attributes] = {}
        writes = list(self._walk(self._root, names, folders))
        changed = {
            key: names.get(key) for key in names.keys() | self._names.keys() if names.get(key) != self._names.get(key)
        }
        self.log.extend(writes)
        if changed:
            self.log.append(Named(changed, folders))
        self._names, self._folders = names, folders

    def _walk(self, path: str, names: Names, folders: dict[int, Attributes]) -> Iterator[Wrote]:
        facts = os.stat(path)
        folders[facts.st_ino] = _attributes(facts)
        with os.scandir(path) as entries:
            found = sorted(entries, key=lambda entry: entry.name)
        for entry in found:
            names[facts.st_ino, entry.name] = entry.inode()
            if entry.is_dir(follow_symlinks=False):
                yield from self._walk(entry.path, names, folders)
            else:
                yield from self._read(entry.path, entry.inode())

    def _read(self, path: str, inode: int) -> Iterator[Wrote]:
        if inode not in self._files:
            self._files[inode] = _open(path, os.O_RDONLY | os.O_NOFOLLOW)
        facts = os.fstat(self._files[inode])
        new, attributes = os.pread(self._files[inode], facts.st_size, 0), _attributes(facts)
        old, known = self._bytes.get(inode, (b"", None))
        if new != old or attributes != known:
            self._bytes[inode] = new, attributes
            yield Wrote(inode, _changed(old, new), len(new), attributes)


def _attributes(facts: os.stat_result) -> Attributes:
    return Attributes(facts.st_mode & 0o170000 == 0o040000, facts.st_mode & 0o7777, facts.st_mtime_ns)


def _changed(old: bytes, new: bytes) -> dict[int, bytes]:
    starts = range(0, len(new), BLOCK)
    return {at: new[at : at + BLOCK] for at in starts if new[at : at + BLOCK] != old[at : at + BLOCK]}


# -- forgetting --------------------------------------------------------------------------------------------------------


@dataclass
class _Bytes:
    """A file's durable bytes, and what was written since it was synced last."""

    durable: bytes = b""
    attributes: Attributes | None = None
    since: list[Wrote] = field(default_factory=list)

    def left(self, chance: random.Random, share: float) -> tuple[bytes, Attributes]:
        if self.attributes and not self.since:
            return self.durable, self.attributes
        blocks = [(at, data) for wrote in self.since for at, data in wrote.blocks.items() if chance.random() < share]
        kept = [wrote for wrote in self.since if chance.random() < share]
        size = chance.choice(kept).size if 0 < share < 1 and kept else kept[-1].size if kept else len(self.durable)
        data = bytearray(self.durable)
        for at, block in blocks:
            data.extend(bytes(max(0, at + len(block) - len(data))))
            data[at : at + len(block)] = block
        data.extend(bytes(max(0, size - len(data))))
        attributes = kept[-1].attributes if kept else self.attributes or self.since[0].attributes
        return bytes(data[:size]), attributes

    def sync(self) -> None:
        if self.since:
            self.durable, self.attributes = self.left(random.Random(0), 1.0)
            self.since.clear()


Remains = dict[str, tuple[int, Attributes, bytes]]
"""What is left: by relative path ("" is the folder itself) inode, attributes and bytes."""


class Disk:
    """What of a log is durable, and what may be left when the power goes at this moment.

    `deaf` tells of which paths a sync is not heard, as if the datastore did not ask for it.
    """

    def __init__(self, deaf: Callable[[str], bool] = lambda _: False) -> None:
        self._deaf = deaf
        self._files: dict[int, _Bytes] = {}
        self._names: Names = {}
        self._folders: dict[int, Attributes] = {}
        self._since: list[Named] = []  # not durable yet
        self._root = 0

    def take(self, entry: Entry) -> None:
        """Take what happened next."""
        if isinstance(entry, Wrote):
            self._files.setdefault(entry.inode, _Bytes()).since.append(entry)
        elif isinstance(entry, Named):
            self._since.append(entry)
        elif isinstance(entry, Begun):
            self._root = entry.root
            self._sync(None)
        elif isinstance(entry, Synced) and not self._deaf(entry.path):
            self._sync(entry.inode)

    def _sync(self, inode: int | None) -> None:
        for file in [self._files[inode]] if inode in self._files else [] if inode else self._files.values():
            file.sync()
        touches = [inode is None or any(folder == inode for folder, _ in n.names) for n in self._since]
        made = _with_causes(self._since, touches)
        for named in itertools.compress(self._since, made):
            self._apply(named, self._names, self._folders)
        self._since = [named for named, is_made in zip(self._since, made, strict=True) if not is_made]

    def _apply(self, named: Named, names: Names, folders: dict[int, Attributes]) -> None:
        names.update(named.names)
        folders.update(
            {i: a for i, a in named.folders.items() if any(f == i for f, _ in named.names) or i not in folders}
        )

    def left(self, chance: random.Random, share: float) -> Remains:
        """Give what is left where of all that is not durable a share (0 to 1) arrived nevertheless."""
        names, folders = dict(self._names), dict(self._folders)
        arrived = _with_causes(self._since, [chance.random() < share for _ in self._since])
        for named in itertools.compress(self._since, arrived):
            self._apply(named, names, folders)
        within: dict[int, dict[str, int]] = {}
        for (folder, name), inode in names.items():
            if inode is not None:
                within.setdefault(folder, {})[name] = inode
        return dict(self._below("", self._root, within, folders, chance, share))

    def _below(self, path: str, inode: int, within: Any, folders: Any, chance: Any, share: float) -> Iterator[Any]:
        if inode not in folders and inode in self._files:
            data, attributes = self._files[inode].left(chance, share)
            yield path, (inode, attributes, data)
            return
        yield path, (inode, folders.get(inode) or Attributes(True, 0o755, 0), b"")
        for name, child in sorted(within.get(inode, {}).items()):
            yield from self._below(f"{path}/{name}".lstrip("/"), child, within, folders, chance, share)


def _with_causes(changes: list[Named], wanted: list[bool]) -> list[bool]:
    """Want also those changes of names that a wanted one came after in the same place."""
    wanted, places = wanted.copy(), set[tuple[int, str]]()
    for number in reversed(range(len(changes))):
        wanted[number] |= not places.isdisjoint(changes[number].names)
        if wanted[number]:
            places |= changes[number].names.keys()
    return wanted


def rebuild(remains: Remains, folder: str) -> dict[int, int]:
    """Make a folder of what is left; give the inodes that its files had by those that they have now."""
    inodes: dict[int, int] = {}
    for path, (inode, attributes, data) in remains.items():
        place = os.path.join(folder, path)
        if attributes.is_folder:
            os.mkdir(place)
        else:
            with open(place, "xb") as file:
                file.write(data)
            os.utime(place, ns=(attributes.mtime_ns, attributes.mtime_ns))
        os.chmod(place, attributes.mode)
        inodes[os.stat(place).st_ino] = inode
    for path, (_, attributes, _) in reversed(remains.items()):
        if attributes.is_folder:
            os.utime(os.path.join(folder, path), ns=(attributes.mtime_ns, attributes.mtime_ns))
    return inodes


# -- the same inodes ---------------------------------------------------------------------------------------------------


@contextmanager
def same_inodes(inodes: dict[int, int]) -> Iterator[None]:
    """Have this process see each file under the inode that it had, and new files under numbers of their own."""

    def shown(inode: int) -> int:
        return inodes.get(inode, inode + (1 << 40))

    def telling(function: Callable[..., os.stat_result]) -> Callable[..., os.stat_result]:
        def call(*arguments: Any, **more: Any) -> os.stat_result:
            return _with_inode(function(*arguments, **more), shown)

        return call

    before = os.stat, os.lstat, os.fstat, os.scandir
    os.stat, os.lstat, os.fstat = (telling(function) for function in before[:3])  # type: ignore[assignment]
    os.scandir = lambda path=".": _Entries(before[3](path), shown)  # type: ignore[assignment,misc]
    try:
        yield
    finally:
        os.stat, os.lstat, os.fstat, os.scandir = before  # type: ignore[assignment]


def _with_inode(facts: os.stat_result, shown: Callable[[int], int]) -> os.stat_result:
    named = {
        name: getattr(facts, name) for name in ("st_atime_ns", "st_mtime_ns", "st_ctime_ns", "st_blocks", "st_blksize")
    }
    times = {name: getattr(facts, name) for name in ("st_atime", "st_mtime", "st_ctime")}
    return os.stat_result((facts[0], shown(facts[1]), *facts[2:10]), named | times)


class _Entries:
    """A folder's entries, as os.scandir gives them."""

    def __init__(self, entries: Any, shown: Callable[[int], int]) -> None:
        self._entries, self._shown = entries, shown

    def __iter__(self) -> Iterator[Any]:
        return (_Entry(entry, self._shown) for entry in self._entries)

    def __enter__(self) -> "_Entries":
        return self

    def __exit__(self, *error: object) -> None:
        self._entries.close()


class _Entry:
    """One entry."""

    def __init__(self, entry: os.DirEntry[str], shown: Callable[[int], int]) -> None:
        self._entry, self._shown = entry, shown

    def __getattr__(self, name: str) -> Any:
        return getattr(self._entry, name)

    def __fspath__(self) -> str:
        return self._entry.path

    def inode(self) -> int:
        return self._shown(self._entry.inode())

    def stat(self, *, follow_symlinks: bool = True) -> os.stat_result:
        return _with_inode(self._entry.stat(follow_symlinks=follow_symlinks), self._shown)
