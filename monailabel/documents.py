"""The documents of datastore_v2.json as pydantic models, apart: opening a datastore does not wait for their making."""

import os
from collections.abc import KeysView
from typing import Any

from pydantic import BaseModel


class DataModel(BaseModel):
    """One file: its extension and whatever is known of it."""

    ext: str = ""
    info: dict[str, Any] = {}


class ImageLabelModel(BaseModel):
    """An image and its labels by tag."""

    image: DataModel
    labels: dict[str, DataModel] = {}

    def tags(self) -> KeysView[str]:
        """Give the tags of the image's labels."""
        return self.labels.keys()


class LocalDatastoreModel(BaseModel):
    """The document datastore_v2.json; `base_path` is where its folder lies and is never written."""

    name: str
    description: str
    images_dir: str = ""
    labels_dir: str = "labels"
    objects: dict[str, ImageLabelModel] = {}
    base_path: str = ""

    def tags(self) -> set[str]:
        """Give every tag that occurs."""
        return {tag for entry in self.objects.values() for tag in entry.labels}

    def filter_by_tag(self, tag: str) -> dict[str, ImageLabelModel]:
        """Give the images that have a label of that tag, by id."""
        return {id: entry for id, entry in self.objects.items() if tag in entry.labels}

    def label(self, id: str, tag: str) -> DataModel | None:
        """Give an image's label, None if there is none."""
        entry = self.objects.get(id)
        return entry.labels.get(tag) if entry else None

    def image_path(self) -> str:
        """Give the folder of the images."""
        return os.path.join(self.base_path, self.images_dir) if self.base_path else self.images_dir

    def label_path(self, tag: str | None) -> str:
        """Give the folder of a tag's labels, or of all tags."""
        path = os.path.join(self.labels_dir, tag) if tag else self.labels_dir
        return os.path.join(self.base_path, path) if self.base_path else path

    def labels_path(self) -> dict[str, str]:
        """Give the folder of each tag that occurs."""
        return {tag: self.label_path(tag) for tag in self.tags()}
