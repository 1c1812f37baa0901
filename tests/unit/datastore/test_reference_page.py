"""The names that other programs import and call: the reference page's, the interface's and the exceptions'."""

import inspect

import pytest

from monailabel.datastore.local import LocalDatastore
from monailabel.interfaces.datastore import Datastore, DefaultLabelTag
from monailabel.interfaces.exception import (
    ImageNotFoundException,
    LabelNotFoundException,
    MONAILabelError,
    MONAILabelException,
)

PAGE = {
    "add_image": "image_id image_filename image_info",
    "datalist": "full_path",
    "description": "",
    "get_dataset_archive": "limit_cases",
    "get_image": "image_id params",
    "get_image_info": "image_id",
    "get_image_uri": "image_id",
    "get_label": "label_id label_tag params",
    "get_label_by_image_id": "image_id tag",
    "get_label_info": "label_id label_tag",
    "get_label_uri": "label_id label_tag",
    "get_labeled_images": "label_tag labels",
    "get_labels_by_image_id": "image_id",
    "get_unlabeled_images": "label_tag labels",
    "json": "",
    "list_images": "",
    "name": "",
    "refresh": "",
    "remove_image": "image_id",
    "remove_label": "label_id label_tag",
    "save_label": "image_id label_filename label_tag label_info",
    "set_description": "description",
    "set_name": "name",
    "status": "",
    "update_image_info": "image_id info",
    "update_label_info": "label_id label_tag info",
}


@pytest.mark.parametrize(("method", "parameters"), PAGE.items(), ids=PAGE)
def test_methods_have_the_reference_pages_parameters(method: str, parameters: str) -> None:
    """Each method of the reference page has its parameters by these names, in this order, before any of ours."""
    found = list(inspect.signature(getattr(LocalDatastore, method)).parameters.values())[1:]
    names = parameters.split()
    assert [p.name for p in found[: len(names)]] == names
    assert all(p.default is not p.empty for p in found[len(names) :])


def test_the_constructor_has_the_reference_pages_parameters() -> None:
    """The constructor takes the reference page's parameters with its defaults; ours follow, keyword-only."""
    found = list(inspect.signature(LocalDatastore).parameters.values())
    assert [(p.name, p.default) for p in found[:7]] == [
        ("datastore_path", inspect.Parameter.empty),
        ("images_dir", "."),
        ("labels_dir", "labels"),
        ("datastore_config", "datastore_v2.json"),
        ("extensions", ("*.nii.gz", "*.nii")),
        ("auto_reload", False),
        ("read_only", False),
    ]
    assert all(p.kind is p.KEYWORD_ONLY for p in found[7:])


def test_the_interface_has_26_abstract_methods() -> None:
    """`Datastore` asks for all of the reference page but the constructor; there `datalist` takes no argument."""
    assert Datastore.__abstractmethods__ == set(PAGE) and len(PAGE) == 26
    assert list(inspect.signature(Datastore.datalist).parameters) == ["self"]
    assert issubclass(LocalDatastore, Datastore)
    assert [(t.name, t.value) for t in DefaultLabelTag] == [("ORIGINAL", "original"), ("FINAL", "final")]
    assert issubclass(DefaultLabelTag, str)


def test_the_errors_have_their_names() -> None:
    """Kinds of error carry their own name as value; the two `not found` exceptions are made from a message."""
    assert all(kind.value == kind.name for kind in MONAILabelError)
    assert {kind.name for kind in MONAILabelError} == set(
        "SERVER_ERROR UNKNOWN_ERROR CLASS_INIT_ERROR MODEL_IMPORT_ERROR INFERENCE_ERROR TRANSFORM_ERROR INVALID_INPUT "
        "APP_INIT_ERROR APP_INFERENCE_FAILED APP_TRAIN_FAILED APP_ERROR".split()
    )
    told = MONAILabelException(MONAILabelError.SERVER_ERROR, "why")
    assert (told.error, told.msg) == (MONAILabelError.SERVER_ERROR, "why")
    for kind in (ImageNotFoundException, LabelNotFoundException):
        missing = kind("why")
        assert isinstance(missing, MONAILabelException)
        assert (missing.error, missing.msg) == (MONAILabelError.APP_ERROR, "why")
