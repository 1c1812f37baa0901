"""What a person does with the viewer's page, and what they see on it."""

import base64
import io
import re
import time
from collections.abc import Callable

import numpy as np
from PIL import Image
from playwright.sync_api import Locator, Page, expect

PATIENCE = 120_000  # ms; a busy machine is slower, and no less right

Colour = tuple[int, int, int]
CHANGE_COLOURS = {"added": (60, 220, 120), "removed": (255, 70, 160), "renamed": (255, 190, 40)}
Pixels = np.ndarray[tuple[int, int, int], np.dtype[np.int16]]


def shows(page: Page, images: list[str]) -> None:
    """Wait until these cases, in this order, are what the list shows."""
    found: list[str] = []

    def is_shown() -> bool:
        entries = page.locator(".entry").evaluate_all(
            "all => all.map(e => [Number(e.ariaPosInSet), e.querySelector('a')?.dataset.id ?? '…'])"
        )
        found[:] = [name for _, name in sorted(entries)]
        return found == images

    until(is_shown, page, lambda: f"the list shows {found} instead of {images}")


def tile(page: Page, image: str) -> Locator:
    """Give the tile or line of a case."""
    return page.locator(f'.entry a[data-id="{image}"]')


def open_case(page: Page, image: str, query: str = "?view=axial") -> Locator:
    """Go to a case and give its canvas with the volume; one plane alone is drawn fastest without a graphics card."""
    page.goto(f"/ui/case/{image}{query}")
    return drawn(page)


def drawn(page: Page, count: int = 1) -> Locator:
    """Give the canvas once the volume is drawn."""
    canvas = page.locator("canvas[data-drawn=true]")
    expect(canvas).to_have_count(count)
    return canvas.first


def labelled(page: Page) -> Locator:
    """Give the canvas once the label is drawn over the volume."""
    canvas = page.locator("canvas[data-label=true]").first
    expect(canvas).to_be_visible()
    return canvas


def pixels(locator: Locator) -> Pixels:
    """Give the pixels of an element as they are on the screen: rows, columns, red green blue."""
    return np.array(Image.open(io.BytesIO(locator.screenshot())).convert("RGB"), np.int16)


def share(locator: Locator, colour: Colour, tolerance: int = 45) -> float:
    """Give the share of an element's pixels that have a colour, through which the image shimmers."""
    return float((np.abs(pixels(locator) - np.array(colour)) <= tolerance).all(axis=2).mean())


def tinted(locator: Locator, colour: Colour, tolerance: int = 8) -> float:
    """Give the share of an element's pixels that have a colour's hue, however faint it lies over the image."""
    picture = np.array(Image.open(io.BytesIO(locator.screenshot())).convert("HSV"), np.int16)
    hue, saturation, value = np.moveaxis(picture, 2, 0)
    away = np.abs(hue - Image.new("RGB", (1, 1), colour).convert("HSV").getpixel((0, 0))[0])  # type: ignore[index]
    return float(((np.minimum(away, 256 - away) <= tolerance) & (saturation > 40) & (value > 40)).mean())


def bright(locator: Locator) -> float:
    """Give the share of an element's pixels that are not nearly black."""
    return float((pixels(locator).max(axis=2) > 40).mean())


def until(condition: Callable[[], bool], page: Page, complaint: Callable[[], str] | None = None) -> None:
    """Wait until something about the pixels holds, which no selector tells."""
    end = time.monotonic() + PATIENCE / 1000
    while not condition():
        assert time.monotonic() < end, complaint() if complaint else f"it did not come to pass: {condition}"
        page.wait_for_timeout(50)


def differs(canvas: Locator, before: Pixels, page: Page) -> None:
    """Wait until a canvas shows clearly something else."""
    until(lambda: bool((np.abs(pixels(canvas) - before) > 30).any(axis=2).mean() > 0.01), page)


def slide(element: Locator, right: int, down: int, page: Page) -> None:
    """Slide a thumb over an element, from its middle."""
    box = element.bounding_box()
    assert box
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    finger = page.context.new_cdp_session(page)
    finger.send("Input.dispatchTouchEvent", {"type": "touchStart", "touchPoints": [{"x": x, "y": y}]})
    for part in (1 / 3, 2 / 3, 1):
        at = {"x": x + right * part, "y": y + down * part}
        finger.send("Input.dispatchTouchEvent", {"type": "touchMove", "touchPoints": [at]})
    finger.send("Input.dispatchTouchEvent", {"type": "touchEnd", "touchPoints": []})


def drop(page: Page, name: str, data: bytes) -> None:
    """Drag a file over the page and let it fall."""
    files = page.evaluate_handle(
        """([name, bytes]) => {
            const transfer = new DataTransfer();
            transfer.items.add(new File([Uint8Array.from(atob(bytes), c => c.charCodeAt(0))], name));
            return transfer;
        }""",
        [name, base64.b64encode(data).decode()],
    )
    for kind in ("dragenter", "dragover", "drop"):
        page.dispatch_event("main", kind, {"dataTransfer": files})


def shade(value: int) -> Colour:
    """Give the colour of a structure, as docs/http.md defines it."""
    import colorsys

    return tuple(round(255 * part) for part in colorsys.hsv_to_rgb((0.4 + value * 0.618034) % 1, 0.7, 1))  # type: ignore[return-value]


def opacity(page: Page, value: float) -> None:
    """Set how strong the label is."""
    page.locator("input[name=opacity]").fill(str(value))


def number(text: str | None) -> float:
    """Read the number in a text such as `32.0 ml`."""
    found = re.search(r"[\d.]+", text or "")
    assert found, f"no number in {text!r}"
    return float(found.group())
