# SPDX-License-Identifier: Apache-2.0
"""Which input of a graph is the picture and which outputs are what: by name first, then by trailing shape, never by position."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from .errors import ModelError
from .onnx_graph import TensorInfo

_IMAGE_NAMES = ("pixel_values", "image", "images", "input", "x")
_DEPTH_NAMES = ("predicted_depth", "depth", "metric_depth", "output")
_SKY_NAMES = ("sky",)
_CONFIDENCE_NAMES = ("depth_conf", "confidence", "conf")
_INPUT_DTYPES = ("float32", "float16", "uint8")


class Layout(StrEnum):
    """Order of the image input's axes."""

    NCHW = "nchw"
    BNCHW = "bnchw"
    NHWC = "nhwc"


@dataclass(frozen=True, slots=True)
class Signature:
    """The bound inputs and outputs of a graph. ``height`` and ``width`` are None where the graph calls them dynamic."""

    image: TensorInfo
    layout: Layout
    height: int | None
    width: int | None
    depth: TensorInfo
    sky: TensorInfo | None
    confidence: TensorInfo | None
    intrinsics: TensorInfo | None
    extrinsics: TensorInfo | None

    @property
    def output_names(self) -> list[str]:
        """Names of the outputs worth computing."""
        bound = (self.depth, self.sky, self.confidence, self.intrinsics, self.extrinsics)
        return [info.name for info in bound if info is not None]


def read_signature(inputs: Sequence[TensorInfo], outputs: Sequence[TensorInfo], model_name: str) -> Signature:
    """Binds inputs and outputs. ``model_name`` is for messages.

    Raises :class:`ModelError` for a graph without a picture input or a depth output, one that needs camera poses, and one that is fixed to
    several views or to a batch (the count is named).
    """
    image, layout = _find_image(inputs, model_name)
    others = [info.name for info in inputs if info.name != image.name]
    if others:
        raise ModelError(
            f"{model_name} also needs the inputs {', '.join(others)} (camera poses, for several views); "
            "use an export that takes the picture alone."
        )
    shape = image.shape or ()
    if layout is Layout.BNCHW and (shape[1] or 1) > 1:
        raise ModelError(
            f"{model_name} is fixed to {shape[1]} views in one call and cannot take a single picture; export it for 1 view or a dynamic number."
        )
    if (shape[0] or 1) > 1:
        raise ModelError(f"{model_name} is fixed to batches of {shape[0]} pictures; export it for a batch of 1 or a dynamic one.")
    if image.dtype not in _INPUT_DTYPES:
        raise ModelError(f"{model_name} takes {image.dtype} pictures; float32, float16 and uint8 are understood.")
    height, width = (shape[1], shape[2]) if layout is Layout.NHWC else (shape[-2], shape[-1])
    return _bind_outputs(image, layout, height, width, outputs, model_name)


def _find_image(inputs: Sequence[TensorInfo], model_name: str) -> tuple[TensorInfo, Layout]:
    candidates = [(info, layout) for info in inputs if (layout := _image_layout(info)) is not None]
    if not candidates:
        described = ", ".join(f"{info.name} {_describe(info.shape)}" for info in inputs)
        raise ModelError(f"{model_name} has no input that takes a picture (it has {described}); is it a depth model?")

    def rank(candidate: tuple[TensorInfo, Layout]) -> int:
        name = candidate[0].name.lower()
        return _IMAGE_NAMES.index(name) if name in _IMAGE_NAMES else len(_IMAGE_NAMES)

    return min(candidates, key=rank)


def _image_layout(info: TensorInfo) -> Layout | None:
    """Channels are 3 where the graph fixes them; a dynamic channel axis counts as channels-first."""
    shape = info.shape
    if shape is None or len(shape) not in (4, 5):
        return None
    if len(shape) == 5:
        return Layout.BNCHW if shape[2] in (3, None) else None
    if shape[1] == 3:
        return Layout.NCHW
    if shape[3] == 3:
        return Layout.NHWC
    # (B, 4, 4)-like poses have small fixed ends; a picture that fixes neither axis is dynamic throughout.
    return Layout.NCHW if shape[1] is None and not _is_matrix(shape) else None


def _is_matrix(shape: tuple[int | None, ...]) -> bool:
    return shape[-2:] in ((3, 3), (3, 4), (4, 4))


def _bind_outputs(
    image: TensorInfo, layout: Layout, height: int | None, width: int | None, outputs: Sequence[TensorInfo], model_name: str
) -> Signature:
    free = {info.name: info for info in outputs}

    def by_name(names: Sequence[str]) -> TensorInfo | None:
        for name in names:
            for info in list(free.values()):
                if info.name.lower() == name:
                    return free.pop(info.name)
        return None

    def by_shape(*tails: tuple[int, int]) -> TensorInfo | None:
        for info in list(free.values()):
            if info.shape is not None and len(info.shape) >= 2 and info.shape[-2:] in tails:
                return free.pop(info.name)
        return None

    depth = by_name(_DEPTH_NAMES)
    sky, confidence = by_name(_SKY_NAMES), by_name(_CONFIDENCE_NAMES)
    # Some exporters leave matrices without fixed sizes: their names tell then.
    intrinsics = by_name(("intrinsics",)) or by_shape((3, 3))
    extrinsics = by_name(("extrinsics",)) or by_shape((3, 4), (4, 4))
    if depth is None:
        spatial = [info for info in free.values() if _is_spatial(info)]
        if not spatial:
            described = ", ".join(f"{info.name} {_describe(info.shape)}" for info in outputs)
            raise ModelError(f"{model_name} has no output that is a depth map (it has {described}); is it a depth model?")
        depth = spatial[0]
    return Signature(image, layout, height, width, depth, sky, confidence, intrinsics, extrinsics)


def _is_spatial(info: TensorInfo) -> bool:
    """A map: two axes of picture size. Rays end in 6 channels and pose encodings in 9."""
    shape = info.shape
    if shape is None:
        return True  # some exporters record no rank; the name did not say otherwise
    return 2 <= len(shape) <= 5 and shape[-1] not in (6, 9)


def _describe(shape: tuple[int | None, ...] | None) -> str:
    return "of unknown shape" if shape is None else "[" + ",".join("?" if dim is None else str(dim) for dim in shape) + "]"
