"""Finds what is new in a folder and what is gone from it, without holding folder and catalog in memory."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice
from operator import itemgetter

from monailabel.catalog.sqlite import SqliteCatalog
from monailabel.models import State

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
    if seen.count(1) < catalog.count_files(tag):
        _add_others(difference, catalog.files(tag), seen)
    return difference


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


def _add_others(difference: Difference, files: Iterator[tuple[int, str, str, State]], seen: bytearray) -> None:
    """Sort the rows whose files are not as the catalog knows them: another file of that name, or none."""
    new = set(difference.new)
    for row, image_id, name, state in files:
        if row < len(seen) and seen[row]:
            continue
        if name in new:
            difference.known[name] = image_id
        elif state is State.PRESENT:
            difference.gone.append(image_id)
