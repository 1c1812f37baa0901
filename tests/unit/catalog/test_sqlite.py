"""The catalog: one transaction for a change, a chain of events without gaps, questions that need no table scan."""

import re
from collections.abc import Iterator
from pathlib import Path

import apsw
import pytest

from monailabel.catalog.connections import copy_catalog
from monailabel.catalog.sqlite import QUERIES, SCHEMA_VERSION, SqliteCatalog
from monailabel.catalog.transaction import FIRST_CHAIN, seal
from monailabel.interfaces.exception import DamagedDatastoreException
from monailabel.models import Event, Item, State


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[SqliteCatalog]:
    """An empty catalog."""
    catalog = SqliteCatalog(str(tmp_path / "catalog.db"))
    yield catalog
    catalog.close()


def add(catalog: SqliteCatalog, image_id: str, tag: str = "", state: State = State.PRESENT) -> None:
    """Add an image or label."""
    with catalog.transaction() as rows:
        old = rows.item(image_id, tag)
        seq = rows.event(Event("anna", False, "added", image_id, tag, 1, None, "00", {"new": {"k": image_id}}))
        item = Item(0, image_id, tag, ".nii", {"k": image_id}, state, True, 1, "00", 2, 3, 4, None, seq)
        item.rowid = rows.put_item(item, old, image_listed=True)
        if old is None:
            rows.put_version(item, made_for=None)


def fail(catalog: SqliteCatalog) -> None:
    """Write an event and a setting in a transaction that raises."""
    with catalog.transaction() as rows:
        rows.event(Event("anna", False, "added", "a"))
        rows.set_setting("name", "never")
        raise RuntimeError


def test_a_transaction_that_raises_leaves_nothing(catalog: SqliteCatalog) -> None:
    """Rows and events of a change that fails are undone together."""
    with pytest.raises(RuntimeError):
        fail(catalog)
    assert catalog.last_event() == 0 and catalog.settings() == {}


def test_events_are_a_chain_without_gaps(catalog: SqliteCatalog, tmp_path: Path) -> None:
    """Each event's link follows from the link before, the event, and its content's salted digest."""
    for image_id in "abcde":
        add(catalog, image_id)
    with pytest.raises(RuntimeError):
        fail(catalog)
    add(catalog, "f")
    before = FIRST_CHAIN
    rows = apsw.Connection(str(tmp_path / "catalog.db")).execute("SELECT * FROM event ORDER BY seq").fetchall()
    assert [row[0] for row in rows] == list(range(1, 7))
    for row in rows:
        assert row[13] == seal(before, row[:10], row[12])
        before = row[13]


def test_tallies_follow_the_listing(catalog: SqliteCatalog) -> None:
    """Counts are right after images come, go and return, and their labels with them."""
    add(catalog, "a")
    add(catalog, "b")
    add(catalog, "a", "final")
    assert catalog.tallies() == {"": 2, "final": 1} and catalog.unlabelled("final", None) == ["b"]
    add(catalog, "a", state=State.MISSING)
    assert catalog.tallies() == {"": 1} and catalog.labelled("final", None) == []
    add(catalog, "a")
    assert catalog.tallies() == {"": 2, "final": 1} and catalog.labelled("final", None) == ["a"]


def test_the_stamp_tells_of_every_commit(catalog: SqliteCatalog) -> None:
    """A list answered from memory is asked for again after any commit, by this object or another."""
    assert catalog.image_ids() == []
    add(catalog, "a")
    assert catalog.image_ids() == ["a"]
    other = SqliteCatalog(catalog.path)
    add(other, "b")
    other.close()
    assert catalog.image_ids() == ["a", "b"]
    catalog.image_ids().append("the caller's own")
    assert catalog.image_ids() == ["a", "b"]


ROW_QUESTIONS = [
    "item", "listed_info", "items_of", "rows_of", "put_item", "set_info", "free_item", "put_version", "next_version",
    "version", "versions", "keep_version", "read_version", "last_info", "item_by_rowid", "mark", "known", "handed",
    "drop_mark", "list_labels", "set_inode",
]  # fmt: skip


@pytest.mark.parametrize("name", ROW_QUESTIONS)
def test_a_question_about_one_file_reads_no_whole_table(catalog: SqliteCatalog, name: str) -> None:
    """What runs for a single change or read goes by an index, however many images there are."""
    query = QUERIES[name]
    values = dict.fromkeys(re.findall(r":(\w+)", query))
    with catalog.reading() as connection:
        plan = [row[3] for row in connection.execute("EXPLAIN QUERY PLAN " + query, values)]
    assert not [step for step in plan if re.match(r"SCAN (i|l|v|e|item|version|event)\b", step)], plan


def test_every_statement_is_right(catalog: SqliteCatalog) -> None:
    """Each named statement is one that the schema understands."""
    with catalog.reading() as connection:
        for name, query in QUERIES.items():
            values = dict.fromkeys(re.findall(r"[:@](\w+)", query)) or (None,) * query.count("?")
            assert connection.execute("EXPLAIN " + query, values or None).fetchall(), name


def test_a_newer_schema_is_refused(tmp_path: Path) -> None:
    """A catalog that a later version wrote is left alone, and the sentence says what to do."""
    path = str(tmp_path / "catalog.db")
    SqliteCatalog(path).close()
    connection = apsw.Connection(path)
    connection.pragma("user_version", SCHEMA_VERSION + 1)
    connection.close()
    with pytest.raises(DamagedDatastoreException, match="update monailabel-datastore"):
        SqliteCatalog(path)


def test_a_catalog_that_is_no_database_is_named(tmp_path: Path) -> None:
    """A file that is no SQLite database gives one sentence with its path."""
    path = tmp_path / "catalog.db"
    path.write_bytes(b"not a database at all, but long enough to be looked at" * 100)
    with pytest.raises(DamagedDatastoreException, match=r"catalog\.db is damaged"):
        SqliteCatalog(str(path))


def test_a_copy_has_what_a_living_writer_committed(catalog: SqliteCatalog, tmp_path: Path) -> None:
    """A copy made while another connection holds the write-ahead log has every commit."""
    add(catalog, "a")
    copy_catalog(catalog.path, str(tmp_path / "copy.db"))
    copy = SqliteCatalog(str(tmp_path / "copy.db"))
    assert copy.image_ids() == ["a"]
    copy.close()
