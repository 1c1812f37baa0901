"""A case: its volume with the label over it, its versions side by side or by what differs, whatever its format."""

import io
import json
import re
from collections.abc import Callable

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import Page, expect

from tests.browser.cases import LEFT_BOX, RIGHT_BOX, SHAPE, VOXEL, Cases, Voxels, ball, boxes, mha, nrrd
from tests.browser.screen import (
    CHANGE_COLOURS,
    bright,
    differs,
    drawn,
    drop,
    labelled,
    number,
    opacity,
    open_case,
    pixels,
    shade,
    share,
    until,
)
from tests.unit.server.running import form


@pytest.mark.parametrize("image", ["anatomical", "functional", "example4d", "reoriented_anat_moved", "phantom_3"])
def test_a_scan_is_drawn(image: str, page: Page) -> None:
    """The canvas holds the volume, of whatever type, orientation and number of dimensions."""
    canvas = open_case(page, image)
    until(lambda: bright(canvas) > 0.1, page)


@pytest.mark.parametrize(("kind", "written"), [("nrrd", nrrd), ("mha", mha)])
def test_other_formats_come_through_the_server(
    kind: str, written: Callable[[Voxels], bytes], cases: Cases, page: Page
) -> None:
    """Image and label, in their place: the patient's right, which the label fills, is at the left of the screen."""
    cases.file(f"as_{kind}", f"image.{kind}", written(ball()))
    cases.label_file(f"as_{kind}", f"label.{kind}", written(boxes((RIGHT_BOX, 2))), names=("none", "right box"))
    canvas = open_case(page, f"as_{kind}")
    labelled(page)
    opacity(page, 1)
    until(lambda: share(canvas, shade(2)) > 0.02, page)
    columns = np.nonzero((np.abs(pixels(canvas) - np.array(shade(2))) <= 45).all(axis=2))[1]
    assert columns.max() < 0.55 * pixels(canvas).shape[1]
    assert bright(canvas) > 0.1


def test_a_real_head_is_drawn_with_its_tissues(page: Page) -> None:
    """Grey and white matter over it."""
    open_case(page, "mni152_t1")
    canvas = labelled(page)
    opacity(page, 1)
    until(lambda: share(canvas, shade(1)) > 0.05 and share(canvas, shade(2)) > 0.05, page)


def test_the_label_is_drawn_over_the_image_in_its_colours(cases: Cases, page: Page) -> None:
    """Each structure has its own colour, as strong as is wished, alone or with the others, filled or as an outline."""
    cases.label(cases.image("coloured"))
    open_case(page, "coloured")
    canvas = labelled(page)
    opacity(page, 1)
    until(lambda: share(canvas, shade(1)) > 0.02 and share(canvas, shade(2)) > 0.02, page)
    filled = share(canvas, shade(1))
    page.get_by_role("button", name="left box").click()
    until(lambda: share(canvas, shade(1)) > 0.02 and share(canvas, shade(2)) == 0, page)
    page.get_by_role("button", name="left box").click()
    until(lambda: share(canvas, shade(2)) > 0.02, page)
    page.get_by_text("Outline").click()
    until(lambda: 0 < share(canvas, shade(1)) < 0.7 * filled, page)
    opacity(page, 0)
    until(lambda: share(canvas, shade(1)) == share(canvas, shade(2)) == 0, page)
    assert bright(canvas) > 0.1


def test_how_much_there_is_of_a_structure_is_told(cases: Cases, page: Page) -> None:
    """4000 voxels of 2 mm are 32 ml, under the name that the label's info gives."""
    cases.label(cases.image("volumes"))
    open_case(page, "volumes")
    structure = page.locator(".structures li", has_text="right box")
    expect(structure).to_contain_text("ml")
    assert number(structure.locator("small").text_content()) == pytest.approx(4000 * VOXEL)


def test_the_mouse_turns_the_3d_view(cases: Cases, page: Page) -> None:
    """Dragging to the side shows another side of it."""
    cases.label(cases.image("turned"))
    open_case(page, "turned")
    canvas = labelled(page)
    page.get_by_role("button", name="3-D").click()
    until(lambda: bright(canvas) > 0.05, page)
    before = pixels(canvas)
    box = canvas.bounding_box()
    assert box
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 90, y + 20, steps=3)
    page.mouse.up()
    differs(canvas, before, page)


def test_each_plane_fills_the_view(cases: Cases, page: Page) -> None:
    """Axial, coronal and sagittal are other pictures than all of them together, and than each other."""
    cases.label(cases.image("planes"))
    open_case(page, "planes", "")
    canvas = labelled(page)
    seen = [pixels(canvas)]
    for plane in ("Axial", "Coronal", "Sagittal"):
        page.get_by_role("button", name=plane).click()
        until(lambda: all((np.abs(pixels(canvas) - other) > 30).mean() > 0.01 for other in seen), page)
        seen.append(pixels(canvas))


def test_the_window_brightens_and_darkens(cases: Cases, page: Page) -> None:
    """The values that are black and white can be given, and taken back."""
    cases.image("window")
    canvas = open_case(page, "window")
    until(lambda: bright(canvas) > 0.1, page)
    before = bright(canvas)
    page.get_by_label("window low").fill("190")
    page.get_by_label("window high").fill("1000")
    page.keyboard.press("Enter")
    until(lambda: bright(canvas) < before / 3, page)
    page.get_by_label("window again").click()
    until(lambda: bright(canvas) > 0.9 * before, page)


@pytest.fixture
def changed(cases: Cases, request: pytest.FixtureRequest) -> str:
    """Make a case whose label was changed: left is gone, right is another structure, and behind it there is more."""
    name = cases.image(request.node.name)
    cases.label(name, boxes((LEFT_BOX, 1), (RIGHT_BOX, 2)), by="anna")
    behind = (slice(8, 18), slice(32, 42), slice(8, 28))
    cases.label(name, boxes((RIGHT_BOX, 3), (behind, 1)), by="ben")
    return name


def test_what_differs_between_two_versions_is_coloured(changed: str, page: Page) -> None:
    """Added, removed and renamed voxels have a colour each, and are counted."""
    open_case(page, changed)
    page.locator("select[name=against]").select_option("final@1")
    expect(page.locator(".changes")).to_have_attribute("data-ready", "true")
    told = {
        change: number(page.locator(f"[data-change={change}]").text_content())
        for change in ("added", "removed", "renamed", "same")
    }
    assert told == pytest.approx({"added": 16, "removed": 32, "renamed": 32, "same": 0})
    canvas = labelled(page)
    until(lambda: all(share(canvas, colour, 60) > 0.003 for colour in CHANGE_COLOURS.values()), page)
    assert "against=final%401" in page.url
    page.reload()
    until(lambda: share(labelled(page), CHANGE_COLOURS["removed"], 60) > 0.003, page)


def test_labels_stand_side_by_side(cases: Cases, page: Page) -> None:
    """Two tags, one picture each, with their names, and the cross at the same place."""
    cases.image("beside")
    cases.label("beside", boxes((LEFT_BOX, 1)))
    cases.label("beside", boxes((RIGHT_BOX, 2)), tag="second")
    open_case(page, "beside")
    page.locator("select[name=against]").select_option("second")
    page.get_by_role("button", name="Side by side").click()
    drawn(page, 2)
    assert "against=second&how=beside" in page.url
    first, other = page.locator("canvas[data-label=true]").nth(0), page.locator("canvas[data-label=true]").nth(1)
    opacity(page, 1)
    until(lambda: share(first, shade(1)) > 0.02 and share(other, shade(2)) > 0.02, page)
    assert share(first, shade(2)) == share(other, shade(1)) == 0
    expect(page.locator("figcaption")).to_have_text(["final", "second"])
    opacity(page, 0)  # what is left are image and cross, above the names

    def alike() -> bool:
        return bool((np.abs(pixels(first) - pixels(other))[:-80] > 30).any(axis=2).mean() < 0.001)

    until(alike, page)
    for move in (lambda: first.click(position={"x": 150, "y": 200}), lambda: (other.hover(), page.mouse.wheel(0, 100))):
        before = pixels(first)
        move()
        until(lambda was=before: bool((np.abs(pixels(first) - was) > 30).any()), page)  # type: ignore[misc]
        until(alike, page)


def test_labels_on_different_grids_are_not_compared_voxel_by_voxel(cases: Cases, page: Page) -> None:
    """A sentence says so, and side by side they can be seen."""
    cases.label(cases.image("grids"))
    cases.label("grids", np.ones((10, 11, 9), np.uint8), tag="coarse")
    page.goto("/ui/case/grids?view=axial&against=coarse")
    expect(page.locator(".remarks")).to_contain_text("different grids")
    page.get_by_role("button", name="Side by side").click()
    drawn(page, 2)
    expect(page.locator(".remarks p")).to_have_count(0)


def test_an_earlier_version_is_shown_and_brought_back(changed: str, cases: Cases, page: Page) -> None:
    """Each version says who made it; bringing one back makes a new version of it, under one's own name."""
    open_case(page, changed)
    labelled(page)
    expect(page.locator(".versions li")).to_have_count(2)
    page.locator(".versions li", has_text="anna").locator("button.version").click()
    page.wait_for_url("**version=1**")
    opacity(page, 1)
    until(lambda: share(labelled(page), shade(2)) > 0.02, page)
    expect(page.locator(".review .hint")).to_contain_text("not the current version")
    page.locator(".versions li", has_text="anna").get_by_title("Make this version").click()
    expect(page.locator(".versions li")).to_have_count(3)
    newest = cases.server.store.label_versions(changed, "final")[-1]
    assert (newest["version"], newest["actor"], newest["current"]) == (3, "rita", True)
    expect(page.locator(".versions li", has_text="rita")).to_contain_text("as 1")


def test_a_label_that_was_removed_is_brought_back(cases: Cases, page: Page) -> None:
    """The history of its case says who removed it and undoes that; until then a comparison with it says so."""
    cases.label(cases.image("undone"))
    cases.label("undone", boxes((RIGHT_BOX, 2)), tag="second")
    page.goto("/ui/case/undone?view=axial&tag=final&against=second")
    expect(page.locator(".comparison")).to_be_visible()
    expect(page.locator(".remarks p")).to_have_count(0)
    cases.server.store.remove_label("undone", "second")
    expect(page.locator(".remarks")).to_contain_text("no label second")
    undo = page.locator(".history").get_by_title("Bring second back")
    expect(undo).to_have_count(1)
    undo.click()
    expect(page.locator(".tags button")).to_have_text(["final", "second"])
    expect(undo).to_have_count(0)
    expect(page.locator(".remarks p")).to_have_count(0)
    newest = cases.server.store.label_versions("undone", "second")[-1]
    assert (newest["version"], newest["actor"], newest["action"]) == (2, "rita", "restored")


def test_a_label_that_came_too_late_is_told_apart(changed: str, cases: Cases, page: Page) -> None:
    """What was sent without knowing the newest version says that it was set aside; it is shown on request."""
    known = cases.server.store.label_versions(changed, "final")[0]["sha256"]
    late = ("late.nii.gz", cases.nifti(boxes((LEFT_BOX, 7))))
    kind, body = form({"label": late, "params": json.dumps({"client_id": "otto"})})
    address = f"/datastore/label?image={changed}&tag=final"
    assert cases.server.ask("PUT", address, body, content_type=kind, if_match=f'"{known}"').status == 412
    open_case(page, changed)
    labelled(page)
    aside = page.locator(".versions li", has_text="otto")
    expect(aside).to_contain_text("set aside")
    expect(page.locator(".versions li", has_text="set aside")).to_have_count(1)
    expect(page.locator(".history li", has_text="otto")).to_contain_text("otto came too late with final version 3")
    aside.locator("button.version").click()
    opacity(page, 1)
    until(lambda: share(labelled(page), shade(7)) > 0.02, page)


def test_a_label_made_for_another_version_of_the_image_is_told(cases: Cases, page: Page) -> None:
    """Whoever replaces the image leaves labels that may not fit."""
    cases.label(cases.image("replaced"))
    page.goto("/ui/case/replaced?view=axial")
    expect(page.locator(".versions")).to_be_visible()
    expect(page.locator(".warning")).to_have_count(0)
    cases.image("replaced", 255 - ball())
    expect(page.locator(".warning")).to_contain_text("made for version 1 of the image, which is at version 2")


def test_a_label_that_somebody_saves_is_drawn_by_itself(cases: Cases, page: Page) -> None:
    """The picture of an open case changes with its label; whoever looks at it is told of a newer one."""
    cases.image("alive")
    open_case(page, "alive")
    cases.label("alive", boxes((LEFT_BOX, 5)))
    canvas = labelled(page)
    opacity(page, 1)
    until(lambda: share(canvas, shade(5)) > 0.02, page)
    expect(page.locator(".notice")).to_have_count(0)
    cases.label("alive", boxes((LEFT_BOX, 6)), by="otto")
    until(lambda: share(canvas, shade(6)) > 0.02, page)
    expect(page.locator(".notice")).to_contain_text("otto has just saved version 2 of final.")
    page.get_by_role("button", name="What differs").click()
    page.wait_for_url("**against=**")
    expect(page.locator(".notice")).to_have_count(0)


def test_a_file_that_is_dropped_becomes_a_label(cases: Cases, page: Page) -> None:
    """Dropped or chosen from the disk, it is saved as the tag that is asked for, by whoever works there."""
    cases.image("taken")
    open_case(page, "taken")
    data = cases.nifti(boxes((LEFT_BOX, 4)))
    drop(page, "mine.nii.gz", data)
    page.locator("dialog input[name=tag]").fill("third")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".labels .tags button")).to_have_text(["third"])
    page.locator("input[type=file]").set_input_files({"name": "mine.nii.gz", "mimeType": "", "buffer": data})
    page.locator("dialog input[name=tag]").fill("fourth")
    page.get_by_role("button", name="Save", exact=True).click()
    expect(page.locator(".labels .tags button")).to_have_text(["third", "fourth"])
    assert cases.label_info("taken", "third")["client_id"] == "rita"


def test_a_file_that_is_no_image_is_asked_about(cases: Cases, page: Page) -> None:
    """Dropped by mistake, it does not become a label without a word."""
    cases.image("mistaken")
    open_case(page, "mistaken")
    drop(page, "notes.txt", b"hello")
    expect(page.locator("dialog .warning")).to_contain_text("no image")
    expect(page.get_by_role("button", name="Save all the same")).to_be_visible()
    page.get_by_role("button", name="Cancel").click()
    drop(page, "mine.nii.gz", cases.nifti(boxes()))
    expect(page.get_by_role("button", name="Save", exact=True)).to_be_visible()
    expect(page.locator("dialog .warning")).to_have_count(0)


def test_image_and_label_can_be_downloaded(cases: Cases, page: Page) -> None:
    """Byte for byte, each version of the label, under a name that says what it is."""
    cases.label(cases.image("fetched"), boxes((LEFT_BOX, 1)))
    cases.label("fetched", boxes((RIGHT_BOX, 2)))
    page.goto("/ui/case/fetched?view=axial")
    for link, address in (
        ("download the image", "image?image=fetched"),
        ("download version 2", "label?label=fetched&tag=final"),
        ("download version 1", "label?label=fetched&tag=final&version=1"),
    ):
        with page.expect_download() as download:
            page.get_by_role("link", name=link).click()
        assert download.value.path().read_bytes() == cases.server.get(f"/datastore/{address}").body
        assert "fetched" in download.value.suggested_filename


def test_a_photograph_is_shown_as_a_picture(cases: Cases, page: Page) -> None:
    """PNG, JPEG and TIFF."""
    for kind in ("png", "jpeg", "tiff"):
        file = io.BytesIO()
        Image.new("RGB", (64, 48), (200, 30, 30)).save(file, kind)
        cases.file(f"photo_{kind}", f"photo.{kind.replace('tiff', 'tif').replace('jpeg', 'jpg')}", file.getvalue())
        page.goto(f"/ui/case/photo_{kind}")
        picture = page.locator(".stage.flat img")
        expect(picture).to_be_visible()
        until(lambda shown=picture: share(shown, (200, 30, 30), 30) > 0.5, page)  # type: ignore[misc]


def test_what_cannot_be_drawn_can_be_downloaded(cases: Cases, page: Page) -> None:
    """There is a reason in a sentence, and the file itself."""
    cases.file("slide", "slide.svs", b"nothing that anybody could draw")
    page.goto("/ui/case/slide?view=axial")
    expect(page.locator(".stage.nothing")).to_contain_text("No picture of this one")
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the file").click()
    assert download.value.path().read_bytes() == b"nothing that anybody could draw"


def test_a_volume_that_was_cut_off_can_be_downloaded(cases: Cases, page: Page) -> None:
    """Its header is read, its voxels are not all there: the same sentence and file as for what nobody can draw."""
    whole = cases.nifti(np.random.default_rng(1).integers(0, 255, (40, 40, 40)).astype(np.uint8))
    cases.file("torn", "torn.nii.gz", whole[: len(whole) // 2])
    page.goto("/ui/case/torn?view=axial")
    expect(page.locator(".stage.nothing")).to_contain_text("No picture of this one")
    expect(page.get_by_role("link", name="Download the file")).to_be_visible()


def test_a_label_that_is_not_there_is_told(cases: Cases, page: Page) -> None:
    """An address can name one that was removed: what it asks for is said, and nothing is to be reviewed."""
    cases.label(cases.image("asked"), boxes((LEFT_BOX, 1)))
    open_case(page, "asked", "?view=axial&tag=gone&against=lost%407")
    expect(page.locator(".remarks")).to_contain_text("This case has no label gone.")
    expect(page.locator(".remarks")).to_contain_text("This case has no label lost.")
    expect(page.get_by_role("button", name="Approve")).to_have_count(0)


def test_a_volume_too_large_for_a_browser_comes_at_a_lower_resolution(cases: Cases, page: Page) -> None:
    """That is said, and all of it can be had; the label comes along at the same resolution."""
    voxels = np.zeros((300, 30, 20), np.uint8)
    voxels[40:260, 5:25, 4:16] = 200
    cases.image("long", voxels)
    cases.label("long", (voxels > 0).astype(np.uint8), names=("bar",))
    open_case(page, "long")
    canvas = labelled(page)
    expect(page.locator(".remarks")).to_contain_text("300 × 30 × 20 voxels are much for this browser")
    opacity(page, 1)
    until(lambda: share(canvas, shade(1)) > 0.01, page)
    page.get_by_role("button", name="Load all of it").click()
    expect(page.locator(".remarks p")).to_have_count(0)
    until(lambda: share(labelled(page), shade(1)) > 0.01, page)
    structure = page.locator(".structures li small")
    expect(structure).to_contain_text(f"{round(220 * 20 * 12 * VOXEL)} ml")


def test_each_place_is_an_address(changed: str, cases: Cases, page: Page) -> None:
    """A case, one of its tags, a version, the planes: whoever gets the link sees it; the browser's back leads back."""
    cases.label(changed, boxes((LEFT_BOX, 2)), tag="draft")
    page.goto(f"/ui/case/{changed}?tag=draft&view=sagittal")
    expect(page.locator(".labels .tags [aria-pressed=true]")).to_have_text("draft")
    expect(page.get_by_role("button", name="Sagittal")).to_have_attribute("aria-pressed", "true")
    page.goto(f"/ui/case/{changed}?version=1&view=coronal")
    expect(page.locator(".versions .shown b")).to_have_text("1")
    expect(page.get_by_role("button", name="Coronal")).to_have_attribute("aria-pressed", "true")
    page.go_back()
    expect(page.locator(".labels .tags [aria-pressed=true]")).to_have_text("draft")


def test_who_did_what_and_when_is_told(changed: str, cases: Cases, page: Page) -> None:
    """The newest first, and it grows while one looks at it."""
    page.goto(f"/ui/case/{changed}?view=axial")
    told = page.locator(".history li")
    expect(told).to_have_count(3)
    expect(told.nth(0)).to_contain_text("ben replaced final version 2")
    expect(told.nth(1)).to_contain_text("anna added final version 1")
    assert re.fullmatch(r"\w+ \d+, \d{4}, \d+:\d+\s[AP]M", told.nth(0).locator("time").get_attribute("title") or "")
    reviews: list[tuple[dict[str, str], str]] = [
        ({"status": "approved"}, "approved final"),
        ({"status": "approved", "level": "hard"}, "rated final"),
        ({"status": "approved", "level": "hard", "comment": "well done"}, "commented on final"),
        ({"status": ""}, "took back the review of final"),
    ]
    for count, (review, words) in enumerate(reviews, 4):
        cases.review(changed, **review)
        expect(told).to_have_count(count)
        expect(told.nth(0)).to_contain_text(words)
    cases.server.store.update_image_info(changed, {"site": "Bern"})
    expect(told.nth(0)).to_contain_text("changed site of the image")


def test_a_case_that_is_not_there_is_told(page: Page) -> None:
    """A link to something that was removed leads to a sentence and a way back."""
    page.goto("/ui/case/nobody?view=axial")
    expect(page.locator(".empty")).to_contain_text("There is no case of that name")
    page.get_by_role("link", name="Back to the library").click()
    expect(page.locator(".entry").first).to_be_visible()


def test_an_image_that_was_removed_is_brought_back(cases: Cases, page: Page) -> None:
    """Its address says that it is not there, and brings it back with its label, under one's own name."""
    cases.label(cases.image("returned"))
    cases.server.store.remove_image("returned")
    page.goto("/ui/case/returned?view=axial")
    expect(page.locator(".empty")).to_contain_text("removed")
    page.get_by_role("button", name="Bring it back").click()
    labelled(page)
    newest = cases.server.store.image_versions("returned")[-1]
    assert (newest["version"], newest["actor"], newest["action"]) == (2, "rita", "restored")


def test_the_header_and_the_info_are_shown(cases: Cases, page: Page) -> None:
    """Voxels, spacing, orientation, and whatever the info holds."""
    cases.image("described", site="Lund")
    page.goto("/ui/case/described?view=axial")
    about = page.locator(".about")
    expect(about).to_contain_text(" × ".join(map(str, SHAPE)))
    expect(about).to_contain_text("2 × 2 × 2 mm")
    expect(about).to_contain_text("RAS")
    about.locator("summary").click()
    expect(about).to_contain_text("Lund")
