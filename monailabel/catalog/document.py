"""The document datastore_v2.json, told from the catalog page by page: a million images are never in memory at once."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, NamedTuple

import apsw

PAGE = 1_000  # images
_END = 2**63 - 1  # a place behind all others
_FEW = 10_000  # events that are looked through for what they touched
_SETTINGS = ("name", "description", "images_dir", "labels_dir")
_HEAD, _TAIL = '{\n  "objects": {\n', "\n  }\n}"  # what stands around a page that was indented as a document


class Page(NamedTuple):
    """Images that follow each other in the order of listing."""

    images: int
    last: int  # place of the last one
    text: str  # the images with their labels: the inside of a JSON object


class Pages:
    """The document as it is in one read transaction on this connection."""

    def __init__(self, connection: apsw.Connection, queries: Mapping[str, str]) -> None:
        self._connection = connection
        self._queries = queries

    def settings(self) -> dict[str, str]:
        """Give what the document says before its objects."""
        known = self._all_settings()
        return {name: known[name] for name in _SETTINGS if name in known}

    def refused(self) -> str | None:
        """Give as JSON what the document says of names that are not safe, None where it says nothing of such."""
        return self._all_settings().get("refused")

    def _all_settings(self) -> dict[str, str]:
        rows: list[Any] = self._connection.execute(self._queries["settings"]).fetchall()
        return dict(rows)

    def head(self) -> tuple[int, bytes]:
        """Give number and chain of the newest event that it shows, 0 before the first."""
        row: tuple[int, bytes] = self._connection.execute(self._queries["last_event"]).get or (0, b"")
        return row

    def touched(self, head: tuple[int, bytes]) -> list[int] | None:
        """Give the places of the images that events after that one tell of; None where they do not tell all.

        Whatever changes what the document says of an image has an event that names the image, or one of the datastore
        itself that is not `set`.
        """
        values = {"after": head[0], "few": _FEW}
        if not head[0] or self._connection.execute(self._queries["chain"], {"seq": head[0]}).get != head[1]:
            return None  # the catalog is not the one of that event
        if not self._connection.execute(self._queries["tells_what_it_touched"], values).get:
            return None
        places: list[Any] = self._connection.execute(self._queries["touched_places"], values).fetchall()
        return None if any(moved for _, moved in places) else [place for place, _ in places]

    def pages(self, after: int = 0, upto: int = _END) -> Iterator[Page]:
        """Give the images behind a place, up to another one, a page at a time."""
        images = PAGE
        while images == PAGE:
            values = {"after": after, "upto": upto, "limit": PAGE}
            images, after, text = self._connection.execute(self._queries["objects"], values).get
            if images:
                yield Page(images, after, text)

    def objects(self, ids: list[str] | None = None) -> Iterator[str]:
        """Give the images with their labels, or those of these ids: the inside of a JSON object, a page at a time."""
        if ids is None:
            yield from (page.text for page in self.pages())
            return
        for begin in range(0, len(ids), PAGE):
            wanted = {"ids": json.dumps(ids[begin : begin + PAGE])}
            if text := self._connection.execute(self._queries["objects_of"], wanted).get:
                yield text

    def write(self, put: Callable[[str], object], *, ids: list[str] | None = None) -> None:
        """Write the document as compact JSON."""
        put(json.dumps(self.settings(), separators=(",", ":"))[:-1] + ',"objects":{')
        for number, page in enumerate(self.objects(ids)):
            put("," + page if number else page)
        put("}}")

    # -- with the indent of two that datastore_v2.json has, in ASCII: MONAI Label reads it in its locale ---------------

    def heading(self) -> str:
        """Give what stands before the objects."""
        return json.dumps(self.settings(), indent=2)[:-2] + ',\n  "objects": {'

    def indented(self, page: str) -> str:
        """Give a page's text, which follows a line's end and is followed by a comma, or by the ending."""
        text = self._connection.execute(self._queries["pretty"], {"document": f'{{"objects":{{{page}}}}}'}).get
        return _ascii(text[len(_HEAD) : -len(_TAIL)])

    def ending(self, *, is_empty: bool) -> str:
        """Give what stands behind the objects."""
        return "}\n}" if is_empty else _TAIL


def _ascii(text: str) -> str:
    """Escape what is not ASCII in a JSON text."""
    return text if text.isascii() else re.sub(r"[^\x00-\x7f]+", lambda run: json.dumps(run.group())[1:-1], text)
