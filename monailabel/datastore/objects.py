"""The objects of the document as a mapping that reads the catalog when it is asked."""

import json
from collections.abc import Iterator, Mapping

from monailabel.catalog.sqlite import SqliteCatalog
from monailabel.models import IMAGE, DataModel, ImageLabelModel


class Objects(Mapping[str, ImageLabelModel]):
    """Images by id, each with its labels, as they are at the moment of asking."""

    def __init__(self, catalog: SqliteCatalog) -> None:
        self._catalog = catalog

    def __getitem__(self, image_id: str) -> ImageLabelModel:
        files = {tag: self._file(image_id, tag) for tag, _ in self._catalog.items_of(image_id)}
        image = files.pop(IMAGE, None)
        if image is None:
            raise KeyError(image_id)
        return ImageLabelModel(image=image, labels={tag: file for tag, file in files.items() if file is not None})

    def _file(self, image_id: str, tag: str) -> DataModel | None:
        row = self._catalog.listed(image_id, tag)
        return DataModel(ext=row[1], info=json.loads(row[0])) if row else None

    def __iter__(self) -> Iterator[str]:
        return iter(self._catalog.image_ids())

    def __len__(self) -> int:
        return self._catalog.tallies().get(IMAGE, 0)
