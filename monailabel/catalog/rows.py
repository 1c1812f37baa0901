"""Whether the catalog's rows agree with each other and with its events; every question is in rows.sql."""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import apsw

from monailabel.catalog.halving import Rows, halved
from monailabel.catalog.sqlite import SqliteCatalog, load_queries
from monailabel.catalog.transaction import Transaction

QUERIES: Mapping[str, str] = load_queries("rows.sql")
_PAGE = 5_000


def integrity(catalog: SqliteCatalog) -> list[str]:
    """Say what is damaged in the database's own structure."""
    with catalog.reading() as connection:
        try:
            rows = connection.execute("PRAGMA integrity_check").fetchall()
            lost = connection.execute(QUERIES["lost_references"]).fetchall()
        except (apsw.Error, UnicodeDecodeError) as error:
            return [str(error)]
    found = [line for (text,) in rows for line in str(text).splitlines() if line != "ok"]
    return found + [
        f"row {row} of table {table} belongs to a row of {parent} that is not there" for table, row, parent, _ in lost
    ]


def asked(catalog: SqliteCatalog, query: str, progress: Callable[[int, int], None] = lambda *_: None) -> Iterator[Any]:
    """Ask about all items, a page at a time; what cannot be read is left out, for `integrity` tells of it."""

    def fetch(low: int, high: int) -> Rows:
        with catalog.reading() as connection:
            try:
                return connection.execute(QUERIES[query], {"low": low, "high": high}).fetchall()
            finally:
                progress(high, last)

    last = _last(catalog)
    for low in range(1, last + 1, _PAGE):
        yield from halved(fetch, low, min(low + _PAGE - 1, last), lambda _: None)


def once(catalog: SqliteCatalog, query: str, **values: Any) -> list[Any]:
    """Ask a question that needs no pages."""
    with catalog.reading() as connection:
        return connection.execute(QUERIES[query], values).fetchall()


def tell(transaction: Transaction, image_id: str, tag: str, told: tuple[dict[str, Any], list[dict[str, Any]]]) -> None:
    """Write the row of an item and those of its versions as the events tell them."""
    item, versions = told
    rowid = transaction.run(QUERIES["tell_item"], image_id=image_id, tag=tag, **item)
    for version in versions:
        transaction.run(QUERIES["tell_version"], item=rowid, **version)


def drop_setting(transaction: Transaction, name: str) -> None:
    """Forget a setting."""
    transaction.run(QUERIES["drop_setting"], name=name)


def happened(catalog: SqliteCatalog, action: str, after: int) -> bool:
    """Tell whether an event of that kind came after the one of a number."""
    return bool(once(catalog, "happened", action=action, after=after))


def gaps(catalog: SqliteCatalog) -> list[tuple[int, int]]:
    """Give the first and last numbers of the events that are missing between others."""
    return once(catalog, "gaps")


def recount(transaction: Transaction) -> None:
    """Write flags and tallies as the other rows say them."""
    for query in ("set_flags", "set_final", "drop_tallies", "set_tallies"):
        transaction.run(QUERIES[query])


def _last(catalog: SqliteCatalog) -> int:
    with catalog.reading() as connection:
        return int(connection.execute(QUERIES["last_row"]).get)
