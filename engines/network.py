# SPDX-License-Identifier: Apache-2.0
"""A network on a runtime: pictures in, its own numbers out, one picture at a time or several of one size in one run."""

from __future__ import annotations

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from .buffers import BufferPool
from .cancel import CancelToken
from .errors import ModelError
from .input_tensors import InputTensors
from .model_spec import InputPolicy, ModelSpec
from .onnx_graph import TensorInfo
from .postprocess import as_map
from .preprocess import InputPlan, InputTensor, plan_input
from .runtimes.runtime import Runtime
from .signature import Layout, Signature

_FloatMap = npt.NDArray[np.float32]
_Pixels = npt.NDArray[np.uint8]
_Outputs = dict[str, npt.NDArray[np.generic]]

# Sizes (height, width) that published exports were traced at, tried in turn when a graph runs at none but its own.
_TRACE_SIZES = ((280, 504), (504, 504), (378, 504), (336, 504), (518, 518))

MAX_BATCH = 8
"""Pictures in one run, at most."""
_MAX_BATCH_PIXELS = MAX_BATCH * 518 * 518
"""Network pixels in one run, at most: that many squares of the family's own side."""
# A picture run alone and in a batch differ by rounding, in half precision by thousandths; pictures mixed up differ by far more.
_SAME_DEPTH = 0.01


@dataclass(frozen=True, slots=True, eq=False)
class NetworkAnswer:
    """A network's numbers for one picture, at its own size, with the plan of its input; and how long input and run took. The run of a batch
    counts whole for each of its pictures: that is how long they waited for it. The arrays are its own: nothing writes them again."""

    plan: InputPlan
    depth: _FloatMap
    sky: _FloatMap | None
    confidence: _FloatMap | None
    intrinsics: npt.NDArray[np.generic] | None
    extrinsics: npt.NDArray[np.generic] | None
    prepare_ms: float
    infer_ms: float


@dataclass(frozen=True, slots=True, eq=False)
class PreparedPicture:
    """A picture as :meth:`Network.prepare` left it: its input tensor, which belongs to it until it was run, and how long that took."""

    pixels: _Pixels
    input: InputTensor
    prepare_ms: float


class Network:
    """An opened graph, and what running it has taught: ``notes`` are sentences worth showing once, ``fixed_size`` is (height, width) where
    the graph takes no other. ``pool`` is where the maps of its answers come from. Pictures may be prepared in one thread while another
    runs; runs wait for each other."""

    def __init__(
        self, runtime: Runtime, signature: Signature, spec: ModelSpec, path: Path, policy: InputPolicy, pool: BufferPool | None = None
    ) -> None:
        self._runtime = runtime
        self._signature = signature
        self._spec = spec
        self._name = path.name
        self._policy = policy
        self._pool = BufferPool() if pool is None else pool
        self._inputs = InputTensors(policy.method, signature)
        # What a runtime returns may be its own memory, good until its next run; and one that was cancelled may still be at work.
        self._running = threading.Lock()
        self.notes: dict[str, None] = {}
        # A graph that calls its axes dynamic may run at one size only, which is found out by running it.
        self.fixed_size: tuple[int | None, int | None] = (signature.height, signature.width)
        # Likewise for a batch axis that is called dynamic.
        self._batches = signature.image.shape is not None and signature.image.shape[0] is None
        self._batches_checked = False

    def infer(self, pixels: _Pixels, cancel: CancelToken | None) -> NetworkAnswer:
        """One picture. Raises :class:`ModelError`, and ``CancelledError`` once ``cancel`` was called."""
        return self.run(self.prepare(pixels), cancel)

    def prepare(self, pixels: _Pixels) -> PreparedPicture:
        """The picture as the graph takes it, for :meth:`run`."""
        started = time.perf_counter()
        filled = self._inputs.take(self._plan(pixels))
        filled.write(pixels)
        return PreparedPicture(pixels, filled, (time.perf_counter() - started) * 1e3)

    def run(self, prepared: PreparedPicture, cancel: CancelToken | None) -> NetworkAnswer:
        """Its answer, once. Raises as :meth:`infer`."""
        if cancel is not None:
            cancel.check()
        started = time.perf_counter()
        with self._running:
            filled, plan = prepared.input, self._plan(prepared.pixels)
            if filled.plan != plan:  # a run since then has found out the one size that the graph takes
                filled = self._inputs.take(plan)
                filled.write(prepared.pixels)
            try:
                outputs = self._run(filled, cancel)
            except RuntimeError as error:
                plan, outputs = self._find_trace_size(prepared.pixels, plan, error, cancel)
            infer_ms = (time.perf_counter() - started) * 1e3
            answer = self._read(outputs, plan, prepared.prepare_ms, infer_ms)
        self._inputs.give_back(filled)
        return answer

    def close(self) -> None:
        """Frees the tensors that wait to be filled again."""
        self._inputs.clear()

    # ---- several at once ----------------------------------------------------------------------------------------

    def batch_limit(self, width: int, height: int) -> int:
        """How many pictures of that size one run takes; 1 when the graph takes them one by one."""
        if not self._batches:
            return 1
        across, down = plan_input(width, height, self._policy, self.fixed_size).size
        return max(1, min(MAX_BATCH, _MAX_BATCH_PIXELS // (across * down)))

    def infer_batch(self, pictures: Sequence[_Pixels], cancel: CancelToken | None) -> list[NetworkAnswer]:
        """Pictures of one size, in as few runs as the graph allows. Raises as :meth:`infer`."""
        answers: list[NetworkAnswer] = []
        while len(answers) < len(pictures):
            rest = pictures[len(answers) :]
            limit = self.batch_limit(rest[0].shape[1], rest[0].shape[0])
            together = self._run_together(rest[:limit], cancel) if limit > 1 and len(rest) > 1 else None
            answers += together if together is not None else [self.infer(rest[0], cancel)]
        return answers

    def _run_together(self, pictures: Sequence[_Pixels], cancel: CancelToken | None) -> list[NetworkAnswer] | None:
        """One run; None when the graph cannot do that, which is then known."""
        if not self._batches_checked:
            # Traced with one picture, a graph may run with several and mix them up without a word: a ramp and its negative, which no network
            # takes for one another, tell. The single run before also finds out a falsely dynamic size.
            ramp, negative = _ramp_and_negative(*pictures[0].shape[:2])
            alone = self.infer(negative, cancel)
            both = self._try_together([ramp, negative], cancel)
            if both is None:
                return None
            off = float(np.nanmax(np.abs(both[1].depth - alone.depth))) if both[1].depth.shape == alone.depth.shape else np.inf
            if not off <= _SAME_DEPTH * float(np.nanmax(np.abs(alone.depth))):
                self._batch_is_false("mixes them up")
                return None
            self._batches_checked = True
        return self._try_together(pictures, cancel)

    def _try_together(self, pictures: Sequence[_Pixels], cancel: CancelToken | None) -> list[NetworkAnswer] | None:
        started = time.perf_counter()
        filled = self._inputs.take(self._plan(pictures[0]), len(pictures))
        for place, pixels in enumerate(pictures):
            filled.write(pixels, place)
        prepared = time.perf_counter()
        if cancel is not None:
            cancel.check()
        with self._running:
            try:
                outputs = self._run(filled, cancel)
            except RuntimeError as error:
                self._batch_is_false(f"failed with {len(pictures)} ({error})")
                return None
            parts = self._split(outputs, len(pictures))
            if parts is None:
                self._batch_is_false("answers with one map")
                return None
            times = (prepared - started) / len(pictures) * 1e3, (time.perf_counter() - prepared) * 1e3
            answers = [self._read(part, filled.plan, *times) for part in parts]
        self._inputs.give_back(filled)
        return answers

    def _split(self, outputs: _Outputs, count: int) -> list[_Outputs] | None:
        """The outputs of each picture; None when they are not those of so many. What a graph says once, it says of all."""
        signature = self._signature
        maps = {info.name for info in (signature.depth, signature.sky, signature.confidence) if info is not None}
        for name, value in outputs.items():
            if value.ndim < 3 or value.shape[0] not in ((count,) if name in maps else (count, 1)):
                return None
        return [
            {name: value[place : place + 1] if value.shape[0] == count else value for name, value in outputs.items()} for place in range(count)
        ]

    def _batch_is_false(self, why: str) -> None:
        self._batches = False
        self.notes[f"{self._name} calls its batch dynamic but {why}; pictures are run one by one."] = None

    # ---- inside -------------------------------------------------------------------------------------------------

    def _plan(self, pixels: _Pixels) -> InputPlan:
        height, width = pixels.shape[:2]
        return plan_input(width, height, self._policy, self.fixed_size)

    def _run(self, filled: InputTensor, cancel: CancelToken | None) -> _Outputs:
        names = self._signature.output_names
        return dict(zip(names, self._runtime.run({self._signature.image.name: filled.tensor}, names, cancel), strict=True))

    def _find_trace_size(
        self, pixels: _Pixels, failed: InputPlan, cause: RuntimeError, cancel: CancelToken | None
    ) -> tuple[InputPlan, _Outputs]:
        """The one size a falsely dynamic graph runs at; from then on the graph counts as fixed to it."""
        if self.fixed_size != (None, None):
            raise ModelError(f"{self._name} failed at its own input size: {cause}") from cause
        known = (self._spec.trace_size,) if self._spec.trace_size else ()
        height, width = pixels.shape[:2]
        for size in (*known, *_TRACE_SIZES):
            plan = plan_input(width, height, self._policy, size)
            filled = self._inputs.take(plan)
            filled.write(pixels)
            try:
                outputs = self._run(filled, cancel)
            except RuntimeError:
                continue
            self.fixed_size = size
            self.notes[
                f"{self._name} calls its input size dynamic but runs only at the size it was exported at; "
                f"pictures are stretched to {size[1]}x{size[0]}."
            ] = None
            return plan, outputs
        raise ModelError(f"{self._name} cannot run on a {failed.size[0]}x{failed.size[1]} input: {cause}") from cause

    def _read(self, outputs: _Outputs, plan: InputPlan, prepare_ms: float, infer_ms: float) -> NetworkAnswer:
        if plan.note:
            self.notes[plan.note] = None
        signature, name = self._signature, self._name
        depth = self._map(outputs, signature.depth, "depth")
        if depth.shape != (plan.size[1], plan.size[0]):
            self.notes[
                f"{name} answers a {plan.size[0]}x{plan.size[1]} input with a {depth.shape[1]}x{depth.shape[0]} map: its output size was fixed "
                "at export. The map is resized; detail is lost."
            ] = None
        return NetworkAnswer(
            plan,
            depth,
            sky=self._map(outputs, signature.sky, "sky") if signature.sky else None,
            confidence=self._map(outputs, signature.confidence, "confidence") if signature.confidence else None,
            intrinsics=np.array(outputs[signature.intrinsics.name]) if signature.intrinsics else None,
            extrinsics=np.array(outputs[signature.extrinsics.name]) if signature.extrinsics else None,
            prepare_ms=prepare_ms,
            infer_ms=infer_ms,
        )

    def _map(self, outputs: _Outputs, info: TensorInfo, what: str) -> _FloatMap:
        return as_map(outputs[info.name], what, self._name, self._signature.layout is Layout.NHWC, pool=self._pool)


def _ramp_and_negative(height: int, width: int) -> tuple[_Pixels, _Pixels]:
    rows, columns = np.linspace(0, 127, height)[:, None], np.linspace(0, 127, width)[None, :]
    ramp = np.repeat((rows + columns).astype(np.uint8)[..., None], 3, axis=2)
    return ramp, 255 - ramp
