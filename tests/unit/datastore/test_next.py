"""Which image is handed out next for annotation."""

import random
import time
from collections.abc import Callable
from typing import Any

import pytest

from monailabel.datastore.actor import Actor
from monailabel.datastore.local import LocalDatastore
from monailabel.datastore.strategy import Wish
from monailabel.interfaces.exception import InvalidInputException

Open = Callable[..., LocalDatastore]
Source = Callable[..., str]


@pytest.fixture
def cases(open_store: Open, source: Source) -> LocalDatastore:
    """Give a datastore of four images, of which `c1` has a `final` label."""
    store = open_store()
    for n in range(4):
        store.add_image(f"c{n}", source("x.nii.gz"), {"n": n})
    store.save_label("c1", source("l.nii.gz"), "final", {})
    return store


def test_random_hands_out_each_image_before_any_again(cases: LocalDatastore) -> None:
    """`random` prefers what was never handed out, and never gives an image that has a label."""
    given = [cases.next_image("random") for _ in range(3)]
    assert {g["id"] for g in given if g} == {"c0", "c2", "c3"}
    assert all(g is not None and g.keys() == {"id", "weight"} for g in given)


def test_random_prefers_what_was_handed_out_longest_ago(cases: LocalDatastore) -> None:
    """Of images that were all handed out, the one of longest ago comes first."""
    for image, age in (("c0", 10), ("c2", 1000), ("c3", 100)):
        cases.update_image_info(image, {"strategy": {"random": {"ts": int(time.time()) - age, "client_id": "x"}}})
    chosen = cases.next_image("random")
    assert chosen is not None and chosen["id"] == "c2"


def test_the_strategy_is_recorded(cases: LocalDatastore) -> None:
    """Who was given an image, and when, is in its info; the rest of the info stays."""
    before = int(time.time())
    given = cases.next_image("random", client_id="ann")
    assert given is not None
    info = cases.get_image_info(given["id"])
    record = info["strategy"]["random"]
    assert record["client_id"] == "ann" and before <= record["ts"] <= time.time()
    assert info["n"] == int(given["id"][1])


def test_first_gives_the_first_unlabelled(cases: LocalDatastore, source: Source) -> None:
    """`first` gives the first image without a label, by id alone."""
    assert cases.next_image("first") == {"id": "c0"}
    cases.save_label("c0", source("l.nii.gz"), "final", {})
    assert cases.next_image("first") == {"id": "c2"}


@pytest.mark.parametrize("strategy", ["random", "first"])
def test_none_is_left(cases: LocalDatastore, source: Source, strategy: str) -> None:
    """Where every image has its label there is none to hand out; another tag may still want them."""
    for n in (0, 2, 3):
        cases.save_label(f"c{n}", source("l.nii.gz"), "final", {"label_info": [{"name": "liver", "idx": 1}]})
    assert cases.next_image(strategy) is None
    assert cases.next_image(strategy, label_tag="version_1") is not None
    without_liver = cases.next_image(strategy, labels=["liver"])
    assert without_liver is not None and without_liver["id"] == "c1"


def test_an_unknown_strategy_is_refused(cases: LocalDatastore) -> None:
    """A strategy that is not known is refused by its name."""
    with pytest.raises(InvalidInputException, match="magic"):
        cases.next_image("magic")


def test_read_only_records_nothing(cases: LocalDatastore, open_store: Open) -> None:
    """A datastore that is open read-only hands out images without recording it."""
    reader = open_store(read_only=True)
    given = reader.next_image("random", client_id="ann")
    assert given is not None
    assert "strategy" not in cases.get_image_info(given["id"])


def test_several_who_ask_at_once_get_images_of_their_own(cases: LocalDatastore) -> None:
    """What is noted for several is noted under each one's name, in one change; no image is given twice."""
    last, commits = cases.last_event(), []
    with cases.listening(lambda: commits.append(None)):
        given = cases.next_images([Wish("random", name, actor=Actor(name)) for name in ("ann", "ben", "eve")])
    assert {g["id"] for g in given if g} == {"c0", "c2", "c3"} and len(commits) == 1
    events = cases.events(last)
    assert [e["actor"] for e in events] == ["ann", "ben", "eve"]
    assert [e["image"] for e in events] == [g["id"] for g in given if g]
    for event in events:
        assert cases.get_image_info(event["image"])["strategy"]["random"]["client_id"] == event["actor"]


@pytest.mark.parametrize("wanted", [{}, {"label_tag": "rare"}, {"labels": ["liver"]}], ids=str)
def test_nobody_gets_the_same_by_bad_luck(
    cases: LocalDatastore, monkeypatch: pytest.MonkeyPatch, wanted: dict[str, Any]
) -> None:
    """However chance falls, each gets an image of their own while there are enough."""
    monkeypatch.setattr(random, "random", lambda: 0.0)
    monkeypatch.setattr(random, "choice", lambda found: found[0])
    given = cases.next_images([Wish("random", name, **wanted) for name in ("ann", "ben", "eve")])
    assert len({g["id"] for g in given if g}) == 3
    assert wanted or "c1" not in {g["id"] for g in given if g}, "it has its label"


def test_more_who_ask_than_images(cases: LocalDatastore, source: Source) -> None:
    """Where there are too few images, they are given twice; where there are none, nobody gets one."""
    wishes = [*[Wish("random")] * 5, Wish("first"), Wish("random", label_tag="rare")]
    given = cases.next_images(wishes)
    assert [g["id"] for g in given[:5] if g][3:] and {g["id"] for g in given[:5] if g} == {"c0", "c2", "c3"}
    assert given[5] == {"id": "c0"} and given[6] is not None
    for id in ("c0", "c2", "c3"):
        cases.save_label(id, source("l.nii.gz"), "final", {})
    given = cases.next_images(wishes)
    assert given[:6] == [None] * 6 and given[6] is not None
