"""What the tests of the server share."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from tests.unit.server.running import Server, folder_of_two, running


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Callable[..., Server]]:
    """Give a function that serves a fresh folder of two images with the settings that it is given."""
    with ExitStack() as stack:
        yield lambda **settings: stack.enter_context(running(folder_of_two(tmp_path / "studies"), **settings))


@pytest.fixture
def server(serve: Callable[..., Server]) -> Server:
    """Give a server of a fresh folder of two images."""
    return serve()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: Any) -> Iterator[Server]:
    """Give a server that the tests of one file share, because they change nothing or only what is their own."""
    with running(folder_of_two(tmp_path_factory.mktemp("shared") / "studies")) as server:
        yield server
