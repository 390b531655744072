# SPDX-License-Identifier: Apache-2.0
"""Which layout a folder or file is in."""

from __future__ import annotations

from pathlib import Path

from ....engines.errors import first_line
from ..samples import Dataset, DatasetError
from .base import LayoutReader
from .captures import CaptureDataset
from .hypersim import Hypersim
from .kitti import KittiEigen
from .kitti_selection import KittiSelection
from .nyu import NyuDepthV2
from .plain import PlainFolder
from .sunrgbd import SunRgbd
from .vkitti import VirtualKitti2

_READERS: dict[str, type[LayoutReader]] = {
    "nyu": NyuDepthV2,
    "kitti": KittiEigen,
    "kitti-selection": KittiSelection,
    "vkitti2": VirtualKitti2,
    "hypersim": Hypersim,
    "sunrgbd": SunRgbd,
    "capture": CaptureDataset,
    "plain": PlainFolder,
}

LAYOUTS = {
    "nyu": "NYU Depth v2: nyu_depth_v2_labeled.mat and splits.mat",
    "kitti": "KITTI, Eigen's test split: val/*_sync/proj_depth and the raw pictures, 2011_09_26/*_sync/image_02",
    "kitti-selection": "KITTI, depth_selection/val_selection_cropped",
    "vkitti2": "Virtual KITTI 2: Scene01/clone/frames/depth",
    "hypersim": "Hypersim: ai_001_001/images/scene_cam_00_geometry_hdf5",
    "sunrgbd": "SUN RGB-D: SUNRGBD/kv1, kv2, realsense, xtion",
    "capture": "a capture with true depth: annotations.json, SOLO or COCO",
    "plain": "pictures and depth: rgb/NAME and depth/NAME, or NAME.png and NAME_depth.png",
}
"""What :func:`open_dataset` takes as ``layout``, each with what it is told by; in the order in which they are tried."""


def open_dataset(path: Path, layout: str | None = None) -> Dataset:
    """The data set at ``path``, in the layout of that key of :data:`LAYOUTS` or in the first that is recognised.

    Raises :class:`DatasetError`, with what was looked for where nothing is recognised.
    """
    path = Path(path)
    if layout is not None and layout not in _READERS:
        raise DatasetError(f"{layout!r} is no layout; give one of {', '.join(_READERS)}.")
    if not path.exists():
        raise DatasetError(f"{path} does not exist; give the folder of a data set.")
    try:
        reader = _recognised(path) if layout is None else _READERS[layout]
        return reader.open(path)
    except OSError as error:
        raise DatasetError(f"{path} could not be listed ({first_line(error)}); check its permissions.") from error


def _recognised(path: Path) -> type[LayoutReader]:
    for reader in _READERS.values():
        if reader.recognises(path):
            return reader
    looked_for = "; ".join(f"{words} ({key})" for key, words in LAYOUTS.items())
    raise DatasetError(f"{path} is no data set of a layout that is known. Looked for: {looked_for}. Of a part of a data set, give the whole.")
