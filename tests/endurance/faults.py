"""What the processes of the disk-fault tests do: make every kind of change while the disk refuses this or that."""

import errno
import logging
import os
import resource
import shutil
import tempfile
import threading
import traceback
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Protocol

import apsw

import monailabel.datastore.change as change_protocol
from monailabel.datastore.check import check
from monailabel.datastore.local import LocalDatastore
from monailabel.interfaces.exception import MONAILabelException
from tests.endurance.calls import Call, stand_between
from tests.endurance.judging import State, observed, view
from tests.endurance.kinds import KINDS, state_after
from tests.endurance.mounts import MNT_DETACH, MS_BIND, mount, own_mounts
from tests.endurance.workers import apply

STEPS = ("stage", "commit", "publish")
FREEING = ("unlink", "remove", "rmdir", "truncate", "ftruncate", "chmod", "fchmod", "chown", "utime")
NOBODY = 65534
SCRATCH = Path(tempfile.gettempdir())  # what is brought lies on a sound disk


class Fault(Protocol):
    """Something that a disk does, and which codes the errors have that come of it (none: any)."""

    codes: tuple[int, ...]

    def begin(self) -> None:
        """Have it happen from now on."""

    def end(self) -> None:
        """Have all well again."""


def endure(
    home: Path, kind: str, fault: Fault, begin: Callable[[], None], *, readable: bool = True
) -> Exception | None:
    """Make a change in `home`/studies, calling `begin` first; check what must hold, and give the error raised.

    An error leaves the old state, and the same call succeeds when the fault is over; without one the new state stands.
    """
    after = state_after(KINDS[kind])
    with LocalDatastore(str(home / "studies")) as store:
        error = None
        begin()
        try:
            apply(store, KINDS[kind], SCRATCH)
        except (OSError, MONAILabelException) as raised:
            error = raised
            assert str(error) and "apsw" not in str(error).lower(), error
        accepted = left_by_error(kind) if error else [after]
        if readable:
            assert view(store) in accepted, "while it lasts, something else stands"
        fault.end()
        assert view(store) in accepted, "afterwards something else stands"
        if error:
            apply(store, KINDS[kind], SCRATCH)
            assert view(store) == after, "tried again, it did not succeed"
    assert observed(home / "studies") == after
    findings = [finding.what for finding in check(home / "studies", low_space=0) if finding.stands]
    staged = os.listdir(home / "studies" / ".monailabel" / "staging")
    assert not findings and not staged, (findings, staged)
    return error


def left_by_error(kind: str) -> list[State]:
    """Give the states that may stand after an error: the old one, and of what is several changes also those between."""
    change = KINDS[kind]
    if change["kind"] == "purge":  # removed first, and then erased
        return [state_after(), state_after(change)]
    if change["kind"] == "add_images":  # those before the one that was refused
        return [state_after(*change["of"][:number]) for number in range(len(change["of"]) + 1)]
    return [state_after()]


def all_steps(home: Path, kinds: list[str], fault: Fault, template: str, *, readable: bool = True) -> Iterator[str]:
    """Have a fault begin before the opening, and with each step of each kind of change; tell what is wrong."""
    if readable:
        yield from opening(home, fault, template)
    refused = Counter[str]()
    for kind in kinds:
        for step in STEPS:
            shutil.copytree(template, home / "studies", symlinks=True)
            try:
                error = endure(home, kind, fault, partial(begin_with, step, fault), readable=readable)
                refused[step] += error is not None
                code = getattr(error, "errno", None)
                assert not error or not fault.codes or code in fault.codes, f"unclear: {error!r}"
                assert not error or step != "publish" or kind == "an image purged", f"raised after the commit: {error}"
            except Exception:
                yield f"{kind}, {step}: {traceback.format_exc()}"
            finally:
                change_protocol.on_step = None
                fault.end()
            shutil.rmtree(home / "studies")
    if not refused["stage"] or not refused["commit"]:
        yield f"nothing was refused: {refused}"


def opening(home: Path, fault: Fault, template: str) -> Iterator[str]:
    """Open while a fault lasts, and afterwards; tell what is wrong."""
    shutil.copytree(template, home / "studies", symlinks=True)
    fault.begin()
    try:
        LocalDatastore(str(home / "studies")).close()
    except (OSError, MONAILabelException) as error:
        if fault.codes and getattr(error, "errno", None) not in fault.codes:
            yield f"opening is refused in other words: {error!r}"
    fault.end()
    assert observed(home / "studies") == state_after()
    shutil.rmtree(home / "studies")


def begin_with(step: str, fault: Fault) -> None:
    """Have a fault begin when a change enters a step."""

    def on_step(name: str) -> None:
        if name == step:
            change_protocol.on_step = None
            fault.begin()

    change_protocol.on_step = on_step


# -- one call fails ----------------------------------------------------------------------------------------------------


class Failing:
    """Lets one call fail that touches the disk, or all from that one on."""

    codes = ()

    def __init__(self, folder: str) -> None:
        self.begun = False
        self._left = -1
        stand_between(folder, self._around)

    def arm(self, number: int, code: int, *, lasting: bool) -> None:
        """Let the call of that number (the first is 1) of this thread fail with that code."""
        self._left, self._code, self._lasting = number, code, lasting
        self._thread = threading.get_ident()
        self.begun = False

    def begin(self) -> None:
        """Let it fail from now on."""
        self._left = 0

    def end(self) -> None:
        """Let no call fail."""
        self._left = -1

    @contextmanager
    def _around(self, call: Call) -> Iterator[None]:
        if self._left > 0 and threading.get_ident() == self._thread:
            self._left -= 1
            self.begun = not self._left
            if not self._left and not self._lasting:
                self._left = -1
                raise refusal(call, self._code)
        if not self._left and not self._is_allowed(call):
            raise refusal(call, self._code)
        yield

    def _is_allowed(self, call: Call) -> bool:
        """Tell whether even a disk of that kind allows a call: what needs no space, and SQLite to read."""
        is_full = self._code in (errno.ENOSPC, errno.EDQUOT)
        opens = call.name == "open" and os.path.exists(call.path)
        return (is_full and (opens or call.name in FREEING)) or (opens and call.database)


def refusal(call: Call, code: int) -> Exception:
    """Give what a call raises that the system refuses; SQLite makes its own of it (os_unix.c)."""
    if not call.database:
        return OSError(code, os.strerror(code), call.path)
    if code == errno.ENOSPC and call.name == "write":
        return apsw.FullError("database or disk is full")
    if call.name == "open":
        return apsw.CantOpenError("unable to open database file")
    error = apsw.IOError("disk I/O error")
    kinds = {"write": apsw.SQLITE_IOERR_WRITE, "sync": apsw.SQLITE_IOERR_FSYNC, "truncate": apsw.SQLITE_IOERR_TRUNCATE}
    error.extendedresult = kinds.get(call.name, apsw.SQLITE_IOERR_DELETE)
    return error


def fail_at_each_call(template: str, home: str, kinds: list[str], stride: int, lasting: bool, report: str) -> None:
    """Make each kind of change with an early call failing, with one some calls later, until it needs no more."""
    logging.disable()
    codes = (errno.ENOSPC, errno.EDQUOT, errno.EIO, errno.EROFS, errno.EACCES)
    wrong, tries = [], 0
    failing = Failing(home)
    for first, kind in enumerate(kinds):
        for number in range(1 + first % stride, 1000, stride):
            failing.end()
            shutil.copytree(template, Path(home) / "studies", symlinks=True)
            arm = partial(failing.arm, number, codes[number % len(codes)], lasting=lasting)
            try:
                endure(Path(home), kind, failing, arm, readable=False)
            except Exception:
                wrong.append(f"{kind}, call {number}: {traceback.format_exc()}")
            shutil.rmtree(Path(home) / "studies")
            tries += 1
            if not failing.begun:
                break
    Path(report).write_text("\n".join([f"{tries}", *wrong]))


# -- the real thing ----------------------------------------------------------------------------------------------------


class TooLarge:
    """The process may write no more bytes to any file (setrlimit(2), RLIMIT_FSIZE)."""

    codes = (errno.EFBIG,)

    def begin(self) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))

    def end(self) -> None:
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))


class Denied:
    """Our own user may not write to any folder of the datastore, as after a careless chmod."""

    codes = (errno.EACCES,)

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._modes: dict[Path, int] = {}

    def begin(self) -> None:
        for path in [self._folder, *(p for p in self._folder.rglob("*") if p.is_dir())]:
            self._modes[path] = path.stat().st_mode & 0o7777
            path.chmod(0o555)

    def end(self) -> None:
        for path, mode in self._modes.items():
            path.chmod(mode)
        self._modes.clear()


class Full:
    """A small disk of our own that another program fills."""

    codes = (errno.ENOSPC,)

    def __init__(self, disk: Path) -> None:
        self._ballast = disk / "ballast"

    def begin(self) -> None:
        with open(self._ballast, "wb", buffering=0) as file:
            for size in (1 << 16, 1 << 12, 1):
                with suppress(OSError):
                    while True:
                        file.write(bytes(size))

    def end(self) -> None:
        self._ballast.unlink(missing_ok=True)


class Gone:
    """A disk that is taken from its mount point, and put back."""

    codes = (errno.ENOENT,)

    def __init__(self, disk: Path, spare: Path) -> None:
        self._disk, self._spare = str(disk), str(spare)
        self.end()

    def begin(self) -> None:
        if os.path.ismount(self._disk):
            mount("umount2", self._disk, MNT_DETACH)

    def end(self) -> None:
        if not os.path.ismount(self._disk):
            assert not os.listdir(self._disk), f"left under the mount point: {os.listdir(self._disk)}"
            mount("mount", self._spare, self._disk, None, MS_BIND, None)


def suffer(fault: str, template: str, home: str, kinds: list[str], report: str) -> None:
    """Make each kind of change while the named fault begins with each of its steps."""
    logging.disable()
    path = Path(home)
    with globals()[f"_{fault}"](path, template) as (disk, folder):
        wrong = list(all_steps(path, kinds, disk, folder, readable=fault != "gone"))
    real = not isinstance(disk, Failing)
    Path(report).write_text("\n".join([f"{fault}: {'the real thing' if real else 'simulated'}", *wrong]))


@contextmanager
def _too_large(home: Path, template: str) -> Iterator[tuple[Fault, str]]:
    yield TooLarge(), template


@contextmanager
def _denied(home: Path, template: str) -> Iterator[tuple[Fault, str]]:
    """As a user who is not root, to whom nothing is denied."""
    mine = shutil.copytree(template, home / "template")
    is_root = os.geteuid() == 0
    if is_root:
        for path in [home, *home.rglob("*")]:
            os.chown(path, NOBODY, NOBODY)
        os.setresgid(NOBODY, NOBODY, 0)
        os.setresuid(NOBODY, NOBODY, 0)
    yield Denied(home / "studies"), str(mine)
    if is_root:
        os.seteuid(0)


@contextmanager
def _full(home: Path, template: str) -> Iterator[tuple[Fault, str]]:
    if own_mounts():
        mount("mount", "small", str(home), "tmpfs", 0, "size=3m")
        yield Full(home), template
    else:
        yield _failing(home, errno.ENOSPC), template


@contextmanager
def _gone(home: Path, template: str) -> Iterator[tuple[Fault, str]]:
    if own_mounts():
        spare = tempfile.mkdtemp(dir=home.parent)
        mount("mount", "small", spare, "tmpfs", 0, None)
        yield Gone(home, Path(spare)), template
    else:
        yield _failing(home, errno.ENOENT), template


@contextmanager
def _read_only(home: Path, template: str) -> Iterator[tuple[Fault, str]]:
    yield _failing(home, errno.EROFS), template


@contextmanager
def _over_quota(home: Path, template: str) -> Iterator[tuple[Fault, str]]:
    yield _failing(home, errno.EDQUOT), template


def _failing(home: Path, code: int) -> Failing:
    failing = Failing(str(home))
    failing.arm(-1, code, lasting=True)
    return failing
