# SPDX-License-Identifier: Apache-2.0
"""The models that are compared: what each one gives, how it is aligned, and one of them open at a time."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from types import TracebackType

from ...engines.depth_map import DepthKind
from ...engines.depth_metrics import Alignment
from ...engines.engine import DepthEngine
from ...engines.errors import DepthKindError, ModelError
from ...engines.model_paths import is_engine_file
from ...engines.model_store import resolve
from ...engines.prepared.engine_cache import model_sha256
from ...engines.recognise import recognise

Opener = Callable[[str], DepthEngine]

_USUAL = {
    DepthKind.METRIC: Alignment.NONE,
    DepthKind.RELATIVE: Alignment.SCALE,
    DepthKind.DISPARITY: Alignment.SCALE_SHIFT,
}

ALIGNMENTS = {
    Alignment.NONE: "not aligned: metres as the model gives them",
    Alignment.SCALE: "one scale per picture, the median of truth / estimate",
    Alignment.SCALE_SHIFT: "scale and shift per picture, by least squares (of disparity in inverse depth)",
}
"""What each alignment does, in words."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """``label``: its name in tables, unique. ``model``: as it was named. ``needs_camera``: it has metres only with the focal length."""

    label: str
    model: str
    path: Path
    sha256: str
    family: str
    kind: DepthKind
    needs_camera: bool
    alignment: Alignment


def find_candidates(models: Sequence[str], wanted: Alignment | None, open_engine: Opener) -> tuple[Candidate, ...]:
    """The models in the order they were named; ``wanted`` None aligns each by what its kind lacks, and no more.

    Raises :class:`ModelError` for one that cannot be found or read, or is named twice, and :class:`DepthKindError` where a model has not
    what ``wanted`` compares. No runtime is loaded, but for a file that TensorRT compiled, which says nothing before it is opened.
    """
    found: list[Candidate] = []
    for model in models:
        candidate = _candidate(model, wanted, open_engine)
        twin = next((other for other in found if (other.sha256, other.label) == (candidate.sha256, candidate.label)), None)
        if twin is not None:
            raise ModelError(f"{twin.model} and {candidate.model} are the same model; name it once.")
        found.append(candidate)
    count = Counter(each.label for each in found)
    return tuple(each if count[each.label] == 1 else replace(each, label=f"{each.label} ({each.sha256[:8]})") for each in found)


def _candidate(model: str, wanted: Alignment | None, open_engine: Opener) -> Candidate:
    path = resolve(model).path
    if is_engine_file(path):
        with open_engine(model) as engine:
            label, family, kind, needs_camera = engine.model_id, engine.spec.family, engine.kind, engine.needs_camera
    else:
        spec = recognise(path, resolve(model).spec).spec
        label, family, kind, needs_camera = spec.id, spec.family, spec.kind, spec.canonical_focal_px is not None
    alignment = _USUAL[kind] if wanted is None else wanted
    _refuse(label, kind, alignment)
    return Candidate(label, model, path, model_sha256(path), str(family), kind, needs_camera, alignment)


def _refuse(label: str, kind: DepthKind, alignment: Alignment) -> None:
    if kind is DepthKind.DISPARITY and alignment is not Alignment.SCALE_SHIFT:
        raise DepthKindError(
            f"{label} gives disparity, inverse depth without its scale and shift, which --align {alignment} does not find; give --align "
            "scale-shift, or leave --align away, and each model is aligned by what it lacks."
        )
    if kind is DepthKind.RELATIVE and alignment is Alignment.NONE:
        raise DepthKindError(
            f"{label} gives relative depth, which has no metres to compare as they are; give --align scale, or leave --align away, and each "
            "model is aligned by what it lacks."
        )


class OneEngine:
    """Of several models the one in use is open: memory holds one, and what was open last serves again without loading."""

    def __init__(self, open_engine: Opener) -> None:
        self._open = open_engine
        self._label: str | None = None
        self._engine: DepthEngine | None = None

    def of(self, candidate: Candidate) -> DepthEngine:
        """The engine; another candidate's is closed. Raises as :meth:`DepthEngine.open`."""
        if self._engine is None or self._label != candidate.label:
            self.close()
            self._engine, self._label = self._open(candidate.model), candidate.label
        return self._engine

    def close(self) -> None:
        if self._engine is not None:
            self._engine.close()
        self._engine = self._label = None

    def __enter__(self) -> OneEngine:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()
