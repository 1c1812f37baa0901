"""The search index: answers questions about all cases, follows the catalog by itself, and may be lost at any time."""

import errno
import json
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from pkgutil import get_data
from typing import Any, NamedTuple

import apsw

from monailabel.catalog import postings
from monailabel.catalog.batch import SEARCH, Batch
from monailabel.catalog.case import EVERY, Case, Row, case_of
from monailabel.catalog.connections import Connections
from monailabel.catalog.sqlite import QUERIES, SqliteCatalog
from monailabel.catalog.transaction import FIRST_CHAIN
from monailabel.interfaces.exception import DamagedDatastoreException

SCHEMA_VERSION = 1
ORDERS = ("id", "time", "added", "size", "state")
_BATCH = postings.CASES  # events taken in by one transaction
_FEW = 64  # a set of less than this part of all cases is sorted by itself instead of looked for in the order of all

Tell = Callable[[str, int, int | None], None]
Place = tuple[Any, str]
"""Where a case stands in an order: what it is sorted by, then its place in the order of ids."""


class LostIndexError(Exception):
    """The index is damaged, gone or of another version; its cause says which."""


@dataclass(frozen=True, slots=True)
class Question:
    """Which cases are meant, in which order, and which part of them."""

    all_of: tuple[tuple[str, ...], ...] = ()  # terms: any of these, and any of those
    none_of: tuple[str, ...] = ()
    text: str = ""  # as `letters` gives it
    only: str | None = None  # the place of the one case that is meant, in the order of ids
    order: str = "id"
    down: bool = False
    after: Place | None = None
    skip: int = 0  # how many to pass over
    limit: int | None = None


class Answer(NamedTuple):
    """What is told of one page of cases, where the next page begins, how many cases there are, and for which event."""

    shown: list[list[Any]]
    next: Place | None
    total: int
    seq: int


class SearchIndex:
    """The cases of a datastore by term, text and order, in a database of their own."""

    def __init__(self, path: str, *, write_ahead: bool) -> None:
        """Open an index, which nobody else does at the same time, or begin one in an empty file."""
        self._connections = Connections(path, write_ahead=write_ahead, durable=False)
        self.renew()
        try:
            with self._lend() as connection:
                _prepare(connection)
        except BaseException:
            self.close()
            raise

    def close(self) -> None:
        """Close all connections."""
        self._connections.close()

    def renew(self) -> None:
        """Begin anew in a forked child."""
        self._following = threading.Lock()

    @contextmanager
    def _lend(self) -> Iterator[apsw.Connection]:
        try:
            with self._connections.lend() as connection:
                yield connection
        except (apsw.Error, DamagedDatastoreException, ValueError) as error:
            raise LostIndexError from error
        except OSError as error:
            if isinstance(error.__cause__, apsw.IOError | apsw.CantOpenError):
                raise LostIndexError from error
            raise

    # -- following the catalog -----------------------------------------------------------------------------------------

    def follow(self, catalog: SqliteCatalog, progress: Tell | None = None) -> None:
        """Take in what happened since; several threads and processes may try, and each step is made by one of them.

        Raises OSError (EAGAIN) where another process holds the index for a minute and it was never complete.
        """
        if self._seen()[:2] == catalog.head():
            return
        with self._following:
            try:
                began = self._seen()[0]
                while (at := self._step(catalog)) is not None:
                    if progress is not None:
                        progress("indexing", at - began, catalog.last_event() - began)
            except OSError as error:
                if not isinstance(error.__cause__, apsw.BusyError):
                    raise
                if not self._seen()[2]:
                    raise OSError(
                        errno.EAGAIN, "another process is making the search index; try again in a moment"
                    ) from error

    def _seen(self) -> tuple[int, bytes, int]:
        with self._lend() as connection:
            return _seen(connection)

    def _step(self, catalog: SqliteCatalog) -> int | None:
        """Take in a number of events and give the last of them, None where nothing is left.

        The catalog is read before the index is written to: who holds a connection to one must not wait for the other.
        """
        seq, chain, _ = seen = self._seen()
        with catalog.unchanging() as record:
            known = chain == _chain(record, seq)  # else another catalog, or an earlier copy that went on in another way
            after = seq if known else 0
            last: int = (record.execute(QUERIES["last_event"]).get or (0, b""))[0]
            upto = min(last, after + _BATCH)
            touched = [row[0] for row in record.execute(QUERIES["touched"], {"after": after, "upto": upto})]
            cases = list(_cases(record, touched))
            values = {"seq": upto, "chain": _chain(record, upto), "whole": int(upto == last)}
        with self._lend() as connection, _changing(connection):
            if _seen(connection) == seen:  # else another process made this step
                if not known:
                    connection.execute(SEARCH["forget"]).get
                Batch(connection, cases).write()
                connection.execute(SEARCH["set_seen"], values).get
        return None if upto == last else upto

    # -- answering -----------------------------------------------------------------------------------------------------

    def find(self, question: Question) -> Answer:
        """Answer a question from what the index knows now."""
        with self._unchanging() as connection:
            seq, *_ = _seen(connection)
            reading = _Reading(connection)
            cases = reading.cases(question)
            numbers = reading.page(question, cases)
            shown = connection.execute(SEARCH["shown"], {"numbers": json.dumps(numbers[: question.limit])})
            pages = [json.loads(row[0]) for row in shown]
            more = question.limit is not None and len(numbers) > question.limit
            next = reading.place_of(question.order, numbers[question.limit - 1]) if more and question.limit else None
            return Answer(pages, next, cases.bit_count(), seq)

    def counts(self, kinds: Iterable[str], limit: int) -> tuple[int, int, list[dict[str, int]]]:
        """Give the newest event known, the number of cases, and for each kind of term how many cases have which."""
        with self._unchanging() as connection:
            seq, *_ = _seen(connection)
            total = _Reading(connection).having((EVERY,)).bit_count()
            found: list[dict[str, int]] = []
            for kind in kinds:
                beyond = kind[:-1] + chr(ord(kind[-1]) + 1)
                values = {"kind": kind, "beyond": beyond, "limit": limit}
                rows: list[Any] = connection.execute(SEARCH["counts"], values).fetchall()
                found.append(dict(rows))
            return seq, total, found

    @contextmanager
    def _unchanging(self) -> Iterator[apsw.Connection]:
        with self._lend() as connection:
            connection.execute("BEGIN").get
            try:
                yield connection
            finally:
                if connection.in_transaction:
                    connection.execute("ROLLBACK").get


class _Reading:
    """Finds cases while the index stays as it is."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def cases(self, question: Question) -> int:
        """Give the set of the cases that are meant."""
        cases = self.having((EVERY,))
        for terms in question.all_of:
            cases &= self.having(terms)
        if question.none_of:
            cases &= ~self.having(question.none_of)
        if question.only is not None:
            cases &= self._at(question.only)
        if question.text and cases:
            cases &= self._holding(question.text)
        return cases

    def having(self, terms: tuple[str, ...]) -> int:
        """Give the set of the cases of which any of these terms is true."""
        cases = 0
        for term in terms:
            cases |= postings.joined(self._connection.execute(SEARCH["pieces"], {"term": term}))
        return cases

    def _at(self, place: str) -> int:
        number = self._connection.execute(SEARCH["number_at"], {"place": place}).get
        return 0 if number is None else 1 << number

    def _holding(self, text: str) -> int:
        return postings.of_digits(self._connection.execute(SEARCH["holding"], {"text": text}).get or "")

    def page(self, question: Question, cases: int) -> list[int]:
        """Give the numbers of the cases of a page, in order, and of one more where there is one."""
        skip, left = question.skip, max(0, cases.bit_count() - question.skip)
        count = None if question.limit is None else question.limit + 1
        if skip <= left:
            return self._along(question, cases, question.down, skip, count)
        count = left if count is None else min(left, count)  # the end is nearer: go back from there
        return self._along(question, cases, not question.down, left - count, count)[::-1]

    def _along(self, question: Question, cases: int, down: bool, skip: int, count: int | None) -> list[int]:
        name = "before" if down else "after"
        key, place = question.after or _beginning(question.order, down)
        values: dict[str, Any] = {"key": key, "place": place, "skip": skip, "limit": -1 if count is None else count}
        if cases.bit_count() < self.having((EVERY,)).bit_count() // _FEW:
            name += "_among"
            values["numbers"] = json.dumps(postings.numbers(cases))
        else:
            values["meant"] = postings.digits(cases)
        return [row[0] for row in self._connection.execute(_ordered(name, question.order), values)]

    def place_of(self, order: str, number: int) -> Place:
        """Give where a case stands in an order."""
        found: Place = self._connection.execute(_ordered("place_of", order), {"number": number}).get
        return found


def _seen(connection: apsw.Connection) -> tuple[int, bytes, int]:
    """Give number and chain of the last event that the index knows, and whether it was ever complete."""
    row: tuple[int, bytes, int] | None = connection.execute(SEARCH["seen"]).get
    if row is None:
        raise ValueError("the index does not say what it knows")
    return row


def _cases(record: apsw.Connection, image_ids: list[str]) -> Iterator[tuple[str, Case | None]]:
    """Read the cases of these images from the catalog, one after the other; None for what is none any more."""
    rows = map(Row._make, record.execute(QUERIES["case_rows"], {"ids": json.dumps(image_ids)}))
    for image_id, group in groupby(rows, attrgetter("image_id")):
        yield image_id, case_of(list(group))


def _chain(record: apsw.Connection, seq: int) -> bytes | None:
    """Give the chain up to an event, None where there is no such event."""
    chain: bytes | None = record.execute(QUERIES["chain"], {"seq": seq}).get if seq else FIRST_CHAIN
    return chain


@contextmanager
def _changing(connection: apsw.Connection) -> Iterator[None]:
    connection.transaction_mode = "IMMEDIATE"
    with connection:
        yield


def _prepare(connection: apsw.Connection) -> None:
    found = connection.pragma("user_version")
    if found == SCHEMA_VERSION:
        return
    if found or connection.execute("SELECT count(*) FROM sqlite_schema").get:
        raise ValueError(f"the index has schema {found}")
    with _changing(connection):
        connection.execute((get_data(__package__, "search_schema.sql") or b"").decode()).get
        connection.pragma("user_version", SCHEMA_VERSION)


def _ordered(query: str, order: str) -> str:
    return SEARCH[query].format(column=order)


def _beginning(order: str, down: bool) -> Place:
    """Give a place before all others: SQLite sorts numbers before texts, and both before bytes."""
    if down:
        return b"", b""  # type: ignore[return-value]
    return ("" if order == "id" else -(2**63)), ""
