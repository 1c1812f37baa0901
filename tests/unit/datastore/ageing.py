"""Lets time stamps come of age."""

import time
from pathlib import Path

from monailabel.datastore.entries import stamp_of
from monailabel.files import disk


def let_age(folder: Path) -> None:
    """Wait until the time stamps of a folder, and of folders in it, are old enough to tell every later change."""
    for path in (folder, *(p for p in folder.rglob("*") if p.is_dir() and ".monailabel" not in p.parts)):
        stamp = stamp_of(str(path))
        assert stamp is not None
        while time.time_ns() - stamp[0] < disk.clock_step_ns(str(path)):
            pass
