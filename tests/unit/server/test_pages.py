"""The plain pages: they load nothing from elsewhere, run no script, and show every word as a word."""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from monailabel.server import ui
from tests.unit.server.running import Server

HOSTILE = '<img src=x onerror="alert(1)">'


@pytest.fixture(autouse=True)
def _without_viewer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Take the viewer away, in whose place the root then has a plain page."""
    monkeypatch.setattr(ui, "BUILT", tmp_path / "nowhere")
    ui.file.cache_clear()
    yield
    ui.file.cache_clear()


def test_the_root_shows_what_is_served(server: Server) -> None:
    """Name and counts, and links that lead somewhere; HEAD answers too."""
    answer = server.get("/")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert "<td>images</td><td>2</td>" in answer.body.decode()
    for link in re.findall('href="([^"]+)"', answer.body.decode()):
        assert server.get(link).status in (200, 409)
    assert server.ask("HEAD", "/").status == 200


def test_every_word_stays_a_word(serve: Callable[..., Server]) -> None:
    """A name, a description and a tag with HTML in them are shown, not obeyed."""
    server = serve()
    server.store.set_description(HOSTILE)
    server.put("/datastore/label?image=case_1&tag=%3Cimg%20src=x%3E", "label", "x.nii.gz", b"voxels")
    page = server.get("/").body.decode()
    assert "&lt;img src=x onerror=" in page
    assert "<img" not in page


def test_the_documentation_shows_each_address(shared: Server) -> None:
    """Every path, method and parameter of the OpenAPI document is on the page."""
    page, document = shared.get("/docs").body.decode(), shared.get("/openapi.json").json
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            assert f"<code>{method.upper()} {path}</code>" in page
            assert all(f"<td>{p['name']}</td>" in page for p in operation.get("parameters", ()))


def test_a_page_asks_nobody_else(shared: Server) -> None:
    """No address of another host, no script, and a policy that allows neither."""
    for address in ("/", "/docs"):
        answer = shared.get(address)
        assert not re.findall(r"(?:src|href)=\"(?:https?:)?//", answer.body.decode())
        assert "<script" not in answer.body.decode()
        policy = answer.headers["content-security-policy"]
        assert policy.startswith("default-src 'none'")
        assert "unsafe" not in policy
