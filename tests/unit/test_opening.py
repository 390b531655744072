# SPDX-License-Identifier: Apache-2.0
"""Which ways there are to run a model here, what a wish allows of them, and what is said when nothing is left. This machine has no graphics card."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from depthbridge.engines.cancel import CancelToken
from depthbridge.engines.engine import DepthEngine
from depthbridge.engines.errors import CancelledError, RuntimeUnavailableError
from depthbridge.engines.prepared.engine_cache import EngineCache
from depthbridge.engines.runtimes import opening
from depthbridge.engines.runtimes.hardware import gpus
from depthbridge.engines.runtimes.onnx_runtime import OnnxRuntime
from depthbridge.engines.runtimes.opening import candidates, installed_targets, missing_targets, open_target
from depthbridge.engines.runtimes.targets import ENVIRONMENT_VARIABLE, Precision, RuntimeName, Target, Wish, untried
from support import onnx_models as models

MINI = Path(__file__).parents[2] / "models" / "depthbridge-mini.onnx"
ONNXRUNTIME = Target(RuntimeName.ONNXRUNTIME, "cpu", Precision.FP32)
OPENVINO = Target(RuntimeName.OPENVINO, "cpu", Precision.FP32)
GREY = np.full((56, 84, 3), 127, np.uint8)

needs_no_card = pytest.mark.skipif(bool(gpus()), reason="says what there is where no graphics card is")


def in_a_process(program: str, *, absent: tuple[str, ...] = (), environ: dict[str, str] | None = None) -> str:
    """What a program prints in a Python of its own, where some libraries cannot be imported and nothing is in the environment."""
    gone = "import sys\n" + "".join(f"sys.modules[{name!r}] = None\n" for name in absent)
    clean = {name: value for name, value in os.environ.items() if not name.startswith("DEPTHBRIDGE_")}
    done = subprocess.run([sys.executable, "-c", gone + program], capture_output=True, text=True, env={**clean, **(environ or {})})
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


# ---- wishes -----------------------------------------------------------------------------------------------------------


@given(
    device=st.sampled_from([None, "cpu", "cuda:0", "cuda:3", "directml:0", "coreml"]),
    runtime=st.sampled_from([None, *RuntimeName]),
    precision=st.sampled_from([None, *Precision]),
    suffix=st.sampled_from([".onnx", ".engine", ".PLAN"]),
)
def test_what_comes_is_installed_and_asked_for_or_a_sentence_says_why_not(
    device: str | None, runtime: RuntimeName | None, precision: Precision | None, suffix: str
) -> None:
    path, wish = Path("model" + suffix), Wish(device, runtime, precision)
    try:
        found = candidates(path, wish)
    except RuntimeUnavailableError as error:
        assert any(word in str(error) for word in ("use ", "install ")) and str(error).endswith("."), str(error)
        assert "None" not in str(error)
        assert precision is None or not [target for target in installed_targets(path) if wish.allows(target)]
        return
    assert found and set(found) <= set(installed_targets(path))
    assert all(wish.allows(target) for target in found)
    assert len(set(found)) == len(found)
    assert precision is Precision.INT8 or all(target.precision is not Precision.INT8 for target in found)


@needs_no_card
def test_the_processor_has_its_runtimes_and_auto_takes_each_at_its_fastest() -> None:
    there = installed_targets(MINI)
    assert ONNXRUNTIME in there and OPENVINO in there
    auto = candidates(MINI, Wish())
    assert ONNXRUNTIME in auto
    assert len([target for target in auto if target.runtime is RuntimeName.OPENVINO]) == 1, "FP32 beside BF16 is compiled for nothing"
    assert candidates(MINI, Wish(precision=Precision.FP32, runtime=RuntimeName.OPENVINO)) == [OPENVINO]
    assert {target.precision for target in candidates(MINI, Wish(precision=Precision.INT8))} == {Precision.INT8}


def test_the_environment_says_what_auto_means_and_a_word_beats_it(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    path = models.da2_relative(tmp_path / "m.onnx")
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, "OpenVINO")
    with DepthEngine.open(path, precision="fp32") as engine:
        assert engine.info.runtime.startswith("openvino")
    with DepthEngine.open(path, runtime="onnxruntime") as engine:
        assert engine.info.runtime.startswith("onnxruntime")
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, "tensorflow")
    with pytest.raises(RuntimeUnavailableError, match=r"DEPTHBRIDGE_RUNTIME.*tensorflow.*openvino"):
        DepthEngine.open(path)


@pytest.mark.parametrize(
    ("device", "runtime", "precision", "said"),
    [
        ("tpu", "auto", "auto", r"tpu.*not known.*cuda"),
        ("auto", "torch", "auto", r"torch.*not known.*openvino"),
        ("auto", "auto", "fp8", r"fp8.*not known.*bf16"),
    ],
)
def test_unknown_words_are_named_with_the_known_ones(device: str, runtime: str, precision: str, said: str) -> None:
    with pytest.raises(RuntimeUnavailableError, match=said):
        DepthEngine.open(MINI, device=device, runtime=runtime, precision=precision)


@needs_no_card
@pytest.mark.parametrize(
    ("wish", "said"),
    [
        (Wish("cuda:0"), "no driver for one answers"),
        (Wish(runtime=RuntimeName.TENSORRT), "NVIDIA card"),
        (Wish(runtime=RuntimeName.ONNXRUNTIME_TENSORRT), "NVIDIA card"),
        (Wish(precision=Precision.FP16), "which has .*onnxruntime cpu fp32"),
        (Wish(runtime=RuntimeName.ONNXRUNTIME, precision=Precision.BF16), "any machine: onnxruntime runs on cpu in fp32/int8, on cuda"),
        (Wish("cuda:0", RuntimeName.OPENVINO), "^(?!.*driver).*openvino runs on cpu in fp32/bf16/int8"),
        (Wish("cuda:0", None, Precision.BF16), "cuda runs models in fp32/fp16"),
        (Wish("coreml", RuntimeName.TENSORRT), "tensorrt runs on cuda"),
        (Wish("cuda:0", RuntimeName.ONNXRUNTIME, Precision.FP32), "or use --device cpu"),
        (Wish("cuda:0", RuntimeName.TENSORRT, Precision.FP16), "^(?!.*--device cpu).*or use auto"),
    ],
)
def test_what_cannot_be_had_is_told_with_the_reason(wish: Wish, said: str) -> None:
    with pytest.raises(RuntimeUnavailableError, match=said):
        candidates(MINI, wish)


def test_a_runtime_that_the_environment_named_is_told_as_such(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(ENVIRONMENT_VARIABLE, "OpenVINO")
    with pytest.raises(RuntimeUnavailableError, match=r"openvino fp16 cannot be had.*DEPTHBRIDGE_RUNTIME in the environment that names openvino\.$"):
        DepthEngine.open(MINI, precision="fp16")
    with pytest.raises(RuntimeUnavailableError, match=r"^(?!.*environment)"):
        DepthEngine.open(MINI, runtime="onnxruntime", precision="bf16")


@needs_no_card
def test_an_engine_of_tensorrt_says_what_it_takes() -> None:
    assert installed_targets(Path("x.engine")) == []
    with pytest.raises(RuntimeUnavailableError, match=r"x\.engine is an engine of TensorRT"):
        candidates(Path("x.engine"), Wish())


# ---- what is not there --------------------------------------------------------------------------------------------------

_LOOK = (
    "from pathlib import Path\n"
    "from depthbridge.engines.runtimes.opening import *\n"
    "from depthbridge.engines.runtimes.targets import *\n"
    "from depthbridge.engines.errors import RuntimeUnavailableError\n"
    f"path = Path({str(MINI)!r})\n"
)


def test_without_openvino_its_extra_is_named() -> None:
    program = _LOOK + (
        "print([str(target) for target in candidates(path, Wish())], [(str(each.runtime), each.remedy) for each in missing_targets()])\n"
        "try: candidates(path, Wish(runtime=RuntimeName.OPENVINO))\n"
        "except RuntimeUnavailableError as error: print(error)"
    )
    said = in_a_process(program, absent=("openvino",))
    assert "onnxruntime cpu fp32" in said and said.count("depthbridge[openvino]") == 2


@pytest.mark.parametrize(("absent", "named"), [(("onnx",), "depthbridge[int8]"), (("onnx", "openvino"), "depthbridge[int8]")])
def test_int8_without_onnx_names_the_extra_that_makes_int8(absent: tuple[str, ...], named: str) -> None:
    program = _LOOK + (
        "try: candidates(path, Wish(precision=Precision.INT8))\n"
        "except RuntimeUnavailableError as error: print(error)"
    )  # fmt: skip
    assert named in in_a_process(program, absent=absent)


@needs_no_card
def test_no_library_is_offered_for_what_it_cannot_do() -> None:
    program = _LOOK + (
        "try: candidates(path, Wish(precision=Precision.FP16))\n"
        "except RuntimeUnavailableError as error: print(error)"
    )  # fmt: skip
    assert "pip install" not in in_a_process(program, absent=("openvino", "onnx"))


def test_what_is_installed_is_never_told_to_fit_no_machine() -> None:
    for target in installed_targets(MINI):
        assert target.precision in opening._WAYS[target.runtime][target.device_kind]


def test_no_more_threads_than_the_machine_has() -> None:
    """Hundreds on a few cores wait for each other for minutes."""
    runtime = open_target(MINI, ONNXRUNTIME, threads=4096)
    assert isinstance(runtime, OnnxRuntime)
    assert runtime.session.get_session_options().intra_op_num_threads == os.cpu_count()
    runtime.close()


def test_openvino_alone_is_enough() -> None:
    program = (
        "import numpy as np\nfrom depthbridge.engines.engine import DepthEngine\n"
        "engine = DepthEngine.open(cache=None)\n"
        "print(engine.info.runtime, engine.estimate(np.full((56, 84, 3), 127, np.uint8)).values.shape)"
    )
    assert in_a_process(program, absent=("onnxruntime",)).startswith("openvino")


def test_with_nothing_installed_looking_never_fails_and_opening_says_what_to_install() -> None:
    program = _LOOK + (
        "from depthbridge.engines.engine import DepthEngine\n"
        "print(installed_targets(path), sorted(str(each.runtime) for each in missing_targets() if each.device == 'cpu'))\n"
        "try: DepthEngine.open()\n"
        "except RuntimeUnavailableError as error: print(error)"
    )
    said = in_a_process(program, absent=("onnxruntime", "openvino", "onnx", "tensorrt"))
    assert said.startswith("[] ['onnxruntime', 'openvino']") and "onnxruntime is not there: install" in said


@needs_no_card
def test_what_is_installed_is_not_missing() -> None:
    missing = {(each.runtime, each.device) for each in missing_targets()}
    assert not missing & {(target.runtime, target.device_kind) for target in installed_targets(MINI)}


# ---- little is loaded ---------------------------------------------------------------------------------------------------


@needs_no_card
@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere onnxruntime itself is asked what it has")
def test_looking_loads_no_library() -> None:
    program = _LOOK + (
        "import sys\ninstalled_targets(path); missing_targets(); candidates(path, Wish())\n"
        "print([name for name in ('onnxruntime', 'openvino', 'onnx', 'tensorrt', 'psutil') if name in sys.modules])"
    )
    assert in_a_process(program) == "[]"


def test_one_candidate_loads_nothing_else_and_measures_nothing() -> None:
    """As in Blender's extension, which has neither the other libraries nor a cache folder."""
    program = (
        "import sys, numpy as np\nfrom depthbridge.engines.engine import DepthEngine\n"
        "with DepthEngine.open() as engine:\n"
        "    engine.estimate(np.full((56, 84, 3), 127, np.uint8))\n"
        "    print(engine.info.runtime.split()[0], engine.info.notes, [name for name in sys.modules if name.endswith('.tuning.choice')])"
    )
    absent = ("openvino", "onnx", "psutil", "platformdirs", "click", "rich")
    assert in_a_process(program, absent=absent) == "onnxruntime () []"


# ---- opening --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("target", [ONNXRUNTIME, OPENVINO], ids=str)
def test_a_target_opens_as_what_it_is(target: Target, tmp_path: Path) -> None:
    runtime = open_target(models.da2_relative(tmp_path / "m.onnx"), target, threads=1, cache=EngineCache(tmp_path / "cache"))
    assert (runtime.name.split()[0], runtime.device, runtime.precision) == (target.runtime, target.device, target.precision)
    runtime.close()


@pytest.mark.parametrize("target", [ONNXRUNTIME, OPENVINO], ids=str)
def test_a_cancelled_opening_opens_nothing(target: Target, tmp_path: Path) -> None:
    token = CancelToken()
    token.cancel()
    with pytest.raises(CancelledError):
        open_target(models.da2_relative(tmp_path / "m.onnx"), target, cancel=token)


def test_the_fastest_of_several_is_measured_and_remembered(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.delenv(ENVIRONMENT_VARIABLE)
    cache, openings = EngineCache(tmp_path / "cache"), list[list[str]]()
    for _ in range(5):  # a busy machine leaves a measurement open, which is repeated a few times
        openings.append([])
        with DepthEngine.open(MINI, device="cpu", cache=cache, progress=openings[-1].append) as engine:
            engine.estimate(GREY)
    assert any("easuring" in line for line in openings[0]) and openings[-1] == [], openings


def test_untried_targets_say_so_and_those_of_the_processor_do_not() -> None:
    for target in installed_targets(MINI):
        if target.device == "cpu":
            assert untried(target) is None
    for runtime, device in [
        (RuntimeName.TENSORRT, "cuda:0"),
        (RuntimeName.ONNXRUNTIME_TENSORRT, "cuda:0"),
        (RuntimeName.ONNXRUNTIME, "cuda:0"),
        (RuntimeName.ONNXRUNTIME, "directml:0"),
        (RuntimeName.ONNXRUNTIME, "coreml"),
    ]:
        assert "never executed" in (untried(Target(runtime, device, Precision.FP16)) or "")
