"""What the processes of these tests do: change a datastore and keep a journal, die at a step, read, drop files."""

import hashlib
import itertools
import json
import mmap
import os
import random
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import monailabel.datastore.change as change_protocol
from monailabel.datastore.local import LocalDatastore
from monailabel.interfaces.exception import ImageNotFoundException, LabelNotFoundException, VersionConflictException

STEPS = ("", "stage", "commit", "publish", "done")
SHARED_TAGS = ("final", "original", "version_1")
Change = dict[str, Any]


class Journal:
    """What a writer was about to do and what was acknowledged, one line of JSON each, on disk before it goes on."""

    def __init__(self, path: str) -> None:
        self.lines = [json.loads(line) for line in Path(path).read_text().splitlines()] if os.path.exists(path) else []
        self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)

    def write(self, **entry: Any) -> None:
        """Add a line, with the time."""
        os.write(self._fd, json.dumps({**entry, "at": time.monotonic_ns()}).encode() + b"\n")
        os.fsync(self._fd)


def bringing(kind: str, image: str, name: str, mark: str, times: int = 1, **more: Any) -> Change:
    """Describe a change that brings bytes: `mark` again and again, with their checksum in the info."""
    sha256 = hashlib.sha256((mark * times).encode()).hexdigest()
    info = {"sha256": sha256, "mark": mark}
    return {"kind": kind, "image": image, "name": name, "mark": mark, "times": times, "info": info, **more}


def apply(store: LocalDatastore, change: Change, scratch: Path) -> None:
    """Make one change."""
    image, tag, info = change.get("image", ""), change.get("tag", ""), change.get("info", {})
    source = scratch / f"{os.getpid()}{change.get('name', '')}"
    if "mark" in change:
        source.write_text(change["mark"] * change["times"])
    calls: dict[str, Callable[[], object]] = {
        "add_image": lambda: store.add_image(image, str(source), info),
        "save_label": lambda: store.save_label(image, str(source), tag, info),
        "remove_label": lambda: store.remove_label(image, tag),
        "remove_image": lambda: store.remove_image(image),
        "update_image_info": lambda: store.update_image_info(image, info),
        "update_label_info": lambda: store.update_label_info(image, tag, info),
        "restore_label": lambda: store.restore_label(image, tag, change["version"]),
        "restore_image": lambda: store.restore_image(image),
        "add_images": lambda: store.add_images([brought(image, scratch) for image in change["of"]]),
        "register": lambda: registered(store, image, change["name"], change["text"], info),
        "prune": lambda: store.prune(keep=0, image_id=image, tag=tag),
        "purge": lambda: store.remove_image(image, purge=True),
        "conflict": lambda: refused(lambda: store.save_label(image, str(source), tag, info, if_match="another")),
        "set_description": lambda: store.set_description(change["text"]),
    }
    calls[change["kind"]]()


def brought(change: Change, scratch: Path) -> tuple[str, str, dict[str, Any]]:
    """Write what a change brings, and give it as `add_images` takes it."""
    source = scratch / f"{os.getpid()}-{change['image']}{change['name']}"
    source.write_text(change["mark"] * change["times"])
    return change["image"], str(source), change["info"]


def registered(store: LocalDatastore, image: str, name: str, text: str, info: dict[str, Any]) -> None:
    """Put a file into the folder as other programs do, and add it where it lies."""
    path = Path(store.path) / f"{image}{name}"
    with open(path, "w") as file:
        file.write(text)
    store.add_image(image, str(path), info)


def refused(save: Callable[[], object]) -> None:
    """Save what must be refused for its version, and kept nevertheless."""
    try:
        save()
    except VersionConflictException:
        return
    raise AssertionError("what was made for another version was saved")


def die(folder: str, change: Change, step: str, scratch: str) -> None:
    """Make one change and die without a word on entering a step."""
    store = LocalDatastore(folder)
    change_protocol.on_step = lambda name: os._exit(9) if name == step else None
    apply(store, change, Path(scratch))
    os._exit(0)


TOUCHING = set("open close fsync fdatasync rename replace link unlink remove mkdir rmdir chmod fchmod flock".split())


def die_at(folder: str, change: Change, number: int, scratch: str) -> None:
    """Make one change and die right before the call of that number that touches a file or goes into the files' code."""
    store = LocalDatastore(folder)
    _count_down(number)
    apply(store, change, Path(scratch))
    os._exit(0)


def die_recording(folder: str, number: int) -> None:
    """Open a datastore, and die right before the call of that number while what others did is recorded."""

    def step(name: str) -> None:
        if name == "commit":
            _count_down(number)
        elif name == "done":
            os._exit(0)

    change_protocol.on_step = step
    LocalDatastore(folder)


def _count_down(number: int) -> None:
    calls = itertools.count(1)

    def count(frame: Any, event: str, called: Any) -> None:
        system_call = event == "c_call" and called.__name__ in TOUCHING and called.__module__ in ("posix", "fcntl")
        ours = event == "call" and "/monailabel/files/" in frame.f_code.co_filename
        if (system_call or ours) and next(calls) == number:
            os._exit(9)

    sys.setprofile(count)


def pause(folder: str, change: Change, step: str, scratch: str) -> None:
    """Make one change, waiting on entering a step until the file `go` is there; `ready` tells that it waits."""

    def wait(name: str) -> None:
        if name == step:
            (Path(scratch) / "ready").touch()
            held_up = time.monotonic()
            while not (Path(scratch) / "go").exists():
                assert time.monotonic() < held_up + 10, "whoever looks waits for this writer"
                threading.Event().wait(0.002)

    store = LocalDatastore(folder)
    change_protocol.on_step = wait
    apply(store, change, Path(scratch))
    store.close()


def endless(folder: str, journal: str, steps: str, scratch: str, seed: int) -> None:
    """Add images, save labels and update infos until killed.

    The shared file `steps` holds the step of the moment, and the one in which to wait for the kill.
    """
    with open(steps, "r+b") as file:
        memory = mmap.mmap(file.fileno(), 2)

    def note(name: str) -> None:
        memory[0] = STEPS.index(name)
        while memory[0] == memory[1]:
            threading.Event().wait(0.001)

    change_protocol.on_step = note
    store, log = LocalDatastore(folder), Journal(journal)
    for change in endless_changes(seed):
        log.write(do=change)
        apply(store, change, Path(scratch))
        log.write(done=True)


def endless_changes(seed: int) -> Iterator[Change]:
    """Give changes without end: new images and labels, replaced ones, other extensions, infos."""
    chance = random.Random(seed)
    for n in itertools.count():
        image = f"{seed}_{n}"
        for turn, name in enumerate((".nii.gz", ".nii")):
            mark = f"<{image} {turn}>"
            yield bringing("add_image", image, name, mark + "i", chance.choice((1, 10, 10_000)))
            yield bringing("save_label", image, name, mark + "l", chance.choice((1, 10, 10_000)), tag="final")
            yield {"kind": "update_image_info", "image": image, "info": {"turn": turn, "of": mark}}
        yield {"kind": "update_label_info", "image": image, "tag": "final", "info": {"approved": image}}


def write(folder: str, journal: str, scratch: str, who: str, shared: bool, total: int) -> None:
    """Make `total` acknowledged changes, going on where a killed predecessor stopped, its last one again first."""
    log = Journal(journal)
    acknowledged = sum("done" in line for line in log.lines)
    number = sum("do" in line and not line.get("again") for line in log.lines)
    left_open = log.lines[-1]["do"] if log.lines and "do" in log.lines[-1] else None
    store = LocalDatastore(folder, actor=who)
    if left_open:
        acknowledged += perform(store, log, left_open, scratch, again=True)
    while acknowledged < total:
        change = shared_change(who, number) if shared else own_change(who, number)
        acknowledged += perform(store, log, change, scratch)
        number += 1
    store.close()


def perform(store: LocalDatastore, log: Journal, change: Change, scratch: str, again: bool = False) -> int:
    """Make one change with its lines in the journal, and tell how many were acknowledged."""
    log.write(do=change, again=again)
    try:
        apply(store, change, Path(scratch))
    except (ImageNotFoundException, LabelNotFoundException) as refusal:
        gone_already = again and change["kind"] == "remove_image"
        log.write(**({"done": True} if gone_already else {"refused": str(refusal)}))
        return int(gone_already)
    log.write(done=True)
    return 1


def own_change(who: str, number: int) -> Change:
    """Give a change of images that no other process touches: each kind in turn."""
    turn, which = divmod(number, 10)
    image, mark = f"{who}-{turn}", f"<{who} {number}>"
    changes: list[Change] = [
        bringing("add_image", image, ".nii.gz", mark),
        bringing("save_label", image, ".nii.gz", mark, tag="final"),
        bringing("save_label", image, ".nii", mark, tag="original"),
        {"kind": "update_image_info", "image": image, "info": {"updated": mark}},
        bringing("add_image", image, ".nii", mark),
        bringing("save_label", image, ".nrrd", mark, 5000, tag="version_1"),
        {"kind": "update_label_info", "image": image, "tag": "final", "info": {"updated": mark}},
        {"kind": "remove_label", "image": image, "tag": "original"},
        bringing("save_label", image, ".nrrd", mark, tag="final"),
        {"kind": "remove_image", "image": image} if turn % 4 == 3 else {"kind": "set_description", "text": mark},
    ]
    return changes[which]


def shared_change(who: str, number: int) -> Change:
    """Give a change of one of the few images that several processes fight over; each brings its own bytes."""
    chance = random.Random(f"{who} {number}")
    image, tag, mark = f"shared-{chance.randrange(6)}", chance.choice(SHARED_TAGS), f"<{who} {number}>"
    end, times = chance.choice((".nii.gz", ".nii")), chance.choice((1, 3000))
    kinds: list[tuple[int, Change]] = [
        (6, bringing("add_image", image, end, mark, times)),
        (8, bringing("save_label", image, end, mark, times, tag=tag)),
        (2, {"kind": "remove_label", "image": image, "tag": tag}),
        (1, {"kind": "remove_image", "image": image}),
        (3, {"kind": "update_image_info", "image": image, "info": {f"updated by {who}": number}}),
        (3, {"kind": "update_label_info", "image": image, "tag": tag, "info": {f"updated by {who}": number}}),
        (1, {"kind": "set_description", "text": mark}),
    ]
    return chance.choices([c for _, c in kinds], [w for w, _ in kinds])[0]


def until_stopped(stop: str, faults: str, turn: Callable[[random.Random], None]) -> None:
    """Do something again and again until the file `stop` is there; what goes wrong is written to `faults`."""
    chance = random.Random(os.getpid())
    while not os.path.exists(stop):
        try:
            turn(chance)
        except BaseException:
            Path(faults).write_text(traceback.format_exc())
            return


def read(folder: str, stop: str, faults: str) -> None:
    """Read lists and files all the time; bytes must agree with the figures that come with them."""
    store = LocalDatastore(folder)

    def look(chance: random.Random) -> None:
        images = store.list_images()
        assert len(images) == len(set(images))
        for image in chance.sample(images, min(len(images), 10)):
            checked(lambda image=image: store.open_image(image))  # type: ignore[misc]
            for tag in store.get_labels_by_image_id(image):
                checked(lambda image=image, tag=tag: store.open_label(image, tag))  # type: ignore[misc]
        status = store.status()
        assert status["completed"] <= status["total"]
        assert json.loads(store.json_bytes()).keys() == store.json().keys()
        assert all(pair.keys() == {"image", "label"} for pair in store.datalist())

    until_stopped(stop, faults, look)


def checked(opening: Callable[[], Any]) -> None:
    """Open a file, unless it has just gone, and compare its bytes with its size and checksum."""
    try:
        opened = opening()
    except (ImageNotFoundException, LabelNotFoundException):
        return
    with opened:
        with open(opened.fd, "rb", closefd=False) as file:
            data = file.read()
        assert len(data) == opened.size, (opened.name, len(data), opened.size)
        assert opened.sha256 in (None, hashlib.sha256(data).hexdigest()), opened.name


def refresh(folder: str, stop: str, faults: str) -> None:
    """Refresh all the time."""
    store = LocalDatastore(folder)

    def turn(chance: random.Random) -> None:
        store.refresh()
        threading.Event().wait(chance.random() * 0.05)

    until_stopped(stop, faults, turn)


def drop(folder: str, stop: str, faults: str) -> None:
    """Be another program: put files into the folder, rename and remove them."""
    numbers = itertools.count()

    def turn(chance: random.Random) -> None:
        image, labels = Path(folder), Path(folder) / "labels" / "final"
        name = f"dropped-{next(numbers):05}.nii"
        if chance.random() < 0.5:
            (image / name).write_text(name)
        else:
            (image / ".being-copied").write_text(name)
            (image / ".being-copied").rename(image / name)
        if chance.random() < 0.5:
            (labels / name).write_text(name)
        threading.Event().wait(0.02)
        if chance.random() < 0.3:
            (image / name).rename(image / f"renamed-{name}")
        elif chance.random() < 0.3:
            (image / name).unlink()

    until_stopped(stop, faults, turn)
