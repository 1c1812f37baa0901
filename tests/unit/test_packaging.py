"""The package as it is installed: it brings what it imports, and each of its modules says what it is for."""

import ast
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import packages_distributions
from pathlib import Path

import pytest

PROJECT = Path(__file__).parents[2]
MODULES = sorted((PROJECT / "monailabel").rglob("*.py"))


def _imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name.partition(".")[0] for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module.partition(".")[0]


def _plain(name: str) -> str:
    return re.sub(r"[-_.]+", "-", re.split(r"[ <>=!~;\[]", name)[0]).lower()


def test_an_install_brings_what_the_package_imports() -> None:
    """Every package from outside that a module imports is among the dependencies, or what one of them is made with."""
    declared = tomllib.loads((PROJECT / "pyproject.toml").read_text())["project"]["dependencies"]
    known = {_plain(name) for name in declared} | {"starlette", "pydantic-core"}  # of FastAPI, of pydantic
    imported = {name for path in MODULES for name in _imports(ast.parse(path.read_text()))}
    outside = imported - set(sys.stdlib_module_names) - {"monailabel"}
    brought = packages_distributions()
    assert [n for n in sorted(outside) if not {_plain(d) for d in brought.get(n, [n])} & known] == []


def test_opening_a_datastore_imports_nothing_heavy(tmp_path: Path) -> None:
    """A new folder opens, and takes a change, without the libraries that only documents, servers or archives need."""
    code = """
import sys
from monailabel.datastore.local import LocalDatastore
with LocalDatastore(sys.argv[1]) as store:
    store.set_name("a name")
print(*sorted({"pydantic", "orjson", "watchfiles", "zipstream", "fastapi", "numpy", "typer"} & set(sys.modules)))
"""
    command = [sys.executable, "-c", code, str(tmp_path / "folder")]
    child = subprocess.run(command, capture_output=True, text=True, check=True, cwd=PROJECT)
    assert child.stdout.split() == []


@pytest.mark.parametrize("path", MODULES, ids=lambda path: str(path.relative_to(PROJECT)))
def test_a_module_begins_with_a_sentence(path: Path) -> None:
    """The first line of every module is one sentence that says what it is for."""
    assert re.fullmatch(r'r?"""\S[^\n]*[.:](""")?', path.read_text().split("\n", 1)[0])
