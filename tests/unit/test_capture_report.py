# SPDX-License-Identifier: Apache-2.0
"""The HTML report of a capture, as a file: complete, of bounded size, with every name as text. (In a browser: test_capture_report_page.py)"""

from __future__ import annotations

import base64
import gc
import hashlib
import io
import math
import re
import weakref
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from depthbridge.engines.depth_map import DepthKind, DepthMap
from depthbridge.engines.errors import CaptureError, OutputError
from depthbridge.engines.export.color_map import ColorScale, color_map
from depthbridge.unity_bridge.captures.report import ReportAbout, ReportFrame, ReportPictures, urgency, write_report
from depthbridge.unity_bridge.captures.report.choose import SPREAD, WORST, Shortlist
from depthbridge.unity_bridge.captures.report.pictures import depth_picture, outlines, photo, truth_picture
from support.report_runs import Accuracy, Markup, frame_of, many_frames, object_of, page_data, pictures_of, record_of, rows_of

ABOUT = ReportAbout("A run", "captures/kitchen")
HOSTILE = [
    "<script>pwned=1</script>",
    "</script><img src=x onerror=pwned=1>",
    "\"'&<>",
    "<!--",
    "]]>",
    "${data}",
    "\ud800",
    "a\u202eb",
    "\x00",
    "é",
    "x" * 1000,
]

names = st.one_of(st.text(max_size=30), st.sampled_from(HOSTILE))


def write(folder: Path, frames: Any, about: ReportAbout = ABOUT, **options: Any) -> Path:
    return write_report(folder / "report.html", frames, about, overwrite=True, **options)


def decoded(uri: str) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(uri.partition("base64,")[2]))).convert("RGB"))


@settings(deadline=None)
@given(names, names, names, names)
def test_no_name_becomes_markup(tmp_path_factory: pytest.TempPathFactory, name: str, category: str, object_id: str, sentence: str) -> None:
    def pages(*texts: str) -> Path:
        first, second, third, fourth = texts
        objects = [object_of(0, 1.5, category=second, true=1.4) | {"id": third}, object_of(1, None, category="plain", reason=fourth)]
        frames = [
            frame_of(first, objects, notes=(fourth,)),
            ReportFrame(first, {}, error=fourth),
            frame_of(first, [object_of(0, 1.0)], pictures=lambda: refuse(fourth)),
        ]
        about = ReportAbout(first, second, third, fourth, Accuracy(9, 0.1, 0.2, 0.9), None, {second: Accuracy(9, 0.1, 0.2, 0.9)})
        return write(tmp_path_factory.mktemp("page"), frames, about)

    plain = Markup(pages("one", "two", "three", "four"))
    assert Markup(pages(name or "a", category or "b", object_id or "c", sentence or "d")).elements == plain.elements


def refuse(sentence: str) -> ReportPictures:
    raise CaptureError(sentence)


@pytest.mark.parametrize("name", HOSTILE[:5])
def test_names_arrive_as_they_are(tmp_path: Path, name: str) -> None:
    page = write(tmp_path, [frame_of(name, [object_of(1, 2.0, category=name)])])
    (row,) = rows_of(page_data(page), "objects")
    assert (row["frame"], row["category"]) == (name, name)
    assert Markup(page).text.count(name) >= 1


def test_the_tables_are_complete(tmp_path: Path) -> None:
    frames = list(many_frames(30, 7))
    data = page_data(write(tmp_path, [*frames, ReportFrame("bad.png", {}, error="It is empty.")], max_pictures=3))
    expected = [
        (frame.name, item["distance"]["median"], item["distance_error_relative"]) for frame in frames for item in frame.record["objects"]
    ]
    rows = [(row["frame"], row["median"], row["relative"]) for row in rows_of(data, "objects")]
    assert [row[0] for row in rows] == [row[0] for row in expected]
    np.testing.assert_allclose([row[1:] for row in rows], [row[1:] for row in expected], rtol=1e-5)
    listed = rows_of(data, "frames")
    assert [row["frame"] for row in listed] == [*(frame.name for frame in frames), "bad.png"]
    assert (listed[-1]["state"], listed[-1]["note"]) == ("failed", "It is empty.")


def test_pixel_counts_keep_every_digit(tmp_path: Path) -> None:
    (row,) = rows_of(page_data(write(tmp_path, [frame_of("a.png", [object_of(0, 1.0, pixel_count=12_345_678)])])), "objects")
    assert row["pixels"] == 12_345_678


def test_categories_are_summed_up(tmp_path: Path) -> None:
    objects = [object_of(0, 1.1, category="a", true=1.0), object_of(1, 3.3, category="a", true=3.0), object_of(2, None, category="b", true=2.0)]
    about = ReportAbout("A run", "here", classes={"a": Accuracy(100, 0.11, 0.25, 0.8)})
    first, second = rows_of(page_data(write(tmp_path, [frame_of("a.png", objects)], about)), "classes")
    assert (first["category"], first["objects"], first["nearest"], first["median"], first["farthest"]) == ("a", 2, 1.1, 2.2, 3.3)
    assert (first["abs_rel"], first["rmse"], first["delta1"]) == (0.11, 0.25, 0.8)
    assert math.isclose(first["bias"], 0.1, rel_tol=1e-4)
    assert (second["category"], second["objects"], second["without"], second["median"]) == ("b", 1, 1, None)


def test_the_units_are_the_maps_own(tmp_path: Path) -> None:
    metric = page_data(write(tmp_path, [frame_of("a", [object_of(0, 1.0)])]))
    relative = page_data(write(tmp_path, [ReportFrame("a", record_of([object_of(0, 1.0)], unit="relative"))]))
    record = object_of(0, None, reason="Disparity has no metres.") | {"disparity": {"median": 0.25, "min": 0.1, "max": 0.5}}
    disparity = page_data(write(tmp_path, [ReportFrame("a", record_of([record], unit="disparity"))]))
    heads = [
        next(column["title"] for column in data["tables"]["objects"]["columns"] if column["key"] == "median")
        for data in (metric, relative, disparity)
    ]
    assert heads == ["Distance [m]", "Distance", "Disparity"]
    (row,) = rows_of(disparity, "objects")
    assert (row["median"], row["min"], row["max"]) == (0.25, 0.1, 0.5)


def shortlist(scores: list[float], most: int) -> list[tuple[int, str]]:
    """The places of the frames that are chosen among frames of such errors, and why."""
    found = Shortlist(most)
    for order, score in enumerate(scores):
        found.offer(order, frame_of(str(order), [object_of(0, 1 + score, true=1.0)]))
    return [(item.order, reason) for item, reason in found.chosen()]


@given(st.lists(st.integers(0, 10).map(lambda eighths: eighths / 8), min_size=0, max_size=60), st.integers(0, 20))
def test_the_worst_frames_are_shown_and_others_from_all_over(scores: list[float], most: int) -> None:
    chosen = shortlist(scores, most)
    orders = [order for order, _ in chosen]
    assert len(set(orders)) == len(orders) == min(most, len(scores))
    if len(scores) <= most:
        assert orders == sorted(orders)
        return
    worst = [order for order, reason in chosen if reason == WORST]
    ranked = sorted((order for order, score in enumerate(scores) if score > 0), key=lambda order: (-scores[order], order))
    assert worst == ranked[: most // 2]
    rest = [order for order in range(len(scores)) if order not in worst]
    spread = [rest.index(order) for order, reason in chosen if reason == SPREAD]
    if len(spread) > 1:
        assert spread[0] <= len(rest) / most and spread[-1] == len(rest) - 1
        if len(scores) <= 8 * most:
            assert spread[0] == 0 and np.diff(spread).max() - np.diff(spread).min() <= 1
    if worst and spread:
        assert [reason for _, reason in chosen[:2]] == [WORST, SPREAD]


@pytest.mark.parametrize("count", [385, 2000, 5003])
def test_of_many_frames_few_are_held_and_those_shown_lie_evenly(count: int) -> None:
    held: list[weakref.ref[Any]] = []
    found = Shortlist(48)
    for order in range(count):
        objects = [object_of(0, 1.5 if order % 100 == 7 else 1.0, true=1.0)]
        frame = frame_of(str(order), objects, pictures=(marker := Marker()))
        held.append(weakref.ref(marker))
        found.offer(order, frame)
        del frame, marker
    gc.collect()
    assert sum(marker() is not None for marker in held) <= 9 * 48
    chosen = [(item.order, reason) for item, reason in found.chosen()]
    spread = [order for order, reason in chosen if reason == SPREAD]
    gaps = np.diff(spread)
    assert len(chosen) == 48 and spread[0] == 0 and spread[-1] == count - 1
    assert gaps.max() <= 1.5 * gaps.mean() and gaps[:-1].min() >= 0.6 * gaps.mean()


class Marker:
    def __call__(self) -> ReportPictures:
        return pictures_of(1)


def test_only_the_pictures_shown_are_loaded_and_one_at_a_time(tmp_path: Path) -> None:
    images: list[weakref.ref[Any]] = []
    loaded = []

    def load(name: str) -> ReportPictures:
        loaded.append(name)
        pictures = pictures_of(2)
        assert sum(image() is not None for image in images) <= 1
        images.append(weakref.ref(pictures.image))
        return pictures

    frames = [frame_of(f"{n}.png", [object_of(0, 1.0), object_of(1, 2.0)], pictures=lambda n=n: load(f"{n}.png")) for n in range(200)]
    page = write(tmp_path, iter(frames), max_pictures=9)
    assert len(loaded) == len(set(loaded)) == 9
    assert page.read_text(encoding="utf-8").count('<article class="card"') == 9


def test_pictures_are_made_small(tmp_path: Path) -> None:
    def large() -> ReportPictures:
        mask = np.zeros((2160, 3840), np.int32)
        mask[500:1500, 700:2000] = 70_000
        noise = np.random.default_rng(1).integers(0, 255, (2160, 3840, 3), np.uint8)
        depth = DepthMap(np.full((2160, 3840), 2, np.float32), DepthKind.METRIC, np.ones((2160, 3840), bool), None, None, None, "oracle")
        return ReportPictures(noise, mask, (70_000,), depth)

    page = write(tmp_path, [frame_of("a.png", [object_of(0, 2.0)], pictures=large)])
    assert 'data-width="720" data-height="405"' in page.read_text(encoding="utf-8")
    assert page.stat().st_size < 600_000


def test_pictures_that_cannot_be_loaded_are_told_and_the_others_go_on(tmp_path: Path) -> None:
    frames = [frame_of("a.png", [object_of(0, 1.0)], pictures=lambda: refuse("images/a.png is gone.")), frame_of("b.png", [object_of(0, 1.0)])]
    text = write(tmp_path, frames).read_text(encoding="utf-8")
    assert "images/a.png is gone." in text
    assert text.count('<div class="photo"') == 1


@pytest.mark.parametrize("odd", [math.nan, math.inf, -math.inf, 10**400, "1.0", True, None, [], {}])
def test_odd_numbers_are_empty_cells(tmp_path: Path, odd: Any) -> None:
    record = object_of(0, 1.0, true=1.0, pixel_count=odd, valid_fraction=odd)
    record["distance"] = {**record["distance"], "median": odd}
    data = page_data(write(tmp_path, [frame_of("a.png", [record], accuracy=Accuracy(0, math.nan, math.nan, math.nan))]))
    (row,) = rows_of(data, "objects")
    assert (row["median"], row["min"], row.get("valid")) == (None, 0.9, None)


@pytest.mark.parametrize("objects", [None, "none", [None, 3], []])
def test_a_record_without_objects_is_a_frame_all_the_same(tmp_path: Path, objects: Any) -> None:
    data = page_data(write(tmp_path, [ReportFrame("a.png", record_of(objects))]))
    assert (rows_of(data, "objects"), rows_of(data, "frames")[0]["objects"]) == ([], 0)


def test_a_run_of_nothing_is_a_page(tmp_path: Path) -> None:
    assert rows_of(page_data(write(tmp_path, [])), "frames") == []


def test_failures_flips_and_notes_stand_at_the_top(tmp_path: Path) -> None:
    flipped = ReportFrame(
        "b.png", record_of([object_of(0, 1.0)], mask_flip_suspected=True, warnings=["The mask is one value."]), notes=("no truth",)
    )
    frames = [ReportFrame(f"{n:03d}.png", {}, error="Damaged.") for n in range(12)]
    page = write(tmp_path, [*frames, flipped])
    text = " ".join(Markup(page).text)
    assert "12 frames could not be used" in text and "and 4 more" in text and "011.png" not in text.split("more")[0]
    assert "In 1 frame the mask seems upside down" in text and "The mask is one value." in text and "no truth" in text
    assert rows_of(page_data(page), "frames")[-1]["state"] == "mask flipped?"


def test_only_the_pages_own_script_and_style_may_run(tmp_path: Path) -> None:
    text = write(tmp_path, [frame_of("a.png", [object_of(0, 1.0)])]).read_text(encoding="utf-8")
    policy = re.search(r'http-equiv="Content-Security-Policy" content="([^"]*)"', text)
    assert policy is not None and "default-src 'none'" in policy[1] and "unsafe" not in policy[1]
    for directive, content in (
        ("style-src", re.search(r"<style>(.*?)</style>", text, re.S)),
        ("script-src", re.search(r"<script>(.*?)</script>", text, re.S)),
    ):
        assert content is not None
        digest = base64.b64encode(hashlib.sha256(content[1].encode()).digest()).decode()
        assert f"{directive} 'sha256-{digest}'" in policy[1]
    assert not re.search(r"(https?:)?//[a-z0-9]+\.[a-z]", re.sub(r"<script.*?</script>", "", text, flags=re.S))


def test_it_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    def broken() -> Iterator[ReportFrame]:
        yield frame_of("a.png", [object_of(0, 1.0)])
        raise RuntimeError("the run ended")

    with pytest.raises(RuntimeError, match="the run ended"):
        write(tmp_path, broken())
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "report.html").write_text("mine")
    with pytest.raises(OutputError, match="exists already"):
        write_report(tmp_path / "report.html", [], ABOUT)
    assert (tmp_path / "report.html").read_text() == "mine"


@pytest.mark.parametrize("scale", [1, 3])
def test_outlines_enclose_their_objects(scale: int) -> None:
    mask = np.zeros((200, 300), np.uint16)
    cv2.circle(mask, (80, 90), 50, 5, -1)
    cv2.circle(mask, (80, 90), 20, 0, -1)
    mask[30:120, 180:290] = 9
    large = np.kron(mask, np.ones((scale, scale), np.uint16))
    ring, box, absent = outlines(large, (5, 9, 77), 300, 200)
    assert absent is None
    for value, outline in ((5, ring), (9, box)):
        assert outline is not None
        contours = [np.array([point.split() for point in part.rstrip("Z").split("L")], int) for part in outline.path.split("M")[1:]]
        drawn = np.zeros(mask.shape, np.uint8)
        cv2.fillPoly(drawn, contours, 1)
        expected = mask == value
        assert (drawn.astype(bool) & expected).sum() / (drawn.astype(bool) | expected).sum() > 0.93
        ys, xs = np.nonzero(expected)
        assert np.abs(np.subtract(outline.box, (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1))).max() <= 1


def test_photo_colours_and_size_are_kept() -> None:
    image = np.zeros((90, 120, 3), np.uint8)
    image[:, :60] = (220, 30, 10)
    image[:, 60:] = (10, 40, 200)
    uri, width, height = photo(image)
    shown = decoded(uri)
    assert (width, height) == (120, 90) and shown.shape == image.shape
    assert np.abs(shown[45, 20].astype(int) - image[45, 20]).max() < 12 and np.abs(shown[45, 100].astype(int) - image[45, 100]).max() < 12


def test_truth_has_the_colours_of_the_estimate_at_the_same_metres() -> None:
    ramp = np.linspace(1, 8, 120, dtype=np.float32)[None].repeat(80, axis=0)
    estimate = DepthMap(ramp, DepthKind.METRIC, np.ones_like(ramp, bool), None, None, None, "oracle")
    scale = ColorScale.for_map(estimate)
    first = depth_picture(estimate.values, estimate.valid, scale)
    assert np.abs(decoded(first.uri).astype(int) - color_map(estimate)).mean() < 4
    half = ramp / 2  # as it is twice as near, its colours are those of half the metres, not those of its own scale
    second = truth_picture(half, scale)
    at_3m, at_3m_true = np.abs(ramp[0] - 3).argmin(), np.abs(half[0] - 3).argmin()
    assert np.abs(decoded(first.uri)[40, at_3m].astype(int) - decoded(second.uri)[40, at_3m_true]).max() < 20
    assert second.labels == first.labels and first.labels[0].endswith(" m")


def test_labels_of_the_scale_go_from_near_to_far_and_know_their_unit() -> None:
    values = np.linspace(2, 10, 100, dtype=np.float32).reshape(10, 10)
    for kind, unit in ((DepthKind.METRIC, " m"), (DepthKind.RELATIVE, ""), (DepthKind.DISPARITY, "")):
        depth = DepthMap(values, kind, np.ones_like(values, bool), None, None, None, "oracle")
        labels = depth_picture(depth.values, depth.valid, ColorScale.for_map(depth)).labels
        numbers = [float(label.removesuffix(" m")) for label in labels]
        assert numbers == sorted(numbers, reverse=kind is DepthKind.DISPARITY) and all(label.endswith(" m") == bool(unit) for label in labels)
    assert depth_picture(values, np.zeros_like(values, bool), None).labels == ()


def test_flipped_masks_come_before_errors_and_errors_before_the_rest() -> None:
    plain = frame_of("a.png", [object_of(0, 1.0)])
    small = frame_of("a.png", [object_of(0, 1.1, true=1.0), object_of(1, 1.0, true=1.0)])
    below = frame_of("a.png", [object_of(0, 0.5, true=1.0)])
    mean = frame_of("a.png", [object_of(0, 1.0, true=1.0)], accuracy=Accuracy(9, 0.7, 1.0, 0.1))
    flipped = ReportFrame("a.png", record_of([object_of(0, 1.0)], mask_flip_suspected=True))
    urgent = [urgency(frame) for frame in (plain, small, below, mean, flipped)]
    assert urgent == sorted(urgent) and urgent[0] == 0 and len(set(urgent)) == 5
