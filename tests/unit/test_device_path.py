# SPDX-License-Identifier: Apache-2.0
"""The two graphs around a model on a device, run on the CPU: what they compute is OpenCV's resizing and numpy's sky fill."""

from __future__ import annotations

import math

import cv2
import numpy as np
import onnx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from depthbridge.engines.depth_map import SKY_THRESHOLD, DepthKind
from depthbridge.engines.device_path.graphs import AfterForm, BeforeForm, after, before
from depthbridge.engines.device_path.resampling import axis_matrix, covered, input_steps, padding, rounds_to_bytes
from depthbridge.engines.device_path.tensors import Place, open_small
from depthbridge.engines.model_spec import InputPolicy, ResizeMethod
from depthbridge.engines.preprocess import InputPlan, plan_input
from depthbridge.engines.signature import Layout

MEAN, STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])
CPU = Place("cpu", 0)
sides = st.integers(20, 420)


def photo(width: int, height: int, seed: int = 0) -> np.ndarray:
    """Edges, a ramp and noise."""
    rng = np.random.default_rng(seed)
    coarse = cv2.resize(rng.integers(0, 256, (6, 8, 3)).astype(np.uint8), (width, height), interpolation=cv2.INTER_NEAREST)
    return np.clip(coarse + rng.normal(0, 8, (height, width, 3)) + np.linspace(-30, 30, width)[None, :, None], 0, 255).astype(np.uint8)


def by_opencv(image: np.ndarray, plan: InputPlan, rounded: bool) -> np.ndarray:
    """Grey levels (h,w,3) of the network's input, one resize after the other, as upstream's code does it."""
    values = image if rounded else image.astype(np.float32)
    for size in plan.steps:
        grows = size[0] > values.shape[1] or size[1] > values.shape[0]
        values = cv2.resize(values, size, interpolation=cv2.INTER_CUBIC if grows or not rounded else cv2.INTER_AREA)
    return values[plan.top : plan.top + plan.size[1], plan.left : plan.left + plan.size[0]].astype(np.float64)


def by_graph(image: np.ndarray, plan: InputPlan, form: BeforeForm) -> np.ndarray:
    """The input tensor that :func:`before` makes of one picture."""
    feeds: dict[str, np.ndarray] = {"frame": image.reshape(1, image.shape[0], -1)}
    for number, step in enumerate(input_steps(plan, form.rounded)):
        feeds |= {f"rows_{number}": step.rows, f"columns_{number}": step.columns}
        if form.rounded:
            feeds[f"nudge_{number}"] = np.array([step.nudge], np.float32)
    return np.asarray(open_small(before(form), CPU).run(None, feeds)[0])


def grey_levels(tensor: np.ndarray, form: BeforeForm) -> np.ndarray:
    """(h,w,3) in 0..255 again."""
    planes = tensor[0] if form.layout is Layout.NHWC else tensor[0].transpose(1, 2, 0)
    return planes.astype(np.float64) if form.dtype == "uint8" else (planes.astype(np.float64) * STD + MEAN) * 255


# ---- before ---------------------------------------------------------------------------------------------------------


@settings(max_examples=60, deadline=None)
@given(width=sides, height=sides, method=st.sampled_from(list(ResizeMethod)), resolution=st.sampled_from([98, 140, 210]),
       layout=st.sampled_from([Layout.NCHW, Layout.NHWC]), dtype=st.sampled_from(["float32", "float16", "uint8"]))  # fmt: skip
def test_input_is_what_opencv_makes_of_the_frame(
    width: int, height: int, method: ResizeMethod, resolution: int, layout: Layout, dtype: str
) -> None:
    plan, image = plan_input(width, height, InputPolicy(method, resolution)), photo(width, height)
    rounded = rounds_to_bytes(method, dtype)
    form = BeforeForm(len(input_steps(plan, rounded)), rounded, layout, dtype)
    tensor = by_graph(image, plan, form)
    assert tensor.dtype == dtype
    off = np.abs(grey_levels(tensor, form) - by_opencv(image, plan, rounded))
    half = 0.3 if dtype == "float16" else 0.01  # what float16 keeps of a grey level
    if rounded:  # OpenCV's cubic on bytes has 11-bit weights: a value near .5 may round the other way, in each of two steps
        assert off.max() <= 2 + half and np.mean(off > half) < 0.08
    else:
        assert off.max() <= half


def test_halved_bytes_round_as_opencv_rounds_them() -> None:
    """Ties are a quarter of all pixels there; OpenCV sends them up."""
    image = photo(280, 196)
    plan = InputPlan((280, 196), ((140, 98),), 0, 0, (140, 98))
    form = BeforeForm(1, True, Layout.NCHW, "uint8")
    assert (grey_levels(by_graph(image, plan, form), form) == by_opencv(image, plan, True)).all()


@settings(max_examples=40, deadline=None)
@given(old=st.integers(2, 1400), new=st.integers(2, 500), cubic=st.booleans())
def test_an_axis_is_resized_by_its_matrix(old: int, new: int, cubic: bool) -> None:
    resizer = cv2.INTER_CUBIC if cubic or new > old else cv2.INTER_AREA
    line = np.random.default_rng(old).random((old, 4), np.float32)
    wanted = cv2.resize(line, (4, new), interpolation=resizer)
    assert axis_matrix(old, new, resizer) @ line == pytest.approx(wanted, abs=2e-5)


# ---- after ----------------------------------------------------------------------------------------------------------


def by_numpy(
    depth: np.ndarray, sky: np.ndarray | None, plan: InputPlan, kind: DepthKind, factor: float
) -> tuple[np.ndarray, np.ndarray, np.ndarray | None]:
    """Values, validity and sky at the picture's size in float64: da3.py's fill, then bilinear between pixel centres, NaN where NaN has a share."""
    depth = np.where(np.isfinite(depth), depth.astype(np.float64), np.nan)
    if sky is not None and kind is not DepthKind.DISPARITY:
        is_sky = sky >= np.float32(SKY_THRESHOLD)
        ground = depth[~is_sky & np.isfinite(depth)]
        if ground.size > 10 and is_sky.sum() > 10:
            depth = np.where(is_sky, np.quantile(ground, 0.99), depth)
    values = bilinear(depth * factor, plan)
    full_sky = None if sky is None else bilinear(sky.astype(np.float64), plan)
    valid = np.isfinite(values) & ((values >= 0) if kind is DepthKind.DISPARITY else (values > 0))
    if full_sky is not None:
        valid &= full_sky < SKY_THRESHOLD
    return np.nan_to_num(values, nan=0.0), valid, full_sky


def bilinear(layer: np.ndarray, plan: InputPlan) -> np.ndarray:
    """Sampled at each source pixel's centre; NaN outside of the window."""
    axes = []
    for source, resized, offset, size, grid in (
        (plan.source[1], plan.resized[1], plan.top, plan.size[1], layer.shape[0]),
        (plan.source[0], plan.resized[0], plan.left, plan.size[0], layer.shape[1]),
    ):
        place = ((np.arange(source) + 0.5) * resized / source - offset) * grid / size - 0.5
        place = np.round(place, 6)  # .99999999 is 1: no share for the pixel before
        outside = (place < -0.5) | (place > grid - 0.5)
        place = place.clip(0, grid - 1)
        low = np.floor(place).astype(int)
        axes.append((low, np.minimum(low + 1, grid - 1), place - low, outside))
    (r0, r1, v, out_v), (c0, c1, u, out_u) = axes

    def mix(a: np.ndarray, b: np.ndarray, t: np.ndarray) -> np.ndarray:
        with np.errstate(invalid="ignore"):
            return np.where(t == 0, a, a * (1 - t) + b * t)

    rows = mix(layer[r0], layer[r1], v[:, None])
    full = mix(rows[:, c0], rows[:, c1], u[None, :])
    full[out_v[:, None] | out_u[None, :]] = np.nan
    return full


@st.composite
def scenes(draw: st.DrawFn) -> tuple[InputPlan, np.ndarray, np.ndarray | None]:
    """A plan, and a depth and sky of it: sky from none to all, some pixels broken."""
    width, height = draw(st.integers(16, 200)), draw(st.integers(16, 200))
    method = draw(st.sampled_from(list(ResizeMethod)))
    plan = plan_input(width, height, InputPolicy(method, draw(st.sampled_from([56, 98, 140]))))
    rng = np.random.default_rng(draw(st.integers(0, 99)))
    own = plan.size == plan.resized and draw(st.booleans())  # a graph that answers in a size of its own
    shape = (30, 40) if own else (plan.size[1], plan.size[0])
    depth = rng.gamma(2.0, 3.0, shape).astype(np.float32) - (1.0 if draw(st.booleans()) else 0.0)
    if draw(st.booleans()):
        depth = np.maximum(depth, 0)  # infinitely far, as disparity
    broken = draw(st.sampled_from([0, 0, 1, 40]))
    depth.reshape(-1)[rng.choice(depth.size, min(broken, depth.size), replace=False)] = draw(st.sampled_from([np.nan, np.inf, -np.inf]))
    if not draw(st.booleans()):
        return plan, depth, None
    share = draw(st.sampled_from([0.0, 5 / depth.size, 0.3, 1 - 5 / depth.size, 1.0]))
    sky = np.zeros(depth.size, np.float32)
    sky[: round(share * depth.size)] = draw(st.sampled_from([SKY_THRESHOLD, 0.9]))
    return plan, depth, rng.permutation(sky).reshape(shape)


def run_after(
    plan: InputPlan, kind: DepthKind, depth: np.ndarray, sky: np.ndarray | None, factors: np.ndarray, dtype: str = "float32"
) -> dict[str, np.ndarray]:
    """What :func:`after` makes of [N,h,w]."""
    cropped = plan.size != plan.resized
    form = AfterForm(kind, dtype, None if sky is None else dtype, None, cropped)
    feeds: dict[str, np.ndarray] = {"depth": depth[:, None].astype(dtype), "factor": factors.astype(np.float32).reshape(-1, 1, 1, 1)}
    feeds["size"] = np.array([len(depth), 1, plan.source[1], plan.source[0]], np.int64)
    if sky is not None:
        feeds["sky"] = sky[:, None].astype(dtype)
    if form.fills_sky:
        feeds["most"] = np.array([math.ceil((depth[0].size - 1) / 100) + 1], np.int64)
    if cropped:
        feeds |= {"pads": padding(plan), "inside": covered(plan)[None, None]}
    session = open_small(after(form), CPU)
    return {output.name: value[:, 0] for output, value in zip(session.get_outputs(), session.run(None, feeds), strict=True)}


@settings(max_examples=120, deadline=None)
@given(scene=scenes(), kind=st.sampled_from(list(DepthKind)), factor=st.sampled_from([1.0, 1.3044]))
def test_layers_are_filled_scaled_upsampled_and_judged(
    scene: tuple[InputPlan, np.ndarray, np.ndarray | None], kind: DepthKind, factor: float
) -> None:
    plan, depth, sky = scene
    got = run_after(plan, kind, depth[None], None if sky is None else sky[None], np.array([factor]))
    values, valid, full_sky = by_numpy(depth, sky, plan, kind, factor)
    agree = got["valid"][0].astype(bool) == valid
    sure = (values == 0) | (np.abs(values) > 1e-3)
    if full_sky is not None:
        sure &= ~(np.abs(full_sky - SKY_THRESHOLD) < 1e-3)
    assert np.mean(~agree & sure) <= 2e-3  # a share of a broken pixel within rounding of nothing
    there = agree & (values != 0) & (got["values"][0] != 0)  # the sky included
    assert got["values"][0][there] == pytest.approx(values[there], rel=1e-3, abs=5e-3)  # noise, at places in float32
    assert np.isfinite(got["values"]).all()
    if full_sky is not None:
        assert got["full_sky"][0] == pytest.approx(np.nan_to_num(full_sky, nan=0.0), abs=1e-3)


@pytest.mark.parametrize(("sky_pixels", "filled"), [(0, False), (10, False), (11, True), (2341, True), (2342, False)])
def test_ten_pixels_on_either_side_fill_nothing(sky_pixels: int, filled: bool) -> None:
    plan = InputPlan((56, 42), (), 0, 0, (56, 42))
    depth = np.random.default_rng(0).permutation(np.linspace(1, 9, 56 * 42, dtype=np.float32)).reshape(1, 42, 56)
    sky = np.zeros((1, 42, 56), np.float32)
    sky.reshape(-1)[:sky_pixels] = 0.9
    got = run_after(plan, DepthKind.METRIC, depth, sky, np.ones(1))["values"]
    wanted = depth.copy()
    if filled:
        wanted[sky > 0.5] = np.quantile(depth[sky < 0.5].astype(np.float64), 0.99)
    assert got == pytest.approx(wanted, rel=1e-6)


@pytest.mark.parametrize(("kind", "there"), [(DepthKind.DISPARITY, True), (DepthKind.METRIC, False), (DepthKind.RELATIVE, False)])
def test_zero_is_a_disparity_and_no_depth(kind: DepthKind, there: bool) -> None:
    plan = InputPlan((56, 42), (), 0, 0, (56, 42))
    got = run_after(plan, kind, np.zeros((1, 42, 56), np.float32), None, np.ones(1))
    assert (got["valid"] == there).all()


def test_each_picture_of_a_batch_has_its_own_fill_and_factor() -> None:
    plan = plan_input(60, 40, InputPolicy(ResizeMethod.UPPER_BOUND_RESIZE, 56))
    rng = np.random.default_rng(3)
    depth = rng.gamma(2.0, 3.0, (3, plan.size[1], plan.size[0])).astype(np.float32) * np.array([1, 10, 100], np.float32)[:, None, None]
    sky = (rng.random(depth.shape) < 0.3).astype(np.float32) * np.float32(0.971)  # no share of it is .3
    got = run_after(plan, DepthKind.METRIC, depth, sky, np.array([1.0, 2.0, 3.0]))
    for place, factor in enumerate((1.0, 2.0, 3.0)):
        values, valid, _ = by_numpy(depth[place], sky[place], plan, DepthKind.METRIC, factor)
        assert got["values"][place] == pytest.approx(values, rel=1e-3)
        assert (got["valid"][place].astype(bool) == valid).all()


def test_half_precision_layers_are_computed_with_in_full() -> None:
    plan = plan_input(60, 40, InputPolicy(ResizeMethod.UPPER_BOUND_RESIZE, 56))
    depth = np.linspace(1, 60000, plan.size[0] * plan.size[1], dtype=np.float32).reshape(1, plan.size[1], plan.size[0])
    got = run_after(plan, DepthKind.METRIC, depth, np.zeros_like(depth), np.array([4.0]), "float16")
    assert got["values"].max() > 200_000  # no float16 has it


@pytest.mark.parametrize("steps", [1, 2])
def test_nothing_between_upload_and_download_waits_for_the_host(steps: int) -> None:
    """A shape that is read, a branch or a loop would; so would an operation without a CUDA kernel. The list is ONNX Runtime's own
    (docs/OperatorKernels.md) for these types."""
    on_cuda = {
        "Abs", "Add", "And", "Cast", "Clip", "Div", "Floor", "GatherElements", "Greater", "Identity", "Less", "MatMul",
        "Mul", "Not", "Pad", "ReduceSum", "Reshape", "Resize", "Round", "Sub", "TopK", "Transpose", "Where",
    }  # fmt: skip
    graphs = [before(BeforeForm(steps, True, Layout.NHWC, "float16")), after(AfterForm(DepthKind.METRIC, "float16", "float32", "float64", True))]
    for graph in graphs:
        model = onnx.load_from_string(graph)
        onnx.checker.check_model(model)
        assert {node.op_type for node in model.graph.node} <= on_cuda
