"""What the processes of the power-loss tests do: live on a recorded disk, and judge what is left of it."""

import json
import logging
import pickle
import shutil
import tempfile
import threading
import traceback
from pathlib import Path

import apsw

from monailabel.catalog import log as log_file
from monailabel.catalog.connections import Connections
from monailabel.datastore import history, note
from monailabel.datastore.check import check
from monailabel.datastore.local import LocalDatastore
from tests.endurance.forgetful import Recorder, Remains, rebuild, same_inodes
from tests.endurance.judging import MEMORY, Change, State, observed
from tests.endurance.workers import apply

PAGES = 12  # of the write-ahead log, until SQLite moves them into the database: early, so that it happens often
CACHE = 24  # pages, so few that the log is filled ahead by little


def live(home: str, log: str, scratch: str, changes: list[Change]) -> None:
    """Make changes in `home`/studies, recorded; "settle" waits until no mark stands, "open" closes and opens again."""
    _hasten()
    recorder = Recorder(home)
    store = LocalDatastore(f"{home}/studies")
    for change in changes:
        if change["kind"] == "settle":
            while store._store.catalog.marks():
                threading.Event().wait(0.002)
        elif change["kind"] == "open":
            store.close()
            store = LocalDatastore(f"{home}/studies")
        else:
            recorder.note({"do": change})
            apply(store, change, Path(scratch))
            recorder.note({"done": change})
    store.close()
    Path(log).write_bytes(pickle.dumps(recorder.log))


def _hasten() -> None:
    """Have the log emptied, and filled ahead, after a few changes."""
    connect = Connections._connect
    log_file._AHEAD, log_file._UNWRITTEN = 1 << 16, 0  # every write of it is one that may be lost or not

    def connected(connections: Connections) -> apsw.Connection:
        connection = connect(connections)
        connection.wal_autocheckpoint(PAGES)
        connection.pragma("cache_size", CACHE)
        return connection

    Connections._connect = connected  # type: ignore[method-assign]


def come_up(home: str, log: str, remains: str) -> None:
    """Open and close what a power loss left, recorded."""
    log_file._PLENTY = 1 << 60  # no disk has so much: the log is left as it is
    note._boot = lambda: "the machine was started again"  # type: ignore[assignment]
    with same_inodes(rebuild(pickle.loads(Path(remains).read_bytes()), home)):
        recorder = Recorder(home)
        LocalDatastore(f"{home}/studies").close()
        Path(log).write_bytes(pickle.dumps(recorder.log))


def judge(cases: str, verdicts: str, first: bool) -> None:
    """Bring up each folder that a power loss left, and tell what is wrong with it, or only with the `first`."""
    logging.disable()
    note._boot = lambda: "the machine was started once more"  # type: ignore[assignment]
    found, scratch = [], tempfile.mkdtemp(dir=MEMORY)
    for number, (name, *left) in enumerate(pickle.loads(Path(cases).read_bytes())):
        try:
            wrong = judged(Path(scratch) / f"{number}", *left)
        except BaseException:
            wrong = traceback.format_exc(limit=-4)
        if wrong:
            found.append(f"{name}: {wrong}")
        if found and first:
            break
    shutil.rmtree(scratch)
    Path(verdicts).write_text(json.dumps(found))


def judged(home: Path, remains: Remains, accepted: list[State], erased: list[str]) -> str:
    """Open what is left in `home`/studies and tell what is wrong; the state must be one of those accepted."""
    folder = home / "studies"
    with same_inodes(rebuild(remains, str(home))):
        strange: list[str] = []
        state = observed(folder, also=lambda store: strange.extend(foreign(store)))
        strange += [finding.what for finding in check(folder, low_space=0) if finding.stands]
    for file in (path for path in folder.rglob("*") if path.is_file()):
        data = file.read_bytes()
        strange += [f"{text} in {file.name}" for text in erased if text.encode() in data]
    shutil.rmtree(home)
    return "; ".join(strange) if state in accepted else f"found {state}, accepted {accepted}"


def foreign(store: LocalDatastore) -> list[str]:
    """Give the events of other programs, after reading every version that was not pruned or purged."""
    events = store.events()
    assert [event["seq"] for event in events] == list(range(1, len(events) + 1))
    pruned = {(e["image"], e["tag"], e["version"]) for e in events if e["action"] == "pruned"}
    purged = {""} | {e["image"] for e in events if e["action"] == "purged"}
    for image, tag in {(e["image"], e["tag"]) for e in events if e["image"] not in purged}:
        versions = store.label_versions(image, tag) if tag else store.image_versions(image)
        for number in [v["version"] for v in versions if (image, tag, v["version"]) not in pruned]:
            history.path_of(store._store.settled(), store._store.changes, image, tag, number)
    return [f"{e['action']} {e['image']}" for e in events if e["actor"] == "unknown"]
