"""Writes datastore_v2.json page by page, and the next one of those pages of the last that nothing has touched since."""

import json
import os
import zlib
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO, NamedTuple

from monailabel.catalog import document
from monailabel.catalog.document import Pages
from monailabel.datastore.note import Signature, signature_of
from monailabel.files.entering import open_regular


class Part(NamedTuple):
    """A page as it lies in a document."""

    images: int
    last: int  # place of the last one in the order of listing
    begin: int  # bytes before it
    size: int  # bytes
    checksum: int  # CRC-32


@dataclass(frozen=True, slots=True)
class Composed:
    """A document that was written: the newest event in it, its checksum, its pages, and where it lies."""

    head: tuple[int, bytes]  # number and chain of the event
    checksum: int  # CRC-32 of all bytes
    parts: tuple[Part, ...]
    signature: Signature | None = None


def noted(composed: Composed) -> bytes:
    """Give the note of a document for whoever writes the next one."""
    (seq, chain), *more = composed.head, composed.checksum, composed.signature, composed.parts
    return json.dumps([seq, chain.hex(), *more], separators=(",", ":")).encode()


def read(note: bytes | None) -> Composed | None:
    """Give what a note says of a document; None where there is none, or it is damaged."""
    try:
        seq, chain, checksum, signature, rows = json.loads(note or b"")
        size, mtime_ns, inode = signature
        parts = tuple(Part(*row) for row in rows)
        are_inside = all(part.begin >= 0 and 0 <= part.size <= size - part.begin for part in parts)
        composed = Composed((seq, bytes.fromhex(chain)), checksum, parts, (size, mtime_ns, inode))
    except (ValueError, TypeError, RecursionError):
        return None
    return composed if are_inside and all(type(number) is int for part in parts for number in (seq, *part)) else None


class Altered(Exception):
    """A page does not have the bytes that were written."""


def compose(pages: Pages, file: BinaryIO, last: Composed | None, path: str) -> Composed:
    """Write the document into an empty file, of the pages of the `last` one at `path` where they can be had."""
    if last is not None and (kept := _kept(pages, last)) is not None:
        try:
            with open(open_regular(path, getattr(os, "O_NOFOLLOW", 0)), "rb") as source:
                if signature_of(os.fstat(source.fileno())) == last.signature:
                    return _write(pages, file, kept, source)
        except (OSError, Altered):
            file.seek(0)
            file.truncate()
    return _write(pages, file, [], None)


def _kept(pages: Pages, last: Composed) -> list[tuple[Part, bool]] | None:
    """Give the pages of the last document, and whether each is as it was; None where that cannot be told."""
    touched = pages.touched(last.head)
    if touched is None:
        return None
    # to a last page that is not full come the images that are new
    parts = last.parts[:-1] if last.parts and last.parts[-1].images < document.PAGE else last.parts
    ends = [part.last for part in parts]
    others = {bisect_left(ends, place) for place in touched}
    return [(part, number not in others) for number, part in enumerate(parts)]


def _write(pages: Pages, file: BinaryIO, kept: list[tuple[Part, bool]], source: BinaryIO | None) -> Composed:
    parts: list[Part] = []
    size = checksum = 0

    def put(data: bytes) -> None:
        nonlocal size, checksum
        file.write(data)
        size += len(data)
        checksum = zlib.crc32(data, checksum)

    put(pages.heading().encode())
    for count, last, data in _contents(pages, kept, source):
        put(b",\n" if parts else b"\n")
        parts.append(Part(count, last, size, len(data), zlib.crc32(data)))
        put(data)
    put(pages.ending(is_empty=not parts).encode())
    return Composed(pages.head(), checksum, tuple(parts))


def _contents(pages: Pages, kept: list[tuple[Part, bool]], source: BinaryIO | None) -> Iterator[tuple[int, int, bytes]]:
    """Give number of images, last place and text of each page: read from `source`, or asked of the catalog."""
    end = 0
    for part, is_as_it_was in kept:
        if is_as_it_was and source is not None:
            yield part.images, part.last, _read(source, part)
        else:
            for page in pages.pages(end, part.last):
                yield page.images, page.last, pages.indented(page.text).encode()
        end = part.last
    for page in pages.pages(end):
        yield page.images, page.last, pages.indented(page.text).encode()


def _read(source: BinaryIO, part: Part) -> bytes:
    source.seek(part.begin)
    data = source.read(part.size)
    if zlib.crc32(data) != part.checksum:
        raise Altered
    return data
