"""The verbs that look: status, show and export."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monailabel.cli import opening, printing
from monailabel.cli.options import AsJson, Folder, ImageId, ReadOnly
from monailabel.interfaces.exception import (
    ConflictException,
    ImageNotFoundException,
    InvalidInputException,
    LabelNotFoundException,
    UnreadableImageException,
)

if TYPE_CHECKING:
    from monailabel.datastore.local import LocalDatastore


def status(folder: Folder, as_json: AsJson = False, read_only: ReadOnly = False) -> None:
    """Count images and labels.

    What a scan could not take in is told on stderr.
    """
    with opening.reading(folder, read_only) as datastore:
        print_status(datastore, as_json)


def print_status(datastore: "LocalDatastore", as_json: bool) -> None:
    """Print what `status` prints of an open datastore."""
    found = {"name": datastore.name(), "description": datastore.description(), **datastore.status()}
    found["history"] = datastore.history_size()
    found["head"] = datastore.head()
    if as_json:
        printing.document({**found, "problems": datastore.problems()})
        return
    tags = " ".join(f"{tag}: {count}" for tag, count in found["label_tags"].items())
    rows = [(key, found[key]) for key in ("name", "description", "total", "completed")]
    kept = found["history"]
    earlier = f"{kept['versions']} earlier versions, {printing.size(kept['bytes'])}"
    printing.table((), [*rows, ("labels", tags or "none"), ("history", earlier), ("head", found["head"] or "none yet")])
    for problem in datastore.problems():
        printing.note(f"problem: {problem}")


def show(
    folder: Folder,
    image_id: ImageId,
    tag: Annotated[str | None, typer.Option(metavar="TAG", help="Draw the outlines of the label of that tag.")] = None,
    as_json: AsJson = False,
    read_only: ReadOnly = False,
) -> None:
    """Show all that is known of an image.

    Where it and its labels lie, and their info; a terminal gets a picture too.
    """
    with opening.reading(folder, read_only) as datastore:
        found = _described(datastore, image_id)
        if tag is not None and tag not in found["labels"]:
            has = ", ".join(found["labels"]) or "no labels"
            raise LabelNotFoundException(f'label "{tag}" of image "{image_id}" not found; it has: {has}')
        if not as_json and sys.stdout.isatty():
            _draw(datastore, image_id, tag)
    if as_json:
        printing.document(found)
        return
    printing.table((), [("id", image_id), ("path", found["path"]), *found["info"].items()])
    for tag, label in found["labels"].items():
        printing.lines(["", f"label {printing.shown(tag)}"])
        printing.table((), [("path", label["path"]), *_made_for(found, label), *label["info"].items()])


def _draw(datastore: "LocalDatastore", image_id: str, tag: str | None) -> None:
    """Draw the image where the terminal can show it; one that cannot be drawn is no reason to show nothing."""
    from monailabel.cli import picture

    if (how := picture.protocol()) is None:
        return
    try:
        printing.lines(picture.drawn(datastore.preview(image_id, tag, size=picture.size(how)), how))
    except UnreadableImageException as error:
        printing.note(str(error))


def _described(datastore: "LocalDatastore", image_id: str) -> dict[str, Any]:
    info = datastore.get_image_info(image_id)
    if not info:
        raise ImageNotFoundException(f'image "{image_id}" not found; `list` shows the ids that there are')
    path = info.pop("path", datastore.get_image_uri(image_id))
    version = _present(datastore.image_versions(image_id)).get("version")
    labels = {tag: _label(datastore, image_id, tag) for tag in datastore.get_labels_by_image_id(image_id)}
    return {"id": image_id, "path": path, "version": version, "info": info, "labels": labels}


def _label(datastore: "LocalDatastore", image_id: str, tag: str) -> dict[str, Any]:
    version = _present(datastore.label_versions(image_id, tag))
    return {
        "path": datastore.get_label_uri(image_id, tag),
        **{key: version.get(key) for key in ("version", "image_version", "for_present_image")},
        "info": datastore.get_label_info(image_id, tag),
    }


def _present(versions: list[dict[str, Any]]) -> dict[str, Any]:
    return next((version for version in versions if version["current"]), {})


def _made_for(image: dict[str, Any], label: dict[str, Any]) -> list[tuple[str, str]]:
    """Say so where a label was made for other bytes than the image has now."""
    if label["for_present_image"] is not False:
        return []
    return [("made for", f"version {label['image_version']} of the image, which is now version {image['version']}")]


def export(
    folder: Folder,
    file: Annotated[Path, typer.Argument(metavar="FILE.zip", help="The ZIP file to write.", show_default=False)],
    limit: Annotated[int | None, typer.Option(min=1, metavar="N", help="Only the first N labelled images.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Replace the file if it is there.")] = False,
    as_json: AsJson = False,
    read_only: ReadOnly = False,
) -> None:
    """Write images and labels to a ZIP file.

    It holds the images with a final label, those labels, and the metadata of both.
    """
    if file.exists() and not force:
        raise ConflictException(f"{file} is there already; choose another name, or replace it with --force")
    if not file.parent.is_dir():
        raise InvalidInputException(f"{file} cannot be written: there is no folder {file.parent}; make it first")
    with opening.reading(folder, read_only) as datastore:
        _write_archive(datastore, file, limit)
    size = file.stat().st_size
    if as_json:
        printing.document({"file": str(file), "size": size})
    else:
        printing.lines([f"{printing.shown(str(file))} written, {size} bytes"])


def _write_archive(datastore: "LocalDatastore", file: Path, limit: int | None) -> None:
    """Write the archive beside its place and rename it, so that half of one is never taken for the whole."""
    scratch = file.with_name(f".{file.name}.{os.getpid()}")
    archive = datastore.archive(limit)
    try:
        with printing.bar() as tell, scratch.open("xb") as out:
            for piece in archive:
                out.write(piece)
                if tell:
                    tell("exporting", out.tell(), archive.size)
        scratch.replace(file)
    finally:
        archive.close()
        scratch.unlink(missing_ok=True)
