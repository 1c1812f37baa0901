"""Counts the system calls of each operation (strace), each of which may be a round trip on a network disk."""

import re
import shutil
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from benchmarks import folders
from benchmarks.children import command, settings
from benchmarks.opening import close, opened, write_checksums
from benchmarks.operations import LABEL_INFO
from benchmarks.report import aligned
from benchmarks.results import Samples, Who
from benchmarks.telling import note

TIMES = 100
SYNCS = ("fsync", "fdatasync", "syncfs", "sync_file_range")
LISTS = ("getdents", "getdents64")
FILES = (
    "open", "openat", "close", "read", "write", "pread64", "pwrite64", "rename", "renameat", "renameat2", "unlink",
    "link", "linkat", "mkdir", "chmod", "fchmod", "utimensat", "ftruncate", "truncate", "copy_file_range", "sendfile",
    "readlink", "access", "faccessat2",
)  # fmt: skip
STATS = ("stat", "lstat", "fstat", "newfstatat", "statx")
LOCKS = ("flock", "fcntl")
OPERATIONS = (
    "get_image_uri", "get_image_info", "list_images", "status", "refresh", "update_image_info", "add_image",
    "save_label", "remove_label", "remove_image",
)  # fmt: skip
_COUNTED = re.compile(r"^\s*[\d.]+\s+[\d.]+\s+\d+\s+(\d+)\s+(?:\d+\s+)?(\w+)$", re.MULTILINE)


def table(place: Path) -> str:
    """Count the calls of a hundred of each operation beyond those of none, and give them for one, as a table."""
    strace = shutil.which("strace")
    if strace is None:
        return "`strace` is not installed: the system calls were not counted."
    note("system calls of each operation")
    folder = place / "counted"
    folders.make(folder, 1_000)
    close(opened(str(folder))[0])
    write_checksums(str(folder))  # else they would be read meanwhile
    none = _counted(strace, folder, place, "nothing")
    rows = [_row(name, _counted(strace, folder, place, name), none) for name in OPERATIONS]
    return aligned([["operation", "all", "syncs", "directory reads", "looks", "locks", "other calls on files"], *rows])


def _row(name: str, found: dict[str, int], none: dict[str, int]) -> list[str]:
    def each(calls: tuple[str, ...]) -> str:
        return f"{max(0.0, sum(found.get(c, 0) - none.get(c, 0) for c in calls) / TIMES):.1f}"

    everything = tuple({*found, *none})
    return [name, each(everything), each(SYNCS), each(LISTS), each(STATS), each(LOCKS), each(FILES)]


def _counted(strace: str, folder: Path, place: Path, name: str) -> dict[str, int]:
    source = place / "source-of-calls.nii.gz"
    source.write_bytes(folders.CONTENT)
    with tempfile.NamedTemporaryFile("r") as told:
        subprocess.run(
            [strace, "-c", "-f", "-o", told.name, *command(Who.OURS)],
            input=f'{{"work": "calls:carry_out", "folder": "{folder}", "source": "{source}", "name": "{name}"}}',
            text=True, check=True, capture_output=True, env=settings(Who.OURS),
        )  # fmt: skip
        return {call: int(count) for count, call in _COUNTED.findall(told.read())}


def carry_out(folder: str, source: str, name: str) -> Samples:
    """Carry out one operation a hundred times on a known folder, each on an image of its own."""
    store, _ = opened(folder)
    known = store.list_images()[:TIMES]
    calls: dict[str, Callable[[str], Any]] = {
        "add_image": lambda image: store.add_image(f"counted_{image}", source, {}),
        "save_label": lambda image: store.save_label(image, source, "counted", LABEL_INFO),
        "remove_label": lambda image: store.remove_label(image, "counted"),
        "remove_image": store.remove_image,
        "update_image_info": lambda image: store.update_image_info(image, {"note": name}),
        "get_image_uri": store.get_image_uri,
        "get_image_info": store.get_image_info,
        "nothing": lambda _: None,
    }
    call = calls.get(name) or (lambda _: getattr(store, name)())
    for id in known:
        call(id)
    close(store)
    return {}
