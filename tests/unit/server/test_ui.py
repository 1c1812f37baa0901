"""The addresses of the viewer: one page for all its places, files that can be kept for ever, and a strict policy."""

import gzip
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from hatch_build import build
from monailabel.server import ui
from tests.unit.server.running import Server

PROJECT = Path(__file__).parents[3]
PLACES = ("/", "/ui", "/ui/", "/ui/case/1.2.840.nii", "/ui/case/a%2Bb?tag=final", "/ui/review", "/ui/?state=flagged")
GONE = ("/train", "/train/", "/infer", "/models", "/uix", "/assets/main.js", "/viewer")


@pytest.fixture(scope="module", autouse=True)
def _built() -> None:
    build(PROJECT)


@pytest.fixture
def _fresh() -> Iterator[None]:
    ui.file.cache_clear()
    yield
    ui.file.cache_clear()


def _files(server: Server) -> list[str]:
    return re.findall(r'(?:href|src)="(/ui/assets/[^"]+)"', server.get("/").body.decode())


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_every_place_of_the_viewer_is_its_page(method: str, place: str, shared: Server) -> None:
    """200 and no redirect, also for ids with dots and a plus; MONAILabelReviewer asks for `/` and expects just that."""
    answer = shared.ask(method, place)
    assert answer.status == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert (b'<div id="app">' in answer.body) is (method == "GET")
    assert answer.headers["cache-control"] == "no-cache"


@pytest.mark.parametrize("address", GONE)
def test_no_other_address_begins_to_answer(address: str, shared: Server) -> None:
    """What clients probe for stays 404: Slicer takes any other answer of /train/ for a training that runs."""
    assert shared.get(address).status == 404


def test_its_files_can_be_kept_for_ever(shared: Server) -> None:
    """Script and style have their hash in their name, and come packed to whoever takes that."""
    assert {Path(name).suffix for name in _files(shared)} == {".js", ".css"}
    for name in _files(shared):
        plain, packed = shared.get(name), shared.get(name, accept_encoding="gzip, deflate")
        assert "immutable" in plain.headers["cache-control"]
        assert packed.headers["content-encoding"] == "gzip"
        assert gzip.decompress(packed.body) == plain.body
        assert plain.headers["vary"] == packed.headers["vary"] == "accept-encoding"


@pytest.mark.parametrize("name", ["main-0.js", "deep/main.js", "..%2Findex.html", "..%2F..%2Fapp.py", "%00"])
def test_files_that_are_not_the_viewers_are_not_there(name: str, shared: Server) -> None:
    """An unknown script is 404 and not the page, and no name leads out of the folder."""
    assert shared.get(f"/ui/assets/{name}").status == 404


def test_its_page_runs_no_script_but_its_own(shared: Server) -> None:
    """No inline script or style, nothing of another host; what may be loaded at all is listed."""
    answer = shared.get("/")
    policy = answer.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'; script-src 'self'; style-src 'self'")
    assert "unsafe" not in policy
    assert "connect-src 'self'" in policy
    page = answer.body.decode()
    assert not re.search(r"<script>|<style|style=|\son\w+=|(?:src|href)=\"(?:https?:)?//", page)


def test_the_licences_of_its_libraries_come_along(shared: Server) -> None:
    """Each library that is bundled, with its licence in full."""
    text = shared.get("/ui/licenses.txt").body.decode()
    for name in ("@niivue/niivue", "preact", "gl-matrix", "@fontsource-variable/inter"):
        assert re.search(rf"^{name} \d", text, re.MULTILINE)
    assert "Permission is hereby granted" in text


@pytest.mark.usefixtures("_fresh")
def test_without_the_viewer_the_root_says_so(
    serve: Callable[..., Server], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An installation that lacks it shows what is served, and how to get it."""
    monkeypatch.setattr(ui, "BUILT", tmp_path)
    page = serve().get("/").body.decode()
    assert "The browser viewer is missing" in page
    assert "<td>images</td><td>2</td>" in page
