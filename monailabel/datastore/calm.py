"""Tells whether anything happened since a refresh that had nothing to do: by a few looks, without a question."""

from typing import NamedTuple

from monailabel.catalog.sqlite import SqliteCatalog
from monailabel.datastore.entries import Stamp, path_by_key, stamp_of
from monailabel.datastore.note import Signature, signature
from monailabel.files.folder import Folder


class Moment(NamedTuple):
    """What is other after any change of the catalog and of the document."""

    commits: tuple[int, int]
    document: Signature | None


class Calm:
    """The folder as it was when nothing was to be taken in, written or finished."""

    def __init__(self, catalog: SqliteCatalog, document: str, images: Folder, labels: Folder) -> None:
        self._catalog = catalog
        self._document = document
        self._images = images
        self._labels = labels
        self._noted: tuple[Moment, dict[str, Stamp | None]] | None = None

    def now(self) -> Moment:
        """Give this moment, to be taken before the questions that it stands for."""
        return Moment(self._catalog.stamp(), signature(self._document))

    def lasts(self) -> bool:
        """Tell whether all is as it was noted last."""
        if (noted := self._noted) is None or noted[0] != self.now():
            return False
        return all(stamp_of(path) == stamp for path, stamp in noted[1].items())

    def note(self, moment: Moment) -> None:
        """Note that nothing was to be done since a moment, if nothing was committed since.

        The folders' time stamps are those that the catalog has: a folder that has another one by now ends the calm.
        """
        known = self._catalog.folders()
        keys = {"images", "labels", *(f"labels/{tag}" for tag in self._catalog.tags()), *known}
        folders = {path_by_key(key, self._images, self._labels): known.get(key) for key in keys}
        self._noted = (moment, folders) if moment == self.now() else None

    def end(self) -> None:
        """Note that something was to be done."""
        self._noted = None
