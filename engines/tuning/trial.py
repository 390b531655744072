# SPDX-License-Identifier: Apache-2.0
"""A runtime tried on a picture: whether its numbers are right, and a run of it to be timed."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ..cancel import CancelToken
from ..model_spec import InputPolicy
from ..network import Network
from ..preprocess import make_tensor, plan_input
from ..recognise import Recognised
from ..runtimes.runtime import Runtime
from ..signature import Signature
from .timing import Timing

MOST_OFF = 0.01
"""Median relative difference to FP32 that a faster precision may have."""


class TrialError(Exception):
    """A runtime's numbers are not what they should be; its text says how far off."""


class Trial:
    """An opened runtime that has answered twice. ``first_ms``: the first run, ``quick_ms``: the quicker of the first two.

    Raises what :meth:`Network.infer` raises: ``ModelError`` when it cannot run or gives nothing finite.
    """

    def __init__(
        self,
        runtime: Runtime,
        recognised: Recognised,
        path: Path,
        policy: InputPolicy,
        picture: npt.NDArray[np.uint8],
        cancel: CancelToken | None,
    ) -> None:
        self.runtime = runtime
        self._cancel = cancel
        network = Network(runtime, recognised.signature, recognised.spec, path, policy)
        answer = network.infer(picture, cancel)
        self.first_ms = answer.infer_ms
        # What the engine would feed, also where the graph turned out to take one size only.
        self._feeds = {recognised.signature.image.name: make_tensor(picture, answer.plan, policy.method, recognised.signature).copy()}
        self._names = recognised.signature.output_names
        self.depth: npt.NDArray[np.float32] = answer.depth.copy()
        started = time.perf_counter()
        self.run()
        self.quick_ms = min(self.first_ms, (time.perf_counter() - started) * 1e3)

    def run(self) -> None:
        """The network alone, once, as a frame would."""
        self.runtime.run(self._feeds, self._names, self._cancel)

    def timing(self, name: str) -> Timing:
        """What the first two runs tell."""
        return Timing(name, self.first_ms, self.quick_ms, self.first_ms - self.quick_ms, 1)

    def check_against(self, exact: Trial) -> None:
        """Raises :class:`TrialError` when the depth is not that of ``exact``, within :data:`MOST_OFF`."""
        if self.depth.shape != exact.depth.shape:
            raise TrialError(f"it answers with a map of {self.depth.shape}, others with {exact.depth.shape}")
        off = median_difference(self.depth, exact.depth)
        if not off <= MOST_OFF:
            raise TrialError(f"its depth is off by {off:.2%} (median) from FP32's; {MOST_OFF:.0%} is allowed")


def median_difference(values: npt.NDArray[np.float32], exact: npt.NDArray[np.float32]) -> float:
    """Median of ``|values - exact| / |exact|`` where ``exact`` is not zero; infinite when ``values`` are not finite there."""
    where = np.isfinite(exact) & (exact != 0)
    if not where.any():
        return 0.0
    off = np.abs(values[where] - exact[where]) / np.abs(exact[where])
    return float(np.median(off)) if np.isfinite(off).all() else float("inf")


def trial_picture(size: tuple[int, int], policy: InputPolicy, signature: Signature) -> npt.NDArray[np.uint8]:
    """A picture that gives the network the input that one of ``size`` (width, height) would: of the input's own size, which is quickly made,
    unless the policy makes another input of that."""
    fixed = (signature.height, signature.width)
    own = plan_input(*size, policy, fixed).size
    return sample_picture(*(own if plan_input(*own, policy, fixed).size == own else size))


def sample_picture(width: int, height: int) -> npt.NDArray[np.uint8]:
    """A picture to measure with, uint8 RGB (height,width,3), always the same: a bright sky over a floor that darkens, boxes, and grain."""
    random = np.random.default_rng(5)
    rows = np.linspace(0, 1, height, dtype=np.float32)[:, None]
    down = np.array([150, 190, 235], np.float32) * (1 - rows) + np.array([110, 95, 80], np.float32) * rows
    picture = np.repeat(down.astype(np.uint8)[:, None], width, axis=1)
    for size in (0.35, 0.2, 0.1, 0.05):
        high, wide = max(1, round(height * size)), max(1, round(width * size))
        top, left = int(random.integers(0, height - high + 1)), int(random.integers(0, width - wide + 1))
        picture[top : top + high, left : left + wide] = random.integers(20, 236, 3)
    grain = random.integers(0, 20, (height, width, 1), dtype=np.uint8)
    return picture + grain  # at most 255
