# SPDX-License-Identifier: GPL-3.0-or-later
"""What lies beside the frames of a sequence, so that it can be resumed and built again without its model. Imports no bpy.

``sequence.json`` says what the frames are; ``frames.jsonl`` has a line for each finished one, added when its EXR is in place.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from ...engines.atomic import atomic_path, writing_to
from ...engines.camera import CameraIntrinsics, CameraSource
from ...engines.depth_map import DepthKind
from ...engines.errors import DepthbridgeError, OutputError
from ...engines.sequence_scale import FrameScale
from ..prepare import Conversion

FORMAT = "depthbridge-sequence"
VERSION = 1
HEADER_NAME = "sequence.json"
LOG_NAME = "frames.jsonl"


@dataclass(frozen=True, slots=True)
class SequenceHeader:
    """What all frames have in common.

    ``source``: the folder or movie; ``width``, ``height``: of its pictures; ``rows``, ``columns``: of the EXRs, every ``stride``-th pixel.
    ``kind``: what the model gave; ``steadied``: metric maps were brought to one scale, too. ``conversion``: how disparity became
    depth. ``has_sky``: the model tells the sky.
    """

    source: Path
    name: str
    width: int
    height: int
    fps: float | None
    stride: int
    rows: int
    columns: int
    model: str
    kind: DepthKind
    steadied: bool
    camera: CameraIntrinsics
    camera_source: CameraSource
    conversion: Conversion | None
    scale_note: str | None
    has_sky: bool

    @property
    def unit(self) -> str:
        """Of the depth in the EXRs: ``m`` or ``relative``."""
        metres = self.kind is DepthKind.METRIC or (self.conversion is not None and not self.conversion.guessed)
        return (DepthKind.METRIC if metres else DepthKind.RELATIVE).unit

    def to_json(self) -> dict[str, Any]:
        plain = asdict(self)
        plain.update(format=FORMAT, version=VERSION, source=str(self.source), camera=self.camera.to_json(), unit=self.unit)
        return plain

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> SequenceHeader:
        """Raises ValueError, KeyError, TypeError or a ``DepthbridgeError`` for anything that :meth:`to_json` did not make."""
        if data["format"] != FORMAT or data["version"] != VERSION:
            raise ValueError("another format")
        conversion = data["conversion"]
        return cls(
            source=Path(data["source"]),
            name=str(data["name"]),
            width=int(data["width"]),
            height=int(data["height"]),
            fps=None if data["fps"] is None else float(data["fps"]),
            stride=int(data["stride"]),
            rows=int(data["rows"]),
            columns=int(data["columns"]),
            model=str(data["model"]),
            kind=DepthKind(data["kind"]),
            steadied=bool(data["steadied"]),
            camera=CameraIntrinsics.from_json(data["camera"]),
            camera_source=CameraSource(data["camera_source"]),
            conversion=None if conversion is None else Conversion(**conversion),
            scale_note=data["scale_note"],
            has_sky=bool(data["has_sky"]),
        )


@dataclass(frozen=True, slots=True)
class Ending:
    """Known when all frames are finished. ``photo``: the first picture, or the movie, that plays on the object; Blender counts the pictures
    from ``first_number``."""

    count: int
    photo: Path
    movie: bool
    first_number: int


@dataclass(frozen=True, slots=True)
class FrameEntry:
    """A finished frame: its scale, the depths of its surfaces (None when it shows none), the mark of the picture it was made from
    (:meth:`~..engines.frames.Frames.mark_of`), and whether Blender shows that picture as it was read."""

    found: FrameScale
    nearest: float | None
    farthest: float | None
    mark: str
    shown_as_read: bool

    def to_json(self) -> dict[str, Any]:
        rest = {"nearest": self.nearest, "farthest": self.farthest, "mark": self.mark, "shown_as_read": self.shown_as_read}
        return {**asdict(self.found), **rest}

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> FrameEntry:
        found = FrameScale(int(data["index"]), float(data["scale"]), float(data["shift"]), int(data["reference"]))
        return cls(found, data["nearest"], data["farthest"], str(data["mark"]), bool(data["shown_as_read"]))


def frame_path(folder: Path, index: int) -> Path:
    """The EXR of frame ``index``, counted from 0; the files count from 1."""
    return folder / f"depth_{index + 1:04d}.exr"


def photo_path(folder: Path, index: int) -> Path:
    """The copy of the picture of frame ``index``, for sources that Blender cannot play itself."""
    return folder / f"photo_{index + 1:04d}.png"


def read_header(folder: Path) -> tuple[SequenceHeader, Ending | None] | None:
    """The header in ``folder``, and what was added when all frames were finished; None when there is no header. Raises
    :class:`DepthbridgeError` for one that is damaged."""
    path = folder / HEADER_NAME
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        ending = data.get("ending")
        return SequenceHeader.from_json(data), None if ending is None else Ending(**{**ending, "photo": Path(ending["photo"])})
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, DepthbridgeError) as error:
        raise DepthbridgeError(f"{path} is damaged or by another version; delete its folder, or choose another.") from error


def write_header(folder: Path, header: SequenceHeader, ending: Ending | None = None, *, overwrite: bool) -> None:
    """Raises :class:`OutputError`."""
    data = header.to_json() | ({} if ending is None else {"ending": {**asdict(ending), "photo": str(ending.photo)}})
    with atomic_path(folder / HEADER_NAME, overwrite=overwrite) as temporary:
        temporary.write_text(json.dumps(data, indent=2, allow_nan=False), encoding="utf-8")


def read_log(folder: Path) -> dict[int, FrameEntry]:
    """The finished frames whose EXR is there, by index. A line that was cut off, or is damaged, is that of an unfinished frame."""
    try:
        lines = (folder / LOG_NAME).read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise DepthbridgeError(f"{folder / LOG_NAME} could not be read ({error.strerror}); check its permissions.") from error
    entries: dict[int, FrameEntry] = {}
    for line in lines:
        try:
            entry = FrameEntry.from_json(json.loads(line))
        except (ValueError, KeyError, TypeError):
            continue
        if frame_path(folder, entry.found.index).is_file():
            entries[entry.found.index] = entry
    return entries


def append_log(folder: Path, entry: FrameEntry) -> None:
    """One more finished frame; the whole line or nothing. Raises :class:`OutputError`."""
    path = folder / LOG_NAME
    with writing_to(path):
        before = path.stat().st_size if path.exists() else 0
        try:
            with path.open("ab") as file:
                # A line that was cut off by a crash must not swallow this one.
                file.write(b"\n" * _ends_within_a_line(path) + json.dumps(entry.to_json(), allow_nan=False).encode() + b"\n")
        except OSError:
            if path.exists():
                os.truncate(path, before)
            raise


def forget(folder: Path) -> None:
    """Removes what earlier runs wrote into ``folder``, and nothing else. Only for a folder that has a header of ours."""
    with writing_to(folder):
        (folder / LOG_NAME).unlink(missing_ok=True)
        for pattern in ("depth_[0-9][0-9][0-9][0-9]*.exr", "photo_[0-9][0-9][0-9][0-9]*.png"):
            for file in folder.glob(pattern):
                if file.stem.rpartition("_")[2].isdigit():
                    file.unlink()
        (folder / HEADER_NAME).unlink(missing_ok=True)


def check_same(folder: Path, there: SequenceHeader, wanted: SequenceHeader) -> None:
    """Raises :class:`OutputError` that names the first thing that differs between a folder's header and that of this run."""
    ours, theirs = wanted.to_json(), there.to_json()
    for key, value in theirs.items():
        if ours[key] != value:
            raise OutputError(
                f"{folder} holds another sequence ({key.replace('_', ' ')}: {_short(value)}, now {_short(ours[key])}); choose another folder, "
                "or ask to overwrite it."
            )


def _short(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value)
    return text if len(text) <= 60 else f"...{text[-57:]}"


def _ends_within_a_line(path: Path) -> bool:
    if not path.exists() or path.stat().st_size == 0:
        return False
    with path.open("rb") as file:
        file.seek(-1, os.SEEK_END)
        return file.read(1) != b"\n"
