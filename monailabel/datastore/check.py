"""Looks for what is wrong with a datastore, says what to do about it, and puts right what that loses nothing by."""

import os
import shutil
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any

from monailabel.datastore import beside
from monailabel.datastore.actor import UNKNOWN
from monailabel.datastore.edit import visible_name
from monailabel.datastore.local import LocalDatastore
from monailabel.datastore.salvage import Salvaged, mend
from monailabel.datastore.scan import Progress
from monailabel.datastore.snapshot import Snapshot
from monailabel.datastore.store import STATE, Store
from monailabel.files.looks import look
from monailabel.interfaces.exception import DamagedDatastoreException
from monailabel.models import Item, State

LOW_SPACE = 1 << 30  # bytes: a few scans
_PAGE = 5_000  # files asked for at a time


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that somebody ought to know about a datastore.

    Kinds: `module` (MONAI Label is installed too), `document` and `catalog` (damaged), `space` (little is left on a
    disk), `unfinished` (a change that cannot be finished), `problem` (what a scan could not take in), `missing` (a file
    is not there) and `changed` (a file is not as the catalog says).
    """

    kind: str
    what: str
    remedy: str  # what to do, or what was done; "" where nothing is wrong
    repaired: bool = False

    @property
    def stands(self) -> bool:
        """Whether something remains to be done."""
        return bool(self.remedy) and not self.repaired


def check(
    folder: str | os.PathLike[str], *, repair: bool = False, low_space: int = LOW_SPACE, **options: Any
) -> Iterator[Finding]:
    """Look through a datastore and give what is found, one by one.

    The folder is opened with LocalDatastore's `options`, which takes in what other programs did, and finishes what is
    unfinished. `repair` also salvages a damaged document that has no catalog, and takes in files that were changed in
    place. `low_space` is the number of bytes that each of the folder's disks ought to have free.
    """
    path = os.path.realpath(folder)
    yield from _module()
    reason = _damage(path, options)
    try:
        datastore = LocalDatastore(path, **options)
    except DamagedDatastoreException as error:
        if not reason or not repair:
            yield _refused("document" if reason else "catalog", error)
            return
        yield from _mended(reason, mend(path, *_config(options)))
        reason = ""
        datastore = LocalDatastore(path, **options)
    with datastore:
        if reason:
            yield _set_aside(reason, not _damage(path, options))
        yield from _opened(datastore, repair and not datastore.read_only, low_space, options.get("progress"))


def _opened(datastore: LocalDatastore, repair: bool, low_space: int, progress: Progress | None) -> Iterator[Finding]:
    store = datastore._store
    yield from _space(store, low_space)
    yield from _unfinished(store)
    for problem in (f"{path}: {what}" for path, what in store.catalog.problems().items()):
        yield Finding("problem", problem, "rename the file or move it away; a label may also wait for its image")
    yield from _files(store, repair, progress)


def _module() -> Iterator[Finding]:
    found = beside.look()
    if found is not None:
        yield Finding("module", found.sentence, "" if found.ours else f"`{beside.INSTALL_AGAIN}`")


# -- the document ------------------------------------------------------------------------------------------------------


def _config(options: dict[str, Any]) -> list[str]:
    return [options["datastore_config"]] if "datastore_config" in options else []


def _damage(path: str, options: dict[str, Any]) -> str:
    """Say why the document cannot be read, `""` if it can."""
    name = options.get("datastore_config", "datastore_v2.json")
    state = options.get("state_dir") or os.path.join(path, STATE)
    private = options.get("read_only", False)
    with closing(Snapshot(os.path.join(path, name), os.fspath(state), private=private)) as document:
        try:
            document.read()
        except DamagedDatastoreException as error:
            return error.msg.partition("; ")[0]
    return ""


def _refused(kind: str, error: DamagedDatastoreException) -> Finding:
    what, _, remedy = error.msg.partition("; ")
    return Finding(kind, what, remedy or what)


def _mended(reason: str, salvaged: Salvaged) -> Iterator[Finding]:
    if salvaged.aside is None:
        return  # another program has written it anew meanwhile
    objects = salvaged.document.objects
    labels = sum(len(entry.labels) for entry in objects.values())
    done = f"images: {len(objects)}, labels: {labels} were read and written anew; the rest is in {salvaged.aside}"
    if salvaged.damaged:
        done += f"; not read whole: {', '.join(salvaged.damaged)}"
    yield Finding("document", reason, done, repaired=True)


def _set_aside(reason: str, repaired: bool) -> Finding:
    done = "it was set aside under another name and written anew from the catalog, which has all of it"
    return Finding("document", reason, done if repaired else "open the folder for writing: then it is", repaired)


# -- the folder --------------------------------------------------------------------------------------------------------


def _space(store: Store, least: int) -> Iterator[Finding]:
    disks: dict[int, str] = {}
    for path in (store.path, store.images.root, store.labels.root, store.images.work, store.labels.work):
        if os.path.isdir(path):
            disks.setdefault(os.stat(path).st_dev, path)
    for path in disks.values():
        free = shutil.disk_usage(path).free
        if free < least:
            what = f"{free >> 20} MiB are free on the disk of {path}"
            yield Finding("space", what, f"make room, {least >> 20} MiB or more: a full disk takes no change")


def _unfinished(store: Store) -> Iterator[Finding]:
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


# -- the files ---------------------------------------------------------------------------------------------------------


def _files(store: Store, repair: bool, progress: Progress | None) -> Iterator[Finding]:
    total = sum(store.catalog.tallies().values())
    done = after = 0
    while page := store.catalog.places(after, _PAGE):
        for _, image_id, tag, ext, state, size in page:
            seen = look(_path(store, image_id, tag, ext))
            is_right = state == State.PRESENT and seen is not None and seen.size == size
            finding = None if is_right else _judged(store, image_id, tag, repair)
            if finding is not None:
                yield finding
        after = page[-1][0]
        done += len(page)
        if progress is not None:
            progress("checking files", done, max(done, total))


def _path(store: Store, image_id: str, tag: str, ext: str) -> str:
    return store.changes.folder(tag).path(visible_name(image_id, tag, ext))


def _judged(store: Store, image_id: str, tag: str, repair: bool) -> Finding | None:
    """Look at a file again while nobody changes it."""
    item = store.catalog.item(image_id, tag)
    if item is None or item.state is State.REMOVED:
        return None
    path = _path(store, image_id, tag, item.ext)
    seen = look(path)
    if item.mark is not None or store.catalog.item(image_id, tag) != item:
        return None  # a change of it is under way, and what we saw may be older or newer than what we read
    if seen is None:
        remedy = "put it back, and it is listed with its info again; or add another under its name, and remove that"
        return Finding("missing", f"{path} is not there", remedy)
    if item.state is State.MISSING or item.size in (seen.size, None):
        return None  # it has just come, and the next refresh takes it in
    what = f"{path} has {seen.size} bytes and not the {item.size} of version {item.version}: it was changed in place"
    if repair and (version := _taken_in(store, item, path)):
        return Finding("changed", what, f"it was taken in as version {version}", repaired=True)
    return Finding("changed", what, "`check --repair` takes it in as a new version, once nobody writes it any more")


def _taken_in(store: Store, item: Item, path: str) -> int | None:
    store.take_in({path})
    now = store.catalog.item(item.image_id, item.tag)
    return now.version if now is not None and now.version > item.version else None
