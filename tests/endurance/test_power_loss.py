"""The power goes, and with it all that was not synced: no change is there by half, and no acknowledged one is lost."""

import copy
import hashlib
import json
import os
import pickle
import random
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

import pytest

from tests.endurance.forgetful import Begun, Disk, Entry, Noted, Remains
from tests.endurance.judging import Change, State, make
from tests.endurance.kinds import was
from tests.endurance.workers import bringing

ROUNDS = int(os.environ.get("ROUNDS", "100"))
SHARES = (0.1, 0.5, 0.9)  # of what was not synced, that arrived nevertheless
Deaf = Callable[[str], bool]
Case = tuple[str, Remains, tuple[State, ...], tuple[str, ...]]  # its name, what is left, what it may hold, and must not
NOTHING: State = {("", ""): "New Dataset"}
SETTLE, OPEN = {"kind": "settle"}, {"kind": "open"}


IMAGE_A = bringing("add_image", "a", ".nii.gz", "<image a>", 300)
LABEL_A = bringing("save_label", "a", ".nii.gz", "<label a>", 300, tag="final")
LABEL_B = bringing("save_label", "b", ".nrrd", "<label b>", 100, tag="version_1")
IMAGE_C = bringing("add_image", "c", ".nii.gz", "<image c>")
LIFE: list[Change] = [
    IMAGE_A,
    bringing("add_image", "b", ".nii.gz", "<image b>"),
    LABEL_A,
    bringing("save_label", "a", ".nii.gz", "<another label a>", 200, tag="final"),
    {"kind": "update_label_info", "image": "a", "tag": "final", "info": {"approved": True}},
    SETTLE,
    bringing("save_label", "b", ".nii.gz", "<label b>", 200, tag="version_1"),
    SETTLE,
    LABEL_B,
    bringing("conflict", "b", ".nii.gz", "<made for another label b>", 100, tag="version_1"),
    bringing("add_image", "a", ".nii", "<another image a>", 200),
    OPEN,
    {"kind": "restore_label", "image": "a", "tag": "final", "version": 1, "was": {"final": was(LABEL_A)}},
    {"kind": "update_image_info", "image": "b", "info": {"more": [1]}},
    IMAGE_C,
    {"kind": "remove_label", "image": "a", "tag": "final"},
    {"kind": "remove_image", "image": "b"},
    {"kind": "set_description", "text": "as it is to be"},
    OPEN,
    bringing("add_image", "b", ".nii.gz", "<yet another image b>"),
    {"kind": "remove_image", "image": "c"},
    SETTLE,
    bringing("add_image", "b", ".nii", "<the last image b>"),
    {"kind": "restore_image", "image": "c", "was": {"": was(IMAGE_C)}},
    {"kind": "prune", "image": "b", "tag": ""},
    bringing("save_label", "c", ".nii.gz", "<label c>", tag="final"),
    bringing("save_label", "c", ".nii.gz", "<another label c>", tag="final"),
    {"kind": "purge", "image": "c", "erased": ["<image c>", "label c>"]},
    {"kind": "add_images", "of": [bringing("add_image", f"d{n}", ".nii", f"<image d{n}>", 90) for n in range(4)]},
    {"kind": "update_image_info", "image": "b", "info": {"more": [2]}},
]


@pytest.fixture(scope="session")
def life(one_nursery: Any, tmp_path_factory: pytest.TempPathFactory) -> list[Entry]:
    """Give the record of a datastore's life: made, changed in every way, closed and opened."""
    return recorded(one_nursery, tmp_path_factory.mktemp("life"), LIFE)


@pytest.fixture(scope="session")
def lost(life: list[Entry]) -> list[Case]:
    """Give what a power loss may leave of that life, with one throw of the dice for each moment."""
    return list(losses(life, 0))


def recorded(nursery: Any, path: Path, changes: list[Change]) -> list[Entry]:
    """Have a process make changes in a new datastore and give the record."""
    for name in ("home", "scratch"):
        (path / name).mkdir()
    return record_of(nursery, path, "power.live", scratch=str(path / "scratch"), changes=changes)


def record_of(nursery: Any, path: Path, task: str, **more: Any) -> list[Entry]:
    """Have a process do something that is recorded, and give the record."""
    pid = nursery.start(task, home=str(path / "home"), log=str(path / "log"), **more)
    assert nursery.wait(pid) == 0
    log: list[Entry] = pickle.loads((path / "log").read_bytes())
    return log


def losses(
    log: list[Entry],
    seed: int,
    deaf: Deaf = lambda _: False,
    *,
    some: bool = True,
    accepted: tuple[State, ...] = (NOTHING,),
    erased: tuple[str, ...] = (),
) -> Iterator[Case]:
    """Give what may be left at every moment of a record, each possible remainder once, and what it may hold.

    Of what was not synced nothing is left and, with `some`, also all of it, and some.
    """
    chance, disk, seen, begun = random.Random(seed), Disk(deaf), set[int](), False
    for number, entry in enumerate(log):
        disk.take(entry)
        begun |= isinstance(entry, Begun)
        if isinstance(entry, Noted):
            accepted, seen = following(accepted, entry.what), set()
            erased = (*erased, *entry.what.get("done", {}).get("erased", ()))
        for share in (0.0, 1.0, chance.choice(SHARES)) if some else (0.0,):
            remains = disk.left(chance, share) if begun else {}
            key = hash(frozenset((path, inode, data) for path, (inode, _, data) in remains.items()))
            if begun and key not in seen:
                seen.add(key)
                yield f"at {number} with {share}", remains, accepted, erased


def following(accepted: tuple[State, ...], note: dict[str, Any]) -> tuple[State, ...]:
    """Give the states that may be found after something was begun or acknowledged."""
    if "do" not in note:
        return accepted[-1:]
    changed = copy.deepcopy(accepted[-1])
    make(changed, note["do"])
    return accepted[-1], changed


def test_a_power_loss_leaves_all_or_nothing(life: list[Entry], lost: list[Case], nursery: Any, tmp_path: Path) -> None:
    """Whenever the power goes: it opens, `check` is clean, and what was acknowledged is there, every version of it."""
    cases = lost + [case for seed in range(1, ROUNDS // 100) for case in losses(life, seed)]
    if ROUNDS <= 100:
        cases = random.Random(ROUNDS).sample(cases, 300)
    wrong = verdicts(nursery, tmp_path, cases)
    print(f"{len(cases)} folders that {len(life)} writes, syncs and renames may leave, {len(wrong)} of them wrong")
    assert not wrong, "\n".join(wrong[:5])


def test_the_power_goes_again_while_it_comes_up(lost: list[Case], nursery: Any, tmp_path: Path) -> None:
    """What a power loss left is finished step by step: another one in between loses no more."""
    chance = random.Random(1)
    cases: list[Case] = []
    for number, (_, remains, *expected) in enumerate(chance.sample(lost, ROUNDS // 20)):
        path = tmp_path / f"{number}"
        path.mkdir()
        (path / "remains").write_bytes(pickle.dumps(remains))
        log = record_of(nursery, path, "power.come_up", remains=str(path / "remains"))
        left = list(losses(log, number, accepted=expected[0], erased=expected[1]))
        cases += chance.sample(left, min(len(left), max(36, ROUNDS // 2)))
    assert len(cases) > ROUNDS
    assert not (wrong := verdicts(nursery, tmp_path, cases)), "\n".join(wrong[:5])


def test_a_file_added_where_it_lies_stays(nursery: Any, tmp_path: Path) -> None:
    """What another program wrote into the folder without a sync is durable once it was added where it lies."""
    text = "<written in place>" * 100
    entry = {"ext": ".nii", "sha256": hashlib.sha256(text.encode()).hexdigest(), "info": {"mark": "in place"}}
    change = {"kind": "register", "image": "p", "name": ".nii", "text": text, "info": entry["info"], "was": entry}
    log = recorded(nursery, tmp_path, [change])
    added = next(n for n, e in enumerate(log) if isinstance(e, Noted) and "done" in e.what)
    cases = [case for case in losses(log, 1) if int(case[0].split()[1]) >= added]
    assert cases and not (wrong := verdicts(nursery, tmp_path, cases)), "\n".join(wrong[:5])


UNSYNCED: dict[str, Deaf] = {
    "a staged file's bytes": lambda path: fnmatch(path, "*/staging/*"),
    "the staging's names": lambda path: path.endswith("/staging"),
    "the images' names": lambda path: path == "studies",
    "a tag's names": lambda path: fnmatch(path, "*/labels/*"),
    "the history's names": lambda path: fnmatch(path, "*/history/*"),
    "new folders of the history": lambda path: path.endswith("/history"),
    "new folders of ours": lambda path: path.endswith("/.monailabel"),
    "new folders of tags": lambda path: path.endswith("/labels"),
    "the write-ahead log": lambda path: path.endswith("-wal"),
    "the disk before many": lambda path: path == "disk",
    "the catalog": lambda path: path.endswith(".db"),
    "anything": lambda path: True,
}


@pytest.mark.parametrize("what", UNSYNCED)
def test_what_is_not_synced_is_missed(life: list[Entry], nursery: Any, tmp_path: Path, what: str) -> None:
    """The tests above would notice: with any of our syncs taken out, something acknowledged is lost."""
    cases = list(losses(life, 1, UNSYNCED[what], some=False))
    assert verdicts(nursery, tmp_path, cases, first=True)


def verdicts(nursery: Any, path: Path, cases: list[Case], *, first: bool = False) -> list[str]:
    """Have two processes judge what is left; give what they find wrong, or only the `first` of it."""
    running = []
    for half in range(2):
        files = {name: str(path / f"{name}-{half}") for name in ("cases", "verdicts")}
        Path(files["cases"]).write_bytes(pickle.dumps(cases[half::2]))
        running.append((nursery.start("power.judge", **files, first=first), Path(files["verdicts"])))
    assert [nursery.wait(pid, within=600) for pid, _ in running] == [0, 0]
    return [wrong for _, file in running for wrong in json.loads(file.read_text())]
