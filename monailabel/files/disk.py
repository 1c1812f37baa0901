"""What kind of disk a folder lies on: its clock's steps, other machines that write to it, names it takes for one."""

import os
import unicodedata
from functools import lru_cache

from monailabel import naming

# Their time stamps come from the kernel's clock, which moves every 1 to 10 ms.
_FINE = frozenset(["ext2", "ext3", "ext4", "xfs", "btrfs", "tmpfs", "overlay", "zfs", "f2fs", "bcachefs"])
_NETWORK = frozenset(["nfs", "nfs4", "cifs", "smb3", "smbfs", "9p", "afs", "ceph", "glusterfs", "lustre", "fuse.sshfs"])


def kind(path: str) -> str:
    """Give the type of a path's file system, such as `ext4` or `nfs4`; `""` where the system does not say."""
    real = os.path.realpath(path)
    best, found = "", ""
    for mount, name in _mounts(_mounts_stamp()):
        if (real + "/").startswith(mount.rstrip("/") + "/") and len(mount) >= len(best):
            best, found = mount, name
    return found


def is_network(path: str) -> bool:
    """Tell whether other machines may write to the disk, where SQLite's write-ahead log does not work."""
    return kind(path) in _NETWORK


def is_one(one: str, other: str) -> bool:
    """Tell whether files can be moved between two folders: they lie on one disk, mounted once.

    A bind mount counts as another disk, which the system does not tell by its number (`fdinfo` in proc(5) does).
    """
    pair = []
    for path in (one, other):
        fd = os.open(path, getattr(os, "O_PATH", os.O_RDONLY))
        try:
            pair.append((os.fstat(fd).st_dev, _mount(fd)))
        finally:
            os.close(fd)
    return pair[0] == pair[1]


def _mount(fd: int) -> str:
    """Give the number of the mount that an open file is reached by, `""` where the system does not say."""
    try:
        with open(f"/proc/self/fdinfo/{fd}") as file:
            return next((line for line in file if line.startswith("mnt_id:")), "")
    except OSError:
        return ""


def clock_step_ns(path: str) -> int:
    """Give how old a folder's time stamp must be before one can be sure that it tells every change."""
    return 50_000_000 if kind(path) in _FINE else 2_000_000_000


def twin(path: str) -> str | None:
    """Give the other name under which the disk lists what a path leads to, where it ignores letter case or the like.

    None where nothing is there, or something under exactly that name.
    """
    folder, name = os.path.split(path)
    try:
        inode = os.lstat(path).st_ino
        if name.isascii() and not os.path.lexists(os.path.join(folder, name.swapcase())):
            return None  # the disk tells letter case apart, and this name has no other form
        with os.scandir(folder) as entries:
            listed = {entry.name: entry.inode() for entry in entries}
    except FileNotFoundError:
        return None
    if name in listed:
        return None
    alike = (other for other in listed if naming.folded(other) == naming.folded(name))
    return next(alike, None) or next((other for other, number in listed.items() if number == inode), None)


def folder_twin(path: str) -> str | None:
    """Give what `twin` does, for a folder among many: they are listed only where it answers to another form of it."""
    folder, name = os.path.split(path)
    forms = {name.swapcase(), *(unicodedata.normalize(form, name) for form in ("NFC", "NFD"))} - {name}
    return twin(path) if any(os.path.lexists(os.path.join(folder, form)) for form in forms) else None


def _mounts_stamp() -> bytes:
    try:
        with open("/proc/self/mountinfo", "rb") as file:
            return file.read()
    except OSError:
        return b""


@lru_cache(maxsize=2)
def _mounts(table: bytes) -> list[tuple[str, str]]:
    """Read mount points and types from the text of /proc/self/mountinfo (proc(5))."""
    rows = []
    for line in table.splitlines():
        fields = line.split(b" ")
        with_type = fields[fields.index(b"-") + 1]
        rows.append((os.fsdecode(_unescaped(fields[4])), with_type.decode()))
    return rows


def _unescaped(field: bytes) -> bytes:
    for code in (b"040", b"011", b"012", b"134"):
        field = field.replace(b"\\" + code, bytes([int(code, 8)]))
    return field
