"""Any text as id, tag or file name, and any JSON as info: kept as it is or refused, and never a file elsewhere."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from monailabel.datastore.local import LocalDatastore
from monailabel.interfaces.exception import InvalidInputException, MONAILabelException
from tests.unit.datastore.watched import only_below

bounded = settings(
    max_examples=60, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)

PIECES = [
    "..", "/", "\\", "\0", "\n", ".", "~", " ", "%2e", "%2F", "C:", "con", "NUL", "LPT1", "a", "b", "x" * 120,
    "頭" * 50, ".nii.gz", ".nii", "labels", "final", "original", ".monailabel", "catalog.db", "datastore_v2.json",
    ".lock", "outside", "\u202e", "\u2028", "\ufeff", "\ud800", "e\u0301", "é", "ß", "İ", "😀", "$(x)", "'", '"',
    "*", "?", "|", ":", "-rf", "C:\\", "file://",
]  # fmt: skip
NAMES = st.one_of(
    st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map("".join),
    st.text(st.characters(), max_size=12),
    st.text(st.sampled_from("./\\ aA\0é"), max_size=12),
)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds a datastore's folder, and files where a name might lead that goes astray."""
    top = tmp_path_factory.mktemp("any") / "top"
    for name in (
        "studies/the base.nii.gz",
        "outside/x.nii.gz",
        "x.nii.gz",
        "a.nii.gz",
        "b",
        "final/a.nii.gz",
        "source.nii.gz",
    ):
        (top / name).parent.mkdir(parents=True, exist_ok=True)
        (top / name).write_bytes(name.encode())
    return top


@pytest.fixture(scope="module")
def store(place: Path) -> Iterator[LocalDatastore]:
    """The datastore there, which all examples of this module use."""
    with LocalDatastore(str(place / "studies")) as opened:
        yield opened


def around(place: Path) -> dict[str, bytes | None]:
    """Read everything beside the datastore's folder."""
    found = [p for p in place.rglob("*") if p != place / "studies" and place / "studies" not in p.parents]
    return {str(p): p.read_bytes() if p.is_file() else None for p in found}


def shown(studies: Path) -> set[str]:
    """List the files that people see."""
    paths = (os.path.relpath(os.path.join(top, name), studies) for top, _, names in os.walk(studies) for name in names)
    own = {"datastore_v2.json", ".lock"}
    return {path for path in paths if not path.startswith(".monailabel") and path not in own}


refusals: list[str] = []


@contextmanager
def noted() -> Iterator[None]:
    """Note what a refusal says."""
    try:
        yield
    except MONAILabelException as refusal:
        refusals.append(refusal.msg)
        raise


def tried(attempt: Callable[[], Any]) -> Any:
    """Give what a call gives, None where it is refused in the way that is promised."""
    refusals.clear()
    with suppress(MONAILabelException), noted():
        return attempt()
    assert refusals[0].isprintable() and len(refusals[0]) < 500
    return None


@bounded
@given(image_id=NAMES, tag=NAMES, file_name=NAMES)
@example(image_id=".monailabel/catalog", tag="..", file_name="x.db")
@example(image_id="labels", tag="..", file_name="final")
@example(image_id="datastore_v2", tag="final", file_name="x.json")
@example(image_id="", tag="", file_name="../../outside/x.nii.gz")
@example(image_id="x" * 255, tag="x" * 255, file_name="x" * 255)
def test_any_name(place: Path, store: LocalDatastore, image_id: str, tag: str, file_name: str) -> None:
    """Whatever the names, a change is made under just these, or refused; every question has an answer.

    Nothing outside the datastore's folder is opened, made or removed, and in it no more than the file that is named.
    """
    beside, studies, source = around(place), place / "studies", str(place / "source.nii.gz")
    before = shown(studies)
    with only_below(studies, place / "source.nii.gz") as strayed:
        with store.stage(file_name) as staged:
            staged.write(b"voxels")
            added = tried(lambda: store.add_image(image_id, staged, {}))
        if added is not None:
            assert image_id in ("", added)
            with store.open_image(added) as opened:
                assert os.pread(opened.fd, 99, 0) == b"voxels"
            saved = tried(lambda: store.save_label(added, source, tag, {"k": 1}))
            new = {str(Path(store.get_image_uri(added)).relative_to(studies))}
            if saved is not None:
                label = store.get_label(added, tag)
                assert label is not None and label.read() == b"source.nii.gz"
                new.add(f"labels/{tag}/{added}.nii.gz")
            assert shown(studies) == before | new
        for name in (image_id, tag):
            tried(lambda name=name: store.save_label("the base", source, name, {}))  # type: ignore[misc]
            tried(lambda name=name: store.update_image_info(name, {}))  # type: ignore[misc]
            tried(lambda name=name: store.update_label_info("the base", name, {}))  # type: ignore[misc]
            tried(lambda name=name: store.open_image(name).close())  # type: ignore[misc]
            tried(lambda name=name: store.restore_label("the base", name, 1))  # type: ignore[misc]
            (
                store.get_image(name),
                store.get_label("the base", name),
                store.get_image_uri(name),
                store.get_labels_by_image_id(name),
            )
            tried(lambda name=name: store.remove_label("the base", name))  # type: ignore[misc]
            tried(lambda name=name: store.remove_image(name))  # type: ignore[misc]
        if added is not None:
            tried(lambda: store.remove_image(added))
        store.refresh()
    assert strayed == [] and around(place) == beside
    assert shown(studies) == before


@bounded
@given(name=NAMES)
@example(name="_ct.nii.gz")
@example(name=".nii.gz")
@example(name="labels.nii.gz")
def test_any_file_that_lies_there(place: Path, store: LocalDatastore, name: str) -> None:
    """A file that another program dropped is listed under an id that gives its name again, or told, or hidden."""
    file = os.path.basename(name.replace("\0", "").encode(errors="replace").decode())[:60]
    path = place / "studies" / f"{file}.nii.gz"
    path.write_bytes(b"dropped")
    with only_below(place / "studies") as strayed:
        store.refresh()
        known = {id: entry["image"]["ext"] for id, entry in store.json()["objects"].items()}
        owners = [id for id, ext in known.items() if id + ext == path.name]
        assert len(owners) == 1 or path.name.startswith(".") or store.problems()
        for id in owners:
            image = store.get_image(id)
            assert image is not None and image.read() == b"dropped"
        path.unlink()
        store.refresh()
    assert strayed == []


TEXT = st.text(st.characters(exclude_categories=("Cs",)))
JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63 - 1) | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=25,
)  # fmt: skip
OURS = {"ts", "name", "path"}
SHAPED = st.fixed_dictionaries({}, optional=dict.fromkeys(("label_info", "strategy", "client_id", "params"), JSON))


@bounded
@given(info=st.dictionaries(TEXT, JSON, max_size=5), shaped=SHAPED)
@example(info={"": {"\0": "\0", "\u2028": "\ufeff"}}, shaped={})
@example(info={"n": [-0.0, 5e-324, 1.7976931348623157e308, 2**63 - 1, -(2**63), 1e16, 1.0]}, shaped={})
@example(info={"$": 1, "$.name": 2, "a.b": 3, '"': 4, "[0]": 5}, shaped={"label_info": [{"name": ["liver"]}, 7, None]})
@example(info={}, shaped={"strategy": {"random": {"ts": 1e300}, "first": {"ts": [1]}, "x": 7}, "label_info": {"a": 1}})
def test_any_info(place: Path, store: LocalDatastore, info: dict[str, Any], shaped: dict[str, Any]) -> None:
    """An info of any JSON comes back equal, number for number, from every place, and upsets no question."""
    info = without_ours({**info, **shaped})
    expected = json.dumps(info)
    source = str(place / "source.nii.gz")
    store.add_image("i", source, info)
    store.save_label("i", source, "final", info)
    written = json.loads((place / "studies" / "datastore_v2.json").read_bytes())
    found = [store.get_image_info("i"), store.get_label_info("i", "final"), store.events(image_id="i")[-1]["new"]]
    for document in (store.json(), written):
        found += [document["objects"]["i"]["image"]["info"], document["objects"]["i"]["labels"]["final"]["info"]]
    for one in found:
        assert json.dumps(without_ours(one)) == expected
    store.get_labeled_images("final", ["liver"]), store.get_unlabeled_images("final", ["liver"])
    store.remove_label("i", "final")
    for strategy in ("first", "random"):
        assert store.next_image(strategy) is not None


def without_ours(info: dict[str, Any]) -> dict[str, Any]:
    """Leave out what the datastore itself notes in an info."""
    return {key: value for key, value in info.items() if key not in OURS}


def nested(depth: int) -> Any:
    """Give a list in a list in a list."""
    value: Any = []
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    "info",
    [
        pytest.param({"a": nested(200)}, id="nested deeply"),
        pytest.param({"a": 10**5000}, id="a whole number without end"),
        pytest.param({"a": 2**63}, id="a whole number of more than 64 bits"),
        pytest.param(dict.fromkeys(map(str, range(10**6)), 0), id="a million keys"),
        pytest.param({"a": [[]] * 400_000}, id="many empty lists"),
        pytest.param({"a" * 2**20: 1}, id="a key without end"),
        pytest.param({"a": {1, 2, float("nan")}, "b": float("inf")}, id="no number"),
    ],
)
def test_an_info_that_is_a_bomb_is_refused(store: LocalDatastore, place: Path, info: dict[str, Any]) -> None:
    """What other JSON readers could not read, or what would weigh down every later change, is refused in a sentence."""
    store.add_image("i", str(place / "source.nii.gz"), {"k": 1})
    listed = store.json()
    for attempt in (
        lambda: store.update_image_info("i", info),
        lambda: store.add_image("j", str(place / "source.nii.gz"), info),
        lambda: store.save_label("i", str(place / "source.nii.gz"), "final", info),
    ):
        with pytest.raises(InvalidInputException) as refusal:
            attempt()
        assert len(refusal.value.msg) < 500
    assert store.json() == listed


def test_an_info_does_not_grow_without_end(store: LocalDatastore, place: Path) -> None:
    """Many small additions end where one large one would."""
    store.add_image("g", str(place / "source.nii.gz"), {})
    for n in range(10):
        store.update_image_info("g", {str(n): "x" * 100_000})
    with pytest.raises(InvalidInputException, match="info refused"):
        store.update_image_info("g", {"10": "x" * 100_000})
    assert len(json.dumps(store.get_image_info("g"))) < 2**20
