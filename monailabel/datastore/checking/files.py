"""Checks the visible files: whether each is there, has its size, and, where it is read, its bytes."""

from collections.abc import Iterator

from monailabel.datastore.checking.finding import Finding
from monailabel.datastore.checking.rows import named
from monailabel.datastore.edit import visible_name
from monailabel.datastore.progress import Progress
from monailabel.datastore.store import Store
from monailabel.files.folder import digest
from monailabel.files.looks import Look
from monailabel.models import Item, State

_PAGE = 5_000  # files asked for at a time
_FEW = 100  # of them between two words of progress, where each is read


def taken_in(store: Store) -> Iterator[Finding]:
    """Tell of the files that other programs wrote over and that opening the folder took in as new versions."""
    after = store.opened_at
    while page := store.catalog.events(after, _PAGE, None):
        for _, _, _, _, action, image_id, tag, version, *_ in page:
            if action == "changed":
                what = f"{named(image_id, tag)} was written over in place by another program"
                done = "opening the folder for writing takes it in" if store.private else "it was taken in"
                remedy = f"{done} as version {version}; a backup may have the bytes of the one before"
                yield Finding("changed", what, remedy, repaired=not store.private)
        after = page[-1][0]


def files(store: Store, repair: bool, deep: bool, progress: Progress | None) -> Iterator[Finding]:
    """Look at every file that is listed or missing; `deep` reads it."""
    total = sum(store.catalog.tallies().values())
    done = after = 0
    while page := store.catalog.places(after, _FEW if deep else _PAGE):
        for _, image_id, tag, ext, state, size, sha256 in page:
            seen = _look(store, image_id, tag, ext)
            is_right = state == State.PRESENT and seen is not None and seen.size == size
            if deep and is_right:
                is_right = _read(path_of(store, image_id, tag, ext)) == sha256 or sha256 is None
            finding = None if is_right else _judged(store, image_id, tag, repair, deep)
            if finding is not None:
                yield finding
        after = page[-1][0]
        done += len(page)
        if progress is not None:
            progress("checking files", done, max(done, total))


def path_of(store: Store, image_id: str, tag: str, ext: str) -> str:
    """Give where a visible file lies."""
    return store.changes.folder(tag).path(visible_name(image_id, tag, ext))


def _look(store: Store, image_id: str, tag: str, ext: str) -> Look | None:
    return store.changes.folder(tag).look(visible_name(image_id, tag, ext))


def _judged(store: Store, image_id: str, tag: str, repair: bool, deep: bool) -> Finding | None:
    """Look at a file again while nobody changes it."""
    item = store.catalog.item(image_id, tag)
    if item is None or item.state is State.REMOVED:
        return None
    path = path_of(store, image_id, tag, item.ext)
    seen = _look(store, image_id, tag, item.ext)
    found = _read(path) if deep and seen is not None else None
    is_other = store.catalog.item(image_id, tag) != item or _look(store, image_id, tag, item.ext) != seen
    if item.mark is not None or is_other:
        return None  # a change of it is under way, and what we saw may be older or newer than what we read
    if seen is None:
        remedy = "put it back, and it is listed with its info again; or add another under its name, and remove that"
        return Finding("missing", f"{path} is not there", remedy)
    if item.state is State.MISSING:
        return None  # it has just come, and the next refresh takes it in
    if item.size not in (seen.size, None):
        what = (
            f"{path} has {seen.size} bytes and not the {item.size} of version {item.version}: it was changed in place"
        )
        return _changed(store, item, path, what, repair)
    return _other_bytes(store, item, path, seen, found, repair) if found is not None else None


def _read(path: str) -> str | OSError:
    try:
        return digest(path)[0]
    except OSError as error:
        return error


def _other_bytes(store: Store, item: Item, path: str, seen: Look, found: str | OSError, repair: bool) -> Finding | None:
    if isinstance(found, OSError):
        what = f"{path} cannot be read: {(found.strerror or str(found)).lower()}"
        return Finding("damaged", what, "where its disk fails, a backup may have it")
    if item.sha256 in (found, None):
        return None
    what = f"{path} does not have the bytes of version {item.version}"
    if seen.mtime_ns != item.mtime_ns:
        return _changed(store, item, path, f"{what}: it was changed in place", repair)
    remedy = "a backup may have them; where the new ones are right, touch the file and refresh: they become a version"
    return Finding("damaged", f"{what}, though neither its size nor its time changed", remedy)


def _changed(store: Store, item: Item, path: str, what: str, repair: bool) -> Finding:
    if repair and (version := _taken_in(store, item, path)):
        return Finding("changed", what, f"it was taken in as version {version}", repaired=True)
    return Finding("changed", what, "`check --repair` takes it in as a new version, once nobody writes it any more")


def _taken_in(store: Store, item: Item, path: str) -> int | None:
    store.take_in({path})
    now = store.catalog.item(item.image_id, item.tag)
    return now.version if now is not None and now.version > item.version else None
