"""Checks what a change needs: room on its disks, and that every change that was begun is finished."""

import os
import shutil
from collections.abc import Iterator

from monailabel.datastore.actor import UNKNOWN
from monailabel.datastore.checking.finding import Finding
from monailabel.datastore.store import Store


def space(store: Store, least: int) -> Iterator[Finding]:
    """Tell of disks with less than `least` bytes free."""
    disks: dict[int, str] = {}
    for path in (store.path, store.images.root, store.labels.root, store.images.work, store.labels.work):
        if os.path.isdir(path):
            disks.setdefault(os.stat(path).st_dev, path)
    for path in disks.values():
        free = shutil.disk_usage(path).free
        if free < least:
            what = f"{free >> 20} MiB are free on the disk of {path}"
            yield Finding("space", what, f"make room, {least >> 20} MiB or more: a full disk takes no change")


def unfinished(store: Store) -> Iterator[Finding]:
    """Try to finish what is unfinished, and tell of what cannot be."""
    with store.changes.begin(UNKNOWN, settled=True) as edit:
        stuck = dict(edit.stuck)
    for mark in store.catalog.marks():
        folder = store.changes.folder(mark.tag)
        what = f"the change of {os.path.join(folder.root, mark.name)} is saved, but not finished"
        error = stuck.get(mark.item)
        if error is not None:
            what += f": {(getattr(error, 'strerror', None) or str(error)).lower()}"
            yield Finding("unfinished", what, "remove what is in its way; whoever opens the folder next finishes it")
        elif store.private and mark.staged and folder.waits(mark.staged, mark.inode, mark.sha256):
            yield Finding("unfinished", what, "open the folder for writing: that finishes it")
