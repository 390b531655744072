# SPDX-License-Identifier: Apache-2.0
"""A run over a data set: each model over each picture, one picture at a time, what is done kept on disk at once."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ...engines.camera import CameraIntrinsics
from ...engines.depth_metrics import Alignment
from ...engines.engine import DepthEngine
from ...engines.errors import CameraError, CaptureError, ImageError
from ...engines.stream import Frame, estimate_stream
from ...unity_bridge.captures.progress import Progress
from .candidates import Candidate, OneEngine
from .samples import Dataset, DatasetError, Sample
from .scoring import Score, score

PICTURE_ERRORS = (DatasetError, ImageError, CameraError, CaptureError)
"""What one picture is to blame for; anything else would come for every one of them."""

NO_DEPTH = "the model says no depth for any pixel that has truth"


@dataclass(frozen=True, slots=True)
class Row:
    """One model on one picture. ``score`` is None where ``error`` says why. ``camera``: "data set", "given" or "none"."""

    name: str
    width: int = 0
    height: int = 0
    camera: str = "none"
    counted: int = 0
    score: Score | None = None
    error: str | None = None
    notes: tuple[str, ...] = ()
    """What the data set says of this picture."""


OnRow = Callable[[Candidate, Row], None]


@dataclass(slots=True)
class Run:
    """``names``: the pictures asked for. ``fov_vertical_deg``: of pictures whose camera the data set does not say. ``failed``: sentences by
    model and picture."""

    dataset: Dataset
    names: Sequence[str]
    candidates: Sequence[Candidate]
    progress: Progress
    fov_vertical_deg: float | None = None
    failed: dict[tuple[str, str], str] = field(default_factory=dict)

    def row(self, candidate: Candidate, name: str) -> Row:
        """What became of a picture, once it is done."""
        error = self.failed.get((candidate.label, name))
        if error is not None:
            return Row(name, error=error)
        found = self.progress.result(key_of(candidate, name))
        return Row(**{**found, "score": Score.from_json(found["score"]), "notes": tuple(found["notes"])})

    def rows(self, candidate: Candidate) -> Iterator[Row]:
        """Of all pictures in order, one at a time from the disk."""
        return (self.row(candidate, name) for name in self.names)

    def missing(self, candidate: Candidate) -> list[str]:
        """Pictures that no earlier run has done."""
        return [name for name in self.names if key_of(candidate, name) not in self.progress]

    def runtimes(self, candidate: Candidate) -> list[dict[str, Any]]:
        """What ran the model: one entry, more where a run went on with another runtime."""
        key = _engine_key(candidate)
        return list(self.progress.result(key)["runtimes"]) if key in self.progress else []

    def notes(self, candidate: Candidate) -> list[str]:
        """What the engine said of itself, such as that the model's family was guessed."""
        key = _engine_key(candidate)
        return list(self.progress.result(key)["notes"]) if key in self.progress else []

    def load(self, name: str) -> tuple[Sample, CameraIntrinsics | None]:
        """A picture, and its camera. Raises one of :data:`PICTURE_ERRORS`."""
        sample = self.dataset.load(name)
        if sample.intrinsics is not None or self.fov_vertical_deg is None:
            return sample, sample.intrinsics
        height, width = sample.rgb.shape[:2]
        return sample, CameraIntrinsics.from_vertical_fov(self.fov_vertical_deg, width, height)


def key_of(candidate: Candidate, name: str) -> str:
    """What :class:`Progress` calls one model's result on one picture."""
    return f"{candidate.label}\n{name}"


def _engine_key(candidate: Candidate) -> str:
    return f"{candidate.label}\n\n"


def refuse_without_camera(candidate: Candidate, camera: CameraIntrinsics | None) -> None:
    """Raises :class:`CameraError` for metres that only a focal length gives."""
    if camera is None and candidate.needs_camera and candidate.alignment is Alignment.NONE:
        raise CameraError(
            f"nothing says the camera, and {candidate.label} has metres only with the focal length; give --fov-v, or compare without metres: "
            "--align scale."
        )


def score_all(run: Run, engines: OneEngine, on_row: OnRow) -> None:
    """Every model over every picture that is not done yet; ``on_row`` hears of each, those done before included.

    A picture that cannot be used is noted in ``run.failed`` and the others go on. Raises what would come for every picture.
    """
    for candidate in run.candidates:
        todo = run.missing(candidate)
        waiting = set(todo)
        for name in run.names:
            if name not in waiting:
                on_row(candidate, run.row(candidate, name))
        if todo:
            engine = engines.of(candidate)
            _Way(run, candidate, lambda row, of=candidate: on_row(of, row)).go(engine, todo)  # type: ignore[misc]


class _Way:
    """Pictures on their way through one model: while one is judged, the next are in the engine."""

    def __init__(self, run: Run, candidate: Candidate, on_row: Callable[[Row], None]) -> None:
        self._run, self._candidate, self._on_row = run, candidate, on_row
        self._read: deque[tuple[Sample, str]] = deque()
        self._noted = False

    def go(self, engine: DepthEngine, names: Sequence[str]) -> None:
        with estimate_stream(engine, self._frames(names)) as stream:
            while True:
                try:
                    depth = next(stream, None)
                except PICTURE_ERRORS as error:
                    self._fail(self._read.popleft()[0].name, str(error))
                    continue
                if depth is None:
                    return
                sample, camera = self._read.popleft()
                found = score(sample, depth, self._candidate.alignment, self._run.dataset.clamp_m)
                self._keep(sample, camera, found)
                if not self._noted:
                    _note_engine(self._run, self._candidate, engine)
                    self._noted = True

    def _frames(self, names: Sequence[str]) -> Iterator[Frame]:
        for name in names:
            try:
                sample, camera = self._run.load(name)
                refuse_without_camera(self._candidate, camera)
            except PICTURE_ERRORS as error:
                self._fail(name, str(error))
            else:
                source = "none" if camera is None else "given" if sample.intrinsics is None else "data set"
                self._read.append((sample, source))
                yield sample.rgb, camera

    def _keep(self, sample: Sample, camera: str, found: Score) -> None:
        height, width = sample.rgb.shape[:2]
        counted = int(np.count_nonzero(sample.counted))
        if counted and not found.compared:
            self._fail(sample.name, NO_DEPTH)
            return
        row = Row(sample.name, width, height, camera, counted, found, notes=sample.notes)
        facts = {name: getattr(row, name) for name in ("name", "width", "height", "camera", "counted", "notes")}
        self._run.progress.add(key_of(self._candidate, sample.name), {**facts, "score": found.to_json()})
        self._on_row(row)

    def _fail(self, name: str, sentence: str) -> None:
        self._run.failed[(self._candidate.label, name)] = sentence
        self._on_row(Row(name, error=sentence))


def _note_engine(run: Run, candidate: Candidate, engine: DepthEngine) -> None:
    info = engine.info
    policy = info.input_policy
    fact = {
        "runtime": info.runtime,
        "device": info.device,
        "precision": str(info.precision),
        "input": None if None not in info.fixed_size else {"method": str(policy.method), "size": policy.process_res},
        "fixed_input": list(info.fixed_size) if None not in info.fixed_size else None,
    }
    known, notes = run.runtimes(candidate), run.notes(candidate)
    if fact not in known:
        run.progress.add(_engine_key(candidate), {"runtimes": [*known, fact], "notes": list(dict.fromkeys((*notes, *info.notes)))})
