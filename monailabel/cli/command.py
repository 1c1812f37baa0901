"""The program: its name, its help, and its verbs in the order in which the help lists them."""

from typing import Annotated

import typer

from monailabel import __version__
from monailabel.cli import backing_up, changing, checking, erasing, listing, looking, printing, serving, telling

PROGRAM = "monailabel-datastore"

app = typer.Typer(
    epilog="Every verb takes the datastore's FOLDER first, restore-backup the backup.",
    no_args_is_help=True,
    rich_markup_mode=None,  # plain help: the coloured one takes twice the time to start
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _print_version(wanted: bool) -> None:
    if wanted:
        printing.lines([f"{PROGRAM} {__version__}"])
        raise typer.Exit


@app.callback()
def _program(
    version: Annotated[
        bool, typer.Option("--version", is_eager=True, callback=_print_version, help="Print the version and leave.")
    ] = False,
) -> None:
    """Images, labels and their metadata in a plain folder, for every tool at once."""


app.command()(serving.serve)
app.command()(serving.demo)
app.command()(looking.status)
app.command("list")(listing.list_images)
app.command()(looking.show)
app.command()(changing.add)
app.command()(changing.label)
app.command()(changing.info)
app.command()(changing.remove)
app.command()(changing.restore)
app.command()(changing.refresh)
app.command()(checking.check)
app.command()(backing_up.backup)
app.command("restore-backup")(backing_up.restore_backup)
app.command()(erasing.prune)
app.command()(telling.history)
app.command()(telling.events)
app.command()(looking.export)
