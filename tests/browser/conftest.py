"""What the tests in a browser share: one browser, one server with real scans, and a page that may not misbehave."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from hatch_build import build
from monailabel import demo
from monailabel.datastore.local import LocalDatastore
from tests.browser import chromium
from tests.browser.cases import Cases
from tests.browser.screen import PATIENCE
from tests.unit.server.running import Server, running

PROJECT = Path(__file__).parents[2]
LAPTOP = {"viewport": {"width": 1000, "height": 640}}
PHONE = {"viewport": {"width": 390, "height": 780}, "has_touch": True, "is_mobile": True}

expect.set_options(timeout=PATIENCE)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Start the machine's own Chromium."""
    with chromium.started() as browser:
        yield browser


@pytest.fixture(scope="session")
def viewer() -> None:
    """Build the viewer from the sources as they are."""
    build(PROJECT)


@pytest.fixture(scope="session")
def server(viewer: None, tmp_path_factory: Any) -> Iterator[Server]:
    """Serve the demo's scans and phantoms, one real head, a photograph and a file that nobody can draw."""
    folder = tmp_path_factory.mktemp("browser") / "studies"
    demo.make(folder)
    brains = PROJECT / "tests" / "data" / "brains"
    with LocalDatastore(str(folder)) as store:
        store.add_image("mni152_t1", str(brains / "mni152_t1.nii.gz"), {"source": "ICBM 152"})
        label = brains / "labels" / "final" / "mni152_t1.nii.gz"
        named = [{"name": "grey matter", "idx": 1}, {"name": "white matter", "idx": 2}]
        store.save_label("mni152_t1", str(label), "final", {"client_id": "icbm", "label_info": named})
    with running(folder) as server:
        yield server


@pytest.fixture
def cases(server: Server, tmp_path: Path) -> Cases:
    """Give a way to make cases that belong to one test alone."""
    return Cases(server, tmp_path)


class Watched:
    """A browser's window whose pages may load nothing from elsewhere, breach no policy and raise no error."""

    def __init__(self, browser: Browser, server: Server, *, reviewer: str | None = "rita", **options: Any) -> None:
        self.context: BrowserContext = browser.new_context(base_url=server.url, **options)
        self.context.set_default_timeout(PATIENCE)
        if reviewer:
            self.context.add_init_script(f"localStorage.setItem('monailabel.reviewer', '{reviewer}')")
        self.complaints: list[str] = []
        self._own = server.url
        self.page = self.context.new_page()
        self.page.on("pageerror", lambda error: self.complaints.append(f"error: {error}"))
        self.page.on("dialog", lambda dialog: self.complaints.append(f"dialog: {dialog.message}"))
        self.page.on("console", self._hear)
        self.context.on("request", self._see)

    def _hear(self, message: Any) -> None:
        is_error = message.type == "error" and "status of 4" not in message.text  # a refusal is no fault of the page
        if is_error or "Content Security Policy" in message.text:
            self.complaints.append(f"{message.type}: {message.text}")

    def _see(self, request: Any) -> None:
        if not request.url.startswith((f"{self._own}/", "data:", f"blob:{self._own}/")):
            self.complaints.append(f"request to another host: {request.url}")

    def close(self) -> None:
        """Close the window, and fail if a page of it did what no page may."""
        self.context.close()
        assert self.complaints == []


def _window(browser: Browser, server: Server, **options: Any) -> Iterator[Page]:
    window = Watched(browser, server, **options)
    yield window.page
    window.close()


@pytest.fixture
def page(browser: Browser, server: Server) -> Iterator[Page]:
    """Give an empty page on a laptop, of somebody whom the viewer knows as `rita`."""
    yield from _window(browser, server, **LAPTOP)


@pytest.fixture
def phone(browser: Browser, server: Server) -> Iterator[Page]:
    """Give an empty page on a phone."""
    yield from _window(browser, server, **PHONE)
