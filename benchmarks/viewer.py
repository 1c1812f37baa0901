"""Measures the viewer in a browser without a graphics card: a grid of many cases, a volume, a large CT."""

import argparse
import gzip
import os
import shutil
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import nibabel as nib
import numpy as np
from playwright.sync_api import Browser, Locator, Page

from benchmarks import folders, machine, report, servers
from benchmarks.children import ask
from benchmarks.results import Results, Who
from benchmarks.telling import note
from hatch_build import build
from monailabel import demo
from monailabel.imaging.voxels import Array
from tests.browser import chromium
from tests.browser.screen import pixels, shade, tinted, until
from tests.compatibility.monai_label.released import PROJECT

LAPTOP = {"width": 1366, "height": 768}
SECONDS = 300  # that anything may take
CASES = 10_000
IN_VIEW = 60  # cases of the grid that are volumes with labels; the others are small, and nobody looks at them
VOLUME_SHAPE = (128, 128, 128)
CT_SHAPE = (512, 512, 200)
CT_VOXEL = (0.7, 0.7, 1.5)  # mm
COARSE = (4, 4, 4)  # voxels of the CT that are of one structure
NOISE = 30  # of the CT, in Hounsfield units
SLICES = 10

# rows of the table in rows.py
MADE_NOW = "the viewer's grid: first picture, made for it"
MADE_BEFORE = "the viewer's grid: first picture, made before"
VOLUME = "the viewer's case: 128 x 128 x 128 with its label"
PLANE = "the viewer's case: a CT of 512 x 512 x 200, its first plane"
REDUCED = "the viewer's case: the CT with its label, at what the machine can draw"
SLICE = "the viewer's case: its next slice"
WHOLE = "the viewer's case: all voxels of the CT, on request"

Moment = Callable[[Page], None]
"""Waits until something is seen."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Measure and print; give 0, or 2 where the folder lies in memory."""
    options = _options().parse_args(arguments)
    try:
        with folders.scratch(options.folder) as place:
            print(report.summary(_measured(place, options.cases, options.rounds)))
    except folders.NotADisk as refusal:
        print(refusal, file=sys.stderr)
        return 2
    return 0


def _options() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.viewer", description=__doc__)
    parser.add_argument("--cases", type=int, default=CASES, help="of the grid")
    parser.add_argument("--rounds", type=int, default=5, help="fresh windows for each figure")
    parser.add_argument("--folder", type=Path, default=PROJECT / "build", help="where to work, on a real disk")
    return parser


# ---- what is measured


def _measured(place: Path, cases: int, rounds: int) -> Results:
    build(PROJECT)
    results, load = Results(machine.describe(place)), os.getloadavg()[0]
    with chromium.started() as browser:
        results.machine["browser"] = f"Chromium {browser.version}, drawing in software"
        _grid(browser, results, place / "grid", cases, rounds)
        _volumes(browser, results, place / "volumes", rounds)
    results.machine["load"] = f"{load:.1f} before, {os.getloadavg()[0]:.1f} after"
    return results


def _grid(browser: Browser, results: Results, folder: Path, cases: int, rounds: int) -> None:
    note(f"the grid of {cases:,} cases")
    _make_cases(folder, cases)
    ask(Who.OURS, "opening:first", folder=str(folder), checksums=True)
    with servers.ours(folder) as port:
        for _ in range(rounds):
            _forget_pictures(folder)
            for name in (MADE_NOW, MADE_BEFORE):
                (seconds,) = _visited(browser, f"http://127.0.0.1:{port}/ui/", _first_picture)
                results.add(Who.OURS, cases, {name: [seconds]})


def _volumes(browser: Browser, results: Results, folder: Path, rounds: int) -> None:
    note("volumes")
    _make_volumes(folder)
    with servers.ours(folder) as port:
        address = f"http://127.0.0.1:{port}/ui/case"
        for _ in range(rounds):
            results.add(Who.OURS, 0, {VOLUME: _visited(browser, f"{address}/head", _labelled)})
            _forget_pictures(folder)
            first, usable, slices = _visited(browser, f"{address}/ct", _first_plane, _labelled, _next_slices)
            results.add(Who.OURS, 0, {PLANE: [first], REDUCED: [usable], SLICE: [(slices - usable) / SLICES]})
        reduced, whole = _visited(browser, f"{address}/ct", _labelled, _at_full_resolution)
        results.add(Who.OURS, 0, {WHOLE: [whole - reduced]})


def _visited(browser: Browser, address: str, *moments: Moment) -> list[float]:
    """Open an address in a fresh window; give the seconds from then on at which each moment came."""
    context = browser.new_context(viewport=LAPTOP)  # type: ignore[arg-type]
    context.set_default_timeout(1000 * SECONDS)
    page = context.new_page()
    begin, seconds = time.perf_counter(), []
    page.goto(address, wait_until="commit")
    for moment in moments:
        moment(page)
        seconds.append(time.perf_counter() - begin)
    context.close()
    return seconds


# ---- the moments


def _first_picture(page: Page) -> None:
    page.locator(".tile .thumbnail.there").first.wait_for()
    _painted(page)


def _first_plane(page: Page) -> None:
    page.wait_for_function("() => document.querySelector('.pane .first')?.naturalWidth > 0")
    _painted(page)


def _painted(page: Page) -> None:
    """Wait until what is in the page by now was drawn."""
    page.evaluate("new Promise(drawn => requestAnimationFrame(() => requestAnimationFrame(drawn)))")


def _labelled(page: Page) -> None:
    """Wait until the canvas has the label's colours over the volume."""
    page.locator("canvas[data-label=true]").wait_for()
    canvas = page.locator("canvas")
    until(lambda: all(tinted(canvas, shade(s.value)) > 0.001 for s in (demo.SKULL, demo.LEFT_VENTRICLE)), page)


def _next_slices(page: Page) -> None:
    canvas = page.locator("canvas")
    for _ in range(SLICES):
        _pressed(page, "ArrowUp", canvas)


def _pressed(page: Page, key: str, canvas: Locator) -> None:
    before = pixels(canvas)
    page.keyboard.press(key)
    until(lambda: bool((pixels(canvas) != before).any()), page)


def _at_full_resolution(page: Page) -> None:
    page.get_by_role("button", name="Load all of it").click()
    page.get_by_role("button", name="Load all of it").wait_for(state="detached")
    page.locator("canvas[data-label=true]").wait_for()
    page.locator(".coming").wait_for(state="detached")
    _labelled(page)


# ---- what is looked at


def _make_cases(folder: Path, cases: int) -> None:
    """Write a folder of images of which the first, which come into view, have labels."""
    labels = folder / "labels" / "final"
    labels.mkdir(parents=True)
    image, label = _noisy(VOLUME_SHAPE, (1, 1, 1))
    scan, drawn, small = (_packed(voxels) for voxels in (image, label, image[::8, ::8, ::8]))
    for number in range(cases):
        name = f"case_{number:06}.nii.gz"
        (folder / name).write_bytes(scan if number < IN_VIEW else small)
        if number < IN_VIEW:
            (labels / name).write_bytes(drawn)


def _make_volumes(folder: Path) -> None:
    labels = folder / "labels" / "final"
    labels.mkdir(parents=True)
    for id, shape, coarse in (("head", VOLUME_SHAPE, (1, 1, 1)), ("ct", CT_SHAPE, COARSE)):
        image, label = (_packed(voxels) for voxels in _noisy(shape, coarse))
        (folder / f"{id}.nii.gz").write_bytes(image)
        (labels / f"{id}.nii.gz").write_bytes(label)
        note(f"{id}: {len(image) / 1e6:.1f} MB, its label {len(label) / 1e6:.1f} MB")


def _noisy(shape: tuple[int, int, int], coarse: tuple[int, int, int]) -> tuple[Array, Array]:
    """Draw the phantom, in blocks of so many voxels, with the noise of a scanner, so that it packs as badly as a CT."""
    x, y, z = (n // c for n, c in zip(shape, coarse, strict=True))
    few = (x, y, z)
    half = demo.HALF_EXTENT_MM
    affine = nib.affines.from_matvec(np.diag([2 * half / n for n in few]), [-half] * 3)
    image, label = (np.kron(part, np.ones(coarse, part.dtype)) for part in demo.phantom(few, affine))
    noise = np.random.default_rng(0).standard_normal(shape, np.float32) * NOISE
    return (image - 1000 * (label == 0) + noise).astype(np.int16), label


def _packed(voxels: Array) -> bytes:
    return gzip.compress(nib.Nifti1Image(voxels, np.diag([*CT_VOXEL, 1.0])).to_bytes(), 1)


def _forget_pictures(folder: Path) -> None:
    """Remove what was drawn before, which may be done at any time."""
    shutil.rmtree(folder / ".monailabel" / "pictures", ignore_errors=True)


if __name__ == "__main__":
    sys.exit(main())
