# SPDX-License-Identifier: Apache-2.0
"""Virtual KITTI 2 (Cabon, Murray, Humenberger, 2020), version 2.0.3, as its archives unpack, together or each into a folder of its own::

    Scene01/clone/frames/rgb/Camera_0/rgb_00000.jpg
    Scene01/clone/frames/depth/Camera_0/depth_00000.png                 uint16 centimetres of planar depth; 65535, the far plane, is sky
    Scene01/clone/intrinsic.txt                                         frame cameraID K[0,0] K[1,1] K[0,2] K[1,2]
    Scene01/clone/frames/classSegmentation/Camera_0/classgt_00000.png   optional: the sky's colour is 90 200 255 (colors.txt)

The principal point of its 1242x375 pictures is (620.5, 187): pixel centres count from 0.

Depth Anything V2 trains on depth from 0.001 to 80 m, without a crop (``metric_depth/dataset/vkitti2.py``, ``train.py``). Its training list
takes nearly all of Camera_0, and no list for testing is published; so all pictures that are there are taken. ZoeDepth's table cuts the
pictures to 1216x352 and takes Garg's crop.
"""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from ....engines.camera import CameraIntrinsics
from ..samples import BoolArray, DatasetError, Sample
from .base import LayoutReader, assemble
from .counting import Counting
from .files import camera_of, read_rgb, read_text, read_uint16

_SKY_CM = 65535
_SKY_RGB = (90, 200, 255)
_DEPTH = re.compile(r"depth_(\d+)\.png")
_DEPTHS = "Scene*/*/frames/depth/Camera_*/depth_*.png"

_COUNTING = Counting(
    split="all pictures that are there",
    truth="planar depth in centimetres, sky left out",
    source="Depth Anything V2, metric_depth/train.py",
    above_m=1e-3,
    below_m=80.0,
    below_too=True,
)


_Rows = dict[tuple[int, int], tuple[float, float, float, float]]
"""Of a frame and a camera: fx, fy, cx, cy."""


class VirtualKitti2(LayoutReader):
    """Virtual KITTI 2. Names are ``Scene01/clone/Camera_0/00000``."""

    layout = "Virtual KITTI 2"

    def __init__(self, roots: tuple[Path, ...], names: list[str]) -> None:
        super().__init__(names, _COUNTING)
        self._roots = roots
        self._cameras: dict[Path, _Rows] = {}

    @staticmethod
    def recognises(path: Path) -> bool:
        return path.is_dir() and any(next(root.glob(_DEPTHS), None) is not None for root in _roots(path))

    @classmethod
    def open(cls, path: Path) -> VirtualKitti2:
        """Raises :class:`DatasetError`."""
        roots = _roots(path) if path.is_dir() else ()
        found = {name for root in roots for file in root.glob(_DEPTHS) if (name := _name(file)) is not None}
        if not found:
            raise DatasetError(f"{path} has no Scene01/clone/frames/depth/Camera_0/depth_00000.png or the like; give Virtual KITTI 2's folder.")
        return cls(roots, sorted(found))

    def _read(self, name: str) -> Sample:
        scene, variation, camera_name, frame = name.split("/")
        frames = f"{scene}/{variation}/frames"
        rgb = read_rgb(self._file(f"{frames}/rgb/{camera_name}/rgb_{frame}.jpg"))
        stored = read_uint16(self._file(f"{frames}/depth/{camera_name}/depth_{frame}.png"))
        sky = stored == _SKY_CM
        classes = self._file(f"{frames}/classSegmentation/{camera_name}/classgt_{frame}.png")
        if classes.exists():
            sky |= _sky_of(classes, sky.shape)
        camera = self._camera(self._file(f"{scene}/{variation}/intrinsic.txt"), int(frame), int(camera_name[-1]), rgb.shape[:2])
        depth_m = stored.astype(np.float32) / np.float32(100)
        return assemble(name, rgb, depth_m, self.counting, sky, camera)

    def _file(self, relative: str) -> Path:
        """Where it is; where it would be in the first folder if it is nowhere."""
        return next((root / relative for root in self._roots if (root / relative).exists()), self._roots[0] / relative)

    def _camera(self, path: Path, frame: int, camera: int, size: tuple[int, int]) -> CameraIntrinsics | None:
        """None without the file: it comes in another archive."""
        if not path.exists():
            return None
        if path not in self._cameras:
            self._cameras[path] = _intrinsics(path)
        row = self._cameras[path].get((frame, camera))
        if row is None:
            raise DatasetError(f"{path} has no row for frame {frame} of camera {camera}; unpack it again.")
        return camera_of(path, (row[0], row[1]), (row[2], row[3]), size, "opencv")


def _roots(path: Path) -> tuple[Path, ...]:
    return (path, *sorted(each for each in path.glob("vkitti_*") if each.is_dir()))


def _name(depth: Path) -> str | None:
    match = _DEPTH.fullmatch(depth.name)
    camera, variation = depth.parent, depth.parents[3]
    if match is None or not re.fullmatch(r"Camera_\d", camera.name):
        return None
    return f"{variation.parent.name}/{variation.name}/{camera.name}/{match[1]}"


def _sky_of(path: Path, size: tuple[int, ...]) -> BoolArray:
    classes = read_rgb(path)
    if classes.shape[:2] != size:
        raise DatasetError(f"{path} is {classes.shape[1]}x{classes.shape[0]} and the depth {size[1]}x{size[0]}; unpack it again.")
    return np.asarray((classes == np.array(_SKY_RGB, np.uint8)).all(axis=2))


def _intrinsics(path: Path) -> _Rows:
    rows: _Rows = {}
    for number, line in enumerate(read_text(path).splitlines()[1:], start=2):
        words = line.split()
        if not words:
            continue
        try:
            frame, camera, fx, fy, cx, cy = int(words[0]), int(words[1]), *(float(word) for word in words[2:6])
        except (ValueError, IndexError) as error:
            raise DatasetError(f"{path}: line {number} is not frame, camera and four numbers; unpack it again.") from error
        rows[frame, camera] = (fx, fy, cx, cy)
    return rows
