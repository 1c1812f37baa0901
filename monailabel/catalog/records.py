"""What rows tell, as records; and what to do about a row whose bytes were changed."""

import json
from typing import Any

from monailabel.interfaces.exception import DamagedDatastoreException
from monailabel.models import Item, State

_read_json = json.JSONDecoder().raw_decode  # without looking for white space, of which our own has none
_STATES = list(State)  # by number; to call an enumeration costs as much as the row


def item_of(row: tuple[Any, ...]) -> Item:
    """Make an Item of a row of the query `item`."""
    rowid, image_id, tag, ext, info, state, listed, version, inode, seq, mark, sha256, size, mtime_ns, link = row
    try:
        return Item(
            rowid, image_id, tag, ext, _read_json(info)[0], _STATES[state], bool(listed), version, sha256, size,
            mtime_ns, inode, link, seq, mark,
        )  # fmt: skip
    except (ValueError, TypeError, IndexError) as error:
        raise damaged_row(info) from error


def recorded(text: str) -> Any:
    """Read JSON that the catalog holds. Raises DamagedDatastoreException where its bytes were changed."""
    try:
        return _read_json(text)[0]
    except ValueError as error:
        raise damaged_row(text) from error


def damaged_row(text: object) -> DamagedDatastoreException:
    """Give the error that says what to do about a row whose bytes were changed."""
    return DamagedDatastoreException(
        f"a row of the catalog is damaged (it says {str(text)[:200]!r}); `monailabel-datastore check --repair` on its "
        "folder sets the catalog aside and keeps all of it that can be read"
    )
