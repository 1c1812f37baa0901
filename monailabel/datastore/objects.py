"""The objects of the document: all of them as a dictionary, or a mapping that reads the catalog when it is asked."""

import gc
import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from monailabel.catalog.document import Pages
from monailabel.catalog.records import damaged_row, recorded
from monailabel.catalog.sqlite import SqliteCatalog
from monailabel.models import IMAGE

if TYPE_CHECKING:
    from monailabel.documents import DataModel, ImageLabelModel

_KEPT = 32 << 20  # bytes of text at most
_KEPT_IMAGES = 200_000  # with more it would be longer


class Objects(Mapping[str, "ImageLabelModel"]):
    """Images by id, each with its labels, as they are at the moment of asking."""

    def __init__(self, catalog: SqliteCatalog) -> None:
        self._catalog = catalog

    def __getitem__(self, image_id: str) -> "ImageLabelModel":
        from monailabel.documents import ImageLabelModel

        files = {tag: self._file(image_id, tag) for tag, _ in self._catalog.items_of(image_id)}
        image = files.pop(IMAGE, None)
        if image is None:
            raise KeyError(image_id)
        return ImageLabelModel(image=image, labels={tag: file for tag, file in files.items() if file is not None})

    def _file(self, image_id: str, tag: str) -> "DataModel | None":
        from monailabel.documents import DataModel

        row = self._catalog.listed(image_id, tag)
        return DataModel(ext=row[1], info=recorded(row[0])) if row else None

    def __iter__(self) -> Iterator[str]:
        return iter(self._catalog.image_ids())

    def __len__(self) -> int:
        return self._catalog.tallies().get(IMAGE, 0)


class Telling:
    """The document as a dictionary: told from its text, which is kept while nothing is committed."""

    def __init__(self, catalog: SqliteCatalog, written: Callable[[], bytes | None]) -> None:
        """`written` gives the document as it lies on the disk where that is current."""
        self._catalog = catalog
        self._written = written
        self._kept: tuple[tuple[int, int], bytes] | None = None

    def give(self) -> dict[str, Any]:
        """Give a new dictionary of the document as it is."""
        stamp = self._catalog.stamp()  # before the question: what is committed meanwhile counts as unseen
        kept = self._kept
        if kept is not None and kept[0] == stamp:
            return _loaded(kept[1])
        self._kept = None
        document = self._read()
        text = _dumped(document) if len(document["objects"]) <= _KEPT_IMAGES else None
        self._kept = (stamp, text) if text is not None and len(text) <= _KEPT else None
        return document

    def forget(self) -> None:
        """Keep nothing of the text."""
        self._kept = None

    def _read(self) -> dict[str, Any]:
        written = self._written()  # reading it takes a third of the time of asking the catalog for all
        if written is not None:
            with suppress(ValueError):
                return _loaded(written)
        with self._catalog.document() as pages:
            return whole(pages)


def whole(pages: Pages) -> dict[str, Any]:
    """Give the document as a dictionary."""
    import orjson  # only who asks for all of it pays for its import

    objects: dict[str, Any] = {}
    with _uncollected():
        for page in pages.objects():
            try:
                objects.update(orjson.loads(f"{{{page}}}"))
            except ValueError as error:
                raise damaged_row(page) from error
    return {**pages.settings(), "objects": objects}


def _loaded(text: bytes) -> dict[str, Any]:
    import orjson

    with _uncollected():
        document: dict[str, Any] = orjson.loads(text)
        return document


def _dumped(document: dict[str, Any]) -> bytes | None:
    """Give a document as compact JSON; None where it is nested too deeply to be written so."""
    import orjson

    with suppress(TypeError):
        return orjson.dumps(document)
    return None


def with_refused(document: dict[str, Any], refused: dict[str, Any]) -> dict[str, Any]:
    """Put back what the document said of names that are not safe: kept for others, it reaches no file of ours."""
    for key, entry in refused.items():
        image_id, tag = json.loads(key)
        if not tag:
            document["objects"].setdefault(image_id, entry)
        elif image_id in document["objects"]:
            document["objects"][image_id]["labels"].setdefault(tag, entry)
    return document


@contextmanager
def _uncollected() -> Iterator[None]:
    """Keep the garbage collector from looking again and again through what is all still needed: half of the time.

    What is young is collected before, so that what was made can count as old at once without taking garbage along.
    """
    was_enabled = gc.isenabled()
    gc.collect(1)
    gc.disable()
    try:
        yield
    finally:
        if gc.get_freeze_count() == 0:  # else it is somebody's who froze it
            gc.freeze()
            gc.unfreeze()
        if was_enabled:
            gc.enable()
