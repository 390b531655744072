# SPDX-License-Identifier: Apache-2.0
"""A mask that lies upside down on its picture is suspected; one that lies right, or cannot be told, is not."""

from __future__ import annotations

from pathlib import Path

import cv2
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depthbridge.engines import CameraIntrinsics, DepthMap
from depthbridge.unity_bridge.captures.capture import Capture
from depthbridge.unity_bridge.measuring.flip import mask_is_flipped
from depthbridge.unity_bridge.measuring.frame import measure_frame

CAPTURE = Path(__file__).parents[1] / "data" / "capture"


def boxes(rng, height=180, width=320, count=4):
    """Upright boxes of plain colours on a ground that shades off from top to bottom, and their mask."""
    shade = np.linspace(60, 190, height)[:, None, None] + rng.normal(0, 3, (height, width, 3))
    image, mask = shade.clip(0, 255).astype(np.uint8), np.zeros((height, width), np.uint16)
    for value in range(1, count + 1):
        top, left = rng.integers(0, height * 2 // 3), rng.integers(0, width * 4 // 5)
        bottom, right = top + rng.integers(height // 8, height // 3), left + rng.integers(width // 12, width // 4)
        image[top:bottom, left:right] = rng.integers(0, 256, 3)
        mask[top:bottom, left:right] = value
    return image, mask


@pytest.mark.parametrize("size", [(288, 512), (720, 1280), (90, 160), (1080, 607)])
@pytest.mark.parametrize("name", ["00000.png", "00001.png", "00002.png"])
def test_rendered_pictures_tell_which_way_up_their_mask_is(name, size):
    capture = Capture.open(CAPTURE)
    loaded = capture.load(next(frame for frame in capture.frames if frame.name == name))
    image = cv2.resize(loaded.image, size[::-1], interpolation=cv2.INTER_AREA)
    mask = cv2.resize(loaded.mask.astype(np.uint16), size[::-1], interpolation=cv2.INTER_NEAREST)
    assert mask_is_flipped(image, mask) is False
    assert mask_is_flipped(image, mask[::-1]) is True
    # Both turned over fit as well as before.
    assert mask_is_flipped(image[::-1], mask[::-1]) is False


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.sampled_from([np.uint8, np.uint16, np.int32, np.uint32]))
def test_a_mask_that_lies_right_is_never_suspected_nor_one_upside_down_approved(seed, dtype):
    image, mask = boxes(np.random.default_rng(seed))
    assert mask_is_flipped(image, mask.astype(dtype)) is not True
    assert mask_is_flipped(image, mask[::-1].astype(dtype)) is not False


def test_most_pictures_of_boxes_are_told():
    told = 0
    for seed in range(60):
        image, mask = boxes(np.random.default_rng(seed))
        told += mask_is_flipped(image, mask[::-1]) is True
    assert told >= 54


def test_what_lies_alike_both_ways_cannot_be_told():
    image, mask = boxes(np.random.default_rng(1))
    symmetric = np.maximum(mask, mask[::-1])
    assert mask_is_flipped(image, symmetric) is None
    stripe = np.zeros_like(mask)
    stripe[:, 100:140] = 1
    assert mask_is_flipped(image, stripe) is None


def test_a_picture_without_edges_cannot_tell():
    _, mask = boxes(np.random.default_rng(2))
    assert mask_is_flipped(np.full((180, 320, 3), 90, np.uint8), mask) is None


def test_a_few_pixels_cannot_tell():
    image, mask = boxes(np.random.default_rng(3))
    tiny = np.zeros_like(mask)
    tiny[20:24, 30:34] = 1
    image[20:24, 30:34] = 255
    assert mask_is_flipped(image, tiny) is None
    assert mask_is_flipped(np.zeros((3, 2, 3), np.uint8), np.ones((3, 2), np.uint8)) is None


def test_noise_with_an_unrelated_mask_cannot_tell():
    for seed in range(20):
        rng = np.random.default_rng(seed)
        _, mask = boxes(rng)
        assert mask_is_flipped(rng.integers(0, 256, (180, 320, 3), dtype=np.uint8), mask) is None


def test_faint_objects_above_a_busy_ground_are_not_suspected():
    """Turned over, their outlines lie on a ground full of edges, which fit nothing in particular."""
    wrong = 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        image = np.full((180, 320, 3), 200, np.uint8)
        image[90:] = cv2.resize(rng.integers(0, 256, (24, 80, 3), dtype=np.uint8), (320, 90), interpolation=cv2.INTER_NEAREST)
        mask = np.zeros((180, 320), np.uint8)
        mask[20:70, 60:110], mask[30:60, 200:260] = 1, 2
        image[20:70, 60:110], image[30:60, 200:260] = 204, 197
        wrong += mask_is_flipped(image, mask) is True
    assert wrong == 0


def test_the_frame_says_so_and_warns():
    image, mask = boxes(np.random.default_rng(5))
    depth_map = DepthMap.exact(np.full((180, 320), 2.0, np.float32), CameraIntrinsics(300, 300, 160, 90, 320, 180), "oracle")
    assert measure_frame(depth_map, mask).mask_flip_suspected is None
    right, wrong = (measure_frame(depth_map, ids, image=image) for ids in (mask, mask[::-1]))
    assert right.mask_flip_suspected is False and right.warnings == ()
    assert wrong.mask_flip_suspected is True and "upside down" in wrong.warnings[0] and "origin" in wrong.warnings[0]
