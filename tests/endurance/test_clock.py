"""A clock that jumps, mostly backwards: events keep their order, and files from the future are files like others."""

import os
import random
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from monailabel.datastore.check import check
from monailabel.datastore.local import LocalDatastore
from tests.endurance.judging import make, observed
from tests.endurance.kinds import BEFORE, KINDS, NEW, TOLD, UNSEEN
from tests.endurance.workers import apply

DAY = 86_400
JUMPS = {
    "back by days": lambda chance: -chance.uniform(0, 3 * DAY),
    "to and fro by years": lambda chance: chance.uniform(-10, 10) * 365 * DAY,
    "back by milliseconds": lambda chance: -chance.random() / 100,
    "before 1970": lambda _: -60 * 365 * DAY,
}


@pytest.fixture(params=JUMPS)
def clock(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Have the clock jump whenever somebody looks at it."""
    chance, jump, true = random.Random(3), JUMPS[request.param], time.time
    monkeypatch.setattr(time, "time", lambda: true() + jump(chance))
    monkeypatch.setattr(time, "time_ns", lambda: int((true() + jump(chance)) * 1_000_000_000))


@pytest.mark.usefixtures("clock")
def test_the_order_of_events_holds(tmp_path: Path, scratch: Path) -> None:
    """Events are numbered in the order of the changes, each moment is told as it was, and nothing is amiss."""
    folder = tmp_path / "studies"
    state, documents = {("", ""): "New Dataset"}, {}
    with LocalDatastore(str(folder), actor="us") as store:
        for change in (*BEFORE, *(KINDS[kind] for kind in [*NEW, *TOLD, *UNSEEN, "an image removed with its labels"])):
            apply(store, change, scratch)
            make(state, change)
            documents[store.events()[-1]["seq"]] = store.json()
            store.refresh()
        events = store.events()
        assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
        assert {event["actor"] for event in events} == {"us"}, "our own changes were taken for another program's"
        assert all(store.json(as_of=seq) == document for seq, document in documents.items())
        handed = {(store.next_image("random") or {}).get("id") for _ in range(6)}
        assert handed <= {*store.list_images(), None} and handed != {None}
        for id in [image for image in handed if image]:
            state[id, ""]["info"]["strategy"] = store.get_image_info(id)["strategy"]
    assert observed(folder) == state
    assert [finding.what for finding in check(folder, low_space=0) if finding.stands] == []


@pytest.mark.usefixtures("clock")
def test_files_of_any_age_are_taken_in(tmp_path: Path, wait_for: Callable[..., None]) -> None:
    """Files from the future and from 1970, in folders that look as old, are listed, seen to change, and missed."""
    folder = tmp_path / "studies"
    times = {"future": 4_000_000_000, "past": 1, "now": int(time.time())}
    with LocalDatastore(str(folder)) as store:
        for name, moment in times.items():
            (folder / f"{name}.nii").write_text(name)
            os.utime(folder / f"{name}.nii", (moment, moment))
            os.utime(folder, (moment, moment))
            store.refresh()
            wait_for(lambda name=name: store.refresh() or name in store.list_images())
        for name, moment in times.items():
            (folder / "new.tmp").write_text(f"{name}, changed")
            os.utime(folder / "new.tmp", (moment, moment))
            (folder / "new.tmp").rename(folder / f"{name}.nii")
            os.utime(folder, (moment, moment))
        wait_for(lambda: store.refresh() or all(store.image_versions(name)[-1]["version"] == 2 for name in times))
        for name in times:
            (folder / f"{name}.nii").unlink()
        os.utime(folder, (times["past"], times["past"]))
        wait_for(lambda: store.refresh() or not store.list_images())
