"""The schema and the way up to it from every earlier one."""

import re
from importlib.resources import files
from pathlib import Path

import apsw

from monailabel.catalog.sqlite import SCHEMA_VERSION, SqliteCatalog


def shape(connection: apsw.Connection) -> dict[str, str]:
    """Give the SQL of every table, index and trigger without comments and white space."""
    rows = connection.execute("SELECT name, sql FROM sqlite_schema WHERE sql IS NOT NULL")
    return {name: re.sub(r"--[^\n]*|\s+", "", sql) for name, sql in rows}


def migrations() -> list[str]:
    """Give the text of every step, in order."""
    folder = files("monailabel.catalog").joinpath("migrations")
    return [p.read_text() for p in sorted(folder.iterdir(), key=lambda p: p.name) if p.name.endswith(".sql")]


def test_the_steps_lead_to_the_schema(tmp_path: Path) -> None:
    """A catalog that came up step by step has the same tables as a new one."""
    stepped = apsw.Connection(":memory:")
    for step in migrations():
        stepped.execute(step).get
    SqliteCatalog(str(tmp_path / "catalog.db")).close()
    assert len(migrations()) == SCHEMA_VERSION
    assert shape(stepped) == shape(apsw.Connection(str(tmp_path / "catalog.db")))


def test_an_older_catalog_is_brought_up(tmp_path: Path) -> None:
    """A catalog of the first schema keeps its rows when it is opened."""
    path = tmp_path / "catalog.db"
    old = apsw.Connection(str(path))
    old.execute(migrations()[0]).get
    old.execute("INSERT INTO setting VALUES ('name', 'kept'); PRAGMA user_version = 1").get
    old.close()
    catalog = SqliteCatalog(str(path))
    assert catalog.settings() == {"name": "kept"}
    catalog.close()
    assert apsw.Connection(str(path)).pragma("user_version") == SCHEMA_VERSION
