# SPDX-License-Identifier: Apache-2.0
"""Ready-made TensorRT engines, ``.engine`` and ``.plan``: what one is taken for. It has tensors, but no graph that says what they mean.

An engine is a program: loading one executes code in it. Open only those that were built here, or by somebody you trust.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from .cancel import CancelToken
from .errors import ModelError
from .model_spec import Family, InputPolicy, ModelSpec
from .onnx_graph import TensorInfo
from .recognise import CANONICAL_FOCAL_PX, Recognised, family_from_name
from .runtimes.opening import candidates
from .runtimes.targets import Wish
from .signature import read_signature

if TYPE_CHECKING:
    from .runtimes.tensorrt_runtime import TensorRtRuntime


def open_engine_file(path: Path, known: ModelSpec | None, wish: Wish, cancel: CancelToken | None) -> tuple[TensorRtRuntime, Recognised]:
    """The engine at ``path`` on the first card that ``wish`` allows, and what it is taken for. Raises as :func:`recognise_engine`, and
    :class:`~.errors.RuntimeUnavailableError` without TensorRT or a card."""
    target = candidates(path, wish)[0]
    from .runtimes.tensorrt_runtime import TensorRtRuntime

    runtime = TensorRtRuntime(path, target, cancel=cancel)
    try:
        return runtime, recognise_engine(path, runtime.inputs, runtime.outputs, known)
    except BaseException:
        runtime.close()
        raise


def recognise_engine(path: Path, inputs: Sequence[TensorInfo], outputs: Sequence[TensorInfo], known: ModelSpec | None) -> Recognised:
    """Signature and family of the engine at ``path``, which has these tensors; ``known`` is what its sidecar says.

    Raises :class:`ModelError` when they are not those of a depth model, or when neither sidecar nor file name tells the family.
    """
    signature = read_signature(inputs, outputs, path.name)
    if known is not None and known.family is not Family.UNKNOWN:
        return Recognised(known, signature, "catalogue or sidecar", ())
    family = family_from_name(path.name, signature)
    if family is None:
        raise ModelError(
            f"{path.name} is a compiled engine, which does not say what its depth means, and neither does its name; write "
            f'{{"family": "da3-metric"}} (or {", ".join(each for each in Family if each not in (Family.DA3_METRIC, Family.UNKNOWN))}) '
            f"into {path.name}.json beside it."
        )
    spec = ModelSpec(
        id=path.stem,
        title=path.name,
        family=family,
        input=InputPolicy.for_family(family),
        parameters=None,
        licence="unknown",
        canonical_focal_px=CANONICAL_FOCAL_PX if family is Family.DA3_METRIC else None,
        max_depth_m=None,
    )
    return Recognised(spec, signature, "file name", ())
