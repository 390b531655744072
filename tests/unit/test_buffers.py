# SPDX-License-Identifier: Apache-2.0
"""Memory is used again, and what somebody still sees is never written: by the pool, and by an engine."""

from __future__ import annotations

import gc
import threading
import tracemalloc
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from depthbridge.engines.buffers import BufferPool
from depthbridge.engines.depth_map import DepthMap
from depthbridge.engines.engine import DepthEngine
from depthbridge.engines.input_tensors import InputTensors
from depthbridge.engines.model_spec import InputPolicy, ResizeMethod
from depthbridge.engines.model_store import resolve
from depthbridge.engines.onnx_graph import TensorInfo
from depthbridge.engines.preprocess import plan_input
from depthbridge.engines.recognise import recognise
from depthbridge.engines.runtimes.opening import candidates, open_target
from depthbridge.engines.runtimes.targets import Wish
from depthbridge.engines.signature import read_signature
from support import onnx_models as models

Pixels = npt.NDArray[np.uint8]


class PoolUse(RuleBasedStateMachine):
    """Callers take arrays, keep some, keep only a piece of others, and let go, in any order."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = BufferPool(kept_bytes=6000)
        self.kept: list[tuple[npt.NDArray[Any], int]] = []
        self.marks = 0

    @rule(shape=st.sampled_from([(10, 20), (20, 10), (7,), (30, 40)]), dtype=st.sampled_from([np.float32, np.uint8, np.bool_]))
    def take(self, shape: tuple[int, ...], dtype: type) -> None:
        array = self.pool.take(shape, dtype)
        assert (array.shape, array.dtype, array.flags.c_contiguous, array.ctypes.data % 64) == (shape, dtype, True, 0)
        self.marks += 1
        mark = self.marks % 2 if dtype is np.bool_ else self.marks % 200
        array.fill(mark)
        self.kept.append((array, mark))

    @rule(place=st.integers(0, 100), how=st.sampled_from(["row", "reversed", "flat", "bytes", "memoryview", "object"]))
    def keep_only_a_view(self, place: int, how: str) -> None:
        if self.kept:
            array, mark = self.kept.pop(place % len(self.kept))
            views = {
                "row": lambda: array[-1:],
                "reversed": lambda: array[::-1][..., ::-1],
                "flat": lambda: array.reshape(-1)[1:],
                # A view of a view may run backwards, and such a one has no bytes in a row.
                "bytes": lambda: array.view(np.uint8).view(array.dtype) if array.flags.c_contiguous else array[:],
                "memoryview": lambda: np.asarray(memoryview(array)),
                "object": lambda: np.asarray(memoryview(array[-1:]).toreadonly()),
            }
            self.kept.append((views[how](), mark))

    @rule(place=st.integers(0, 100))
    def let_go(self, place: int) -> None:
        if self.kept:
            self.kept.pop(place % len(self.kept))

    @invariant()
    def nobody_sees_a_change(self) -> None:
        for array, mark in self.kept:
            assert (array == mark).all()
        assert self.pool.kept_bytes <= 6000


TestPoolUse = PoolUse.TestCase
TestPoolUse.settings = settings(max_examples=60, stateful_step_count=40, deadline=None)


def test_memory_comes_back_when_the_last_view_is_gone() -> None:
    pool = BufferPool()
    array = pool.take((100, 100), np.float32)
    address, view = array.ctypes.data, array[5:][::2]
    del array
    other = pool.take((100, 100), np.float32)
    assert other.ctypes.data != address
    assert pool.misses == 2
    del view
    again = pool.take((100, 100), np.float32)
    assert again.ctypes.data == address
    # Of another shape and type, but of one size.
    del again
    assert pool.take((50, 200), np.int32).ctypes.data == address
    assert pool.misses == 2


def test_a_closed_pool_keeps_nothing_and_what_is_out_stays() -> None:
    pool = BufferPool()
    kept = pool.take((1000,), np.float32)
    kept.fill(3)
    pool.take((1000,), np.float32)  # let go at once
    assert pool.kept_bytes == 4000
    pool.close()
    assert pool.kept_bytes == 0
    address = kept.ctypes.data
    assert (kept == 3).all() and address
    del kept
    assert pool.kept_bytes == 0


def test_threads_share_a_pool_and_no_memory() -> None:
    pool, broken = BufferPool(), threading.Event()

    def work(mark: int) -> None:
        held: list[npt.NDArray[np.uint32]] = []
        for turn in range(400):
            array = pool.take((64, 8), np.uint32)
            array.fill(mark)
            held.append(array)
            if len(held) > turn % 5:
                if any((one != mark).any() for one in held):
                    broken.set()
                held.pop(0)

    with ThreadPoolExecutor(4) as threads:
        list(threads.map(work, range(4)))
    assert not broken.is_set()
    assert pool.misses <= 4 * 7  # five held, one more in the hand, one on its way back


def test_a_tensor_is_lent_to_one_picture_at_a_time() -> None:
    """A run that was cancelled may still read its tensor: one that was not given back is never filled again."""
    signature = read_signature([TensorInfo("image", "float32", (1, 3, None, None))], [TensorInfo("depth", "float32", None)], "test")
    tensors = InputTensors(ResizeMethod.UPPER_BOUND_RESIZE, signature)
    plan = plan_input(96, 64, InputPolicy(ResizeMethod.UPPER_BOUND_RESIZE, 56))
    first = tensors.take(plan)
    assert tensors.take(plan) is not first
    tensors.give_back(first)
    assert tensors.take(plan, 2) is not first
    assert tensors.take(plan_input(96, 60, InputPolicy(ResizeMethod.UPPER_BOUND_RESIZE, 56))) is not first
    assert tensors.take(plan) is first


# ---- engines --------------------------------------------------------------------------------------------------------


def pictures(count: int, size: tuple[int, int] = (320, 240)) -> list[Pixels]:
    return [np.random.default_rng(seed).integers(0, 256, (size[1], size[0], 3), dtype=np.uint8) for seed in range(count)]


def layers(depth: DepthMap) -> list[npt.NDArray[Any]]:
    return [layer for layer in (depth.values, depth.valid, depth.sky, depth.confidence, depth.extrinsics) if layer is not None]


@pytest.mark.parametrize("resolution", ["image", "network"])
@pytest.mark.parametrize("name", ["depthbridge-mini", "da3", "da2"])
def test_a_map_that_is_kept_never_changes(name: str, resolution: Any, tmp_path: Path) -> None:
    """Nor a piece of one, whatever is estimated after it, nor when the engine is closed."""
    build = {"da3": models.da3_main, "da2": models.da2_relative}.get(name)
    images = pictures(6)
    with DepthEngine.open(build(tmp_path / "model.onnx") if build else name) as engine:
        whole = [engine.estimate(image, resolution=resolution) for image in images[:3]]
        pieces = [engine.estimate(image, resolution=resolution).values[3:, ::2] for image in images[:3]]
        copies = [[layer.copy() for layer in layers(depth)] for depth in whole]
        pieces_then = [piece.copy() for piece in pieces]
        for image in images:
            engine.estimate(image, resolution=resolution)
    gc.collect()
    for depth, then in zip(whole, copies, strict=True):
        assert all(np.array_equal(layer, before) for layer, before in zip(layers(depth), then, strict=True))
    assert all(np.array_equal(piece, before) for piece, before in zip(pieces, pieces_then, strict=True))
    assert len({depth.values.tobytes() for depth in whole}) == 3


def test_frames_after_the_first_take_no_memory() -> None:
    """No new buffer, and beside the buffers less than a tenth of one layer of the map at any moment."""
    image = pictures(1, (1920, 1080))[0]
    path, pool = resolve("depthbridge-mini").path, BufferPool()
    runtime = open_target(path, candidates(path, Wish.parse().or_environment())[0])
    with DepthEngine(runtime, recognise(path, None), path, pool=pool) as engine:
        depth = [engine.estimate(image) for _ in range(3)][-1]
        misses = pool.misses
        tracemalloc.start()
        try:
            for _ in range(5):
                depth = engine.estimate(image)
            peak = tracemalloc.get_traced_memory()[1]
        finally:
            tracemalloc.stop()
        assert pool.misses == misses
        assert peak < depth.values.nbytes / 10


def test_engines_and_threads_share_nothing() -> None:
    """One engine from three threads, and another beside it: each picture gets what it gets alone."""
    images = pictures(12)
    with DepthEngine.open() as engine, DepthEngine.open() as other:
        alone = [engine.estimate(image) for image in images]
        with ThreadPoolExecutor(4) as threads:
            busy = threads.map(lambda k: (other if k % 4 == 0 else engine).estimate(images[k % 12]), range(48))
            for k, depth in enumerate(busy):
                for layer, reference in zip(layers(depth), layers(alone[k % 12]), strict=True):
                    np.testing.assert_allclose(layer, reference, rtol=1e-5)
