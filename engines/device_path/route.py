# SPDX-License-Identifier: Apache-2.0
"""What all frames of one size share on the device: the plan of their input, the resizers' maps, the sessions, the shapes between them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING

import numpy as np

from ..model_spec import InputPolicy, ModelSpec
from ..preprocess import InputPlan
from ..signature import Layout, Signature
from .graphs import AfterForm, BeforeForm
from .resampling import covered, input_steps, padding, rounds_to_bytes
from .tensors import Place, shapes_of

if TYPE_CHECKING:
    import onnxruntime

_LAYER_DTYPES = ("float32", "float16", "float64")


class NotOnDeviceError(Exception):
    """A graph, or a size, that the device path does not do: the ordinary path does it. The message completes "... prepared on the CPU: "."""


class Route:
    """For ``count`` pictures of ``plan.source`` at a time. ``small`` opens the session of a small graph, or gives the one that is open.

    Raises :class:`NotOnDeviceError`.
    """

    def __init__(
        self,
        model: onnxruntime.InferenceSession,
        signature: Signature,
        spec: ModelSpec,
        policy: InputPolicy,
        plan: InputPlan,
        count: int,
        place: Place,
        small: Callable[[BeforeForm | AfterForm], onnxruntime.InferenceSession],
    ) -> None:
        self.model, self.plan, self.count, self.place = model, plan, count, place
        self._signature = signature
        width, height = plan.size
        self.tensor_shape = (count, height, width, 3) if signature.layout is Layout.NHWC else (count, 3, height, width)
        self.image_shape = (count, 1, *self.tensor_shape[1:]) if signature.layout is Layout.BNCHW else self.tensor_shape
        self.tensor_dtype, self.image_name = signature.image.dtype, signature.image.name
        rounded = rounds_to_bytes(policy.method, signature.image.dtype)
        steps = input_steps(plan, rounded)
        self.before = small(BeforeForm(len(steps), rounded, signature.layout, signature.image.dtype))
        self.input_maps: dict[str, onnxruntime.OrtValue] = {}
        for number, step in enumerate(steps):
            self.input_maps[f"rows_{number}"] = place.copy_of(step.rows)
            self.input_maps[f"columns_{number}"] = place.copy_of(step.columns)
            if rounded:
                self.input_maps[f"nudge_{number}"] = place.copy_of(np.array([step.nudge], np.float32))
        bound = {"depth": signature.depth, "sky": signature.sky, "confidence": signature.confidence}
        self.layers = {layer: info.name for layer, info in bound.items() if info is not None}
        matrices = {"intrinsics": signature.intrinsics, "extrinsics": signature.extrinsics}
        self.facts = {role: info.name for role, info in matrices.items() if info is not None}
        self._outputs = self._probe()
        grids = {self._map_shape(name) for name in self.layers.values()}
        if len(grids) != 1:
            raise NotOnDeviceError("its layers are not of one size")
        (self.grid,) = grids
        dtypes = {layer: self._outputs[name][1] for layer, name in self.layers.items()}
        if odd := set(dtypes.values()) - set(_LAYER_DTYPES):
            raise NotOnDeviceError(f"its layers are of the type {', '.join(sorted(odd))}")
        cropped = plan.size != plan.resized
        form = AfterForm(spec.kind, dtypes["depth"], dtypes.get("sky"), dtypes.get("confidence"), cropped)
        self.after = small(form)
        self.output_maps: dict[str, onnxruntime.OrtValue] = {"inside": place.copy_of(covered(plan)[None, None])} if cropped else {}
        self.float_outputs = ["values", *(f"full_{layer}" for layer in self.layers if layer != "depth")]
        host = Place("cpu", 0)  # where sizes and counts are read, whatever computes
        self.output_counts = {"size": host.copy_of(np.array([count, 1, plan.source[1], plan.source[0]], np.int64))}
        if cropped:
            if self.grid != (height, width):
                raise NotOnDeviceError("it answers in a size of its own, and the input policy crops")
            self.output_counts["pads"] = host.copy_of(padding(plan))
        if form.fills_sky:
            most = math.ceil((self.grid[0] * self.grid[1] - 1) / 100) + 1
            self.output_counts["most"] = host.copy_of(np.array([most], np.int64))

    def model_outputs(self) -> dict[str, onnxruntime.OrtValue]:
        """Tensors for the model's outputs, to be written by every run."""
        return {name: self.place.tensor(shape, dtype) for name, (shape, dtype) in self._outputs.items()}

    def _probe(self) -> dict[str, tuple[tuple[int, ...], str]]:
        tensor = self.place.copy_of(np.zeros(self.tensor_shape, self.tensor_dtype))
        try:
            return shapes_of(self.model, self.image_name, tensor, self.image_shape, self._signature.output_names, self.place)
        except RuntimeError as error:
            raise NotOnDeviceError(f"the model failed there ({error})") from error

    def _map_shape(self, name: str) -> tuple[int, int]:
        """(height, width) of a layer whose other axes are the pictures and axes of one, as ``postprocess.as_map`` reads it."""
        shape = self._outputs[name][0]
        if self._signature.layout is Layout.NHWC and len(shape) == 4 and shape[-1] == 1:
            shape = shape[:-1]
        if len(shape) < 2 or math.prod(shape[:-2]) != self.count or (self.count > 1 and shape[0] != self.count):
            raise NotOnDeviceError(f"its output {name} has the shape {list(shape)} for {self.count} pictures")
        return shape[-2], shape[-1]
