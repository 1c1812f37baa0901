"""What removes for good: the verb prune, and the purge of an image."""

import re
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monailabel.cli import asking, opening, printing
from monailabel.cli.asking import Yes
from monailabel.cli.options import AsJson, Folder
from monailabel.interfaces.exception import ImageNotFoundException

if TYPE_CHECKING:
    from monailabel.datastore.local import LocalDatastore

HEADINGS = ("image", "tag", "version", "made", "replaced or removed", "size")
COLUMNS = ("image", "tag", "version", "time", "until", "size")
_AGE = re.compile(r"(\d{1,6})([hdw])")
_UNITS = {"h": "hours", "d": "days", "w": "weeks"}


def prune(
    folder: Folder,
    image_ids: Annotated[
        list[str] | None, typer.Argument(metavar="ID", help="Only of these images.", show_default=False)
    ] = None,
    older_than: Annotated[
        str | None, typer.Option(metavar="AGE", help="Replaced or removed before: 90d, 12h, 4w, or a date.")
    ] = None,
    keep: Annotated[
        int | None, typer.Option(min=0, metavar="N", help="Keep the newest N earlier ones of each file.")
    ] = None,
    tag: Annotated[str | None, typer.Option(metavar="TAG", help="Only labels of that tag; '' for images.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only list them.")] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Remove earlier versions for good.

    Lists them with their sizes, and asks. What is present is never touched.
    """
    if older_than is None and keep is None:
        raise typer.BadParameter("say which versions: --older-than, --keep, or both", param_hint="--older-than")
    which = {"older_than": None if older_than is None else _moment(older_than), "keep": keep, "tag": tag}
    with opening.reading(folder) if dry_run else opening.changing(folder) as datastore:
        found = _pruned(datastore, image_ids, **which, dry_run=True)
        if not as_json:
            printing.table(HEADINGS, ([version[key] for key in COLUMNS] for version in found))
        if found and not dry_run:
            asking.confirm(f"remove {_total(found)} for good", yes)
            found = _pruned(datastore, image_ids, **which)
    if as_json:
        printing.document({"removed": not dry_run, "bytes": _bytes(found), "versions": found})
    else:
        printing.note(f"{'would remove' if dry_run else 'removed'} {_total(found)}")


def purge(datastore: "LocalDatastore", image_id: str, yes: bool) -> None:
    """Erase an image and all that is known of it, where the person says so."""
    _require_known(datastore, image_id)
    what = f'erase image "{image_id}" with its labels, all versions and what is known of them, for good'
    asking.typed(image_id, what, yes)
    datastore.remove_image(image_id, purge=True)


def _require_known(datastore: "LocalDatastore", image_id: str) -> None:
    if not datastore.events(image_id=image_id, limit=1):
        raise ImageNotFoundException(f'image "{image_id}" not found, nor was there ever one of that id')


def _pruned(datastore: "LocalDatastore", image_ids: list[str] | None, **which: Any) -> list[dict[str, Any]]:
    ids = list(dict.fromkeys(image_ids or ()))
    for id in ids:
        _require_known(datastore, id)
    return [version for id in ids or (None,) for version in datastore.prune(image_id=id, **which)]


def _bytes(versions: list[dict[str, Any]]) -> int:
    return sum(version["size"] or 0 for version in versions)


def _total(versions: list[dict[str, Any]]) -> str:
    return f"{len(versions)} earlier versions, {printing.size(_bytes(versions))}"


def _moment(text: str) -> datetime:
    """Read an age or a date as the moment that it means."""
    age = _AGE.fullmatch(text)
    try:
        if age:
            return datetime.now(UTC) - timedelta(**{_UNITS[age[2]]: int(age[1])})
        return datetime.fromisoformat(text)
    except (ValueError, OverflowError):
        raise typer.BadParameter(
            f"{text!r} is no age such as 90d, 12h or 4w, and no date", param_hint="--older-than"
        ) from None
