"""What ought to be in a datastore after a list of changes, and what is in it: rows, files and document compared."""

import copy
import hashlib
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

from monailabel.datastore.local import LocalDatastore

Change = dict[str, Any]
MEMORY = "/dev/shm" if os.access("/dev/shm", os.W_OK) else None  # where no sync takes time; else any disk
State = dict[tuple[str, str], Any]  # (image, tag): extension, checksum and info; an image itself has the tag ""


def make(state: State, change: Change) -> None:
    """Make a change to a state as the datastore should make it to itself."""
    kind, key = change["kind"], (change.get("image", ""), change.get("tag", ""))
    if kind in ("add_image", "save_label"):
        info = copy.deepcopy(change["info"])
        state[key] = {"ext": change["name"], "sha256": info["sha256"], "info": info}
    elif kind in ("remove_image", "purge"):
        for other in [k for k in state if k[0] == key[0]]:
            del state[other]
    elif kind == "remove_label":
        state.pop(key, None)
    elif kind in ("restore_label", "restore_image"):
        state.update({(key[0], tag): copy.deepcopy(entry) for tag, entry in change["was"].items()})
    elif kind == "add_images":
        for image in change["of"]:
            make(state, image)
    elif kind == "register":
        state[key] = copy.deepcopy(change["was"])
    elif kind == "set_description":
        state["", ""] = change["text"]
    elif kind not in ("prune", "conflict"):
        state[key]["info"].update(change["info"])


def view(store: LocalDatastore) -> State:
    """Read the whole of a datastore through its methods: extensions, checksums of the bytes, infos."""
    state: State = {("", ""): store.description()}
    for image in store.list_images():
        info = store.get_image_info(image)
        del info["path"]
        with store.open_image(image) as file:
            state[image, ""] = facts(image, file, info)
        for tag in store.get_labels_by_image_id(image):
            with store.open_label(image, tag) as file:
                state[image, tag] = facts(image, file, store.get_label_info(image, tag))
    return state


def facts(image: str, file: Any, info: dict[str, Any]) -> dict[str, Any]:
    """Tell of one opened file what the journals know; its figures must agree with its bytes."""
    with open(file.fd, "rb", closefd=False) as opened:
        data = opened.read()
    checksum = hashlib.sha256(data).hexdigest()
    assert file.sha256 in (None, checksum) and file.size == len(data), f"{file.name}: figures of another version"
    assert info.pop("name") == file.name and type(info.pop("ts")) is int
    return {"ext": file.name.removeprefix(image), "sha256": checksum, "info": info}


def observed(
    folder: Path, foreign: tuple[str, ...] = (), also: Callable[[LocalDatastore], None] = lambda _: None
) -> State:
    """Open a folder and read it three times: catalog, files and document must agree; `also` looks at what it likes."""
    with LocalDatastore(str(folder)) as store:
        if foreign:
            store.refresh()
        state, document = view(store), store.json()
        also(store)
    files = {relative(key, entry["ext"]): entry["sha256"] for key, entry in state.items() if key != ("", "")}
    lying = visible(folder)
    for name in [n for n in lying if n.split("/")[-1].startswith(foreign or "\0") and n not in files]:
        assert name.startswith("labels/"), f"{name} lies in the folder and is not listed"
        del lying[name]  # another program's label without an image
    assert lying == files, f"files that differ: {lying.items() ^ files.items()}"
    written = json.loads((folder / "datastore_v2.json").read_bytes())
    assert written == document
    assert told(written) == {k: v if k == ("", "") else (v["ext"], v["info"]) for k, v in state.items()}
    return state


def relative(key: tuple[str, str], extension: str) -> str:
    """Give the place of a file in the datastore's folder."""
    image, tag = key
    return f"labels/{tag}/{image}{extension}" if tag else f"{image}{extension}"


def visible(folder: Path) -> dict[str, str]:
    """Give the checksums of the files that people see in the folder, the documents left out.

    Of a sharded datastore those that lie two levels deeper, under the names that they would have without these.
    """
    places = [folder, *(p for p in (folder / "labels").iterdir() if p.is_dir())]
    pattern = "[0-9a-f]/[0-9a-f]/*" if (folder / ".monailabel" / "layout").exists() else "*"
    files = [(p, f) for p in places for f in p.glob(pattern) if f.is_file() and not f.name.startswith(".")]
    return {
        str(p.relative_to(folder) / f.name): hashlib.sha256(f.read_bytes()).hexdigest()
        for p, f in files
        if f.name != "datastore_v2.json" and not f.name.startswith("datastore_v2.json.damaged-")
    }


def told(document: dict[str, Any]) -> State:
    """Give what a document tells of each file: extension and info."""
    state: State = {("", ""): document["description"]}
    for image, entry in document["objects"].items():
        for tag, file in {"": entry["image"], **entry["labels"]}.items():
            info = {k: v for k, v in file["info"].items() if k not in ("ts", "name")}
            state[image, tag] = (file["ext"], info)
    return state
