"""The embedded catalog: one SQLite database in the datastore's folder, read by many and written by one at a time."""

import json
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import apsw

from monailabel.catalog.connections import Connections
from monailabel.catalog.document import Pages
from monailabel.catalog.log import Log
from monailabel.catalog.records import item_of
from monailabel.catalog.transaction import FIRST_CHAIN
from monailabel.catalog.writing import Writing, immediate
from monailabel.interfaces.exception import DamagedDatastoreException
from monailabel.models import Item, Kept, Mark

SCHEMA_VERSION = 3
_FAR = 1_000  # no schema will ever have that number
_REMEMBERED = 8  # lists of all images, by tag and structures


_HERE = Path(__file__).parent


def load_queries(file: str) -> dict[str, str]:
    """Read the named statements of one of our .sql files."""
    text = (_HERE / file).read_text(encoding="utf-8")
    parts = re.split(r"^-- name: (\w+)\n", text, flags=re.MULTILINE)
    return {
        name: re.sub(r"^--.*\n", "", body, flags=re.MULTILINE).strip()
        for name, body in zip(parts[1::2], parts[2::2], strict=True)
    }


QUERIES: Mapping[str, str] = load_queries("queries.sql")
_LISTED_INFO = QUERIES["listed_info"]  # what every path and info is looked up by


class NewerCatalog(DamagedDatastoreException):
    """The catalog was written by a later version: it is not damaged, but cannot be read."""


class SqliteCatalog:
    """Rows of one datastore.

    Reading methods may be called from any thread and see every change that was committed before they were called.
    Writing goes through `transaction()`, for which the caller holds the datastore's writer's lock.
    """

    def __init__(self, path: str, *, write_ahead: bool = True) -> None:
        self.path = path
        self._connections = Connections(path, write_ahead=write_ahead)
        self.reading = self._connections.lend
        self.stamp = self._connections.stamp
        self.follow = self._connections.follow
        self.log = Log(self._connections, QUERIES["fill"])
        self._memory: dict[tuple[Any, ...], tuple[tuple[int, int], list[str]]] = {}
        try:
            self.bring_up()
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close all connections; what was committed is on the disk already."""
        self._connections.close()

    def bring_up(self) -> None:
        """Make the tables of a new database, and bring up those of an older schema."""
        with self.reading() as connection:
            self._prepare(connection)

    def _prepare(self, connection: apsw.Connection) -> None:
        found = connection.pragma("user_version")
        if found == SCHEMA_VERSION:
            return
        if not 0 <= found < _FAR:
            raise DamagedDatastoreException(f"the catalog {self.path} is damaged (it has no schema {found})")
        if found > SCHEMA_VERSION:
            raise NewerCatalog(
                f"the catalog {self.path} has schema {found}, this version knows {SCHEMA_VERSION}: "
                "update monailabel-datastore"
            )
        with immediate(connection):
            found = connection.pragma("user_version")  # another process may have been faster
            # A connection whose file was copied over learns of its new tables by reading, not by changing them.
            connection.execute("SELECT count(*) FROM sqlite_schema").get
            for step in schema_steps(found):
                connection.execute(step).get
            connection.pragma("user_version", SCHEMA_VERSION)

    def transaction(self) -> Writing:
        """Change rows: all of it is durable when the block ends, none of it if the block raises."""
        return Writing(self._connections, QUERIES)

    # -- reading -------------------------------------------------------------------------------------------------------

    def _get(self, query: str, **values: Any) -> Any:
        return self._connections.get(QUERIES[query], values)

    def _all(self, query: str, **values: Any) -> list[Any]:
        with self.reading() as connection:
            return connection.execute(QUERIES[query], values).fetchall()

    def settings(self) -> dict[str, str]:
        """Give name, description, images_dir, labels_dir and the datastore's identity."""
        return dict(self._all("settings"))

    def item(self, image_id: str, tag: str) -> Item | None:
        """Give an item, removed and missing ones too."""
        row = self._get("item", image_id=image_id, tag=tag)
        return item_of(row) if row else None

    def listed(self, image_id: str, tag: str) -> tuple[str, str, int | None, int] | None:
        """Give info (JSON), extension and mark of a listed item, and whether its file is a link (1 or 0)."""
        row: tuple[str, str, int | None, int] | None = self._connections.get(_LISTED_INFO, (image_id, tag))
        return row

    def items_of(self, image_id: str) -> list[tuple[str, str]]:
        """Give tag and extension of an image's listed items, the image itself under `""`."""
        return self._all("items_of", image_id=image_id)

    def image_ids(self) -> list[str]:
        """Give the ids of all listed images in the order of listing."""
        return self._remembered("image_ids")

    def _remembered(self, query: str, **values: Any) -> list[str]:
        """Answer a question about all images, from memory while nothing was committed since it was asked last."""
        key = (query, *values.values())
        stamp = self._connections.stamp()  # before the question: what is committed meanwhile counts as unseen
        known = self._memory.get(key)
        if known is None or known[0] != stamp:
            if len(self._memory) >= _REMEMBERED:
                self._memory.clear()
            known = self._memory[key] = (stamp, _strings(self._get(query, **values)))
        return known[1].copy()

    def page_of_images(self, after: str, limit: int) -> list[str]:
        """Give up to `limit` ids that follow the one given."""
        return [row[0] for row in self._all("page_of_images", after=after, limit=limit)]

    def labelled(self, tag: str, structures: list[str] | None) -> list[str]:
        """Give the ids of the images with a label of that tag (that names one of the structures)."""
        return self._remembered("labelled", tag=tag, structures=_json_or_none(structures))

    def unlabelled(self, tag: str, structures: list[str] | None) -> list[str]:
        """Give the ids of all other images."""
        return self._remembered("unlabelled", tag=tag, structures=_json_or_none(structures))

    def tallies(self) -> dict[str, int]:
        """Give the number of listed labels by tag; images are under `""`."""
        return dict(self._all("tallies"))

    def pairs(self, tag: str) -> list[tuple[str, str, str, int | None, int, int]]:
        """Give id, image and label extension, mark and which files are links of each image with a label of that tag."""
        return self._all("pairs", tag=tag)

    def first_unlabelled(self) -> tuple[str, int] | None:
        """Give the first image without a final label, and when it was handed out."""
        row: tuple[str, int] | None = self._get("first_unlabelled")
        return row

    def waiting_longest(self, place: float) -> tuple[str, int] | None:
        """Give one of the unlabelled images handed out longest ago: the one at `place` (0 to 1) among them."""
        with self.unchanging() as connection:
            least = connection.execute(QUERIES["least_handed"]).get
            if least is None:
                return None
            handed, first, last = least
            born = first + int(place * (last - first + 1))
            row: tuple[str, int] = connection.execute(QUERIES["waiting_from"], {"handed": handed, "born": born}).get
            return row

    def waiting(self, limit: int) -> list[tuple[str, int]]:
        """Give up to `limit` unlabelled images, those handed out longest ago, and when that was."""
        return self._all("waiting", limit=limit)

    def handed(self, ids: list[str]) -> dict[str, int]:
        """Give when each image was last handed out, in seconds, 0 for never."""
        return dict(self._all("handed", ids=json.dumps(ids)))

    @contextmanager
    def document(self) -> Iterator[Pages]:
        """Lend the document datastore_v2.json as it is now, for the length of the block."""
        with self.unchanging() as connection:
            yield Pages(connection, QUERIES)

    @contextmanager
    def unchanging(self) -> Iterator[apsw.Connection]:
        """Lend a connection to which the catalog stays as it is for the length of the block."""
        with self.reading() as connection:
            connection.execute("BEGIN").get
            try:
                yield connection
            finally:
                connection.execute("ROLLBACK").get

    def size(self) -> int:
        """Give the catalog's size in bytes."""
        return os.path.getsize(self.path)

    def head(self) -> tuple[int, bytes]:
        """Give number and chain of the newest event."""
        row: tuple[int, bytes] = self._get("last_event") or (0, FIRST_CHAIN)
        return row

    def chain(self, seq: int) -> bytes | None:
        """Give an event's link in the chain; None if there is no such event."""
        chain: bytes | None = self._get("chain", seq=seq) if seq else FIRST_CHAIN
        return chain

    def last_event(self) -> int:
        """Give the number of the newest event, 0 before the first."""
        row = self._get("last_event")
        return row[0] if row else 0

    def found_since(self, seq: int) -> tuple[int, bool]:
        """Give the number of the newest event, and whether one since `seq` is another than that a file was found."""
        last, is_more = self._get("found_since", seq=seq)
        return last, bool(is_more)

    def last_event_at(self, time: int) -> int:
        """Give the number of the newest event up to a time in milliseconds since 1970, 0 before the first."""
        return int(self._get("last_event_at", time=time))

    def events(
        self, after: int, limit: int, image_id: str | None, most_bytes: int | None = None
    ) -> list[tuple[Any, ...]]:
        """Give events in order; fewer than `limit`, but one, where their contents would be larger together."""
        query = "events" if image_id is None else "events_of"
        values = {"after": after, "limit": limit} | ({} if image_id is None else {"image_id": image_id})
        with self.reading() as connection, closing(connection.execute(QUERIES[query], values)) as rows:
            return list(rows) if most_bytes is None else _within(rows, most_bytes)

    def versions(self, image_id: str, tag: str) -> list[tuple[Any, ...]]:
        """Give all versions of an item with the events that made them."""
        return self._all("versions", image_id=image_id, tag=tag)

    def kept_versions(self, image_id: str | None, tag: str | None) -> list[Kept]:
        """Give the versions that the history keeps (of an image, of a tag), of each item the newest first."""
        return [Kept(*row) for row in self._all("kept_versions", image_id=image_id, tag=tag)]

    def kept_total(self) -> tuple[int, int]:
        """Give how many versions the history keeps, and their bytes."""
        count, size = self._get("kept_total")
        return count, size

    def doomed(self) -> list[tuple[str, str, str]]:
        """Give token, tag and SHA-256 (or `link`) of the kept bytes that are to be removed."""
        return self._all("doomed")

    def compact(self) -> None:
        """Rewrite the database without what was erased from it, and empty its log."""
        with self.reading() as connection:
            connection.execute("VACUUM").get
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").get

    def last_info(self, image_id: str, tag: str, version: int) -> str | None:
        """Give the content of the last event that speaks of a version."""
        text: str | None = self._get("last_info", image_id=image_id, tag=tag, version=version)
        return text

    def was_pruned(self, image_id: str, tag: str, version: int) -> bool:
        """Tell whether somebody had a version's bytes removed."""
        return bool(self._get("was_pruned", image_id=image_id, tag=tag, version=version))

    def marks(self) -> list[Mark]:
        """Give the changes whose files may not be in their places yet."""
        return [Mark(*row) for row in self._all("marks")]

    def mark(self, id: int) -> Mark | None:
        """Give one of them."""
        row = self._get("mark", id=id)
        return Mark(*row) if row else None

    def unread(self, limit: int) -> list[tuple[str, str]]:
        """Give items whose checksum nobody knows yet."""
        return self._all("unread", limit=limit)

    def any_unread(self) -> bool:
        """Tell whether there may be such items."""
        return bool(self._get("any_unread"))

    def tags(self) -> list[str]:
        """Give every tag that a label ever had."""
        return [row[0] for row in self._all("tags")]

    def has_files(self, tag: str) -> bool:
        """Tell whether there are files of a tag that are in their places or missing."""
        return bool(self._get("has_files", tag=tag))

    def count_present(self, tag: str) -> int:
        """Count the files of a tag that are in their places."""
        return int(self._get("count_present", tag=tag))

    def has_missing(self, tag: str) -> bool:
        """Tell whether a file of a tag is missing."""
        return bool(self._get("has_missing", tag=tag))

    def files(self, tag: str) -> Iterator[tuple[int, str, str, int]]:
        """Give row, image id, name and state of each file in its place or missing, a row at a time."""
        with self.reading() as connection:
            yield from connection.execute(QUERIES["files"], {"tag": tag})

    def files_by_inode(self, tag: str, inodes: list[int]) -> list[tuple[int, int, str]]:
        """Give place in the list, row and name of each file in its place that has one of these inodes."""
        return self._all("files_by_inode", tag=tag, inodes=json.dumps(inodes))

    def last_item(self) -> int:
        """Give the number of the row that was added last."""
        return int(self._get("last_item"))

    def folders(self) -> dict[str, tuple[int, int]]:
        """Give time stamp and inode of each folder as they were before it was last read."""
        return {path: (mtime_ns, inode) for path, mtime_ns, inode in self._all("folders")}

    def with_tilde(self) -> str | None:
        """Give an id that has a `~`, of an image that is there or can be restored; None if there is none."""
        found: str | None = self._get("with_tilde")
        return found

    def missing(self) -> list[tuple[str, str, str]]:
        """Give image id, tag and extension of the files that are gone without our doing."""
        return self._all("missing")

    def problems(self) -> dict[str, str]:
        """Give what scans could not take in, by relative path."""
        return dict(self._all("problems"))

    def places(self, after: int, limit: int) -> list[tuple[Any, ...]]:
        """Give row, image, tag, extension, state, size and SHA-256 of up to `limit` items not removed, after a row."""
        return self._all("places", after=after, limit=limit)


def _within(events: Iterable[tuple[Any, ...]], most_bytes: int) -> list[tuple[Any, ...]]:
    """Read rows of events until their contents are larger than that together."""
    found: list[tuple[Any, ...]] = []
    size = 0
    for row in events:
        size += len(row[10] or "")
        if found and size > most_bytes:
            break
        found.append(row)
    return found


def _strings(array: str) -> list[str]:
    result: list[str] = json.loads(array)
    return result


def _json_or_none(values: list[str] | None) -> str | None:
    return None if values is None else json.dumps(values)


def schema_steps(found: int) -> list[str]:
    """Give the SQL that leads from a schema's number to the present one: from nothing, the whole of it."""
    if not found:
        return [(_HERE / "schema.sql").read_text(encoding="utf-8")]
    return [path.read_text(encoding="utf-8") for path in sorted(_HERE.glob("migrations/*.sql"))[found:]]
