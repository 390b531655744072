# SPDX-License-Identifier: Apache-2.0
"""SUN RGB-D (Song, Lichtenberg, Xiao, CVPR 2015), ``SUNRGBD.zip`` as it unpacks, and its toolbox beside it::

    SUNRGBD/kv1/NYUdata/NYU0001/image/NYU0001.jpg             (kv1, kv2, realsense and xtion, folders nested one to three deep)
    SUNRGBD/kv1/NYUdata/NYU0001/depth/NYU0001.png             uint16, 0 for none: the number turned left by three bits, millimetres
    SUNRGBD/kv1/NYUdata/NYU0001/depth_bfx/NYU0001.png         the same, filled and smoothed over frames
    SUNRGBD/kv1/NYUdata/NYU0001/intrinsics.txt                K, 9 numbers; pixels count from 1 (read_3d_pts_general.m)
    SUNRGBDtoolbox/traintestSUNRGBD/allsplit.mat              optional: alltest lists 5,050 of the 10,335 folders

``read3dPoints.m`` of the toolbox turns the bits back, ``bitor(bitshift(d, -3), bitshift(d, 13))``, divides by 1000 and cuts depth at 8 m.
ZoeDepth's table ends at 8 m, too (and takes NYU Depth v2's crop of 640x480, a size that most of these pictures do not have: not taken here).
What the sensors measured, ``depth``, is the truth; ``depth_bfx`` where that is absent, and a note says so.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

import numpy as np
import numpy.typing as npt

from ..samples import DatasetError, FloatArray, Sample
from .base import LayoutReader, assemble
from .counting import Counting
from .files import camera_of, read_mat, read_numbers, read_rgb, read_uint16

_SENSORS = ("kv1", "kv2", "realsense", "xtion")
_ALLSPLIT = "SUNRGBDtoolbox/traintestSUNRGBD/allsplit.mat"
_FARTHEST_M = 8.0
_SMOOTHED = "its depth is depth_bfx, filled and smoothed over frames, as depth itself is not there"


class SunRgbd(LayoutReader):
    """SUN RGB-D. Names are the folders', ``kv1/NYUdata/NYU0001``."""

    layout = "SUN RGB-D"

    def __init__(self, root: Path, names: list[str], split: str) -> None:
        counting = Counting(
            split=split,
            truth="depth of the sensors, millimetres in turned bits",
            source="SUN RGB-D's toolbox, read3dPoints.m, which cuts depth at 8 m",
            below_m=_FARTHEST_M,
            clamp_m=(1e-3, _FARTHEST_M),
        )
        super().__init__(names, counting)
        self._root = root

    @staticmethod
    def recognises(path: Path) -> bool:
        root = _root(path)
        return root is not None and next(_folders(root), None) is not None

    @classmethod
    def open(cls, path: Path) -> SunRgbd:
        """Raises :class:`DatasetError`."""
        root = _root(path)
        names = [] if root is None else sorted(_folders(root))
        if root is None or not names:
            raise DatasetError(f"{path} has no SUNRGBD/kv1, kv2, realsense or xtion with intrinsics.txt further down; give SUN RGB-D's folder.")
        table = next((file for each in (path, root.parent) if (file := each / _ALLSPLIT).is_file()), None)
        if table is None:
            return cls(root, names, "all pictures that are there")
        listed = _listed(table)
        names = [name for name in names if name in listed]
        if not names:
            raise DatasetError(f"{path} has no picture that alltest of {table} lists; take the table away to use all.")
        return cls(root, names, f"{len(names)} of the {len(listed)} pictures of alltest")

    def _read(self, name: str) -> Sample:
        folder = self._root / name
        depth = _only_file(folder / "depth")
        notes = () if depth is not None else (_SMOOTHED,)
        depth = depth or _only_file(folder / "depth_bfx")
        picture = _only_file(folder / "image")
        if picture is None or depth is None:
            raise DatasetError(f"{folder} has not one file each in image and in depth or depth_bfx; unpack it again.")
        rgb = read_rgb(picture)
        k = read_numbers(folder / "intrinsics.txt", 9)
        camera = camera_of(folder / "intrinsics.txt", (k[0], k[4]), (k[2], k[5]), (rgb.shape[0], rgb.shape[1]), "matlab")
        return assemble(name, rgb, metres_of_turned(read_uint16(depth)), self.counting, camera=camera, notes=notes)


def metres_of_turned(stored: npt.NDArray[np.uint16]) -> FloatArray:
    """Metres (H, W) of what is stored: each number turned right by three bits, in millimetres."""
    return ((stored >> np.uint16(3)) | (stored << np.uint16(13))).astype(np.float32) / np.float32(1000)


def _root(path: Path) -> Path | None:
    return next((each for each in (path / "SUNRGBD", path) if any((each / sensor).is_dir() for sensor in _SENSORS)), None)


def _folders(root: Path) -> Iterator[str]:
    for sensor in _SENSORS:
        for folder, below, files in os.walk(root / sensor):
            if "intrinsics.txt" in files:
                below.clear()  # its annotations are thousands of folders that hold no other picture
                yield Path(folder).relative_to(root).as_posix()


def _only_file(folder: Path) -> Path | None:
    found = sorted(folder.glob("[!.]*")) if folder.is_dir() else []
    files = [each for each in found if each.suffix.lower() in (".jpg", ".png") and each.is_file()]
    return files[0] if len(files) == 1 else None


def _listed(table: Path) -> frozenset[str]:
    """Folders below ``SUNRGBD/`` of what the table lists by where its owners had them."""
    paths = (str(np.ravel(cell)[0]) for cell in np.ravel(read_mat(table, "alltest")) if np.size(cell))
    parts = (PurePosixPath(path).parts for path in paths)
    return frozenset("/".join(each[each.index("SUNRGBD") + 1 :]) for each in parts if "SUNRGBD" in each)
