# SPDX-License-Identifier: Apache-2.0
"""The HTML report of a capture, opened in Chromium: it sorts, filters, scrolls and prints, asks for nothing, and shows names as text."""

from __future__ import annotations

import base64
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from selenium.webdriver.common.action_chains import ActionChains

from depthbridge.unity_bridge.captures.report import ReportAbout, ReportFrame, ReportPictures, write_report
from depthbridge.unity_bridge.captures.report.markup import metres
from support.chromium import Browser, open_browser
from support.report_runs import Accuracy, frame_of, many_frames, object_of, page_data, pictures_of, record_of, rows_of

ABOUT = ReportAbout("A run", "captures/kitchen")
ROWS = "#scroller tbody tr:not(.space)"
SCRIPT = "<script>window.pwned=1</script><img src=x onerror=window.pwned=1>"


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as opened:
        yield opened


@pytest.fixture(scope="module")
def small(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Nine frames of four objects with truth, one failed, one object without a distance."""
    frames = list(many_frames(9, 4))
    extra = frame_of(
        "odd.png", [object_of(0, None, category="door", reason="It has no valid pixel."), object_of(1, 0.5, category="lamp", true=2.0)]
    )
    failed = ReportFrame("bad.png", {}, error="masks/bad.png is missing.")
    about = ReportAbout("A run", "captures/kitchen", "SOLO", "oracle", Accuracy(4000, 0.05, 0.3, 0.97), Accuracy(90000, 0.07, 0.4, 0.95))
    return write_report(tmp_path_factory.mktemp("small") / "report #1.html", [*frames, extra, failed], about)


@pytest.fixture(scope="module")
def large(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """2,000 frames of 25 objects."""
    return write_report(tmp_path_factory.mktemp("large") / "report.html", many_frames(2000, 25), ABOUT, max_pictures=8)


def column(browser: Browser, key: str) -> list[str]:
    """The cells of a column, of the rows that are in the document."""
    place = browser.run("return [...document.querySelectorAll('th')].findIndex((cell) => cell.dataset.key === arguments[0])", key)
    return browser.texts(f"{ROWS} td:nth-child({place + 1})")


def numbers(cells: list[str]) -> list[float]:
    return [float(cell.replace(",", "").removesuffix(" %")) for cell in cells if cell]


def canvas_pixels(browser: Browser, place: int) -> np.ndarray:
    uri = browser.run("return document.querySelectorAll('.plot canvas')[arguments[0]].toDataURL()", place)
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition("base64,")[2]))))


def test_it_opens_without_a_complaint_and_asks_for_nothing(browser: Browser, small: Path) -> None:
    browser.open(small)
    assert browser.problems() == []
    assert browser.requests() == [small.as_uri()]
    loaded = browser.run("return [...document.images].map((image) => image.complete && image.naturalWidth > 0)")
    assert len(loaded) == 3 * 10 and all(loaded)


def test_a_click_on_a_head_sorts_and_another_turns_it(browser: Browser, small: Path) -> None:
    browser.open(small)
    as_written = column(browser, "median")
    for expected, state in ((sorted, "ascending"), (lambda values: sorted(values, reverse=True), "descending")):
        browser.click('th[data-key="median"] button')
        cells = column(browser, "median")
        assert numbers(cells) == expected(numbers(as_written))
        assert cells[-1] == ""  # what has no distance is last both ways
        assert browser.find('th[data-key="median"]').get_attribute("aria-sort") == state
    browser.click('th[data-key="median"] button')
    assert column(browser, "median") == as_written


def test_names_sort_as_a_reader_counts(browser: Browser, tmp_path: Path) -> None:
    frames = [frame_of(name, [object_of(0, 1.0)]) for name in ("frame10.png", "frame9.png", "Frame1.png")]
    browser.open(write_report(tmp_path / "report.html", frames, ABOUT))
    browser.click('th[data-key="frame"] button')
    assert column(browser, "frame") == ["Frame1.png", "frame9.png", "frame10.png"]


@pytest.mark.parametrize(
    ("field", "text", "keeps"),
    [
        ("#search", "00004 crate", lambda row: row["frame"] == "00004.png" and row["category"] == "crate"),
        ("#search", "no VALID", lambda row: "no valid" in row["note"]),
        ("#nearest", "12.5", lambda row: row["median"] is not None and row["median"] >= 12.5),
        ("#farthest", "12.5", lambda row: row["median"] is not None and row["median"] <= 12.5),
        ("#off", "50", lambda row: row["relative"] is not None and abs(row["relative"]) > 0.5),
    ],
)
def test_filters_leave_the_rows_they_name(browser: Browser, small: Path, field: str, text: str, keeps) -> None:
    browser.open(small)
    all_rows = rows_of(page_data(small), "objects")
    kept = [row["frame"] for row in all_rows if keeps(row)]
    assert 0 < len(kept) < len(all_rows)
    before = canvas_pixels(browser, 1)
    browser.type(field, text)
    browser.until("return document.getElementById('count').textContent === arguments[0]", f"{len(kept)} of {len(all_rows)} rows")
    assert column(browser, "frame") == kept
    assert not np.array_equal(canvas_pixels(browser, 1), before)  # the plots follow
    browser.click("#clear")
    assert len(column(browser, "frame")) == len(all_rows)


def test_a_category_is_chosen_from_a_list(browser: Browser, small: Path) -> None:
    browser.open(small)
    assert browser.texts("#category option") == ["All categories", "barrel", "crate", "door", "lamp", "person"]
    browser.run("const s = arguments[0]; s.selectedIndex = 4; s.dispatchEvent(new Event('input'))", browser.find("#category"))
    browser.until("return document.getElementById('count').textContent.includes(' of ')")
    assert column(browser, "category") == ["lamp"]


def test_frames_and_categories_have_tables_of_their_own(browser: Browser, small: Path) -> None:
    browser.open(small)
    browser.click('.tabs button[data-name="frames"]')
    assert column(browser, "frame")[-2:] == ["odd.png", "bad.png"]
    assert column(browser, "state")[-1] == "failed" and column(browser, "note")[-1] == "masks/bad.png is missing."
    browser.click('.tabs button[data-name="classes"]')
    assert column(browser, "category")[-1] == "lamp"


def test_names_are_shown_and_never_run(browser: Browser, tmp_path: Path) -> None:
    frame = frame_of(SCRIPT, [object_of(0, 1.0, category=SCRIPT, true=1.1) | {"id": "</script>" + SCRIPT}], notes=(SCRIPT,))
    failed = ReportFrame(SCRIPT, {}, error=SCRIPT)
    browser.open(write_report(tmp_path / "report.html", [frame, failed], ReportAbout(SCRIPT, SCRIPT, SCRIPT, SCRIPT)))
    assert browser.run("return window.pwned === undefined")
    assert browser.problems() == []
    assert column(browser, "frame") == [SCRIPT] and column(browser, "category") == [SCRIPT] and column(browser, "id") == ["</script>" + SCRIPT]
    assert browser.texts("h1") == [SCRIPT] and browser.texts(".tag i") == [SCRIPT[:40]]
    browser.click('.tabs button[data-name="frames"]')
    assert column(browser, "note") == [SCRIPT, SCRIPT]


def test_50000_rows_open_and_scroll_to_the_last(browser: Browser, large: Path) -> None:
    browser.open(large)
    assert browser.find("#count").text == "50,000 rows"
    expected = rows_of(page_data(large), "objects")
    for part in (0.5, 1.0):
        browser.run("const s = document.getElementById('scroller'); s.scrollTop = arguments[0] * s.scrollHeight", part)
        row = round(part * 49_999)
        found = browser.until(
            "return [...document.querySelectorAll(arguments[0])].find((row) => Number(row.getAttribute('aria-rowindex')) === arguments[1])",
            ROWS,
            row + 2,
        )
        cells = browser.run("return [...arguments[0].children].slice(0, 4).map((cell) => cell.textContent)", found)
        assert cells[0] == expected[row]["frame"] and abs(float(cells[3]) - expected[row]["median"]) < 0.06
        assert browser.run("return document.querySelectorAll(arguments[0]).length", ROWS) < 200
    browser.click('th[data-key="median"] button')
    assert abs(numbers(column(browser, "median"))[0] - min(row["median"] for row in expected)) < 0.001
    assert browser.problems() == []


def test_a_frame_in_the_table_leads_to_its_picture_and_back(browser: Browser, large: Path) -> None:
    browser.open(large)
    assert browser.find("#more").text == "Show all 8 frames"
    last = browser.run("return [...document.querySelectorAll('.card')].pop().id")
    assert not browser.find(f"#{last}").is_displayed()
    name = browser.run("return document.querySelector('#' + arguments[0] + ' h3').textContent", last)
    browser.run(
        "document.getElementById('search').value = arguments[0]; document.getElementById('search').dispatchEvent(new Event('input'))", name
    )
    browser.until("return document.getElementById('count').textContent.startsWith('25 of')")
    browser.click(f"{ROWS} a")
    browser.until("return !document.getElementById(arguments[0]).hidden", last)
    assert browser.find(f"#{last}").is_displayed()
    browser.click(f"#{last} button")
    assert set(column(browser, "frame")) == {name}


def test_light_and_dark_follow_the_reader_and_the_button(browser: Browser, small: Path) -> None:
    def lightness() -> float:
        colours = browser.run("return ['backgroundColor', 'color'].map((name) => getComputedStyle(document.body)[name])")
        back, ink = (np.mean([float(part) for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]) for colour in colours)
        assert abs(back - ink) > 150
        return float(back)

    browser.open(small)
    assert lightness() > 200
    ink = canvas_pixels(browser, 1)
    browser.open(small, dark=True)
    assert lightness() < 60
    assert not np.array_equal(canvas_pixels(browser, 1), ink)
    browser.click("#theme")
    assert lightness() > 200
    np.testing.assert_array_equal(canvas_pixels(browser, 1), ink)


@pytest.mark.parametrize("width", [320, 390, 768, 1280])
def test_the_page_is_as_wide_as_its_reader(browser: Browser, small: Path, width: int) -> None:
    browser.open(small, width=width)
    assert browser.run("return document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize(("width", "all_placed"), [(390, False), (1280, True)])
def test_labels_lie_in_the_picture_and_on_no_other(browser: Browser, tmp_path: Path, width: int, all_placed: bool) -> None:
    """Objects in the four corners, and eight small ones in a heap, with long names."""
    mask = np.zeros((120, 160), np.uint16)
    boxes = [(0, 0), (150, 0), (0, 110), (150, 110)] + [(70 + 6 * (place % 2), 45 + 6 * (place // 2)) for place in range(8)]
    for place, (x, y) in enumerate(boxes):
        mask[y : y + (10 if place < 4 else 5), x : x + (10 if place < 4 else 5)] = place + 1
    pictures = ReportPictures(np.full((120, 160, 3), 90, np.uint8), mask, tuple(range(1, 13)))
    objects = [object_of(place, 1.0 + place, category="green_parallelepiped") for place in range(12)]
    browser.open(write_report(tmp_path / "report.html", [frame_of("a.png", objects, pictures=lambda: pictures)], ABOUT), width=width)
    browser.until("return document.querySelector('.tags').classList.contains('placed')")
    box = "(({left, top, right, bottom}) => [left, top, right, bottom])"
    photo = browser.run(f"return {box}(document.querySelector('.photo').getBoundingClientRect())")
    tags = browser.run(f"return [...document.querySelectorAll('.tag:not(.crowded)')].map((tag) => {box}(tag.getBoundingClientRect()))")
    assert len(tags) >= 6 and (len(tags) == 12 or not all_placed)
    for place, tag in enumerate(tags):
        assert tag[0] >= photo[0] - 1 and tag[1] >= photo[1] - 1 and tag[2] <= photo[2] + 1 and tag[3] <= photo[3] + 1
        for other in tags[:place]:
            assert tag[0] >= other[2] - 1 or other[0] >= tag[2] - 1 or tag[1] >= other[3] - 1 or other[1] >= tag[3] - 1
    assert browser.texts(".tag b") == [metres(1.0 + place) for place in range(12)]


def test_an_outline_lies_on_its_object(browser: Browser, tmp_path: Path) -> None:
    browser.open(write_report(tmp_path / "report.html", [frame_of("a.png", [object_of(0, 1.0), object_of(1, 2.0)])], ABOUT))
    photo = browser.run("const {left, top, width} = document.querySelector('.photo').getBoundingClientRect(); return [left, top, width / 160]")
    for place in range(2):
        left, top, right, bottom = browser.run(
            'const {left, top, right, bottom} = document.querySelector(`.photo g[data-object="${arguments[0]}"] .line`).getBoundingClientRect(); return [left, top, right, bottom]',
            place,
        )
        edges = [(left - photo[0]) / photo[2], (top - photo[1]) / photo[2], (right - photo[0]) / photo[2], (bottom - photo[1]) / photo[2]]
        np.testing.assert_allclose(edges, [10.5 + 36 * place, 20.5, 33.5 + 36 * place, 43.5], atol=1.0)


def test_without_truth_distances_are_plotted_and_errors_not_spoken_of(browser: Browser, tmp_path: Path) -> None:
    browser.open(write_report(tmp_path / "report.html", [frame_of("a.png", [object_of(n, 1.0 + n / 9) for n in range(20)])], ABOUT))
    assert browser.texts("#plots h2") == ["Distances"]
    assert browser.texts(".plot figcaption")[0].startswith("Distances of the objects")
    assert not browser.find("#off-label").is_displayed()
    assert "true" not in browser.run("return [...document.querySelectorAll('th')].map((cell) => cell.dataset.key)")
    assert len(np.unique(canvas_pixels(browser, 0), axis=0)) > 3


@pytest.mark.parametrize(
    "frames",
    [[], [ReportFrame("a.png", record_of([]))], [frame_of("a.png", [object_of(0, 2.0, true=2.0)])], [ReportFrame("a.png", {}, error="No.")]],
)
def test_runs_of_almost_nothing_open(browser: Browser, tmp_path: Path, frames: list[ReportFrame]) -> None:
    browser.open(write_report(tmp_path / "report.html", frames, ABOUT))
    assert browser.problems() == []


def test_paper_gets_the_first_rows_and_white(browser: Browser, tmp_path: Path) -> None:
    browser.open(write_report(tmp_path / "report.html", many_frames(30, 25), ABOUT, max_pictures=2), dark=True)
    browser.run(
        "window.addEventListener('beforeprint', () => { window.printed = [document.querySelectorAll(arguments[0]).length, document.documentElement.dataset.theme] })",
        ROWS,
    )
    note = "window.addEventListener('beforeprint', () => { window.note = document.getElementById('print-note').textContent })"
    browser.run(note)
    assert browser.print_pdf().startswith(b"%PDF")
    assert browser.run("return window.printed") == [200, "light"]
    assert browser.run("return window.note") == "The first 200 of 750 rows."
    browser.until("return document.documentElement.dataset.theme === undefined && document.getElementById('print-note').textContent === ''")
    assert browser.run("return document.querySelectorAll(arguments[0]).length", ROWS) < 200


def test_it_can_be_read_by_keyboard_and_screen_reader(browser: Browser, small: Path) -> None:
    browser.open(small)
    assert browser.run("return [...document.images].every((image) => image.alt !== '')")
    assert browser.run("return [...document.querySelectorAll('canvas')].every((canvas) => canvas.getAttribute('aria-label').length > 10)")
    named = "return [...document.querySelectorAll('input, select, button')].filter((item) => !item.getAttribute('aria-label') && !item.title && !item.textContent.trim()).length"
    assert browser.run(named) == 0
    browser.run("document.querySelector('th[data-key=\"median\"] button').focus()")
    browser.driver.switch_to.active_element.send_keys("\n")
    assert browser.find('th[data-key="median"]').get_attribute("aria-sort") == "ascending"
    assert browser.run("return document.activeElement.closest('th')?.dataset.key") == "median"  # the focus stays where it was


def test_points_lie_where_their_numbers_say(browser: Browser, tmp_path: Path) -> None:
    """Each found by the pointer at the place that the axes promise: true distance to the right, too far upwards."""
    truths, errors = [2.0, 6.0, 10.0], [-0.2, 0.0, 0.4]
    objects = [object_of(n, true * (1 + error), true=true) for n, (true, error) in enumerate(zip(truths, errors, strict=True))]
    browser.open(write_report(tmp_path / "report.html", [frame_of("a.png", objects)], ABOUT))
    canvas = browser.find(".plot canvas")
    browser.run("arguments[0].scrollIntoView({block: 'center'})", canvas)
    width, height = canvas.size["width"], canvas.size["height"]
    low, high = -0.2 - 0.036, 0.4 + 0.036
    for number, (true, error) in enumerate(zip(truths, errors, strict=True)):
        x = 52 + (true - 2) / 8 * (width - 10 - 52)
        y = height - 36 - (error - low) / (high - low) * (height - 36 - 8)
        ActionChains(browser.driver).move_to_element_with_offset(canvas, round(x - width / 2), round(y - height / 2)).perform()
        tip = browser.until("return [...document.querySelectorAll('.tip:not([hidden])')].map((item) => item.textContent)[0]")
        assert tip == f"a.png: cube {number}, {metres(true * (1 + error))}, true {metres(true)} ({'+' if error > 0 else ''}{100 * error:.1f} %)"


def test_what_the_plots_say_in_words_is_right(browser: Browser, tmp_path: Path) -> None:
    chance = np.random.default_rng(3)
    truths, errors = chance.uniform(1, 9, 301), chance.normal(0.1, 0.2, 301)
    objects = [object_of(n, float(true * (1 + error)), true=float(true)) for n, (true, error) in enumerate(zip(truths, errors, strict=True))]
    browser.open(write_report(tmp_path / "report.html", [frame_of("a.png", objects, pictures=lambda: pictures_of(4))], ABOUT))
    half, most = 100 * np.quantile(np.abs(errors), 0.5), 100 * np.quantile(np.abs(errors), 0.9)
    words = browser.texts(".plot figcaption span")
    assert words[0].startswith("301 objects; line: median, band: middle 80 %")
    assert words[1].startswith(f"median {100 * np.median(errors):+.1f} %; half of the objects within ±{half:.1f} %, 90 % within ±{most:.1f} %")
