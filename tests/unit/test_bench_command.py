# SPDX-License-Identifier: Apache-2.0
"""``depthbridge bench``: what it measures is consistent with itself, and what it cannot measure is said. No time is compared with a limit."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from depthbridge.engines.errors import RuntimeUnavailableError
from depthbridge.engines.recognise import recognise
from depthbridge.engines.runtimes.targets import Precision, RuntimeName, Target
from depthbridge.engines.tuning.benchmark import Workload, network_size, run_benchmark, wanted_targets
from depthbridge.engines.tuning.first_frame import first_frame, memory_bytes, peak_memory_bytes
from support import onnx_models as models

ONNX = Target(RuntimeName.ONNXRUNTIME, "cpu", Precision.FP32)
ABSENT = Target(RuntimeName.ONNXRUNTIME, "cuda:7", Precision.FP32)


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return models.da2_relative(tmp_path / "depth_anything_v2_vits.onnx", shape=(42, 56))


def workload(path: Path, frames: int = 3) -> Workload:
    known = recognise(path)
    return Workload(str(path), path, known, known.spec.input, (64, 48), frames)


def run(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "depthbridge.cli.main", "bench", *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | {"COLUMNS": "200"}, timeout=250)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def consistent(target: dict[str, Any]) -> None:
    parts = [target[name] for name in ("preprocess_ms", "infer_ms", "postprocess_ms", "total_ms", "bare_ms")]
    assert all(part > 0 for part in parts)
    assert target["frames_per_s"] == pytest.approx(1e3 / target["total_ms"])
    assert target["overhead"] == pytest.approx(target["total_ms"] / target["bare_ms"])


# ---- the command ----------------------------------------------------------------------------------------------------


def test_every_runtime_is_measured_and_told_as_table_and_as_json(tmp_path: Path, model: Path) -> None:
    done = run("--model", model, "--size", "64x48", "--frames", 3, "--json", tmp_path / "bench.json")
    assert done.returncode == 0, done
    found = json.loads((tmp_path / "bench.json").read_text())
    assert {(each["runtime"], each["device"]) for each in found["targets"]} == {("onnxruntime", "cpu"), ("openvino", "cpu")}
    assert found["picture"] == [64, 48] and found["rounds"] == 3 and found["failed"] == []
    totals = [each["total_ms"] for each in found["targets"]]
    assert totals == sorted(totals)
    for each in found["targets"]:
        consistent(each)
        assert each["network_input"] == [56, 42] and each["precision"] in ("fp32", "bf16")
        assert 0 < each["open_s"] < each["first_frame_s"] and each["memory_mb"] > 0 and each["first_frame_error"] is None
        (line,) = [line for line in done.stdout.splitlines() if line.startswith(f"{each['library']} {each['device']} {each['precision']}")]
        assert f"{each['overhead']:.3f} x" in line and f"{each['total_ms']:.2f}" in line


def test_json_alone_on_stdout(model: Path) -> None:
    done = run("--model", model, "--size", "64x48", "--frames", 3, "--runtime", "onnxruntime", "--no-first-frame", "--json", "-")
    assert done.returncode == 0
    (only,) = json.loads(done.stdout)["targets"]
    consistent(only)
    assert only["runtime"] == "onnxruntime" and only["first_frame_s"] is None


def test_what_is_not_installed_is_refused_with_the_remedy(model: Path) -> None:
    for words, expected in ((("--runtime", "tensorrt"), "tensorrt"), (("--device", "cuda"), "NVIDIA"), (("--runtime", "abacus"), "abacus")):
        done = run("--model", model, *words)
        assert done.returncode == 2 and done.stderr.count("\n") == 1 and expected in done.stderr and done.stdout == ""


def test_bad_words_are_refused_before_anything_is_measured(tmp_path: Path, model: Path) -> None:
    for words in (("--size", "big"), ("--size", "0x100"), ("--size", "99999x99999"), ("--frames", 1), ("--runtime", ","), ("--threads", 0)):
        assert run("--model", model, *words).returncode == 2
    (tmp_path / "mine.json").write_text("mine")
    done = run("--model", model, "--json", tmp_path / "mine.json")
    assert done.returncode == 2 and "exists already" in done.stderr and "opening" not in done.stderr
    assert (tmp_path / "mine.json").read_text() == "mine"
    done = run("--model", model, "--json", tmp_path / "missing" / "b.json")
    assert done.returncode == 2 and "does not exist" in done.stderr and "opening" not in done.stderr
    assert run("--model", tmp_path / "none.onnx").returncode == 2


# ---- what it measures -----------------------------------------------------------------------------------------------


def test_the_words_of_a_command_line_are_targets(model: Path) -> None:
    everything = wanted_targets(model, ["all"])
    assert ONNX in everything and len({each.runtime for each in everything}) == 2
    assert all(each.precision is not Precision.INT8 for each in everything)  # it loses depth: only by name
    assert wanted_targets(model, ["onnxruntime"]) == [ONNX]
    assert set(wanted_targets(model, ["onnxruntime", "openvino"], precision="fp32")) == {each for each in everything if each.precision is Precision.FP32}
    assert {each.precision for each in wanted_targets(model, ["all"], precision="fp32")} == {Precision.FP32}
    assert len(wanted_targets(model, ["all", "onnxruntime"])) == len(everything)
    with pytest.raises(RuntimeUnavailableError, match="tensorrt"):
        wanted_targets(model, ["onnxruntime", "tensorrt"])


def test_a_target_that_fails_is_named_and_the_others_are_measured(model: Path) -> None:
    report = run_benchmark(workload(model), [ABSENT, ONNX], cache=None, fresh=False)
    assert [each.target for each in report.targets] == [ONNX]
    ((target, reason),) = report.failed
    assert target == ABSENT and reason
    with pytest.raises(RuntimeUnavailableError, match="cuda:7"):
        run_benchmark(workload(model), [ABSENT], cache=None, fresh=False)


def test_a_falsely_dynamic_graph_is_measured_at_the_size_it_runs_at(tmp_path: Path) -> None:
    work = workload(models.runs_only_at(tmp_path / "v2.onnx", 280, 504))
    (only,) = run_benchmark(work, [ONNX], cache=None, fresh=False).targets
    assert only.network_size == (504, 280) != network_size(work) and any("calls its input size dynamic" in note for note in only.notes)


def test_stages_are_parts_of_the_whole(model: Path) -> None:
    (only,) = run_benchmark(workload(model, frames=9), [ONNX], cache=None, fresh=False).targets
    parts = only.preprocess_ms + only.infer_ms + only.postprocess_ms
    assert parts <= only.total_ms * 1.5  # medians of parts; no stage is counted twice
    assert only.network_size == (56, 42) == network_size(workload(model))


# ---- a program of its own -------------------------------------------------------------------------------------------


def test_a_new_program_tells_its_first_frame_and_memory(model: Path) -> None:
    found = first_frame(str(model), ONNX, (64, 48), threads=1)
    assert found.error is None and found.seconds is not None and found.open_s is not None and found.memory_mb is not None
    assert 0 < found.open_s < found.seconds and 0 < found.memory_mb < 4000
    chosen = first_frame(str(model), None, (64, 48))
    assert chosen.error is None


def test_a_new_program_that_fails_says_why_in_a_line(tmp_path: Path, model: Path) -> None:
    found = first_frame(str(model), ABSENT, (64, 48))
    assert found.seconds is None and found.error is not None and "cuda" in found.error and "\n" not in found.error
    found = first_frame(str(tmp_path / "none.onnx"), ONNX, (64, 48))
    assert found.error is not None and "none.onnx" in found.error


def test_memory_is_that_of_the_process(tmp_path: Path) -> None:
    block = bytearray(os.urandom(1)) * 300_000_000
    now = memory_bytes()
    assert now > 300_000_000 and peak_memory_bytes() > 0.99 * now  # the system counts pages in batches
    del block
    code = "from depthbridge.engines.tuning.first_frame import memory_bytes, peak_memory_bytes; print(peak_memory_bytes(), memory_bytes())"
    peak, now = map(int, subprocess.check_output([sys.executable, "-c", code], text=True).split())
    assert peak < 200_000_000 and peak < 2 * now + 50_000_000  # what the parent had does not count
