"""Many images or labels at once: staged together, synced together, committed in one change."""

from collections.abc import Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from typing import Any

from monailabel.datastore.actor import Actor
from monailabel.datastore.change import enter
from monailabel.datastore.store import Store
from monailabel.files.sharing import sync_disk
from monailabel.files.staged import Staged
from monailabel.interfaces.exception import MONAILabelException

FILES = 250  # to a change, so that other writers get their turn and no process runs out of descriptors


@dataclass(slots=True)
class Incoming:
    """A file that is to become an image (tag `""`) or a label."""

    image_id: str
    tag: str
    ext: str
    path: str
    info: dict[str, Any]


def put_all(store: Store, actor: Actor, incoming: Iterable[Incoming]) -> Iterator[list[str]]:
    """Add or replace by files, a batch at a time; give the image ids of each batch when it is acknowledged.

    Where a file is refused, those before it are taken in, and then the error is raised.
    """
    files, following = iter(incoming), True
    held: list[Incoming] = []  # read, and to begin the next batch
    while following:
        with ExitStack() as stack:
            batch, trouble, following = _staged(store, files, held, stack)
            _commit(store, actor, batch)
        yield [file.image_id for file, _ in batch]
        if trouble is not None:
            raise trouble


Batch = list[tuple[Incoming, Staged]]


def _staged(
    store: Store, files: Iterator[Incoming], held: list[Incoming], stack: ExitStack
) -> tuple[Batch, Exception | None, bool]:
    """Stage files until a batch is full; give it, what went wrong with the file after it, and whether more may come."""
    batch: Batch = []
    names: set[tuple[str, str]] = set()
    try:
        while len(batch) < FILES:
            file = held.pop() if held else next(files, None)
            if file is None:
                return batch, None, False
            if (file.image_id, file.tag) in names:  # what replaces a file of this batch goes into the next one
                held.append(file)
                break
            enter("stage")
            folder = store.changes.folder(file.tag)
            batch.append((file, stack.enter_context(folder.stage_copy(file.path, durable=False))))
            names.add((file.image_id, file.tag))
    except (MONAILabelException, OSError) as error:
        return batch, error, False
    return batch, None, True


def _commit(store: Store, actor: Actor, batch: Batch) -> None:
    if not batch:
        return
    synced = {path: sync_disk(path) for path in {staged.folder.staging for _, staged in batch}}
    for _, staged in batch:
        if not synced[staged.folder.staging]:
            staged.sync()
    with store.change(actor) as edit:
        for file, staged in batch:
            if file.tag:
                edit.image(file.image_id)
            edit.put(file.image_id, file.tag, file.ext, staged, file.info)
