"""Mounts that a process has for itself: nobody else sees them, and they go with it."""

import ctypes
import os
from pathlib import Path

# <linux/sched.h>, <linux/mount.h>
CLONE_NEWNS, CLONE_NEWUSER = 0x20000, 0x10000000
MS_BIND, MS_REC, MS_PRIVATE, MNT_DETACH = 1 << 12, 1 << 14, 1 << 18, 2
LIBC = ctypes.CDLL(None, use_errno=True)


def mount(call: str, *arguments: str | int | None) -> None:
    """Make one of the system calls about mounts."""
    values = [value.encode() if isinstance(value, str) else value for value in arguments]
    if getattr(LIBC, call)(*values):
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()), call)


def own_mounts() -> bool:
    """Let this process mount what nobody else sees and what goes with it; False where the machine does not allow it."""
    user, group = os.getuid(), os.getgid()
    for flags in (CLONE_NEWNS, CLONE_NEWNS | CLONE_NEWUSER):
        if LIBC.unshare(flags) == 0:
            break
    else:
        return False
    try:
        if flags & CLONE_NEWUSER:
            Path("/proc/self/uid_map").write_text(f"0 {user} 1")
            Path("/proc/self/setgroups").write_text("deny")
            Path("/proc/self/gid_map").write_text(f"0 {group} 1")
        mount("mount", None, "/", None, MS_REC | MS_PRIVATE, None)
        return True
    except OSError:
        return False
