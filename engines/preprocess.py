# SPDX-License-Identifier: Apache-2.0
"""From an upright picture to a network's input tensor, and the camera that goes with it. ``docs/parity.md`` compares each step with upstream."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from .area_resize import AreaResize
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

# Source pixels for each of the target from which on ours beat OpenCV's own: measured at 1.44 (by a half) and 1.01 (they lose).
_WORTH_BANDS = 1.4
SMALL_PIXELS = 250_000
"""A picture of fewer is resized by OpenCV alone, as upstream does: there is little to gain."""

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


def check_image(image: npt.NDArray[np.generic]) -> UInt8Image:
    """``image`` if it is a uint8 RGB picture; raises :class:`ImageError` naming its shape and type if not."""
    if not isinstance(image, np.ndarray):  # the None of a picture that could not be read, before all
        raise ImageError(f"A picture is a uint8 array of shape (height, width, 3); this one is of type {type(image).__name__}.")
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


class InputTensor:
    """The input tensor for pictures of one plan, ``count`` of them in one run, and what filling it needs. Use it again for the next picture:
    it allocates nothing then. One thread at a time."""

    def __init__(self, plan: InputPlan, method: ResizeMethod, signature: Signature, count: int = 1) -> None:
        self.plan = plan
        width, height = plan.size
        self._last = signature.layout is Layout.NHWC
        shape = {
            Layout.NCHW: (count, 3, height, width),
            Layout.BNCHW: (count, 1, 3, height, width),
            Layout.NHWC: (count, height, width, 3),
        }[signature.layout]
        self._bytes = signature.image.dtype == "uint8"
        self.tensor: npt.NDArray[np.generic] = np.empty(shape, dtype=signature.image.dtype)
        # Half precision is rounded once, at the end.
        self._floats = np.empty(shape[1:], dtype=np.float32) if signature.image.dtype == "float16" else None
        self._smooth = None if self._bytes or method is not ResizeMethod.DA2_LOWER_BOUND else _FloatResize(plan)
        self._resizes = [_ByteResize(*step) for step in pairwise((plan.source, *plan.steps))] if self._smooth is None else []
        looked_up = self._smooth is None and not self._bytes and not self._last
        self._planes = [np.empty((height, width), dtype=np.uint8) for _ in range(3)] if looked_up else []

    @property
    def nbytes(self) -> int:
        """About how much memory it keeps."""
        smooth = 0 if self._smooth is None else self._smooth.nbytes
        return int(self.tensor.nbytes) + smooth + sum(resize.nbytes for resize in self._resizes)

    def write(self, image: UInt8Image, place: int = 0) -> None:
        """Makes ``image`` (uint8 RGB, (H,W,3), of ``plan.source`` size) the picture at ``place``: ImageNet-normalised values for float32 and
        float16 graphs, the bytes for uint8 ones."""
        target = self.tensor[place] if self._floats is None else self._floats
        if not self._last:
            target = target.reshape(3, *target.shape[-2:])
        if self._smooth is not None:
            self._normalise(self._smooth(image), target)
        else:
            for resize in self._resizes:
                image = resize(image)
            plan = self.plan
            self._look_up(image[plan.top : plan.top + plan.size[1], plan.left : plan.left + plan.size[0]], target)
        if self._floats is not None:
            np.copyto(self.tensor[place], self._floats, casting="same_kind")

    def _normalise(self, values: FloatArray, target: npt.NDArray[Any]) -> None:
        """Values of 0..255, (h,w,3), into place."""
        if self._last:
            np.multiply(values, _SCALE, out=target)
            np.subtract(target, _OFFSET, out=target)
            return
        cv2.split(values, list(target))
        for channel in range(3):
            np.multiply(target[channel], _SCALE[channel], out=target[channel])
            np.subtract(target[channel], _OFFSET[channel], out=target[channel])

    def _look_up(self, pixels: UInt8Image, target: npt.NDArray[Any]) -> None:
        """Bytes (h,w,3) into place: a table has all values that there can be."""
        if self._bytes and self._last:
            np.copyto(target, pixels)
        elif self._bytes:
            cv2.split(pixels, list(target))
        elif self._last:
            cv2.LUT(pixels, _NORMALISED, dst=target)
        else:
            cv2.split(pixels, self._planes)
            for channel in range(3):
                cv2.LUT(self._planes[channel], _NORMALISED_PLANES[channel], dst=target[channel])


def make_tensor(image: UInt8Image, plan: InputPlan, method: ResizeMethod, signature: Signature) -> npt.NDArray[np.generic]:
    """The input tensor of one picture, as :class:`InputTensor` makes it."""
    made = InputTensor(plan, method, signature)
    made.write(image)
    return made.tensor


_NORMALISED = (((np.arange(256, dtype=np.float32) / np.float32(255))[:, None] - IMAGENET_MEAN) / IMAGENET_STD)[None]
_NORMALISED_PLANES = [np.ascontiguousarray(_NORMALISED[0, :, channel]) for channel in range(3)]
_SCALE = 1 / (np.float32(255) * IMAGENET_STD)
_OFFSET = IMAGENET_MEAN / IMAGENET_STD


class _ByteResize:
    """Depth Anything 3's resizing: on bytes, cubic when either side grows, area when not."""

    def __init__(self, source: tuple[int, int], target: tuple[int, int]) -> None:
        grows = target[0] > source[0] or target[1] > source[1]
        self._target = target
        self._method = cv2.INTER_CUBIC if grows else cv2.INTER_AREA
        self._result = np.empty((target[1], target[0], 3), dtype=np.uint8)
        # OpenCV is faster where whole pixels make a pixel, and where there is little to add up.
        whole = source[0] % target[0] == 0 and source[1] % target[1] == 0
        large = source[0] * source[1] >= max(SMALL_PIXELS, _WORTH_BANDS * target[0] * target[1])
        self._areas = None if grows or whole or not large else AreaResize(source, target)

    @property
    def nbytes(self) -> int:
        return self._result.nbytes + (0 if self._areas is None else self._areas.nbytes)

    def __call__(self, image: UInt8Image) -> UInt8Image:
        """uint8 (h,w,3): overwritten by the next call."""
        if self._areas is None:
            return cv2.resize(image, self._target, dst=self._result, interpolation=self._method)  # type: ignore[return-value]
        return cv2.convertScaleAbs(self._areas(image), dst=self._result)  # type: ignore[return-value]


class _FloatResize:
    """Depth Anything V2's resizing: on floats, cubic, overshoot kept. Values stay in 0..255."""

    def __init__(self, plan: InputPlan) -> None:
        self._steps = plan.steps
        self._results = [np.empty((height, width, 3), dtype=np.float32) for width, height in (plan.source, *plan.steps)]

    @property
    def nbytes(self) -> int:
        return sum(result.nbytes for result in self._results)

    def __call__(self, image: UInt8Image) -> FloatArray:
        """float32 (h,w,3): overwritten by the next call."""
        np.copyto(self._results[0], image)
        for before, after, size in zip(self._results, self._results[1:], self._steps, strict=False):
            cv2.resize(before, size, dst=after, interpolation=cv2.INTER_CUBIC)
        return self._results[-1]
