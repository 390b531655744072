# SPDX-License-Identifier: GPL-3.0-or-later
"""The arguments of the batch command, and the plan they make: what is built from what, into which files. Imports no bpy."""

from __future__ import annotations

import argparse
import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from ...engines.depth_file import DepthMeaning
from ...engines.errors import DepthbridgeError, OutputError
from ...engines.frames import MOVIE_SUFFIXES, PICTURE_SUFFIXES, folder_name
from ..jobs.remote import RemoteServer, token_in
from ..jobs.request import FULL_FRAME_WIDTH_MM, BuildRequest, CameraChoice, CameraMode, EngineChoice, Source
from ..options import DEFAULT_MAX_VERTICES, BuildAs, BuildOptions, SkyMode

DEPTH_SUFFIXES = (".npz", ".npy", ".exr")
"""Files that can be nothing but depth; a PNG may be either, and ``--depth`` says so."""

_DEFAULTS = BuildOptions()


class SaveFormat(StrEnum):
    """A file the batch writes; the value is its suffix."""

    BLEND = "blend"
    GLB = "glb"
    PLY = "ply"
    EXR = "exr"


@dataclass(frozen=True, slots=True, eq=False)
class Item:
    """One input, and what is made of it. ``wanted``: every output, ``missing``: those that are still to be written. ``sequence``: a folder or
    movie that becomes one object."""

    path: Path
    request: BuildRequest
    wanted: dict[SaveFormat, Path]
    missing: dict[SaveFormat, Path]
    sequence: bool = False

    @property
    def estimates(self) -> bool:
        """Whether an engine is needed for what is missing."""
        return bool(self.missing) and self.request.source.depth_file is None


def frames_folder(name: str) -> str:
    """What the folder with the frames of a sequence is called."""
    return f"{name}_depth"


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """Everything the arguments say. ``out``: the folder of the outputs."""

    items: tuple[Item, ...]
    out: Path
    engine: EngineChoice
    force: bool


def parse(arguments: Sequence[str], program: str) -> Plan:
    """The plan of ``arguments``; looks which outputs exist, and opens nothing.

    Raises ``SystemExit`` as argparse does (2 and a line on stderr for what it does not understand, 0 after ``--help``), and a
    ``DepthbridgeError`` for arguments that cannot all be meant.
    """
    given = _parser(program).parse_intermixed_args(list(arguments))  # options may stand among the inputs
    inputs, out, stem = [Path(word) for word in given.inputs], Path(given.out), None
    if out.suffix.lower() == ".blend":
        if len(inputs) != 1:
            raise OutputError(f"{out} is one file, and there are {len(inputs)} inputs; give a folder.")
        out, stem = out.parent, out.stem
    if given.displace and given.as_ != BuildAs.RELIEF:
        raise DepthbridgeError("--displace is a way to build a relief; add --as relief.")
    names = [stem or (folder_name(path) if path.is_dir() else path.stem) for path in inputs]
    _refuse_shared_names(inputs, names)
    camera, options = _camera(given), _options(given)
    sequences = [path for path in inputs if _is_sequence(path, given)]
    if sequences:
        _refuse_for_sequences(sequences[0], given)
    engine = EngineChoice(given.model, given.device, given.threads, given.models_dir, _remote(given))
    read = {_identity(path) for path in inputs}
    items = []
    for path, name in zip(inputs, names, strict=True):
        request = BuildRequest(_source(path, name, given), engine, camera, options, given.backfill)
        wanted = {wanted: out / f"{name}.{wanted}" for wanted in given.save}
        _refuse_inputs(wanted.values(), read)
        missing = {kind: target for kind, target in wanted.items() if given.force or not target.exists()}
        items.append(Item(path, request, wanted, missing, _is_sequence(path, given)))
    return Plan(tuple(items), out, engine, given.force)


def _remote(given: argparse.Namespace) -> RemoteServer | None:
    if given.remote is None:
        if given.remote_token_file is not None or given.remote_keys is not None:
            raise DepthbridgeError("--remote-token-file and --remote-keys belong to --remote ADDRESS; add it.")
        return None
    token = None if given.remote_token_file is None else token_in(given.remote_token_file)
    return RemoteServer(given.remote, token, given.remote_keys)


def _source(path: Path, name: str, given: argparse.Namespace) -> Source:
    if _is_sequence(path, given):
        return Source(name, picture=path.absolute())
    if not given.depth and path.suffix.lower() not in DEPTH_SUFFIXES:
        return Source(name, picture=path)
    return Source(name, picture=_photo_of(path, given.photos), depth_file=path, meaning=DepthMeaning(given.depth_meaning))


def _photo_of(depth_file: Path, photos: Path | None) -> Path | None:
    """The picture in ``photos`` that has the depth file's name."""
    if photos is None:
        return None
    for suffix in PICTURE_SUFFIXES:
        candidate = photos / f"{depth_file.stem}{suffix}"
        if candidate.is_file() and _identity(candidate) != _identity(depth_file):
            return candidate
    raise DepthbridgeError(f"{photos} has no picture called {depth_file.stem}; add it, or leave --photos out.")


def _is_sequence(path: Path, given: argparse.Namespace) -> bool:
    return bool(given.sequence) or path.suffix.lower() in MOVIE_SUFFIXES


def _options(given: argparse.Namespace) -> BuildOptions:
    return BuildOptions(
        as_=BuildAs(given.as_),
        stride=given.stride,
        max_vertices=given.max_vertices,
        tear=given.tear,
        sky=SkyMode(given.sky),
        nearest=given.nearest,
        farthest=given.farthest,
        radius=given.radius,
        strength=given.strength,
        displace=given.displace,
    )


def _camera(given: argparse.Namespace) -> CameraChoice:
    """The choice that the options name. One that is wrong for every picture raises now."""
    if given.fov_v is not None:
        choice = CameraChoice(CameraMode.FOV_VERTICAL, degrees=given.fov_v)
    elif given.fov_h is not None:
        choice = CameraChoice(CameraMode.FOV_HORIZONTAL, degrees=given.fov_h)
    elif given.focal_mm is not None:
        choice = CameraChoice(CameraMode.FOCAL_MM, focal_mm=given.focal_mm, sensor_width_mm=given.sensor_mm)
    elif given.intrinsics is not None:
        return CameraChoice(CameraMode.INTRINSICS, intrinsics_file=given.intrinsics)
    else:
        return CameraChoice(CameraMode.MODEL if given.camera_from_model else CameraMode.AUTO)
    choice.resolve(1000, 1000)
    return choice


# ---- what is refused before any work -----------------------------------------------------------------------------------


def _identity(path: Path) -> str:
    """One name per file, whatever path leads to it."""
    return os.path.normcase(path.resolve())


def _refuse_shared_names(inputs: Sequence[Path], names: Sequence[str]) -> None:
    """Outputs are named after the input alone, so no two may share a name (nor differ only in case: some disks see no difference)."""
    first: dict[str, Path] = {}
    for path, name in zip(inputs, names, strict=True):
        other = first.setdefault(name.casefold(), path)
        if other is not path:
            raise OutputError(f"{other} and {path} would both be written as {name}.*; rename one, or give them to two runs with two folders.")


def _refuse_for_sequences(path: Path, given: argparse.Namespace) -> None:
    """What has no meaning for an object that plays."""
    instead = {
        "--as relief": given.as_ == BuildAs.RELIEF,
        "--backfill": given.backfill,
        "--depth": given.depth,
        "--save other than blend": given.save != (SaveFormat.BLEND,),
    }
    for option, asked in instead.items():
        if asked:
            raise DepthbridgeError(
                f"{path} becomes one object that plays, saved as a .blend beside a folder of its frames: {option} is not possible for it."
            )


def _refuse_inputs(targets: Iterable[Path], read: set[str]) -> None:
    for target in targets:
        if _identity(target) in read:
            raise OutputError(f"Cannot write {target}: it is one of the inputs; choose another output folder.")


# ---- the words ---------------------------------------------------------------------------------------------------------


def _formats(text: str) -> tuple[SaveFormat, ...]:
    words = [word.strip().lower() for word in text.split(",") if word.strip()]
    known = [str(item) for item in SaveFormat]
    unknown = [word for word in words if word not in known]
    if unknown or not words:
        raise argparse.ArgumentTypeError(f"{', '.join(unknown) or 'nothing'} is no format; choose from {','.join(known)}")
    return tuple(dict.fromkeys(SaveFormat(word) for word in words))


def _at_least(lowest: int) -> Callable[[str], int]:
    def whole(text: str) -> int:
        number = int(text)
        if number < lowest:
            raise argparse.ArgumentTypeError(f"{number} is too small; give {lowest} or more")
        return number

    whole.__name__ = "whole number"  # how argparse calls what is no number
    return whole


def _words(choices: type[StrEnum]) -> list[str]:
    return [str(choice) for choice in choices]


def _parser(program: str) -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog=program,
        description="Pictures, or depth files, as Blender scenes: one object each, with the camera that took the picture. One JSON line per "
        "input goes to stdout, reasons to stderr. An input whose outputs exist is skipped. "
        "Exit status: 0 all is there, 1 some inputs failed, 2 nothing was done.",
    )
    parser.add_argument("inputs", nargs="+", metavar="INPUT", help="a picture, or a depth file (.npz, .npy, .exr; others with --depth)")
    parser.add_argument("--out", required=True, metavar="DIR", help="folder for the files, made if missing; or X.blend for one input")
    parser.add_argument("--as", dest="as_", choices=_words(BuildAs), default=str(BuildAs.MESH), help="what to build (mesh)")
    parser.add_argument("--save", type=_formats, default=(SaveFormat.BLEND,), metavar="LIST", help="what to write: blend,glb,ply,exr (blend)")
    parser.add_argument("--force", action="store_true", help="build again, and overwrite outputs that exist")
    _add_engine(parser.add_argument_group("engine"))
    _add_camera(parser)
    _add_detail(parser.add_argument_group("detail"))
    _add_depth(parser.add_argument_group("depth files and sequences"))
    return parser


def _add_engine(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--model", default="depthbridge-mini", metavar="ID|FILE", help="catalogue id, or an ONNX file (depthbridge-mini)")
    group.add_argument("--device", default="auto", help="where it runs: auto, cpu, cuda, coreml, directml (auto)")
    group.add_argument("--threads", type=_at_least(1), metavar="N", help="CPU threads; the runtime's choice by default")
    group.add_argument("--models-dir", type=Path, metavar="DIR", help="where downloaded models lie")
    group.add_argument("--remote", metavar="ADDRESS", help="a running `depthbridge serve` in place of all these, such as tcp://127.0.0.1:5577")
    group.add_argument("--remote-token-file", type=Path, metavar="FILE", help="its first line is what that server asks for")
    group.add_argument("--remote-keys", type=Path, metavar="DIR", help="server.key and client.key_secret of a server started with --curve")


def _add_camera(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("camera", "Without these: EXIF, else the model's, else 50 degrees vertical are assumed and marked.")
    one = group.add_mutually_exclusive_group()
    one.add_argument("--fov-v", type=float, metavar="DEG", help="vertical field of view in degrees")
    one.add_argument("--fov-h", type=float, metavar="DEG", help="horizontal field of view in degrees")
    one.add_argument("--focal-mm", type=float, metavar="MM", help="focal length in millimetres, for a sensor as wide as --sensor-mm")
    one.add_argument("--intrinsics", type=Path, metavar="FILE", help="JSON with fx, fy, cx, cy in pixels (or a 3x3 K) of pictures of this size")
    one.add_argument("--camera-from-model", action="store_true", help="the model's own camera, even where there is EXIF")
    group.add_argument("--sensor-mm", type=float, default=FULL_FRAME_WIDTH_MM, metavar="MM", help="width of the sensor in millimetres (36)")


def _add_detail(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--stride", type=_at_least(1), metavar="N", help="every N-th pixel; by default the smallest that fits --max-vertices")
    group.add_argument("--max-vertices", type=_at_least(4), default=DEFAULT_MAX_VERTICES, metavar="N", help="(1000000)")
    group.add_argument(
        "--tear", type=float, default=_DEFAULTS.tear, metavar="SHARE", help="open where depth jumps by more (what is steeper than 86 degrees)"
    )
    group.add_argument("--sky", choices=_words(SkyMode), default=str(SkyMode.OFF), help="leave it off, keep it, or put it far behind (off)")
    group.add_argument("--nearest", type=float, metavar="DEPTH", help="leave out what is nearer, in the unit of the depth")
    group.add_argument("--farthest", type=float, metavar="DEPTH", help="leave out what is farther")
    group.add_argument("--radius", type=float, default=_DEFAULTS.radius, metavar="FACTOR", help="of points; 1 just closes the gaps (1)")
    group.add_argument("--strength", type=float, default=_DEFAULTS.strength, metavar="HEIGHT", help=f"of a relief ({_DEFAULTS.strength:g})")
    group.add_argument("--displace", action="store_true", help="a relief as a flat grid under a Displace modifier")
    group.add_argument("--backfill", action="store_true", help="a second layer behind torn edges")


def _add_depth(group: argparse._ArgumentGroup) -> None:
    group.add_argument("--depth", action="store_true", help="every INPUT is a depth file, 16-bit PNGs too")
    group.add_argument("--depth-meaning", choices=_words(DepthMeaning), default=str(DepthMeaning.AUTO), help="what its numbers are")
    group.add_argument("--photos", type=Path, metavar="DIR", help="folder with the pictures of the depth files, under the same names")
    group.add_argument("--sequence", action="store_true", help="every INPUT is a folder of frames, or a movie: one object that plays")
