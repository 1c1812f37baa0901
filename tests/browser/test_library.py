"""The library: every case with a picture, found by searching, filtering and sorting, and always up to date."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from playwright.sync_api import Browser, Page, Route, expect

from tests.browser.cases import Cases, boxes
from tests.browser.conftest import LAPTOP, Watched
from tests.browser.screen import drop, shows, tile, until
from tests.unit.server.running import Server, running

SCANS = ("anatomical", "example4d", "functional", "reoriented_anat_moved", "mni152_t1")
HOSTILE = '<img src=x onerror="alert(1)">'
MANY = 3000


@pytest.mark.parametrize("layout", ["grid", "table"])
def test_every_case_is_there_with_its_picture(layout: str, page: Page) -> None:
    """The real head, nibabel's scans and the phantoms: id, state and a picture that was really drawn."""
    page.goto(f"/ui/?layout={layout}")
    for image in (*SCANS, "phantom_1"):
        page.get_by_label("search cases").fill(image)
        entry = tile(page, image)
        expect(entry.locator(".thumbnail.there img")).to_be_visible()
        assert entry.locator("img").evaluate("img => img.naturalWidth") >= 64
    for told in ("Labelled", "anna", "final", "original", "just now|ago", "kB"):
        expect(tile(page, "phantom_1")).to_contain_text(re.compile(told))


def test_the_root_is_the_library_itself(page: Page) -> None:
    """No redirect and no other page lies between the address of the server and the cases."""
    answer = page.goto("/")
    assert answer is not None
    assert (answer.status, answer.request.redirected_from) == (200, None)
    expect(tile(page, "anatomical")).to_be_visible()


def test_searching_finds_while_typing(page: Page) -> None:
    """The list narrows with the letters, says when there is nothing, and is a link that can be handed on."""
    page.goto("/")
    page.keyboard.press("/")
    page.keyboard.type("phantom_", delay=160)  # ms; as people type: each request is sent while the next letter comes
    expect(page.locator(".found")).to_have_text("5 cases found")
    shows(page, [f"phantom_{n}" for n in range(1, 6)])
    page.keyboard.type("nobody")
    expect(page.locator(".empty")).to_contain_text("No case is like that")
    page.goto("/ui/?text=phantom_3")
    expect(page.locator("input[name=text]")).to_have_value("phantom_3")
    shows(page, ["phantom_3"])


@pytest.fixture(scope="module")
def filtered(server: Server, tmp_path_factory: Any) -> Cases:
    """Make cases that the filters tell apart."""
    cases = Cases(server, tmp_path_factory.mktemp("filtered"))
    for name, site in (("filter_a", "Lund"), ("filter_b", "Graz"), ("filter_c", "Graz"), ("filter_d", "Bern")):
        cases.image(name, site=site, scanner={"field": 3})
    cases.label("filter_b", by="berta", names=("spleen",))
    cases.label("filter_c", by="carl", tag="second", names=("kidney",))
    cases.label("filter_c", by="carl")
    cases.label("filter_d", by="berta")
    cases.review("filter_c", status="approved")
    cases.review("filter_d", status="flagged", comment="blurred")
    return cases


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("state", "Unlabelled", ["filter_a"]),
        ("state", "Labelled", ["filter_b"]),
        ("state", "Approved", ["filter_c"]),
        ("state", "Flagged", ["filter_d"]),
        ("tag", "second", ["filter_c"]),
        ("annotator", "berta", ["filter_b", "filter_d"]),
        ("structure", "spleen", ["filter_b"]),
    ],
)
def test_a_filter_leaves_those_that_match(
    name: str, value: str, expected: list[str], filtered: Cases, page: Page
) -> None:
    """Whatever is chosen, exactly the cases of that kind stay; the address holds the choice; a reload keeps it."""
    page.goto("/ui/?text=filter_")
    shows(page, ["filter_a", "filter_b", "filter_c", "filter_d"])
    if name == "state":
        page.get_by_role("button", name=re.compile(f"^{value}")).click()
    else:
        page.locator(f"select[name={name}]").select_option(value)
    expect(page.locator(".found")).to_have_text(f"{len(expected)} case{'s' * (len(expected) != 1)} found")
    shows(page, expected)
    assert f"{name}={value.lower()}" in page.url
    page.reload()
    shows(page, expected)


def test_any_key_of_the_info_is_a_filter(filtered: Cases, page: Page) -> None:
    """A key is chosen, its value typed; several of them all count; each can be taken away again."""
    page.goto("/ui/?text=filter_")
    page.locator("select[name=info-key]").select_option("site")
    offered = page.locator("select[name=info-key] option").all_text_contents()
    assert "scanner.field" in offered and not {"name", "ts"} & set(offered)  # of which each image has its own
    page.keyboard.type("Graz")
    page.keyboard.press("Enter")
    expect(page.locator(".found")).to_have_text("2 cases found")
    shows(page, ["filter_b", "filter_c"])
    page.get_by_role("button", name="site=Graz").click()
    expect(page.locator(".found")).to_have_text("4 cases found")
    page.goto("/ui/")
    page.locator("select[name=info-key]").select_option("scanner.field")
    page.keyboard.press("Enter")
    shows(page, ["filter_a", "filter_b", "filter_c", "filter_d"])
    assert "info=scanner.field" in page.url


def test_each_order_is_the_servers(filtered: Cases, page: Page) -> None:
    """By name, time, size, state and when it was added, in both directions."""
    page.goto("/ui/?text=filter_")
    choices = [o.get_attribute("value") or "" for o in page.locator("select[name=sort] option").all()]
    assert {choice.lstrip("-") for choice in choices} == {"id", "time", "size", "state", "added"}
    for choice in choices:
        page.locator("select[name=sort]").select_option(choice)
        expected = filtered.ids(text="filter_", sort=choice)
        expect(page.locator(".entry a").first).to_have_attribute("data-id", expected[0])
        shows(page, expected)
    page.locator("select[name=sort]").select_option("-id")
    expect(page.locator(".entry a").first).to_have_attribute("data-id", "filter_d")


def test_the_heads_of_the_table_sort_it(filtered: Cases, page: Page) -> None:
    """A first click sorts by that column, a second the other way."""
    page.goto("/ui/?text=filter_&layout=table")
    for column, orders in (("Changed", ("-time", "time")), ("State", ("state", "-state")), ("Case", ("id", "-id"))):
        for order in orders:
            page.get_by_role("button", name=column, exact=True).click()
            expect(page.locator("select[name=sort]")).to_have_value(order)
            shows(page, filtered.ids(text="filter_", sort=order))


def test_a_list_is_an_address(filtered: Cases, page: Page) -> None:
    """Filters, order and layout are in it, a case knows the list that it was opened from, and back leads back to it."""
    page.goto(
        "/ui/?text=filter_&state=flagged&tag=final&annotator=berta&structure=left+box&info=site%3DBern&sort=-time"
        "&layout=table"
    )
    shows(page, ["filter_d"])
    expect(page.locator(".table")).to_be_visible()
    for name, value in (("tag", "final"), ("annotator", "berta"), ("structure", "left box"), ("sort", "-time")):
        expect(page.locator(f"select[name={name}]")).to_have_value(value)
    expect(page.get_by_role("button", name=re.compile("^Flagged"))).to_have_attribute("aria-pressed", "true")
    page.goto("/ui/?text=filter_&sort=-id")
    tile(page, "filter_c").click()
    expect(page.locator(".position")).to_have_text("2 of 4 found")
    page.get_by_role("button", name="next case").click()
    expect(page.locator("h1")).to_have_text("filter_b")
    page.get_by_role("link", name="back to the library").click()
    shows(page, ["filter_d", "filter_c", "filter_b", "filter_a"])


def test_a_label_that_somebody_saves_appears_by_itself(cases: Cases, page: Page) -> None:
    """State, annotator and the counts at the top change without a reload."""
    cases.image("news_a")
    page.goto("/ui/?text=news_")
    expect(tile(page, "news_a")).to_contain_text("Unlabelled")
    before = page.locator(".measure.labelled").inner_text()
    cases.label("news_a", by="nora")
    expect(tile(page, "news_a")).to_contain_text("Labelled")
    expect(tile(page, "news_a")).to_contain_text("nora")
    expect(page.locator(".measure.labelled")).not_to_have_text(before)
    cases.image("news_b")
    expect(tile(page, "news_b")).to_be_visible()


def test_words_of_others_stay_words(cases: Cases, page: Page) -> None:
    """An id, a comment, an annotator, a structure and an info that are HTML are read, not obeyed."""
    cases.image(HOSTILE, note=HOSTILE)
    cases.label(HOSTILE, by=HOSTILE, names=(HOSTILE, "b"))
    cases.review(HOSTILE, status="flagged", comment=HOSTILE, approvedBy=HOSTILE)
    for layout in ("grid", "table"):
        page.goto(f"/ui/?text=onerror&layout={layout}")
        expect(page.locator(".entry .name")).to_have_text(HOSTILE)
    page.goto(f"/ui/case/{quote(HOSTILE)}")
    expect(page.locator("h1")).to_have_text(HOSTILE)
    expect(page.locator("textarea")).to_have_value(HOSTILE)
    expect(page.locator(".said")).to_contain_text(HOSTILE)
    expect(page.locator(".structures")).to_contain_text(HOSTILE)
    expect(page.locator(".history")).to_contain_text(HOSTILE)
    page.get_by_text("Info", exact=True).click()
    expect(page.locator(".about .info")).to_contain_text(HOSTILE)
    assert page.locator('img[src="x"]').count() == 0


def test_a_script_that_got_into_the_page_does_not_run(browser: Browser, server: Server) -> None:
    """Should words of others become HTML all the same, the policy stops them, and these tests would hear of it."""
    window = Watched(browser, server, **LAPTOP)
    window.page.goto("/")
    for hostile in (HOSTILE, "<img src=http://127.0.0.2:9/stolen>"):
        window.page.evaluate("words => document.body.insertAdjacentHTML('beforeend', words)", hostile)
    window.page.evaluate("document.body.append(Object.assign(document.createElement('script'), {text: 'alert(2)'}))")
    until(lambda: sum("Content Security Policy" in said for said in window.complaints) >= 3, window.page)
    assert not any(said.startswith("dialog") for said in window.complaints)
    window.context.close()


def test_files_that_are_dropped_become_images(cases: Cases, page: Page) -> None:
    """An image dropped on the library is added under its file's name, by whoever works there."""
    page.goto("/ui/?text=dropped")
    expect(page.locator(".empty")).to_be_visible()
    drop(page, "dropped.nii.gz", cases.nifti(boxes()))
    expect(tile(page, "dropped")).to_be_visible()
    assert cases.server.store.events()[-1]["actor"] == "rita"


def test_a_file_of_a_name_that_is_there_replaces_nothing_unasked(cases: Cases, page: Page) -> None:
    """Scanners give many patients' files one name: the image that is there stays, until somebody says otherwise."""
    cases.image("same")
    page.goto("/ui/?text=same")
    expect(tile(page, "same")).to_be_visible()
    before, store = cases.server.store.get_image_uri("same"), cases.server.store
    first = Path(before).read_bytes()
    drop(page, "same.nii.gz", cases.nifti(boxes()[::-1]))
    expect(page.locator(".notices")).to_contain_text("There is an image of the name same.nii.gz already, and it stays.")
    expect(page.locator(".notices")).not_to_contain_text("Added")
    assert Path(store.get_image_uri("same")).read_bytes() == first
    page.locator(".notices").get_by_role("button", name="Replace").click()
    expect(page.locator(".notices")).to_contain_text("Replaced 1 image.")
    assert Path(store.get_image_uri("same")).read_bytes() != first
    assert all(version["kept"] for version in store.image_versions("same"))


def test_what_is_dropped_by_mistake_becomes_no_image(cases: Cases, page: Page) -> None:
    """A file that is no image by its name is named, and not added; a format that is rare is an image."""
    page.goto("/ui/?text=rare-slide")
    expect(page.locator(".empty")).to_be_visible()
    drop(page, "rare-slide.txt", b"hello")
    expect(page.locator(".notices")).to_contain_text("rare-slide.txt: by its name no image")
    drop(page, "rare-slide.czi", b"of a microscope")
    expect(tile(page, "rare-slide")).to_be_visible()
    assert [v["version"] for v in cases.server.store.image_versions("rare-slide")] == [1]


def test_a_label_that_cannot_be_drawn_leaves_the_image_its_picture(cases: Cases, page: Page) -> None:
    """The image is shown without outlines."""
    cases.image("covered")
    cases.label_file("covered", "covered.txt", b"hello")
    page.goto("/ui/?text=covered")
    picture = tile(page, "covered").locator(".thumbnail.there img")
    expect(picture).to_be_visible()


def test_colours_follow_the_system(browser: Browser, server: Server) -> None:
    """Light letters on dark where the system is dark, and the other way round."""
    for scheme, is_dark in (("light", False), ("dark", True)):
        window = Watched(browser, server, color_scheme=scheme, **LAPTOP)
        window.page.goto("/")
        expect(tile(window.page, "anatomical")).to_be_visible()
        colour = window.page.evaluate("getComputedStyle(document.body).backgroundColor")
        assert (sum(map(int, colour.removeprefix("rgb(").removesuffix(")").split(","))) < 200) is is_dark
        window.close()


@pytest.fixture(scope="module")
def large(viewer: None, tmp_path_factory: Any) -> Iterator[Server]:
    """Serve thousands of images."""
    folder = Path(tmp_path_factory.mktemp("large")) / "studies"
    folder.mkdir()
    for number in range(MANY):
        (folder / f"scan_{number:05}.nii.gz").write_bytes(b"voxels %d" % number)
    with running(folder) as server:
        yield server


def test_a_long_list_is_in_the_page_only_where_it_is_looked_at(browser: Browser, large: Server) -> None:
    """The end of thousands of cases, their middle and their beginning come at once; a few dozen entries exist."""
    window = Watched(browser, large, **LAPTOP)
    asked = _asked_rows(window.page)
    window.page.goto("/")
    expect(window.page.locator(".progress")).to_contain_text("3,000 cases")
    expect(tile(window.page, "scan_00000")).to_be_visible()
    window.page.keyboard.press("End")
    expect(tile(window.page, f"scan_{MANY - 1:05}")).to_be_focused()
    window.page.locator(".scroller").evaluate("scroller => scroller.scrollTo({top: scroller.scrollHeight / 2})")
    expect(tile(window.page, f"scan_{MANY // 2:05}")).to_be_visible()
    assert window.page.locator(".entry").count() < 100
    window.page.keyboard.press("Home")
    expect(tile(window.page, "scan_00000")).to_be_focused()
    assert len(asked) <= 7, asked  # of thirty pages: the first, and at most two at each place, the first one again
    window.close()


def test_the_keyboard_stays_at_its_case_while_the_list_is_drawn_anew(browser: Browser, large: Server) -> None:
    """A case that leaves the page because the list is scrolled has the keyboard again when it comes back."""
    window = Watched(browser, large, **LAPTOP)
    scroller = window.page.locator(".scroller")
    window.page.goto("/")
    expect(tile(window.page, "scan_00000")).to_be_visible()
    window.page.keyboard.press("End")
    last = tile(window.page, f"scan_{MANY - 1:05}")
    for _ in range(2):
        expect(last).to_be_focused()
        scroller.evaluate("scroller => scroller.scrollTo({top: 0})")
        expect(last).to_have_count(0)
        scroller.evaluate("scroller => scroller.scrollTo({top: scroller.scrollHeight})")
    expect(last).to_be_focused()
    scroller.evaluate("scroller => scroller.scrollTo({top: 0})")
    expect(last).to_have_count(0)
    window.page.keyboard.press("ArrowLeft")
    expect(tile(window.page, f"scan_{MANY - 2:05}")).to_be_focused()
    window.close()


def test_what_was_dragged_past_is_no_longer_waited_for(browser: Browser, large: Server) -> None:
    """A request for cases that left the view before they came is cancelled; those in view come all the same."""
    window = Watched(browser, large, **LAPTOP)
    page, scroller = window.page, window.page.locator(".scroller")
    page.goto("/?sort=-id")
    expect(tile(page, f"scan_{MANY - 1:05}")).to_be_visible()
    held: list[Route] = []
    cancelled: list[str] = []
    page.on("requestfailed", lambda request: cancelled.append(request.url))
    opened: list[bool] = []
    page.route("**/datastore/images?*", lambda route: route.continue_() if opened else held.append(route))
    scroller.evaluate("scroller => scroller.scrollTo({top: scroller.scrollHeight / 4})")
    until(lambda: len(held) > 0, page)
    passed = [route.request.url for route in held]
    scroller.evaluate("scroller => scroller.scrollTo({top: scroller.scrollHeight / 2})")
    until(lambda: set(passed) <= set(cancelled) and len(held) > len(passed), page)
    opened.append(True)
    for route in held[len(passed) :]:
        route.continue_()
    expect(tile(page, f"scan_{MANY - 1 - MANY // 2:05}")).to_be_visible()
    expect(page.locator(".error, [role=alert]")).to_have_count(0)
    window.close()


def test_a_far_part_of_a_list_keeps_up_with_what_happens(browser: Browser, large: Server) -> None:
    """An image that comes before all others moves those in view by one, and one that is labelled shows it."""
    window = Watched(browser, large, **LAPTOP)
    window.page.goto("/?layout=table")
    expect(tile(window.page, "scan_00000")).to_be_visible()
    window.page.keyboard.press("End")
    last = window.page.locator(f'.entry:has(a[data-id="scan_{MANY - 1:05}"])')
    expect(last).to_have_attribute("aria-posinset", str(MANY))
    path = large.folder / f"scan_{0:05}.nii.gz"
    large.store.add_image("before_all", str(path), {})
    expect(last).to_have_attribute("aria-posinset", str(MANY + 1))
    large.store.save_label(f"scan_{MANY - 1:05}", str(path), "final", {"client_id": "lena"})
    expect(last).to_contain_text("lena")
    large.store.remove_image("before_all")
    expect(last).to_have_attribute("aria-posinset", str(MANY))
    large.store.remove_label(f"scan_{MANY - 1:05}", "final")
    window.close()


def test_the_neighbours_of_a_case_far_down_are_those_of_its_list(browser: Browser, large: Server) -> None:
    """A case opened from the end of the list, by a link in its middle too, has the one before and the one after it."""
    window = Watched(browser, large, **LAPTOP)
    window.page.goto("/?sort=-id")
    expect(tile(window.page, f"scan_{MANY - 1:05}")).to_be_visible()
    window.page.keyboard.press("End")
    tile(window.page, "scan_00001").click()
    expect(window.page.locator(".position")).to_have_text("2,999 of 3,000")
    window.page.get_by_role("button", name="next case").click()
    expect(window.page.locator("h1")).to_have_text("scan_00000")
    asked = _asked_rows(window.page)
    window.page.goto("/ui/case/scan_01234?in=sort%3D-id")
    expect(window.page.locator(".panel")).to_contain_text("found in the folder")
    assert len(asked) == 2, asked  # the case itself, and the first page of its list
    for id in ("scan_01233", "scan_01232"):
        window.page.get_by_role("button", name="next case").click()
        expect(window.page.locator("h1")).to_have_text(id)
    for id in ("scan_01233", "scan_01234", "scan_01235"):
        window.page.get_by_role("button", name="previous case").click()
        expect(window.page.locator("h1")).to_have_text(id)
    window.close()


def _asked_rows(page: Page) -> list[str]:
    """Give the addresses of the lists that a page asks for, as it asks."""
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/datastore/images?" in request.url else None)
    return asked


def test_an_empty_datastore_says_what_to_do(browser: Browser, viewer: None, tmp_path: Path) -> None:
    """There is a sentence instead of a void, and the first image appears by itself."""
    (tmp_path / "empty").mkdir()
    with running(tmp_path / "empty") as server:
        window = Watched(browser, server, **LAPTOP)
        window.page.goto("/")
        expect(window.page.locator(".empty")).to_contain_text("No images yet")
        server.put("/datastore/image?image=first", "file", "x.nii.gz", b"voxels", params=json.dumps({}))
        expect(tile(window.page, "first")).to_be_visible()
        window.close()


def test_a_server_that_is_gone_is_missed_and_found_again(browser: Browser, viewer: None, tmp_path: Path) -> None:
    """The page says that nobody answers; when the server is back, it shows what happened meanwhile."""
    folder = tmp_path / "restarted"
    folder.mkdir()
    (folder / "before.nii.gz").write_bytes(b"voxels")
    with running(folder) as server:
        window = Watched(browser, server, **LAPTOP)
        window.page.goto("/")
        expect(tile(window.page, "before")).to_be_visible()
    expect(window.page.locator(".notice")).to_contain_text("The server does not answer")
    (folder / "meanwhile.nii.gz").write_bytes(b"voxels")
    with running(folder, port=server.port):
        expect(tile(window.page, "meanwhile")).to_be_visible()
        expect(window.page.locator(".notice")).to_have_count(0)
        window.complaints[:] = [said for said in window.complaints if "ERR_CONNECTION_REFUSED" not in said]
        window.close()
