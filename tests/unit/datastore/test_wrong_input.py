"""What is refused is named, with the reason."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from monailabel.datastore.local import LocalDatastore
from monailabel.interfaces.exception import ConflictException, InvalidInputException


@pytest.mark.parametrize(
    ("call", "reason"),
    [
        (lambda store: store.json(as_of=datetime.now(UTC) + timedelta(days=1)), "that moment is to come"),
        (lambda store: store.json(as_of="yesterday"), "give the number of an event, or a time"),
        (lambda store: store.restore_label("a", "final", version="1"), "version '1' refused: it is str"),
        (lambda store: store.get_label("a", "final", version="1"), "version '1' refused: it is str"),
        (lambda store: store.find_images(info="age=57"), "info 'age=57' refused: give a dictionary"),
        (lambda store: store.prune(older_than="90 days"), "older_than '90 days' refused: give an age"),
        (lambda store: store.events(after="a"), "after 'a' refused: it is str"),
        (lambda store: store.events(limit="a"), "limit 'a' refused: it is str"),
    ],
)
def test_a_value_of_another_kind_is_refused(
    store: LocalDatastore, call: Callable[[LocalDatastore], Any], reason: str
) -> None:
    """With the argument, what it is and what it should be."""
    with pytest.raises(InvalidInputException, match=reason):
        call(store)


def test_an_image_that_is_there_is_not_rolled_back_unawares(store: LocalDatastore) -> None:
    """To bring it back is no sense; to go back to an earlier version of it wants the version."""
    with pytest.raises(ConflictException, match="is there, at version 1; name the version"):
        store.restore_image("a")
    assert store.restore_image("a", 1) == 2


def test_a_file_is_no_folder(tmp_path: Path) -> None:
    """Who names a scan instead of its folder is told so."""
    (tmp_path / "scan.nii.gz").write_bytes(b"scan")
    with pytest.raises(NotADirectoryError, match="it is a file; name the folder"):
        LocalDatastore(str(tmp_path / "scan.nii.gz"))
