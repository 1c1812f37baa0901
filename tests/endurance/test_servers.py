"""Two servers and scripts on one folder, one server killed again and again: nobody loses anything or waits for ever."""

import json
import os
import random
import signal
import threading
import time
from pathlib import Path
from typing import Any

from tests.endurance.serving import Annotator, Serving, judge

KILLS = max(4, int(os.environ.get("ROUNDS", "100")) // 25)
SCRIPTS, CHANGES = 3, 25 * KILLS
WITHIN = 60.0 + 20 * KILLS  # seconds; a healthy run takes a fraction


def test_two_servers_and_scripts_on_one_folder(
    tmp_path: Path, scratch: Path, nursery: Any, observe: Any, replay: Any
) -> None:
    """What servers and scripts acknowledged is there at the end; no answer and no log speaks of a locked database."""
    folder, began = tmp_path / "studies", time.monotonic()
    (folder / "labels" / "final").mkdir(parents=True)
    servers = [Serving(folder, tmp_path / f"said-{n}") for n in range(2)]
    stop, stop_file = threading.Event(), tmp_path / "stop"
    annotators = [Annotator(f"annotator{n}", servers, stop, again=True) for n in range(8)]
    company = {"folder": str(folder), "stop": str(stop_file)}
    readers = [nursery.start(task, **company, faults=str(tmp_path / f"faults-{task}")) for task in ("read", "refresh")]
    journals = [tmp_path / f"journal-own{n}" for n in range(SCRIPTS)]
    scripts = [
        nursery.start(
            "write", folder=str(folder), journal=str(journal), scratch=str(scratch), who=f"own{n}", shared=False,
            total=CHANGES,
        )
        for n, journal in enumerate(journals)
    ]  # fmt: skip
    for annotator in annotators:
        annotator.start()
    chance = random.Random(5)
    for _ in range(KILLS):
        threading.Event().wait(chance.uniform(0.2, 0.8))
        servers[1].end(signal.SIGKILL)
        servers[1].start()
    assert [nursery.wait(pid, within=WITHIN) for pid in scripts] == [0] * SCRIPTS
    stop.set()
    stop_file.touch()
    for annotator in annotators:
        annotator.join(WITHIN)
        assert not annotator.is_alive(), f"{annotator.who} waits for ever"
    assert [nursery.wait(pid) for pid in readers] == [0, 0]
    assert [server.end(signal.SIGTERM) < 8 for server in servers] == [True, True]
    said = "".join(path.read_text() for path in tmp_path.glob("said-?"))
    faults = "".join(path.read_text() for path in tmp_path.glob("faults-*"))
    assert "locked" not in said + faults and not faults, said + faults
    found = observe(folder)
    judge(annotators, folder)
    for n, journal in enumerate(journals):
        expected, left_open = replay(journal)
        expected.pop(("", ""), None)
        assert left_open is None and '"refused"' not in journal.read_text()
        assert {key: entry for key, entry in found.items() if key[0].startswith(f"own{n}-")} == expected
    done = sum('"done"' in line for journal in journals for line in journal.read_text().splitlines())
    acknowledged, broken = sum(a.acknowledged for a in annotators), sum(a.broken for a in annotators)
    print(
        f"{acknowledged} changes over HTTP and {done} of scripts acknowledged, {KILLS} servers killed, "
        f"{broken} requests broken off, in {time.monotonic() - began:.0f} s"
    )
    assert broken and acknowledged > 10 * KILLS and done == SCRIPTS * CHANGES
    assert json.loads((folder / "datastore_v2.json").read_bytes())["objects"]
