"""What a local datastore remembers: open files of every version, the versions, and what happened."""

from abc import abstractmethod
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from monailabel import naming
from monailabel.datastore import history
from monailabel.datastore.reading import OpenFile, open_newest
from monailabel.datastore.store import Store
from monailabel.interfaces.datastore import Datastore, DefaultLabelTag
from monailabel.interfaces.exception import ImageNotFoundException, LabelNotFoundException
from monailabel.models import IMAGE


class Remembering(Datastore):
    """What can be asked of the present and the past."""

    @property
    @abstractmethod
    def _store(self) -> Store:
        """The open folder."""

    def open_image(self, image_id: str, *, version: int | None = None) -> OpenFile:
        """Open the image's newest version, or an earlier one after checking its bytes against their checksum.

        Raises ImageNotFoundException, ConflictException where the bytes of the version are not there or damaged.
        """
        if version is not None:
            return self._open_version(text_of(image_id), IMAGE, version)
        opened = open_newest(self._store.catalog, self._store.changes, text_of(image_id), IMAGE)
        if opened is None:
            raise ImageNotFoundException(f"image {image_id!r} not found")
        return opened

    def open_label(self, label_id: str, label_tag: str, *, version: int | None = None) -> OpenFile:
        """Open the label's newest version, or an earlier one after checking its bytes against their checksum.

        Raises ImageNotFoundException, LabelNotFoundException, ConflictException where the bytes of the version are not
        there or damaged.
        """
        tag = text_of(label_tag)
        if version is not None and tag:
            return self._open_version(text_of(label_id), tag, version)
        opened = open_newest(self._store.catalog, self._store.changes, text_of(label_id), tag) if tag else None
        if opened is None and self._store.catalog.listed(text_of(label_id), IMAGE) is None:
            raise ImageNotFoundException(f"image {label_id!r} not found")
        if opened is None:
            has = ", ".join(self.get_labels_by_image_id(label_id)) or "no labels"
            raise LabelNotFoundException(f"label {label_tag!r} of image {label_id!r} not found; it has: {has}")
        return opened

    def _open_version(self, image_id: str, tag: str, version: int) -> OpenFile:
        store = self._store
        return history.open_known(store.settled, store.changes, image_id, tag, version)

    def events(
        self, after: int = 0, limit: int | None = None, image_id: str | None = None, *, most_bytes: int | None = None
    ) -> list[dict[str, Any]]:
        """Give what happened after the event of that number, in order.

        At most `limit` events, and fewer (but one) where their infos would be more than `most_bytes` together. A
        read-only datastore tells what others recorded, and what it finds itself only where nobody keeps a record.
        """
        store = self._store
        found = history.events(store.catalog, after, limit, image_id, most_bytes)
        return found if store.recorded is None else [event for event in found if event["seq"] <= store.recorded]

    def last_event(self) -> int:
        """Give the number of the newest event that `events` tells, 0 before the first."""
        store = self._store
        return store.catalog.last_event() if store.recorded is None else store.recorded

    def commits(self) -> tuple[int, int]:
        """Give a mark that is another one after every commit of any process; asking for it costs next to nothing."""
        return self._store.catalog.stamp()

    @contextmanager
    def listening(self, told: Callable[[], None]) -> Iterator[None]:
        """Have `told` called at once after each commit of this object, in the thread that made it.

        It must be quick, and must not raise. What others commit shows in `commits()`.
        """
        listeners = self._store.changes.listeners
        listeners.add(told)
        try:
            yield
        finally:
            listeners.discard(told)

    def label_versions(self, image_id: str, tag: str) -> list[dict[str, Any]]:
        """Give every version of a label, the oldest first."""
        return history.versions(self._store.settled(), text_of(image_id), naming.tag(tag))

    def image_versions(self, image_id: str) -> list[dict[str, Any]]:
        """Give every version of an image, the oldest first."""
        return history.versions(self._store.settled(), text_of(image_id), IMAGE)

    def history_size(self) -> dict[str, int]:
        """Count the earlier versions that are kept (`versions`) and the `bytes` that they take on disk."""
        versions, size = self._store.settled().kept_total()
        return {"versions": versions, "bytes": size}


def text_of(value: object) -> str:
    """Give an id or tag as the plain text that the catalog knows it by; what is no text is unknown to it."""
    if type(value) is str and value.isascii():
        return value
    text = value.value if isinstance(value, DefaultLabelTag) else value
    if not isinstance(text, str):
        return ""
    try:
        text.encode()
    except UnicodeEncodeError:
        return ""
    return text
