"""Finding images: every filter, sort and page, by an index that follows the record and may be lost at any time."""

import json
import os
import signal
import sqlite3
import subprocess
import sys
import threading
import unicodedata
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monailabel.datastore.local import LocalDatastore
from monailabel.interfaces.exception import InvalidInputException

Open = Callable[..., LocalDatastore]
Source = Callable[..., str]
Child = Callable[..., Any]

REVIEW = {"status": "approved", "level": "easy", "approvedBy": "dr", "comment": "", "editTime": "1"}


def ids(store: LocalDatastore, **wanted: Any) -> list[str]:
    """Give the ids of all images that are found."""
    found = store.find_images(**wanted, limit=None)
    assert found.total == len(found.images) and found.next is None
    return [image["id"] for image in found.images]


@pytest.fixture
def scans(open_store: Open, source: Source) -> LocalDatastore:
    """Give a datastore of six images in all states."""
    store = open_store(actor="me")
    file = source("x.nii.gz", b"12345")
    infos: dict[str, dict[str, Any]] = {
        "case_1": {"age": 57, "modality": "CT", "site": {"name": "Köln", "room": 2}},
        "case_2": {"age": 57.0, "modality": "MR", "contrast": True},
        "case_10": {"age": "57", "modality": "CT", "strategy": {"random": {"ts": 2, "client_id": "tom"}}},
        "Case_3": {"age": 58, "contrast": None, "spacing": [1, 1, 2]},
        "Łódź é": {"contrast": False},
        "empty": {},
    }
    for id, info in infos.items():
        store.add_image(id, file, info)
    store.save_label("case_2", file, "original", {"label_info": [{"name": "liver"}, {"name": "spleen"}]})
    store.save_label("case_1", file, "final", {"client_id": "anna", "label_info": [{"name": "liver", "idx": 1}]})
    store.save_label("case_10", file, "final", {"segmentationMeta": {**REVIEW, "comment": "Très\nbien"}})
    store.save_label("case_2", file, "final", {"segmentationMeta": {**REVIEW, "status": "flagged"}})
    store.save_label("Case_3", file, "final", {"segmentationMeta": {**REVIEW, "status": "segmented"}})
    return store


# ---- what is told


def test_everything_is_told_of_an_image(scans: LocalDatastore) -> None:
    """An image that was found comes with state, tags in order, who, what, when, size and versions."""
    (found,) = scans.find_images(state="flagged").images
    events = scans.events(image_id="case_2")
    assert found == {
        "id": "case_2",
        "name": "case_2.nii.gz",
        "state": "flagged",
        "tags": ["original", "final"],
        "labels": {"original": {"version": 1}, "final": {"version": 1}},
        "annotator": "me",
        "structures": ["liver", "spleen"],
        "time": events[-1]["time"],
        "added": events[0]["time"],
        "size": 5,
        "level": "easy",
        "comment": "",
        "version": 1,
    }


def test_the_annotator_is_who_saved_the_final_label(scans: LocalDatastore) -> None:
    """The label's client_id, else whom a strategy handed the image to, else the actor of the event; else nobody."""
    annotators = {image["id"]: image["annotator"] for image in scans.find_images().images}
    assert annotators == {
        "case_1": "anna", "case_10": "tom", "case_2": "me", "Case_3": "me", "Łódź é": None, "empty": None,
    }  # fmt: skip


def test_facets_count_all_images(scans: LocalDatastore) -> None:
    """The counts are of all images, by state, tag, annotator, structure and info key, most first."""
    facets = scans.facets()
    assert facets["seq"] == scans.events()[-1]["seq"]
    assert (facets["total"], facets["labelled"], facets["reviewed"]) == (6, 4, 2)
    assert facets["state"] == {"unlabelled": 2, "labelled": 2, "flagged": 1, "approved": 1}
    assert list(facets["tag"].items()) == [("final", 4), ("original", 1)]
    assert facets["annotator"] == {"me": 2, "anna": 1, "tom": 1}
    assert facets["structure"] == {"liver": 2, "spleen": 1}
    assert facets["info"]["age"] == 4 and facets["info"]["strategy.random.client_id"] == 1


def test_an_empty_datastore_has_nothing_to_find(open_store: Open) -> None:
    """Without images there are an empty page and counts of nothing."""
    store = open_store()
    assert store.find_images(text="x", sort="-size") == ([], None, 0, 0)
    assert store.facets()["total"] == 0


# ---- filters


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        pytest.param({}, ["case_1", "case_2", "Case_3", "case_10", "empty", "Łódź é"], id="none: all, 2 before 10"),
        pytest.param({"text": "CASE_1"}, ["case_1", "case_10"], id="text in any letter case"),
        pytest.param({"text": "E"}, ["case_1", "case_2", "Case_3", "case_10", "empty", "Łódź é"], id="without accents"),
        pytest.param({"text": "TRES BIEN"}, ["case_10"], id="text in the comment, a line break as a space"),
        pytest.param({"text": "10\ntres"}, [], id="text does not go from the id on into the comment"),
        pytest.param({"text": "10 tres"}, [], id="nor with a space"),
        pytest.param({"text": "%"}, [], id="no wildcard %"),
        pytest.param({"text": "case.1"}, [], id="no pattern"),
        pytest.param({"text": "case\0"}, [], id="NUL is a character"),
        pytest.param({"text": "'; DROP TABLE entry --"}, [], id="no SQL"),
        pytest.param({"text": "\ud800"}, [], id="what is no text is in no text"),
        pytest.param({"state": "unlabelled"}, ["empty", "Łódź é"], id="unlabelled: no final label"),
        pytest.param({"state": "labelled"}, ["case_1", "Case_3"], id="labelled: also with another status"),
        pytest.param({"state": ["flagged", "approved"]}, ["case_2", "case_10"], id="any of two states"),
        pytest.param(
            {"state": ""}, ["case_1", "case_2", "Case_3", "case_10", "empty", "Łódź é"], id="empty: not given"
        ),
        pytest.param({"tag": "original"}, ["case_2"], id="tag"),
        pytest.param({"without_tag": ["original", "final"]}, ["empty", "Łódź é"], id="without any of these tags"),
        pytest.param({"tag": "zebra"}, [], id="unknown tag"),
        pytest.param({"annotator": "anna"}, ["case_1"], id="annotator"),
        pytest.param({"annotator": "\udcff"}, [], id="an annotator who can be nobody"),
        pytest.param({"structure": "liver"}, ["case_1", "case_2"], id="structure of any label"),
        pytest.param({"info": {"age": 57}}, ["case_1", "case_2", "case_10"], id="a number, however it is written"),
        pytest.param({"info": {"age": "57"}}, ["case_1", "case_2", "case_10"], id="a number given as text"),
        pytest.param({"info": {"age": "57.0"}}, ["case_1", "case_2", "case_10"], id="a number given as other text"),
        pytest.param({"info": {"age": [57, 58]}}, ["case_1", "case_2", "Case_3", "case_10"], id="any of two values"),
        pytest.param({"info": {"contrast": True}}, ["case_2"], id="true"),
        pytest.param({"info": {"contrast": "false"}}, ["Łódź é"], id="false as text"),
        pytest.param({"info": {"contrast": "null"}}, ["Case_3"], id="null as text"),
        pytest.param({"info": {"contrast": None}}, ["case_2", "Case_3", "Łódź é"], id="a key with whatever value"),
        pytest.param({"info": {"contrast": 1}}, [], id="true is not 1"),
        pytest.param({"info": {"site.name": "Köln"}}, ["case_1"], id="a key inside"),
        pytest.param({"info": {"site": None}}, ["case_1"], id="a key that holds keys"),
        pytest.param({"info": {"spacing": None}}, ["Case_3"], id="a key that holds a list"),
        pytest.param({"info": {"age": "\ud800"}}, [], id="a value that no info can have"),
        pytest.param({"info": {"age": "[" * 100_000}}, [], id="a value that is no JSON for any reader"),
        pytest.param({"info": {"age": 57, "modality": "CT"}}, ["case_1", "case_10"], id="two keys: both"),
        pytest.param({"id": "case_1"}, ["case_1"], id="one id, not those that begin alike"),
        pytest.param({"id": "CASE_1"}, [], id="an id in its own letter case"),
        pytest.param({"id": "case_01"}, [], id="an id with its own digits"),
        pytest.param({"id": "\ud800"}, [], id="an id that none can have"),
        pytest.param({"id": "case_1", "state": "approved"}, [], id="an id, and a state that it is not in"),
        pytest.param({"state": "approved", "info": {"modality": "CT"}, "text": "1"}, ["case_10"], id="all together"),
    ],
)
def test_a_filter_gives_the_images_of_which_it_holds(
    scans: LocalDatastore, wanted: dict[str, Any], expected: list[str]
) -> None:
    """Each filter alone, and several together."""
    assert ids(scans, **wanted) == expected


@pytest.mark.parametrize(
    ("wanted", "sentence"),
    [
        ({"sort": "age"}, "there are id, time, added, size, state"),
        ({"state": "done"}, "there are unlabelled, labelled, flagged, approved"),
        ({"after": "x"}, "give what `next`"),
        ({"after": "\ud800"}, "give what `next`"),
        ({"after": "WyJpZCIsZmFsc2UsMSwieCJd"}, "give what `next`"),
        ({"limit": 0}, "1 image or more"),
        ({"skip": -1}, "0 images or more"),
        ({"skip": 1.5}, "0 images or more"),
        ({"skip": 1, "after": "WyJpZCIsZmFsc2UsIngiLCJ4Il0"}, "beside after"),
        ({"info": {"age": {"more": 1}}}, "compare with text, a number, true or false"),
        ({"info": {"": 1}}, "name a key"),
    ],
    ids=lambda value: str(value).encode("ascii", "replace").decode(),
)
def test_what_cannot_be_asked_is_said(scans: LocalDatastore, wanted: dict[str, Any], sentence: str) -> None:
    """A mistake is told with what there is."""
    with pytest.raises(InvalidInputException, match=sentence):
        scans.find_images(**wanted)


def test_hostile_texts_are_texts(open_store: Open, source: Source) -> None:
    """Ids, comments, annotators and info of any characters are kept apart, found and counted."""
    store = open_store()
    file = source("x.nii")
    hostile = ["it's", '"quoted"', "100%", "a_b", "😀", "<img onerror>", "e\u0301", "a;b--", "ﬁn", "ς"]
    for number, text in enumerate(hostile):
        info = {text: text, "n\0": "a\0b", "long": "x" * 10_000 + str(number)}
        store.add_image(text, file, info)
        meta = {**REVIEW, "comment": f"{text}\0{text}", "level": 3}
        store.save_label(text, file, "final", {"client_id": text, "segmentationMeta": meta})
    for number, text in enumerate(hostile):
        for wanted in ({"annotator": text}, {"info": {text: text}}, {"info": {"long": "x" * 10_000 + str(number)}}):
            assert ids(store, **wanted) == [text]
        assert text in ids(store, text=f"{text}\0{text}")
    assert len(ids(store, info={"n\0": "a\0b"})) == len(hostile)
    assert store.facets()["annotator"] == dict.fromkeys(hostile, 1)
    assert ids(store, text="fin") == ["ﬁn"] and ids(store, text="Σ") == ["ς"]


# ---- order and pages


@pytest.mark.parametrize("sort", ["id", "time", "added", "size", "state"])
def test_pages_put_together_are_the_whole(scans: LocalDatastore, source: Source, sort: str) -> None:
    """Page after page gives each image once, in the order of the whole, and backwards in the reverse one."""
    scans.add_image("large", source("y.nii", b"0" * 100), {})
    whole = ids(scans, sort=sort)
    assert ids(scans, sort=f"-{sort}") == whole[::-1] and len(whole) == 7
    for asked, expected in ((sort, whole), (f"-{sort}", whole[::-1])):
        found, after = [], None
        while True:
            page = scans.find_images(sort=asked, limit=2, after=after)
            assert page.total == 7
            found += [image["id"] for image in page.images]
            if (after := page.next) is None:
                break
        assert found == expected
    values = [image[sort] for image in scans.find_images(sort=sort).images]
    states = ["unlabelled", "labelled", "flagged", "approved"]
    assert sort == "id" or values == sorted(values, key=states.index if sort == "state" else None)


@pytest.mark.parametrize("wanted", [{}, {"state": ["labelled", "unlabelled"]}, {"text": "_1"}], ids=str)
@pytest.mark.parametrize("sort", ["id", "-id", "time", "-time", "added", "-added", "size", "-size", "state", "-state"])
def test_a_page_begins_anywhere(scans: LocalDatastore, sort: str, wanted: dict[str, Any]) -> None:
    """After so many images come those that follow them in the whole, none beyond its end, and `next` leads on."""
    whole = ids(scans, sort=sort, **wanted)
    for skip in (*range(len(whole) + 2), 2**40, 10**30):
        for limit in (1, 2, 100, None):
            page = scans.find_images(**wanted, sort=sort, skip=skip, limit=limit)
            assert [image["id"] for image in page.images] == whole[skip:][:limit]
            assert page.total == len(whole)
            assert (page.next is not None) == (limit is not None and skip + limit < len(whole))
            if page.next is not None:
                rest = scans.find_images(**wanted, sort=sort, after=page.next).images
                assert [image["id"] for image in rest] == whole[skip + (limit or 0) :]


def test_one_of_many_begins_a_page_too(open_store: Open, source: Source) -> None:
    """Where few of many images are meant, they are passed over in the same way."""
    store = open_store()
    file = source("x.nii")
    store.add_images([(f"case_{number}", file, {"rare": number % 70 == 0}) for number in range(280)])
    rare = ["case_0", "case_70", "case_140", "case_210"]
    for sort, whole in (("id", rare), ("-id", rare[::-1])):
        for skip in range(6):
            page = store.find_images(info={"rare": True}, sort=sort, skip=skip, limit=2)
            assert [image["id"] for image in page.images] == whole[skip:][:2]


def test_a_page_goes_on_where_the_last_one_ended_though_things_changed(scans: LocalDatastore, source: Source) -> None:
    """What comes and goes between two pages moves nothing else: no image twice, none left out."""
    first = scans.find_images(limit=2)
    assert [image["id"] for image in first.images] == ["case_1", "case_2"]
    scans.remove_image("case_2")
    scans.add_image("case_0", source("x.nii"), {})
    scans.add_image("case_5", source("x.nii"), {})
    rest = scans.find_images(after=first.next)
    assert [image["id"] for image in rest.images] == ["Case_3", "case_5", "case_10", "empty", "Łódź é"]
    with pytest.raises(InvalidInputException, match="sorted in another way"):
        scans.find_images(after=first.next, sort="-id")


def test_ids_are_sorted_as_people_do(open_store: Open, source: Source) -> None:
    """Digits count as numbers, letter case and accents do not count, and ties are no accident."""
    store = open_store()
    ordered = ["1.2.840.9", "1.2.840.10", "a", "a01", "a1", "a2", "a2b", "a10", "Ä10b", "a99999999999999999999", "b"]
    for id in reversed(ordered):
        store.add_image(id, source("x.nii"), {})
    assert ids(store) == ordered


# ---- against a plain filter of the document

NAMES = st.sampled_from(["a1", "A2", "a10", "b é", "B%", "c_d", "c'd"])
VALUES = st.one_of(st.sampled_from(["CT", "MR", "57", "true", "é"]), st.integers(56, 58), st.just(57.0), st.booleans(),
                   st.none(), st.lists(st.just(57), max_size=1))  # fmt: skip
KEYS = st.sampled_from(["age", "kind", "in.side"])
INFOS = st.dictionaries(KEYS, st.one_of(VALUES, st.dictionaries(KEYS, VALUES, max_size=2)), max_size=2)
PEOPLE = st.sampled_from(["anna", "Ben", ""])
LABELS = st.fixed_dictionaries(
    {},
    optional={
        "client_id": PEOPLE,
        "label_info": st.lists(st.sampled_from([{"name": "liver"}, {"name": "spleen"}, {"idx": 1}]), max_size=2),
        "segmentationMeta": st.fixed_dictionaries(
            {"status": st.sampled_from(["approved", "flagged", ""]), "comment": st.sampled_from(["", "Así", "a1"])}
        ),
    },
)
CHANGES = st.one_of(
    st.tuples(st.just("add"), NAMES, INFOS),
    st.tuples(st.just("inform"), NAMES, INFOS),
    st.tuples(st.just("label"), NAMES, st.sampled_from(["final", "original"]), LABELS),
    st.tuples(st.just("relabel"), NAMES, st.sampled_from(["final", "original"]), LABELS),
    st.tuples(st.just("unlabel"), NAMES, st.sampled_from(["final", "original"])),
    st.tuples(st.just("remove"), NAMES),
    st.tuples(st.just("restore"), NAMES),
)
WANTED = st.fixed_dictionaries(
    {},
    optional={
        "text": st.sampled_from(["a", "A1", "E", "%", "'", "as", "é", "d"]),
        "state": st.lists(st.sampled_from(["unlabelled", "labelled", "flagged", "approved"]), min_size=1, max_size=2),
        "tag": st.sampled_from(["final", "original"]),
        "without_tag": st.sampled_from(["final", "original"]),
        "annotator": PEOPLE.filter(bool),
        "structure": st.sampled_from(["liver", "spleen"]),
        "info": st.dictionaries(
            st.sampled_from(["age", "kind", "in.side", "age.kind"]), VALUES.filter(lambda v: not isinstance(v, list))
        ),
    },
)


def _do(store: LocalDatastore, file: str, verb: str, id: str, *more: Any) -> None:
    there = store.get_image_info(id) != {}
    if verb == "add":
        store.add_image(id, file, more[0])
    elif verb == "restore" and not there and store.image_versions(id):
        store.restore_image(id)
    elif not there:
        return
    elif verb == "inform":
        store.update_image_info(id, more[0])
    elif verb == "label":
        store.save_label(id, file, *more)
    elif verb == "relabel" and more[0] in store.get_labels_by_image_id(id):
        store.update_label_info(id, *more)
    elif verb == "unlabel":
        store.remove_label(id, *more)
    elif verb == "remove":
        store.remove_image(id)


def _plain(text: str) -> str:
    folded = unicodedata.normalize("NFKD", unicodedata.normalize("NFKD", text).casefold())
    return "".join(c for c in folded if not unicodedata.combining(c))


def _texts(value: Any) -> set[str]:
    """Give how a scalar may be written."""
    if isinstance(value, str):
        try:
            return {value} | _texts(json.loads(value) if not isinstance(json.loads(value), str) else value)
        except ValueError:
            return {value}
    return {json.dumps(value), json.dumps(int(value)) if isinstance(value, float) else json.dumps(value)}


def _at(info: dict[str, Any], path: str) -> list[Any]:
    """Give every value to which a path may lead."""
    found = [info[path]] if path in info else []
    for key, value in info.items():
        if isinstance(value, dict) and path.startswith(f"{key}."):
            found += _at(value, path.removeprefix(f"{key}."))
    return found


def _has(info: dict[str, Any], path: str, wanted: Any) -> bool:
    values = _at(info, path)
    if wanted is None:
        return bool(values)
    return any(not isinstance(value, dict | list) and _texts(value) & _texts(wanted) for value in values)


def _holds(id: str, entry: dict[str, Any], wanted: dict[str, Any]) -> bool:
    labels = {tag: label["info"] for tag, label in entry["labels"].items()}
    final = labels.get("final")
    meta = (final or {}).get("segmentationMeta", {})
    state = "unlabelled" if final is None else meta.get("status") or "labelled"
    annotator = None if final is None else final.get("client_id") or "tester"
    named = {part.get("name") for info in labels.values() for part in info.get("label_info", [])}
    checks = {
        "text": lambda text: any(_plain(text) in _plain(where) for where in (id, meta.get("comment", ""))),
        "state": lambda states: state in states,
        "tag": lambda tag: tag in labels,
        "without_tag": lambda tag: tag not in labels,
        "annotator": lambda name: name == annotator,
        "structure": lambda name: name in named,
        "info": lambda info: all(_has(entry["image"]["info"], key, value) for key, value in info.items()),
    }
    return all(checks[name](value) for name, value in wanted.items())


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=st.lists(st.tuples(st.lists(CHANGES, max_size=6), WANTED), min_size=1, max_size=4))
def test_what_is_found_is_what_a_plain_filter_finds(
    tmp_path_factory: pytest.TempPathFactory, steps: list[tuple[list[Any], dict[str, Any]]]
) -> None:
    """After whatever changes, each question has the answer that a filter over the whole document gives."""
    place = tmp_path_factory.mktemp("found")
    file = place / "x.nii"
    file.write_bytes(b"x")
    with LocalDatastore(place / "studies", actor="tester") as store:
        for changes, wanted in steps:
            for change in changes:
                _do(store, str(file), *change)
            expected = {id for id, entry in store.json()["objects"].items() if _holds(id, entry, wanted)}
            assert set(ids(store, **wanted)) == expected
            assert sum(store.facets()["state"].values()) == store.status()["total"]


# ---- an index that follows, and can be lost


def _index(folder: Path) -> Path:
    return folder / ".monailabel" / "search.db"


def test_every_change_is_found_at_once(scans: LocalDatastore, source: Source, folder: Path) -> None:
    """What was saved, informed, removed, restored or put into the folder is found by the next call."""
    scans.find_images()
    scans.update_label_info("case_1", "final", {"segmentationMeta": {**REVIEW, "comment": "now"}})
    assert ids(scans, state="approved", text="now") == ["case_1"]
    scans.remove_label("case_1", "final")
    assert ids(scans, state="approved") == ["case_10"] and ids(scans, structure="liver") == ["case_2"]
    scans.remove_image("case_2")
    assert ids(scans, structure="liver") == [] and "case_2" not in ids(scans) and ids(scans, info={"age": 57.0})
    scans.restore_image("case_2")
    assert ids(scans, structure="liver") == ["case_2"]
    (folder / "foreign.nii").write_bytes(b"123456789")
    scans.refresh()
    assert scans.find_images(sort="-size", limit=1).images[0]["id"] == "foreign"
    (folder / "foreign.nii").unlink()
    scans.refresh()
    assert "foreign" not in ids(scans)


def test_no_trace_of_an_erased_image_stays(scans: LocalDatastore, open_store: Open, folder: Path) -> None:
    """An index forgets what it held of an image that is no more, and of one that is purged every byte."""
    other = open_store()
    scans.update_image_info("case_1", {"PatientName": "Erika Mustermann"})
    assert ids(scans, info={"PatientName": "Erika Mustermann"}) == ids(other, info={"PatientName": None}) == ["case_1"]
    scans.remove_image("case_1")
    assert ids(scans, info={"PatientName": "Erika Mustermann"}) == [] and "PatientName" not in other.facets()["info"]
    scans.remove_image("case_1", purge=True)
    for store in (scans, other):
        assert ids(store) == ["case_2", "Case_3", "case_10", "empty", "Łódź é"]
    for path in _index(folder).parent.glob("search*"):
        assert b"Mustermann" not in path.read_bytes()


def test_two_processes_follow_one_another(scans: LocalDatastore, folder: Path, source: Source, child: Child) -> None:
    """What another process saved is found here, and the other way round, with one index for both."""
    assert len(ids(scans)) == 6
    told = child(
        """
store = LocalDatastore(sys.argv[1])
store.add_image("theirs", sys.argv[2], {"by": "child"})
print(json.dumps(store.find_images().total))
""",
        folder,
        source("x.nii"),
    )
    assert told == 7 and ids(scans, info={"by": "child"}) == ["theirs"]
    inode = _index(folder).stat().st_ino
    scans.remove_image("theirs")
    assert child("print(json.dumps(LocalDatastore(sys.argv[1]).find_images().total))", folder) == 6
    assert _index(folder).stat().st_ino == inode


ASKING = """
from contextlib import suppress
store = LocalDatastore(sys.argv[1])
for n in range(30):
    store.update_image_info(f"image_{n}", {sys.argv[2]: n})
    found = store.find_images(info={sys.argv[2]: n})
    assert [image["id"] for image in found.images] == [f"image_{n}"], found
    if n % 10 == 5:
        with suppress(FileNotFoundError):  # another one has just deleted it
            os.unlink(os.path.join(sys.argv[1], ".monailabel", "search.db"))
print(json.dumps(store.find_images().total))
"""


def test_many_ask_and_change_at_once(open_store: Open, folder: Path, child: Child) -> None:
    """Processes and threads that change, ask, and delete the index all the while: each answer is right, none fails."""
    for number in range(40):
        (folder / f"image_{number}.nii").write_bytes(b"x")
    store = open_store()
    with ThreadPoolExecutor() as pool:
        others = [pool.submit(child, ASKING, folder, who) for who in ("x", "y")]
        asking = [pool.submit(lambda: store.find_images(text="image", limit=5).total) for _ in range(200)]
        assert {future.result() for future in asking} == {40}
        assert [future.result() for future in others] == [40, 40]
    assert len(ids(store, info={"x": None, "y": None})) == 30


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda path: path.write_bytes(b"garbage" * 2000), id="overwritten"),
        pytest.param(lambda path: path.write_bytes(b""), id="emptied"),
        pytest.param(lambda path: path.write_bytes(path.read_bytes()[:5000]), id="cut off"),
        pytest.param(lambda path: path.write_bytes(path.read_bytes()[:4096] + b"\xff" * 40_000), id="scribbled over"),
        pytest.param(lambda path: path.unlink(), id="deleted"),
        pytest.param(lambda path: _execute(path, "PRAGMA user_version = 99"), id="of another version"),
        pytest.param(lambda path: _execute(path, "DROP TABLE posting"), id="without a table"),
        pytest.param(lambda path: _execute(path, "DELETE FROM seen"), id="without its place"),
    ],
)
@pytest.mark.parametrize("open_meanwhile", [True, False], ids=["while it is open", "between two openings"])
def test_a_lost_index_is_made_anew(
    scans: LocalDatastore, open_store: Open, folder: Path, damage: Callable[[Path], Any], open_meanwhile: bool
) -> None:
    """Whatever happens to the index's file, the next answer is right."""
    expected = scans.find_images()
    if not open_meanwhile:
        scans.close()
    damage(_index(folder))
    store = scans if open_meanwhile else open_store()
    assert store.find_images() == expected
    assert store.facets()["total"] == 6


def _execute(path: Path, statement: str) -> None:
    connection = sqlite3.connect(path)
    with connection:
        connection.execute(statement)
    connection.close()


def test_another_catalog_in_its_place_is_noticed(scans: LocalDatastore, open_store: Open, folder: Path) -> None:
    """Where the catalog was replaced, by a new one or by an older copy that went on, nothing old is found."""
    catalog = folder / ".monailabel" / "catalog.db"
    scans.find_images()
    scans.close()
    older = catalog.read_bytes()
    with LocalDatastore(folder) as store:
        store.update_image_info("case_1", {"way": "left"})
        store.update_image_info("case_2", {"way": "left"})
        assert ids(store, info={"way": "left"}) == ["case_1", "case_2"]
    catalog.write_bytes(older)
    (folder / "datastore_v2.json").unlink()
    with LocalDatastore(folder) as store:
        store.update_image_info("Case_3", {"way": "right"})
        store.update_image_info("case_10", {"way": "right"})
        assert ids(store, info={"way": None}) == ["Case_3", "case_10"]
    for name in ("catalog.db", "catalog.db-wal", "catalog.db-shm"):
        catalog.with_name(name).unlink(missing_ok=True)
    (folder / "datastore_v2.json").unlink()
    assert ids(open_store(), info={"way": None}) == []


KILLED = """
import signal
from monailabel.catalog import batch
steps = int(sys.argv[2])
write = batch.Batch.write
def dying(self):
    global steps
    write(self)
    steps -= 1
    if steps == 0:
        os.kill(os.getpid(), signal.SIGKILL)
batch.Batch.write = dying
from monailabel.catalog import search
search._BATCH = 10
LocalDatastore(sys.argv[1]).find_images()
"""


@pytest.mark.parametrize("steps", [1, 3])
def test_a_kill_while_the_index_is_made_costs_nothing(open_store: Open, folder: Path, steps: int) -> None:
    """Whoever comes after a process that died in the middle goes on, and the answer is right."""
    for number in range(45):
        (folder / f"image_{number}.nii").write_bytes(b"x")
    open_store().close()
    program = "import os, sys\nfrom monailabel.datastore.local import LocalDatastore\n" + KILLED
    died = subprocess.run([sys.executable, "-c", program, folder, str(steps)], timeout=60, env=_environment())
    assert died.returncode == -signal.SIGKILL
    with sqlite3.connect(_index(folder)) as index:
        assert index.execute("SELECT whole FROM seen").fetchone() == (0,)
    index.close()
    assert ids(open_store()) == [f"image_{number}" for number in range(45)]


def _environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}


def test_progress_is_told_while_a_large_index_is_made(
    open_store: Open, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The first answer tells how far it is, from more to all."""
    monkeypatch.setattr("monailabel.catalog.search._BATCH", 10)
    for number in range(45):
        (folder / f"image_{number}.nii").write_bytes(b"x")
    told: list[tuple[str, int, int | None]] = []
    store = open_store(progress=lambda *said: told.append(said))
    told.clear()
    assert store.find_images().total == 45
    assert told == [("indexing", done, 45) for done in (10, 20, 30, 40)]


def test_a_read_only_datastore_is_searched_without_a_byte_written(
    scans: LocalDatastore, open_store: Open, folder: Path, tree: Callable[..., Any]
) -> None:
    """It begins from the index that is there, keeps its own, and follows what others change."""
    scans.find_images()
    scans.close()
    looking = open_store(read_only=True)
    before = tree(folder)
    assert ids(looking, state="approved") == ["case_10"]
    assert tree(folder) == before
    scans = open_store()
    scans.update_label_info("case_1", "final", {"segmentationMeta": REVIEW})
    assert ids(looking, state="approved") == ["case_1", "case_10"]
    _index(folder).write_bytes(b"garbage")
    assert ids(open_store(read_only=True), state="approved") == ["case_1", "case_10"]


def test_a_forked_child_can_search(scans: LocalDatastore, folder: Path) -> None:
    """A child goes on with an index of its parent's, also when another thread of that was asking or making it."""
    stop = threading.Event()

    def asking() -> None:
        while not stop.is_set():
            scans.find_images()

    thread = threading.Thread(target=asking)
    thread.start()
    try:
        for _ in range(10):
            child = os.fork()
            if child == 0:
                try:
                    os._exit(0 if ids(scans, state="approved") == ["case_10"] else 1)
                finally:
                    os._exit(2)
            assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
            _index(folder).unlink(missing_ok=True)
    finally:
        stop.set()
        thread.join()
    assert ids(scans, state="approved") == ["case_10"]


def test_a_link_in_the_place_of_the_index_is_refused(scans: LocalDatastore, folder: Path, tmp_path: Path) -> None:
    """A received folder cannot have the index written elsewhere."""
    scans.close()
    _index(folder).unlink(missing_ok=True)
    _index(folder).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(InvalidInputException, match="is a link"):
        LocalDatastore(folder)
    assert not (tmp_path / "elsewhere").exists()
