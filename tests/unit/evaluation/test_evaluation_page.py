# SPDX-License-Identifier: Apache-2.0
"""The page of an evaluation, opened in Chromium: it asks for nothing, sorts, filters, and shows names as text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from depthbridge.cli.evaluation.candidates import find_candidates
from depthbridge.cli.evaluation.evaluation import Order, evaluation
from depthbridge.cli.evaluation.samples import DatasetError, Sample
from depthbridge.engines.engine import DepthEngine
from support import onnx_models as models
from support.chromium import Browser, open_browser
from support.evaluation_sets import CAMERA, MemorySet, picture, ramp

ROWS = "#scroller tbody tr:not(.space)"
SCRIPT = "<script>window.pwned=1</script><img src=x onerror=window.pwned=1>"
COUNT = 9


class Flaky(MemorySet):
    """The last picture cannot be read."""

    def load(self, name: str) -> Sample:
        if name == self.names()[-1]:
            raise DatasetError(f"{name} is broken {SCRIPT}")
        return super().load(name)


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with open_browser() as opened:
        yield opened


def written(out: Path, names: list[str], labels: tuple[str, ...]) -> Path:
    """The page of a run over pictures of those names with models called so."""
    graphs = [str(models.da2_metric(out.parent / f"m{place}_indoor.onnx", max_depth=20.0 + 4 * place)) for place in range(len(labels))]
    found = find_candidates(graphs, None, DepthEngine.open)
    candidates = tuple(replace(each, label=label) for each, label in zip(found, labels, strict=True))
    samples = []
    for place, name in enumerate(names):
        truth = ramp(place) * (1 if place != 1 else 0)
        samples.append(Sample(name, picture(place), truth, truth > 0, None, CAMERA, (f"note {SCRIPT}",) if place == 2 else ()))
    data = Flaky(samples, layout=f"layout {SCRIPT}", protocol=f"protocol {SCRIPT}")
    with evaluation(Order(data, out.parent / "a set", candidates, {}), out, lambda model: DepthEngine.open(model, cache=None), lambda *_: None):
        pass
    return out / "evaluation.html"


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    names = [f"room/{place}" for place in range(COUNT)]
    return written(tmp_path_factory.mktemp("page") / "out", names, ("near", "far"))


def column(browser: Browser, key: str) -> list[str]:
    place = browser.run("return [...document.querySelectorAll('th')].filter((cell) => cell.closest('#scroller')).findIndex((cell) => cell.dataset.key === arguments[0])", key)
    return browser.texts(f"{ROWS} td:nth-child({place + 1})")


@pytest.mark.parametrize("dark", [False, True])
def test_it_opens_without_a_complaint_and_asks_for_nothing(browser: Browser, page: Path, dark: bool) -> None:
    browser.open(page, dark=dark)
    assert browser.problems() == [] and browser.requests() == [page.as_uri()]
    loaded = browser.run("return [...document.images].map((image) => image.complete && image.naturalWidth > 0)")
    cards = len(browser.texts(".card"))
    assert cards == COUNT - 2 and len(loaded) == cards * (2 + 2 * 2) and all(loaded)
    assert browser.run("return document.documentElement.scrollWidth <= window.innerWidth")


def test_a_phone_scrolls_only_down(browser: Browser, page: Path) -> None:
    browser.open(page, width=390, height=800)
    assert browser.run("return document.documentElement.scrollWidth") == 390


@pytest.mark.parametrize("width", [1280, 1201, 920])
def test_numbers_of_scales_do_not_run_into_each_other(browser: Browser, page: Path, width: int) -> None:
    browser.open(page, width=width)
    spare = browser.run("return [...document.querySelectorAll('.ticks')].map((item) => item.clientWidth - [...item.children].reduce((sum, each) => sum + each.offsetWidth + 4, 0))")
    assert len(spare) == (COUNT - 2) * 5 and min(spare) >= 0


def test_of_few_pictures_none_is_worst_and_best_at_once(browser: Browser, page: Path) -> None:
    browser.open(page)
    badges = browser.run("return [...document.querySelectorAll('.card')].map((card) => [...card.querySelectorAll('.badge')].map((each) => each.textContent))")
    for label in ("near", "far"):
        worst, best = (sum(f"among the {word} of {label}" in each for each in badges) for word in ("worst", "best"))
        assert (worst, best) == (4, 3)  # of the seven that count
        assert not any({f"among the worst of {label}", f"among the best of {label}"} <= set(each) for each in badges)


def test_the_totals_need_no_script(page: Path) -> None:
    text = page.read_text()
    table = text[text.index('<div class="totals">') : text.index('<section id="plots">')]
    assert re.findall(r'<span class="name">(\w+)</span>', table) == ["near", "far"]
    marked = re.findall(r"<b>([\d.]+)</b>", table)
    near, far = (model["total"] for model in json.loads(page.with_name("evaluation.json").read_text())["models"])
    differing = sum(near[key] != far[key] for key in near)
    assert len(marked) == differing >= 5  # of two models that are aligned alike the better is marked, where one is better
    assert any(near[key] == far[key] is not None for key in near)


def test_the_table_sorts_and_filters(browser: Browser, page: Path) -> None:
    browser.open(page)
    assert browser.find("#count").text == f"{2 * COUNT} rows"
    browser.click('th[data-key="abs_rel"] button')
    values = [float(cell) for cell in column(browser, "abs_rel") if cell]
    assert len(values) == 2 * (COUNT - 2) and values == sorted(values)
    browser.run("const s = arguments[0]; s.selectedIndex = 2; s.dispatchEvent(new Event('input'))", browser.find("#model"))
    browser.until("return document.getElementById('count').textContent === arguments[0]", f"{COUNT} of {2 * COUNT} rows")
    assert set(column(browser, "label")) == {"far"}
    browser.type("#search", "room/3")
    browser.until("return document.getElementById('count').textContent === arguments[0]", f"1 of {2 * COUNT} rows")
    browser.click("#clear")
    assert browser.find("#count").text == f"{2 * COUNT} rows"


def test_plots_follow_the_filters(browser: Browser, page: Path) -> None:
    browser.open(page)
    pixels = "return document.querySelectorAll('.plot canvas')[arguments[0]].toDataURL()"
    assert len(browser.texts(".plot")) == 3
    before = [browser.run(pixels, place) for place in range(3)]
    blank = browser.run("const c = document.querySelector('.plot canvas').cloneNode(); return c.toDataURL()")
    assert blank not in before
    browser.run("const s = arguments[0]; s.selectedIndex = 1; s.dispatchEvent(new Event('input'))", browser.find("#model"))
    browser.until("return document.getElementById('count').textContent.includes(' of ')")
    after = [browser.run(pixels, place) for place in range(3)]
    assert all(one != other for one, other in zip(before, after, strict=True))


def test_pictures_and_table_lead_to_each_other(browser: Browser, page: Path) -> None:
    browser.open(page)
    browser.click(".card button")
    name = browser.texts(".card h3")[0]
    assert column(browser, "frame") == [name, name]
    browser.click(f"{ROWS} a")
    browser.until("return document.querySelector('.card.hot h3').textContent === arguments[0]", name)


def test_what_failed_or_does_not_count_is_told(browser: Browser, page: Path) -> None:
    browser.open(page)
    alerts = browser.texts(".alert")
    assert len(alerts) == 2
    assert "Estimates that failed: 2" in alerts[0] and f"room/{COUNT - 1}" in alerts[0] and "is broken" in alerts[0]
    assert "Pictures without a pixel that counts: 1" in alerts[1] and "room/1" in alerts[1]


def test_names_are_shown_and_never_run(browser: Browser, tmp_path: Path) -> None:
    names = [f"{SCRIPT}{place}" for place in range(4)]
    page = written(tmp_path / "out", names, (SCRIPT, "</script>" + SCRIPT))
    browser.open(page)
    assert browser.run("return window.pwned === undefined") and browser.problems() == []
    assert browser.texts(".card h3")[0].startswith(SCRIPT) and browser.texts(".totals .name") == [SCRIPT, "</script>" + SCRIPT]
    assert set(column(browser, "frame")) == set(names) and f"note {SCRIPT}" in column(browser, "note")
    assert any(f"protocol {SCRIPT}" in text for text in browser.texts(".facts dd"))


def test_a_plot_stays_within_its_frame_when_all_are_alike(browser: Browser, tmp_path: Path) -> None:
    """One picture, one model: no spread to scale by."""
    browser.open(written(tmp_path / "out", ["only", "empty", "last"], ("alone",)))
    assert browser.problems() == [] and browser.find("#model").is_displayed() is False
    assert np.all([text.startswith(("Share", "AbsRel", "Too")) for text in browser.texts(".plot figcaption")])
