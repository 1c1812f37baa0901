"""Several holders of one folder: objects, threads, processes, forks and pickles; a folder moved or copied."""

# mypy: disable-error-code="union-attr"
# Where an image or label is missing, None has no read(), and that is how the test fails.

import json
import os
import pickle
import shutil
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import apsw
import pytest

from monailabel.datastore.local import LocalDatastore
from monailabel.interfaces.exception import ReadOnlyException

Open = Callable[..., LocalDatastore]
Source = Callable[..., str]
Child = Callable[..., Any]
Tree = Callable[..., dict[str, tuple[object, ...]]]


def test_two_objects_see_each_other(store: LocalDatastore, open_store: Open, source: Source) -> None:
    """What one object changed the other tells at its next call, in every list and count."""
    other = open_store()
    assert other.json() == store.json()
    store.add_image("c", source("c.nii.gz", b"c"), {"k": 1})
    assert other.list_images() == ["a", "b", "c"] and other.get_image_info("c")["k"] == 1
    other.save_label("c", source("l.nii.gz", b"l"), "final", {})
    assert store.get_labeled_images() == ["a", "c"] and store.get_label("c", "final").read() == b"l"
    assert store.status() == other.status() == {"total": 3, "completed": 2, "label_tags": {"final": 2, "original": 1}}
    store.remove_image("a")
    assert other.get_image_uri("a") == "" and [p["image"] for p in other.datalist()] == [other.get_image_uri("c")]
    other.set_name("other")
    assert store.name() == "other"
    assert store.json() == other.json() == json.loads(store.json_bytes())


def test_two_processes_see_each_other(store: LocalDatastore, folder: Path, source: Source, child: Child) -> None:
    """What another process changed is told at the next call, and the other way round."""
    told = child(
        """
store = LocalDatastore(sys.argv[1])
before = store.json()
store.save_label("b", sys.argv[2], "final", {"by": "child"})
store.update_image_info("a", {"by": "child"})
store.close()
print(json.dumps(before))
""",
        folder,
        source("l.nii.gz", b"from the child"),
    )
    assert told["objects"].keys() == {"a", "b"}
    assert store.get_label("b", "final").read() == b"from the child"
    assert store.get_label_info("b", "final")["by"] == "child" == store.get_image_info("a")["by"]


WRITER = """
store = LocalDatastore(sys.argv[1])
for n in range(40):
    store.save_label(f"{sys.argv[3]}_{n}", sys.argv[2], "final", {"by": sys.argv[3], "n": n})
print("null")
"""


def test_two_processes_writing_lose_nothing(
    open_store: Open, folder: Path, source: Source, child: Child, eventually: Callable[..., None]
) -> None:
    """Two processes and a thread that save 40 labels each, at once: every label is there, with its info."""
    for who in ("x", "y", "z"):
        for n in range(40):
            (folder / f"{who}_{n}.nii").touch()
    store = open_store()
    file = source("l.nii", b"l")
    with ThreadPoolExecutor() as pool:
        others = [pool.submit(child, WRITER, folder, file, who) for who in ("x", "y")]
        for n in range(40):
            store.save_label(f"z_{n}", file, "final", {"by": "z", "n": n})
        for other in others:
            other.result()
    assert store.status() == {"total": 120, "completed": 120, "label_tags": {"final": 120}}
    store.close()
    written = json.loads((folder / "datastore_v2.json").read_bytes())["objects"]
    for who in ("x", "y", "z"):
        for n in range(40):
            info = written[f"{who}_{n}"]["labels"]["final"]["info"]
            assert (info["by"], info["n"]) == (who, n)
            assert (folder / "labels" / "final" / f"{who}_{n}.nii").read_bytes() == b"l"


def test_threads_share_one_object(open_store: Open, source: Source) -> None:
    """Eight threads that write and read through one object meet no error, and lose nothing."""
    store = open_store()
    file = source("x.nii", b"x")

    def work(who: int) -> None:
        for n in range(12):
            name = f"{who}_{n}"
            store.add_image(name, file, {"who": who})
            store.save_label(name, file, f"tag{n % 3}", {})
            store.update_image_info("shared" if n else name, {f"{who}": n})
            assert name in store.list_images() and name in store.json()["objects"]
            assert store.get_image(name).read() == b"x"
            store.status(), store.datalist(), store.get_unlabeled_images("tag0")
            if n % 4 == 3:
                store.remove_image(name)

    store.add_image("shared", file, {})
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    expected = {"shared"} | {f"{who}_{n}" for who in range(8) for n in range(12) if n % 4 != 3}
    assert set(store.list_images()) == expected
    shared = store.get_image_info("shared")
    assert [shared[str(who)] for who in range(8)] == [11] * 8
    assert store.status()["label_tags"] == {
        f"tag{t}": 8 * sum(n % 3 == t and n % 4 != 3 for n in range(12)) for t in range(3)
    }


def test_a_fork_uses_the_same_object(store: LocalDatastore, folder: Path, source: Source, child: Child) -> None:
    """Forked workers read and change through the object that they inherited, as does their parent meanwhile."""
    store.close()
    told = child(
        """
store = LocalDatastore(sys.argv[1], auto_reload=True)
store.update_image_info("a", {"parent": "before"})
workers = []
for n in range(3):
    pid = os.fork()
    if not pid:
        status = 1
        try:
            assert store.get_image("a").read() == b"image a"
            assert store.get_image_info("a")["parent"] == "before"
            for k in range(5):
                store.add_image(f"w{n}_{k}", sys.argv[2], {"worker": n})
            store.save_label(f"w{n}_0", sys.argv[2], "final", {})
            assert store.get_label(f"w{n}_0", "final").read() == b"bytes"
            status = 0
        finally:
            os._exit(status)
    workers.append(pid)
for k in range(5):
    store.add_image(f"p_{k}", sys.argv[2], {})
ends = [os.waitpid(pid, 0)[1] for pid in workers]
images = store.list_images()
store.refresh()
print(json.dumps([ends, images, store.list_images() == images, store.status()["completed"]]))
store.close()
""",
        folder,
        source("x.nii", b"bytes"),
    )
    expected = {"a", "b"} | {f"w{n}_{k}" for n in range(3) for k in range(5)} | {f"p_{k}" for k in range(5)}
    assert told[0] == [0, 0, 0]
    assert set(told[1]) == expected
    assert told[2] is True and told[3] == 4


def test_a_fork_does_not_end_its_parents_watching(folder: Path, child: Child) -> None:
    """A forked worker that ends leaves its parent's watching and background work as they were."""
    told = child(
        """
import threading, time
store = LocalDatastore(sys.argv[1], auto_reload=True)
pid = os.fork()
if not pid:
    store.list_images()
    store.close()
    os._exit(0)
os.waitpid(pid, 0)
open(sys.argv[1] + "/late.nii.gz", "wb").close()
deadline = time.monotonic() + 15
while "late" not in store.list_images() and time.monotonic() < deadline:
    threading.Event().wait(0.01)
print(json.dumps(store.list_images()))
store.close()
""",
        folder,
    )
    assert told == ["late"]


def test_a_pickle_opens_the_same_folder(store: LocalDatastore, folder: Path, child: Child, tmp_path: Path) -> None:
    """A pickled datastore opens by its address, in this process and in another, with the same options."""
    with LocalDatastore(str(folder), extensions=("*.png",), read_only=True) as reader:
        again = pickle.loads(pickle.dumps(reader))
        assert again.json() == store.json() and again.read_only and again.extensions.patterns == ("*.png",)
        again.close()
    (tmp_path / "pickled").write_bytes(pickle.dumps(store))
    told = child(
        """
import pickle
store = pickle.loads(open(sys.argv[1], "rb").read())
store.update_image_info("a", {"by": "pickle"})
print(json.dumps([store.list_images(), store.path]))
""",
        tmp_path / "pickled",
    )
    assert told == [["a", "b"], str(folder.resolve())]
    assert store.get_image_info("a")["by"] == "pickle"


@pytest.mark.parametrize(
    "end", ["", "sys.exit(0)", "raise SystemExit"], ids=["the last line", "sys.exit", "SystemExit"]
)
def test_an_exit_without_close(folder: Path, source: Source, open_store: Open, child: Child, end: str) -> None:
    """A program that ends without `close()` leaves everything that was acknowledged, the document current."""
    child(
        f"""
store = LocalDatastore(sys.argv[1])
for n in range(300):
    store.add_image(str(n), sys.argv[2], {{"n": n}})
{end}
""",
        folder,
        source("x.nii", b"x"),
    )
    written = json.loads((folder / "datastore_v2.json").read_bytes())["objects"]
    assert {k: v["image"]["info"]["n"] for k, v in written.items()} == {str(n): n for n in range(300)}
    assert open_store().get_image("299").read() == b"x"


@pytest.mark.parametrize("way", ["moved", "copied"])
def test_a_folder_can_be_moved_and_copied(
    store: LocalDatastore, folder: Path, tmp_path: Path, open_store: Open, source: Source, way: str
) -> None:
    """A folder opens at another place with everything; a copy's changes are not the original's."""
    store.update_label_info("a", "final", {"segmentationMeta": {"status": "approved"}})
    before = store.json()
    store.close()
    if way == "moved":
        folder.rename(tmp_path / "there")
    else:
        shutil.copytree(folder, tmp_path / "there", symlinks=True)
    there = open_store(tmp_path / "there")
    assert there.json() == before
    assert there.datalist()[0]["label"] == f"{tmp_path}/there/labels/final/a.nii.gz"
    assert there.get_label("a", "final").read() == b"label a"
    there.save_label("a", source("n.nii.gz", b"new"), "final", {"by": "there"})
    there.add_image("c", source("c.nii.gz", b"c"), {})
    there.refresh()
    assert there.list_images() == ["a", "b", "c"] and there.get_label("a", "final").read() == b"new"
    if way == "copied":
        original = open_store()
        assert original.json() == before and original.get_label("a", "final").read() == b"label a"


def test_a_reader_sees_a_writers_changes(store: LocalDatastore, open_store: Open, source: Source) -> None:
    """A datastore opened read-only beside a writer tells what the writer does, and can change nothing."""
    reader = open_store(read_only=True)
    assert reader.json() == store.json()
    store.add_image("c", source("c.nii.gz", b"c"), {})
    store.save_label("c", source("l.nii.gz", b"l"), "final", {})
    assert reader.list_images() == ["a", "b", "c"] and reader.get_label("c", "final").read() == b"l"
    with pytest.raises(ReadOnlyException):
        reader.remove_image("c")


def test_a_reader_beside_a_writer_of_the_schema_before(store: LocalDatastore, open_store: Open, folder: Path) -> None:
    """What an older version writes is told as well, and its catalog stays as it is: the reader's copy is brought up."""
    store.close()
    older = apsw.Connection(str(folder / ".monailabel" / "catalog.db"))
    older.execute("DROP INDEX version_link; PRAGMA user_version = 2").get
    reader = open_store(read_only=True)
    assert reader.get_image_uri("a") == f"{folder}/a.nii.gz"
    older.execute("""UPDATE item SET info = '{"k":7}' WHERE image_id = 'a' AND tag = ''""").get
    assert reader.get_image_info("a") == {"k": 7, "path": f"{folder}/a.nii.gz"} and len(reader.datalist()) == 1
    assert older.pragma("user_version") == 2
    older.close()


def test_readers_never_meet_a_moment_without_a_file(store: LocalDatastore, source: Source) -> None:
    """While an image and a label are replaced again and again, every read gives one whole version."""
    images = [source(f"i{n}.nii.gz", bytes([65 + n]) * 5000) for n in range(2)]
    stop, faults = threading.Event(), []

    def read() -> None:
        while not stop.is_set():
            for found in (store.get_image("b"), store.get_label("b", "final")):
                data = found.read() if found else b"nothing"
                if len(set(data)) != 1 or len(data) != 5000:
                    faults.append(data[:20])

    store.add_image("b", images[0], {})
    store.save_label("b", images[0], "final", {})
    reader = threading.Thread(target=read)
    reader.start()
    for n in range(60):
        store.add_image("b", images[n % 2], {})
        store.save_label("b", images[n % 2], "final", {})
    stop.set()
    reader.join()
    assert faults == []


AS_NOBODY = """
if os.getuid() == 0:
    os.setgroups([])
    os.setgid(65534)
    os.setuid(65534)
"""


@pytest.mark.parametrize("state", ["fresh", "known", "with a writer"])
def test_read_only_on_a_folder_that_cannot_be_written(
    public: Path, open_store: Open, child: Child, tree: Tree, state: str
) -> None:
    """Another user who may only read opens the folder read-only with everything in it; not a byte is written."""
    (public / "a.nii.gz").write_bytes(b"i")
    (public / "labels" / "final").mkdir(parents=True)
    (public / "labels" / "final" / "a.nii.gz").write_bytes(b"l")
    if state != "fresh":
        writer = open_store(public)
        writer.update_image_info("a", {"k": 1})
    if state == "known":
        writer.close()
    if state != "with a writer":
        for place in [p for p in (public, *public.rglob("*")) if p.is_dir()]:
            place.chmod(0o555)
    own = (".monailabel",) if state == "with a writer" else ()  # a living writer's background work is its own
    before = tree(public, own)
    told = child(
        AS_NOBODY
        + """
store = LocalDatastore(sys.argv[1], read_only=True)
store.refresh()
images, label = store.list_images(), store.get_label("a", "final").read().decode()
info = store.get_image_info("a").get("k")
try:
    store.update_image_info("a", {"k": 2})
    refused = False
except PermissionError:
    refused = True
store.close()
print(json.dumps([images, label, info, refused]))
""",
        public,
    )
    assert told == [["a"], "l", None if state == "fresh" else 1, True]
    assert tree(public, own) == before


def test_a_reader_sees_a_change_that_it_looked_in_on(
    store: LocalDatastore, open_store: Callable[..., LocalDatastore], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A read-only datastore that looks while a commit is under way sees it afterwards, though no file looks changed."""
    log = folder / ".monailabel" / "catalog.db-wal"
    for n in range(50):
        store.update_image_info("a", {"n": n})
    with store._store.catalog.reading() as connection:
        connection.execute("PRAGMA wal_checkpoint(RESTART)").get  # what comes next is written over what was there
    store._store._tend_log()  # which would else come in between, and make the log longer
    reader, size, last = open_store(read_only=True), log.stat().st_size, store.last_event()

    def look(step: str) -> None:
        monkeypatch.undo()  # the reader has steps of its own
        assert step == "commit"
        os.utime(log, (0, 0))
        assert reader.last_event() == last

    monkeypatch.setattr("monailabel.datastore.change.on_step", look)
    store.update_image_info("a", {"n": "seen"})
    os.utime(log, (0, 0))
    assert log.stat().st_size == size
    assert reader.get_image_info("a")["n"] == "seen"
