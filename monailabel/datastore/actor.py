"""Who makes a change."""

import getpass
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from functools import cache


@dataclass(frozen=True, slots=True)
class Actor:
    """A client's or a user's name, and whether it was proven."""

    name: str
    authenticated: bool = False


UNKNOWN = Actor("unknown")  # what other programs do to the folder

_acting: ContextVar[Actor | None] = ContextVar("acting", default=None)


@contextmanager
def acting_as(actor: Actor) -> Iterator[None]:
    """Record the changes made inside under another name."""
    token = _acting.set(actor)
    try:
        yield
    finally:
        _acting.reset(token)


def acting(otherwise: str | None) -> Actor:
    """Give who acts here: who was named last, else the given one, else the operating system's user."""
    return _acting.get() or Actor(otherwise or _user())


@cache
def _user() -> str:
    """Ask the system once: the answer costs more than an update of an info."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):  # a user without a name, as in many containers
        return "unknown"
