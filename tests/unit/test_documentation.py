"""The documentation: its code runs, its links lead somewhere, and it names every verb, setting and address."""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import typer

from monailabel import __version__
from monailabel.cli.command import app
from monailabel.server.settings import Settings

PROJECT = Path(__file__).parents[2]
PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").glob("*.md"))]
ADDRESS = "http://127.0.0.1:8000"
BLOCK = re.compile(r"^ *```(\w+)\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
# A machine without curl runs the Python alone.
KINDS = {"python": [sys.executable, "-W", "error"], **({"bash": ["bash", "-eu"]} if shutil.which("curl") else {})}
RUN = [(page, kind) for page in PAGES for kind in KINDS if f"```{kind}\n" in page.read_text()]


def _code(page: Path, kind: str) -> str:
    """Give a page's code of one kind, each line at the number that it has in the page."""
    text, lines = page.read_text(), [""] * (page.read_text().count("\n") + 1)
    for block in BLOCK.finditer(text):
        if block.group(1) == kind:
            first = text.count("\n", 0, block.start(2))
            for number, line in enumerate(block.group(2).splitlines()):
                lines[first + number] = line
    return "\n".join(lines)


def _all_pages() -> str:
    return "\n".join(page.read_text() for page in PAGES)


@pytest.fixture
def data(brains: Path) -> Path:
    """Give the folder that stands for `/data` in the documentation."""
    shutil.copy(brains / "mni152_t1.nii.gz", brains.parent / "new_scan.nii.gz")
    shutil.copy(brains / "labels" / "final" / "mni152_t1.nii.gz", brains.parent / "new_label.nii.gz")
    return brains.parent


@contextmanager
def _served(folder: Path) -> Iterator[str]:
    command = [sys.executable, "-m", "monailabel.cli", "serve", str(folder), "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as server:
        try:
            assert server.stdout
            address = re.search(r"http://[\d.:]+", server.stdout.readline())
            assert address
            yield address.group()
        finally:
            server.terminate()


def _path_with_program(folder: Path) -> str:
    program = folder / "bin" / "monailabel-datastore"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m monailabel.cli "$@"\n')
    program.chmod(0o755)
    return f"{program.parent}{os.pathsep}{os.environ['PATH']}"


@pytest.mark.parametrize(("page", "kind"), RUN, ids=[f"{page.name} {kind}" for page, kind in RUN])
def test_the_code_of_a_page_runs(page: Path, kind: str, data: Path, tmp_path: Path) -> None:
    """All code of one kind on a page, run from top to bottom beside a copy of real data, ends without an error."""
    place = tmp_path / "elsewhere"
    place.mkdir()
    script = place / page.name
    with _served(data / "brains") as address:
        script.write_text(_code(page, kind).replace("/data/", f"{data}/").replace(ADDRESS, address))
        environment = {**os.environ, "PATH": _path_with_program(tmp_path), "PYTHONPATH": str(PROJECT)}
        command = [*KINDS[kind], str(script)]
        ran = subprocess.run(command, cwd=place, env=environment, capture_output=True, text=True, timeout=120)
    assert ran.returncode == 0, ran.stdout + ran.stderr


@pytest.mark.parametrize("page", [*PAGES, PROJECT / "CONTRIBUTING.md", PROJECT / "CHANGELOG.md"], ids=lambda p: p.name)
def test_links_lead_to_files_that_are_there(page: Path) -> None:
    """Every relative link of a page, and every picture in it, names a file of the project."""
    assert [target for target in _targets(page) if not (page.parent / target).exists()] == []


def _targets(page: Path) -> list[str]:
    text = page.read_text()
    links = re.findall(r"\]\((?!https?:|#)([^)#\s]+)", text)
    return links + re.findall(r"<(?:img|source)\b[^>]*?\bsrc(?:set)?=\"([^\"]+)", text)


def test_every_picture_is_shown() -> None:
    """No picture of docs/images is left over: each is on some page."""
    shown = {(page.parent / target).resolve() for page in PAGES for target in _targets(page)}
    assert {path for path in (PROJECT / "docs" / "images").iterdir() if path not in shown} == set()


def test_every_verb_is_in_the_readme() -> None:
    """The README's table has each verb of the command line, and none that is not there."""
    verbs = set(typer.main.get_command(app).commands)  # type: ignore[attr-defined]
    listed = re.findall(r"^\| `([a-z][a-z-]*)( [A-Z].*)?` \|", (PROJECT / "README.md").read_text(), re.MULTILINE)
    assert {verb for verb, _ in listed} == verbs


def test_every_option_of_serve_is_in_the_readme() -> None:
    """Whatever `serve` takes is in the README."""
    readme = (PROJECT / "README.md").read_text()
    serve = typer.main.get_command(app).commands["serve"]  # type: ignore[attr-defined]
    options = {word for option in serve.params for word in option.opts if word.startswith("--")}
    assert {option for option in options if f"`{option}`" not in readme} == set()


def test_every_variable_that_is_read_is_documented() -> None:
    """Each MONAI_LABEL_ variable that the code names is in the documentation."""
    code = "\n".join(path.read_text() for path in (PROJECT / "monailabel").rglob("*.py"))
    assert {name for name in re.findall(r"MONAI_LABEL_[A-Z_]*[A-Z]", code) if name not in _all_pages()} == set()


def test_every_setting_of_the_server_is_documented() -> None:
    """Each field of the server's settings is in the documentation, under its own name or as an option."""
    text = _all_pages()
    known = {name for name in Settings.model_fields if f"--{name.replace('_', '-')}" in text or f"`{name}`" in text}
    assert set(Settings.model_fields) - known <= {"folder"}  # FOLDER, an argument


def test_every_address_of_the_server_is_documented(tmp_path: Path) -> None:
    """Each path of the OpenAPI document is in the documentation."""
    from monailabel.server.app import create_app

    text = _all_pages()
    paths = create_app(Settings.from_environment(folder=str(tmp_path))).openapi()["paths"]
    assert [path for path in paths if path.rstrip("/") not in text] == []


def test_the_changelog_speaks_of_this_version() -> None:
    """The version of the package has its own heading."""
    assert f"\n## {__version__}" in (PROJECT / "CHANGELOG.md").read_text()
