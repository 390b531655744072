# SPDX-License-Identifier: Apache-2.0
"""A plain folder: pictures, true depth, and what is known of the camera.

::

    rgb/0001.jpg, depth/0001.png, sky/0001.png, camera.json         folders (also image(s), color, colour; depths, gt), nested or not
    0001.png, 0001_depth.exr, 0001_sky.png, 0001.json               or side by side

**Depth** is 16-bit PNG or TIFF, OpenEXR, ``.npy`` or ``.npz``. Whole numbers are millimetres (those of pictures: what ``depth_unit_m`` of
``camera.json`` says), other numbers metres. 0, negative and not finite is none. A 16-bit PNG of this project is what the file beside it says.
**Sky**, a picture that is not 0 where there is sky, is optional.

**Camera**: a JSON object beside the picture, ``NAME.json``, else ``camera.json`` of the folder for all, with the keys of ``--intrinsics``
(fx, fy, cx, cy; or K; or fov_vertical in degrees; width, height; edge convention); else EXIF. ``camera.json`` may also have ``depth_unit_m``
(metres that one step of 16-bit depth is), ``depth_along`` ("axis", or "ray" for distances from the camera's centre, which are made planar),
``nearest_m`` and ``farthest_m`` (depth outside does not count).
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from ....engines.camera import CameraIntrinsics
from ....engines.depth_file import read_depth_file
from ....engines.depth_map import DepthKind
from ....engines.errors import CameraError, first_line
from ....engines.export.png16 import has_sidecar, read_stored
from ....engines.images import DecodedImage, decode_image
from ....unity_bridge.captures.truth import planar_from_range
from ..samples import BoolArray, DatasetError, FloatArray, Sample
from .base import LayoutReader, assemble
from .counting import Counting
from .plain_files import NamedFiles, scan_folder

_MILLIMETRE_M = 1e-3
_CAMERA_KEYS = frozenset(("fx", "focal_length_x", "K", "fov_vertical", "fov_horizontal"))


@dataclass(frozen=True, slots=True)
class FolderFacts:
    """What ``camera.json`` says of all pictures. ``camera``: the object itself, where it names a camera."""

    camera: Mapping[str, Any] | None = None
    depth_unit_m: float | None = None
    along_ray: bool = False
    nearest_m: float = 0.0
    farthest_m: float = math.inf


class PlainFolder(LayoutReader):
    """Pictures and depth. Names are paths below the folder, without marks and suffixes."""

    layout = "plain folder"

    def __init__(self, folder: Path, pairs: dict[str, NamedFiles], without: int, facts: FolderFacts) -> None:
        unit = "millimetres" if facts.depth_unit_m is None else f"{facts.depth_unit_m:g} m a step"
        along = "distance along the ray made planar" if facts.along_ray else "planar depth"
        counting = Counting(
            split=f"all {len(pairs)} pictures" + (f" with depth, {without} without left out" if without else ""),
            truth=f"{along}, metres (whole numbers: {unit})",
            above_m=facts.nearest_m,
            below_m=facts.farthest_m,
            below_too=True,
        )
        super().__init__(sorted(pairs), counting)
        self._folder, self._pairs, self._facts = folder, pairs, facts

    @staticmethod
    def recognises(path: Path) -> bool:
        return path.is_dir() and any(files.rgb and files.depth for files in scan_folder(path).values())

    @classmethod
    def open(cls, path: Path) -> PlainFolder:
        """Raises :class:`DatasetError`."""
        scanned = scan_folder(path) if path.is_dir() else {}
        pairs = {name: files for name, files in scanned.items() if files.rgb and files.depth}
        if not pairs:
            raise DatasetError(f"{path} has no picture with depth: rgb/NAME.jpg and depth/NAME.png, or NAME.png and NAME_depth.png, .exr, .npy.")
        for name, files in pairs.items():
            if files.second is not None:
                raise DatasetError(f"{files.second} is a second file for {name}; keep one of each kind.")
        facts = _facts(path / "camera.json")
        return cls(path, pairs, sum(bool(files.rgb) and not files.depth for files in scanned.values()), facts)

    def _read(self, name: str) -> Sample:
        files = self._pairs[name]
        assert files.rgb is not None and files.depth is not None
        picture = decode_image(files.rgb)
        camera = self._camera(files.camera, picture)
        depth_m = _depth(files.depth, self._facts.depth_unit_m or _MILLIMETRE_M)
        if self._facts.along_ray:
            if camera is None:
                raise DatasetError(f"{name}: its depth is along the ray, and no camera makes it planar; add fx, fy, cx, cy to camera.json.")
            depth_m = planar_from_range(depth_m, camera.resized(depth_m.shape[1], depth_m.shape[0]))
        return assemble(name, picture.rgb, depth_m, self.counting, _sky(files.sky), camera)

    def _camera(self, own: Path | None, picture: DecodedImage) -> CameraIntrinsics | None:
        source = _json(own) if own is not None else self._facts.camera
        if source is None:
            return picture.exif_camera
        where = own if own is not None else self._folder / "camera.json"
        try:
            return CameraIntrinsics.from_json(source, picture.width, picture.height)
        except CameraError as error:
            raise CameraError(f"{where}: {error}") from error


def _depth(path: Path, unit_m: float) -> FloatArray:
    """Metres (H, W); 0, negative or not finite for none."""
    if path.suffix.lower() in (".png", ".tif", ".tiff") and not (path.suffix.lower() == ".png" and has_sidecar(path)):
        stored = read_stored(path)
        if stored.ndim != 2 or stored.dtype not in (np.uint16, np.float32, np.float64):
            what = f"{stored.dtype} pixels" + ("" if stored.ndim == 2 else f" of {stored.shape[2]} channels")
            raise DatasetError(f"{path} has {what}; save true depth as grey with 16 bits, or as OpenEXR.")
        whole = stored.dtype == np.uint16
        return np.asarray(stored * unit_m if whole else stored, np.float32)
    depth = read_depth_file(path)
    if depth.kind is not DepthKind.METRIC:
        raise DatasetError(f"{path} holds {depth.kind} and no metres; true depth is needed.")
    return np.where(depth.valid, depth.values, np.float32(0)).astype(np.float32, copy=False)


def _sky(path: Path | None) -> BoolArray | None:
    if path is None:
        return None
    stored = read_stored(path)
    return np.asarray((stored if stored.ndim == 2 else stored[..., :3].max(axis=2)) > 0)


def _json(path: Path) -> Mapping[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError, RecursionError) as error:
        raise DatasetError(f"{path} is not readable JSON ({first_line(error)}).") from error
    if not isinstance(data, dict):
        raise DatasetError(f"{path} holds no JSON object; write fx, fy, cx, cy, width and height into one.")
    return data


def _facts(path: Path) -> FolderFacts:
    if not path.exists():
        return FolderFacts()
    data = _json(path)
    along = data.get("depth_along", "axis")
    if along not in ("axis", "ray"):
        raise DatasetError(f'{path}: depth_along is {along!r}; give "axis" or "ray".')
    facts = FolderFacts(
        camera=data if _CAMERA_KEYS & data.keys() else None,
        depth_unit_m=_length(path, data, "depth_unit_m"),
        along_ray=along == "ray",
        nearest_m=_length(path, data, "nearest_m") or 0.0,
        farthest_m=_length(path, data, "farthest_m") or math.inf,
    )
    if facts.nearest_m >= facts.farthest_m:
        raise DatasetError(f"{path}: nearest_m {facts.nearest_m:g} is not below farthest_m {facts.farthest_m:g}.")
    return facts


def _length(path: Path, data: Mapping[str, Any], key: str) -> float | None:
    value = data.get(key)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, (int, float)) or not math.isfinite(value) or value <= 0:
        raise DatasetError(f"{path}: {key} is {value!r}; give metres above 0.")
    return float(value)
