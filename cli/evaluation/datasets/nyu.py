# SPDX-License-Identifier: Apache-2.0
"""NYU Depth v2 (Silberman, Hoiem, Kohli, Fergus, ECCV 2012): ``nyu_depth_v2_labeled.mat`` and, beside it, ``splits.mat``.

The first is HDF5 (MATLAB 7.3), so its axes are reversed: ``images`` uint8 (1449, 3, 640, 480), ``rawDepths`` float32 metres (1449, 640, 480).
One picture is read at a time. ``splits.mat`` is MATLAB 5; ``testNdxs`` counts from 1 and lists 654 pictures.

``rawDepths``, Kinect's own measurements in the colour camera's view, are what BTS, AdaBins, ZoeDepth and those after them evaluate on
(``extract_official_train_test_set_from_mat.py`` of BTS); ``depths`` of the same file has the holes painted in. Those evaluations also paint the
white frame of the pictures black and save them as JPEG; here they are as distributed.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..samples import DatasetError, Sample
from .base import LayoutReader, assemble
from .counting import EIGEN_CROP_NYU, Counting
from .files import camera_of, read_hdf5, read_mat

_MAT, _SPLITS = "nyu_depth_v2_labeled.mat", "splits.mat"
_SIZE = (480, 640)

# camera_params.m of the data set's toolbox; its rgb_plane2rgb_world.m counts pixels from 1.
_FOCAL_PX = (518.85790117450188, 519.46961112127485)
_CENTRE_PX = (325.58244941119034, 253.73616633400465)

_COUNTING = Counting(
    split="test split of splits.mat",
    truth="Kinect's raw depth, metres",
    source="Eigen et al. (NIPS 2014) as evaluated by BTS, AdaBins and ZoeDepth",
    above_m=1e-3,
    below_m=10.0,
    crop=EIGEN_CROP_NYU,
    clamp_m=(1e-3, 10.0),
)


class NyuDepthV2(LayoutReader):
    """The labelled pictures of NYU Depth v2, its test split."""

    layout = "NYU Depth v2"

    def __init__(self, mat: Path, indices: npt.NDArray[np.int64]) -> None:
        super().__init__([f"{index:04d}" for index in indices], _COUNTING)
        self._mat = mat

    @staticmethod
    def recognises(path: Path) -> bool:
        mat = _mat_of(path)
        return mat.suffix == ".mat" and mat.is_file()

    @classmethod
    def open(cls, path: Path) -> NyuDepthV2:
        """The data set in a folder, or of its file. Raises :class:`DatasetError`."""
        mat = _mat_of(path)
        if not cls.recognises(path):
            raise DatasetError(f"{path} has no {_MAT}, the labelled data set of NYU Depth v2; give the folder it is in.")
        splits = mat.with_name(_SPLITS)
        if not splits.is_file():
            raise DatasetError(f"{splits} is missing: it says which pictures of {mat.name} are for testing; put the owner's file there.")
        indices = np.unique(read_mat(splits, "testNdxs").astype(np.int64))
        count = read_hdf5(mat, _checked_count)
        if not indices.size or indices[0] < 1 or indices[-1] > count:
            raise DatasetError(f"{splits} lists pictures that {mat.name} with its {count} does not have; download both again.")
        return cls(mat, indices)

    def _read(self, name: str) -> Sample:
        place = int(name) - 1
        picture, depth = read_hdf5(self._mat, lambda file: (file["images"][place], file["rawDepths"][place]))
        rgb, depth_m = np.ascontiguousarray(picture.T), np.ascontiguousarray(depth.T)
        camera = camera_of(self._mat, _FOCAL_PX, _CENTRE_PX, _SIZE, "matlab")
        return assemble(name, rgb, depth_m, self.counting, camera=camera)


def _mat_of(path: Path) -> Path:
    return path / _MAT if path.is_dir() else path


def _checked_count(file: Any) -> int:
    pictures, depth = file["images"], file["rawDepths"]
    height, width = _SIZE
    count = int(pictures.shape[0])
    if pictures.shape != (count, 3, width, height) or depth.shape != (count, width, height) or pictures.dtype != np.uint8:
        raise ValueError(f"images are {pictures.shape} and rawDepths {depth.shape}, not (N, 3, {width}, {height}) and (N, {width}, {height})")
    return count
