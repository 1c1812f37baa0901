"""What the events tell of an image or label, which its row has to be: compared by a check, written after a loss."""

from collections.abc import Container
from dataclasses import dataclass, field
from typing import Any

from monailabel.catalog import rows as asking
from monailabel.catalog.chain import flawed
from monailabel.catalog.sqlite import SqliteCatalog
from monailabel.catalog.transaction import handed_at
from monailabel.datastore.actor import UNKNOWN
from monailabel.datastore.change import Changes
from monailabel.datastore.edit import visible_name
from monailabel.datastore.history import ALL, plainly
from monailabel.files.folder import Folder, digest
from monailabel.files.looks import Look
from monailabel.models import IMAGE, State, dump

_BRING = ("added", "replaced", "restored", "found", "changed", "back", "expected")
_BATCH = 1_000


@dataclass(slots=True)
class Version:
    """A version as the event tells it that made it; None where the content was erased, or the bytes not read."""

    ext: str | None
    sha256: str | None
    seq: int


@dataclass(slots=True)
class Told:
    """An item as its events tell it; None where an event's content was erased."""

    state: State = State.REMOVED
    version: int = 0
    ext: str | None = None
    info: dict[str, Any] | None = None
    sha256: str | None = None
    seq: int = 0  # the event that last touched it
    born: int = 0  # the event that brought it
    versions: dict[int, Version] = field(default_factory=dict)

    def follow(self, row: tuple[Any, ...]) -> None:
        """Take in the next event."""
        seq, action, version, after, said = row[0], row[4], row[7], row[9], plainly(row[10] or "{}")
        self.born = self.born or seq
        is_shown = action in _BRING and not said.get("kept")
        if action in (*_BRING, "refused"):
            self.versions.setdefault(version, Version(said.get("ext"), after, seq))
        if is_shown or (action == "refused" and not self.version):  # what was never shown has the row all the same
            self.version, self.ext, self.info, self.sha256 = version, said.get("ext"), said.get("new"), after
            self.state = State.MISSING if action == "expected" else State.PRESENT if is_shown else State.REMOVED
        elif action == "updated":
            self.info = said.get("new")
        elif action in ("removed", "missing"):
            self.state = State.REMOVED if action == "removed" else State.MISSING
        elif action == "purged":
            self.state, self.info = State.REMOVED, {}
        else:
            return
        self.seq = seq


def told_of(catalog: SqliteCatalog, image_id: str, tag: str, flawed: Container[int] = ()) -> Told | None:
    """Give what the events tell of an image or label; None where none does, or one of them is not as it was sealed."""
    told = Told()
    for row in catalog.events(0, ALL, image_id):
        if row[6] == tag or (row[4] == "purged" and row[6] == IMAGE):
            if row[0] in flawed:
                return None
            told.follow(row)
    return told if told.version else None


# -- after a loss ------------------------------------------------------------------------------------------------------


def retell(catalog: SqliteCatalog, changes: Changes) -> None:
    """Write the rows that are missing, or older than their events, as the events tell them."""
    keys = {(image_id, tag) for image_id, tag in asking.asked(catalog, "doubtful_items")}
    keys |= {(image_id, tag) for image_id, tag, _ in asking.asked(catalog, "doubtful_versions")}
    keys |= {(image_id, tag) for image_id, tag, _ in asking.once(catalog, "lost_items")}
    not_sealed = flawed(catalog) if keys else ()
    ordered = sorted(keys, key=lambda key: key[1])  # images before their labels
    for begin in range(0, len(ordered), _BATCH):
        with changes.begin(UNKNOWN) as edit:
            for image_id, tag in ordered[begin : begin + _BATCH]:
                told, item = told_of(catalog, image_id, tag, not_sealed), edit.rows.item(image_id, tag)
                if told and told.ext is not None and told.info is not None and (item is None or item.seq <= told.seq):
                    seen = _seen(changes.folder(tag), visible_name(image_id, tag, told.ext), told)
                    asking.tell(edit.rows, image_id, tag, _rows_of(told, seen))
            asking.recount(edit.rows)


def _seen(folder: Folder, name: str, told: Told) -> Look | None:
    """Look at the visible file, where it has the bytes that the events tell."""
    seen = folder.look(name) if told.state is State.PRESENT else None
    return seen if seen and told.sha256 and digest(folder.path(name))[0] == told.sha256 else None


def _rows_of(told: Told, seen: Look | None) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    info = told.info or {}
    item = {
        "ext": told.ext, "info": dump(info), "state": int(told.state), "handed": handed_at(info),
        "version": told.version, "born": told.born, "seq": told.seq, "inode": seen.inode if seen else None,
    }  # fmt: skip
    versions = []
    for number, version in told.versions.items():
        is_newest = number == told.version and told.state is not State.REMOVED
        shown = seen if is_newest else None
        kept = None if is_newest else ""  # where its bytes lie, its checksum may tell
        versions.append(
            {
                "number": number, "ext": version.ext or told.ext, "told_ext": version.ext, "sha256": version.sha256,
                "kept": kept, "seq": version.seq, "size": shown and shown.size, "mtime_ns": shown and shown.mtime_ns,
            }
        )  # fmt: skip
    return item, versions
