# SPDX-License-Identifier: Apache-2.0
"""From an upright picture to a network's input tensor, and the camera that goes with it. ``docs/parity.md`` compares each step with upstream."""

from __future__ import annotations

import math
from dataclasses import dataclass

import cv2
import numpy as np
import numpy.typing as npt

from .camera import CameraIntrinsics
from .errors import ImageError
from .model_spec import InputPolicy, ResizeMethod
from .signature import Layout, Signature

PATCH = 14
"""Both sides of every input are multiples of this: the patch size of the family's vision transformers."""

MAX_NETWORK_PIXELS = 1_500_000
"""Above this a policy's input is scaled down and said so. A 3.3:1 picture at lower bound 518 has 892,000 pixels, a 10:1 one 2.7 million."""

IMAGENET_MEAN = np.array([0.485, 0.456, 0.406], dtype=np.float32)
IMAGENET_STD = np.array([0.229, 0.224, 0.225], dtype=np.float32)

UInt8Image = npt.NDArray[np.uint8]
FloatArray = npt.NDArray[np.float32]


@dataclass(frozen=True, slots=True)
class InputPlan:
    """The way from a picture of ``source`` size to the network's input, all sizes (width, height).

    The picture is resized to each of ``steps`` in turn; then the window of ``size`` that starts at (``left``, ``top``) is cut out. ``note`` is a
    sentence for the user when the policy had to be bent.
    """

    source: tuple[int, int]
    steps: tuple[tuple[int, int], ...]
    left: int
    top: int
    size: tuple[int, int]
    note: str | None = None

    @property
    def resized(self) -> tuple[int, int]:
        """Size before the window is cut."""
        return self.steps[-1] if self.steps else self.source

    def process_camera(self, camera: CameraIntrinsics) -> CameraIntrinsics:
        """The camera of the network's input; fx and fy scale separately, since the two axes do."""
        return camera.resized(*self.resized).cropped(self.left, self.top, *self.size)

    def restore_camera(self, camera: CameraIntrinsics) -> CameraIntrinsics:
        """The camera of the picture, given that of the network's input."""
        return camera.cropped(-self.left, -self.top, *self.resized).resized(*self.source)


def plan_input(width: int, height: int, policy: InputPolicy, fixed_size: tuple[int | None, int | None] = (None, None)) -> InputPlan:
    """The plan for a picture of ``width`` x ``height``. ``fixed_size`` is (height, width) of a graph that fixes them; a fixed axis is obeyed.

    A graph of fixed size gets the whole picture stretched to it, each axis by its own factor.
    """
    fixed_height, fixed_width = fixed_size
    if fixed_height is not None and fixed_width is not None:
        return InputPlan((width, height), ((fixed_width, fixed_height),), 0, 0, (fixed_width, fixed_height))
    plan = _within_budget(width, height, policy)
    if fixed_height is None and fixed_width is None:
        return plan
    size = (fixed_width or plan.size[0], fixed_height or plan.size[1])
    return InputPlan((width, height), (size,), 0, 0, size, plan.note)


def make_tensor(image: UInt8Image, plan: InputPlan, method: ResizeMethod, signature: Signature) -> npt.NDArray[np.generic]:
    """The input tensor of ``image`` (uint8 RGB, (H,W,3), of ``plan.source`` size) for the graph's layout and type.

    float32 and float16 graphs get ImageNet-normalised values, uint8 graphs the bytes.
    """
    if signature.image.dtype == "uint8":
        pixels: npt.NDArray[np.generic] = _resize_bytes(image, plan)
    else:
        values = _resize_floats(image, plan) if method is ResizeMethod.DA2_LOWER_BOUND else _to_unit(_resize_bytes(image, plan))
        values -= IMAGENET_MEAN
        values /= IMAGENET_STD
        pixels = values.astype(np.float16) if signature.image.dtype == "float16" else values
    if signature.layout is Layout.NHWC:
        return np.ascontiguousarray(pixels[None])
    planes = np.ascontiguousarray(pixels.transpose(2, 0, 1))[None]
    return planes[None] if signature.layout is Layout.BNCHW else planes


def check_image(image: npt.NDArray[np.generic]) -> UInt8Image:
    """``image`` if it is a uint8 RGB picture; raises :class:`ImageError` naming its shape and type if not."""
    if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8 or 0 in image.shape:
        raise ImageError(f"A picture is a uint8 array of shape (height, width, 3); this one is {image.dtype} {image.shape}.")
    return image  # type: ignore[return-value]


# ---- sizes ----------------------------------------------------------------------------------------------------------


def _within_budget(width: int, height: int, policy: InputPolicy) -> InputPlan:
    """The policy's own plan, or the same at the largest smaller resolution that keeps to the budget."""
    plan = _policy_plan(width, height, policy)
    wanted = plan.size
    if wanted[0] * wanted[1] <= MAX_NETWORK_PIXELS:
        return plan
    resolution = policy.process_res
    while plan.size[0] * plan.size[1] > MAX_NETWORK_PIXELS and resolution > PATCH:
        resolution = max(PATCH, int(resolution * math.sqrt(MAX_NETWORK_PIXELS / (plan.size[0] * plan.size[1])) * 0.999))
        plan = _policy_plan(width, height, InputPolicy(policy.method, resolution))
    if plan.size[0] * plan.size[1] > MAX_NETWORK_PIXELS:
        raise ImageError(
            f"A {width}x{height} picture is too long and narrow for this model (it would need {wanted[0]}x{wanted[1]} pixels of input); "
            "crop it or cut it into pieces."
        )
    note = (
        f"A {width}x{height} picture would need an input of {wanted[0]}x{wanted[1]}; it is processed at {plan.size[0]}x{plan.size[1]}, "
        "with less detail. Cutting it into squarer pieces keeps the detail."
    )
    return InputPlan(plan.source, plan.steps, plan.left, plan.top, plan.size, note)


def _policy_plan(width: int, height: int, policy: InputPolicy) -> InputPlan:
    resolution = policy.process_res
    if policy.method is ResizeMethod.DA2_LOWER_BOUND:
        scale = max(resolution / width, resolution / height)
        size = (_da2_side(width, scale, resolution), _da2_side(height, scale, resolution))
        return InputPlan((width, height), (size,), 0, 0, size)
    upper = policy.method in (ResizeMethod.UPPER_BOUND_RESIZE, ResizeMethod.UPPER_BOUND_CROP)
    scale = resolution / (max if upper else min)(width, height)
    # round() is to even at .5, as upstream's int(round()) is.
    bounded = (max(1, round(width * scale)), max(1, round(height * scale)))
    if policy.method in (ResizeMethod.UPPER_BOUND_RESIZE, ResizeMethod.LOWER_BOUND_RESIZE):
        size = (_nearest_multiple(bounded[0]), _nearest_multiple(bounded[1]))
        return InputPlan((width, height), _steps((width, height), bounded, size), 0, 0, size)
    # A side under one patch cannot be cropped to one: it is stretched to it.
    padded = (max(PATCH, bounded[0]), max(PATCH, bounded[1]))
    size = (padded[0] // PATCH * PATCH, padded[1] // PATCH * PATCH)
    left, top = (padded[0] - size[0]) // 2, (padded[1] - size[1]) // 2
    return InputPlan((width, height), _steps((width, height), bounded, padded), left, top, size)


def _steps(source: tuple[int, int], *sizes: tuple[int, int]) -> tuple[tuple[int, int], ...]:
    """The sizes that differ from the one before."""
    steps: list[tuple[int, int]] = []
    for size in sizes:
        if size != (steps[-1] if steps else source):
            steps.append(size)
    return tuple(steps)


def _da2_side(side: int, scale: float, bound: int) -> int:
    """Depth Anything V2's ``constrain_to_multiple_of`` with a minimum (``util/transform.py``)."""
    rounded = round(scale * side / PATCH) * PATCH
    if rounded < bound:
        rounded = math.ceil(scale * side / PATCH) * PATCH
    # A bound below one patch only comes from the pixel budget.
    return max(PATCH, rounded)


def _nearest_multiple(side: int) -> int:
    """Nearest multiple of the patch, ties up, and never none (upstream lets a side under 7 become 1, which no network takes)."""
    return max(PATCH, (side + PATCH // 2) // PATCH * PATCH)


# ---- pixels ---------------------------------------------------------------------------------------------------------


def _resize_bytes(image: UInt8Image, plan: InputPlan) -> UInt8Image:
    """Depth Anything 3's resizing: on bytes, cubic when either side grows, area when not; then the window."""
    for size in plan.steps:
        grows = size[0] > image.shape[1] or size[1] > image.shape[0]
        image = cv2.resize(image, size, interpolation=cv2.INTER_CUBIC if grows else cv2.INTER_AREA)  # type: ignore[assignment]
    return image[plan.top : plan.top + plan.size[1], plan.left : plan.left + plan.size[0]]


def _to_unit(image: UInt8Image) -> FloatArray:
    return image.astype(np.float32) / np.float32(255)


def _resize_floats(image: UInt8Image, plan: InputPlan) -> FloatArray:
    """Depth Anything V2's resizing: on values in 0..1, cubic, overshoot kept."""
    values = _to_unit(image)
    for size in plan.steps:
        values = cv2.resize(values, size, interpolation=cv2.INTER_CUBIC)  # type: ignore[assignment]
    return values
