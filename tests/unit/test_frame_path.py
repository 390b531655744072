# SPDX-License-Identifier: Apache-2.0
"""The fast way of a frame beside the reference path (``support/reference_path.py``)."""

from __future__ import annotations

from typing import Any

import cv2
import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from depthbridge.engines.area_resize import AreaResize
from depthbridge.engines.buffers import BufferPool
from depthbridge.engines.camera import CameraIntrinsics, CameraSource
from depthbridge.engines.depth_map import DepthKind, DepthMap
from depthbridge.engines.engine import DepthEngine
from depthbridge.engines.errors import CameraError, ImageError
from depthbridge.engines.interpret import interpret, unit_of
from depthbridge.engines.model_spec import Family, InputPolicy, ModelSpec, ResizeMethod
from depthbridge.engines.network import NetworkAnswer
from depthbridge.engines.onnx_graph import TensorInfo
from depthbridge.engines.preprocess import IMAGENET_STD, SMALL_PIXELS, InputPlan, InputTensor, plan_input
from depthbridge.engines.signature import Layout, Signature, read_signature
from support import reference_path as reference

Pixels = npt.NDArray[np.uint8]
SHAPES = {Layout.NCHW: (1, 3, None, None), Layout.BNCHW: (1, 1, 3, None, None), Layout.NHWC: (1, None, None, 3)}
METHODS = st.sampled_from(list(ResizeMethod))


def signature_of(layout: Layout = Layout.NCHW, dtype: str = "float32") -> Signature:
    return read_signature([TensorInfo("image", dtype, SHAPES[layout])], [TensorInfo("depth", "float32", (1, None, None))], "test")


def photo(width: int, height: int, seed: int = 0) -> Pixels:
    """Shades, edges and noise, down to black and up to white."""
    random = np.random.default_rng(seed)
    coarse = cv2.resize(random.integers(0, 256, (5, 7, 3)).astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    return np.clip(coarse + random.normal(0, 40, (height, width, 3)), 0, 255).astype(np.uint8)


# ---- in -------------------------------------------------------------------------------------------------------------


def assert_same_tensor(mine: npt.NDArray[Any], theirs: npt.NDArray[Any], plan: InputPlan, method: ResizeMethod) -> None:
    assert (mine.shape, mine.dtype) == (theirs.shape, theirs.dtype)
    off = np.abs(mine.astype(np.float64) - theirs)
    small = plan.source[0] * plan.source[1] < SMALL_PIXELS
    if mine.dtype == np.uint8 or method is not ResizeMethod.DA2_LOWER_BOUND:
        level = 1 if mine.dtype == np.uint8 else 1 / 255 / float(IMAGENET_STD.min())
        # Large pictures are rounded to bytes on the way: of sums that lie between two, a few fall to the other.
        assert off.max() <= (0 if small else 2 * level)
        assert np.count_nonzero(off > 0.2 * level) <= off.size // 500
        return
    assert off.max() < (1e-3 if mine.dtype == np.float32 else 4e-3)


@given(st.tuples(st.integers(1, 700), st.integers(1, 400)), st.tuples(st.integers(1, 300), st.integers(1, 300)))
@settings(deadline=None, max_examples=150)
@example((1920, 1080), (504, 284))
@example((4001, 30), (3, 1))
@example((1280, 720), (504, 284))
def test_areas_are_opencvs_on_floats(source: tuple[int, int], target: tuple[int, int]) -> None:
    """To a thousandth of a grey level."""
    target = (min(source[0], target[0]), min(source[1], target[1]))
    picture = photo(*source)
    resize = AreaResize(source, target)
    resize(photo(*source, seed=5))  # nothing of it may be left
    theirs = cv2.resize(picture.astype(np.float64), target, interpolation=cv2.INTER_AREA)
    np.testing.assert_allclose(resize(picture), theirs, atol=2e-3)


@given(
    st.one_of(st.tuples(st.integers(1, 900), st.integers(1, 900)), st.sampled_from([(1280, 720), (720, 1280), (2000, 300), (1001, 777)])),
    METHODS, st.sampled_from([(None, None), (28, 42), (140, 98), (None, 70)]),
    st.sampled_from([14, 56, 126, 280]), st.sampled_from(list(Layout)), st.sampled_from(["float32", "float16", "uint8"]), st.integers(1, 3),
    st.sampled_from(["as it is", "mirrored", "upside down", "BGR", "cut out"]),
)  # fmt: skip
@settings(deadline=None, max_examples=150)
@example((1920, 1080), ResizeMethod.UPPER_BOUND_RESIZE, (None, None), 504, Layout.NCHW, "float32", 1, "as it is")
@example((1920, 1080), ResizeMethod.DA2_LOWER_BOUND, (None, None), 518, Layout.NCHW, "float32", 1, "as it is")
@example((1501, 701), ResizeMethod.LOWER_BOUND_CROP, (None, None), 504, Layout.NHWC, "float32", 2, "cut out")
def test_tensors_are_those_of_the_reference_path(  # type: ignore[no-untyped-def]
    size, method, fixed, resolution, layout, dtype, count, form
) -> None:
    """Whatever the picture, the policy, the layout and the type, and in each place of a batch."""
    try:
        plan = plan_input(*size, InputPolicy(method, resolution), fixed)
    except ImageError:
        return
    signature = signature_of(layout, dtype)
    if plan.size[0] * plan.size[1] > 400_000:
        count = 1
    made = InputTensor(plan, method, signature, count)
    for turn in range(2):  # filled again, nothing of the one before is left
        pictures = [_in_form(photo(*size, seed=turn * 10 + place), form) for place in range(count)]
        for place, picture in enumerate(pictures):
            made.write(picture, place)
        theirs = np.concatenate([reference.make_tensor(picture, plan, method, signature) for picture in pictures])
        assert_same_tensor(made.tensor, theirs, plan, method)


def _in_form(picture: Pixels, form: str) -> Pixels:
    """The same sort of picture, as callers hold it: seldom in one piece."""
    if form == "cut out":
        larger = np.zeros((picture.shape[0] + 3, picture.shape[1] + 5, 3), np.uint8)
        larger[2:-1, 1:-4] = picture
        return larger[2:-1, 1:-4]
    return {"mirrored": picture[:, ::-1], "upside down": picture[::-1], "BGR": picture[..., ::-1]}.get(form, picture)


# ---- out ------------------------------------------------------------------------------------------------------------


def smooth(random: np.random.Generator, shape: tuple[int, int], low: float, high: float) -> npt.NDArray[np.float32]:
    coarse = random.uniform(low, high, (max(1, shape[0] // 9), max(1, shape[1] // 9))).astype(np.float32)
    return np.ascontiguousarray(cv2.resize(coarse, (shape[1], shape[0]), interpolation=cv2.INTER_LINEAR).reshape(shape))


@given(
    st.integers(1, 700), st.integers(1, 700), METHODS, st.sampled_from([14, 56, 126]), st.sampled_from(list(Family)), st.booleans(), st.booleans(),
    st.sampled_from(["sound", "with zeros", "negative too", "broken"]), st.sampled_from(["none", "some", "most", "all", "a little", "broken"]),
    st.booleans(), st.integers(0, 1000),
)  # fmt: skip
@settings(deadline=None, max_examples=200)
@example(1920, 1080, ResizeMethod.UPPER_BOUND_RESIZE, 504, Family.DA3_METRIC, True, True, "sound", "some", False, 1)
@example(1920, 1080, ResizeMethod.UPPER_BOUND_CROP, 504, Family.DA3_MONO, True, False, "sound", "some", False, 1)
def test_maps_are_those_of_the_reference_path(  # type: ignore[no-untyped-def]
    width, height, method, resolution, family, with_sky, with_camera, state, sky_state, other_size, seed
) -> None:
    """Whatever the picture's size, the crop, the family, the sky and the state of the network's numbers."""
    try:
        plan = plan_input(width, height, InputPolicy(method, resolution))
    except ImageError:
        return
    random = np.random.default_rng(seed)
    shape = (plan.size[1] // 2 + 3, plan.size[0] // 3 + 3) if other_size else (plan.size[1], plan.size[0])
    depth = grid_in(state, random, shape)
    sky = sky_in(sky_state, random, shape) if with_sky else None
    spec = ModelSpec("m", "m", family, InputPolicy(method, resolution), None, "", canonical_focal_px=300.0 if family is Family.DA3_METRIC else None)
    try:
        camera = CameraIntrinsics.from_vertical_fov(60, width, height) if with_camera else None
        unit_of(spec, plan, camera)
    except CameraError:  # two pixels beside seven hundred have no view to speak of
        return
    answer = NetworkAnswer(plan, depth.copy(), None if sky is None else sky.copy(), None, None, None, 0.0, 0.0)
    pool = BufferPool()
    mine = interpret(answer, spec, camera, CameraSource.GIVEN, "image", pool, None)
    scaled = family is Family.DA3_METRIC and camera is not None
    factor = plan.process_camera(camera).mean_focal_px / 300 if scaled and camera is not None else None
    values, valid, full_sky = reference.depth_layers(depth, sky, plan, family.kind, factor)
    assert mine.kind is (DepthKind.RELATIVE if family is Family.DA3_METRIC and not scaled else family.kind)
    assert_same_map(mine, values, valid, full_sky, cropped=plan.size != plan.resized)


def grid_in(state: str, random: np.random.Generator, shape: tuple[int, int]) -> npt.NDArray[np.float32]:
    low = {"sound": 0.5, "with zeros": -1.0, "negative too": -4.0}.get(state, 0.5)
    depth = smooth(random, shape, low, 20.0)
    if state == "with zeros":
        np.maximum(depth, 0, out=depth)
    if state == "broken":
        places = random.integers(0, depth.size, 1 + depth.size // 400)
        depth.reshape(-1)[places] = random.choice(np.array([np.nan, np.inf, -np.inf], np.float32), places.size)
    return depth


def sky_in(state: str, random: np.random.Generator, shape: tuple[int, int]) -> npt.NDArray[np.float32]:
    low, high = {"none": (0.0, 0.2), "some": (-0.5, 0.9), "most": (0.2, 2.0), "all": (0.5, 2.0)}.get(state, (0.0, 0.25))
    sky = np.maximum(smooth(random, shape, low, high), 0)
    if state == "a little":
        sky.reshape(-1)[: int(random.integers(1, 14))] = 1.0
    if state == "broken":
        sky.reshape(-1)[random.integers(0, sky.size, 3)] = np.nan
    return sky


def assert_same_map(
    mine: DepthMap, values: npt.NDArray[np.float32], valid: npt.NDArray[np.bool_], sky: npt.NDArray[np.float32] | None, *, cropped: bool
) -> None:
    assert np.isfinite(mine.values).all()
    if not cropped:
        assert np.array_equal(mine.valid, valid)
        np.testing.assert_allclose(mine.values, values, rtol=2e-6, atol=1e-6)
        assert (mine.sky is None) == (sky is None) and (sky is None or np.array_equal(mine.sky, sky, equal_nan=True))
        return
    # The reference interpolates crops in steps of 1/32 of the network's pixels, and what it calls an edge lies a little beside.
    both = mine.valid & valid
    off = np.abs(mine.values[both] - values[both])
    assert not off.size or off.max() < 1.0
    # Beside zero, and in small pictures, those steps weigh more.
    assert not off.size or np.median(off / np.maximum(values[both], 0.5)) < (1e-3 if off.size > 400_000 else 1e-2)
    rim = _rim(valid) | _rim(mine.valid)
    assert np.array_equal(mine.valid[~rim], valid[~rim])


def _rim(mask: npt.NDArray[np.bool_]) -> npt.NDArray[np.bool_]:
    """Both sides of an edge, four pixels wide."""
    grown, shrunk = (work(mask.astype(np.uint8), np.ones((9, 9))) for work in (cv2.dilate, cv2.erode))
    return np.asarray(grown != shrunk)


@pytest.mark.parametrize("size", [(1920, 1080), (640, 480), (300, 700)])
@pytest.mark.parametrize("method", [ResizeMethod.UPPER_BOUND_RESIZE, ResizeMethod.LOWER_BOUND_CROP, ResizeMethod.DA2_LOWER_BOUND])
def test_depth_is_the_reference_paths_through_the_embedded_network(size: tuple[int, int], method: ResizeMethod) -> None:
    """From bytes to metres, by the real network: median within 1e-3."""
    picture, policy = photo(*size), InputPolicy(method, 280)
    camera = CameraIntrinsics.from_vertical_fov(60, *size)
    with DepthEngine.open(policy=policy) as engine:
        mine = engine.estimate(picture, camera)
        network = engine._network
        plan = plan_input(*size, policy, network.fixed_size)
        signature = network._signature
        tensor = reference.make_tensor(picture, plan, method, signature)
        outputs = dict(zip(signature.output_names, engine._runtime.run({signature.image.name: tensor}, signature.output_names), strict=True))
        maps = {name: np.array(value, np.float32).reshape(value.shape[-2:]) for name, value in outputs.items()}
    assert engine.spec.canonical_focal_px is not None or engine.kind is DepthKind.METRIC
    factor = None if engine.spec.canonical_focal_px is None else plan.process_camera(camera).mean_focal_px / engine.spec.canonical_focal_px
    sky = maps[signature.sky.name] if signature.sky else None
    values, valid, _ = reference.depth_layers(maps[signature.depth.name], sky, plan, engine.kind, factor)
    both = valid & mine.valid
    assert both.sum() > 0.99 * max(valid.sum(), mine.valid.sum()) > 0
    off = np.abs(mine.values[both] - values[both]) / values[both]
    assert np.median(off) < 1e-3
    assert np.quantile(off, 0.99) < 2e-2
