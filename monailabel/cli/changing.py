"""The verbs that change: add, label, remove, info, refresh and restore."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monailabel.cli import erasing, opening, options, printing
from monailabel.cli.asking import Yes
from monailabel.cli.looking import print_status
from monailabel.cli.options import AsJson, Create, Folder, ImageId, Layout, ReadOnly, Recursive, Settings, Tag
from monailabel.interfaces.exception import ConflictException, ImageNotFoundException, LabelNotFoundException

if TYPE_CHECKING:
    from monailabel.datastore.local import LocalDatastore

FINAL = "final"


def add(
    folder: Folder,
    files: Annotated[list[Path], typer.Argument(metavar="FILE...", help="The images to copy in.", show_default=False)],
    image_id: Annotated[str | None, typer.Option("--id", metavar="ID", help="Else the file's name gives it.")] = None,
    settings: Settings = None,
    create: Create = False,
    layout: Layout = None,
    recursive: Recursive = None,
    as_json: AsJson = False,
) -> None:
    """Add images from files.

    Where an image has that id already, the file becomes its next version.
    """
    if image_id is not None and len(files) > 1:
        raise typer.BadParameter("names one image, and there are several files", param_hint="--id")
    info = options.info(settings)
    added: list[dict[str, str]] = []
    try:
        how = {"layout": layout, "recursive": recursive}
        with opening.changing(folder, create, **how) as datastore, printing.bar() as tell:

            def note(ids: list[str]) -> None:
                added.extend({"id": id, "file": str(file)} for id, file in zip(ids, files[len(added) :], strict=False))
                if tell:
                    tell("adding", len(added), len(files))

            datastore.add_images(((image_id, str(file), info) for file in files), note)
    finally:  # those before a failure are in the datastore, and a script must know them
        _print(added, [f'added image "{one["id"]}"' for one in added], as_json)


def label(
    folder: Folder,
    image_id: ImageId,
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The label to copy in.", show_default=False)],
    tag: Annotated[str, typer.Option(metavar="TAG", help="The label's tag.")] = FINAL,
    settings: Settings = None,
    as_json: AsJson = False,
) -> None:
    """Save a label of an image from a file.

    Where the image has a label of that tag already, the file becomes its next version.
    """
    with opening.changing(folder) as datastore:
        label_id = datastore.save_label(image_id, str(file), tag, options.info(settings))
    _print({"image": image_id, "label": label_id, "tag": tag}, [f'saved label "{tag}" of image "{image_id}"'], as_json)


def remove(
    folder: Folder,
    image_id: ImageId,
    tag: Tag = None,
    purge: Annotated[
        bool, typer.Option("--purge", help="Erase the image for good, with its labels, versions and infos.")
    ] = False,
    yes: Yes = False,
    as_json: AsJson = False,
) -> None:
    """Remove an image, or one of its labels.

    Without --tag the image goes with all its labels; `restore` brings back either, but not what was purged.
    """
    if purge and tag is not None:
        raise typer.BadParameter("erases an image with all its labels; leave out --tag", param_hint="--purge")
    with opening.changing(folder) as datastore:
        if purge:
            erasing.purge(datastore, image_id, yes)
        elif tag is None:
            datastore.remove_image(image_id)
        else:
            _require_label(datastore, image_id, tag)
            datastore.remove_label(image_id, tag)
    done = "erased" if purge else "removed"
    _print({"image": image_id, "tag": tag}, [f"{done} {_named(image_id, tag)}"], as_json)


def restore(
    folder: Folder,
    image_id: ImageId,
    tag: Tag = None,
    version: Annotated[
        int | None,
        typer.Option(min=1, metavar="N", help="Which version; of what was removed, else the newest that is kept."),
    ] = None,
    as_json: AsJson = False,
) -> None:
    """Bring back what was removed or replaced.

    An image, or with --tag one of its labels; what comes back is a new version.
    """
    with opening.changing(folder) as datastore:
        if tag is None:
            now = datastore.restore_image(image_id, version)
        else:
            now = datastore.restore_label(image_id, tag, version or _newest(datastore, image_id, tag))
    sentence = f"restored {_named(image_id, tag)}, which is version {now}"
    _print({"image": image_id, "tag": tag, "version": now}, [sentence], as_json)


def info(
    folder: Folder,
    image_id: ImageId,
    tag: Tag = None,
    settings: Settings = None,
    as_json: AsJson = False,
    read_only: ReadOnly = False,
) -> None:
    """Show or set the info of an image or label."""
    values = options.info(settings)
    if values and read_only:
        raise typer.BadParameter("changes the info, which --read-only forbids", param_hint="--set")
    with opening.changing(folder) if values else opening.reading(folder, read_only) as datastore:
        if values:
            _set(datastore, image_id, tag, values)
        found = _info(datastore, image_id, tag)
    if as_json:
        printing.document(found)
    else:
        printing.table((), found.items())


def refresh(folder: Folder, as_json: AsJson = False) -> None:
    """Take in what other programs changed.

    Prints the status as it is then.
    """
    with opening.changing(folder) as datastore:
        datastore.refresh()
        print_status(datastore, as_json)


def _print(value: Any, sentences: list[str], as_json: bool) -> None:
    if as_json:
        printing.document(value)
    else:
        printing.lines(sentences)


def _named(image_id: str, tag: str | None) -> str:
    return f'image "{image_id}"' if tag is None else f'label "{tag}" of image "{image_id}"'


def _info(datastore: "LocalDatastore", image_id: str, tag: str | None) -> dict[str, Any]:
    if tag is not None:
        _require_label(datastore, image_id, tag)
        return datastore.get_label_info(image_id, tag)
    found = datastore.get_image_info(image_id)
    if not found:
        raise ImageNotFoundException(f'image "{image_id}" not found; `list` shows the ids that there are')
    return found


def _set(datastore: "LocalDatastore", image_id: str, tag: str | None, values: dict[str, Any]) -> None:
    if tag is None:
        datastore.update_image_info(image_id, values)
    else:
        datastore.update_label_info(image_id, tag, values)


def _require_label(datastore: "LocalDatastore", image_id: str, tag: str) -> None:
    tags = list(datastore.get_labels_by_image_id(image_id))
    if tag not in tags:
        raise LabelNotFoundException(f"{_named(image_id, tag)} not found; it has: {', '.join(tags) or 'none'}")


def _newest(datastore: "LocalDatastore", image_id: str, tag: str) -> int:
    """Give the newest version of a removed label whose bytes are kept."""
    from monailabel.datastore.history import last_kept

    if datastore.get_label_uri(image_id, tag):
        raise ConflictException(f"{_named(image_id, tag)} is there; name the --version to go back to")
    last = last_kept(datastore.label_versions(image_id, tag))
    if last is None:
        raise LabelNotFoundException(f"no earlier version of {_named(image_id, tag)} is kept")
    return last
