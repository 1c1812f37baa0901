"""kill -9 at any moment of a loop of changes: it always opens, and what was acknowledged is there."""

import json
import mmap
import os
import random
import threading
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROUNDS = int(os.environ.get("ROUNDS", "100"))
ROUNDS_IN_A_FOLDER = 10
STEPS = ("before the first", "stage", "commit", "publish", "done")
AIMS = ("stage", "commit", "publish")
State = dict[tuple[str, str], Any]


def test_a_kill_at_any_moment_loses_nothing(
    tmp_path: Path, scratch: Path, nursery: Any, observe: Any, replay: Any, step_by_step: Any
) -> None:
    """Writers killed at random: all that was acknowledged is there, the rest is there wholly or not at all."""
    chance, tally, acknowledged = random.Random(20240229), Counter[str](), 0
    (tmp_path / "step").write_bytes(bytes(2))
    with open(tmp_path / "step", "r+b") as file:
        moment = mmap.mmap(file.fileno(), 2)  # the step that the writer is in, and the one to wait in
    number = 0
    while number < ROUNDS:
        folder, journal = (tmp_path / f"{kind}-{number // ROUNDS_IN_A_FOLDER}" for kind in ("studies", "journal"))
        moment[:] = bytes(2)
        arguments = {"folder": str(folder), "journal": str(journal), "steps": str(tmp_path / "step")}
        pid = nursery.start("endless", **arguments, scratch=str(scratch), seed=number)
        begun = journal.stat().st_size if journal.exists() else 0
        if number % 4:  # the others may be killed while they open
            some = begun + chance.randrange(4_000)
            wait_for(lambda: journal.exists() and journal.stat().st_size > some)  # noqa: B023 - called at once
        threading.Event().wait(chance.uniform(0, 0.02 if number % 4 else 0.12))
        if number % 4 == 3:  # the steps are short: some kills are aimed at one
            moment[1] = STEPS.index(AIMS[number // 4 % len(AIMS)])
            wait_for(lambda: moment[0] == moment[1])
        assert nursery.kill(pid) == -9, "the writer ended by itself"
        tally[STEPS[moment[0]]] += 1
        judge(folder, journal, STEPS[moment[0]], observe, replay, step_by_step)
        number += 1
    for journal in tmp_path.glob("journal-*"):
        acknowledged += sum("done" in json.loads(line) for line in journal.read_text().splitlines())
    print(f"{number} kills by step: {dict(tally)}; {acknowledged} changes were acknowledged, 0 lost, 0 by half")
    assert acknowledged > 2 * ROUNDS
    assert all(tally[step] >= ROUNDS // 4 // len(AIMS) for step in AIMS), tally


def wait_for(condition: Callable[[], bool]) -> None:
    """Wait until a condition holds, asking again after a moment."""
    deadline = time.monotonic() + 30
    while not condition():
        assert time.monotonic() < deadline, "the writer never came so far"
        threading.Event().wait(0.001)


def judge(folder: Path, journal: Path, step: str, observe: Any, replay: Any, step_by_step: Any) -> None:
    """Open the folder after a kill and compare it with the journal; note there what became of the last change."""
    if not journal.exists():
        return
    state, left_open = replay(journal, {("", ""): "New Dataset"})
    found: State = observe(folder)
    if left_open is None:
        assert found == state, difference(found, state)
        return
    wholly = step_by_step(state, left_open)
    assert found in (state, wholly), f"{left_open} in {step}: {difference(found, state)}"
    assert step != "publish" or found == wholly, f"{left_open} was committed and is not there"
    assert step != "stage" or found == state, f"{left_open} was not committed and is there"
    with open(journal, "a") as log:
        log.write(json.dumps({"done": True} if found == wholly else {"refused": "killed"}) + "\n")


def difference(found: State, expected: State) -> str:
    """Tell in which entries two states differ."""
    keys = [k for k in found.keys() | expected.keys() if found.get(k) != expected.get(k)]
    return "; ".join(f"{k}: found {found.get(k)}, expected {expected.get(k)}" for k in keys)
