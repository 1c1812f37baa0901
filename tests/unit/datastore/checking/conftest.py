"""What the tests of a check share: looking at a folder, and changing its catalog as somebody with a tool would."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import apsw
import pytest

from monailabel.datastore.check import Finding, check


@pytest.fixture
def found(folder: Path) -> Callable[..., list[Finding]]:
    """Give the function that checks the folder, however full this machine's disk is and whatever it has beside it."""

    def run(**options: Any) -> list[Finding]:
        return [finding for finding in check(folder, low_space=0, **options) if finding.kind != "module"]

    return run


@pytest.fixture
def alter(folder: Path) -> Callable[..., None]:
    """Give the function that runs SQL on the catalog past the datastore."""

    def run(sql: str, *values: object) -> None:
        connection = apsw.Connection(str(folder / ".monailabel" / "catalog.db"))
        connection.execute(sql, values).get
        connection.close()

    return run
