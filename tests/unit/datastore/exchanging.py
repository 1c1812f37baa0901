"""Exchanges a folder for a link in the middle of a change, as somebody who means harm would."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from unittest import mock

from monailabel.datastore import change


@contextmanager
def exchanged_for_a_link(place: Path, target: Path, aside: Path, step: str) -> Iterator[None]:
    """Put a folder aside and a link in its place, once, when a change within the block enters a step."""

    def exchange(entered: str) -> None:
        if entered == step and not aside.exists():
            place.rename(aside)
            place.symlink_to(target)

    with mock.patch.object(change, "on_step", exchange):
        yield
