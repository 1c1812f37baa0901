"""Finds what is new in a folder and what is gone from it, without holding folder and catalog in memory."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from operator import itemgetter

from monailabel.catalog.sqlite import SqliteCatalog
from monailabel.files.looks import Look
from monailabel.models import Item, State

CHUNK = 50_000  # entries that are compared at once


@dataclass(slots=True)
class Difference:
    """What a folder holds against what the catalog knows of it."""

    new: list[str]  # names of files that are new, or have another inode than the catalog knows
    known: dict[str, str] = field(default_factory=dict)  # image ids by name: those of them that the catalog has
    gone: list[str] = field(default_factory=list)  # image ids of files that are there no longer


def compare(catalog: SqliteCatalog, tag: str, entries: Iterable[tuple[str, int]]) -> Difference:
    """Compare the entries of a folder, names and inodes, with the catalog's files of that tag."""
    if not catalog.has_files(tag):
        return Difference([name for name, _ in entries])
    seen = bytearray(catalog.last_item() + 1)  # for each row, whether its file is as the catalog knows it
    new: list[str] = []
    for chunk in _chunks(entries):
        new += _unknown(catalog, tag, chunk, seen)
    difference = Difference(new)
    if seen.count(1) < catalog.count_present(tag) or (new and catalog.has_missing(tag)):
        _add_others(difference, catalog.files(tag), seen)
    return difference


def compare_files(names: list[str], items: dict[str, Item], seen: dict[str, Look]) -> Difference:
    """Compare single files, by name, with what the catalog knows of them; those of `names` may have other bytes."""
    here = {n for n, i in items.items() if i.state is not State.REMOVED}
    new = [
        n for n, facts in seen.items()
        if n not in items or items[n].inode != facts.inode or (n in names and not _is_as_known(items[n], facts))
    ]  # fmt: skip
    gone = [i.image_id for n, i in items.items() if i.state is State.PRESENT and n not in seen]
    return Difference(new, {n: items[n].image_id for n in new if n in here}, gone)


def _is_as_known(item: Item, seen: Look) -> bool:
    """Tell whether a file is just as the catalog says, as after a change of our own."""
    return item.state is State.PRESENT and seen == Look(item.size, item.mtime_ns, item.inode, item.link)


def _chunks(entries: Iterable[tuple[str, int]]) -> Iterator[list[tuple[str, int]]]:
    entries = iter(entries)
    while chunk := list(islice(entries, CHUNK)):
        chunk.sort(key=itemgetter(1))  # in the order of the catalog's index
        yield chunk


def _unknown(catalog: SqliteCatalog, tag: str, chunk: list[tuple[str, int]], seen: bytearray) -> list[str]:
    """Give the names that the catalog does not know under their inodes, and mark the rows of the others."""
    same = set()
    for place, row, name in catalog.files_by_inode(tag, [inode for _, inode in chunk]):
        if name == chunk[place][0] and row < len(seen):
            seen[row] = 1
            same.add(place)
    return [name for place, (name, _) in enumerate(chunk) if place not in same] if len(same) < len(chunk) else []


def _add_others(difference: Difference, files: Iterator[tuple[int, str, str, int]], seen: bytearray) -> None:
    """Sort the rows whose files are not as the catalog knows them: another file of that name, or none."""
    new = set(difference.new)
    for row, image_id, name, state in files:
        if row < len(seen) and seen[row]:
            continue
        if name in new:
            difference.known[name] = image_id
        elif state == State.PRESENT:
            difference.gone.append(image_id)
