"""Takes the pictures of the browser viewer in docs/images, with a real browser: `python -m docs.screenshots`."""

import io
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import nibabel as nib
import numpy as np
from PIL import Image
from playwright.sync_api import Browser, Page, expect

from hatch_build import build
from monailabel import demo
from monailabel.datastore.local import LocalDatastore
from monailabel.imaging.voxels import Array
from tests.browser import chromium
from tests.browser.screen import PATIENCE, Colour, labelled, shade, tinted, until
from tests.unit.server.running import running

PROJECT = Path(__file__).parents[1]
IMAGES = PROJECT / "docs" / "images"
BRAINS = PROJECT / "tests" / "data" / "brains"
LAPTOP = {"viewport": {"width": 1366, "height": 768}}
PHONE = {"viewport": {"width": 390, "height": 780}, "device_scale_factor": 2, "has_touch": True, "is_mobile": True}
COLOURS = 256  # of a picture's palette
MOST_BYTES = 300_000  # of a picture
TISSUES = ({"name": "grey matter", "idx": 1}, {"name": "white matter", "idx": 2})
ADDED, RENAMED = (60, 220, 120), (255, 190, 40)  # what differs between two versions of a label
WAITING = "in=state%3Dlabelled%26sort%3Dtime"  # the list that a review goes through


@dataclass(frozen=True)
class Shot:
    """A picture: its name, the address that it shows, and what is done there before it is taken."""

    name: str
    address: str
    prepare: Callable[[Page], None]
    schemes: tuple[str, ...] = ("light", "dark")
    screen: dict[str, Any] = field(default_factory=lambda: LAPTOP)


def main() -> None:
    """Take all pictures."""
    expect.set_options(timeout=PATIENCE)
    build(PROJECT)
    IMAGES.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch, chromium.started() as browser:
        folder = Path(scratch, "studies")
        _work(folder)
        with running(folder) as server:
            for shot in SHOTS:
                for scheme in shot.schemes:
                    name = f"{shot.name}-{scheme}.png"
                    size = _pack(_taken(browser, server.url, shot, scheme), IMAGES / name)
                    print(f"{name}: {size:,} bytes")


# ---- the datastore


def _work(folder: Path) -> None:
    """Make the demo, add a real head, and do what some people do in a morning."""
    demo.make(folder)
    with LocalDatastore(str(folder)) as store:
        store.set_name("brains")
        store.set_description("one real head, small scans and phantoms")
        with tempfile.TemporaryDirectory() as scratch:
            _segment(store, Path(scratch))
        _review(store, "phantom_1", "rita", "approved", "easy", "")
        _review(store, "phantom_2", "rita", "flagged", "hard", "left ventricle runs into the lesion, slices 20 to 24")


def _segment(store: LocalDatastore, scratch: Path) -> None:
    """Label the head twice, first by brightness alone, and a scan by another person."""
    store.add_image("mni152_t1", str(BRAINS / "mni152_t1.nii.gz"), {"source": "ICBM 152", "modality": "MR"})
    scan, exact = (_read(path) for path in (BRAINS / "mni152_t1.nii.gz", BRAINS / "labels/final/mni152_t1.nii.gz"))
    image, label = np.asarray(scan.dataobj), np.asarray(exact.dataobj)
    rough = np.digitize(image, [150, 204]).astype(np.uint8)
    for voxels, person in ((rough, "ben"), (label, "anna")):
        _save(store, "mni152_t1", _written(scratch, voxels, exact.affine), person, TISSUES)
    scan = _read(Path(store.get_image_uri("example4d")))
    brain = (np.asarray(scan.dataobj)[..., 0] > 200).astype(np.uint8)
    _save(store, "example4d", _written(scratch, brain, scan.affine), "carla", ({"name": "brain", "idx": 1},))


def _read(path: Path) -> nib.Nifti1Image:
    return nib.Nifti1Image.from_filename(path)


def _written(scratch: Path, voxels: Array, affine: Array) -> Path:
    path = scratch / "label.nii.gz"
    nib.Nifti1Image(voxels, affine).to_filename(path)
    return path


def _save(store: LocalDatastore, image: str, path: Path, person: str, structures: tuple[dict[str, Any], ...]) -> None:
    with store.acting_as(person):
        store.save_label(image, str(path), "final", {"client_id": person, "label_info": list(structures)})


def _review(store: LocalDatastore, image: str, person: str, status: str, level: str, comment: str) -> None:
    meta = {"status": status, "level": level, "approvedBy": person, "comment": comment, "editTime": int(time.time())}
    with store.acting_as(person):
        store.update_label_info(image, "final", {"segmentationMeta": meta})


# ---- what is seen of it


def _taken(browser: Browser, url: str, shot: Shot, scheme: str) -> bytes:
    context = browser.new_context(base_url=url, color_scheme=scheme, reduced_motion="reduce", **shot.screen)  # type: ignore[arg-type]
    context.set_default_timeout(PATIENCE)
    context.add_init_script("localStorage.setItem('monailabel.reviewer', 'rita')")
    page = context.new_page()
    page.goto(shot.address)
    shot.prepare(page)
    picture = _settled(page)
    context.close()
    return picture


def _settled(page: Page) -> bytes:
    """Give a picture of the page once letters and pictures are there and nothing moves any more."""
    page.wait_for_function("() => document.fonts.status === 'loaded'")
    page.wait_for_function("() => [...document.images].every(image => image.complete && image.naturalWidth)")
    expect(page.locator(".waiting, .coming")).to_have_count(0)
    seen = [b""]
    until(lambda: seen.append(page.screenshot()) or seen[-1] == seen[-2], page)  # type: ignore[func-returns-value]
    return seen[-1]


def _library(page: Page) -> None:
    expect(page.locator(".thumbnail")).not_to_have_count(0)
    expect(page.locator(".thumbnail:not(.there)")).to_have_count(0)


def _case(page: Page) -> None:
    _drawn(page, shade(1), shade(2))


def _reviewed(page: Page) -> None:
    _drawn(page, ADDED, RENAMED)
    page.get_by_label("comment").fill("thalamus and cerebellum are right now")


def _drawn(page: Page, *colours: Colour) -> None:
    """Wait until the label is seen in these colours."""
    labelled(page)
    page.get_by_role("button", name="Load all of it").click()
    page.get_by_role("button", name="Load all of it").wait_for(state="detached")
    labelled(page)
    page.locator(".coming").wait_for(state="detached")
    canvas = labelled(page)
    until(lambda: all(tinted(canvas, colour) > 0.002 for colour in colours), page)


SHOTS = (
    Shot("library", "/ui/", _library),
    Shot("library-phone", "/ui/", _library, ("light",), PHONE),
    Shot("case", "/ui/case/mni152_t1", _case),
    Shot("review", f"/ui/case/mni152_t1?against=final%401&{WAITING}", _reviewed),
)


def _pack(png: bytes, path: Path) -> int:
    """Write a picture with a palette; give its bytes."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    picture.quantize(COLOURS, kmeans=2, dither=Image.Dither.NONE).save(path, optimize=True)
    size = path.stat().st_size
    assert size <= MOST_BYTES, f"{path.name} has {size:,} bytes, more than {MOST_BYTES:,}"
    return size


if __name__ == "__main__":
    main()
