"""One change of the catalog: its rows and its event, which become durable together."""

import dataclasses
import hashlib
import json
import os
import time
from collections.abc import Mapping
from typing import Any

import apsw

from monailabel.catalog.finding import Finding, Found
from monailabel.catalog.records import item_of
from monailabel.models import Event, Item, Kept, Mark, State, dump

FIRST_CHAIN = bytes(32)
_MARK = [field.name for field in dataclasses.fields(Mark)]


class Transaction:
    """What can be written while a transaction is open; `catalog.transaction()` gives one."""

    def __init__(self, connection: apsw.Connection, queries: Mapping[str, str]) -> None:
        self._connection = connection
        self._queries = queries
        seq, chain, count, newest = connection.execute(queries["opening"]).get
        self._seq: int = seq or 0
        self._chain: bytes = chain or FIRST_CHAIN
        self.standing = count, newest  # how many marks stand, and the number of the newest
        self._now = int(time.time() * 1000)
        self._orphans_called = False  # an image came, and labels may have waited for it

    def _get(self, query: str, **values: Any) -> Any:
        return self._connection.execute(self._queries[query], values).get

    def _all(self, query: str, **values: Any) -> list[Any]:
        return self._connection.execute(self._queries[query], values).fetchall()

    @property
    def next_seq(self) -> int:
        """The number that the next event will have."""
        return self._seq + 1

    # -- looking -------------------------------------------------------------------------------------------------------

    def item(self, image_id: str, tag: str) -> Item | None:
        """Give an item as it is inside this transaction."""
        row = self._connection.execute(self._queries["item"], (image_id, tag)).get
        return item_of(row) if row else None

    def rows_of(self, image_id: str) -> list[tuple[str, State]]:
        """Give tag and state of every item of an image."""
        return [(tag, State(state)) for tag, state in self._all("rows_of", image_id=image_id)]

    def settings(self) -> dict[str, str]:
        """Give all settings."""
        return dict(self._all("settings"))

    def namesake(self, image_id: str, tag: str, name: str) -> str | None:
        """Give the id of another present item whose visible file has this name: `a.b` + `.c` is `a` + `.b.c`."""
        starts = json.dumps([name[:n] for n in range(1, len(name) + 1)])
        found: str | None = self._get("namesake", image_id=image_id, tag=tag, name=name, starts=starts)
        return found

    def next_version(self, image_id: str, tag: str) -> int:
        """Give the number of an item's next version."""
        return int(self._get("next_version", image_id=image_id, tag=tag))

    def version(self, item: int, number: int) -> tuple[Any, ...] | None:
        """Give one version's row."""
        row: tuple[Any, ...] | None = self._get("version", item=item, number=number)
        return row

    def said(self, image_id: str, tag: str) -> list[dict[str, Any]] | None:
        """Give every info that the events of an item told; None if there are no events of it."""
        rows = self._all("said", image_id=image_id, tag=tag)
        contents = [json.loads(content) for (content,) in rows if content]
        infos = (content.get(which) for content in contents for which in ("old", "new"))
        return [info for info in infos if isinstance(info, dict)] if rows else None

    # -- writing -------------------------------------------------------------------------------------------------------

    def set_setting(self, name: str, value: str) -> None:
        """Write one setting."""
        self._get("set_setting", name=name, value=value)

    def put_item(self, item: Item, old: Item | None, *, image_listed: bool = False, last: bool = False) -> int:
        """Write an item's row in the place of its old one (or `last` in the listing), and give the row's number.

        An image is listed where its file is present, a label where also its image is (`image_listed`).
        """
        present = item.state is State.PRESENT
        was_present = old is not None and old.state is State.PRESENT
        rowid: int = self._get(
            "put_item", image_id=item.image_id, tag=item.tag, ext=item.ext, info=dump(item.info), state=int(item.state),
            listed=int(present and (not item.tag or image_listed)), handed=handed_at(item.info), version=item.version,
            inode=item.inode, seq=item.seq, mark=item.mark, last=int(last),
        )  # fmt: skip
        if not item.tag and present != was_present:
            if old is not None:
                self._get("list_labels", image_id=item.image_id, listed=int(present))
            if present and not self._orphans_called:
                self._get("reread_orphans")
                self._orphans_called = True
        return rowid

    def put_version(self, item: Item, *, made_for: int | None) -> None:
        """Add the version that an item's row now names as its newest."""
        self._get(
            "put_version", item=item.rowid, number=item.version, ext=item.ext, sha256=item.sha256, size=item.size,
            mtime_ns=item.mtime_ns, made_for=made_for, kept=None, link=item.link, seq=item.seq,
        )  # fmt: skip

    def keep_version(
        self, rowid: int, number: int, kept: str | None, sha256: str | None = None, size: int | None = None
    ) -> None:
        """Note where a version's bytes lie."""
        self._get("keep_version", item=rowid, number=number, kept=kept, sha256=sha256, size=size)

    def add_foreign_version(self, rowid: int, ext: str, sha256: str, size: int, kept: str) -> int:
        """Add a version for bytes that came out of a visible name and that we had not put there."""
        image_id, tag, _ = self._get("item_by_rowid", id=rowid)
        number = self.next_version(image_id, tag)
        self._get(
            "put_version", item=rowid, number=number, ext=ext, sha256=sha256, size=size, mtime_ns=None, made_for=None,
            kept=kept, link=None, seq=self.next_seq,
        )  # fmt: skip
        self.event(Event("unknown", False, "found", image_id, tag, number, None, sha256, {"ext": ext, "kept": True}))
        return number

    def read_version(self, rowid: int, number: int, sha256: str) -> None:
        """Note the checksum of a file whose bytes were read."""
        self._get("read_version", item=rowid, number=number, sha256=sha256)

    def prune_version(self, version: Kept) -> None:
        """Note that a version's kept bytes are to be removed."""
        self.keep_version(version.item, version.version, "")
        self._get("doom", token=version.token, tag=version.tag, sha256=version.sha256 or "link")

    def undoom(self, tokens: list[str]) -> None:
        """Note that kept bytes are removed."""
        self._get("undoom", tokens=json.dumps(tokens))

    def erase(self, image_id: str) -> None:
        """Erase what the catalog knows of an image and its labels; their bytes are to be removed, their events stay."""
        self._get("doom_image", image_id=image_id)
        for query in ("erase_events", "erase_versions"):
            self._get(query, image_id=image_id)
        self._get("erase_items", image_id=image_id, seq=self.next_seq)

    def set_info(
        self, rowid: int, info: dict[str, Any], seq: int, *, text: str = "", before: dict[str, Any] | None = None
    ) -> None:
        """Write an item's info, of which `text` may be the JSON.

        An index is spared where the info `before` says the same of its handing out.
        """
        text, handed = text or dump(info), handed_at(info)
        if before is not None and handed == handed_at(before):
            self._connection.execute(self._queries["set_info"], (text, seq, rowid)).get
        else:
            self._get("set_info_handed", id=rowid, info=text, handed=handed, seq=seq)

    def set_inode(self, rowid: int, inode: int | None) -> None:
        """Note that the same file has a new folder entry."""
        self._get("set_inode", id=rowid, inode=inode)

    def set_time(self, rowid: int, number: int, mtime_ns: int | None) -> None:
        """Note that a file has the bytes of a version though its time (nanoseconds) is another one."""
        self._get("set_time", item=rowid, number=number, mtime_ns=mtime_ns)

    def put_mark(self, mark: Mark) -> None:
        """Note that a change's files are about to be put in their places; the item's row names the change too."""
        self._get("put_mark", **{name: getattr(mark, name) for name in _MARK})

    def drop_mark(self, mark: Mark) -> None:
        """Note that a change is finished."""
        self._get("free_item", id=mark.id, item=mark.item)
        self._get("drop_mark", id=mark.id)

    def put_folder(self, path: str, mtime_ns: int, inode: int) -> None:
        """Note the time stamp of a folder before it was read."""
        self._get("put_folder", path=path, mtime_ns=mtime_ns, inode=inode)

    def drop_folder(self, path: str) -> None:
        """Forget a folder that is there no longer."""
        self._get("drop_folder", path=path)

    def replace_problems(self, folder: str, found: dict[str, tuple[str, bool]]) -> None:
        """Note by relative path what could not be taken in from a folder, and whether it is a label without image."""
        self._get("drop_problems", folder=folder)
        for path, (what, orphan) in found.items():
            self._get("put_problem", path=path, what=what, orphan=int(orphan))

    def event(self, event: Event) -> int:
        """Append an event, sealed into the chain, and give its number."""
        row = self._sealed(event)
        self._connection.execute(self._queries["put_event"], row).get
        return self._seq

    def _sealed(self, event: Event) -> tuple[Any, ...]:
        """Give the row of the next event, and take its place in the chain."""
        content = dump(event.content) if isinstance(event.content, dict) else event.content
        salt = os.urandom(16)
        digest = hashlib.sha256(salt + (content or "").encode()).digest()
        seq = self._seq + 1
        row = (
            seq, self._now, event.actor, int(event.authenticated), event.action, event.image_id, event.tag,
            event.version, event.before, event.after,
        )  # fmt: skip
        chain = seal(self._chain, row, digest)
        self._seq, self._chain = seq, chain
        return (*row, content, salt, digest, chain)

    def skip_to(self, seq: int) -> None:
        """Have the next event come after that number: those in between are lost, and nobody is to take theirs."""
        self._seq = max(self._seq, seq)

    def run(self, statement: str, **values: Any) -> Any:
        """Run a statement; give the first value or row of its answer."""
        return self._connection.execute(statement, values).get

    # -- many at once --------------------------------------------------------------------------------------------------

    def known(self, tag: str, image_ids: list[str]) -> dict[str, tuple[str, State, bool, int]]:
        """Give which of these ids have a row of that tag: its extension, state, whether it is listed, its version."""
        rows = self._all("known", tag=tag, ids=json.dumps(image_ids))
        return {image_id: (ext, State(state), bool(listed), version) for image_id, ext, state, listed, version in rows}

    def put_found(self, tag: str, files: list[Found], actor: str) -> None:
        """Add files that have no row yet and that another program put there."""
        finding = Finding(self._connection, self._queries, self._seq, self._chain)
        finding.put(tag, files, actor, self._now)
        self._seq, self._chain = finding.seq, finding.chain


def seal(before: bytes, row: tuple[Any, ...], digest: bytes) -> bytes:
    """Give an event's link in the chain: a SHA-256 over the link before it, the event, and its content's digest."""
    return hashlib.sha256(before + dump(row).encode() + digest).digest()


def handed_at(info: dict[str, Any]) -> int:
    """Give when a strategy last handed out the image with that info, in seconds since 1970, 0 for never."""
    strategies = info.get("strategy")
    if not strategies:
        return 0
    entries = strategies.values() if isinstance(strategies, dict) else ()
    times = [e.get("ts") for e in entries if isinstance(e, dict)]
    return max(
        (int(t) for t in times if isinstance(t, (int, float)) and not isinstance(t, bool) and abs(t) < 2**53), default=0
    )
