# SPDX-License-Identifier: Apache-2.0
"""The two small graphs around a model, as ONNX: :func:`before` makes its input from a frame, :func:`after` makes layers of its output.

All sizes are dynamic and nothing in them reads a shape, so that every operation has a CUDA kernel and none waits for the host. Opset 13 is
older than every library they run on.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from ..depth_map import SKY_THRESHOLD, DepthKind
from ..errors import RuntimeUnavailableError
from ..preprocess import IMAGENET_MEAN, IMAGENET_STD
from ..signature import Layout

_OPSET, _IR = 13, 7
_SKY_FILL_PERCENT, _SKY_FILL_MIN_COUNT = 99, 10
# Rounded places give pixels that have no share one of a millionth.
_LEAST_SHARE = 1e-4
_NETWORK_DTYPES = {"float32": np.float32, "float16": np.float16, "uint8": np.uint8, "float64": np.float64}


@dataclass(frozen=True, slots=True)
class BeforeForm:
    """What shapes :func:`before`: how many steps, whether bytes are rounded after each, and the model's input."""

    steps: int
    rounded: bool
    layout: Layout
    dtype: str


@dataclass(frozen=True, slots=True)
class AfterForm:
    """What shapes :func:`after`: the kind of depth, the types of the model's layers (None: it has no such layer), whether the policy crops."""

    kind: DepthKind
    depth: str
    sky: str | None
    confidence: str | None
    cropped: bool

    @property
    def fills_sky(self) -> bool:
        """Disparity has 0 for the sky of its own accord."""
        return self.sky is not None and self.kind is not DepthKind.DISPARITY


def before(form: BeforeForm) -> bytes:
    """Frame to input tensor.

    Inputs: ``frame`` uint8 [N,H,3W] (a picture's bytes as they lie), and a step's ``rows_K`` [h,H], ``columns_K`` [W,w] and ``nudge_K`` [1].
    Output: ``tensor``, [N,h,w,3] for NHWC and else [N,3,h,w], of the model's type.
    """
    graph = _Builder()
    frame = graph.input("frame", np.uint8, ("n", "height", "width_times_3"))
    value = graph.node("Cast", frame, to=graph.type_of(np.float32))
    for step in range(form.steps):
        rows = graph.input(f"rows_{step}", np.float32, (f"h{step}", f"from_h{step}"))
        columns = graph.input(f"columns_{step}", np.float32, (f"from_w{step}", f"w{step}"))
        value = graph.node("MatMul", rows, value)
        if step == 0:  # rows first, as the pixels lie; then planes
            value = graph.node("Reshape", value, graph.constant(np.array([0, 0, -1, 3], np.int64)))
            value = graph.node("Transpose", value, perm=[0, 3, 1, 2])
        value = graph.node("MatMul", value, columns)
        if form.rounded:
            value = graph.node("Add", value, graph.input(f"nudge_{step}", np.float32, (1,)))
            value = graph.node("Clip", graph.node("Round", value), graph.scalar(0), graph.scalar(255))
    if form.dtype != "uint8":
        scale = 1 / (255 * IMAGENET_STD.astype(np.float64))
        value = graph.node("Mul", value, graph.constant(scale.astype(np.float32).reshape(3, 1, 1)))
        value = graph.node("Sub", value, graph.constant((IMAGENET_MEAN / IMAGENET_STD).reshape(3, 1, 1)))
    if form.layout is Layout.NHWC:
        value = graph.node("Transpose", value, perm=[0, 2, 3, 1])
    dtype = _NETWORK_DTYPES[form.dtype]
    graph.output(graph.node("Cast", value, to=graph.type_of(dtype)), "tensor", dtype, ("n", "a", "b", "c"))
    return graph.finish("before")


def after(form: AfterForm) -> bytes:
    """A model's layers to a picture's.

    Inputs: ``depth``, ``sky``, ``confidence`` [N,1,h,w] as the model has them; ``factor`` float32 [N,1,1,1], what its depth is multiplied by;
    ``most`` int64 [1], how many of a map's largest values can decide the fill of its sky: ceil((h w - 1) / 100) + 1; ``size`` int64 [4],
    N,1,H,W; where the policy crops ``pads`` int64 [8] and ``inside`` bool [1,1,H,W] (:mod:`.resampling`).
    Outputs: ``values`` float32, ``valid`` uint8, ``full_sky`` and ``full_confidence`` float32, all [N,1,H,W].
    """
    graph = _Builder()
    shape, full = ("n", 1, "h", "w"), ("n", 1, "H", "W")
    layers = {"depth": form.depth, "sky": form.sky, "confidence": form.confidence}
    raw = {name: graph.as_float(graph.input(name, _NETWORK_DTYPES[dtype], shape), dtype) for name, dtype in layers.items() if dtype}
    depth = _fill_sky(graph, raw["depth"], raw["sky"]) if form.fills_sky else raw["depth"]
    depth = graph.node("Mul", depth, graph.input("factor", np.float32, ("n", 1, 1, 1)))
    upsample = _Upsampler(graph, form.cropped)
    zero = graph.scalar(0)
    finite = graph.is_finite(depth)
    values = upsample(graph.node("Where", finite, depth, zero))
    # No depth wherever a pixel that is not finite has a share.
    share = upsample(graph.node("Cast", graph.node("Not", finite), to=graph.type_of(np.float32)))
    whole = upsample.inside(graph.node("Less", share, graph.scalar(_LEAST_SHARE)))
    sign = graph.node("Not", graph.node("Less", values, zero)) if form.kind is DepthKind.DISPARITY else graph.node("Greater", values, zero)
    valid = graph.node("And", whole, sign)
    if form.sky is not None:
        full_sky = upsample.covered(upsample(raw["sky"]))
        valid = graph.node("And", valid, graph.node("Less", full_sky, graph.scalar(SKY_THRESHOLD)))
        graph.output(full_sky, "full_sky", np.float32, full)
    if form.confidence is not None:
        graph.output(upsample.covered(upsample(raw["confidence"])), "full_confidence", np.float32, full)
    graph.output(graph.node("Where", whole, values, zero), "values", np.float32, full)
    graph.output(graph.node("Cast", valid, to=graph.type_of(np.uint8)), "valid", np.uint8, full)
    return graph.finish("after")


def _fill_sky(graph: _Builder, depth: str, sky: str) -> str:
    """``postprocess.fill_sky`` for each map of a batch: the exact 99th percentile of the ground, linear between its two neighbours.

    Only the largest hundredth of a map can hold it, so a partial sort is enough. Ranks are counted in float64, which holds them exactly.
    """
    finite = graph.is_finite(depth)
    is_sky = graph.node("Greater", sky, graph.scalar(np.nextafter(np.float32(SKY_THRESHOLD), np.float32(0))))
    ground = graph.node("And", finite, graph.node("Not", is_sky))
    flat = graph.constant(np.array([0, -1], np.int64))
    masked = graph.node("Reshape", graph.node("Where", ground, depth, graph.scalar(-np.inf)), flat)
    largest = graph.node("TopK", masked, graph.input("most", np.int64, (1,)), outputs=2, axis=1)

    def count(mask: str) -> str:
        ones = graph.node("Reshape", graph.node("Cast", mask, to=graph.type_of(np.float32)), flat)
        return graph.node("ReduceSum", ones, graph.constant(np.array([1], np.int64)), keepdims=1)

    grounds = count(ground)
    last = graph.node("Sub", graph.node("Cast", grounds, to=graph.type_of(np.float64)), graph.scalar(1, np.float64))
    percent = graph.node("Mul", last, graph.scalar(_SKY_FILL_PERCENT, np.float64))
    rank = graph.node("Div", percent, graph.scalar(100, np.float64))
    whole = graph.node("Floor", rank)
    below = graph.node("Sub", last, whole)  # counted from the largest
    above = graph.node("Sub", below, graph.scalar(1, np.float64))

    def pick(place: str) -> str:
        # A map without ground has no rank; what is picked then is not used.
        kept = graph.node("Where", graph.node("Less", place, graph.scalar(0, np.float64)), graph.scalar(0, np.float64), place)
        return graph.node("GatherElements", largest, graph.node("Cast", kept, to=graph.type_of(np.int64)), axis=1)

    share = graph.node("Cast", graph.node("Sub", rank, whole), to=graph.type_of(np.float32))
    low, high = pick(below), pick(above)
    fill = graph.node("Add", low, graph.node("Mul", graph.node("Sub", high, low), share))
    least = graph.scalar(_SKY_FILL_MIN_COUNT)
    enough = graph.node("And", graph.node("Greater", grounds, least), graph.node("Greater", count(is_sky), least))
    one_a_map = graph.constant(np.array([-1, 1, 1, 1], np.int64))
    filled = graph.node("And", is_sky, graph.node("Reshape", enough, one_a_map))
    return graph.node("Where", filled, graph.node("Reshape", fill, one_a_map), depth)


class _Upsampler:
    """``postprocess.to_source_size``: bilinear between pixel centres. What a crop has cut away is put back as copies of the edge, and covered
    by 0 in the end."""

    def __init__(self, graph: _Builder, cropped: bool) -> None:
        self._graph = graph
        self._size = graph.input("size", np.int64, (4,))
        self._pads = graph.input("pads", np.int64, (8,)) if cropped else None
        self._inside = graph.input("inside", np.bool_, (1, 1, "H", "W")) if cropped else None

    def __call__(self, layer: str) -> str:
        if self._pads is not None:
            layer = self._graph.node("Pad", layer, self._pads, mode="edge")
        return self._graph.node("Resize", layer, "", "", self._size, mode="linear", coordinate_transformation_mode="half_pixel")

    def inside(self, mask: str) -> str:
        """``mask`` where the picture is covered."""
        return mask if self._inside is None else self._graph.node("And", mask, self._inside)

    def covered(self, layer: str) -> str:
        """``layer``, 0 where the picture is not covered."""
        return layer if self._inside is None else self._graph.node("Where", self._inside, layer, self._graph.scalar(0))


class _Builder:
    """An ONNX graph that grows node by node."""

    def __init__(self) -> None:
        try:
            import onnx
        except ImportError as error:
            raise RuntimeUnavailableError(
                'The device path needs the package onnx: pip install "depthbridge[cuda]" brings it; without it frames are prepared on the CPU.'
            ) from error
        self._onnx: Any = onnx
        self._nodes: list[Any] = []
        self._inputs: list[Any] = []
        self._outputs: list[Any] = []
        self._constants: list[Any] = []

    def type_of(self, dtype: npt.DTypeLike) -> int:
        return int(self._onnx.helper.np_dtype_to_tensor_dtype(np.dtype(dtype)))

    def input(self, name: str, dtype: npt.DTypeLike, shape: tuple[int | str, ...]) -> str:
        self._inputs.append(self._onnx.helper.make_tensor_value_info(name, self.type_of(dtype), shape))
        return name

    def output(self, value: str, name: str, dtype: npt.DTypeLike, shape: tuple[int | str, ...]) -> None:
        self._nodes.append(self._onnx.helper.make_node("Identity", [value], [name]))
        self._outputs.append(self._onnx.helper.make_tensor_value_info(name, self.type_of(dtype), shape))

    def constant(self, value: npt.NDArray[Any]) -> str:
        name = f"constant_{len(self._constants)}"
        self._constants.append(self._onnx.numpy_helper.from_array(value, name))
        return name

    def scalar(self, value: float | np.floating[Any], dtype: npt.DTypeLike = np.float32) -> str:
        return self.constant(np.array(value, dtype))

    def node(self, op: str, *inputs: str, outputs: int = 1, **attributes: object) -> str:
        """Adds one and gives the name of its first output."""
        names = [f"{op.lower()}_{len(self._nodes)}_{place}" for place in range(outputs)]
        self._nodes.append(self._onnx.helper.make_node(op, list(inputs), names, **attributes))
        return names[0]

    def as_float(self, value: str, dtype: str) -> str:
        return value if dtype == "float32" else self.node("Cast", value, to=self.type_of(np.float32))

    def is_finite(self, value: str) -> str:
        return self.node("Less", self.node("Abs", value), self.scalar(np.inf))

    def finish(self, name: str) -> bytes:
        helper = self._onnx.helper
        graph = helper.make_graph(self._nodes, name, self._inputs, self._outputs, self._constants)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)], ir_version=_IR)
        return bytes(model.SerializeToString())
