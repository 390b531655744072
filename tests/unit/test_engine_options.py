# SPDX-License-Identifier: Apache-2.0
"""The options by which commands are told what runs a model."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from depthbridge.cli.engine_options import EngineOptions, open_engine
from depthbridge.engines.errors import RuntimeUnavailableError
from depthbridge.engines.runtimes.targets import ENVIRONMENT_VARIABLE, Precision, RuntimeName, Wish

PICTURE = Path(__file__).parents[2] / "models" / "samples" / "room.jpg"


def depthbridge(*words: object) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "depthbridge.cli.main", *map(str, words)], capture_output=True, text=True, timeout=120)


@pytest.mark.parametrize("command", ["estimate", "annotate", "serve", "demo"])
def test_every_command_that_runs_a_model_takes_them(command: str) -> None:
    said = depthbridge(command, "--help").stdout
    assert all(option in said for option in ("--device", "--runtime", "--precision", "--threads"))
    assert all(word in said for word in ("openvino", "tensorrt", "bf16"))


def test_words_become_a_wish(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(ENVIRONMENT_VARIABLE, raising=False)
    assert EngineOptions().wish == Wish()
    assert EngineOptions("CUDA:1", "OpenVINO", "fp16").wish == Wish("cuda:1", RuntimeName.OPENVINO, Precision.FP16)
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, "openvino")
    assert EngineOptions().wish == Wish(runtime=RuntimeName.OPENVINO)
    assert EngineOptions(runtime="onnxruntime").wish == Wish(runtime=RuntimeName.ONNXRUNTIME)


@pytest.mark.parametrize("runtime", ["onnxruntime", "openvino"])
def test_the_engine_is_the_one_asked_for(runtime: str) -> None:
    with open_engine("depthbridge-mini", EngineOptions("cpu", runtime, "fp32", threads=1)) as engine:
        info = engine.info
    assert (info.runtime.split()[0], info.device, info.precision) == (runtime, "cpu", Precision.FP32)


def test_a_picture_is_estimated_on_the_runtime_asked_for(tmp_path: Path) -> None:
    """Both answer alike, and stdout is JSON alone whatever is compiled."""
    medians = []
    for runtime in ("onnxruntime", "openvino"):
        done = depthbridge("estimate", PICTURE, "--out", tmp_path / runtime, "--runtime", runtime, "--precision", "fp32", "--fov-v", 50)
        assert done.returncode == 0, done.stderr
        medians.append(json.loads(done.stdout)["median"])
    assert medians[0] == pytest.approx(medians[1], rel=1e-3)


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--runtime", "torch"], "torch"),
        (["--precision", "fp8"], "fp8"),
        (["--runtime", "onnxruntime", "--precision", "bf16"], "onnxruntime bf16 cannot be had"),
    ],
)
def test_what_cannot_be_is_one_line(words: list[str], said: str, tmp_path: Path) -> None:
    done = depthbridge("estimate", PICTURE, "--out", tmp_path / "out", *words)
    assert done.returncode == 2 and said in done.stderr and "Traceback" not in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1 and not (tmp_path / "out").exists()


def test_what_is_not_known_is_told_before_a_model_is_looked_for() -> None:
    with pytest.raises(RuntimeUnavailableError, match="torch"):
        open_engine("no-such-model", EngineOptions(runtime="torch"))


@pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
def test_a_second_ctrl_c_ends_the_program_at_once_and_without_a_traceback() -> None:
    """The first waits for threads that cannot be interrupted."""
    program = (
        "import threading, time\nfrom depthbridge.cli import main\n"
        "def interrupted(**_): raise KeyboardInterrupt\n"
        "main.cli.main = interrupted\n"
        "threading.Thread(target=time.sleep, args=(100,)).start()\n"
        "main.main()"
    )
    running = subprocess.Popen([sys.executable, "-c", program], stderr=subprocess.PIPE, text=True)
    assert running.stderr is not None and "stopped" in running.stderr.readline()
    time.sleep(0.5)
    running.send_signal(signal.SIGINT)
    _, rest = running.communicate(timeout=30)
    assert rest == "" and running.returncode == -signal.SIGINT
