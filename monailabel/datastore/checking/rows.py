"""Checks that the catalog's rows are what its events say, and that what is derived from them is."""

from collections.abc import Callable, Iterator
from typing import Any

from monailabel.catalog import rows as asking
from monailabel.catalog.chain import flawed, told_lost
from monailabel.catalog.sqlite import SqliteCatalog
from monailabel.catalog.transaction import handed_at
from monailabel.datastore.actor import UNKNOWN
from monailabel.datastore.checking.events import FROM_BACKUP
from monailabel.datastore.checking.finding import Finding
from monailabel.datastore.history import ALL, plainly
from monailabel.datastore.progress import Progress
from monailabel.datastore.retelling import Told, told_of
from monailabel.datastore.store import Store
from monailabel.models import Event, Item


def integrity(catalog: SqliteCatalog, path: str) -> Iterator[Finding]:
    """Ask the database, which is that of `path` or a copy of it, about its own structure."""
    for what in asking.integrity(catalog):
        remedy = "`check --repair` sets the catalog aside and keeps all of it that can be read"
        yield Finding("catalog", f"the catalog {path} is damaged: {what}", remedy)


def rows(catalog: SqliteCatalog, progress: Progress | None) -> Iterator[Finding]:
    """Compare items and versions with their events."""

    def tell(done: int, total: int) -> None:
        if progress is not None:
            progress("checking rows", done, total)

    for item, told, which in _doubtful(catalog, tell):
        yield from _judged(item, told, which)
    for image_id, tag, number in asking.asked(catalog, "doubtful_versions", tell):
        what = f"version {number} of {named(image_id, tag)} is not what the event says that made it"
        yield Finding("row", what, FROM_BACKUP)
    for image_id, tag, seq in asking.once(catalog, "lost_items"):
        if not _is_erased(catalog, image_id, tag):
            yield Finding("row", f"{named(image_id, tag)} has no row, though event {seq} speaks of it", FROM_BACKUP)


def mendable(catalog: SqliteCatalog) -> Iterator[Finding]:
    """Compare infos with their events, and flags and tallies with the rows that they are derived from."""
    for item, _ in _other_infos(catalog):
        yield Finding(
            "row", _another_info(item), "`check --repair` gives it the event's, and keeps this one in an event"
        )
    for what in _wrong(catalog):
        yield Finding("row", what, "`check --repair` derives it anew")


def mended(store: Store) -> Iterator[Finding]:
    """Put right what `mendable` finds."""
    for item, info in _other_infos(store.catalog):
        with store.changes.begin(UNKNOWN) as edit:
            if is_same := edit.rows.item(item.image_id, item.tag) == item:
                edit.inform(item, info)
        if is_same:
            done = "it has the event's again; the other one is in an event of its own"
            yield Finding("row", _another_info(item), done, repaired=True)
    if wrong := list(_wrong(store.catalog)):
        with store.changes.begin(UNKNOWN) as edit:
            for item in _wrongly_handed(store.catalog):
                edit.rows.set_info(item.rowid, item.info, item.seq)
            asking.recount(edit.rows)
            edit.rows.event(Event(UNKNOWN.name, False, "repaired", content={"new": {"rows": wrong}}))
        store.write_snapshot()
    for what in wrong:
        yield Finding("row", what, "it was derived anew", repaired=True)


def _wrong(catalog: SqliteCatalog) -> Iterator[str]:
    for image_id, tag in asking.asked(catalog, "wrong_flags"):
        yield f"{named(image_id, tag)} is wrongly noted as listed or not, changing or not, or with a final label or not"
    for item in _wrongly_handed(catalog):
        yield f"when {named(item.image_id, item.tag)} was handed out is not what its info says"
    for tag, listed, counted in asking.once(catalog, "wrong_tallies"):
        yield f"{listed} {f'labels {tag!r}' if tag else 'images'} are listed, and not the {counted} that were counted"


def _wrongly_handed(catalog: SqliteCatalog) -> Iterator[Item]:
    for image_id, tag, handed, info in asking.asked(catalog, "handed"):
        if handed_at(plainly(info)) != handed and (item := catalog.item(image_id, tag)):
            yield item


def named(image_id: str, tag: str) -> str:
    """Name an image or label in a sentence."""
    return f"label {tag!r} of image {image_id!r}" if tag else f"image {image_id!r}"


# -- what the events say ----------------------------------------------------------------------------------------------


def _doubtful(
    catalog: SqliteCatalog, tell: Callable[[int, int], None] = lambda *_: None
) -> Iterator[tuple[Item | None, Told | None, str]]:
    """Give the items that are not plainly what their last event says, with what all their events say, and a name.

    Where events are lost, and told to be, they may have been about the item: what is left does not tell against it.
    """
    lost = max((last for _, last in told_lost(catalog)), default=0)
    not_sealed: set[int] | None = None
    for image_id, tag in asking.asked(catalog, "doubtful_items", tell):
        not_sealed = flawed(catalog) if not_sealed is None else not_sealed
        told = told_of(catalog, image_id, tag, not_sealed)
        if told is None or told.born > lost:
            yield catalog.item(image_id, tag), told, named(image_id, tag)


def _judged(item: Item | None, told: Told | None, which: str) -> Iterator[Finding]:
    """Compare an item with all of its events, its info left out."""
    if item is None or told is None:
        what = "has no row of its newest version" if item is None else "has no sound events that tell of it"
        yield Finding("row", f"{which} {what}", FROM_BACKUP)
        return
    for what in _differences(item, told):
        yield Finding("row", f"{which} has {what}", FROM_BACKUP)


def _other_infos(catalog: SqliteCatalog) -> Iterator[tuple[Item, dict[str, Any]]]:
    """Give the items that have another info than their events say, with that."""
    for item, told, _ in _doubtful(catalog):
        if item and told and told.info is not None and item.info != told.info:
            yield item, told.info


def _another_info(item: Item) -> str:
    return f"{named(item.image_id, item.tag)} has another info than event {item.seq} says"


def _differences(item: Item, told: Told) -> Iterator[str]:
    if item.state is not told.state:
        yield f"the state {item.state.name.lower()}, and its events say {told.state.name.lower()}"
    if item.version != told.version:
        yield f"the version {item.version}, and its events say {told.version}"
    if told.ext is not None and item.ext != told.ext:
        yield f"the extension {item.ext!r}, and its events say {told.ext!r}"
    if told.sha256 is not None and item.sha256 != told.sha256:
        yield f"the SHA-256 {item.sha256}, and its events say {told.sha256}"
    if item.seq != told.seq:
        yield f"event {item.seq} as its last, and its last is {told.seq}"


def _is_erased(catalog: SqliteCatalog, image_id: str, tag: str) -> bool:
    return all(row[10] is None for row in catalog.events(0, ALL, image_id) if row[6] == tag)
