"""The datastore is told again as it was: at any event, and at any time."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as some

from monailabel.datastore.local import LocalDatastore
from monailabel.interfaces.exception import (
    ConflictException,
    ImageNotFoundException,
    InvalidInputException,
    LabelNotFoundException,
)

Open = Callable[..., LocalDatastore]
Source = Callable[..., str]

IMAGES, TAGS = ("a", "b", "c"), ("final", "original")
STEPS = some.lists(
    some.tuples(
        some.sampled_from(
            ("add", "save", "remove", "unlabel", "info", "label info", "restore", "copy in", "lose", "name")
        ),
        some.sampled_from(IMAGES),
        some.sampled_from(TAGS),
        some.integers(0, 99),
    ),
    max_size=14,
)


def make(store: LocalDatastore, folder: Path, scratch: Path, step: tuple[str, str, str, int]) -> None:
    """Make one change, ours or another program's."""
    kind, image, tag, n = step
    source = scratch / ("file.nii" if n % 2 else "file.nii.gz")
    source.write_bytes(f"{step}".encode())
    lying = folder / f"{image}.nii"
    changes: dict[str, Callable[[], object]] = {
        "add": lambda: store.add_image(image, str(source), {"n": n}),
        "save": lambda: store.save_label(image, str(source), tag, {"n": n}),
        "remove": lambda: store.remove_image(image),
        "unlabel": lambda: store.remove_label(image, tag),
        "info": lambda: store.update_image_info(image, {f"k{n % 3}": n}),
        "label info": lambda: store.update_label_info(image, tag, {f"k{n % 3}": n}),
        "restore": lambda: store.restore_image(image),
        "copy in": lambda: lying.exists() or lying.write_bytes(source.read_bytes()),
        "lose": lambda: lying.unlink(missing_ok=True),
        "name": lambda: store.set_description(f"{n}"),
    }
    try:
        changes[kind]()
    except (ImageNotFoundException, LabelNotFoundException, ConflictException):
        return
    store.refresh()


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(steps=STEPS)
def test_every_moment_is_told_as_it_was(tmp_path_factory: pytest.TempPathFactory, steps: list[Any]) -> None:
    """After any changes, `json(as_of=n)` is what `json()` was when event n was the newest."""
    folder, scratch = tmp_path_factory.mktemp("studies"), tmp_path_factory.mktemp("scratch")
    with LocalDatastore(folder) as store:
        told = {0: store.json()}
        for step in steps:
            make(store, folder, scratch, step)
            told[store.events()[-1]["seq"] if store.events() else 0] = store.json()
        for seq, document in told.items():
            again = store.json(as_of=seq)
            assert again == document
            assert list(again["objects"]) == list(document["objects"])


def test_last_months_cases_have_last_months_bytes(store: LocalDatastore, source: Source) -> None:
    """`datalist(as_of=…)` names files with the bytes and the extension of that moment, by number and by time."""
    store.save_label("a", source("l.nii.gz", b"first"), "final", {})
    number, before = store.events()[-1]["seq"], store.datalist()
    time = datetime.now(UTC)
    while datetime.now(UTC) < time + timedelta(milliseconds=1):  # of which events tell their times
        pass
    store.save_label("a", source("l.nii", b"second"), "final", {})
    store.save_label("b", source("l.nii.gz", b"other"), "final", {})
    for moment in (number, str(number), time, time.isoformat(), time.replace(tzinfo=None)):
        (case,) = store.datalist(as_of=moment)
        assert case["image"] == before[0]["image"]
        assert case["label"].endswith("/a.nii.gz") and Path(case["label"]).read_bytes() == b"first"
    assert len(store.datalist(as_of=store.events()[-1]["seq"])) == 2
    (case,) = store.datalist(full_path=False, as_of=number)
    assert (Path(store.path) / case["label"]).read_bytes() == b"first"


def test_a_read_only_datastore_tells_it_too(store: LocalDatastore, source: Source, folder: Path) -> None:
    """A datastore that is only looked at tells earlier moments, and writes nothing into the folder."""
    store.save_label("a", source("l.nii.gz", b"first"), "final", {})
    number = store.events()[-1]["seq"]
    store.save_label("a", source("l.nii.gz", b"second"), "final", {})
    store.close()
    before = sorted(folder.rglob("*"))
    with LocalDatastore(folder, read_only=True) as looking:
        (case,) = looking.datalist(as_of=number)
        assert Path(case["label"]).read_bytes() == b"first"
    assert sorted(folder.rglob("*")) == before


def test_what_was_not_kept_is_said(store: LocalDatastore, source: Source, folder: Path) -> None:
    """A moment whose bytes another program overwrote is an error that names the version, never other bytes."""
    store.save_label("a", source("l.nii.gz", b"first"), "final", {})
    number = store.events()[-1]["seq"]
    (folder / "labels" / "final" / "a.nii.gz").write_bytes(b"scribbled over")
    store.save_label("a", source("l.nii.gz", b"second"), "final", {})
    with pytest.raises(ConflictException, match=r"version 2 of label 'final' of image 'a' was not kept"):
        store.datalist(as_of=number)


@pytest.mark.parametrize("moment", [10_000, -1, "last week", "2026-13-45", "9999-01-01"])
def test_a_moment_that_was_not_is_refused(store: LocalDatastore, moment: int | str) -> None:
    """A number beyond the last event and a word that is no time are refused with the reason."""
    with pytest.raises(InvalidInputException, match="as_of"):
        store.json(as_of=moment)


def test_before_the_first_event_there_was_nothing(store: LocalDatastore) -> None:
    """Event 0, and a time before the first event, tell an empty datastore."""
    assert store.json(as_of=0)["objects"] == {} == store.json(as_of="1999-01-01")["objects"]


def test_an_adopted_name_is_told_of_every_moment(open_store: Open, folder: Path) -> None:
    """The name and description of a document that was there first count from the beginning until they are changed."""
    known = {"name": "liver", "description": "Graz 2026", "images_dir": "", "labels_dir": "labels", "objects": {}}
    (folder / "a.nii.gz").write_bytes(b"image a")
    (folder / "datastore_v2.json").write_text(json.dumps(known))
    store = open_store()
    moments = [(store.events()[-1]["seq"], store.json())]
    changes = partial(store.set_name, "kidney"), partial(store.set_description, "Wien"), partial(store.set_name, "x")
    for change in changes:
        change()
        moments.append((store.events()[-1]["seq"], store.json()))
    assert moments[0][1]["name"] == "liver" and moments[-1][1]["description"] == "Wien"
    assert [store.json(as_of=seq) for seq, _ in moments] == [document for _, document in moments]
