"""The write-ahead log's file: it is long before changes need it, and does not grow with them."""

import shutil
import threading
from pathlib import Path
from types import SimpleNamespace

import apsw
import pytest

from monailabel.catalog.sqlite import SqliteCatalog
from monailabel.datastore.local import LocalDatastore
from tests.waiting import until


@pytest.fixture
def catalog(tmp_path: Path) -> SqliteCatalog:
    """An empty catalog."""
    return SqliteCatalog(str(tmp_path / "catalog.db"))


def length(catalog: SqliteCatalog) -> int:
    """Give the bytes of the log's file."""
    return Path(f"{catalog.path}-wal").stat().st_size


def change(catalog: SqliteCatalog, times: int) -> None:
    """Make changes."""
    for number in range(times):
        with catalog.transaction() as rows:
            rows.set_setting("name", text(number))


def text(number: int) -> str:
    """Give what a change writes: some pages of the log."""
    return f"{number:05}" * 2_000


def test_it_is_long_and_nothing_else_came(catalog: SqliteCatalog) -> None:
    """What fills the log is in no row and in no page of the database."""
    change(catalog, 1)
    with catalog.reading() as connection:
        pages, settings = connection.pragma("page_count"), catalog.settings()
    catalog.log.lengthen(threading.Lock())
    assert length(catalog) > 8 << 20
    assert catalog.settings() == settings
    catalog.close()
    alone = apsw.Connection(catalog.path)
    assert alone.pragma("page_count") == pages
    assert alone.pragma("integrity_check") == "ok"
    alone.close()


def test_one_process_does_it_for_all(catalog: SqliteCatalog) -> None:
    """Whoever comes next finds the log long enough, and takes no lock for it."""
    change(catalog, 1)
    catalog.log.lengthen(threading.Lock())
    taken = threading.Lock()
    taken.acquire()
    other = SqliteCatalog(catalog.path)
    other.log.lengthen(taken)
    other.close()
    catalog.close()


def test_changes_do_not_make_it_longer(catalog: SqliteCatalog) -> None:
    """However many changes come, the log is emptied in time, and they are written from its beginning."""
    catalog.log.lengthen(threading.Lock())
    before = length(catalog)
    for _ in range(8):
        change(catalog, 200)
        catalog.log.empty(threading.Lock())
    assert length(catalog) == before
    assert catalog.settings()["name"] == text(199)
    catalog.close()


def test_a_reader_keeps_what_it_sees(catalog: SqliteCatalog) -> None:
    """Whoever reads while the log is emptied and written anew sees the rows as they were."""
    change(catalog, 500)
    with catalog.unchanging() as connection:
        before = connection.execute("SELECT value FROM setting WHERE name = 'name'").get
        catalog.log.empty(threading.Lock())
        change(catalog, 500)
        catalog.log.empty(threading.Lock())
        assert connection.execute("SELECT value FROM setting WHERE name = 'name'").get == before
    catalog.close()


def test_a_nearly_full_disk_is_left_alone(catalog: SqliteCatalog, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where space is scarce the log grows only as changes need it."""
    monkeypatch.setattr(shutil, "disk_usage", lambda path: SimpleNamespace(free=100 << 20))
    change(catalog, 1)
    before = length(catalog)
    catalog.log.lengthen(threading.Lock())
    assert length(catalog) == before
    catalog.close()


def test_no_room_is_no_error(catalog: SqliteCatalog, monkeypatch: pytest.MonkeyPatch) -> None:
    """A log that cannot be made longer leaves the catalog as it was, and changes go on."""
    with catalog.reading() as connection:
        connection.pragma("max_page_count", 100)
    change(catalog, 1)
    catalog.log.lengthen(threading.Lock())
    change(catalog, 2)
    assert catalog.settings()["name"] == text(1)
    catalog.close()


def test_an_open_datastore_tends_it(tmp_path: Path) -> None:
    """Soon after the first change of any kind the log is long; closing removes it."""
    (tmp_path / "a.nii").write_bytes(b"voxels")
    with LocalDatastore(str(tmp_path)) as store:
        store.update_image_info("a", {"note": "x"})
        file = tmp_path / ".monailabel" / "catalog.db-wal"
        until(lambda: file.stat().st_size > 4 << 20)
        assert store.get_image_info("a")["note"] == "x"
    assert not file.exists()
