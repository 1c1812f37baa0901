"""Tells how the models of datastore_v2.json behave."""

import json
from typing import Any

from monailabel.datastore.local import DataModel, ImageLabelModel, LocalDatastoreModel
from monailabel.interfaces.datastore import DefaultLabelTag

from .calls import attempt


def run(document: dict[str, Any], base_path: str) -> dict[str, Any]:
    """Read the document and ask every method of the models, with strings and with enumeration members as tags."""
    model = LocalDatastoreModel.model_validate(document)
    model.base_path = base_path
    answers: dict[str, Any] = {
        "dump": json.loads(model.model_dump_json()),
        "order": [list(entry.tags()) for entry in model.objects.values()],
        "tags": attempt(model.tags),
        "image_path": attempt(model.image_path),
    }
    for tag in (DefaultLabelTag.FINAL, "original", "version 2", "unknown", "", None):
        answers[f"filter_by_tag {tag}"] = attempt(model.filter_by_tag, tag)
        answers[f"label_path {tag}"] = attempt(model.label_path, tag)
        for id in (*document["objects"], "unknown", ""):
            answers[f"label {id} {tag}"] = attempt(model.label, id, tag)
    return answers | {"made": _made()}


def _made() -> dict[str, Any]:
    """Tell what the models are like when little is said, and that no two share what they hold."""
    one, other = DataModel(), DataModel()
    one.info["here"] = True
    entry = ImageLabelModel(image=DataModel(ext=".nii"))
    return {
        "untouched": other.model_dump(),
        "entry": entry.model_dump(),
        "store": LocalDatastoreModel(name="n", description="d").model_dump(),
        "refused": [attempt(LocalDatastoreModel), attempt(ImageLabelModel)],
    }
