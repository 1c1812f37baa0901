"""The verb that checks: check."""

import dataclasses
from collections.abc import Generator, Iterable, Iterator
from contextlib import closing
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from monailabel.cli import opening, printing
from monailabel.cli.options import AsJson, Folder, ReadOnly

if TYPE_CHECKING:
    from monailabel.datastore.check import Finding

    Findings = Generator[Finding, None, None]

HEADINGS = ("", "kind", "found", "remedy")


def check(
    folder: Folder,
    repair: Annotated[bool, typer.Option("--repair", help="Put right what can be without losing anything.")] = False,
    deep: Annotated[bool, typer.Option("--deep", help="Read every file, and compare its bytes.")] = False,
    head: Annotated[
        str | None, typer.Option(metavar="SEQ:CHAIN", help="A head of the events that the log or somebody noted.")
    ] = None,
    as_json: AsJson = False,
    read_only: ReadOnly = False,
) -> None:
    """Say what is wrong, and what to do.

    The exit status is 1 while something remains to be done.
    """
    if repair and read_only:
        raise typer.BadParameter("changes the folder, which --read-only forbids", param_hint="--repair")
    opening.found(folder)
    found: list[Finding] = []
    with (
        printing.bar() as tell,
        closing(_findings(folder, tell, read_only, deep=deep, repair=repair, head=head)) as findings,
    ):
        if as_json:
            found += findings
            printing.document([{**dataclasses.asdict(one), "stands": one.stands} for one in found])
        else:
            printing.table(HEADINGS, _rows(findings, found))
    standing = sum(finding.stands for finding in found)
    printing.note(f"remains to be done: {standing}, repaired: {sum(finding.repaired for finding in found)}")
    if standing:
        raise typer.Exit(1)


def _findings(folder: Path, tell: printing.Tell | None, read_only: bool, **how: Any) -> "Findings":
    from monailabel.datastore.check import check
    from monailabel.server.settings import Settings

    extensions = Settings.from_environment(folder=str(folder)).extensions
    untouched = read_only or opening.stays(folder)
    yield from check(folder, read_only=untouched, extensions=extensions, progress=tell, **how)


def _rows(findings: Iterable["Finding"], found: list["Finding"]) -> Iterator[tuple[str, ...]]:
    """Give a row for each finding, and note it."""
    for finding in findings:
        found.append(finding)
        state = "repaired" if finding.repaired else "stands" if finding.stands else "fine"
        yield state, finding.kind, finding.what, finding.remedy
