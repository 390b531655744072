# SPDX-License-Identifier: Apache-2.0
"""A depth map as a 16-bit grey PNG, near = bright, and a JSON file beside it that maps the codes back to values.

Code 0 is "no value"; codes 1 (farthest valid pixel) to 65535 (nearest) are linear in a *quantity*: the value itself for disparity, its
inverse for depth, so that resolution is finest where things are near. With ``scale`` and ``offset`` of the sidecar::

    quantity = offset + scale * (code - 1)        value = quantity (disparity)  or  1 / quantity (depth)

The error of a quantity is at most ``scale / 2``, that of a depth d therefore ``d * d' * scale / 2`` where d' is the depth read back.
"""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import numpy.typing as npt

from ..atomic import atomic_folder_contents, atomic_path
from ..camera import CameraIntrinsics, CameraSource
from ..depth_map import DepthKind, DepthMap
from ..errors import DepthbridgeError, DepthKindError, ImageError

_FORMAT = "depthbridge-depth16"
_LAST_CODE = 65535


@dataclass(frozen=True, slots=True)
class CodeMap:
    """The line from codes to the quantity: ``quantity = offset + scale * (code - 1)``."""

    inverse: bool
    offset: float
    scale: float

    @classmethod
    def for_map(cls, depth: DepthMap) -> CodeMap:
        """Code 1 for the farthest valid pixel, 65535 for the nearest. Raises :class:`DepthKindError` for a depth that is not positive."""
        inverse = depth.kind is not DepthKind.DISPARITY
        values = np.asarray(depth.values[depth.valid], dtype=np.float64)
        if not depth.valid.any():
            return cls(inverse, 1.0, 0.0)
        least, most = float(np.min(values)), float(np.max(values))
        farthest, nearest = (most, least) if inverse else (least, most)
        if not np.isfinite(values).all() or (inverse and nearest <= 0):
            raise DepthKindError("A pixel marked valid has no finite, positive depth; this map cannot be written as codes.")
        far, near = (1 / farthest, 1 / nearest) if inverse else (farthest, nearest)
        return cls(inverse, far, (near - far) / (_LAST_CODE - 1))

    def encode(self, depth: DepthMap) -> npt.NDArray[np.uint16]:
        """uint16 (H,W), 0 where not valid."""
        values = np.where(depth.valid, depth.values, 1).astype(np.float64)
        quantity = 1 / values if self.inverse else values
        # A map of one value has no scale: all of it is nearest, and the line is constant.
        steps = (quantity - self.offset) / self.scale if self.scale > 0 else np.full(values.shape, _LAST_CODE - 1.0)
        codes = np.clip(np.rint(steps), 0, _LAST_CODE - 1) + 1
        return np.where(depth.valid, codes, 0).astype(np.uint16)

    def decode(self, codes: npt.NDArray[np.uint16]) -> npt.NDArray[np.float32]:
        """float32 (H,W), 0 where the code is 0."""
        quantity = self.offset + self.scale * (codes.astype(np.float64) - 1)
        quantity = np.where(codes > 0, quantity, 1.0)
        return np.where(codes > 0, 1 / quantity if self.inverse else quantity, 0.0).astype(np.float32)


def sidecar_path(path: Path) -> Path:
    """Where the sidecar of a map lies: ``x_depth16.json`` beside ``x_depth16.png``."""
    return Path(path).with_suffix(".json")


def write_png16(path: Path, depth: DepthMap, *, overwrite: bool = False) -> None:
    """Writes ``path`` and its :func:`sidecar_path`: both, or neither. Raises :class:`~..errors.OutputError`."""
    path = Path(path)
    line = CodeMap.for_map(depth)
    sidecar = {
        "format": _FORMAT,
        "version": 1,
        "kind": depth.kind.value,
        "unit": depth.kind.unit,
        "quantity": "inverse" if line.inverse else "value",
        "offset": line.offset,
        "scale": line.scale,
        "invalid_code": 0,
        "formula": f"value = {'1 / ' if line.inverse else ''}(offset + scale * (code - 1)); code 0 has no value",
        "model": depth.model_id,
        "camera_source": depth.camera_source.value,
        "camera": None if depth.camera is None else depth.camera.to_json(),
    }
    done, encoded = cv2.imencode(".png", line.encode(depth))
    if not done:
        raise DepthKindError(f"A map of {depth.width}x{depth.height} pixels does not fit into a PNG file.")
    with atomic_folder_contents(path.parent, overwrite=overwrite) as staging:
        for name, content in (
            (path.name, encoded.tobytes()),
            (sidecar_path(path).name, (json.dumps(sidecar, indent=2, allow_nan=False) + "\n").encode()),
        ):
            with atomic_path(staging / name) as temporary:
                temporary.write_bytes(content)


def read_png16(path: Path) -> DepthMap:
    """The map back from ``path`` and its sidecar, within the error that the module's text derives; 0 where not valid.

    Raises :class:`~..errors.ImageError` when one of the two is missing, damaged or of another format.
    """
    path = Path(path)
    data = _read_sidecar(sidecar_path(path))
    codes = read_stored(path)
    if codes.dtype != np.uint16 or codes.ndim != 2:
        raise ImageError(f"{path} is no 16-bit grey PNG; an editor may have saved it with 8 bits.")
    try:
        line = CodeMap(data["quantity"] == "inverse", float(data["offset"]), float(data["scale"]))
        kind, source = DepthKind(data["kind"]), CameraSource(data["camera_source"])
        model = str(data["model"])
        camera = None if data["camera"] is None else CameraIntrinsics.from_json(data["camera"])
    except (KeyError, TypeError, ValueError, DepthbridgeError) as error:
        raise ImageError(f"{sidecar_path(path)} is incomplete or damaged ({error}); write the map again.") from error
    if not (math.isfinite(line.offset) and math.isfinite(line.scale) and line.scale >= 0) or (line.inverse and line.offset <= 0):
        raise ImageError(f"{sidecar_path(path)} has an offset or scale that no depth map has; write the map again.")
    if camera is not None and (camera.height, camera.width) != codes.shape:
        raise ImageError(f"{path} is {codes.shape[1]}x{codes.shape[0]}, its sidecar's camera {camera.width}x{camera.height}.")
    return DepthMap(
        values=line.decode(codes.astype(np.uint16, copy=False)),
        kind=kind,
        valid=codes > 0,
        sky=None,
        confidence=None,
        camera=camera,
        model_id=model,
        camera_source=source,
    )


def has_sidecar(path: Path) -> bool:
    """Whether a JSON file of this format lies beside the picture ``path``; whether it is whole is told by reading it."""
    try:
        data = json.loads(sidecar_path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(data, dict) and data.get("format") == _FORMAT


def read_stored(path: Path) -> npt.NDArray[Any]:
    """The numbers of a picture file as they are stored, (H,W), or (H,W,C) with blue first. Raises :class:`~..errors.ImageError`."""
    try:
        stored = cv2.imdecode(np.frombuffer(path.read_bytes(), np.uint8), cv2.IMREAD_UNCHANGED)
    except FileNotFoundError as error:
        raise ImageError(f"{path} does not exist; check the path.") from error
    except (OSError, cv2.error) as error:
        raise ImageError(f"{path} could not be read; check that it is a whole picture file.") from error
    if stored is None:
        raise ImageError(f"{path} is no picture file, or a damaged one; write or download it again.")
    return np.asarray(stored)


def _read_sidecar(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError as error:
        raise ImageError(f"{path} is missing; without it the codes of the map beside it have no meaning.") from error
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ImageError(f"{path} is not readable JSON; write the map again.") from error
    if not isinstance(data, dict) or data.get("format") != _FORMAT or data.get("version") != 1:
        raise ImageError(f"{path} is no sidecar of format {_FORMAT} version 1; give a map written by depthbridge.")
    return data
