"""Reviewing: kept as MONAILabelReviewer keeps it, case after case, with keys alone, and on a phone."""

from pathlib import Path
from urllib.parse import unquote

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.browser.cases import LEFT_BOX, RIGHT_BOX, Cases, boxes
from tests.browser.conftest import LAPTOP, Watched
from tests.browser.screen import (
    CHANGE_COLOURS,
    differs,
    drop,
    labelled,
    opacity,
    open_case,
    pixels,
    shade,
    share,
    slide,
    tile,
    until,
)
from tests.unit.server.running import Server, running


def test_a_review_is_kept_as_monailabelreviewer_keeps_it(cases: Cases, page: Page) -> None:
    """State, level, comment, who and when, all five; nothing else of the label's info changes; a reload shows it."""
    cases.label(cases.image("judged"), by="anna")
    before = cases.label_info("judged")
    page.goto("/ui/case/judged?view=axial")
    page.get_by_label("comment").fill("well done, <b>really</b>")
    page.get_by_role("button", name="hard").click()
    expect(page.get_by_role("button", name="hard")).to_have_attribute("aria-pressed", "true")
    page.get_by_role("button", name="Approve").click()
    expect(page.locator("h1 + .state")).to_have_text("Approved")
    page.reload()
    expect(page.get_by_role("button", name="Approve")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_label("comment")).to_have_value("well done, <b>really</b>")
    until(lambda: "segmentationMeta" in cases.written_info("judged"), page)
    after = cases.written_info("judged")
    meta = after.pop("segmentationMeta")
    assert after == before
    assert meta.pop("editTime") > 1_700_000_000
    assert meta == {"status": "approved", "level": "hard", "approvedBy": "rita", "comment": "well done, <b>really</b>"}
    assert cases.server.store.events()[-1]["actor"] == "rita"


def test_what_monailabelreviewer_wrote_is_shown(cases: Cases, page: Page) -> None:
    """A review from 3D Slicer looks the same here, also while the case is open."""
    cases.label(cases.image("slicer"))
    page.goto("/ui/case/slicer?view=axial")
    expect(page.get_by_role("button", name="Flag")).to_be_enabled()
    cases.review("slicer", status="flagged", level="easy", comment="from Slicer", approvedBy="bob")
    expect(page.get_by_role("button", name="Flag")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_role("button", name="easy")).to_have_attribute("aria-pressed", "true")
    expect(page.get_by_label("comment")).to_have_value("from Slicer")
    expect(page.locator(".said")).to_contain_text("bob")
    expect(page.locator("h1 + .state")).to_have_text("Flagged")


def test_a_decision_can_be_read_under_the_mouse_that_made_it(cases: Cases, page: Page) -> None:
    """The button's word has another colour than the button."""
    cases.label(cases.image("readable"))
    page.goto("/ui/case/readable?view=axial")
    page.get_by_role("button", name="Flag").click()
    pressed = page.locator(".decision.flagged[aria-pressed=true]:hover")
    expect(pressed).to_be_visible()
    colours = "e => [getComputedStyle(e).color, getComputedStyle(e).backgroundColor]"
    until(lambda: pressed.evaluate(colours)[1] != "rgba(0, 0, 0, 0)", page)
    ink, paper = pressed.evaluate(colours)
    assert ink != paper


def test_a_comment_that_could_not_be_saved_says_so(cases: Cases, page: Page) -> None:
    """Where the server does not take it, what was typed stays, is called unsaved, and is saved when it is asked to."""
    cases.label(cases.image("unsaved"))
    page.goto("/ui/case/unsaved?view=axial")
    expect(page.get_by_label("comment")).to_be_enabled()
    page.route("**/datastore/updatelabelinfo?*", lambda route: route.fulfill(status=408))
    page.get_by_label("comment").fill("must not get lost")
    page.keyboard.press("Enter")
    unsaved = page.get_by_text("This comment is not saved.")
    expect(unsaved).to_be_visible()
    page.unroute("**/datastore/updatelabelinfo?*")
    page.get_by_role("button", name="Save it").click()
    expect(unsaved).to_have_count(0)
    expect(page.get_by_label("comment")).to_have_value("must not get lost")
    assert cases.label_info("unsaved")["segmentationMeta"]["comment"] == "must not get lost"


def test_a_phone_held_sideways_shows_picture_and_tools(cases: Cases, browser: Browser, server: Server) -> None:
    """The tools lie beside the picture, which has most of the screen's height; nothing is wider than the screen."""
    cases.label(cases.image("sideways"))
    window = Watched(browser, server, viewport={"width": 780, "height": 360}, has_touch=True, is_mobile=True)
    box = open_case(window.page, "sideways").bounding_box()
    flag = window.page.get_by_role("button", name="Flag").bounding_box()
    assert box and flag and box["height"] > 0.6 * 360 and flag["x"] >= box["x"] + box["width"]
    assert window.page.evaluate("document.documentElement.scrollWidth") <= 780
    window.close()


def test_a_decision_can_be_taken_back(cases: Cases, page: Page) -> None:
    """The same button again: the label waits for review as before."""
    cases.label(cases.image("undone"))
    page.goto("/ui/case/undone?view=axial")
    page.get_by_role("button", name="Flag").click()
    expect(page.locator("h1 + .state")).to_have_text("Flagged")
    page.get_by_role("button", name="Flag").click()
    expect(page.locator("h1 + .state")).to_have_text("Labelled")
    assert cases.label_info("undone")["segmentationMeta"]["status"] == ""


def test_undo_brings_back_who_and_when(cases: Cases, page: Page) -> None:
    """A decision that is undone leaves the review of another as it was, with all five keys."""
    cases.label(cases.image("bobs"))
    cases.review("bobs", status="approved", level="easy", comment="fine", approvedBy="bob")
    before = cases.label_info("bobs")["segmentationMeta"]
    page.goto("/ui/case/bobs?view=axial")
    page.get_by_role("button", name="Flag").click()
    expect(page.locator("h1 + .state")).to_have_text("Flagged")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator("h1 + .state")).to_have_text("Approved")
    assert cases.label_info("bobs")["segmentationMeta"] == before


def test_the_queue_leads_through_what_waits(cases: Cases, page: Page) -> None:
    """A decision opens the next one, and can be taken back from there."""
    for name in ("queue_a", "queue_b"):
        cases.label(cases.image(name))
    page.goto("/ui/case/queue_a?view=axial&in=text%3Dqueue_%26state%3Dlabelled")
    page.get_by_role("button", name="Approve").click()
    page.wait_for_url("**/ui/case/queue_b**")
    expect(page.locator("h1")).to_have_text("queue_b")
    page.get_by_role("button", name="Undo").click()
    expect(page.locator(".notice", has_text="as it was before")).to_be_visible()
    assert cases.label_info("queue_a")["segmentationMeta"]["status"] == ""


def test_where_nothing_waits_the_queue_says_so(browser: Browser, viewer: None, tmp_path: Path) -> None:
    """The last decision leads to the good news."""
    (tmp_path / "reviewed").mkdir()
    with running(tmp_path / "reviewed") as server:
        cases = Cases(server, tmp_path)
        cases.label(cases.image("last"))
        window = Watched(browser, server, **LAPTOP)
        window.page.goto("/ui/review")
        expect(window.page.locator("h1")).to_have_text("last")
        window.page.get_by_role("button", name="Approve").click()
        expect(window.page.locator(".empty")).to_contain_text("Nothing waits for review")
        window.close()


def test_where_nothing_may_be_changed_nothing_offers_to(browser: Browser, viewer: None, tmp_path: Path) -> None:
    """A server that only shows a datastore says so; no decision, key or dropped file is taken, nor refused late."""
    (tmp_path / "shown").mkdir()
    with running(tmp_path / "shown") as server:
        cases = Cases(server, tmp_path)
        cases.label(cases.image("looked_at"))
        cases.label("looked_at", boxes((LEFT_BOX, 1)))
        before = server.store.last_event()
    with running(tmp_path / "shown", read_only=True) as server:
        window = Watched(browser, server, **LAPTOP)
        page, sent = window.page, []
        page.on("request", lambda request: sent.append(request.method))
        open_case(page, "looked_at")
        expect(page.locator(".versions li")).to_have_count(2)
        expect(page.locator(".heading .read-only")).to_be_visible()
        expect(page.locator(".review")).to_contain_text("nothing can be changed here")
        for name in ("Approve", "Flag", "hard"):
            expect(page.get_by_role("button", name=name)).to_be_disabled()
        expect(page.get_by_label("comment")).to_be_disabled()
        expect(page.get_by_title("Make this version the current one again")).to_have_count(0)
        expect(page.locator("input[type=file]")).to_have_count(0)
        page.keyboard.press("a")
        drop(page, "mine.nii.gz", b"a label")
        expect(page.locator(".notices")).to_contain_text("nothing was added")
        expect(page.locator("dialog[open]")).to_have_count(0)
        assert set(sent) == {"GET"} and server.store.last_event() == before
        window.close()


def test_the_button_of_the_library_opens_the_queue(cases: Cases, page: Page) -> None:
    """What waits longest comes first."""
    cases.label(cases.image("waiting_a"))
    page.goto("/")
    page.get_by_role("link", name="Review").click()
    page.wait_for_url("**/ui/case/**")
    first = cases.ids(state="labelled", sort="time")[0]
    assert unquote(page.url.split("/ui/case/")[1].split("?")[0]) == first


def test_everything_works_with_the_keyboard_alone(cases: Cases, browser: Browser, server: Server) -> None:
    """Search, open, look around, say who one is, approve, comment, go on and back: without a mouse."""
    for name in ("keys_a", "keys_b"):
        cases.label(cases.image(name))
    window = Watched(browser, server, reviewer=None, **LAPTOP)
    page = window.page
    page.goto("/")
    page.keyboard.press("/")
    page.keyboard.type("keys_")
    page.keyboard.press("Enter")
    expect(page.locator(".found")).to_have_text("2 cases found")
    page.keyboard.press("ArrowRight")
    expect(tile(page, "keys_a")).to_be_focused()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("Enter")
    expect(page.locator("h1")).to_have_text("keys_a")
    canvas = labelled(page)
    page.keyboard.press("v")
    expect(page.get_by_role("button", name="Axial")).to_have_attribute("aria-pressed", "true")
    before = pixels(canvas)
    for _ in range(9):
        page.keyboard.press("ArrowUp")
    differs(canvas, before, page)
    expect(page.get_by_role("button", name="Approve")).to_be_enabled()
    page.keyboard.press("a")
    expect(page.get_by_label("your name")).to_be_focused()
    page.keyboard.type("kim")
    page.keyboard.press("Enter")
    expect(page.locator("h1 + .state")).to_have_text("Approved")
    page.keyboard.press("c")
    page.keyboard.type("by keys")
    page.keyboard.press("Enter")
    page.keyboard.press("2")
    expect(page.get_by_role("button", name="medium")).to_have_attribute("aria-pressed", "true")
    meta = cases.label_info("keys_a")["segmentationMeta"]
    assert (meta["status"], meta["comment"], meta["level"], meta["approvedBy"]) == (
        "approved",
        "by keys",
        "medium",
        "kim",
    )
    page.keyboard.press("n")
    expect(page.locator("h1")).to_have_text("keys_b")
    expect(page.get_by_role("button", name="Flag")).to_be_enabled()
    page.keyboard.press("f")
    expect(page.locator("h1 + .state")).to_have_text("Flagged")
    page.keyboard.press("p")
    expect(page.locator("h1")).to_have_text("keys_a")
    page.keyboard.press("?")
    expect(page.locator("dialog .keys")).to_be_visible()
    page.keyboard.press("Escape")
    page.keyboard.press("Escape")
    expect(tile(page, "keys_a")).to_be_visible()
    window.close()


def test_a_phone_is_enough(cases: Cases, phone: Page) -> None:
    """Find, open, look at, turn, compare and review with a thumb; nothing is wider than the screen."""
    cases.label(cases.image("pocket"))
    cases.label("pocket", boxes((LEFT_BOX, 1), (RIGHT_BOX, 3)))
    phone.goto("/")
    phone.get_by_label("search cases").fill("pocket")
    expect(phone.locator(".found")).to_have_text("1 case found")
    expect(tile(phone, "pocket").locator(".thumbnail.there")).to_be_visible()
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    tile(phone, "pocket").tap()
    canvas = labelled(phone)
    opacity(phone, 1)
    until(lambda: share(canvas, shade(1)) > 0.02 and share(canvas, shade(3)) > 0.02, phone)
    before = pixels(canvas)
    phone.get_by_role("button", name="3-D").tap()
    differs(canvas, before, phone)
    before = pixels(canvas)
    slide(canvas, 90, 20, phone)
    differs(canvas, before, phone)
    phone.get_by_role("button", name="Coronal").tap()
    assert phone.evaluate("document.documentElement.scrollWidth") <= 390
    phone.locator("select[name=against]").select_option("final@1")
    until(lambda: share(canvas, CHANGE_COLOURS["renamed"], 60) > 0.003, phone)
    phone.get_by_label("comment").fill("seen on the train")
    phone.get_by_role("button", name="Approve").tap()
    expect(phone.locator("h1 + .state")).to_have_text("Approved")
    phone.reload()
    expect(phone.get_by_label("comment")).to_have_value("seen on the train")
    until(lambda: "segmentationMeta" in cases.written_info("pocket"), phone)
    assert cases.written_info("pocket")["segmentationMeta"]["status"] == "approved"


def test_filters_open_on_a_phone(phone: Page) -> None:
    """They are out of the way until they are asked for."""
    phone.goto("/")
    expect(phone.locator(".filters")).to_be_hidden()
    phone.get_by_role("button", name="Filter and sort").tap()
    phone.get_by_role("button", name="Unlabelled").tap()
    expect(tile(phone, "anatomical")).to_be_visible()
    phone.wait_for_url("**state=unlabelled**")


@pytest.mark.parametrize("key", ["a", "f"])
def test_there_is_nothing_to_review_without_a_label(key: str, cases: Cases, page: Page) -> None:
    """A key does no harm where there is no label."""
    cases.image(f"bare_{key}")
    open_case(page, f"bare_{key}")
    page.keyboard.press(key)
    expect(page.locator(".review")).to_contain_text("There is no label yet")
    assert cases.server.store.get_labels_by_image_id(f"bare_{key}") == {}
