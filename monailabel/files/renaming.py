"""Putting a file in its place in one step, so that there is never a moment without a file."""

import ctypes
import errno
import os
import sys
from collections.abc import Callable

_AT_FDCWD = -100
_NOREPLACE, _EXCHANGE = 1, 2  # <linux/fs.h>
_UNSUPPORTED = (errno.ENOSYS, errno.EINVAL, errno.ENOTSUP, errno.EOPNOTSUPP)


def _find_renameat2() -> Callable[[bytes, bytes, int], None] | None:
    if not sys.platform.startswith("linux"):
        return None
    function = getattr(ctypes.CDLL(None, use_errno=True), "renameat2", None)
    if function is None:
        return None
    function.argtypes = (ctypes.c_int, ctypes.c_char_p, ctypes.c_int, ctypes.c_char_p, ctypes.c_uint)

    def renameat2(source: bytes, target: bytes, flags: int) -> None:
        if function(_AT_FDCWD, source, _AT_FDCWD, target, flags):
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code), os.fsdecode(source), None, os.fsdecode(target))

    return renameat2


_renameat2 = _find_renameat2()


def place(source: str, target: str) -> None:
    """Give a file a new name, raising FileExistsError where that name is taken."""
    if _renameat2 is not None:
        try:
            _renameat2(os.fsencode(source), os.fsencode(target), _NOREPLACE)
            return
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                raise
    try:
        os.link(source, target, follow_symlinks=False)
    except FileExistsError:
        raise
    except OSError:  # a disk without links (FAT): looking first is the best there is
        if os.path.lexists(target):
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), target) from None
        os.rename(source, target)
    else:
        os.unlink(source)


def swap(source: str, target: str, out: str) -> None:
    """Put `source` in the place of `target`, which goes to `out`; FileNotFoundError where there is no `target`.

    Cut short, it leaves `source` where it was, or what came out under the name `source`.
    """
    if _renameat2 is not None:
        try:
            _renameat2(os.fsencode(source), os.fsencode(target), _EXCHANGE)
            os.rename(source, out)
            return
        except OSError as error:
            if error.errno not in _UNSUPPORTED:
                raise
    _swap_by_link(source, target, out)


def _swap_by_link(source: str, target: str, out: str) -> None:
    if os.path.lexists(out):  # an attempt that was cut short
        os.unlink(out)
    try:
        os.link(target, out, follow_symlinks=False)
    except FileNotFoundError:
        raise
    except OSError:  # a disk without links: the old file goes first, the only way left
        os.rename(target, out)
    os.replace(source, target)
