"""A forked child and its parent are two processes: neither takes the other's changes, locks or files away."""

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from monailabel.datastore.local import LocalDatastore

Source = Callable[..., str]


def in_child(work: Callable[[], None]) -> None:
    """Run something in a forked child and wait for its success."""
    pid = os.fork()
    if pid == 0:
        try:
            work()
            os._exit(0)
        except BaseException:
            os._exit(1)
    assert os.waitpid(pid, 0)[1] == 0


def test_a_childs_changes_outlive_its_parents_closing(folder: Path, source: Source) -> None:
    """What a child saves after its parent closed its own object is there for everybody afterwards."""
    file = source("a.nii.gz")
    store = LocalDatastore(str(folder))
    store.add_image("first", file, {})
    ready, closed = os.pipe(), os.pipe()
    pid = os.fork()
    if pid == 0:
        store.add_image("before", file, {"n": 1})
        os.write(ready[1], b"x")
        os.read(closed[0], 1)
        for n in range(5):
            store.update_image_info("first", {"n": n})
        store.add_image("after", file, {"n": 2})
        os._exit(0)
    os.read(ready[0], 1)
    store.close()
    os.write(closed[1], b"x")
    assert os.waitpid(pid, 0)[1] == 0
    with LocalDatastore(str(folder)) as later:
        assert later.list_images() == ["first", "before", "after"]
        assert later.get_image_info("first")["n"] == 4 and later.get_image_info("after")["n"] == 2
        assert [e["action"] for e in later.events()].count("updated") == 5


def test_a_parent_goes_on_while_its_children_read(folder: Path, source: Source) -> None:
    """Training workers read while the parent writes; both see what is there at their next call."""
    with LocalDatastore(str(folder)) as store:
        for n in range(5):
            store.add_image(f"i{n}", source("a.nii.gz", b"%d" % n), {})

            def work(n: int = n) -> None:
                image = store.get_image(f"i{n}")
                assert image is not None and image.read() == b"%d" % n
                assert len(store.list_images()) == n + 1

            in_child(work)
        assert len(store.list_images()) == 5


def test_a_read_only_child_leaves_its_parents_copy(folder: Path, source: Source) -> None:
    """A child that closes a read-only datastore does not take the parent's private copy away."""
    with LocalDatastore(str(folder)) as store:
        store.add_image("a", source("a.nii.gz"), {})
    with LocalDatastore(str(folder), read_only=True) as reader:

        def work() -> None:
            assert reader.list_images() == ["a"]
            reader.close()

        in_child(work)
        assert reader.list_images() == ["a"] and reader.get_image("a") is not None


def test_a_closed_datastore_holds_up_no_fork(folder: Path, source: Source, caplog: pytest.LogCaptureFixture) -> None:
    """A fork waits for those who read or write, and a datastore that was closed does neither."""
    store = LocalDatastore(str(folder))
    store.add_image("a", source("a.nii.gz"), {})
    store.find_images()
    store.close()
    in_child(lambda: None)
    assert caplog.messages == []
