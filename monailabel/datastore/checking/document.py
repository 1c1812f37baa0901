"""Checks the document datastore_v2.json: whether it can be read, and what was done where it could not."""

import os
from collections.abc import Iterator
from contextlib import closing
from typing import Any

from monailabel.datastore.checking.finding import Finding
from monailabel.datastore.options import STATE
from monailabel.datastore.salvage import Salvaged
from monailabel.datastore.snapshot import Snapshot
from monailabel.datastore.store import Store
from monailabel.interfaces.exception import DamagedDatastoreException


def config(options: dict[str, Any]) -> list[str]:
    """Give the document's name where it was given."""
    return [options["datastore_config"]] if "datastore_config" in options else []


def damage(path: str, options: dict[str, Any]) -> str:
    """Say why the document cannot be read, `""` if it can."""
    name = options.get("datastore_config", "datastore_v2.json")
    state = options.get("state_dir") or os.path.join(path, STATE)
    private = options.get("read_only", False)
    with closing(Snapshot(os.path.join(path, name), os.fspath(state), private=private)) as document:
        try:
            document.read()
        except DamagedDatastoreException as error:
            return error.msg.partition("; ")[0]
    return ""


def refused(kind: str, error: DamagedDatastoreException) -> Finding:
    """Tell of an error that keeps the folder from opening."""
    what, _, remedy = error.msg.partition("; ")
    return Finding(kind, what, remedy or what)


def mended(reason: str, salvaged: Salvaged) -> Iterator[Finding]:
    """Tell what was read of a document that has no catalog."""
    if salvaged.aside is None:
        return  # another program has written it anew meanwhile
    objects = salvaged.document.objects
    labels = sum(len(entry.labels) for entry in objects.values())
    done = f"images: {len(objects)}, labels: {labels} were read and written anew; the rest is in {salvaged.aside}"
    if salvaged.damaged:
        done += f"; not read whole: {', '.join(salvaged.damaged)}"
    yield Finding("document", reason, done, repaired=True)


def as_written(store: Store, repair: bool) -> Iterator[Finding]:
    """Compare the document, and the copy of it that we keep, with the catalog, where nobody edited it."""
    damaged = store.snapshot.damaged()
    if damaged and repair:
        store.snapshot.write(durable=True, damaged=True)
    for path in damaged:
        what = f"{path} is not as it was written, though its time did not change"
        yield Finding("document", what, "it was written anew" if repair else "`check --repair` writes it anew", repair)


def set_aside(reason: str, repaired: bool) -> Finding:
    """Tell of a document that opening the folder put right."""
    done = "it was set aside under another name and written anew from the catalog, which has all of it"
    return Finding("document", reason, done if repaired else "open the folder for writing: then it is", repaired)
