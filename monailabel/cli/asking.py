"""Asks before something goes for good: on a terminal the person, elsewhere the option --yes."""

import sys
from typing import Annotated

import typer

from monailabel.interfaces.exception import ConflictException

Yes = Annotated[bool, typer.Option("--yes", help="Do not ask.")]


def confirm(what: str, yes: bool) -> None:
    """Go on where the person says yes. Raises ConflictException otherwise."""
    if not yes and _answer(f"{what}? [y/N] ", what).lower() not in ("y", "yes"):
        raise ConflictException("nothing was removed")


def typed(word: str, what: str, yes: bool) -> None:
    """Go on where the person types a word again. Raises ConflictException otherwise."""
    if not yes and _answer(f"{what}; type {word} again to go on: ", what) != word:
        raise ConflictException("nothing was removed: that was another word")


def _answer(question: str, what: str) -> str:
    if not sys.stdin.isatty():
        raise ConflictException(f"nothing was removed, as nobody can be asked here: say --yes to {what}")
    sys.stderr.write(question)  # what is asked is no result, which may go into a file
    sys.stderr.flush()
    return sys.stdin.readline().strip()
