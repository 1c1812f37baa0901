"""Whether the events are as they were sealed: their numbers, the links of the chain, and their contents."""

import hashlib
import json
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from monailabel.catalog.halving import Rows, halved
from monailabel.catalog.rows import once
from monailabel.catalog.sqlite import SqliteCatalog
from monailabel.catalog.transaction import FIRST_CHAIN, seal

REBUILT = "rebuilt"  # the action of the event that tells what was lost with a damaged catalog
BACKED_UP = "backed up"  # the action of the event that tells of a backup
PURGED = "purged"  # the action of the event that tells that the contents of an image's events were erased
_PAGE = 5_000
_EVENTS = """
SELECT seq, time, actor, authenticated, action, image_id, tag, version, before, after, content, salt, digest, chain
FROM event WHERE seq BETWEEN ? AND ? ORDER BY seq
"""


@dataclass(frozen=True, slots=True)
class Flaw:
    """Events that are not as they were sealed."""

    first: int
    last: int
    what: str
    told: bool = False  # a later event tells of it


@dataclass(slots=True)
class _Way:
    """One way along the chain: where it has come to, and what it has to remember until the end."""

    seq: int = 0
    chain: bytes = FIRST_CHAIN
    gaps: list[tuple[int, int]] = field(default_factory=list)
    told: list[tuple[int, int]] = field(default_factory=list)  # the gaps that an event tells of
    erased: dict[str, int] = field(default_factory=dict)  # image ids, with the last of their events without content

    def follow(self, row: tuple[Any, ...]) -> Iterator[Flaw]:
        """Go on to the next event; behind a gap nothing tells whether its link is right."""
        seq, chain = row[0], row[13]
        is_sound = _is_sealed(self.chain, row)
        if seq != self.seq + 1:
            self.gaps.append((self.seq + 1, seq - 1))
        elif not is_sound:
            yield Flaw(seq, seq, "is not as it was sealed, or the link to the one before it was changed")
        if not _has_its_content(row):
            yield Flaw(seq, seq, "does not have the content that was sealed with it")
        elif is_sound:
            self._note(row)
        self.seq, self.chain = seq, chain

    def _note(self, row: tuple[Any, ...]) -> None:
        seq, action, image_id, content, salt = row[0], row[4], row[5], row[10], row[11]
        if not salt:
            self.erased[image_id] = seq
        if action == PURGED:
            self.erased.pop(image_id, None)
        if action == REBUILT and content:
            self.told += [(low, high) for low, high in json.loads(content)["new"]["lost"]]

    def end(self) -> Iterator[Flaw]:
        """Tell of what only the end shows."""
        for first, last in self.gaps:
            told = any(low <= first and last <= high for low, high in self.told)
            yield Flaw(
                first, last, "could not be read when the catalog was rebuilt" if told else "cannot be read", told
            )
        for image_id, seq in self.erased.items():
            yield Flaw(seq, seq, f"has lost its content, though image {image_id!r} was not purged")


def verify(catalog: SqliteCatalog, progress: Callable[[int, int], None]) -> Iterator[Flaw]:
    """Compute every link of the chain anew, and give what differs; `progress` is told how far it has come."""

    def fetch(low: int, high: int) -> Rows:
        with catalog.reading() as connection:
            return connection.execute(_EVENTS, (low, high)).fetchall()

    way, begin = _Way(), 1
    while begin <= (final := catalog.last_event()):  # also what comes meanwhile, such as the word of a purge
        end = min(begin + _PAGE - 1, final)
        for row in halved(fetch, begin, end, lambda _: None):  # a gap, as the next event shows
            yield from way.follow(row)
        progress(end, final)
        begin = end + 1
    yield from way.end()


def flawed(catalog: SqliteCatalog) -> set[int]:
    """Give the numbers of the events that are not as they were sealed, or gone without a word."""
    flaws = [flaw for flaw in verify(catalog, lambda *_: None) if not flaw.told]
    return {seq for flaw in flaws for seq in range(flaw.first, flaw.last + 1)}


def told_lost(catalog: SqliteCatalog) -> list[tuple[int, int]]:
    """Give the first and last numbers of events that later ones tell to be lost."""
    contents = [json.loads(text) for (text,) in once(catalog, "told", action=REBUILT)]
    return [(first, last) for content in contents for first, last in content["new"]["lost"]]


def backups(catalog: SqliteCatalog) -> list[str]:
    """Give the backups that the events tell of and that are still where they were made."""
    told = [json.loads(text)["new"]["path"] for (text,) in once(catalog, "told", action=BACKED_UP)]
    return [path for path in dict.fromkeys(told) if os.path.isdir(path)]


def _is_sealed(before: bytes, row: tuple[Any, ...]) -> bool:
    try:
        return bool(seal(before, row[:10], row[12]) == row[13])
    except (TypeError, ValueError):  # a value of another type
        return False


def _has_its_content(row: tuple[Any, ...]) -> bool:
    content, salt, digest = row[10:13]
    if not salt:
        return content is None  # it was erased
    try:
        return bool(hashlib.sha256(salt + (content or "").encode()).digest() == digest)
    except (TypeError, AttributeError):
        return False
