# SPDX-License-Identifier: Apache-2.0
"""What ONNX Runtime's providers are told, and the shapes that engines are built for. Nobody here has the devices: values are looked at."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from depthbridge.engines.model_spec import Family, InputPolicy
from depthbridge.engines.network import MAX_BATCH
from depthbridge.engines.onnx_graph import TensorInfo
from depthbridge.engines.preprocess import plan_input
from depthbridge.engines.runtimes.provider_options import Kept, Provider, SessionPlan, ShapeRange, session_plan
from depthbridge.engines.runtimes.shape_ranges import ranges_of, shape_ranges
from depthbridge.engines.runtimes.targets import Precision, RuntimeName, Target
from depthbridge.engines.signature import Signature, read_signature
from support import onnx_models as models

RANGE = ShapeRange("image", (1, 3, 112, 112), (1, 3, 280, 504), (8, 3, 518, 518))
KEPT = Kept(Path("/cache/engine"), Path("/cache/timings"))


def target(device: str, precision: Precision = Precision.FP16, runtime: RuntimeName = RuntimeName.ONNXRUNTIME) -> Target:
    return Target(runtime, device, precision)


def options(provider: Provider) -> dict[str, str]:
    return dict(provider.options)


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (target("cpu"), ["CPU"]),
        (target("cuda:1"), ["CUDA", "CPU"]),
        (target("directml:0"), ["Dml", "CPU"]),
        (target("coreml"), ["CoreML", "CPU"]),
        (target("cuda:0", runtime=RuntimeName.ONNXRUNTIME_TENSORRT), ["Tensorrt", "CUDA", "CPU"]),
    ],
)
def test_what_a_provider_cannot_take_falls_to_the_next_and_last_to_the_cpu(wanted: Target, names: list[str]) -> None:
    assert [provider.name for provider in session_plan(wanted).providers] == [f"{name}ExecutionProvider" for name in names]


def test_cuda_runs_on_the_card_asked_for_and_fp32_is_fp32() -> None:
    half = options(session_plan(target("cuda:1")).providers[0])
    full = options(session_plan(target("cuda:1", Precision.FP32)).providers[0])
    assert half["device_id"] == full["device_id"] == "1"
    assert (half["use_tf32"], full["use_tf32"]) == ("1", "0")
    assert half["arena_extend_strategy"] == "kSameAsRequested"


def test_runs_are_captured_only_when_asked() -> None:
    assert "enable_cuda_graph" not in options(session_plan(target("cuda:0")).providers[0])
    assert options(session_plan(target("cuda:0"), cuda_graph=True).providers[0])["enable_cuda_graph"] == "1"


def test_tensorrt_keeps_its_engines_and_timings_and_is_told_the_shapes() -> None:
    plan = session_plan(target("cuda:2", runtime=RuntimeName.ONNXRUNTIME_TENSORRT), kept=KEPT, shapes=[RANGE])
    told = options(plan.providers[0])
    assert told == {
        "device_id": "2",
        "trt_engine_cache_enable": "1",
        "trt_engine_cache_path": str(KEPT.folder),
        "trt_timing_cache_enable": "1",
        "trt_timing_cache_path": str(KEPT.shared),
        "trt_profile_min_shapes": "image:1x3x112x112",
        "trt_profile_opt_shapes": "image:1x3x280x504",
        "trt_profile_max_shapes": "image:8x3x518x518",
    }
    assert options(plan.providers[1])["device_id"] == "2", "what TensorRT cannot take stays on the same card"


def test_no_flag_asks_tensorrt_for_a_precision_since_the_graph_carries_it() -> None:
    told = options(session_plan(target("cuda:0", runtime=RuntimeName.ONNXRUNTIME_TENSORRT), kept=KEPT, shapes=[RANGE]).providers[0])
    assert not any("fp16" in name or "int8" in name or "bf16" in name for name in told)


def test_directml_has_no_memory_patterns_and_the_others_do() -> None:
    assert not session_plan(target("directml:0")).memory_pattern
    assert all(session_plan(target(device)).memory_pattern for device in ("cpu", "cuda:0", "coreml"))


@pytest.mark.parametrize(("version", "kept"), [((1, 20), False), ((1, 21), True), ((1, 31), True), ((2, 0), True)])
def test_coreml_is_told_its_cache_folder_where_it_knows_one(version: tuple[int, ...], kept: bool) -> None:
    told = options(session_plan(target("coreml"), version=version, kept=KEPT).providers[0])
    assert told["ModelFormat"] == "MLProgram"
    assert ("ModelCacheDirectory" in told) is kept
    assert "ModelCacheDirectory" not in options(session_plan(target("coreml"), version=version).providers[0])


def test_a_plan_for_the_cpu_has_nothing_to_tell() -> None:
    assert session_plan(target("cpu", Precision.FP32)) == SessionPlan((Provider("CPUExecutionProvider"),))


# ---- shapes -----------------------------------------------------------------------------------------------------------


def signature(*shape: int | None) -> Signature:
    return read_signature([TensorInfo("image", "float32", shape)], [TensorInfo("depth", "float32", None)], "m.onnx")


@given(
    family=st.sampled_from([Family.DA3_METRIC, Family.DA2_RELATIVE]),
    width=st.integers(100, 8000),
    height=st.integers(100, 8000),
)
def test_every_usual_picture_fits_the_shapes_an_engine_is_built_for(family: Family, width: int, height: int) -> None:
    assume(9 / 21 <= width / height <= 21 / 9)
    policy = InputPolicy.for_family(family)
    (found,) = ranges_of(signature(None, 3, None, None), policy)
    across, down = plan_input(width, height, policy, (None, None)).size
    for batch in (1, MAX_BATCH):
        shape = (batch, 3, down, across)
        assert all(low <= size <= high for low, size, high in zip(found.smallest, shape, found.largest, strict=True)), (shape, found)


def test_an_engine_is_tuned_for_one_16_to_9_frame() -> None:
    (found,) = ranges_of(signature(None, 3, None, None), InputPolicy.for_family(Family.DA3_METRIC))
    assert found.tuned == (1, 3, 280, 504)
    assert found.largest[0] == MAX_BATCH == 8


def test_what_the_file_fixes_stays_fixed() -> None:
    policy = InputPolicy.for_family(Family.DA3_METRIC)
    assert ranges_of(signature(1, 3, 280, 504), policy) == ()
    (batch,) = ranges_of(signature(None, 3, 280, 504), policy)
    assert (batch.smallest, batch.tuned, batch.largest) == ((1, 3, 280, 504), (1, 3, 280, 504), (8, 3, 280, 504))
    (sizes,) = ranges_of(signature(1, 3, None, None), policy)
    assert sizes.smallest[0] == sizes.largest[0] == 1
    (views,) = ranges_of(signature(None, None, 3, None, None), policy)
    assert views.largest[:3] == (8, 1, 3)
    (last,) = ranges_of(signature(1, None, None, 3), policy)
    assert last.tuned == (1, 280, 504, 3)


def test_the_shapes_of_a_file_are_read_from_it(tmp_path: Path) -> None:
    (found,) = shape_ranges(models.da2_relative(tmp_path / "da2.onnx"))
    assert found.name == "pixel_values" and found.tuned == (1, 3, 518, 924)
    assert shape_ranges(models.da3_single(tmp_path / "da3metric.onnx")) == ()
