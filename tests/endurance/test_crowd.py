"""Eight writers, readers, a refresher and a stranger in one folder, writers killed in between: nothing gets lost."""

import json
import random
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Any, NamedTuple

WRITERS = 8
CHANGES = 200
KILLS = 16
WITHIN = 120.0  # seconds; a healthy run takes a fraction
State = dict[tuple[str, str], Any]


class Attempt(NamedTuple):
    """One change of a contended name: when it first began, last began and was acknowledged (inf: never)."""

    key: tuple[str, str]
    change: dict[str, Any]
    first: float
    last: float
    end: float


def test_a_crowd_loses_nothing(tmp_path: Path, scratch: Path, nursery: Any, observe: Any, replay: Any) -> None:
    """Own images are as last acknowledged; of contended ones, one writer's whole and newest bytes with their info."""
    folder = tmp_path / "studies"
    (folder / "labels" / "final").mkdir(parents=True)
    stop = tmp_path / "stop"
    company = {
        f"{task}-{n}": nursery.start(
            task, folder=str(folder), stop=str(stop), faults=str(tmp_path / f"faults-{task}-{n}")
        )
        for task, n in (("read", 0), ("read", 1), ("refresh", 0), ("drop", 0))
    }
    kills = let_write(folder, tmp_path, scratch, nursery)
    stop.touch()
    ends = {name: nursery.wait(pid) for name, pid in company.items()}
    faults = {p.name: p.read_text() for p in tmp_path.glob("faults-*")}
    assert not faults, "\n".join(f"{name}: {text}" for name, text in faults.items())
    assert set(ends.values()) == {0}, ends
    state = observe(folder, foreign=("dropped-", "renamed-"))
    check_own(state, tmp_path, replay)
    check_contended(state, [attempt for who in names() for attempt in attempts(tmp_path / f"journal-{who}")])
    check_dropped(state, folder)
    print(f"{WRITERS * CHANGES} changes acknowledged, {kills} writers killed, {len(state)} files right at the end")
    assert kills >= KILLS // 2


def names() -> list[str]:
    """Give the writers' names: half of them contend."""
    return [f"{kind}{n}" for n in range(WRITERS // 2) for kind in ("shared", "own")]


def let_write(folder: Path, tmp_path: Path, scratch: Path, nursery: Any) -> int:
    """Run the writers to their end, killing one now and then and starting it again; give the number of kills."""

    def start(who: str) -> int:
        arguments = {"folder": str(folder), "journal": str(tmp_path / f"journal-{who}"), "scratch": str(scratch)}
        pid: int = nursery.start("write", **arguments, who=who, shared=who.startswith("shared"), total=CHANGES)
        return pid

    chance, kills, deadline = random.Random(7), 0, time.monotonic() + WITHIN
    running = {who: start(who) for who in names()}
    while running:
        assert time.monotonic() < deadline, f"still writing after {WITHIN} s: {sorted(running)}"
        threading.Event().wait(chance.uniform(0.05, 0.4))
        for who, pid in list(running.items()):
            status = nursery.status(pid)
            assert status in (None, 0), f"writer {who} ended with {status}"
            if status == 0:
                del running[who]
        if running and kills < KILLS:
            who = chance.choice(sorted(running))
            if nursery.kill(running[who]) == -9:
                kills += 1
                running[who] = start(who)
            else:
                del running[who]
    return kills


def check_own(state: State, tmp_path: Path, replay: Any) -> None:
    """Compare the images that only one process touched with what it was told last."""
    for who in (name for name in names() if name.startswith("own")):
        expected, left_open = replay(tmp_path / f"journal-{who}")
        expected.pop(("", ""), None)
        found = {key: entry for key, entry in state.items() if key[0].startswith(f"{who}-")}
        assert left_open is None and '"refused"' not in (tmp_path / f"journal-{who}").read_text()
        assert found == expected, [k for k in found.keys() | expected.keys() if found.get(k) != expected.get(k)]
        assert len(found) > CHANGES // 10


def attempts(journal: Path) -> Iterable[Attempt]:
    """Read a contending writer's journal; what was refused had no effect and is left out."""
    pending: Attempt | None = None
    for line in journal.read_text().splitlines():
        entry = json.loads(line)
        if "do" in entry:
            change = entry["do"]
            first = pending.first if pending and entry["again"] else entry["at"]
            pending = Attempt(
                (change.get("image", ""), change.get("tag", "")), change, first, entry["at"], float("inf")
            )
        elif pending:
            if "done" in entry:
                yield pending._replace(end=entry["at"])
            elif pending.first != pending.last:  # refused the second time: the killed first try may have had its effect
                yield pending
            pending = None
    assert pending is None, f"{journal.name} ends with a change that nobody took up again"


def check_contended(state: State, tries: list[Attempt]) -> None:
    """Check each contended name: whole bytes of one writer, with its info, that nobody overwrote afterwards."""
    keys = {(f"shared-{n}", tag) for n in range(6) for tag in ("", "final", "original", "version_1")}
    assert any(key in state for key in keys)
    for key in keys:
        touching = [t for t in tries if t.key == key or t.key == (key[0], "")]
        removals = [t for t in touching if t.change["kind"] in ("remove_label", "remove_image")]
        writes = [t for t in touching if t.key == key and t.change["kind"] in ("add_image", "save_label")]
        updates = [t for t in touching if t.key == key and t.change["kind"].startswith("update")]
        if key in state:
            check_present(key, state[key], writes, removals, updates)
        elif writes:
            assert any(not later(writes, than=r) for r in removals), (
                f"{key} is missing though written after each removal"
            )
    descriptions = [t for t in tries if t.change["kind"] == "set_description"]
    assert any(t.change["text"] == state["", ""] and not later(descriptions, than=t) for t in descriptions)


def check_present(
    key: tuple[str, str], entry: Any, writes: list[Attempt], removals: list[Attempt], updates: list[Attempt]
) -> None:
    """Check a contended file that is there."""
    info = entry["info"]
    assert entry["sha256"] == info["sha256"], f"{key} has another's bytes than its info says"
    mine = [w for w in writes if w.change["mark"] == info["mark"]]
    assert len(mine) == 1, f"{key} has bytes that nobody wrote: {info['mark']}"
    assert entry["ext"] == mine[0].change["name"] and entry["sha256"] == mine[0].change["info"]["sha256"]
    overwriting = later(writes, than=mine[0]) + later(removals, than=mine[0])
    assert not overwriting, f"{key} shows {info['mark']} though overwritten by {overwriting[0]}"
    for update in later(updates, than=mine[0]):
        for name, value in update.change["info"].items():
            assert info.get(name, -1) >= value, f"{key} lost {name}={value}"
    possible = {(name, value) for u in updates for name, value in u.change["info"].items()}
    assert {(name, value) for name, value in info.items() if name.startswith("updated by")} <= possible


def later(tries: list[Attempt], than: Attempt) -> list[Attempt]:
    """Give the acknowledged tries that certainly took effect after another: begun once that one was acknowledged."""
    return [t for t in tries if t.end < float("inf") and t.last > than.end and t is not than]


def check_dropped(state: State, folder: Path) -> None:
    """Compare what the stranger left in the folder with what is listed."""
    lying = {p.name.removesuffix(".nii"): p.read_text() for p in folder.glob("*.nii") if p.name[0] in "dr"}
    listed = {image for image, tag in state if not tag and image.startswith(("dropped-", "renamed-"))}
    assert listed == lying.keys() and len(listed) > 5
    assert all(text == name.removeprefix("renamed-") + ".nii" for name, text in lying.items())
    labels = {p.name.removesuffix(".nii") for p in (folder / "labels" / "final").glob("dropped-*.nii")}
    assert {image for image, tag in state if tag and image.startswith("dropped-")} == labels & listed
