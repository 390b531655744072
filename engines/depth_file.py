# SPDX-License-Identifier: Apache-2.0
"""Depth that somebody else made, from a file: NumPy (.npz, .npy), OpenEXR, and pictures (PNG, TIFF, JPEG).

Files of this project say themselves what they hold. Of others it has to be told or assumed, and what was assumed stands in
:attr:`DepthMap.scale_note`:

- **OpenEXR, floating-point TIFF and NumPy: metres.** Renderers write scene units, and so do the models that save floats. An array called
  disparity is that; integers are millimetres, as RGB-D cameras count.
- **Whole-number pictures: disparity, near = bright.** It is what depth estimators and the tools around them save, and what artists
  exchange. RGB-D data sets keep millimetres in 16 bits, too, and a picture cannot tell which it is. Guessing from its values would make
  metres out of some frames of a film and disparity out of others; so nothing is guessed, and values that look like millimetres are pointed
  out in the note.

Depth is taken as planar, along the optical axis. What is not finite, not positive, or a renderer's background is not valid.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import StrEnum
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from .camera import CameraIntrinsics, CameraSource
from .depth_arrays import choose_depth
from .depth_map import DepthKind, DepthMap
from .errors import ImageError
from .export.exr import read_exr_depth
from .export.npz import map_of_entries, read_array, read_entries
from .export.png16 import has_sidecar, read_png16, read_stored

_BACKGROUND = 1e9
"""Farther than anything: Cycles writes 1e10 where there is nothing, others the largest float."""
_HALF_MOST = 65504.0
_MAX_PIXELS = 2**27
_SAME_GREY = 0.03
"""How far the channels of a grey picture may lie apart, as a part of white: JPEG stores colours coarsely."""


class DepthMeaning(StrEnum):
    """What the numbers of a depth file are; AUTO: what the file says, else what its format makes likely."""

    AUTO = "auto"
    METRES = "metres"
    MILLIMETRES = "millimetres"
    RELATIVE = "relative"
    """Depth without a unit: larger, or brighter, is farther."""
    DISPARITY = "disparity"
    """Inverse depth: larger, or brighter, is nearer."""

    @property
    def kind(self) -> DepthKind:
        """The kind of a map of this meaning. AUTO has none."""
        return {
            DepthMeaning.METRES: DepthKind.METRIC,
            DepthMeaning.MILLIMETRES: DepthKind.METRIC,
            DepthMeaning.RELATIVE: DepthKind.RELATIVE,
            DepthMeaning.DISPARITY: DepthKind.DISPARITY,
        }[self]


@dataclass(frozen=True, slots=True, eq=False)
class _Foreign:
    """Numbers of another program's file, and the meaning to take when none is given, with the sentence that says so.

    ``white``: what becomes 1 where there is no unit, None for numbers that stay as they are. ``usable``: bool (H,W), or None for all.
    """

    values: npt.NDArray[Any]
    assumed: DepthMeaning
    because: str
    white: float | None = None
    usable: npt.NDArray[np.bool_] | None = None
    confidence: npt.NDArray[np.float32] | None = None
    camera: CameraIntrinsics | None = None
    notes: tuple[str, ...] = ()


def read_depth_file(path: Path, meaning: DepthMeaning = DepthMeaning.AUTO) -> DepthMap:
    """The map in the file ``path``, float32 (H,W), of any of the formats above; what it is, is told by its content and not by its name.

    ``meaning`` is what the numbers of another program's file are. A file of this project is believed before ``meaning``, and the note says so
    where they differ. Whole-number pictures without a unit become 0 to 1. Raises :class:`ImageError`, in one sentence, for a file that is
    missing, damaged, no depth, or without a single pixel that has depth, and :class:`~.errors.CameraError` for intrinsics in a file of this
    project that are none.
    """
    path = Path(path)
    found = _read(path, _first_bytes(path))
    if isinstance(found, DepthMap):
        return _believe(found, meaning)
    return _interpret(path, found, meaning)


def _read(path: Path, magic: bytes) -> DepthMap | _Foreign:
    if magic.startswith(b"PK"):
        entries = read_entries(path)
        return map_of_entries(path, entries) if "depth" in entries and "kind" in entries else _arrays(path, entries)
    if magic.startswith(b"\x93NUMPY"):
        return _arrays(path, {path.stem: read_array(path)})
    if magic.startswith(b"v/1\x01"):
        return _exr(path)
    if magic.startswith((b"\x89PNG\r\n\x1a\n", b"\xff\xd8\xff", b"II*\0", b"MM\0*")):
        if magic.startswith(b"\x89PNG") and has_sidecar(path):
            return read_png16(path)
        return _picture(path, magic)
    raise ImageError(f"{path} is no depth file that is known; give OpenEXR, PNG, TIFF, JPEG, .npz or .npy.")


def _first_bytes(path: Path) -> bytes:
    try:
        # Asked first: opening a named pipe would wait for ever.
        if path.exists() and not path.is_file():
            raise ImageError(f"{path} is {'a folder' if path.is_dir() else 'no plain file'}; give a depth file.")
        with path.open("rb") as file:
            magic = file.read(32)
    except FileNotFoundError as error:
        raise ImageError(f"{path} does not exist; check the path.") from error
    except OSError as error:
        raise ImageError(f"{path} could not be read ({error.strerror or error}); check its permissions.") from error
    if not magic:
        raise ImageError(f"{path} is empty (0 bytes); write or download it again.")
    return magic


# ---- one format each ------------------------------------------------------------------------------------------------


def _arrays(path: Path, entries: dict[str, npt.NDArray[Any]]) -> _Foreign:
    chosen = choose_depth(path, entries)
    bits = chosen.values.dtype.itemsize * 8
    whole = chosen.values.dtype.kind in "iu"
    if chosen.inverse:
        assumed, because = DepthMeaning.DISPARITY, f"Taken as inverse depth, as its array is called {chosen.name!r}"
    elif whole and bits == 8:
        assumed, because = DepthMeaning.DISPARITY, "Taken as inverse depth, near is large: it has 8 bits, as pictures of depth have"
    elif whole:
        assumed = DepthMeaning.MILLIMETRES
        because = f"Taken as millimetres: the array {chosen.name!r} holds whole numbers, as RGB-D cameras write them"
    else:
        assumed, because = DepthMeaning.METRES, f"Taken as metres (array {chosen.name!r})"
    white = float(np.iinfo(chosen.values.dtype).max) if whole and bits <= 16 else None
    return _Foreign(chosen.values, assumed, because, white, chosen.valid, chosen.confidence, chosen.camera, chosen.notes)


def _exr(path: Path) -> DepthMap | _Foreign:
    read = read_exr_depth(path)
    if read.own is not None:
        return read.own
    half = read.channel.kind == "half"
    # Blender cuts its background off at the largest half float.
    usable = read.values < (_HALF_MOST if half else _BACKGROUND)
    of = f"channel {read.channel.name!r}" + (f" of {len(read.channels)}" if len(read.channels) > 1 else "")
    notes = ("It has half floats, steps of a two-thousandth of the depth; 32 bits have none that show.",) if half else ()
    return _Foreign(read.values, DepthMeaning.METRES, f"Taken as metres, as renderers write depth ({of})", None, usable, notes=notes)


def _picture(path: Path, magic: bytes) -> _Foreign:
    if magic.startswith(b"\x89PNG"):
        width, height = (int.from_bytes(magic[place : place + 4], "big") for place in (16, 20))
        if width * height > _MAX_PIXELS:
            raise ImageError(f"{path} says it has {width}x{height} pixels, which no depth map has; resize it first.")
    stored = read_stored(path)
    usable = stored[..., 3] > 0 if stored.ndim == 3 and stored.shape[2] == 4 else None
    if stored.dtype.kind == "f":
        values = _grey(path, stored, 0.0)
        return _Foreign(values, DepthMeaning.METRES, "Taken as metres, as floating-point pictures of depth are", None, usable)
    if stored.dtype not in (np.uint8, np.uint16):
        raise ImageError(f"{path} has pixels of the type {stored.dtype}; save depth with 16 bits, or as OpenEXR.")
    white = 255.0 if stored.dtype == np.uint8 else 65535.0
    values = _grey(path, stored, _SAME_GREY * white)
    because = "Taken as inverse depth, near is bright, as depth estimators save pictures"
    notes: tuple[str, ...] = ()
    if white < 256:
        notes = ("It has 8 bits: surfaces show steps, 255 at most; a 16-bit PNG or an EXR has none that show.",)
    elif _like_millimetres(values):
        because += f"; but its values, up to {int(values.max())}, look like the millimetres of an RGB-D camera"
    return _Foreign(values, DepthMeaning.DISPARITY, because, white, usable, notes=notes)


def _grey(path: Path, stored: npt.NDArray[Any], tolerance: float) -> npt.NDArray[Any]:
    """(H,W) of a picture whose colours, if it has any, are greys."""
    if stored.ndim == 2:
        return stored
    colours = stored[..., :3]
    apart = colours.max(axis=2).astype(np.float64) - colours.min(axis=2)
    if np.count_nonzero(apart > tolerance) > 0.001 * apart.size:
        raise ImageError(f"{path} is a picture in colours: a photo, or depth that was painted to be looked at; give the grey depth itself.")
    return np.ascontiguousarray(colours[..., 1])


def _like_millimetres(values: npt.NDArray[Any]) -> bool:
    """Nothing beyond 20 metres, most of it beyond 20 centimetres, and less than the whole range used, which estimators do use."""
    seen = values[values > 0]
    return bool(seen.size and seen.max() <= 20_000 and np.median(seen) >= 200)


# ---- what it means --------------------------------------------------------------------------------------------------


def _believe(own: DepthMap, meaning: DepthMeaning) -> DepthMap:
    if meaning is DepthMeaning.AUTO or (meaning.kind is own.kind and meaning is not DepthMeaning.MILLIMETRES):
        return own
    said = f"The file says itself that it holds {'metres' if own.kind is DepthKind.METRIC else own.kind.value}; {meaning.value} was not used."
    return replace(own, scale_note=" ".join(filter(None, (said, own.scale_note))))


def _interpret(path: Path, found: _Foreign, asked: DepthMeaning) -> DepthMap:
    meaning = found.assumed if asked is DepthMeaning.AUTO else asked
    with np.errstate(over="ignore"):
        values = found.values.astype(np.float32)
    if meaning is DepthMeaning.MILLIMETRES:
        values = values * np.float32(1e-3)
    elif meaning is not DepthMeaning.METRES and found.white is not None:
        values = values / np.float32(found.white)
    valid = meaning.kind.holds(values) & (values < _BACKGROUND)
    if found.usable is not None:
        valid &= found.usable
    if not (values[valid] > 0).any():
        raise ImageError(f"{path} has not one pixel with a depth; write it again, or say what its numbers are.")
    remedy = "choose another meaning of the file if that is wrong."
    assumed = (f"{found.because}; {remedy}",) if asked is DepthMeaning.AUTO else ()
    return DepthMap(
        values=np.where(valid, values, np.float32(0)),
        kind=meaning.kind,
        valid=valid,
        sky=None,
        confidence=found.confidence,
        camera=found.camera,
        model_id=path.name,
        camera_source=CameraSource.NONE if found.camera is None else CameraSource.GIVEN,
        scale_note=" ".join((*assumed, *found.notes)) or None,
    )
