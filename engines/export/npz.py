# SPDX-License-Identifier: Apache-2.0
"""A depth map as a NumPy archive, without loss and without pickles.

Keys: ``depth`` float32 (H,W); ``valid`` bool (H,W); ``sky`` float32 (H,W), HIGH is sky, all zero with ``has_sky`` False when the model has
no sky output; ``confidence`` float32 (H,W), only when the model has it; ``K`` float64 (3,3), pixels, edge convention, only when there is a
camera; ``extrinsics`` float64 (3,4), world-to-camera, and ``focal_px``, only when known; the strings ``kind``, ``unit``, ``model``,
``camera_source`` and, for a map without metres, ``scale_note``.
"""

from __future__ import annotations

import io
import zipfile
import zlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..atomic import atomic_path
from ..camera import CameraIntrinsics, CameraSource
from ..depth_map import DepthKind, DepthMap
from ..errors import ImageError

_MAX_ENTRY_BYTES = 4 * 2**30


def write_npz(path: Path, depth: DepthMap, *, overwrite: bool = False) -> None:
    """Writes every part of ``depth`` but its stage times. Raises :class:`~..errors.OutputError`."""
    entries: dict[str, Any] = {
        "depth": depth.values.astype(np.float32, copy=False),
        "valid": depth.valid,
        "sky": np.zeros(depth.values.shape, np.float32) if depth.sky is None else depth.sky.astype(np.float32, copy=False),
        "has_sky": np.array(depth.sky is not None),
        "kind": np.array(depth.kind.value),
        "unit": np.array(depth.kind.unit),
        "model": np.array(depth.model_id),
        "camera_source": np.array(depth.camera_source.value),
    }
    if depth.confidence is not None:
        entries["confidence"] = depth.confidence.astype(np.float32, copy=False)
    if depth.camera is not None:
        entries["K"] = depth.camera.matrix
    if depth.extrinsics is not None:
        entries["extrinsics"] = depth.extrinsics.astype(np.float64, copy=False)
    if depth.focal_px is not None:
        entries["focal_px"] = np.array(depth.focal_px, dtype=np.float64)
    if depth.scale_note is not None:
        entries["scale_note"] = np.array(depth.scale_note)
    # By way of memory: Python 3.11's zipfile prints a traceback of its own when a disk fills up beneath it.
    archive = io.BytesIO()
    np.savez_compressed(archive, **entries)  # older NumPy would take allow_pickle=False for one more entry
    with atomic_path(path, overwrite=overwrite) as temporary:
        temporary.write_bytes(archive.getvalue())


def read_npz(path: Path) -> DepthMap:
    """The map that :func:`write_npz` wrote, exactly, but for its stage times.

    Files of other programs with the same keys will do as well: ``depth`` and ``kind`` are needed, and ``valid`` is, when it is
    missing, every finite, positive depth.

    Raises :class:`~..errors.ImageError` for a file that is missing, damaged, or no such archive, and
    :class:`~..errors.CameraError` for a ``K`` that is none.
    """
    path = Path(path)
    return map_of_entries(path, read_entries(path))


def read_entries(path: Path) -> dict[str, npt.NDArray[Any]]:
    """Every array of an .npz archive, of any program, by its name. Raises :class:`~..errors.ImageError` as :func:`read_npz` does."""
    try:
        _refuse_bombs(path)
        with np.load(path, allow_pickle=False) as archive:
            return {name: archive[name] for name in archive.files}
    except FileNotFoundError as error:
        raise ImageError(f"{path} does not exist; check the path.") from error
    except IsADirectoryError as error:
        raise ImageError(f"{path} is a folder; give an .npz file.") from error
    except (OSError, ValueError, EOFError, zipfile.BadZipFile, zlib.error, KeyError, NotImplementedError) as error:
        raise ImageError(f"{path} is no readable .npz archive of plain numbers; write it again.") from error


def read_array(path: Path) -> npt.NDArray[Any]:
    """The array of an .npy file. Raises :class:`~..errors.ImageError`."""
    try:
        return np.asarray(np.load(path, allow_pickle=False))
    except FileNotFoundError as error:
        raise ImageError(f"{path} does not exist; check the path.") from error
    except (OSError, ValueError, EOFError, MemoryError) as error:
        raise ImageError(f"{path} is no readable .npy file of plain numbers; write it again.") from error


def _refuse_bombs(path: Path) -> None:
    """A few kilobytes can unpack to a full memory; the archive's directory tells the size beforehand."""
    with zipfile.ZipFile(path) as archive:
        if sum(entry.file_size for entry in archive.infolist()) > _MAX_ENTRY_BYTES:
            raise ImageError(f"{path} unpacks to more than {_MAX_ENTRY_BYTES // 2**30} GB; give a depth map of an ordinary size.")


def map_of_entries(path: Path, entries: Mapping[str, npt.NDArray[Any]]) -> DepthMap:
    """The map that the entries of ``path`` are, which has ``depth`` and ``kind`` at least. Raises as :func:`read_npz` does."""
    values = _layer(path, entries, "depth", None)
    if values is None:
        raise ImageError(f"{path} has no entry 'depth'; give a file written by depthbridge estimate.")
    word = _word(path, entries, "kind", "")
    try:
        kind = DepthKind(word)
    except ValueError as error:
        raise ImageError(f"{path} is of the unknown kind {word!r}; its entry 'kind' says metric, relative or disparity.") from error
    try:
        source = CameraSource(_word(path, entries, "camera_source", CameraSource.NONE.value))
    except ValueError as error:
        raise ImageError(f"{path} has an unknown 'camera_source'; it says given, exif, model, assumed or none.") from error
    shape = values.shape
    if "valid" in entries:
        valid = entries["valid"]
        if valid.dtype != np.bool_ or valid.shape != shape:
            raise ImageError(f"{path}: 'valid' is {valid.dtype} {valid.shape}; it must be bool {shape}, as 'depth' is.")
        if not np.isfinite(values[valid]).all() or (kind is not DepthKind.DISPARITY and (values[valid] <= 0).any()):
            raise ImageError(f"{path}: 'depth' is not finite and positive where 'valid' is True; mark those pixels invalid.")
    else:
        valid = kind.holds(values)
    has_sky = bool(entries["has_sky"]) if "has_sky" in entries and entries["has_sky"].size == 1 else True
    camera = CameraIntrinsics.from_matrix(entries["K"], shape[1], shape[0]) if "K" in entries else None
    return DepthMap(
        values=values,
        kind=kind,
        valid=valid,
        sky=_layer(path, entries, "sky", shape) if has_sky else None,
        confidence=_layer(path, entries, "confidence", shape),
        camera=camera,
        model_id=_word(path, entries, "model", path.stem),
        camera_source=source,
        extrinsics=_numbers(path, entries, "extrinsics", (3, 4)),
        focal_px=None if (focal := _numbers(path, entries, "focal_px", ())) is None else float(focal),
        scale_note=_word(path, entries, "scale_note", "") or None,
    )


def _layer(
    path: Path, entries: Mapping[str, npt.NDArray[Any]], name: str, shape: tuple[int, ...] | None
) -> npt.NDArray[np.float32] | None:
    if name not in entries:
        return None
    layer = entries[name]
    if layer.dtype.kind not in "fiub" or layer.ndim != 2 or 0 in layer.shape or shape not in (None, layer.shape):
        raise ImageError(f"{path}: '{name}' is {layer.dtype} {layer.shape}; it must be numbers of shape {shape or '(H, W)'}.")
    return layer.astype(np.float32, copy=False)


def _numbers(path: Path, entries: Mapping[str, npt.NDArray[Any]], name: str, shape: tuple[int, ...]) -> npt.NDArray[np.float64] | None:
    if name not in entries:
        return None
    numbers = entries[name]
    if numbers.dtype.kind not in "fiu" or numbers.shape != shape or not np.isfinite(numbers).all():
        raise ImageError(f"{path}: '{name}' is not made of finite numbers of shape {shape}.")
    return numbers.astype(np.float64, copy=False)


def _word(path: Path, entries: Mapping[str, npt.NDArray[Any]], name: str, default: str) -> str:
    if name not in entries:
        return default
    word = entries[name]
    if word.dtype.kind != "U" or word.size != 1:
        raise ImageError(f"{path}: '{name}' is not one word of text.")
    return str(word.item())
