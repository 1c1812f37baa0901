"""The verbs that tell what happened: history and events."""

import itertools
import time
from collections.abc import Iterable, Iterator
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monailabel.cli import opening, printing
from monailabel.cli.options import AsJson, Folder, ImageId, ReadOnly
from monailabel.interfaces.exception import ImageNotFoundException

if TYPE_CHECKING:
    from monailabel.datastore.local import LocalDatastore

    Events = Iterator[dict[str, Any]]

PAGE = 10_000  # events asked for at a time
PAUSE = 0.2  # seconds between two looks for what others committed

EVENT = ("number", "when", "who", "what", "image", "tag", "version")
WIDTHS = (7, 24, 16, 9, 24, 12, 7)  # of the columns of a table that has no end
VERSION = ("version", "when", "who", "what", "size", "kept", "image version", "sha256")
SHORT = 12  # hexadecimal digits of a checksum that tell one version from another


def history(
    folder: Folder,
    image_id: ImageId,
    tag: Annotated[str | None, typer.Option(metavar="TAG", help="Only the versions of the label of that tag.")] = None,
    as_json: AsJson = False,
    read_only: ReadOnly = False,
) -> None:
    """Tell what happened to an image.

    When, who, what, and which version came of it, its labels' events included.
    """
    with opening.reading(folder, read_only) as datastore:
        if tag is not None:
            rows = datastore.label_versions(image_id, tag)
            missing = f'label "{tag}" of image "{image_id}" not found; it never had one of that tag'
        else:
            rows = datastore.events(image_id=image_id)
            missing = f'image "{image_id}" not found; `list` shows the ids that there are'
    if not rows:
        raise ImageNotFoundException(missing)
    if as_json:
        printing.document(rows)
    elif tag is not None:
        printing.table(VERSION, map(_version, rows))
    else:
        printing.table(EVENT, map(_event, rows))


def events(
    folder: Folder,
    after: Annotated[int, typer.Option(min=0, metavar="N", help="Only events after that number.")] = 0,
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="At most that many.")] = None,
    follow: Annotated[
        bool, typer.Option("--follow", help="Go on as they happen, until Ctrl-C; with --json an object a line.")
    ] = False,
    as_json: AsJson = False,
    read_only: ReadOnly = False,
) -> None:
    """Tell what happened in the datastore, in order."""
    with opening.reading(folder, read_only) as datastore:
        told = itertools.islice(_told(datastore, after, follow), limit)
        if follow:
            with suppress(KeyboardInterrupt):
                _print_as_they_come(told, as_json)
        elif as_json:
            printing.document(list(told))
        else:
            printing.table(EVENT, map(_event, told))


def _told(datastore: "LocalDatastore", after: int, follow: bool) -> "Events":
    while True:
        commits = datastore.commits()
        while page := datastore.events(after=after, limit=PAGE):
            yield from page
            after = page[-1]["seq"]
        if not follow:
            return
        while datastore.commits() == commits:
            time.sleep(PAUSE)


def _print_as_they_come(told: Iterable[dict[str, Any]], as_json: bool) -> None:
    if as_json:
        printing.json_lines(told)
    else:
        printing.rolling_table(EVENT, WIDTHS, map(_event, told))


def _event(event: dict[str, Any]) -> list[Any]:
    return [event[key] for key in ("seq", "time", "actor", "action", "image", "tag", "version")]


def _version(version: dict[str, Any]) -> list[Any]:
    made_for = version["image_version"]
    if version["for_present_image"] is False:
        made_for = f"{made_for}, not the present"
    kept = "current" if version["current"] else "yes" if version["kept"] else "no"
    who = [version[key] for key in ("version", "time", "actor", "action", "size")]
    return [*who, kept, made_for, version["sha256"] and version["sha256"][:SHORT]]
