"""Files that are taken in many at once get the rows, counts and events that one after the other would get."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from monailabel.catalog.finding import Found
from monailabel.catalog.sqlite import SqliteCatalog
from monailabel.catalog.transaction import FIRST_CHAIN, seal

ODD = ('quote"and\\slash', "größe", "two words", "plain")


@pytest.fixture
def catalog(tmp_path: Path) -> Iterator[SqliteCatalog]:
    """A catalog that took in images and final labels for the first two of them."""
    made = SqliteCatalog(str(tmp_path / "catalog.db"))
    with made.transaction() as transaction:
        images = [Found(id, ".nii.gz", 7, 123, n, None, True, None) for n, id in enumerate(ODD)]
        transaction.put_found("", images, "unknown")
        labels = [Found(id, ".nii.gz", 7, 123, 10 + n, None, True, 1) for n, id in enumerate(ODD[:2])]
        transaction.put_found("final", labels, "unknown")
    yield made
    made.close()


def test_the_chain_closes_over_files_found_at_once(catalog: SqliteCatalog) -> None:
    """Each event's link covers the event, its content and the link before it, whatever letters an id has."""
    before = FIRST_CHAIN
    with catalog.reading() as connection:
        rows = connection.execute("SELECT * FROM event ORDER BY seq").fetchall()
    assert len(rows) == len(ODD) + 2
    for row in rows:
        assert row[13] == seal(before, row[:10], row[12])
        before = row[13]


def test_infos_and_contents_are_json(catalog: SqliteCatalog) -> None:
    """An info names the file and the second, and the event's content holds it."""
    row = catalog.listed(ODD[0], "final")
    assert row is not None
    info = json.loads(row[0])
    assert info["name"] == ODD[0] + ".nii.gz" and isinstance(info["ts"], int)
    with catalog.reading() as connection:
        contents = connection.execute("SELECT content FROM event WHERE image_id = ?", (ODD[0],)).fetchall()
    assert [json.loads(content) for (content,) in contents] == [{"ext": ".nii.gz", "new": info}] * 2


def test_counts_and_final_labels_follow(catalog: SqliteCatalog) -> None:
    """Counts and the images that wait for a label are right after files were found, and after the next change."""
    assert catalog.tallies() == {"": 4, "final": 2}
    assert catalog.image_ids() == list(ODD)
    first = catalog.first_unlabelled()
    assert first is not None and first[0] == ODD[2]
    with catalog.transaction() as transaction:
        item = transaction.item(ODD[0], "")
        assert item is not None
        transaction.put_found("original", [Found(ODD[3], ".nii.gz", 1, 2, 20, None, False, 1)], "unknown")
        transaction.set_info(item.rowid, {"note": "x"}, item.seq)
        labels = transaction.item(ODD[1], "final")
        assert labels is not None
        labels.state = labels.state.REMOVED
        transaction.put_item(labels, transaction.item(ODD[1], "final"))
    assert catalog.tallies() == {"": 4, "final": 1}  # an unlisted label does not count, and triggers count again
    first = catalog.first_unlabelled()
    assert first is not None and first[0] == ODD[1]
