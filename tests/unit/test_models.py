"""The models of the document, and what an info may hold."""

import datetime
import enum
import json
import math
from typing import Any

import pytest
from pydantic import BaseModel, ValidationError

from monailabel import models
from monailabel.documents import DataModel, ImageLabelModel, LocalDatastoreModel
from monailabel.interfaces.exception import InvalidInputException


def document(base_path: str = "") -> LocalDatastoreModel:
    """Give a document of two images."""
    return LocalDatastoreModel(
        name="n",
        description="d",
        images_dir="scans",
        objects={
            "a": ImageLabelModel(
                image=DataModel(ext=".nii"), labels={"v1": DataModel(ext=".nii"), "final": DataModel()}
            ),
            "b": ImageLabelModel(image=DataModel(ext=".nii"), labels={"final": DataModel(info={"k": 1})}),
        },
        base_path=base_path,
    )


def test_the_defaults_are_the_reference_pages() -> None:
    """Each model has the reference page's fields with its defaults, and no two share a default."""
    assert DataModel().model_dump() == {"ext": "", "info": {}}
    assert ImageLabelModel(image=DataModel()).model_dump() == {"image": {"ext": "", "info": {}}, "labels": {}}
    assert LocalDatastoreModel(name="n", description="d").model_dump() == {
        "name": "n",
        "description": "d",
        "images_dir": "",
        "labels_dir": "labels",
        "objects": {},
        "base_path": "",
    }
    DataModel().info["k"] = 1
    assert DataModel().info == {}


@pytest.mark.parametrize("missing", ["name", "description"])
def test_a_document_needs_name_and_description(missing: str) -> None:
    """A document without a name or a description is refused, as is an image's entry without the image."""
    fields: dict[str, Any] = {"name": "n", "description": "d"}
    del fields[missing]
    with pytest.raises(ValidationError):
        LocalDatastoreModel(**fields)
    with pytest.raises(ValidationError):
        ImageLabelModel.model_validate({"labels": {}})


def test_tags() -> None:
    """An image tells its tags in their order, a document all that occur."""
    assert list(document().objects["a"].tags()) == ["v1", "final"]
    assert document().tags() == {"v1", "final"}
    assert LocalDatastoreModel(name="n", description="d").tags() == set()


def test_filter_by_tag_and_label() -> None:
    """A document gives the images that have a tag, and one label, None where there is none."""
    made = document()
    assert made.filter_by_tag("v1") == {"a": made.objects["a"]}
    assert list(made.filter_by_tag("final")) == ["a", "b"] and made.filter_by_tag("none") == {}
    assert made.label("b", "final") == DataModel(info={"k": 1})
    assert made.label("b", "v1") is None and made.label("unknown", "final") is None


def test_paths() -> None:
    """Paths are joined to the folder where the document lies, or relative where that is not known."""
    assert (document().image_path(), document().label_path("v1")) == ("scans", "labels/v1")
    made = document("/data")
    assert (made.image_path(), made.label_path("v1")) == ("/data/scans", "/data/labels/v1")
    assert made.label_path(None) == "/data/labels" == made.label_path("")
    assert made.labels_path() == {"v1": "/data/labels/v1", "final": "/data/labels/final"}


class Colour(enum.Enum):
    """An enum of text."""

    RED = "red"


class Meta(BaseModel):
    """A model within an info."""

    status: str = "approved"


class Scalar:
    """Something that gives itself as plain Python, as NumPy's numbers do."""

    def tolist(self) -> object:
        """Give the plain value."""
        return [1, 2.5]


@pytest.mark.parametrize(
    ("value", "kept"),
    [
        pytest.param(None, None, id="nothing"),
        pytest.param(True, True, id="a truth"),
        pytest.param(2**53 + 1, 2**53 + 1, id="a whole number"),
        pytest.param(0.1, 0.1, id="a number"),
        pytest.param("ä😀", "ä😀", id="text"),
        pytest.param([1, (2, [3])], [1, [2, [3]]], id="lists and tuples"),
        pytest.param({"k": {"l": 1}}, {"k": {"l": 1}}, id="dictionaries"),
        pytest.param(datetime.date(2024, 2, 29), "2024-02-29", id="a date"),
        pytest.param(datetime.datetime(2024, 2, 29, 12, 30), "2024-02-29 12:30:00", id="a time"),
        pytest.param({7}, "{7}", id="a set"),
        pytest.param(Colour.RED, "red", id="an enum"),
        pytest.param(Meta(), {"status": "approved"}, id="a model"),
        pytest.param(Scalar(), [1, 2.5], id="a NumPy value"),
    ],
)
def test_an_info_becomes_plain(value: object, kept: object) -> None:
    """Whatever has a plain form is kept in it; dates and sets as `str` gives them, as MONAI Label does."""
    plain = models.plain({"key": value})
    assert plain == {"key": kept} and type(plain["key"]) is type(kept)
    assert json.loads(json.dumps(plain, allow_nan=False)) == plain


CIRCLE: dict[str, Any] = {}
CIRCLE["self"] = CIRCLE


@pytest.mark.parametrize(
    "value",
    [
        pytest.param(math.nan, id="not a number"),
        pytest.param([math.inf], id="infinity"),
        pytest.param("\ud800", id="a lone surrogate"),
        pytest.param({"\udfff": 1}, id="a lone surrogate in a key"),
        pytest.param({1: 2}, id="a key that is no text"),
        pytest.param({None: 2}, id="no key"),
        pytest.param(2**64, id="more than 64 bits"),
        pytest.param(CIRCLE, id="what holds itself"),
    ],
)
def test_what_no_reader_takes_is_refused(value: object) -> None:
    """What JSON readers refuse is refused; the message is one printable line."""
    with pytest.raises(InvalidInputException, match="refused") as refusal:
        models.plain({"key": value})
    assert str(refusal.value).isprintable()


@pytest.mark.parametrize("value", [[1], "text", 7])
def test_an_info_is_a_dictionary(value: object) -> None:
    """An info that is no dictionary is refused; None stands for an empty one."""
    with pytest.raises(InvalidInputException):
        models.plain(value)
    assert models.plain(None) == {}


def test_plain_gives_a_copy() -> None:
    """The copy shares nothing with what was given."""
    given = {"deep": {"list": [1]}}
    copy = models.plain(given)
    given["deep"]["list"].append(2)
    assert copy == {"deep": {"list": [1]}}


@pytest.mark.parametrize(
    ("info", "names"),
    [
        ({"label_info": [{"name": "liver", "idx": 1}, {"name": "spleen"}]}, {"liver", "spleen"}),
        ({}, set()),
        ({"label_info": None}, set()),
        ({"label_info": "liver"}, set()),
        ({"label_info": [7, {"idx": 1}, {"name": "liver"}]}, {"liver"}),
    ],
    ids=["two", "no info", "none", "text", "one of three"],
)
def test_structures_of_a_label(info: dict[str, Any], names: set[str]) -> None:
    """The names in a label's `label_info` are its structures, whatever else clients wrote there."""
    assert models.structures(info) == names
