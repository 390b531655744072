# SPDX-License-Identifier: Apache-2.0
"""Native TensorRT, as far as it goes without the library or a card: sentences, what an engine file is taken for, and how progress is counted."""

from __future__ import annotations

import json
import re
import sys
import threading
import types
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from depthbridge.engines.cancel import CancelToken
from depthbridge.engines.engine import DepthEngine
from depthbridge.engines.engine_files import recognise_engine
from depthbridge.engines.errors import ModelError, RuntimeUnavailableError
from depthbridge.engines.model_import import AddRequest, add_model
from depthbridge.engines.model_spec import Family, InputPolicy
from depthbridge.engines.model_store import resolve
from depthbridge.engines.onnx_graph import TensorInfo, read_onnx_graph
from depthbridge.engines.runtimes.build_progress import BuildProgress
from depthbridge.engines.runtimes.cuda_memory import CudaMemory
from depthbridge.engines.runtimes.hardware import gpus
from depthbridge.engines.runtimes.opening import open_target
from depthbridge.engines.runtimes.shape_ranges import shape_ranges
from depthbridge.engines.runtimes.targets import Precision, RuntimeName, Target
from depthbridge.engines.runtimes.tensorrt_library import import_tensorrt, tensor_info
from depthbridge.engines.runtimes.tensorrt_runtime import profile_name
from depthbridge.engines.sidecar import read_sidecar
from support import onnx_models

_TARGET = Target(RuntimeName.TENSORRT, "cuda:0", Precision.FP32)

# As an engine lists its tensors: in an order of its own, types and dynamic sides in TensorRT's words.
_INPUTS = [tensor_info("image", "FLOAT", (1, 3, 280, 504))]
_OUTPUTS = [tensor_info("sky", "FLOAT", (1, 1, 280, 504)), tensor_info("depth", "FLOAT", (1, 1, 280, 504))]


# ---- sentences ------------------------------------------------------------------------------------------------------------


def test_without_the_library_the_extra_is_named(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setitem(sys.modules, "tensorrt", None)
    with pytest.raises(RuntimeUnavailableError, match="`tensorrt` extra"):
        open_target(onnx_models.da3_single(tmp_path / "model.onnx"), _TARGET)


@pytest.mark.parametrize("version", ["8.6.1", "9.3.0", "12.0"])
def test_a_library_of_another_age_is_refused(version: str, monkeypatch: pytest.MonkeyPatch) -> None:
    library = types.ModuleType("tensorrt")
    library.__version__ = version  # type: ignore[attr-defined]
    monkeypatch.setitem(sys.modules, "tensorrt", library)
    with pytest.raises(RuntimeUnavailableError, match=rf"{re.escape(version)} .*10\.x or 11\.x"):
        import_tensorrt()


def test_an_engine_without_a_card_says_what_it_takes(tmp_path: Path) -> None:
    if gpus():
        pytest.skip("there is a card here")
    engine = tmp_path / "da3metric-large.engine"
    engine.write_bytes(b"ftrt")
    with pytest.raises(RuntimeUnavailableError, match=r"da3metric-large\.engine .*NVIDIA card.*`tensorrt` extra"):
        DepthEngine.open(engine)
    with pytest.raises(RuntimeUnavailableError, match="driver"):
        CudaMemory(0)


def test_an_engine_is_named_like_a_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("x.engine", "x.plan", "X.ENGINE"):
        with pytest.raises(ModelError, match="does not exist"):
            resolve(name, tmp_path)
        (tmp_path / name).write_bytes(b"ftrt")
        assert resolve(name, tmp_path).path == Path(name)


def test_an_engine_is_not_added_as_a_model(tmp_path: Path) -> None:
    engine = tmp_path / "x.engine"
    engine.write_bytes(b"ftrt")
    with pytest.raises(ModelError, match=r"x\.engine is an engine of TensorRT.*opened by its path"):
        add_model(AddRequest(engine), tmp_path / "store")
    assert not (tmp_path / "store").exists()


# ---- what it is taken for -------------------------------------------------------------------------------------------------


def test_an_engines_tensors_read_as_those_of_its_onnx_file(tmp_path: Path) -> None:
    graph = read_onnx_graph(onnx_models.da2_relative(tmp_path / "model.onnx", dtype=onnx_models.HALF, shape=("height", "width")))
    assert tensor_info("pixel_values", "HALF", (-1, 3, -1, -1)) == graph.inputs[0]
    assert tensor_info("predicted_depth", "HALF", (-1, -1, -1)) == graph.outputs[0]
    assert tensor_info("x", "UINT8", (1, -1, -1, 3)) == TensorInfo("x", "uint8", (1, None, None, 3))


def test_a_name_tells_the_family_and_outputs_are_bound_by_theirs() -> None:
    found = recognise_engine(Path("DA3METRIC-LARGE.fp16-batch1.engine"), _INPUTS, _OUTPUTS, None)
    assert (found.spec.family, found.spec.canonical_focal_px, found.evidence) == (Family.DA3_METRIC, 300.0, "file name")
    assert found.spec.input == InputPolicy.for_family(Family.DA3_METRIC)
    assert found.signature.depth.name == "depth" and found.signature.sky is not None and found.signature.sky.name == "sky"
    assert (found.signature.height, found.signature.width) == (280, 504)


def test_a_nameless_engine_says_how_to_name_it_and_that_works(tmp_path: Path) -> None:
    path = tmp_path / "model.engine"
    with pytest.raises(ModelError) as caught:
        recognise_engine(path, _INPUTS, _OUTPUTS, None)
    told = re.search(r"write (\{.*?\}) .* into (\S+) beside it", str(caught.value))
    assert told is not None and all(str(family) in str(caught.value) for family in Family if family is not Family.UNKNOWN)
    (tmp_path / told[2]).write_text(told[1])
    found = recognise_engine(path, _INPUTS, _OUTPUTS, read_sidecar(path))
    assert (found.spec.family, found.evidence) == (Family(json.loads(told[1])["family"]), "catalogue or sidecar")


def test_the_sidecar_beats_the_name(tmp_path: Path) -> None:
    path = tmp_path / "da3metric.engine"
    Path(f"{path}.json").write_text('{"family": "da3-mono"}')
    assert recognise_engine(path, _INPUTS, _OUTPUTS, read_sidecar(path)).spec.family is Family.DA3_MONO


def test_an_engine_that_is_no_depth_model_is_refused() -> None:
    with pytest.raises(ModelError, match="no output that is a depth map"):
        recognise_engine(Path("da3metric.engine"), _INPUTS, [tensor_info("scores", "FLOAT", (1000,))], None)
    with pytest.raises(ModelError, match="fixed to batches of 4"):
        recognise_engine(Path("da3metric.engine"), [tensor_info("image", "FLOAT", (4, 3, 280, 504))], _OUTPUTS, None)


def test_the_range_of_shapes_names_an_engine(tmp_path: Path) -> None:
    fixed, dynamic = onnx_models.da3_single(tmp_path / "a.onnx"), onnx_models.da2_relative(tmp_path / "b.onnx")
    assert profile_name(shape_ranges(fixed)) == "as the file says"
    (shapes,) = shape_ranges(dynamic)
    smallest, tuned, largest = profile_name([shapes]).split("..")
    assert smallest == "x".join(map(str, shapes.smallest)) and largest == "x".join(map(str, shapes.largest))
    assert (smallest[:4], tuned, largest[:4]) == ("1x3x", "1x3x518x924", "8x3x")


# ---- progress -------------------------------------------------------------------------------------------------------------

_Tree = tuple[int, tuple["_Tree", ...]]


@st.composite
def phases(draw: st.DrawFn, depth: int = 3) -> _Tree:
    """A phase of so many steps, with a phase inside each of the first few of them."""
    steps = draw(st.integers(1, 12))
    inner = draw(st.lists(phases(depth - 1), max_size=min(steps, 3))) if depth else []
    return steps, tuple(inner)


def play(progress: BuildProgress, tree: _Tree, name: str = "build", parent: str | None = None) -> Iterator[None]:
    steps, inner = tree
    progress.phase_start(name, parent, steps)
    yield
    for step in range(steps):
        if step < len(inner):
            yield from play(progress, inner[step], f"{name}.{step}", name)
        assert progress.step_complete(name, step)
        yield
    progress.phase_finish(name)


@given(phases())
def test_progress_rises_from_nothing_to_all(tree: _Tree) -> None:
    told: list[str] = []
    progress = BuildProgress("Building x", told.append, None)
    for _ in play(progress, tree):
        assert 0 <= progress.fraction("build") <= 1
    percents = [int(match[1]) for each in told if (match := re.fullmatch(r"Building x: build, (\d+) %", each))]
    assert len(percents) == len(told)  # the outermost phase speaks for those inside
    assert percents == sorted(set(percents)) and percents[0] == 0 and percents[-1] == 100
    assert all(percent % 10 == 0 for percent in percents)


def test_a_phase_inside_fills_the_step_it_is_in() -> None:
    progress = BuildProgress("x", None, None)
    progress.phase_start("build", None, 4)
    progress.step_complete("build", 0)
    progress.phase_start("tune", "build", 10)
    for step in range(5):
        progress.step_complete("tune", step)
    assert progress.fraction("tune") == 0.5
    assert progress.fraction("build") == pytest.approx(1.5 / 4)
    progress.phase_start("tune beside it", "build", 10)
    assert progress.fraction("build") == pytest.approx(1.25 / 4)


def test_a_cancel_ends_the_build_at_the_next_step() -> None:
    token = CancelToken()
    progress = BuildProgress("x", None, token)
    progress.phase_start("build", None, 4)
    assert progress.step_complete("build", 0)
    token.cancel()
    assert not progress.step_complete("build", 1)
    progress.phase_finish("build")
    assert not progress.step_complete("a phase that never began", 0)


@pytest.fixture
def hasty_threads() -> Iterator[None]:
    """Threads that take turns all the time."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


def test_phases_of_several_threads_do_not_trip_over_each_other(hasty_threads: None) -> None:
    progress, failed = BuildProgress("x", lambda _: None, None), list[BaseException]()
    progress.phase_start("build", None, 400)

    def work(name: str) -> None:
        try:
            for turn in range(40):
                inside = [f"{name} {turn} {place}" for place in range(20)]
                for each in inside:
                    progress.phase_start(each, "build", 2)
                    progress.step_complete(each, 0)
                for each in inside:
                    progress.phase_finish(each)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=work, args=(str(place),)) for place in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failed and progress.fraction("build") == 0
