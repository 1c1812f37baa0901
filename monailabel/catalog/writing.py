"""Transactions in which the catalog is written, for the length of a block."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from types import TracebackType

import apsw

from monailabel.catalog.connections import Connections
from monailabel.catalog.transaction import Transaction


@contextmanager
def immediate(connection: apsw.Connection) -> Iterator[None]:
    """Open a transaction that nobody else can write beside."""
    connection.execute("BEGIN IMMEDIATE").get
    try:
        yield
        connection.execute("COMMIT").get
    finally:
        _end(connection)


class Writing:
    """Such a transaction in a connection that is lent for it: a class, which costs a change less than a generator."""

    _connection: apsw.Connection

    def __init__(self, connections: Connections, queries: Mapping[str, str]) -> None:
        self._connections = connections
        self._queries = queries
        self._lent = connections.lend()

    def __enter__(self) -> Transaction:
        self._connections.follow()
        self._connection = self._lent.__enter__()
        try:
            self._connection.execute("BEGIN IMMEDIATE").get
            return Transaction(self._connection, self._queries)
        except BaseException as error:
            self.__exit__(type(error), error, error.__traceback__)
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        failed = error
        try:
            if error is None:
                self._connection.execute("COMMIT").get
        except BaseException as why:
            failed = why
            raise
        finally:
            try:
                if failed is not None:
                    _end(self._connection)
            finally:
                self._lent.__exit__(None if failed is None else type(failed), failed, None)


def _end(connection: apsw.Connection) -> None:
    """Take back a transaction that is still open."""
    with suppress(apsw.Error):
        if connection.in_transaction:
            connection.execute("ROLLBACK").get
