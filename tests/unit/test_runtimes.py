# SPDX-License-Identifier: Apache-2.0
"""What holds of every runtime that this machine can run: the same answers, its own buffers, one thread at a time, memory that comes back."""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from depthbridge.engines.cancel import CancelToken
from depthbridge.engines.engine import DepthEngine
from depthbridge.engines.errors import CancelledError, ModelError
from depthbridge.engines.runtimes.bound_run import BoundRun
from depthbridge.engines.runtimes.hardware import processor_has_bf16
from depthbridge.engines.runtimes.onnx_runtime import OnnxRuntime
from depthbridge.engines.runtimes.opening import open_target
from depthbridge.engines.runtimes.runtime import Runtime
from depthbridge.engines.runtimes.targets import Precision, RuntimeName, Target
from support import onnx_models as models

ONNXRUNTIME = Target(RuntimeName.ONNXRUNTIME, "cpu", Precision.FP32)
OPENVINO = Target(RuntimeName.OPENVINO, "cpu", Precision.FP32)
RUNTIMES = pytest.mark.parametrize("target", [ONNXRUNTIME, OPENVINO], ids=lambda target: str(target.runtime))
MB = 2**20
LONG_S = 10


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def relative_depth(tensor: np.ndarray) -> np.ndarray:
    """What :func:`models.da2_relative` computes."""
    return np.maximum(tensor.mean(axis=1) + 2, 0)


def run(runtime: Runtime, tensor: np.ndarray) -> np.ndarray:
    return runtime.run({"pixel_values": tensor}, ["predicted_depth"])[0]


# ---- answers --------------------------------------------------------------------------------------------------------


@RUNTIMES
@pytest.mark.parametrize("opset", [9, 11, 13, 17, 18, 21])
def test_old_and_new_opsets_load(target: Target, opset: int, tmp_path: Path) -> None:
    runtime = open_target(models.da2_relative(tmp_path / "m.onnx", opset=opset), target)
    tensor = noise(1, 3, 28, 42)
    assert run(runtime, tensor) == pytest.approx(relative_depth(tensor), abs=1e-5)


@RUNTIMES
@pytest.mark.parametrize("batch", [1, 2, 8])
def test_batches_and_sizes_change_from_run_to_run(target: Target, batch: int, tmp_path: Path) -> None:
    runtime = open_target(models.da2_relative(tmp_path / "m.onnx"), target)
    for size in [(28, 42), (42, 28), (14, 14), (56, 14), (14, 56), (28, 42)]:
        for seed in range(2):
            tensor = noise(batch, 3, *size, seed=seed)
            assert run(runtime, tensor) == pytest.approx(relative_depth(tensor), abs=1e-5)


@RUNTIMES
def test_outputs_come_in_the_order_asked_for(target: Target, tmp_path: Path) -> None:
    runtime = open_target(models.da3_main(tmp_path / "m.onnx"), target)
    tensor = noise(1, 1, 3, 28, 42)
    mean = tensor.mean(axis=2)
    for _ in range(2):
        confidence, depth = runtime.run({"pixel_values": tensor}, ["confidence", "predicted_depth"])
        assert depth == pytest.approx(np.exp(mean / 4), rel=1e-4)
        assert confidence == pytest.approx(1 + np.exp(mean), rel=1e-4)
        (alone,) = runtime.run({"pixel_values": tensor}, ["predicted_depth"])
        assert alone == pytest.approx(np.exp(mean / 4), rel=1e-4)


@RUNTIMES
def test_a_tensor_that_is_not_contiguous_is_read_as_it_is_each_time(target: Target, tmp_path: Path) -> None:
    runtime = open_target(models.da2_relative(tmp_path / "m.onnx"), target)
    wide = noise(1, 3, 28, 84)
    every_other = wide[..., ::2]
    for _ in range(4):
        assert run(runtime, every_other) == pytest.approx(relative_depth(every_other), abs=1e-5)
        wide *= 0.5


# ---- whose memory ---------------------------------------------------------------------------------------------------


@RUNTIMES
def test_the_input_may_be_used_again_at_once(target: Target, tmp_path: Path) -> None:
    runtime = open_target(models.da2_relative(tmp_path / "m.onnx"), target)
    tensor = noise(1, 3, 28, 42)
    for seed in range(4):
        tensor[...] = noise(1, 3, 28, 42, seed=seed)
        expected = relative_depth(tensor)
        answer = run(runtime, tensor)
        tensor[...] = 1000
        assert answer == pytest.approx(expected, abs=1e-5)


def test_onnxruntime_answers_into_the_same_memory_once_a_shape_is_known() -> None:
    runtime = open_target(Path(__file__).parents[2] / "models" / "depthbridge-mini.onnx", ONNXRUNTIME)
    small, large = noise(1, 3, 56, 84), noise(1, 3, 84, 56)
    for tensor in (small, large):
        runtime.run({"image": tensor}, ["depth"])
    held = {id(tensor): runtime.run({"image": tensor}, ["depth"])[0] for tensor in (small, large)}
    for _ in range(3):
        for tensor in (small, large):
            assert runtime.run({"image": tensor}, ["depth"])[0].ctypes.data == held[id(tensor)].ctypes.data


@pytest.mark.parametrize("dtype", [models.FLOAT, models.HALF], ids=["float32", "float16"])
def test_inputs_kept_on_a_device_are_those_of_each_run(dtype: int, tmp_path: Path) -> None:
    """As on a card, where the buffers stay and what is in them changes; here the device is the processor."""
    import onnxruntime

    session = open_session(models.da2_relative(tmp_path / "m.onnx", dtype=dtype))
    first = noise(2, 3, 28, 42).astype(np.float16 if dtype == models.HALF else np.float32)
    bound = BoundRun(session, ["predicted_depth"], session.run(["predicted_depth"], {"pixel_values": first}), inputs_on=("cpu", 0))
    wide, untouched = noise(2, 3, 28, 84, seed=1).astype(first.dtype), first.copy()
    for tensor in (first, first * 2, wide[..., ::2], first):
        (answer,) = bound.run({"pixel_values": tensor}, onnxruntime.RunOptions())
        assert answer == pytest.approx(relative_depth(tensor.astype(np.float32)), abs=1e-5 if dtype == models.FLOAT else 1e-2)
    assert np.array_equal(first, untouched), "the caller's own array was written to"


def open_session(path: Path) -> Any:
    runtime = open_target(path, ONNXRUNTIME)
    assert isinstance(runtime, OnnxRuntime)
    return runtime.session


def test_many_sizes_do_not_pile_up_buffers(tmp_path: Path) -> None:
    """Sixty sizes of 1 MB each; what is kept of them is a few."""
    program = (
        "import sys, numpy as np, psutil\nfrom pathlib import Path\n"
        "from depthbridge.engines.runtimes.opening import open_target\n"
        "from depthbridge.engines.runtimes.targets import *\n"
        "runtime = open_target(Path(sys.argv[1]), Target(RuntimeName.ONNXRUNTIME, 'cpu', Precision.FP32))\n"
        "def go(side):\n"
        "    for _ in range(2): runtime.run({'pixel_values': np.zeros((1, 3, side, 512), np.float32)}, ['predicted_depth'])\n"
        "for side in range(620, 640): go(side)\n"
        "before = psutil.Process().memory_info().rss\n"
        "for side in range(560, 620): go(side)\n"
        "print((psutil.Process().memory_info().rss - before) / 2**20)\n"
    )
    grown = float(in_a_process(program, str(models.da2_relative(tmp_path / "m.onnx"))))
    assert grown < 30, f"{grown:.0f} MB more after sixty further sizes"


@RUNTIMES
def test_opening_and_closing_gives_the_memory_back(target: Target) -> None:
    """The least of the last ten of twenty openings: allocators keep some tens of MB for a while and give them back, a leak only grows."""
    program = (
        "import sys, gc, numpy as np, psutil\n"
        "from depthbridge.engines.engine import DepthEngine\n"
        "picture = np.full((720, 1280, 3), 90, np.uint8)\n"
        "def once():\n"
        "    with DepthEngine.open(device='cpu', runtime=sys.argv[1]) as engine: engine.estimate(picture)\n"
        "    gc.collect()\n"
        "for _ in range(3): once()\n"
        "before, sizes = psutil.Process().memory_info().rss, []\n"
        "for _ in range(20):\n"
        "    once()\n"
        "    sizes.append(psutil.Process().memory_info().rss)\n"
        "print((min(sizes[10:]) - before) / 2**20)\n"
    )
    grown = float(in_a_process(program, str(target.runtime)))
    assert grown < 50, f"{grown:.0f} MB more after ten openings and more"


def in_a_process(program: str, *arguments: str) -> str:
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, env={**os.environ})
    assert done.returncode == 0, done.stderr
    return done.stdout


# ---- errors, stopping, closing --------------------------------------------------------------------------------------


@RUNTIMES
def test_a_run_that_cannot_be_is_one_line_and_hurts_nothing(target: Target, tmp_path: Path) -> None:
    runtime = open_target(models.runs_only_at(tmp_path / "m.onnx", 28, 42), target)
    good = noise(1, 3, 28, 42)
    for _ in range(2):
        with pytest.raises(RuntimeError) as failure:
            runtime.run({"image": noise(1, 3, 14, 14)}, ["depth"])
        assert "\n" not in str(failure.value) and str(failure.value)
        assert runtime.run({"image": good}, ["depth"])[0] == pytest.approx(np.exp(good.mean(axis=1, keepdims=True)), rel=1e-4)


@RUNTIMES
def test_a_closed_runtime_says_so(target: Target, tmp_path: Path) -> None:
    runtime = open_target(models.da2_relative(tmp_path / "m.onnx"), target)
    run(runtime, noise(1, 3, 14, 14))
    runtime.close()
    runtime.close()
    with pytest.raises(ModelError, match="closed"):
        run(runtime, noise(1, 3, 14, 14))


def test_a_stopped_run_of_a_known_shape_leaves_the_runtime_ready(tmp_path: Path) -> None:
    runtime = open_target(models.slow_when_bright(tmp_path / "m.onnx"), ONNXRUNTIME)
    dark, bright = np.zeros((1, 3, 28, 28), np.float32), np.full((1, 3, 28, 28), 2, np.float32)
    for _ in range(3):  # the shape is bound by now
        assert runtime.run({"image": dark}, ["depth"], CancelToken())[0] == pytest.approx(1)
    token = CancelToken()
    timer = threading.Timer(0.3, token.cancel)
    timer.start()
    with pytest.raises(CancelledError):
        runtime.run({"image": bright}, ["depth"], token)
    timer.join()
    assert runtime.run({"image": dark}, ["depth"], CancelToken())[0] == pytest.approx(1)


def test_a_second_thread_waits_and_gives_up_when_it_was_cancelled_meanwhile(tmp_path: Path) -> None:
    runtime = open_target(models.slow_when_bright(tmp_path / "m.onnx"), ONNXRUNTIME)
    bright = np.full((1, 3, 28, 28), 2, np.float32)
    first, second = CancelToken(), CancelToken()
    seen: list[str] = []

    def work(name: str, token: CancelToken) -> None:
        try:
            runtime.run({"image": bright}, ["depth"], token)
        except CancelledError:
            seen.append(name)

    threads = [threading.Thread(target=work, args=("first", first)), threading.Thread(target=work, args=("second", second))]
    threads[0].start()
    threading.Event().wait(0.2)
    threads[1].start()
    threading.Event().wait(0.2)
    second.cancel()
    threading.Event().wait(0.2)
    assert seen == [], "the second run was let in beside the first, or came back while the first was at work"
    first.cancel()
    for thread in threads:
        thread.join(LONG_S)
        assert not thread.is_alive()
    assert seen == ["first", "second"]


# ---- what it says of itself -----------------------------------------------------------------------------------------


@RUNTIMES
def test_an_engine_says_what_runs_it(target: Target, tmp_path: Path) -> None:
    with DepthEngine.open(models.da2_relative(tmp_path / "m.onnx"), device="cpu", runtime=str(target.runtime), precision="fp32") as engine:
        info = engine.info
    assert info.runtime.split()[0] == target.runtime and info.device == "cpu" and info.precision is Precision.FP32


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux lists what its processor can")
def test_the_processor_has_bf16_when_openvino_says_so() -> None:
    from depthbridge.engines.runtimes.openvino_runtime import cpu_has_bf16

    assert processor_has_bf16() == cpu_has_bf16()
