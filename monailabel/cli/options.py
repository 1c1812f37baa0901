"""The arguments and options that several verbs share, and how a word on the command line becomes a value."""

import json
from pathlib import Path
from typing import Annotated, Any

import typer

Folder = Annotated[Path, typer.Argument(metavar="FOLDER", help="The datastore's folder.", show_default=False)]
ImageId = Annotated[str, typer.Argument(metavar="ID", help="The image's id.", show_default=False)]
AsJson = Annotated[bool, typer.Option("--json", help="Print JSON, for programs.")]
ReadOnly = Annotated[bool, typer.Option("--read-only", help="Write not a byte into the folder.")]
Create = Annotated[bool, typer.Option("--create", help="Make the folder if it is not there.")]
Layout = Annotated[
    str | None, typer.Option(metavar="NAME", help="Where a new datastore's files lie: flat, or sharded (256 folders).")
]
Recursive = Annotated[bool | None, typer.Option(help="Take in images in sub-folders as they come.")]
Tag = Annotated[str | None, typer.Option("--tag", metavar="TAG", help="The label's tag; without it, the image.")]
Settings = Annotated[
    list[str] | None,
    typer.Option("--set", metavar="KEY=VALUE", help="Info to set: JSON where it parses, else text. Repeatable."),
]


def info(settings: list[str] | None) -> dict[str, Any]:
    """Turn `KEY=VALUE` words into an info; a value that is no JSON is text."""
    values = {}
    for setting in settings or []:
        key, equals, value = setting.partition("=")
        if not equals or not key:
            raise typer.BadParameter(f"{setting!r} is not of the form KEY=VALUE", param_hint="--set")
        values[key] = _value(value)
    return values


def words(text: str) -> tuple[str, ...]:
    """Split what commas separate."""
    return tuple(word.strip() for word in text.split(",") if word.strip())


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
