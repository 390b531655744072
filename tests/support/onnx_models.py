# SPDX-License-Identifier: Apache-2.0
"""Tiny ONNX graphs, each with the exact inputs, outputs and last operations of a published export.

Their "network" is the mean of the three normalised channels, so that what an engine makes of them can be computed by hand:
:func:`expected_mean`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper

Dim = int | str
FLOAT, HALF, UINT8 = TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.UINT8


@dataclass
class Graph:
    """A graph being built; ``mean`` is the value every head starts from."""

    input_name: str
    input_shape: list[Dim]
    dtype: int = FLOAT
    opset: int = 17
    nodes: list[onnx.NodeProto] = field(default_factory=list)
    weights: list[onnx.TensorProto] = field(default_factory=list)
    outputs: list[onnx.ValueInfoProto] = field(default_factory=list)
    extra_inputs: list[onnx.ValueInfoProto] = field(default_factory=list)

    def node(self, op: str, inputs: list[str], output: str, **attributes: object) -> str:
        self.nodes.append(helper.make_node(op, inputs, [output], **attributes))
        return output

    def constant(self, name: str, value: np.ndarray) -> str:
        self.weights.append(numpy_helper.from_array(value, name))
        return name

    def scalar(self, name: str, value: float) -> str:
        return self.constant(name, np.array(value, np.float16 if self.dtype == HALF else np.float32))

    def mean(self) -> str:
        """The channel mean with the channel axis kept: [B,1,H,W], [B,N,1,H,W] or [B,H,W,1]."""
        axis = self.input_shape.index(3)
        source = self.input_name
        if self.dtype == UINT8:
            source = self.node("Cast", [source], "as_float", to=FLOAT)
        if self.opset >= 18:
            return self.node("ReduceMean", [source, self.constant("axes", np.array([axis], np.int64))], "mean", keepdims=1)
        return self.node("ReduceMean", [source], "mean", axes=[axis], keepdims=1)

    def output(self, value: str, name: str, shape: list[Dim], dtype: int | None = None) -> None:
        self.node("Identity", [value], name)
        self.outputs.append(helper.make_tensor_value_info(name, dtype or (FLOAT if self.dtype == UINT8 else self.dtype), shape))

    def squeeze(self, value: str, axis: int, output: str) -> str:
        if self.opset >= 13:
            return self.node("Squeeze", [value, self.constant(f"{output}_axis", np.array([axis], np.int64))], output)
        return self.node("Squeeze", [value], output, axes=[axis])

    def save(self, path: Path, metadata: dict[str, str] | None = None, external: str | None = None) -> Path:
        image = helper.make_tensor_value_info(self.input_name, self.dtype, self.input_shape)
        graph = helper.make_graph(self.nodes, "tiny", [image, *self.extra_inputs], self.outputs, self.weights)
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", self.opset)], ir_version=8)
        for key, value in (metadata or {}).items():
            entry = model.metadata_props.add()
            entry.key, entry.value = key, value
        onnx.checker.check_model(model)
        if external:
            onnx.save_model(model, path, save_as_external_data=True, location=external, size_threshold=80)  # weights, not axes
        else:
            onnx.save_model(model, path)
        return path


def expected_mean(pixels: np.ndarray) -> np.ndarray:
    """What :meth:`Graph.mean` is for uint8 RGB pixels (...,3)."""
    normalised = (pixels / 255.0 - (0.485, 0.456, 0.406)) / (0.229, 0.224, 0.225)
    return normalised.mean(axis=-1)


# ---- the signatures -------------------------------------------------------------------------------------------------


def da2_relative(path: Path, *, name: tuple[str, str] = ("pixel_values", "predicted_depth"), rank: int = 3, dtype: int = FLOAT,
                 shape: tuple[Dim, Dim] = ("height", "width"), batch: Dim = "batch_size", opset: int = 17) -> Path:  # fmt: skip
    """Depth Anything 1 and 2: ``relu(mean + 2)``; the last Relu may be doubled, as the original's is."""
    graph = Graph(name[0], [batch, 3, *shape], dtype, opset)
    value = graph.node("Add", [graph.mean(), graph.scalar("two", 2.0)], "shifted")
    value = graph.node("Relu", [graph.node("Relu", [value], "relu_1")], "relu_2")
    dims: list[Dim] = [batch, 1, *shape] if rank == 4 else [batch, *shape]
    graph.output(value if rank == 4 else graph.squeeze(value, 1, "map"), name[1], dims)
    return graph.save(path)


def da2_metric(path: Path, max_depth: float = 20.0, *, name: tuple[str, str] = ("image", "depth")) -> Path:
    """``sigmoid(mean) * max_depth`` in metres."""
    graph = Graph(name[0], ["batch", 3, "h", "w"])
    value = graph.node("Sigmoid", [graph.mean()], "sigmoid")
    value = graph.node("Mul", [graph.squeeze(value, 1, "map"), graph.scalar("max_depth", max_depth)], "scaled")
    # The published exporter names the axes of this rank-3 output wrongly; so does this one.
    graph.output(value, name[1], ["batch", "?", "height"])
    return graph.save(path)


def da3_single(path: Path, *, sky: bool = True, size: tuple[Dim, Dim] = (280, 504), opset: int = 20, depth_name: str = "depth",
               metadata: dict[str, str] | None = None, sky_rows: int | None = None) -> Path:  # fmt: skip
    """DA3METRIC and DA3MONO: ``exp(mean / 4)``, and ``sky = relu(10 * (mean - 1))``: bright is sky."""
    graph = Graph("image", [1, 3, *size], FLOAT, opset)
    mean = graph.mean()
    depth = graph.node("Exp", [graph.node("Mul", [mean, graph.scalar("quarter", 0.25)], "log_depth")], "exp")
    graph.output(depth, depth_name, [1, 1, *size])
    if sky:
        value = graph.node("Sub", [mean, graph.scalar("one", 1.0)], "over")
        value = graph.node("Mul", [value, graph.scalar("ten", 10.0)], "steep")
        graph.output(graph.node("Relu", [value], "sky_relu"), "sky", [1, 1, *size])
    return graph.save(path, metadata)


def da3_main(path: Path, *, views: Dim = "num_images", size: tuple[Dim, Dim] = ("height", "width"), extras: bool = True,
             names: tuple[str, str, str] = ("pixel_values", "predicted_depth", "confidence"), batch: Dim = "batch_size",
             focal: float = 400.0, external: str | None = None, poses: bool = False) -> Path:  # fmt: skip
    """DA3 SMALL to GIANT: ``exp(mean / 4)``, ``confidence = 1 + exp(mean)``, constant predicted cameras of 504x280 pixels."""
    graph = Graph(names[0], [batch, views, 3, *size])
    mean = graph.squeeze(graph.mean(), 2, "mean_map")
    depth = graph.node("Exp", [graph.node("Mul", [mean, graph.scalar("quarter", 0.25)], "log_depth")], "exp")
    graph.output(depth, names[1], [batch, views, *size])
    if extras:
        one = graph.scalar("one", 1.0)
        graph.output(graph.node("Add", [graph.node("Exp", [mean], "conf_exp"), one], "conf"), names[2], [batch, views, *size])
        count = views if isinstance(views, int) else 1
        k = np.tile(np.array([[focal, 0, 252], [0, focal, 140], [0, 0, 1]], np.float32), (1, count, 1, 1))
        pose = np.tile(np.array([[1, 0, 0, 0.5], [0, 1, 0, 0], [0, 0, 1, 0]], np.float32), (1, count, 1, 1))
        graph.output(graph.constant("pose", pose), "extrinsics", [batch, views, 3, 4])
        graph.output(graph.constant("k", k), "intrinsics", [batch, views, 3, 3])
    if poses:
        graph.extra_inputs = [
            helper.make_tensor_value_info("extrinsics_in", FLOAT, [1, views, 4, 4]),
            helper.make_tensor_value_info("intrinsics_in", FLOAT, [1, views, 3, 3]),
        ]
    return graph.save(path, external=external)


def runs_only_at(path: Path, height: int, width: int) -> Path:
    """Declared dynamic, but a position table of the traced size is added inside: any other size fails."""
    graph = Graph("image", [1, 3, "height", "width"])
    table = graph.constant("position_table", np.zeros((1, 1, height, width), np.float32))
    value = graph.node("Exp", [graph.node("Add", [graph.mean(), table], "sum")], "exp")
    graph.output(value, "depth", [1, 1, "height", "width"])
    return graph.save(path)


def answers_only_in(path: Path, height: int, width: int) -> Path:
    """Declared dynamic, takes every size, and always answers in the traced one."""
    graph = Graph("pixel_values", ["batch", 3, "height", "width"])
    sizes = graph.constant("sizes", np.array([1, 1, height, width], np.int64))
    value = graph.node("Resize", [graph.mean(), "", "", sizes], "resized", mode="linear")
    value = graph.node("Relu", [graph.node("Add", [value, graph.scalar("two", 2.0)], "shifted")], "relu")
    graph.output(graph.squeeze(value, 1, "map"), "predicted_depth", ["batch", "height", "width"])
    return graph.save(path)


def nhwc_bytes(path: Path) -> Path:
    """A wrapper that takes uint8 pictures, channels last."""
    graph = Graph("image", [1, "height", "width", 3], UINT8)
    value = graph.node("Exp", [graph.node("Mul", [graph.mean(), graph.constant("small", np.float32(0.01).reshape(()))], "log")], "exp")
    graph.output(value, "depth", [1, "height", "width", 1])
    return graph.save(path)


def slow_when_bright(path: Path, *, only_at: tuple[int, int] | None = None) -> Path:
    """``exp(mean / 4)`` at once for a picture darker than average, and after many million small operations for a bright one.

    With ``only_at`` (height, width) it fails at any other size, as a falsely dynamic graph does.
    """
    graph = Graph("image", [1, 3, "height", "width"])
    mean = graph.mean()
    if only_at:
        mean = graph.node("Add", [mean, graph.constant("position_table", np.zeros((1, 1, *only_at), np.float32))], "placed")
    brightness = graph.node("Relu", [graph.node("ReduceMean", [mean], "level", keepdims=0)], "brightness")
    rounds = graph.node("Cast", [graph.node("Mul", [brightness, graph.scalar("many", 2e7)], "times")], "rounds", to=TensorProto.INT64)
    body = helper.make_graph(
        [helper.make_node("Identity", ["go_on"], ["go_on_out"]), helper.make_node("Sin", ["state"], ["state_out"])],
        "body",
        [
            helper.make_tensor_value_info("round", TensorProto.INT64, []),
            helper.make_tensor_value_info("go_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("state", FLOAT, []),
        ],
        [helper.make_tensor_value_info("go_on_out", TensorProto.BOOL, []), helper.make_tensor_value_info("state_out", FLOAT, [])],
    )
    worn = graph.node("Loop", [rounds, "", brightness], "worn", body=body)
    value = graph.node("Add", [mean, graph.node("Mul", [worn, graph.scalar("nothing", 0.0)], "unused")], "mixed")
    depth = graph.node("Exp", [graph.node("Mul", [value, graph.scalar("quarter", 0.25)], "log_depth")], "exp")
    graph.output(depth, "depth", [1, 1, "height", "width"])
    return graph.save(path)
