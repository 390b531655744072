# SPDX-License-Identifier: Apache-2.0
"""``depthbridge doctor`` as a user runs it: another process, with what is installed here, with nothing, and with what is broken."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from depthbridge.engines.engine import DepthEngine
from depthbridge.engines.prepared.engine_cache import EngineCache
from depthbridge.engines.runtimes.opening import MissingTarget
from depthbridge.engines.runtimes.targets import RuntimeName
from depthbridge.engines.tuning.diagnosis import folder_bytes, what_it_brings
from depthbridge.engines.tuning.machine import Processor, processor_features, this_processor
from support import onnx_models as models

# A Python in which none of the libraries is installed.
_NOTHING = (
    "import importlib.util, sys\n"
    "gone = {'onnxruntime', 'openvino', 'tensorrt', 'onnx'}\n"
    "real = importlib.util.find_spec\n"
    "importlib.util.find_spec = lambda name, package=None: None if name.split('.')[0] in gone else real(name, package)\n"
    "class Finder:\n"
    "    def find_spec(self, name, path=None, target=None):\n"
    "        if name.split('.')[0] in gone:\n"
    "            raise ModuleNotFoundError(f'No module named {name!r}', name=name)\n"
    "sys.meta_path.insert(0, Finder())\n"
    "from depthbridge.cli.main import main; main()\n"
)


def run(*arguments: object, cache: Path, path: Path | None = None, code: str | None = None, **environment: str) -> subprocess.CompletedProcess[str]:
    """``path``: a folder that Python looks into first."""
    settings = os.environ | {"DEPTHBRIDGE_CACHE": str(cache), "COLUMNS": "140"} | environment
    if "DEPTHBRIDGE_RUNTIME" not in environment:
        settings.pop("DEPTHBRIDGE_RUNTIME", None)
    if path is not None:
        settings["PYTHONPATH"] = os.pathsep.join([str(path), os.environ.get("PYTHONPATH", "")])
    python = ["-m", "depthbridge.cli.main"] if code is None else ["-c", code]
    done = subprocess.run([sys.executable, *python, "doctor", *map(str, arguments)], capture_output=True, text=True, env=settings, timeout=200)
    assert "Traceback" not in done.stderr, done.stderr
    return done


def facts(*arguments: object, status: int = 0, **options: Any) -> dict[str, Any]:
    done = run(*arguments, "--json", **options)
    assert done.returncode == status, done
    found = json.loads(done.stdout)
    assert isinstance(found, dict)
    return found


@pytest.fixture
def model(tmp_path: Path) -> Path:
    return models.da2_relative(tmp_path / "depth_anything_v2_vits.onnx", shape=(42, 56))


def test_what_is_here_is_told(tmp_path: Path, model: Path) -> None:
    import onnxruntime

    done = run("--model", model, cache=tmp_path / "cache")
    assert done.returncode == 0
    for expected in (this_processor().name, f"onnxruntime {onnxruntime.__version__}", "onnxruntime cpu fp32", str(tmp_path / "cache"), "--measure"):
        assert expected in done.stdout
    found = facts("--model", model, cache=tmp_path / "cache")
    assert found["libraries"]["onnxruntime"] == onnxruntime.__version__
    assert {"runtime": "onnxruntime", "device": "cpu", "precision": "fp32"} in found["targets"]
    assert found["broken"] == {} and found["model"]["auto"] is None and found["cache"] == {"folder": str(tmp_path / "cache"), "bytes": 0}
    assert not (tmp_path / "cache" / "choices.json").exists()  # looking measures nothing


def test_the_table_is_what_was_measured(tmp_path: Path, model: Path) -> None:
    done = run("--model", model, "--measure", cache=tmp_path / "cache")
    assert done.returncode == 0 and "Measuring" in done.stderr
    kept = json.loads((tmp_path / "cache" / "choices.json").read_text())[0]["measured"]
    found = facts("--model", model, cache=tmp_path / "cache")["model"]
    told = ("runtime", "device", "precision", "median_ms", "first_ms")
    assert found["measured"] == [{name: each[name] for name in told} for each in kept]
    assert found["auto"] == {name: kept[0][name] for name in ("runtime", "device", "precision")} and "measured on" in found["reason"]
    shown = run("--model", model, cache=tmp_path / "cache").stdout
    assert f"`auto` is {kept[0]['runtime']} {kept[0]['device']} {kept[0]['precision']}" in shown
    assert all(f"{each['median_ms']:.1f}" in shown for each in kept) and "of fastest" in shown


def test_a_measurement_that_could_not_tell_the_fastest_is_told_as_such(tmp_path: Path, model: Path) -> None:
    run("--model", model, "--measure", cache=tmp_path / "cache")
    kept = tmp_path / "cache" / "choices.json"
    notes = json.loads(kept.read_text())
    for settled in (True, False):
        kept.write_text(json.dumps([notes[0] | {"settled": settled}, *notes[1:]]))
        assert ("too busy" in run("--model", model, cache=tmp_path / "cache").stdout) is not settled


def test_what_doctor_says_is_what_an_engine_does(tmp_path: Path, model: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DEPTHBRIDGE_RUNTIME")
    with DepthEngine.open(model, cache=EngineCache(tmp_path / "cache")) as engine:
        opened = engine.info
    auto = facts("--model", model, cache=tmp_path / "cache")["model"]["auto"]
    assert opened.runtime.startswith(auto["runtime"]) and (opened.device, opened.precision) == (auto["device"], auto["precision"])


def test_the_environment_decides_what_auto_is(tmp_path: Path) -> None:
    found = facts(cache=tmp_path / "cache", DEPTHBRIDGE_RUNTIME="onnxruntime")
    assert found["model"]["auto"]["runtime"] == "onnxruntime" and "only one" in found["model"]["reason"]
    assert found["environment"]["DEPTHBRIDGE_RUNTIME"] == "onnxruntime"
    done = run(cache=tmp_path / "cache", DEPTHBRIDGE_RUNTIME="abacus")
    assert done.returncode == 2 and "abacus" in done.stdout


def test_secrets_of_the_environment_are_not_shown(tmp_path: Path) -> None:
    assert "hidden-word" not in run(cache=tmp_path / "cache", DEPTHBRIDGE_TOKEN="hidden-word").stdout


def test_with_nothing_installed_it_says_what_to_install(tmp_path: Path) -> None:
    done = run(cache=tmp_path / "cache", code=_NOTHING)
    assert done.returncode == 2, done
    assert 'pip install "depthbridge[cpu]"' in done.stdout and "What to install" in done.stdout
    found = facts(cache=tmp_path / "cache", code=_NOTHING, status=2)
    assert found["targets"] == [] and {each["runtime"] for each in found["faster"]} >= {"onnxruntime", "openvino"}


def test_a_broken_library_is_named_with_its_reason_and_others_are_used(tmp_path: Path, model: Path) -> None:
    broken = tmp_path / "site" / "openvino"
    broken.mkdir(parents=True)
    (broken / "__init__.py").write_text("raise ImportError('libtbb.so.12: cannot open shared object file\\nand a second line')\n")
    found = facts("--model", model, cache=tmp_path / "cache", path=tmp_path / "site")
    assert found["broken"] == {"openvino": "libtbb.so.12: cannot open shared object file"}
    assert {each["runtime"] for each in found["targets"]} == {"onnxruntime"} and found["model"]["auto"]["runtime"] == "onnxruntime"
    shown = run("--model", model, cache=tmp_path / "cache", path=tmp_path / "site").stdout
    assert "openvino is installed but does not load: libtbb.so.12: cannot open shared object file" in shown and "second line" not in shown
    assert "pip install --force-reinstall openvino" in shown


def test_when_everything_is_broken_the_status_says_so(tmp_path: Path) -> None:
    for name in ("openvino", "onnxruntime"):
        (tmp_path / "site" / name).mkdir(parents=True)
        (tmp_path / "site" / name / "__init__.py").write_text("import a_part_that_is_missing\n")
    found = facts(cache=tmp_path / "cache", path=tmp_path / "site", status=2)
    assert set(found["broken"]) == {"openvino", "onnxruntime"} and found["targets"] == []


def test_two_builds_of_onnx_runtime_are_a_known_trouble(tmp_path: Path) -> None:
    record = tmp_path / "site" / "onnxruntime_gpu-1.21.0.dist-info"
    record.mkdir(parents=True)
    (record / "METADATA").write_text("Metadata-Version: 2.1\nName: onnxruntime-gpu\nVersion: 1.21.0\n")
    done = run(cache=tmp_path / "cache", path=tmp_path / "site")
    assert done.returncode == 0 and "onnxruntime and onnxruntime-gpu are both installed" in done.stdout


def test_a_model_that_cannot_be_used_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "broken.onnx").write_bytes(b"\x00" * 100)
    for model in ("no-such-model", tmp_path / "missing.onnx", tmp_path / "broken.onnx"):
        done = run("--model", model, cache=tmp_path / "cache")
        assert done.returncode == 2 and Path(str(model)).name in done.stdout


def test_what_would_be_faster_depends_on_the_processor() -> None:
    openvino = MissingTarget(RuntimeName.OPENVINO, "cpu", 'pip install "depthbridge[openvino]".')
    has, lacks, unknown = (Processor("P", 2, features) for features in (("AVX512", "BF16"), ("AVX2",), None))
    assert "twice as fast" in what_it_brings(openvino, has) and "only OpenVINO" in what_it_brings(openvino, has)
    assert "no BF16" in what_it_brings(openvino, lacks) and "does not say" in what_it_brings(openvino, unknown)


def test_the_processor_is_the_systems() -> None:
    assert this_processor().threads >= 1 and this_processor().name
    if sys.platform == "linux":
        features, flags = processor_features(), Path("/proc/cpuinfo").read_text()
        assert features is not None
        assert ("BF16" in features) == (" avx512_bf16" in flags or " bf16" in flags) and ("AVX512" in features) == (" avx512f" in flags)


def test_the_size_of_a_folder_counts_what_lies_below(tmp_path: Path) -> None:
    assert folder_bytes(tmp_path / "none") == 0
    (tmp_path / "a" / "b").mkdir(parents=True)
    (tmp_path / "a" / "one").write_bytes(bytes(10))
    (tmp_path / "a" / "b" / "two").write_bytes(bytes(5))
    assert folder_bytes(tmp_path) == 15


def test_nobody_is_told_what_runs_here(tmp_path: Path, model: Path) -> None:
    """openvino's telemetry forks a process that asks for a host of Google's; neither happens, and whoever imports the package later has it."""
    program = (
        "import sys, os\n"
        "def watch(event, arguments):\n"
        "    if event in ('os.fork', 'os.posix_spawn', 'socket.getaddrinfo', 'socket.connect'):\n"
        "        os.write(2, f'REFUSED {event}'.encode()); os._exit(3)\n"
        "sys.addaudithook(watch)\n"
        "from depthbridge.cli.main import main\n"
        "try:\n"
        "    main()\n"
        "finally:\n"
        "    import openvino_telemetry\n"
    )
    done = run("--model", model, "--measure", cache=tmp_path / "cache", code=program)
    assert done.returncode == 0, done
    assert "openvino cpu" in done.stdout
