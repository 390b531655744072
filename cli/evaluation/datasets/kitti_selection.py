# SPDX-License-Identifier: Apache-2.0
"""KITTI's own validation pictures for depth (Uhrig et al., 3DV 2017), ``data_depth_selection.zip`` as it unpacks::

    depth_selection/val_selection_cropped/
      image/2011_09_26_drive_0002_sync_image_0000000005_image_02.png                               1216x352
      groundtruth_depth/2011_09_26_drive_0002_sync_groundtruth_depth_0000000005_image_02.png       uint16 / 256 metres, 0 for none
      intrinsics/2011_09_26_drive_0002_sync_image_0000000005_image_02.txt                          K, 9 numbers; pixel centres count from 0

1,000 pictures. The benchmark counts every pixel that has depth: no crop, no cap.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ..samples import DatasetError, Sample
from .base import LayoutReader, assemble
from .counting import Counting
from .files import camera_of, read_numbers, read_rgb, read_uint16
from .kitti import STEPS_PER_METRE

_IMAGE, _TRUTH = "_sync_image_", "_sync_groundtruth_depth_"
_PLACES = ("", "val_selection_cropped", "depth_selection/val_selection_cropped")

_COUNTING = Counting(
    split="val_selection_cropped",
    truth="accumulated lidar, uint16 / 256 metres",
    source="KITTI's depth benchmark",
)


class KittiSelection(LayoutReader):
    """``val_selection_cropped``. Names are the pictures' without suffix."""

    layout = "KITTI, selected validation pictures"

    def __init__(self, folder: Path, names: list[str]) -> None:
        super().__init__(names, _COUNTING)
        self._folder = folder

    @staticmethod
    def recognises(path: Path) -> bool:
        return _folder(path) is not None

    @classmethod
    def open(cls, path: Path) -> KittiSelection:
        """Raises :class:`DatasetError`."""
        folder = _folder(path)
        files = [] if folder is None else (folder / "groundtruth_depth").glob(f"*{_TRUTH}*.png")
        names = sorted(file.stem.replace(_TRUTH, _IMAGE) for file in files)
        if folder is None or not names:
            raise DatasetError(f"{path} has no depth_selection/val_selection_cropped with groundtruth_depth/*.png; give the folder it is in.")
        return cls(folder, names)

    def _read(self, name: str) -> Sample:
        rgb = read_rgb(self._folder / "image" / f"{name}.png")
        stored = read_uint16(self._folder / "groundtruth_depth" / f"{name.replace(_IMAGE, _TRUTH)}.png")
        path = self._folder / "intrinsics" / f"{name}.txt"
        k = read_numbers(path, 9)
        camera = camera_of(path, (k[0], k[4]), (k[2], k[5]), (rgb.shape[0], rgb.shape[1]), "opencv")
        depth_m = stored.astype(np.float32) / np.float32(STEPS_PER_METRE)
        return assemble(name, rgb, depth_m, self.counting, camera=camera)


def _folder(path: Path) -> Path | None:
    places = (path / place for place in _PLACES)
    return next((each for each in places if (each / "groundtruth_depth").is_dir() and (each / "intrinsics").is_dir()), None)
