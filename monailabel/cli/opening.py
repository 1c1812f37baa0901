"""Opens the folder that a verb names, so that a mistyped one is an error and never an empty datastore."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from monailabel.cli import printing
from monailabel.interfaces.exception import InvalidInputException

if TYPE_CHECKING:
    from monailabel.datastore.local import LocalDatastore

OURS = (".monailabel", "datastore_v2.json")  # either makes a folder a datastore


def found(folder: Path, create: bool = False) -> None:
    """Check that the folder is there, making it only where that was asked for."""
    if create:
        folder.mkdir(parents=True, exist_ok=True)
    if not folder.exists():
        raise InvalidInputException(f"folder {folder} not found; make it first, or see whether this verb has --create")
    if not folder.is_dir():
        raise InvalidInputException(f"{folder} is no folder; the datastore's folder comes first, then the rest")


@contextmanager
def reading(folder: Path, read_only: bool = False) -> Iterator["LocalDatastore"]:
    """Open a folder for a verb that only reads; what is no datastore yet does not become one by being looked at."""
    found(folder)
    with opened(folder, read_only=read_only or stays(folder)) as datastore:
        yield datastore


def stays(folder: Path) -> bool:
    """Tell whether a folder has to stay as it is while it is looked at: no datastore yet, or not ours to write."""
    return not os.access(folder, os.W_OK) or not any((folder / name).exists() for name in OURS)


@contextmanager
def changing(folder: Path, create: bool = False, **options: Any) -> Iterator["LocalDatastore"]:
    """Open a folder for a verb that changes it."""
    found(folder, create)
    with opened(folder, **options) as datastore:
        yield datastore


@contextmanager
def opened(folder: Path, **options: Any) -> Iterator["LocalDatastore"]:
    """Open a datastore with the same settings as the server, showing what takes long."""
    from monailabel.datastore.local import LocalDatastore
    from monailabel.server.settings import Settings

    settings = Settings.from_environment(folder=str(folder))
    options["read_only"] = options.get("read_only", False) or settings.read_only
    options["follow_links"] = settings.follow_links
    for name in ("layout", "recursive"):
        options[name] = getattr(settings, name) if options.get(name) is None else options[name]
    with (
        printing.bar() as tell,
        LocalDatastore(str(folder), extensions=settings.extensions, progress=tell, **options) as datastore,
    ):
        datastore.wait_until_recorded()  # while the bar shows it
        yield datastore
