# SPDX-License-Identifier: Apache-2.0
"""The drawn frame: outlines where objects end, labels that keep clear of one another, and the picture elsewhere as it was."""

from __future__ import annotations

import colorsys
import io
from itertools import pairwise

import numpy as np
import pytest
from PIL import Image

from depthbridge.engines import CameraIntrinsics, DepthKind, DepthMap
from depthbridge.unity_bridge.measuring import overlay
from depthbridge.unity_bridge.measuring.frame import measure_frame
from depthbridge.unity_bridge.measuring.outline_colours import object_colour
from depthbridge.unity_bridge.measuring.overlay import draw_overlay
from depthbridge.unity_bridge.measuring.records import ObjectRecord


def frame(mask, records=None, kind=DepthKind.METRIC, depth=2.0):
    height, width = mask.shape
    camera = CameraIntrinsics(width, width, width / 2, height / 2, width, height)
    values = np.full(mask.shape, depth, np.float32)
    return measure_frame(DepthMap(values, kind, values > 0, None, None, camera, "oracle"), mask, records)


def pixels(data):
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def grid_mask(rows=3, columns=4, height=360, width=640):
    mask = np.zeros((height, width), np.uint16)
    for index in range(rows * columns):
        top, left = (index // columns) * height // rows + 20, (index % columns) * width // columns + 20
        mask[top : top + height // rows - 40, left : left + width // columns - 40] = index + 1
    return mask


def drawn_labels(monkeypatch, image, mask, measured, **options):
    """Texts and boxes (left, top, right, bottom) of the labels, as they are drawn."""
    texts, placed = [], []
    text, place = overlay._text, overlay._free_place
    monkeypatch.setattr(overlay, "_text", lambda *given: texts.append(text(*given)) or texts[-1])
    monkeypatch.setattr(overlay, "_free_place", lambda *given: placed.append(place(*given)) or placed[-1])
    draw_overlay(image, mask, measured.objects, "png", mask_values=measured.mask_values, **options)
    return texts, placed


def apart(one, other):
    return one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]


@pytest.mark.parametrize("encoding", ["png", "jpeg"])
def test_the_file_is_of_its_kind_and_size_and_the_image_is_left_alone(encoding):
    mask = grid_mask()
    image = np.full((*mask.shape, 3), 128, np.uint8)
    data = draw_overlay(image, mask, frame(mask).objects, encoding)
    read = Image.open(io.BytesIO(data))
    assert (read.format, read.size) == (encoding.upper(), (640, 360)) and np.all(image == 128)


@pytest.mark.parametrize("ground", [0, 255])
def test_each_object_is_outlined_in_its_colour_and_nothing_far_from_one_is_touched(ground):
    mask = np.zeros((180, 320), np.int32)
    mask[40:140, 60:160], mask[60:120, 200:300] = 7, -3
    image = np.full((180, 320, 3), ground, np.uint8)
    drawn = pixels(draw_overlay(image, mask, frame(mask, [ObjectRecord("a", 7), ObjectRecord(5, -3)]).objects, "png"))
    # Along the upper edges, away from the labels in the middle.
    assert np.all(drawn[40, 60:70] == object_colour("a")) and np.all(drawn[60, 200:210] == object_colour(5))
    # A dark line just outside, nothing beyond it, nothing well inside.
    assert np.all(drawn[39, 60:70] == ground // 3) and np.all(drawn[:30, :60] == ground) and np.all(drawn[134, 70:150] == ground)
    assert np.all(drawn[150:] == ground)


def test_unlisted_objects_are_not_drawn():
    mask = grid_mask()
    drawn = pixels(draw_overlay(np.zeros((*mask.shape, 3), np.uint8), mask, frame(mask, [ObjectRecord(1, 1)]).objects, "png"))
    assert drawn[:130, :150].any() and not drawn[:, 170:].any()


def test_a_colour_coded_object_is_found_by_the_value_beside_it():
    mask = grid_mask()
    measured = frame(mask, [ObjectRecord("red", 2, by_colour=True)])
    blank = np.zeros((*mask.shape, 3), np.uint8)
    assert not pixels(draw_overlay(blank, mask, measured.objects, "png")).any()
    assert pixels(draw_overlay(blank, mask, measured.objects, "png", mask_values=measured.mask_values))[:, 160:320].any()


@pytest.mark.parametrize(("height", "width"), [(720, 1280), (180, 320)])
def test_labels_do_not_cover_one_another_and_stay_in_the_picture(height, width, monkeypatch):
    mask = grid_mask(2, 4, height, width)
    records = [ObjectRecord(value, value, {"category": "parcel"}) for value in range(1, 9)]
    texts, placed = drawn_labels(monkeypatch, np.zeros((height, width, 3), np.uint8), mask, frame(mask, records))
    assert len(placed) == 8 and set(texts) == {"parcel 2.00 m"}
    assert all(apart(one, other) for i, one in enumerate(placed) for other in placed[:i])
    assert all(0 <= left < right <= width and 0 <= top < bottom <= height for left, top, right, bottom in placed)


def test_labels_of_objects_in_one_place_move_apart(monkeypatch):
    mask = np.zeros((360, 640), np.uint16)
    for value in range(1, 7):
        mask[150 + 8 * value : 156 + 8 * value, 300:340] = value
    _, placed = drawn_labels(monkeypatch, np.zeros((360, 640, 3), np.uint8), mask, frame(mask))
    assert len(placed) == 6 and all(apart(one, other) for i, one in enumerate(placed) for other in placed[:i])


def test_a_label_does_not_hide_an_object_smaller_than_itself(monkeypatch):
    mask = np.zeros((360, 640), np.uint16)
    mask[170:182, 310:330] = 1
    _, (box,) = drawn_labels(monkeypatch, np.zeros((360, 640, 3), np.uint8), mask, frame(mask))
    assert apart(box, (310, 170, 330, 182))


@pytest.mark.parametrize(
    ("category", "kind", "unit", "text"),
    [
        ("cup", DepthKind.METRIC, "m", "cup 2.00 m"),
        ("cup", DepthKind.RELATIVE, "relative", "cup 2.00 rel."),
        ("cup", DepthKind.DISPARITY, "relative", "cup disp. 2.00"),
        (None, DepthKind.METRIC, "m", "#9 2.00 m"),
        ("Würfel", DepthKind.METRIC, "m", "Wurfel 2.00 m"),
        ("机器人", DepthKind.METRIC, "m", "#9 2.00 m"),
        ("two\nlines\t", DepthKind.METRIC, "m", "two lines 2.00 m"),
        ({"deep": 1}, DepthKind.METRIC, "m", "#9 2.00 m"),
        ("x" * 99, DepthKind.METRIC, "m", "x" * 25 + "... 2.00 m"),
    ],
)
def test_what_a_label_says(category, kind, unit, text, monkeypatch):
    mask = grid_mask(1, 1)
    measured = frame(mask, [ObjectRecord(9, 1, {} if category is None else {"category": category})], kind)
    texts, _ = drawn_labels(monkeypatch, np.zeros((*mask.shape, 3), np.uint8), mask, measured, unit=unit)
    assert texts == [text]


def test_the_nearest_objects_are_labelled_and_all_outlined(monkeypatch):
    mask = np.zeros((360, 640), np.uint16)
    mask[5:355:10, 5:635:10] = np.arange(1, 35 * 63 + 1).reshape(35, 63)
    measured = frame(mask)
    texts, _ = drawn_labels(monkeypatch, np.zeros((360, 640, 3), np.uint8), mask, measured)
    assert len(texts) == overlay.MAX_LABELS < len(measured.objects)


def test_an_object_without_depth_is_outlined_and_not_labelled(monkeypatch):
    mask = grid_mask(1, 1)
    measured = frame(mask, depth=0.0)
    texts, _ = drawn_labels(monkeypatch, np.zeros((*mask.shape, 3), np.uint8), mask, measured)
    assert texts == []
    assert pixels(draw_overlay(np.zeros((*mask.shape, 3), np.uint8), mask, measured.objects, "png")).any()


def test_colours_go_by_the_id_and_neighbours_differ():
    colours = [object_colour(number) for number in range(40)]
    assert len(set(colours)) == 40 and object_colour("cup") == object_colour("cup") != object_colour("cups")
    hues = [colorsys.rgb_to_hsv(*(value / 255 for value in colour))[0] for colour in colours]
    turns = [abs(a - b) for a, b in pairwise(hues)]
    assert min(min(turn, 1 - turn) for turn in turns) > 0.3
    assert all(max(colour) >= 180 for colour in colours) and object_colour(-5) and object_colour("\ud800")


def test_pictures_and_masks_of_different_sizes_are_refused():
    with pytest.raises(ValueError, match="image of"):
        draw_overlay(np.zeros((10, 12, 3), np.uint8), np.zeros((12, 10), np.uint8), [])
