"""Reading a table in which something is damaged: halves a range of rows until what cannot be read is alone."""

from collections.abc import Callable, Iterator
from typing import Any

import apsw

from monailabel.interfaces.exception import DamagedDatastoreException

DAMAGE = (DamagedDatastoreException, apsw.CorruptError, apsw.SQLError, UnicodeDecodeError)
Rows = list[tuple[Any, ...]]


def halved(fetch: Callable[[int, int], Rows], low: int, high: int, lost: Callable[[int], None]) -> Iterator[Any]:
    """Give the rows numbered `low` to `high` that `fetch` can read; `lost` is told the number of each other one."""
    waiting = [(low, high)]
    while waiting:
        low, high = waiting.pop()
        try:
            rows = fetch(low, high)
        except DAMAGE:
            middle = (low + high) // 2
            if low == high:
                lost(low)
            else:
                waiting += [(middle + 1, high), (low, middle)]
            continue
        yield from rows
