# SPDX-License-Identifier: Apache-2.0
"""A few lines of JSON beside a user's own ONNX file that say what it is: ``model.onnx.json`` belongs to ``model.onnx``.

``{"family": "da3-metric"}`` is enough. Also read: ``id``, ``title``, ``licence``, ``method`` and ``process_res`` (how pictures are
resized), ``canonical_focal_px`` (da3-metric; 300 when left out), ``max_depth_m`` (da2-metric), ``trace_size`` ([height, width] in
pixels that the graph was exported at). Other keys are ignored, so that other programs can keep theirs in the same file.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

from .atomic import atomic_path
from .errors import ModelError
from .model_spec import Family, InputPolicy, ModelSpec, ResizeMethod
from .recognise import CANONICAL_FOCAL_PX


def sidecar_path(model: Path) -> Path:
    """Where the sidecar of ``model`` would be: its whole name and ``.json``."""
    return model.with_name(model.name + ".json")


def read_sidecar(model: Path) -> ModelSpec | None:
    """What the sidecar of ``model`` says; None without one. Raises :class:`ModelError` naming the key that is wrong."""
    path = sidecar_path(model)
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (OSError, ValueError) as error:
        raise ModelError(f"{path} describes {model.name} but is not readable JSON; mend or remove it.") from error
    if not isinstance(data, dict):
        raise ModelError(f"{path} must hold a JSON object; mend or remove it.")
    return _spec(data, model, path)


def write_sidecar(model: Path, spec: ModelSpec) -> None:
    """Writes the sidecar of ``model``, replacing an older one. Raises :class:`~.errors.OutputError`."""
    data: dict[str, Any] = {
        "id": spec.id,
        "title": spec.title,
        "family": str(spec.family),
        "licence": spec.licence,
        "method": str(spec.input.method),
        "process_res": spec.input.process_res,
        "canonical_focal_px": spec.canonical_focal_px,
        "max_depth_m": spec.max_depth_m,
        "trace_size": None if spec.trace_size is None else list(spec.trace_size),
    }
    text = json.dumps({key: value for key, value in data.items() if value is not None}, indent=2)
    with atomic_path(sidecar_path(model), overwrite=True) as temporary:
        temporary.write_text(text + "\n", encoding="utf-8")


def _spec(data: dict[str, Any], model: Path, path: Path) -> ModelSpec:
    family = _choice(data, "family", list(Family), path)
    assert isinstance(family, Family)
    usual = InputPolicy.for_family(family)
    method = _choice(data, "method", list(ResizeMethod), path) if "method" in data else usual.method
    assert isinstance(method, ResizeMethod)
    size = data.get("process_res", usual.process_res)
    if type(size) is not int or size < 14 or size % 14:
        raise ModelError(f"{path}: process_res must be a multiple of 14, not {size!r}.")
    focal = _positive(data, "canonical_focal_px", path)
    return ModelSpec(
        id=_text(data, "id", model.stem, path),
        title=_text(data, "title", model.name, path),
        family=family,
        input=InputPolicy(method, size),
        parameters=None,
        licence=_text(data, "licence", "unknown", path),
        canonical_focal_px=(focal or CANONICAL_FOCAL_PX) if family is Family.DA3_METRIC else None,
        max_depth_m=_positive(data, "max_depth_m", path),
        trace_size=_trace_size(data, path),
    )


def _choice(data: dict[str, Any], key: str, choices: list[Family] | list[ResizeMethod], path: Path) -> Family | ResizeMethod:
    value = data.get(key)
    found = next((choice for choice in choices if choice == value), None)
    if found is None:
        raise ModelError(f"{path}: {key} must be one of {', '.join(choices)}, not {value!r}.")
    return found


def _text(data: dict[str, Any], key: str, default: str, path: Path) -> str:
    value = data.get(key, default)
    if not isinstance(value, str) or not value.strip():
        raise ModelError(f"{path}: {key} must be a text, not {value!r}.")
    return value


def _positive(data: dict[str, Any], key: str, path: Path) -> float | None:
    value = data.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value <= 0:
        raise ModelError(f"{path}: {key} must be a positive number, not {value!r}.")
    return float(value)


def _trace_size(data: dict[str, Any], path: Path) -> tuple[int, int] | None:
    value = data.get("trace_size")
    if value is None:
        return None
    if not isinstance(value, list) or len(value) != 2 or any(type(side) is not int or side < 1 for side in value):
        raise ModelError(f"{path}: trace_size must be [height, width] in pixels, not {value!r}.")
    return value[0], value[1]
