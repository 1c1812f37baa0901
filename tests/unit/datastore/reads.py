"""Sees which folders that hold images and labels are read."""

import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

_seen: list[str] = []
_counting = False


def _count(event: str, arguments: tuple[Any, ...]) -> None:
    if _counting and event in ("os.scandir", "os.listdir"):
        _seen.append(os.fsdecode(arguments[0]) if isinstance(arguments[0], str | bytes) else str(arguments[0]))


sys.addaudithook(_count)


def folders_read(folder: Path, during: Callable[[], object]) -> list[str]:
    """Give which of the folders of images and labels, and of those in them, are read while something runs."""
    global _counting
    _seen.clear()
    _counting = True
    try:
        during()
    finally:
        _counting = False
    return sorted(path for path in _seen if _holds_files(os.path.relpath(path, folder)))


def _holds_files(place: str) -> bool:
    return not place.startswith("..") and ".monailabel" not in place and place != "labels"
