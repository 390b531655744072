# SPDX-License-Identifier: Apache-2.0
"""Which layout a capture has, told by what is in the folder."""

from __future__ import annotations

import mmap
import re
from pathlib import Path

from ...engines.errors import CaptureError
from .capture import ANNOTATIONS, Capture
from .coco import CocoCapture
from .reader import CaptureReader
from .solo import SoloCapture, is_solo

_IMAGES, _ANNOTATIONS = re.compile(rb'"images"\s*:\s*\['), re.compile(rb'"annotations"\s*:\s*\[')


def open_capture(path: Path, *, fov_vertical_deg: float | None = None) -> CaptureReader:
    """Open a capture of any layout: a folder, or the JSON file of a COCO dataset.

    ``fov_vertical_deg``: the vertical field of view of all pictures, for captures that do not say their camera. Raises
    :class:`CaptureError` when it is none, when a folder holds several COCO files, and when a camera is given to a capture that has one.
    """
    path = Path(path)
    if path.is_file():
        if not _is_coco(path):
            raise CaptureError(f'{path} is no COCO file (a JSON object with the lists "images" and "annotations"); give that, or a folder.')
        return CocoCapture.open(path, _dataset_folder(path), fov_vertical_deg=fov_vertical_deg)
    if not path.is_dir():
        raise CaptureError(f"The capture {path} is no folder; give the one that holds {ANNOTATIONS}, sequence.0, or a COCO file.")
    own = path / ANNOTATIONS
    if own.exists() and not _is_coco(own):
        return Capture.open(path, fov_vertical_deg=fov_vertical_deg)
    if is_solo(path):
        if fov_vertical_deg is not None:
            raise CaptureError(f"{path} says its cameras itself (SOLO's matrix); leave out --fov-v.")
        return SoloCapture.open(path)
    return _open_coco_of(path, fov_vertical_deg)


def _open_coco_of(folder: Path, fov_vertical_deg: float | None) -> CocoCapture:
    candidates = sorted([*folder.glob("*.json"), *(folder / "annotations").glob("*.json")])
    found = [path for path in candidates if _is_coco(path)]
    if len(found) > 1:
        names = ", ".join(str(path.relative_to(folder)) for path in found[:6])
        raise CaptureError(f"{folder} holds {len(found)} COCO files ({names}); give the one that is meant in place of the folder.")
    if not found:
        raise CaptureError(
            f"{folder} is no capture. Three layouts are read: our own (annotations.json, images/, masks/, camera_intrinsics.json), "
            "Unity Perception's SOLO (sequence.0/step0.frame_data.json, ...), and COCO (a JSON file with images, annotations and categories, "
            "here or in annotations/)."
        )
    return CocoCapture.open(found[0], folder, fov_vertical_deg=fov_vertical_deg)


def _dataset_folder(json_path: Path) -> Path:
    """``annotations/`` is a part of the dataset, not the dataset."""
    return json_path.parent.parent if json_path.parent.name == "annotations" else json_path.parent


def _is_coco(path: Path) -> bool:
    """By its first characters and two keys, without parsing what may be half a gigabyte."""
    try:
        with path.open("rb") as file, mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ) as content:
            start = content[:64].lstrip(b"\xef\xbb\xbf \t\r\n")
            return start.startswith(b"{") and bool(_IMAGES.search(content)) and bool(_ANNOTATIONS.search(content))
    except (OSError, ValueError):
        return False
