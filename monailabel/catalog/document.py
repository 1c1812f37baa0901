"""The document datastore_v2.json, told from the catalog page by page: a million images are never in memory at once."""

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import apsw

_PAGE = 1_000  # images
_SETTINGS = ("name", "description", "images_dir", "labels_dir")
_HEAD, _TAIL = '{\n  "objects": {\n', "\n  }\n}"  # what stands around a page that was indented as a document


class Pages:
    """The document as it is in one read transaction on this connection."""

    def __init__(self, connection: apsw.Connection, queries: Mapping[str, str]) -> None:
        self._connection = connection
        self._queries = queries

    def settings(self) -> dict[str, str]:
        """Give what the document says before its objects."""
        known: list[Any] = self._connection.execute(self._queries["settings"]).fetchall()
        return {name: value for wanted in _SETTINGS for name, value in known if name == wanted}

    def last_event(self) -> int:
        """Give the number of the newest event that it shows, 0 before the first."""
        row = self._connection.execute(self._queries["last_event"]).get
        return row[0] if row else 0

    def objects(self, ids: list[str] | None = None) -> Iterator[str]:
        """Give the images with their labels, or those of these ids: the inside of a JSON object, a page at a time."""
        if ids is not None:
            for begin in range(0, len(ids), _PAGE):
                wanted = {"ids": json.dumps(ids[begin : begin + _PAGE])}
                if text := self._connection.execute(self._queries["objects_of"], wanted).get:
                    yield text
            return
        count, born = _PAGE, 0
        while count == _PAGE:
            page = {"after": born, "limit": _PAGE}
            count, born, text = self._connection.execute(self._queries["objects"], page).get
            if count:
                yield text

    def write(self, put: Callable[[str], object], *, ids: list[str] | None = None) -> None:
        """Write the document as compact JSON."""
        put(json.dumps(self.settings(), separators=(",", ":"))[:-1] + ',"objects":{')
        for number, page in enumerate(self.objects(ids)):
            put("," + page if number else page)
        put("}}")

    def write_indented(self, put: Callable[[str], object]) -> None:
        """Write it with the indent of two that datastore_v2.json has, in ASCII: MONAI Label reads it in its locale."""
        put(json.dumps(self.settings(), indent=2)[:-2] + ',\n  "objects": {')
        number = -1
        for number, page in enumerate(self.objects()):
            text = self._connection.execute(self._queries["pretty"], {"document": f'{{"objects":{{{page}}}}}'}).get
            put((",\n" if number else "\n") + _ascii(text[len(_HEAD) : -len(_TAIL)]))
        put("}\n}" if number < 0 else _TAIL)


def _ascii(text: str) -> str:
    """Escape what is not ASCII in a JSON text."""
    return text if text.isascii() else re.sub(r"[^\x00-\x7f]+", lambda run: json.dumps(run.group())[1:-1], text)
