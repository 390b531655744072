# SPDX-License-Identifier: Apache-2.0
"""KITTI (Geiger et al., CVPR 2012; depth: Uhrig et al., 3DV 2017), Eigen's test split, as its archives unpack, side by side or each in a
folder of any name (``raw``, ``data_depth_annotated``)::

    2011_09_26/calib_cam_to_cam.txt                                                            P_rect_02, 3x4; pixel centres count from 0
    2011_09_26/2011_09_26_drive_0002_sync/image_02/data/0000000069.png                         the picture (or .jpg)
    val/2011_09_26_drive_0002_sync/proj_depth/groundtruth/image_02/0000000069.png              uint16 / 256 metres of planar depth, 0 for none
    train/...                                                                                  likewise: the split has drives of both

Depth counts from 0.001 to 80 m within Garg's crop, estimates are clamped to that, as BTS, AdaBins and ZoeDepth do it. (ZoeDepth cuts the
pictures to 1216x352 before it takes the crop; Depth Anything V2's own training loop takes none.)
"""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ....engines.camera import CameraIntrinsics
from ..samples import DatasetError, Sample
from .base import LayoutReader, assemble
from .counting import GARG_CROP, Counting
from .files import camera_of, read_rgb, read_text, read_uint16
from .kitti_eigen import eigen_test_frames

STEPS_PER_METRE = 256
"""The depth annotation's readme: metres are the stored number / 256, and 0 is none."""

_NO_CALIBRATION = "calib_cam_to_cam.txt of its day is missing, so its camera is not known"


class KittiEigen(LayoutReader):
    """KITTI's raw pictures with the depth annotation. Names are ``2011_09_26_drive_0002_sync/0000000069``."""

    layout = "KITTI, Eigen's test split"

    def __init__(self, roots: tuple[Path, ...], names: list[str], expected: int) -> None:
        counting = Counting(
            split=f"{len(names)} of the {expected} pictures of Eigen's test split that have annotated depth",
            truth="accumulated lidar, uint16 / 256 metres",
            source="Eigen et al. (NIPS 2014), Garg et al. (ECCV 2016) as evaluated by BTS, AdaBins and ZoeDepth",
            above_m=1e-3,
            below_m=80.0,
            crop=GARG_CROP,
            clamp_m=(1e-3, 80.0),
        )
        super().__init__(names, counting)
        self._roots = roots

    @staticmethod
    def recognises(path: Path) -> bool:
        return path.is_dir() and next((True for root in _roots(path) for _ in root.glob("*/*_sync/proj_depth/groundtruth/image_02")), False)

    @classmethod
    def open(cls, path: Path) -> KittiEigen:
        """Raises :class:`DatasetError`."""
        roots = _roots(path) if path.is_dir() else ()
        listed = [f"{drive}/{frame:010d}" for drive, frame in eigen_test_frames()]
        names = [name for name in listed if _truth(roots, name) is not None]
        if not names:
            raise DatasetError(
                f"{path} has no depth of Eigen's test split, such as val/2011_09_26_drive_0002_sync/proj_depth/groundtruth/image_02/"
                "0000000069.png; give the folder that holds KITTI's depth annotation and its raw pictures."
            )
        return cls(roots, names, len(listed))

    def _read(self, name: str) -> Sample:
        truth = _truth(self._roots, name)
        if truth is None:
            raise DatasetError(f"{name}: its depth is no longer there.")
        drive, frame = name.split("/")
        picture = self._picture(drive, frame)
        rgb, stored = read_rgb(picture), read_uint16(truth)
        calibration = picture.parents[3] / "calib_cam_to_cam.txt"
        camera = _camera(calibration, rgb.shape[:2]) if calibration.exists() else None
        notes = () if camera is not None else (_NO_CALIBRATION,)
        depth_m = stored.astype(np.float32) / np.float32(STEPS_PER_METRE)
        return assemble(name, rgb, depth_m, self.counting, camera=camera, notes=notes)

    def _picture(self, drive: str, frame: str) -> Path:
        relative = Path(drive[:10], drive, "image_02", "data", f"{frame}.png")
        for root in self._roots:
            for file in (root / relative, (root / relative).with_suffix(".jpg")):
                if file.exists():
                    return file
        raise DatasetError(f"{self._roots[0] / relative} is missing, in the folders beside it, too; unpack KITTI's raw data there.")


def _roots(path: Path) -> tuple[Path, ...]:
    return (path, *sorted(each for each in path.iterdir() if each.is_dir()))


def _truth(roots: tuple[Path, ...], name: str) -> Path | None:
    drive, frame = name.split("/")
    for root in roots:
        for part in ("val", "train"):
            file = root / part / drive / "proj_depth" / "groundtruth" / "image_02" / f"{frame}.png"
            if file.exists():
                return file
    return None


def _camera(path: Path, size: tuple[int, ...]) -> CameraIntrinsics:
    line = next((line for line in read_text(path).splitlines() if line.startswith("P_rect_02:")), None)
    try:
        numbers = [float(word) for word in (line or "").split()[1:]]
    except ValueError as error:
        raise DatasetError(f"{path}: P_rect_02 is not made of numbers; unpack it again.") from error
    if len(numbers) != 12:
        raise DatasetError(f"{path} has no P_rect_02 of 12 numbers; unpack it again.")
    return camera_of(path, (numbers[0], numbers[5]), (numbers[2], numbers[6]), (size[0], size[1]), "opencv")
