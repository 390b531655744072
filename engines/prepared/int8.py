# SPDX-License-Identifier: Apache-2.0
"""A model file in INT8: quantised statically, calibrated on the user's own pictures, its loss measured on others of them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..cancel import CancelToken
from ..depth_map import DepthKind
from ..errors import DepthbridgeError, ModelError, first_line
from ..model_store import resolve
from ..progress import Progress
from ..recognise import Recognised, recognise
from ..runtimes.onnx_runtime import OnnxRuntime, import_onnxruntime
from ..runtimes.runtime import Runtime
from ..runtimes.targets import Precision, RuntimeName, Target
from . import half_graph
from .agreement import agreement
from .engine_cache import EngineCache, EngineKey, model_sha256
from .half_precision import import_onnx, load_plain
from .onnxruntime_tools import import_tool
from .recording import Array, Recorded, read_pictures, record
from .temporary_folder import temporary_folder

MAX_PICTURES = 48
"""Of more pictures so many are taken, evenly spread."""

_RECIPE = 3  # another one whenever what is made here changes
_OLDEST_OPSET = 13  # the first with a scale for each channel
_HELD_OUT = 3  # every third picture measures the loss instead of calibrating
_LOSS_FILE = "loss.json"
_CPU_FP32 = Target(RuntimeName.ONNXRUNTIME, "cpu", Precision.FP32)


# OpenVINO 2026.4 computes wrong what follows a convolution whose output is quantised (a median of 17 % on the embedded model, where ONNX Runtime
# has 1.4 %), and is as fast without; ONNX Runtime computes in INT8 only between quantised outputs.
_PLAIN_OUTPUTS = {RuntimeName.OPENVINO: ["Conv", "MatMul", "Gemm"]}
# And where each value had a zero point of its own one picture was 10 % off, ONNX Runtime 0.6 % with the same file.
_ONE_ZERO_POINT = frozenset({RuntimeName.OPENVINO})


@dataclass(frozen=True, slots=True)
class Int8Result:
    """The INT8 file for one runtime and its loss against float32 on pictures held out from calibration: relative, the median of each picture
    (by file name) and of all their pixels. For relative depth and disparity each map may first be scaled by one factor."""

    path: Path
    by_picture: tuple[tuple[str, float], ...]
    loss: float
    calibrated_on: int


def int8_file(
    path: Path,
    pictures: Sequence[Path],
    cache: EngineCache | None,
    *,
    runtime: RuntimeName = RuntimeName.ONNXRUNTIME,
    progress: Progress | None = None,
    cancel: CancelToken | None = None,
) -> Int8Result:
    """The INT8 form of the ONNX file at ``path`` for ``runtime`` (ONNX Runtime or OpenVINO), calibrated on two thirds of ``pictures``; without
    pictures what was made before.

    Nothing is refused for its loss, which is told, as it is in that runtime. Raises :class:`ModelError` when there is neither a picture nor
    an earlier result, fewer than two pictures can be read, or the graph cannot be quantised, and :class:`RuntimeUnavailableError` when the
    ``onnx`` package is absent.
    """
    ort = import_onnxruntime()

    def build(folder: Path) -> None:
        if not pictures:
            raise ModelError(
                f"{path.name} has no INT8 form here yet: it is calibrated on your own pictures, by "
                "`depthbridge engines build MODEL --int8 FOLDER`."
            )
        _build(path, runtime, pictures, folder, progress, cancel)

    if cache is None:
        folder = temporary_folder()
        build(folder)
        return _result(path, folder)
    sha256 = model_sha256(path, cache)
    key = EngineKey(sha256, path.name, f"onnxruntime {ort.__version__}", "any", str(Precision.INT8), f"graph for {runtime}, recipe {_RECIPE}")
    folder = cache.obtain(key, build, progress=progress if pictures else None, cancel=cancel)
    if pictures and _facts(folder).get("pictures") != _fingerprint(pictures):
        cache.discard(key)
        folder = cache.obtain(key, build, progress=progress, cancel=cancel)
    return _result(path, folder)


def _build(
    path: Path, runtime: RuntimeName, pictures: Sequence[Path], folder: Path, progress: Progress | None, cancel: CancelToken | None
) -> None:
    def step(text: str) -> None:
        if cancel is not None:
            cancel.check()
        if progress is not None:
            progress(text)

    onnx = import_onnx("INT8")
    if half_graph.is_reduced(onnx.load(path, load_external_data=False)):
        raise ModelError(f"{path.name} is of reduced precision already; INT8 is made of the float32 file.")
    recognised = recognise(path, resolve(path).spec)
    chosen = read_pictures(pictures, MAX_PICTURES)
    if len(chosen) < 2:
        raise ModelError(f"INT8 needs at least two pictures, one to calibrate on and one to measure its loss; {len(chosen)} could be read.")
    names = [name for name, _ in chosen]
    step(f"Running {path.name} in float32 on {len(chosen)} pictures.")
    reference = OnnxRuntime(path, _CPU_FP32)
    try:
        records = list(record(reference, recognised, path, [pixels for _, pixels in chosen], cancel))
    finally:
        reference.close()
    held_out = [place for place in range(len(records)) if place % _HELD_OUT == 1]
    calibration = [records[place] for place in range(len(records)) if place not in held_out]
    step(f"Quantising {path.name} by {len(calibration)} pictures.")
    _quantise(onnx, path, folder / path.name, runtime, calibration, cancel)
    step(f"Measuring the loss of {path.name} in INT8 on {len(held_out)} pictures.")
    quantised = _open(folder / path.name, runtime)
    facts = _loss(quantised, path, recognised, [records[place] for place in held_out], [names[place] for place in held_out], cancel)
    facts |= {"pictures": _fingerprint(pictures), "calibrated_on": len(calibration)}
    (folder / _LOSS_FILE).write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def _quantise(onnx: Any, path: Path, target: Path, runtime: RuntimeName, records: Sequence[Recorded], cancel: CancelToken | None) -> None:
    import_onnxruntime()
    try:
        quantization = import_tool("onnxruntime.quantization")
        model = load_plain(onnx, path, oldest_opset=_OLDEST_OPSET)
        onnx.external_data_helper.load_external_data_for_model(model, str(path.parent))
        quantization.quant_utils.add_pre_process_metadata(model)  # else it advises on stderr what was done above
        quantization.quantize_static(
            model,
            target,
            _Reader(records, cancel),
            quant_format=quantization.QuantFormat.QDQ,
            op_types_to_quantize=["Conv", "MatMul", "Gemm"],
            per_channel=True,
            activation_type=quantization.QuantType.QUInt8,  # with signed weights: what VNNI multiplies
            weight_type=quantization.QuantType.QInt8,
            nodes_to_quantize=sorted(_layers(model)),
            extra_options={
                "OpTypesToExcludeOutputQuantization": _PLAIN_OUTPUTS.get(runtime, []),
                "ActivationSymmetric": runtime in _ONE_ZERO_POINT,
            },
        )
    except (OSError, DepthbridgeError):
        raise
    except Exception as error:  # the quantiser raises whatever it stumbles over
        raise ModelError(f"{path.name} cannot be quantised ({first_line(error).rstrip('.')}).") from error


def _layers(model: Any) -> set[str]:
    """The layers with weights, except the last ones before the outputs: their few values carry all the precision of the depth."""
    weights = {weight.name for weight in model.graph.initializer}
    layers = {
        node.name for node in model.graph.node if node.op_type in ("Conv", "MatMul", "Gemm") and len(node.input) > 1 and node.input[1] in weights
    }
    return layers - half_graph.tail_nodes(model.graph)


class _Reader:
    """Calibration inputs, as ONNX Runtime's quantiser asks for them."""

    def __init__(self, records: Sequence[Recorded], cancel: CancelToken | None) -> None:
        self._feeds: Iterator[dict[str, Array]] = iter([recorded.feeds for recorded in records])
        self._cancel = cancel

    def get_next(self) -> dict[str, Array] | None:
        if self._cancel is not None:
            self._cancel.check()
        return next(self._feeds, None)


def _open(file: Path, runtime: RuntimeName) -> Runtime:
    target = Target(runtime, "cpu", Precision.INT8)
    if runtime is RuntimeName.OPENVINO:
        from ..runtimes.openvino_runtime import OpenVinoRuntime

        return OpenVinoRuntime(file, target)
    return OnnxRuntime(file, target)


def _loss(
    quantised: Runtime, path: Path, recognised: Recognised, records: Sequence[Recorded], names: Sequence[str], cancel: CancelToken | None
) -> dict[str, Any]:
    try:
        found = agreement(records, quantised, recognised, rescale=recognised.spec.kind is not DepthKind.METRIC, cancel=cancel)
    except RuntimeError as error:
        raise ModelError(f"{path.name} in INT8 does not run ({first_line(error).rstrip('.')}).") from error
    finally:
        quantised.close()
    return {"loss": found.median, "by_picture": [list(pair) for pair in zip(names, found.by_picture, strict=True)]}


def _fingerprint(pictures: Sequence[Path]) -> list[list[Any]]:
    found = []
    for path in pictures:
        try:
            facts = path.stat()
        except OSError:
            continue
        found.append([path.name, facts.st_size, facts.st_mtime_ns])
    return sorted(found)


def _facts(folder: Path) -> dict[str, Any]:
    facts = json.loads((folder / _LOSS_FILE).read_text(encoding="utf-8"))
    assert isinstance(facts, dict)
    return facts


def _result(path: Path, folder: Path) -> Int8Result:
    facts = _facts(folder)
    by_picture = tuple((str(name), float(loss)) for name, loss in facts["by_picture"])
    return Int8Result(folder / path.name, by_picture, float(facts["loss"]), int(facts["calibrated_on"]))
