"""Letting go of what the history keeps: earlier versions on request, and a person's data where the law asks."""

import logging
import os
import shutil
from collections.abc import Iterable, Iterator
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import groupby

from monailabel.catalog.sqlite import SqliteCatalog
from monailabel.datastore import strays
from monailabel.datastore.actor import Actor
from monailabel.datastore.change import Changes
from monailabel.files.folder import LINK
from monailabel.files.sharing import sync_folder
from monailabel.interfaces.exception import ImageNotFoundException, InvalidInputException
from monailabel.models import Kept, State

logger = logging.getLogger(__name__)

SHOWN = "versions"  # the folder of links to earlier versions, under names that every program can open
_BATCH = 1_000  # versions to a transaction, so that other writers get their turn


def prunable(
    catalog: SqliteCatalog,
    older_than: timedelta | datetime | None,
    keep: int | None,
    image_id: str | None,
    tag: str | None,
) -> list[Kept]:
    """Give the earlier versions that were replaced or removed before a time, all but the newest `keep` of each file.

    Raises InvalidInputException where neither is said.
    """
    if older_than is None and keep is None:
        raise InvalidInputException("nothing to prune was named: say older_than, keep, or both")
    if keep is not None and keep < 0:
        raise InvalidInputException(f"keep {keep} refused: it is the number of earlier versions that stay, 0 or more")
    before = _milliseconds(older_than)
    versions = catalog.kept_versions(image_id, tag)  # of each file the newest first
    return [
        version
        for _, of_one in groupby(versions, key=lambda version: version.item)
        for place, version in enumerate(of_one)
        if place >= (keep or 0) and (before is None or version.out_at < before)
    ]


def _milliseconds(older_than: timedelta | datetime | None) -> float | None:
    if older_than is None:
        return None
    if not isinstance(older_than, (timedelta, datetime)):
        raise InvalidInputException(
            f"older_than {older_than!r} refused: give an age, such as timedelta(days=90), or a datetime"
        )
    if isinstance(older_than, timedelta):
        return (datetime.now(UTC) - older_than).timestamp() * 1000
    return (older_than if older_than.tzinfo else older_than.replace(tzinfo=UTC)).timestamp() * 1000


class Erasing:
    """Removes kept bytes for good: first the rows, in a change with its event, then the files.

    Cut short in between, the files are doomed, and whoever opens the folder next goes on.
    """

    def __init__(self, catalog: SqliteCatalog, changes: Changes, state: str) -> None:
        self._catalog = catalog
        self._changes = changes
        self._state = state

    def prune(self, versions: list[Kept], actor: Actor) -> list[Kept]:
        """Remove the bytes of earlier versions; give those that were still kept."""
        done: list[Kept] = []
        for begin in range(0, len(versions), _BATCH):
            with self._changes.begin(actor) as edit:
                pruned = [version for version in versions[begin : begin + _BATCH] if edit.prune(version)]
            self.finish()
            done += pruned
        return done

    def purge(self, image_id: str, actor: Actor) -> None:
        """Remove all that is known of a removed image and its labels: bytes, infos, and the content of their events.

        Events stay, without content. Raises ImageNotFoundException.
        """
        with self._changes.begin(actor) as edit:
            items = [item for tag, _ in edit.rows.rows_of(image_id) if (item := edit.rows.item(image_id, tag))]
            if not items:
                raise ImageNotFoundException(f"image {image_id!r} not found")
            for item in items:
                if item.state is not State.REMOVED:
                    edit.remove(item)
        with self._changes.begin(
            actor, settled=True
        ) as edit:  # what came out of the visible names lies in the history by now
            for item in items:
                if item.rowid in edit.stuck:  # or it does not, and cannot be erased yet
                    raise edit.stuck[item.rowid]
            edit.purge(image_id)
        self.finish()
        self._erase_strays([(image_id, item.tag) for item in items])
        self._catalog.compact()

    def _erase_strays(self, erased: list[tuple[str, str]]) -> None:
        """Remove kept bytes that no version names any more and that were those of an erased one."""
        sums = {version[2] for image_id, tag in erased for version in self._catalog.versions(image_id, tag)}
        for folder, path in list(strays.strays(self._catalog, strays.every_folder(self._changes))):
            token, _, sha256 = os.path.basename(path).partition(".")
            if sha256 in sums and strays.owner(self._catalog, self._changes, folder, path) is None:
                folder.erase(token, sha256)
                sync_folder(os.path.dirname(path))

    def finish(self) -> None:
        """Remove the files that are doomed, also those that somebody else left."""
        doomed = self._catalog.doomed()
        if not doomed:
            return
        gone = list(self._erase(doomed))
        for folder in {os.path.dirname(path) for _, path in gone}:
            with suppress(FileNotFoundError):
                sync_folder(folder)
        with self._changes.begin_quietly() as rows:
            rows.undoom([token for token, _ in gone])

    def _erase(self, doomed: Iterable[tuple[str, str, str]]) -> Iterator[tuple[str, str]]:
        for token, tag, kind in doomed:
            folder = self._changes.folder(tag)
            try:
                folder.erase(token, kind)
            except OSError as error:
                logger.warning(
                    "a pruned version cannot be removed yet, and is tried again at the next opening: %s", error
                )
                continue
            shutil.rmtree(os.path.join(self._state, SHOWN, token[:2], token), ignore_errors=True)
            yield token, folder.kept_path(token, None if kind == LINK else kind)
