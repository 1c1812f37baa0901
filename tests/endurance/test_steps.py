"""A writer that dies on entering a step: each kind of change is then wholly there or wholly not, for everybody."""

import os
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import monailabel.datastore.change as change_protocol
from monailabel.datastore.check import check
from monailabel.datastore.local import LocalDatastore
from tests.endurance.kinds import BEFORE, KINDS, NEW, REMOVED, UNSEEN, enters, state_after
from tests.endurance.workers import apply, bringing

State = dict[tuple[str, str], Any]
STRIDE = 1 if int(os.environ.get("ROUNDS", "100")) > 100 else 3  # each third call is one to die before; else each

every_kind = pytest.mark.parametrize("kind", KINDS)
every_step = pytest.mark.parametrize("step", ["stage", "commit", "publish", "done"])


@pytest.fixture
def folder(memory: Path, scratch: Path) -> Path:
    """Give a datastore's folder with what stands in BEFORE."""
    with LocalDatastore(str(memory / "studies")) as store:
        for change in BEFORE:
            apply(store, change, scratch)
    return memory / "studies"


@pytest.fixture
def expected() -> Callable[[str, str, bool], State]:
    """Give the function that tells what must be there when a writer ended: acknowledged from `publish` on."""

    def state(kind: str, step: str, died: bool) -> State:
        return state_after() if died and step in ("stage", "commit") else state_after(KINDS[kind])

    return state


@every_step
@every_kind
@pytest.mark.parametrize("who", ["one that opens", "one that is open"])
def test_a_death_leaves_all_or_nothing(
    folder: Path, scratch: Path, nursery: Any, look: Any, observe: Any, expected: Any, who: str, kind: str, step: str
) -> None:
    """After a death on entering `stage` or `commit` the old state stands, on entering `publish` or `done` the new."""
    with LocalDatastore(str(folder)) as witness:
        before = look(witness)
        died = nursery.wait(
            nursery.start("die", folder=str(folder), change=KINDS[kind], step=step, scratch=str(scratch))
        )
        assert died == 9 if enters(kind, step) else died in (0, 9)
        state = expected(kind, step, died == 9)
        assert state != before or step in ("stage", "commit") or kind in UNSEEN
        if who == "one that is open":
            assert look(witness) == state
    assert observe(folder) == state


@pytest.mark.parametrize(
    "kind",
    [
        "many images",
        "a label restored",
        "a label made for another version",
        "an image purged",
        "a new image",
        "an image replaced",
        "an image with another extension",
        "a label of a new tag",
        "a label replaced",
        "a label removed",
        "an image removed with its labels",
        "an image's info",
    ],
)
def test_a_death_between_any_two_calls(
    folder: Path, memory: Path, scratch: Path, nursery: Any, observe: Any, expected: Any, kind: str
) -> None:
    """Wherever between two calls that touch files a writer dies, the change is there wholly or not at all."""
    die_between_any_two_calls(folder, memory, scratch, nursery, observe, expected, kind)


def test_a_death_between_any_two_calls_in_a_sharded_datastore(
    memory: Path, scratch: Path, nursery: Any, observe: Any, expected: Any
) -> None:
    """The same where the change has to make three folders, each in the one before."""
    folder = memory / "sharded"
    with LocalDatastore(str(folder), layout="sharded") as store:
        for change in BEFORE:
            apply(store, change, scratch)
    die_between_any_two_calls(folder, memory, scratch, nursery, observe, expected, "a label of a new tag")


def die_between_any_two_calls(
    folder: Path, memory: Path, scratch: Path, nursery: Any, observe: Any, expected: Any, kind: str
) -> None:
    """Have a writer die before the first call, before a later one, and so on until it gets to its end."""
    old, new = expected(kind, "commit", True), expected(kind, "done", True)
    turned = False
    first = 1 + list(KINDS).index(kind) % STRIDE  # the kinds have most calls in common, and begin at different ones
    for number in range(first, 200, STRIDE):
        copy = memory / f"copy-{number}"
        shutil.copytree(folder, copy, symlinks=True)
        arguments = {"folder": str(copy), "change": KINDS[kind], "scratch": str(scratch)}
        died = nursery.wait(nursery.start("die_at", **arguments, number=number))
        found = observe(copy)
        assert found in (old, new), f"death before call {number}"
        assert found == new or not turned, f"death before call {number} undid what an earlier one had kept"
        turned = found == new
        shutil.rmtree(copy)
        if died == 0:
            break
    assert turned and number > 10


@pytest.mark.parametrize(
    "kind",
    ["a label replaced", "an image with another extension", "a label removed", "a label made for another version"],
)
def test_a_death_while_it_records_what_a_living_writer_did(
    folder: Path, memory: Path, scratch: Path, nursery: Any, observe: Any, step_by_step: Any, kind: str
) -> None:
    """Somebody who dies on finishing another's change takes no version from it: the other goes on and records all."""
    following = bringing("save_label", "b", ".nii", "following", tag="following")
    after = step_by_step(state_after(KINDS[kind]), following)
    first = 1 + list(KINDS).index(kind) % STRIDE
    for number in range(first, 300, STRIDE):
        copy = memory / f"copy-{number}"
        shutil.copytree(folder, copy, symlinks=True)
        with LocalDatastore(str(copy)) as store:
            apply(store, KINDS[kind], scratch)
            died = nursery.wait(nursery.start("die_recording", folder=str(copy), number=number))
            apply(store, following, scratch)
            versions = store.image_versions("a") + store.label_versions("a", "final")
        assert all(version["kept"] for version in versions), f"death before call {number} cost a version"
        assert observe(copy) == after
        assert [f.what for f in check(copy, low_space=0) if f.stands] == [], f"after a death before call {number}"
        shutil.rmtree(copy)
        if died == 0:
            break
    assert died == 0 and number > 10


@every_kind
def test_a_reader_finishes_nothing_and_sees_everything(
    folder: Path, scratch: Path, nursery: Any, look: Any, observe: Any, expected: Any, kind: str
) -> None:
    """Whoever opens read-only after a death on entering `publish` reads the new state from where it waits."""
    died = nursery.wait(
        nursery.start("die", folder=str(folder), change=KINDS[kind], step="publish", scratch=str(scratch))
    )
    state = expected(kind, "publish", died == 9)
    with LocalDatastore(str(folder), read_only=True) as reader:
        assert look(reader) == state
    assert observe(folder) == state


@every_kind
def test_the_next_change_finishes_what_a_dead_writer_left(
    folder: Path, scratch: Path, nursery: Any, observe: Any, expected: Any, step_by_step: Any, kind: str
) -> None:
    """A holder that was already open makes its next change on top of what the dead writer had committed."""
    following = bringing("save_label", "b", ".nii", "following", tag="following")
    source = scratch / "following.nii"
    source.write_text("following")
    with LocalDatastore(str(folder)) as witness:
        died = nursery.wait(
            nursery.start("die", folder=str(folder), change=KINDS[kind], step="publish", scratch=str(scratch))
        )
        witness.save_label("b", str(source), "following", following["info"])
    assert observe(folder) == step_by_step(expected(kind, "publish", died == 9), following)


@pytest.mark.parametrize("kind", [*NEW, *REMOVED])
@pytest.mark.parametrize("step", ["commit", "publish"])
def test_a_change_under_way_is_seen_as_a_whole(
    folder: Path, scratch: Path, nursery: Any, look: Any, observe: Any, expected: Any, kind: str, step: str
) -> None:
    """While a living writer is held up, others read the old state before the commit and the new one after it."""
    with LocalDatastore(str(folder)) as witness:
        pid = nursery.start("pause", folder=str(folder), change=KINDS[kind], step=step, scratch=str(scratch))
        while not (scratch / "ready").exists():
            assert nursery.status(pid) is None, "the writer never entered the step"
            threading.Event().wait(0.002)
        with LocalDatastore(str(folder), read_only=True) as newcomer:
            seen = look(witness), look(newcomer)
        (scratch / "go").touch()
        assert nursery.wait(pid) == 0
        assert seen[0] == expected(kind, step, True)
        assert seen[1] == expected(kind, step, True)
        assert look(witness) == expected(kind, "done", True)
        witness.refresh()
    assert observe(folder) == expected(kind, "done", True)


@pytest.mark.parametrize("step", ["commit", "publish"])
def test_one_writer_at_a_time(
    folder: Path, scratch: Path, nursery: Any, observe: Any, expected: Any, step_by_step: Any, step: str
) -> None:
    """While a living writer commits or publishes, another's change waits, and then stands on top of the first."""
    first, second = "an image replaced", bringing("add_image", "a", ".nii", "the second writer's")
    pid = nursery.start("pause", folder=str(folder), change=KINDS[first], step=step, scratch=str(scratch))
    while not (scratch / "ready").exists():
        assert nursery.status(pid) is None, "the writer never entered the step"
        threading.Event().wait(0.002)
    other = nursery.start("die", folder=str(folder), change=second, step="never", scratch=str(scratch))
    for _ in range(100):
        assert nursery.status(other) is None, "two writers at once"
        threading.Event().wait(0.005)
    (scratch / "go").touch()
    assert (nursery.wait(pid), nursery.wait(other)) == (0, 0)
    assert observe(folder) == step_by_step(expected(first, "done", True), second)


def test_an_older_document_never_wins(
    folder: Path, scratch: Path, nursery: Any, observe: Any, expected: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A document that a refresh read before another process wrote a newer one takes no info back to what it was."""
    kind, document = "an image's info", folder / "datastore_v2.json"
    at_commit, go_on = threading.Event(), threading.Event()

    def hold(step: str) -> None:
        if step == "commit":
            at_commit.set()
            go_on.wait(10)

    with LocalDatastore(str(folder)) as witness:
        pid = nursery.start("pause", folder=str(folder), change=KINDS[kind], step="commit", scratch=str(scratch))
        while not (scratch / "ready").exists():
            assert nursery.status(pid) is None, "the writer never entered the step"
            threading.Event().wait(0.002)
        (folder / ".same").write_bytes(document.read_bytes())
        (folder / ".same").rename(document)  # looks edited, and is not
        monkeypatch.setattr(change_protocol, "on_step", hold)
        refreshing = threading.Thread(target=witness.refresh)
        refreshing.start()
        at_commit.wait(0.5)  # it has read the document, and waits for the writer
        (scratch / "go").touch()
        for _ in range(2000):
            if b"updated" in document.read_bytes() or nursery.status(pid) is not None:
                break
            threading.Event().wait(0.002)
        go_on.set()
        refreshing.join(30)
        assert nursery.wait(pid) == 0
    assert observe(folder) == expected(kind, "done", True)


@pytest.mark.parametrize("kind", ["an image replaced", "a label replaced"])
def test_paths_are_the_visible_ones(folder: Path, scratch: Path, nursery: Any, kind: str) -> None:
    """While a replacement is under way its path is the one that people see, which never is without a file."""
    with LocalDatastore(str(folder)) as witness:
        before = witness.get_image_uri("a"), witness.get_label_uri("a", "final"), witness.datalist()
        pid = nursery.start("pause", folder=str(folder), change=KINDS[kind], step="publish", scratch=str(scratch))
        while not (scratch / "ready").exists():
            assert nursery.status(pid) is None, "the writer never entered the step"
            threading.Event().wait(0.002)
        during = witness.get_image_uri("a"), witness.get_label_uri("a", "final"), witness.datalist()
        (scratch / "go").touch()
        assert nursery.wait(pid) == 0
    assert during == before


@pytest.mark.parametrize("step", ["stage", "commit", "publish"])
def test_a_dead_writer_leaves_no_rubbish(folder: Path, scratch: Path, nursery: Any, step: str) -> None:
    """What dead writers had staged and not committed is gone after the next opening and change."""
    change = {**KINDS["a new image"], "times": 200_000}
    for _ in range(5):
        nursery.wait(nursery.start("die", folder=str(folder), change=change, step=step, scratch=str(scratch)))
    with LocalDatastore(str(folder)) as store:
        store.update_image_info("b", {"k": 1})
        kept = store.get_image("c") is not None
    inodes = {p.stat().st_ino: p.stat().st_size for p in folder.rglob("*") if p.is_file()}
    whole = len(change["mark"]) * change["times"]
    large = [size for size in inodes.values() if size >= whole]
    assert bool(large) is (step == "publish"), f"large files that nobody needs: {len(large)}"
    assert kept is (step == "publish") and os.path.exists(folder / "c.nii.gz") is kept
