"""Every name of the reference page is here, with the arguments and defaults that MONAI Label's has."""

from typing import Any

import pytest

from tests.compatibility.monai_label.children import Package, ask

LOCAL = "monailabel.datastore.local."
INTERFACES = "monailabel.interfaces."

# The reference page of monailabel.datastore.local: each class's methods and their arguments after self.
REFERENCE = {
    "DataModel": {},
    "ImageLabelModel": {"tags": ""},
    "LocalDatastoreModel": {
        "tags": "",
        "filter_by_tag": "tag",
        "label": "id, tag",
        "image_path": "",
        "label_path": "tag",
        "labels_path": "",
    },
    "LocalDatastore": {
        "__init__": (
            "datastore_path, images_dir='.', labels_dir='labels', datastore_config='datastore_v2.json', "
            "extensions=('*.nii.gz', '*.nii'), auto_reload=False, read_only=False"
        ),
        "add_image": "image_id, image_filename, image_info",
        "datalist": "full_path=True",
        "description": "",
        "get_dataset_archive": "limit_cases",
        "get_image": "image_id, params=None",
        "get_image_info": "image_id",
        "get_image_uri": "image_id",
        "get_label": "label_id, label_tag, params=None",
        "get_label_by_image_id": "image_id, tag",
        "get_label_info": "label_id, label_tag",
        "get_label_uri": "label_id, label_tag",
        "get_labeled_images": "label_tag=None, labels=None",
        "get_labels_by_image_id": "image_id",
        "get_unlabeled_images": "label_tag=None, labels=None",
        "json": "",
        "list_images": "",
        "name": "",
        "refresh": "",
        "remove_image": "image_id",
        "remove_label": "label_id, label_tag",
        "save_label": "image_id, label_filename, label_tag, label_info",
        "set_description": "description",
        "set_name": "name",
        "status": "",
        "update_image_info": "image_id, info",
        "update_label_info": "label_id, label_tag, info",
    },
}
FIELDS = {
    "DataModel": {"ext": [False, "''"], "info": [False, "{}"]},
    "ImageLabelModel": {"image": [True, "PydanticUndefined"], "labels": [False, "{}"]},
    "LocalDatastoreModel": {
        "name": [True, "PydanticUndefined"],
        "description": [True, "PydanticUndefined"],
        "images_dir": [False, "''"],
        "labels_dir": [False, "'labels'"],
        "objects": [False, "{}"],
        "base_path": [False, "''"],
    },
    "LocalDatastore": {},
}


@pytest.fixture(scope="module")
def ours() -> dict[str, Any]:
    """Describe this project's names."""
    described: dict[str, Any] = ask(Package.OURS, "names")
    return described


@pytest.fixture(scope="module")
def theirs() -> dict[str, Any]:
    """Describe those of MONAI Label as released."""
    described: dict[str, Any] = ask(Package.THEIRS, "names")
    return described


def _written(arguments: list[list[str]]) -> str:
    """Write arguments as in a signature, without self and without what only this project adds, by keyword alone."""
    shared = [a for a in arguments[1:] if a[1] != "KEYWORD_ONLY"]
    assert all(kind == "POSITIONAL_OR_KEYWORD" for _, kind, _ in shared)
    return ", ".join(f"{name}={default}" if default else name for name, _, default in shared)


@pytest.mark.parametrize(("cls", "method"), [(c, m) for c, methods in REFERENCE.items() for m in methods])
def test_the_reference_pages_methods_are_here(ours: dict[str, Any], cls: str, method: str) -> None:
    """Same method, same arguments in the same order, same defaults."""
    assert _written(ours[LOCAL + cls]["methods"][method]) == REFERENCE[cls][method]


@pytest.mark.parametrize("cls", REFERENCE)
def test_the_reference_pages_fields_are_here(ours: dict[str, Any], cls: str) -> None:
    """Same fields, of them the same required, same defaults."""
    assert ours[LOCAL + cls]["fields"] == FIELDS[cls]


def test_the_released_package_has_nothing_that_is_missing_here(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    """Every public method of every class of MONAI Label is here, with its arguments by name, order and default."""
    assert ours.keys() == theirs.keys()
    for cls, described in theirs.items():
        for method, arguments in described["methods"].items():
            if method != "__init__" or cls == LOCAL + "LocalDatastore":
                assert (cls, method, _written(ours[cls]["methods"][method])) == (cls, method, _written(arguments))


@pytest.mark.parametrize("name", ["datastore.DefaultLabelTag", "exception.MONAILabelError"])
def test_enumerations_have_the_same_members(ours: dict[str, Any], theirs: dict[str, Any], name: str) -> None:
    """Same members, same order, same values."""
    mine, other = ours[INTERFACES + name]["members"], theirs[INTERFACES + name]["members"]
    assert list(mine.items()) == list(other.items())


def test_the_interface_has_26_abstract_methods(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    """Whoever implements the interface has to write the same methods as before: the reference page's."""
    abstract = ours[INTERFACES + "datastore.Datastore"]["abstract"]
    assert len(abstract) == 26
    assert abstract == theirs[INTERFACES + "datastore.Datastore"]["abstract"]
    assert abstract == sorted(REFERENCE["LocalDatastore"].keys() - {"__init__"})


def test_classes_keep_their_place_in_the_tree(ours: dict[str, Any], theirs: dict[str, Any]) -> None:
    """What an `except` or an `isinstance` takes in MONAI Label, it takes here."""
    for name, described in theirs.items():
        assert set(described["bases"]) <= set(ours[name]["bases"]), name
