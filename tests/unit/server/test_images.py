"""Finding images over HTTP: filters, sorts, pages and counts, and what is said of a mistake."""

from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import pytest

from tests.unit.server.running import Server

HOSTILE = "<img src=x onerror=alert(1)> & 100% \u202e😀"
REVIEW = {"status": "approved", "level": "hard", "approvedBy": "dr", "comment": HOSTILE, "editTime": "1"}


@pytest.fixture
def reviewed(server: Server, tmp_path: Path) -> Server:
    """Give a server of six images, one of them approved."""
    file = tmp_path / "source.nii"
    file.write_bytes(b"12345")
    for number, site in ((3, "A"), (10, "B"), (20, "B")):
        server.store.add_image(f"case_{number}", str(file), {"site": {"name": site}, "age": 50 + number})
    server.store.add_image("a+b c", str(file), {})
    server.store.save_label("case_3", str(file), "final", {"client_id": "anna", "segmentationMeta": REVIEW})
    return server


def found(server: Server, **wanted: Any) -> list[str]:
    """Give the ids that are found."""
    answer = server.get("/datastore/images?" + urlencode(wanted, doseq=True))
    assert answer.status == 200, answer.body
    assert answer.json["total"] == len(answer.json["images"]) and answer.json["next"] is None
    return [image["id"] for image in answer.json["images"]]


@pytest.mark.parametrize(
    ("wanted", "ids"),
    [
        ({}, ["a+b c", "case_1", "case_2", "case_3", "case_10", "case_20"]),
        ({"text": "CASE_1"}, ["case_1", "case_10"]),
        ({"text": "onerror=alert(1)"}, ["case_3"]),
        ({"text": "+"}, ["a+b c"]),
        ({"state": "approved"}, ["case_3"]),
        ({"state": ["approved", "unlabelled"], "text": "_2"}, ["case_2", "case_20"]),
        ({"tag": "original"}, ["case_1"]),
        ({"without_tag": ["original", "final"], "text": "case"}, ["case_2", "case_10", "case_20"]),
        ({"annotator": "anna"}, ["case_3"]),
        ({"structure": "liver"}, []),
        ({"info": "age=60"}, ["case_10"]),
        ({"info": ["site.name=B", "age=70"]}, ["case_20"]),
        ({"info": ["site.name=A", "site.name=B"]}, ["case_3", "case_10", "case_20"]),
        ({"info": "site"}, ["case_3", "case_10", "case_20"]),
        ({"tag": ["", "original"]}, ["case_1"]),
        ({"text": "", "state": "", "tag": "", "info": "", "sort": "", "after": ""},
         ["a+b c", "case_1", "case_2", "case_3", "case_10", "case_20"]),
        ({"sort": "-id", "text": "case_1"}, ["case_10", "case_1"]),
        ({"id": "case_1"}, ["case_1"]),
        ({"id": "a+b c"}, ["a+b c"]),
        ({"id": "zebra"}, []),
        ({"id": "", "state": "approved"}, ["case_3"]),
    ],
    ids=str,
)  # fmt: skip
def test_images_are_found(reviewed: Server, wanted: dict[str, Any], ids: list[str]) -> None:
    """Each filter of the query, what comes several times, and what is left empty."""
    assert found(reviewed, **wanted) == ids


def test_an_image_is_told_as_the_library_tells_it(reviewed: Server) -> None:
    """The answer is the library's, and what people wrote comes as they wrote it."""
    page = reviewed.get("/datastore/images?state=approved").json
    assert page == reviewed.store.find_images(state="approved")._asdict()
    assert page["images"][0]["comment"] == HOSTILE and page["images"][0]["level"] == "hard"


def test_pages_follow_one_another(reviewed: Server) -> None:
    """`next` of a page is `after` of the one that follows, and null at the end."""
    seen, after = [], ""
    for _ in range(3):
        page = reviewed.get(f"/datastore/images?sort=-added&limit=2&after={quote(after)}").json
        assert page["total"] == 6
        seen += [image["id"] for image in page["images"]]
        after = page["next"]
    assert after is None
    assert seen == [image["id"] for image in reviewed.get("/datastore/images/?sort=-added").json["images"]]
    assert seen[0] == "a+b c"


@pytest.mark.parametrize(
    ("sort", "skip"), [("id", 0), ("id", 2), ("-added", 3), ("-size", 5), ("state", 6), ("id", 99)]
)
def test_a_page_begins_at_any_place(reviewed: Server, sort: str, skip: int) -> None:
    """`skip` passes over so many; beyond the end there are none, and the total stays."""
    whole = [image["id"] for image in reviewed.get(f"/datastore/images?sort={sort}").json["images"]]
    page = reviewed.get(f"/datastore/images?sort={sort}&skip={skip}&limit=2").json
    assert [image["id"] for image in page["images"]] == whole[skip : skip + 2]
    assert page["total"] == 6 and (page["next"] is None) == (skip >= 4)


def test_a_label_that_was_saved_is_found_at_once(reviewed: Server) -> None:
    """The next question knows of a change over HTTP, and tells for which event its answer is true."""
    before = reviewed.get("/datastore/images").json["seq"]
    saved = reviewed.put(
        "/datastore/label?image=case_2",
        "label",
        "l.nii",
        b"x",
        params='{"client_id": "ben", "label_info": [{"name": "liver"}]}',
    )
    assert saved.status == 200
    page = reviewed.get("/datastore/images?annotator=ben&structure=liver").json
    assert [image["id"] for image in page["images"]] == ["case_2"] and page["seq"] > before


def test_facets_are_the_librarys(reviewed: Server) -> None:
    """The counts over HTTP."""
    facets = reviewed.get("/datastore/images/facets").json
    assert facets == reviewed.store.facets()
    assert (facets["total"], facets["labelled"], facets["reviewed"]) == (6, 1, 1)


@pytest.mark.parametrize(
    ("query", "status", "sentence"),
    [
        ("sort=age", 400, "there are id, time, added, size, state"),
        ("state=done", 400, "there are unlabelled, labelled, flagged, approved"),
        ("after=zebra", 400, "give what `next`"),
        ("after=%00", 400, "give what `next`"),
        ("info==57", 400, "name a key"),
        ("limit=0", 422, "limit"),
        ("limit=1001", 422, "limit"),
        ("limit=ten", 422, "limit"),
        ("skip=-1", 422, "skip"),
        ("skip=ten", 422, "skip"),
        ("skip=2&after=WyJpZCIsZmFsc2UsIngiLCJ4Il0", 400, "beside after"),
    ],
)
def test_a_mistake_is_told_in_one_sentence(reviewed: Server, query: str, status: int, sentence: str) -> None:
    """What cannot be asked is said with what there is."""
    answer = reviewed.get(f"/datastore/images?{query}")
    assert answer.status == status
    assert sentence in answer.json["detail"]


def test_hostile_questions_are_questions(reviewed: Server) -> None:
    """Characters of every kind in every filter find nothing and break nothing."""
    for text in ("\0", "%", "'", '"', "\\", "😀" * 500, "{}", "[", "\ufffd", "a" * 4000):
        for name in ("text", "tag", "annotator", "structure", "info", "without_tag"):
            wanted = {name: f"{text}=" if name == "info" else text, "annotator": "zebra"}
            assert found(reviewed, **wanted) == []
    assert reviewed.get("/datastore/images?text=%ff").status in (200, 400)
