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
    """The last document is not as it was written."""


def compose(pages: Pages, file: BinaryIO, last: Composed | None, path: str) -> Composed:
    """Write the document into an empty file, of the pages of the `last` one at `path` where they can be had."""
    kept = _full(last) if last else []
    touched = pages.touched(last.head) if last and kept else None
    if last and touched is not None:
        try:
            with _opened(path, last) as source:
                return _write(pages, file, _renewed(pages, kept, touched, source))
        except Altered:
            file.seek(0)
            file.truncate()
    return _write(pages, file, _asked(pages))


def _opened(path: str, last: Composed) -> BinaryIO:
    try:
        source = os.fdopen(open_regular(path, getattr(os, "O_NOFOLLOW", 0)), "rb")
    except OSError as error:
        raise Altered from error
    if signature_of(os.fstat(source.fileno())) != last.signature:
        source.close()
        raise Altered
    return source


Content = tuple[int, int, bytes]
"""Of a page: its number of images, the place of the last one, and its text."""


def _write(pages: Pages, file: BinaryIO, contents: Iterator[Content]) -> Composed:
    parts: list[Part] = []
    size = checksum = 0

    def put(data: bytes) -> None:
        nonlocal size, checksum
        file.write(data)
        size += len(data)
        checksum = zlib.crc32(data, checksum)

    put(pages.heading().encode())
    for images, last, data in contents:
        put(b",\n" if parts else b"\n")
        parts.append(Part(images, last, size, len(data), zlib.crc32(data)))
        put(data)
    put(pages.ending(is_empty=not parts).encode())
    return Composed(pages.head(), checksum, tuple(parts))


def _asked(pages: Pages, *places: int) -> Iterator[Content]:
    """Give pages of which the catalog is asked: all, those behind a place, or up to another one."""
    for page in pages.pages(*places):
        yield page.images, page.last, pages.indented(page.text).encode()


def _full(last: Composed) -> list[Part]:
    """Give the pages of the last document but for those at its end that are not full: to them come new images."""
    parts = list(last.parts)
    while parts and parts[-1].images < document.PAGE:
        parts.pop()
    return parts


def _renewed(pages: Pages, parts: list[Part], touched: list[int], source: BinaryIO) -> Iterator[Content]:
    """Give the pages that were written before, those anew that hold touched images, and what is new behind them."""
    ends = [part.last for part in parts]
    others = {bisect_left(ends, place) for place in touched}
    end = 0
    for number, part in enumerate(parts):
        if number in others:
            yield from _asked(pages, end, part.last)
        else:
            yield part.images, part.last, _read(source, part)
        end = part.last
    yield from _asked(pages, end)


def _read(source: BinaryIO, part: Part) -> bytes:
    try:
        source.seek(part.begin)
        data = source.read(part.size)
    except OSError as error:
        raise Altered from error
    if zlib.crc32(data) != part.checksum:
        raise Altered
    return data
