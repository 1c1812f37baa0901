"""What every datastore promises: the methods that annotation servers and training scripts call."""

from abc import ABC, abstractmethod
from enum import Enum
from typing import Any


class DefaultLabelTag(str, Enum):
    """The two tags that every client knows: what a model or importer proposed, and what an annotator submitted."""

    ORIGINAL = "original"
    FINAL = "final"


class Datastore(ABC):
    """Images by id, and for each image its labels by tag, each with a dictionary of further information.

    An image's id is its file's name without the extension; a label's id is the id of its image.
    """

    @abstractmethod
    def name(self) -> str:
        """Give the datastore's name."""

    @abstractmethod
    def set_name(self, name: str) -> None:
        """Set the datastore's name."""

    @abstractmethod
    def description(self) -> str:
        """Give the datastore's description."""

    @abstractmethod
    def set_description(self, description: str) -> None:
        """Set the datastore's description."""

    @abstractmethod
    def datalist(self) -> list[dict[str, Any]]:
        """Give `{"image": path, "label": path}` for each image that has a `final` label."""

    @abstractmethod
    def get_labels_by_image_id(self, image_id: str) -> dict[str, str]:
        """Give the label ids of an image by tag."""

    @abstractmethod
    def get_label_by_image_id(self, image_id: str, tag: str) -> str:
        """Give the id of an image's label of that tag, `""` if there is none."""

    @abstractmethod
    def get_image(self, image_id: str, params: Any = None) -> Any:
        """Give the image's bytes as a file object, None if it is unknown."""

    @abstractmethod
    def get_image_uri(self, image_id: str) -> str:
        """Give the image's real path, `""` if it is unknown."""

    @abstractmethod
    def get_label(self, label_id: str, label_tag: str, params: Any = None) -> Any:
        """Give the label's bytes as a file object, None if it is unknown."""

    @abstractmethod
    def get_label_uri(self, label_id: str, label_tag: str) -> str:
        """Give the label's real path, `""` if it is unknown."""

    @abstractmethod
    def get_image_info(self, image_id: str) -> dict[str, Any]:
        """Give the image's info, `{}` if it is unknown."""

    @abstractmethod
    def get_label_info(self, label_id: str, label_tag: str) -> dict[str, Any]:
        """Give the label's info, `{}` if it is unknown."""

    @abstractmethod
    def get_labeled_images(self, label_tag: str | None = None, labels: list[str] | None = None) -> list[str]:
        """Give the ids of the images that have a label of that tag (default `final`) with one of these structures."""

    @abstractmethod
    def get_unlabeled_images(self, label_tag: str | None = None, labels: list[str] | None = None) -> list[str]:
        """Give the ids of all other images."""

    @abstractmethod
    def list_images(self) -> list[str]:
        """Give the ids of all images."""

    @abstractmethod
    def get_dataset_archive(self, limit_cases: int | None) -> str:
        """Give the path of a ZIP file with the labelled images (the first `limit_cases`), their labels and metadata."""

    @abstractmethod
    def refresh(self) -> None:
        """Take in what other programs changed."""

    @abstractmethod
    def add_image(self, image_id: str, image_filename: str, image_info: dict[str, Any]) -> str:
        """Add (or replace) an image from a file and give its id; without an id the file's name decides it."""

    @abstractmethod
    def remove_image(self, image_id: str) -> None:
        """Remove an image and all its labels."""

    @abstractmethod
    def save_label(self, image_id: str, label_filename: str, label_tag: str, label_info: dict[str, Any]) -> str:
        """Save a label of an image from a file and give the label's id."""

    @abstractmethod
    def remove_label(self, label_id: str, label_tag: str) -> None:
        """Remove a label; an unknown one is no error."""

    @abstractmethod
    def update_image_info(self, image_id: str, info: dict[str, Any]) -> None:
        """Merge `info` into the image's info."""

    @abstractmethod
    def update_label_info(self, label_id: str, label_tag: str, info: dict[str, Any]) -> None:
        """Merge `info` into the label's info."""

    @abstractmethod
    def status(self) -> dict[str, Any]:
        """Count images, labelled images and labels by tag."""

    @abstractmethod
    def json(self) -> dict[str, Any]:
        """Give the whole datastore as one document."""
