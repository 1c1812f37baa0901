"""The verbs that keep a datastore a second time and bring it back: backup and restore-backup."""

import dataclasses
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from monailabel.cli import checking, opening, printing
from monailabel.cli.options import AsJson, Folder, ReadOnly

if TYPE_CHECKING:
    from monailabel.datastore.gathering import Backup


def backup(
    folder: Folder,
    target: Annotated[
        Path,
        typer.Argument(metavar="DEST", help="The folder of the backups, outside the datastore.", show_default=False),
    ],
    deep: Annotated[bool, typer.Option("--deep", help="Read also what is shared with the backup before.")] = False,
    as_json: AsJson = False,
    read_only: ReadOnly = False,
) -> None:
    """Make a backup while others write.

    Each is a folder of its own in DEST, named after its time, and opens as a datastore. The exit status is 1 where a
    file could not be copied as it should be.
    """
    opening.found(folder)
    with opening.opened(folder, read_only=read_only or opening.stays(folder)) as datastore, printing.bar() as tell:
        made = datastore.backup(target, deep=deep, progress=tell)
    if as_json:
        printing.document(dataclasses.asdict(made))
    else:
        printing.lines([_sentence(made), *(f"lacks {what}" for what in made.lacks)])
    if made.lacks:
        raise typer.Exit(1)


def restore_backup(
    source: Annotated[
        Path, typer.Argument(metavar="BACKUP", help="A backup, or a folder of several: its newest.", show_default=False)
    ],
    folder: Annotated[
        Path,
        typer.Argument(metavar="FOLDER", help="Where it is to lie: a new folder, or an empty one.", show_default=False),
    ],
    as_json: AsJson = False,
) -> None:
    """Bring up a backup and check it.

    Every file is copied and read. The exit status is 1 while something remains to be done, as `check --deep` says it.
    """
    from monailabel.datastore.backup import bring_up

    with printing.bar() as tell:
        path = bring_up(str(source), str(folder), tell)
    printing.note(f"brought up {path} in {folder}")
    checking.check(folder, deep=True, as_json=as_json)


def _sentence(made: "Backup") -> str:
    copied = f"{made.copied} files ({made.size} bytes) copied and read"
    return f"backed up to {made.path}, up to event {made.last}: {copied}, {made.unchanged} shared with the one before"
