# SPDX-License-Identifier: Apache-2.0
"""How long a new program takes to its first depth, and how much memory it takes: a program of its own is started to find out."""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import threading
import time
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from ..runtimes.targets import Target

_MORE_FRAMES = 4
_TIMEOUT_S = 1800.0  # the first opening of a large model may compile it


@dataclass(frozen=True, slots=True)
class FirstFrame:
    """``seconds``: from the start of the program to its first depth map, of which ``open_s`` opened the model; ``memory_mb``: by how much
    opening and a few frames raised its memory at most (resident, 10^6 bytes). ``error``: why there are none of these."""

    seconds: float | None
    open_s: float | None
    memory_mb: float | None
    error: str | None = None


def first_frame(
    model: str, target: Target | None, size: tuple[int, int], threads: int | None = None, models_dir: Path | None = None
) -> FirstFrame:
    """Starts a Python that opens ``model`` on ``target`` (None: on what is chosen for it) and estimates a picture of ``size``."""
    words = ("auto", "auto", "auto") if target is None else (target.device, str(target.runtime), str(target.precision))
    task = {"model": model, "words": words, "size": size, "threads": threads, "models_dir": None if models_dir is None else str(models_dir)}
    started = time.perf_counter()
    command = [sys.executable, "-m", __name__, json.dumps(task)]
    with tempfile.TemporaryFile("w+", encoding="utf-8", errors="replace") as errors:
        with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors, text=True, encoding="utf-8") as process:
            assert process.stdout is not None
            patience = threading.Timer(_TIMEOUT_S, process.kill)
            patience.start()
            try:
                first = process.stdout.readline()
                seconds = time.perf_counter() - started
                rest = process.stdout.read()
            except BaseException:
                process.kill()
                raise
            finally:
                patience.cancel()
        errors.seek(0)
        said = errors.read().strip().splitlines()
    if process.returncode != 0 or not rest:
        return FirstFrame(None, None, None, said[-1] if said else f"it ended with status {process.returncode}")
    return FirstFrame(seconds, json.loads(first)["open_s"], json.loads(rest)["memory_mb"])


def _work(task: str, out: IO[str]) -> None:
    """The program's own part: a line once the first depth is there, another with its memory."""
    from ..engine import DepthEngine
    from .trial import sample_picture

    told = json.loads(task)
    picture = sample_picture(*told["size"])
    device, runtime, precision = told["words"]
    before = memory_bytes()
    started = time.perf_counter()
    models_dir = None if told["models_dir"] is None else Path(told["models_dir"])
    with DepthEngine.open(
        told["model"], device=device, runtime=runtime, precision=precision, threads=told["threads"], models_dir=models_dir
    ) as engine:
        opened = time.perf_counter() - started
        engine.estimate(picture)
        print(json.dumps({"open_s": opened}), file=out, flush=True)
        for _ in range(_MORE_FRAMES):
            engine.estimate(picture)
        print(json.dumps({"memory_mb": max(0, peak_memory_bytes() - before) / 1e6}), file=out, flush=True)


def memory_bytes() -> int:
    """Resident memory of this process now."""
    import psutil

    return int(psutil.Process().memory_info().rss)


def peak_memory_bytes() -> int:
    """The most resident memory this process ever had."""
    status = Path("/proc/self/status")
    if status.exists():  # Linux's getrusage counts what the parent had when it forked
        for line in status.read_text(encoding="utf-8").splitlines():
            if line.startswith("VmHWM:"):
                return int(line.split()[1]) * 1024
    import psutil

    info = psutil.Process().memory_info()
    if hasattr(info, "peak_wset"):
        return int(info.peak_wset)
    import resource

    return int(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss)  # bytes on macOS


if __name__ == "__main__":
    _work(sys.argv[1], sys.stdout)
