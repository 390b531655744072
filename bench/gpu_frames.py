# SPDX-License-Identifier: Apache-2.0
"""What is left of a GPU's speed when frames come from Python, and from the bridge, beside the bare session; and what half precision brings.

    python bench/gpu_frames.py                                          # the embedded model
    python bench/gpu_frames.py da2-small-random.onnx --large da3metric-large-random.onnx     # graphs of bench/graphs.py
    python bench/gpu_frames.py --on-cpu                                 # no GPU: only whether the program works

`bare` is the model's session alone, in a loop on tensors that stay on the device, captured as a CUDA graph where the session can be.
`stream` is `estimate_stream` over frames of 1280 x 720, uint8 in and depth maps out, `loop` is `estimate` on one after the other. `bridge` is a
server in a process of its own and three clients that each wait for their frame's distances. Batch 1, FP16. Sides take turns, medians of the
rounds are compared. `--large` is a graph whose FP16 and FP32 sessions are compared bare. Prints a table, then one line of JSON; exits 1 when a
limit is missed, 2 without a GPU.
"""

from __future__ import annotations

import argparse
import importlib.util
import itertools
import json
import multiprocessing
import statistics
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import cv2
import numpy as np
import numpy.typing as npt

from depthbridge.engines.buffers import BufferPool
from depthbridge.engines.camera import CameraIntrinsics
from depthbridge.engines.device_path.frames import DeviceFrames, open_around
from depthbridge.engines.device_path.route import Route
from depthbridge.engines.device_path.slot import Slot
from depthbridge.engines.device_path.tensors import NO_GRAPH, Place
from depthbridge.engines.device_path.way import DeviceWay
from depthbridge.engines.engine import DepthEngine
from depthbridge.engines.model_store import resolve
from depthbridge.engines.preprocess import plan_input
from depthbridge.engines.recognise import recognise
from depthbridge.engines.runtimes.hardware import gpus
from depthbridge.engines.runtimes.onnx_runtime import OnnxRuntime
from depthbridge.engines.stream import estimate_stream
from depthbridge.unity_bridge.client import DepthClient, SceneObject
from depthbridge.unity_bridge.serving.server import BridgeServer

LIMITS = {"stream / bare": 0.9, "bridge / bare": 0.8, "FP16 / FP32": 2.0}
CLIENTS = 3
_BARE_GRAPH = 1_000_000  # an id that the device path's own count does not reach


@dataclass(frozen=True)
class Setup:
    """What is measured, and how often: picklable, for the server's process."""

    model: str
    size: tuple[int, int]
    frames: int
    rounds: int
    on_cpu: bool

    def open(self, model: str, precision: str) -> DepthEngine:
        """An engine; on the CPU, in FP32, with the device path put there by hand."""
        name = Path(model) if model.endswith(".onnx") else model
        if not self.on_cpu:
            return DepthEngine.open(name, device="cuda", runtime="onnxruntime", precision=precision)
        engine = DepthEngine.open(name, device="cpu", runtime="onnxruntime", precision="fp32")
        signature, policy = recognise(Path(engine.info.path), engine.spec).signature, engine.info.input_policy
        engine._device = DeviceWay(DeviceFrames(_runtime(engine), signature, engine.spec, policy), engine.spec, policy, engine._network)
        return engine


def _runtime(engine: DepthEngine) -> OnnxRuntime:
    if not isinstance(engine._runtime, OnnxRuntime):
        raise SystemExit(f"{engine.info.runtime} is not what was asked for")
    return engine._runtime


def photo(width: int, height: int) -> npt.NDArray[np.uint8]:
    """Shades, edges and noise."""
    random = np.random.default_rng(7)
    coarse = cv2.resize(random.integers(0, 255, (27, 48, 3)).astype(np.uint8), (width, height), interpolation=cv2.INTER_CUBIC)
    return np.asarray(np.clip(coarse + random.normal(0, 6, coarse.shape), 0, 255), np.uint8)


def bare(engine: DepthEngine, size: tuple[int, int]) -> Callable[[], None]:
    """One run of the engine's own session on tensors that stay where they are."""
    runtime = _runtime(engine)
    spec, policy = engine.spec, engine.info.input_policy
    signature = recognise(Path(engine.info.path), spec).signature
    place = Place.of(runtime.device)
    plan = plan_input(*size, policy, engine.info.fixed_size)
    route = Route(runtime.session, signature, spec, policy, plan, 1, place, lambda form: open_around(form, place))
    slot = Slot(route, _BARE_GRAPH if runtime.cuda_graph else NO_GRAPH, BufferPool())
    slot.upload([photo(*size)], [1.0])
    return lambda: slot.infer(None)


def per_second(frames: int, work: Callable[[int], None]) -> float:
    """How many of ``frames`` a second ``work`` does."""
    started = time.perf_counter()
    work(frames)
    return frames / (time.perf_counter() - started)


def in_turns(sides: Mapping[str, Callable[[int], None]], setup: Setup) -> dict[str, list[float]]:
    """Frames a second of each side, round by round; one round before them is not counted."""
    found: dict[str, list[float]] = {name: [] for name in sides}
    for turn in range(setup.rounds + 1):
        for name, work in sides.items():
            speed = per_second(setup.frames, work)
            if turn:
                found[name].append(speed)
    return found


# ---- the bridge -----------------------------------------------------------------------------------------------------


def serve(pipe: Connection, setup: Setup) -> None:
    """A server with an engine of its own, until the pipe says something."""
    with setup.open(setup.model, "fp16") as engine:
        engine.warm_up(*setup.size)
        with BridgeServer(engine, "tcp://127.0.0.1:0", max_in_flight=2 * CLIENTS) as server:
            pipe.send(server.endpoint)
            pipe.recv()


def bridge(stack: ExitStack, setup: Setup) -> Callable[[int], None]:
    """Sends frames to a real server by real clients, each of which waits for its answer."""
    spawn = multiprocessing.get_context("spawn")
    near, far = spawn.Pipe()
    process = spawn.Process(target=serve, args=(far, setup), daemon=True)
    process.start()
    stack.callback(process.join)
    stack.callback(near.send, "stop")
    endpoint = str(near.recv())
    clients = [stack.enter_context(DepthClient(endpoint)) for _ in range(CLIENTS)]
    width, height = setup.size
    pixels, camera = photo(width, height), CameraIntrinsics.from_vertical_fov(60, width, height)
    mask = np.zeros((height, width), np.uint16)
    mask[height // 4 : height // 2, width // 4 : width // 2] = 1
    objects = [SceneObject(mask_value=1, category="box")]

    def work(frames: int) -> None:
        left = itertools.count()

        def send(client: DepthClient) -> None:
            while next(left) < frames:
                client.measure(pixels, camera, mask, objects=objects)

        threads = [threading.Thread(target=send, args=(client,)) for client in clients]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()

    return work


# ---- the program ----------------------------------------------------------------------------------------------------


def frames_of(setup: Setup) -> tuple[dict[str, list[float]], dict[str, object]]:
    """Frames a second of bare session, stream, loop and bridge, and what ran."""
    picture = photo(*setup.size)
    camera = CameraIntrinsics.from_vertical_fov(60, *setup.size)
    with ExitStack() as stack:
        engine = stack.enter_context(setup.open(setup.model, "fp16"))
        engine.estimate(picture, camera)  # learns the size
        once = bare(engine, setup.size)

        def alone(frames: int) -> None:
            for _ in range(frames):
                once()

        def stream(frames: int) -> None:
            for _ in estimate_stream(engine, itertools.repeat((picture, camera), frames)):
                pass

        def loop(frames: int) -> None:
            for _ in range(frames):
                engine.estimate(picture, camera)

        sides = {"bare": alone, "stream": stream, "loop": loop}
        if engine.needs_camera or engine.kind == "metric":
            sides["bridge"] = bridge(stack, setup)
        times = in_turns(sides, setup)
        info = engine.info
    facts: dict[str, object] = {"model": info.model_id, "runtime": info.runtime, "device": info.device, "precision": str(info.precision)}
    return times, {**facts, "cuda_graph": _runtime(engine).cuda_graph, "picture": list(setup.size), "notes": list(info.notes)}


def precisions_of(model: str, setup: Setup) -> dict[str, list[float]]:
    """Bare frames a second in FP16 and FP32."""
    with setup.open(model, "fp16") as half, setup.open(model, "fp32") as full:
        runs = {"FP16": bare(half, setup.size), "FP32": bare(full, setup.size)}

        def repeated(once: Callable[[], None]) -> Callable[[int], None]:
            def work(frames: int) -> None:
                for _ in range(frames):
                    once()

            return work

        return in_turns({name: repeated(once) for name, once in runs.items()}, setup)


def report(times: Mapping[str, list[float]], ratios: Mapping[str, tuple[str, str]], setup: Setup) -> dict[str, float]:
    """Prints medians and ratios; the ratios."""
    for name, values in times.items():
        print(f"{name:8} median {statistics.median(values):9.1f} frames/s   best {max(values):9.1f}")
    found = {}
    for name, (side, floor) in ratios.items():
        if side in times:
            found[name] = statistics.median(a / b for a, b in zip(times[side], times[floor], strict=True))
            limit = f", wanted at least {LIMITS[name]}" if name in LIMITS and not setup.on_cpu else ""
            print(f"{name:16} {found[name]:.3f}{limit}")
    return found


def why_not() -> str | None:
    """What is missing for a GPU; None when nothing is."""
    if not gpus():
        return "this program measures on an NVIDIA GPU, and none answers here; --on-cpu shows that it works"
    if importlib.util.find_spec("onnxruntime") is None or importlib.util.find_spec("onnx") is None:
        return 'this program needs onnxruntime-gpu and onnx: pip install "depthbridge[cuda]"'
    import onnxruntime

    if "CUDAExecutionProvider" not in onnxruntime.get_available_providers():
        return 'the installed onnxruntime has no CUDA provider: uninstall it, then pip install "depthbridge[cuda]"'
    return None


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("model", nargs="?", default="depthbridge-mini", help="catalogue id or ONNX file")
    parser.add_argument("--large", help="ONNX file whose FP16 and FP32 are compared")
    parser.add_argument("--size", default="1280x720", help="of the frames")
    parser.add_argument("--frames", type=int, default=200, help="in a turn")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--on-cpu", action="store_true", help="the same code on the CPU, with small sizes: its figures mean nothing")
    chosen = parser.parse_args()
    if not chosen.on_cpu and (missing := why_not()) is not None:
        print(f"gpu_frames: {missing}", file=sys.stderr)
        return 2
    width, height = (int(side) for side in ("192x108" if chosen.on_cpu else chosen.size).split("x"))
    frames, rounds = (3, 2) if chosen.on_cpu else (chosen.frames, chosen.rounds)
    setup = Setup(str(chosen.model), (width, height), frames, rounds, chosen.on_cpu)
    resolve(Path(setup.model) if setup.model.endswith(".onnx") else setup.model)  # unknown: said before anything is started
    times, facts = frames_of(setup)
    device = ", ".join(str(gpu) for gpu in gpus()) or "no GPU"
    print(f"{device}; " + ", ".join(f"{name} {value}" for name, value in facts.items()))
    ratios = {"stream / bare": ("stream", "bare"), "loop / bare": ("loop", "bare"), "bridge / bare": ("bridge", "bare")}
    found = report(times, ratios, setup)
    if chosen.large is not None:
        found |= report(precisions_of(chosen.large, setup), {"FP16 / FP32": ("FP16", "FP32")}, setup)
    print(json.dumps({**facts, "gpu": device, "ratios": {name: round(value, 4) for name, value in found.items()}}))
    return 0 if chosen.on_cpu else int(any(found[name] < limit for name, limit in LIMITS.items() if name in found))


if __name__ == "__main__":
    sys.exit(main())
