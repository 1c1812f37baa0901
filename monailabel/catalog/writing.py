"""Transactions in which the catalog is written, for the length of a block: classes, which cost less than generators."""

from collections.abc import Mapping
from contextlib import suppress
from types import TracebackType

import apsw

from monailabel.catalog.connections import Connections
from monailabel.catalog.transaction import Transaction


class Writing:
    """A transaction for the length of a block, in a connection that is lent for it."""

    def __init__(self, connections: Connections, queries: Mapping[str, str]) -> None:
        self._connections = connections
        self._queries = queries
        self._lent = connections.lend()

    def __enter__(self) -> Transaction:
        self._connections.follow()
        connection = self._lent.__enter__()
        try:
            self._begun = Immediate(connection)
            self._begun.__enter__()
            return Transaction(connection, self._queries)
        except BaseException as error:
            self.__exit__(type(error), error, error.__traceback__)
            raise

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._begun.__exit__(kind, error, trace)
        except BaseException as failed:
            self._lent.__exit__(type(failed), failed, failed.__traceback__)
            raise
        self._lent.__exit__(kind, error, trace)


class Immediate:
    """Open a transaction that nobody else can write beside."""

    def __init__(self, connection: apsw.Connection) -> None:
        self._connection = connection

    def __enter__(self) -> None:
        self._connection.execute("BEGIN IMMEDIATE").get

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            if error is None:
                self._connection.execute("COMMIT").get
        finally:
            with suppress(apsw.Error):
                if self._connection.in_transaction:
                    self._connection.execute("ROLLBACK").get
