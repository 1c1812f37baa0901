"""The verb that lists images, found by filters and sorted."""

import itertools
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monailabel.cli import opening, printing
from monailabel.cli.options import AsJson, Folder, ReadOnly

if TYPE_CHECKING:
    from monailabel.datastore.local import LocalDatastore

FOUND = ("id", "tags", "state", "annotator", "time")
FOUND_AT_ONCE = 1_000  # images asked for at a time

ANY = "; repeatable: any will do."

Text = Annotated[str, typer.Option(metavar="TEXT", help="Only images with it in id or comment, in any letter case.")]
States = Annotated[
    list[str] | None,
    typer.Option(metavar="STATE", help="Only images that are unlabelled, labelled, flagged or approved" + ANY),
]
Tags = Annotated[list[str] | None, typer.Option(metavar="TAG", help="Only images with a label of that tag" + ANY)]
Unlabelled = Annotated[bool, typer.Option("--unlabelled", help="Only images without a label: of --tag, else final.")]
Annotators = Annotated[
    list[str] | None, typer.Option(metavar="NAME", help="Only images whose final label is theirs" + ANY)
]
Structures = Annotated[
    list[str] | None, typer.Option(metavar="NAME", help="Only images with a label that names it" + ANY)
]
Infos = Annotated[
    list[str] | None,
    typer.Option(metavar="KEY=VALUE", help="Only images whose info has it, or just KEY; dots lead inside. Repeatable."),
]
Sort = Annotated[
    str, typer.Option(metavar="BY", help="id, time, added, size or state; with - before it the other way round.")
]
Skip = Annotated[int, typer.Option(min=0, metavar="N", help="Pass over that many.")]
Limit = Annotated[int | None, typer.Option(min=1, metavar="N", help="At most that many.")]


def list_images(
    folder: Folder,
    text: Text = "",
    state: States = None,
    tag: Tags = None,
    unlabelled: Unlabelled = False,
    annotator: Annotators = None,
    structure: Structures = None,
    info: Infos = None,
    sort: Sort = "id",
    skip: Skip = 0,
    limit: Limit = None,
    as_json: AsJson = False,
    read_only: ReadOnly = False,
) -> None:
    """List the images: their labels' tags, state, annotator and last change."""
    from monailabel.datastore import find

    without = (tag or "final") if unlabelled else None
    wanted = {
        "text": text, "state": state, "tag": None if unlabelled else tag, "without_tag": without,
        "annotator": annotator, "structure": structure, "info": find.words(info or []), "sort": sort,
    }  # fmt: skip
    with opening.reading(folder, read_only) as datastore:
        images = itertools.islice(_found(datastore, wanted, skip), limit)
        if as_json:
            printing.document(list(images))
        else:
            printing.table(
                ("image", "labels", "state", "annotator", "changed"),
                ([" ".join(i[c]) if c == "tags" else i[c] for c in FOUND] for i in images),
            )


def _found(datastore: "LocalDatastore", wanted: dict[str, Any], skip: int) -> Iterator[dict[str, Any]]:
    after = None
    while True:
        page = datastore.find_images(**wanted, after=after, skip=skip, limit=FOUND_AT_ONCE)
        yield from page.images
        skip = 0  # the next page begins after this one
        if (after := page.next) is None:
            return
