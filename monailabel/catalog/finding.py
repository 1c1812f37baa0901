"""Adds the rows of files that other programs put into a folder, many at once: one statement for each table."""

import hashlib
import json.encoder
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple

import apsw

_quoted = json.encoder.encode_basestring_ascii  # a text as our JSON has it


class Found(NamedTuple):
    """A file that has no row yet."""

    image_id: str
    ext: str
    size: int | None  # bytes
    mtime_ns: int | None
    inode: int | None
    link: str | None  # where the file is a link: its target
    listed: bool  # an image, or a label of a listed image
    made_for: int | None  # of a label: the version of its image


class Finding:
    """Writes events, items and versions of one folder's files, and seals the events into the chain."""

    def __init__(self, connection: apsw.Connection, queries: Mapping[str, str], seq: int, chain: bytes) -> None:
        self._connection = connection
        self._queries = queries
        self.seq = seq  # of the newest event
        self.chain = chain

    def put(self, tag: str, files: list[Found], actor: str, now: int) -> None:
        """Add the files of a folder; `now` in milliseconds since 1970 is written into events and infos.

        The triggers that count and that note final labels would run for each row; here one statement does it for all.
        """
        first = self._connection.execute(self._queries["last_item"]).get + 1
        events, items, versions = [], [], []
        for rowid, (file, info, event) in enumerate(self._sealed(tag, files, actor, now), first):
            seq = event[0]
            events.append(event)
            items.append((rowid, file.image_id, tag, file.ext, info, file.listed, file.inode, seq, seq))
            versions.append((rowid, file.ext, file.size, file.mtime_ns, file.made_for, file.link, seq))
        with self._without_triggers():
            for query, rows in (("put_event", events), ("put_new_item", items), ("put_first_version", versions)):
                self._connection.executemany(self._queries[query], rows).get
        listed = [file.image_id for file in files if file.listed]
        self._connection.execute(self._queries["count"], {"tag": tag, "n": len(listed)}).get
        if tag == "final":
            self._connection.execute(self._queries["note_final"], {"ids": json.dumps(listed)}).get
        self._connection.execute(self._queries["reread_orphans"]).get

    def _sealed(
        self, tag: str, files: list[Found], actor: str, now: int
    ) -> Iterator[tuple[Found, str, tuple[object, ...]]]:
        """Give each file with its info and event; the texts are those that `dump` and `seal` of a change would make."""
        sha256, salts = hashlib.sha256, os.urandom(16 * len(files))
        begin, end = f',{now},{_quoted(actor)},0,"found",', f",{_quoted(tag)},1,null,null]"
        for number, file in enumerate(files):
            info = f'{{"ts":{now // 1000},"name":{_quoted(file.image_id + file.ext)}}}'
            content = f'{{"ext":{_quoted(file.ext)},"new":{info}}}'
            salt = salts[16 * number : 16 * number + 16]
            digest = sha256(salt + content.encode()).digest()
            self.seq += 1
            row = f"[{self.seq}{begin}{_quoted(file.image_id)}{end}"
            self.chain = sha256(self.chain + row.encode() + digest).digest()
            yield file, info, (
                self.seq, now, actor, 0, "found", file.image_id, tag, 1, None, None, content, salt, digest, self.chain
            )  # fmt: skip

    @contextmanager
    def _without_triggers(self) -> Iterator[None]:
        self._connection.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 0)
        try:
            yield
        finally:
            self._connection.config(apsw.SQLITE_DBCONFIG_ENABLE_TRIGGER, 1)
