"""The first opening of a large folder: its files are listed by their names at once, and recorded behind that."""

import logging
import threading
from collections.abc import Callable

from monailabel.catalog.sqlite import SqliteCatalog
from monailabel.datastore.entries import Reading
from monailabel.datastore.scan import Scan
from monailabel.models import IMAGE

LARGE = 5_000  # files of a folder that is worth a thread

logger = logging.getLogger(__name__)


class Names:
    """Images and labels as the names of their files tell, for those questions to a catalog that need no more.

    Answers are those that the catalog gives once all is recorded, but for files that somebody still writes: they are
    listed, and have no path.
    """

    def __init__(self, readings: list[Reading], scan: Scan) -> None:
        self._readings = {reading.tag: reading for reading in readings}
        self._images: dict[str, str] = {}  # extension by id, in the order of listing
        if IMAGE in self._readings:
            self._images = scan.sorted_out(self._readings[IMAGE])
        labels = {tag: scan.sorted_out(reading, self._images) for tag, reading in self._readings.items() if tag}
        self._found = {IMAGE: self._images, **labels}

    def image_ids(self) -> list[str]:
        """Give the ids of all images in the order of listing."""
        return list(self._images)

    def page_of_images(self, after: str, limit: int) -> list[str]:
        """Give up to `limit` ids (-1: all) that follow the one given."""
        ids = self.image_ids()
        first = ids.index(after) + 1 if after in self._images else 0
        return ids[first:] if limit < 0 else ids[first : first + limit]

    def labelled(self, tag: str, structures: list[str] | None) -> list[str]:
        """Give the ids of the images with a label of that tag; what structures it has, no file's name tells."""
        labels = self._found.get(tag, {}) if structures is None else {}
        return [id for id in self._images if id in labels]

    def unlabelled(self, tag: str, structures: list[str] | None) -> list[str]:
        """Give the ids of all other images."""
        labels = self._found.get(tag, {}) if structures is None else {}
        return [id for id in self._images if id not in labels]

    def tallies(self) -> dict[str, int]:
        """Give the number of labels by tag; images are under `""`."""
        return {tag: len(found) for tag, found in self._found.items() if found}

    def items_of(self, image_id: str) -> list[tuple[str, str]]:
        """Give tag and extension of an image and its labels."""
        return [(tag, found[image_id]) for tag, found in self._found.items() if image_id in found]

    def listed(self, image_id: str, tag: str) -> tuple[str, str, int | None, int] | None:
        """Give what `SqliteCatalog.listed` does, without the info, after a look at the file: it may be a link."""
        ext = self._found.get(tag, {}).get(image_id)
        if ext is None or not self._readings[tag].looks([image_id + ext]).get(image_id + ext):
            return None
        return "{}", ext, None, 1


class Beginning:
    """The thread that records what a folder held when it was opened for the first time."""

    def __init__(self, catalog: SqliteCatalog, names: Names, record: Callable[[], object]) -> None:
        self._catalog = catalog
        self._names = names
        self._record = record
        self._stamp: tuple[int, int] | None = None  # of the catalog, when its newest events were looked at
        self._last = 0  # the newest of them
        self._is_alone = True
        self._thread = threading.Thread(target=self._run, name="monailabel-beginning")

    def start(self) -> None:
        """Begin to record; a program that ends waits for it."""
        self._thread.start()

    def join(self) -> bool:
        """Wait until all is recorded, or could not be, and give True; False at once in the thread itself."""
        if self._thread is threading.current_thread():
            return False
        self._thread.join()
        return True

    def names(self) -> Names | None:
        """Give the names, while nobody did anything to the folder's datastore but find files in it."""
        stamp = self._catalog.stamp()  # before the question: what is committed meanwhile counts as unseen
        if self._is_alone and stamp != self._stamp:
            self._last, is_more = self._catalog.found_since(self._last)
            self._stamp, self._is_alone = stamp, not is_more
        return self._names if self._is_alone else None

    def _run(self) -> None:
        try:
            self._record()
        except Exception as error:  # noqa: BLE001 - whoever waits tries again, and has the error
            logger.warning("recording what the folder holds failed: %s", error)
