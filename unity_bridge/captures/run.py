# SPDX-License-Identifier: Apache-2.0
"""One run over a capture: which pictures it is of, what is known of each of them by now, and the way to their results on disk."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .accuracy import FrameAccuracy
from .measured import FRAME_FIELDS, FrameOutcome, accuracy_from_json, outcome_from_json, without_fields
from .progress import Progress
from .reader import CaptureFrame, CaptureReader

_ENDS_BYTES = 1 << 20


@dataclass(frozen=True, slots=True, eq=False)
class AnnotatedFrame:
    """What results say of one picture: its entry as in ``annotations.json``, and its accuracy where there is truth."""

    frame: CaptureFrame
    entry: Mapping[str, Any]
    error: str | None
    accuracy: FrameAccuracy | None


@dataclass(slots=True)
class Run:
    """``keys`` are the fingerprints of ``frames``; ``failed`` the sentences of those that could not be used."""

    reader: CaptureReader
    frames: Sequence[CaptureFrame]
    keys: Sequence[str]
    progress: Progress
    failed: dict[int, str] = field(default_factory=dict)

    def outcome(self, place: int) -> FrameOutcome:
        """Of the frame at that place of :attr:`frames`, once it is done."""
        if place in self.failed:
            return FrameOutcome(self.frames[place].name, error=self.failed[place])
        return outcome_from_json(self.progress.result(self.keys[place]))

    def results(self) -> Iterator[AnnotatedFrame]:
        """All frames, in order, one at a time from the disk."""
        for place, frame in enumerate(self.frames):
            error = self.failed.get(place)
            if error is not None:
                yield AnnotatedFrame(frame, {**without_fields(self.reader.entry(frame), FRAME_FIELDS), "error": error}, error, None)
            else:
                found = self.progress.result(self.keys[place])
                yield AnnotatedFrame(frame, found["entry"], None, accuracy_from_json(found))


def describe_model_file(path: Path | None) -> str | None:
    """A text that another model file would not have: its size, and a digest of its first and last megabyte."""
    if path is None:
        return None
    size = path.stat().st_size
    with path.open("rb") as file:
        digest = hashlib.sha256(file.read(_ENDS_BYTES))
        file.seek(max(0, size - _ENDS_BYTES))
        digest.update(file.read())
    return f"{size} bytes, {digest.hexdigest()[:16]}"
