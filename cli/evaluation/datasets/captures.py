# SPDX-License-Identifier: Apache-2.0
"""Capture folders in the three layouts that ``annotate`` reads: our own, SOLO, COCO, with true depth as EXR beside the pictures."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import numpy as np

from ....engines.errors import CaptureError
from ....unity_bridge.captures.layouts import open_capture
from ....unity_bridge.captures.reader import CaptureFrame, CaptureReader
from ..samples import DatasetError, Sample
from .base import LayoutReader, assemble
from .counting import Counting

_COUNTING = Counting(split="all pictures", truth="planar metres of the capture's EXR files")
_NONE = "it has no true depth"


class CaptureDataset(LayoutReader):
    """A capture. Names are its pictures'; those without true depth have no pixel that counts."""

    layout = "capture"

    def __init__(self, capture: CaptureReader) -> None:
        often = Counter(frame.name for frame in capture.frames)
        self._frames: dict[str, CaptureFrame] = {
            frame.name if often[frame.name] == 1 else f"{frame.name}#{frame.place}": frame for frame in capture.frames
        }
        super().__init__(list(self._frames), _COUNTING)
        self._capture = capture

    @staticmethod
    def recognises(path: Path) -> bool:
        try:
            open_capture(path)
        except CaptureError:
            return False
        return True

    @classmethod
    def open(cls, path: Path) -> CaptureDataset:
        """Raises :class:`DatasetError` where there is no true depth, :class:`~....engines.errors.CaptureError` where there is no capture."""
        capture = open_capture(path)
        if next(capture.folder.rglob("*.exr"), None) is None:
            raise DatasetError(f"{path} is a capture without true depth: no OpenEXR file is in it. Capture it with depth, as float32 metres.")
        return cls(capture)

    def _read(self, name: str) -> Sample:
        loaded = self._capture.load(self._frames[name])
        notes = loaded.notes
        truth = loaded.depth_true_m
        if truth is None:
            truth, notes = np.zeros(loaded.image.shape[:2], np.float32), (*notes, _NONE)
        return assemble(name, loaded.image, truth, self.counting, camera=loaded.camera, notes=notes)
