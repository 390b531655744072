# SPDX-License-Identifier: Apache-2.0
"""``depthbridge estimate``: pictures in, one JSON line each and the chosen files out."""

from __future__ import annotations

import json
import os
import time
import warnings
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import click
import numpy as np
from rich.console import Console
from rich.progress import Progress

from ..engines.atomic import atomic_folder_contents, make_folder, writing_to
from ..engines.camera import ASSUMED_FOV_VERTICAL_DEG, CameraIntrinsics
from ..engines.depth_map import DepthKind, DepthMap
from ..engines.engine import DepthEngine
from ..engines.errors import DepthbridgeError, DepthKindError, OutputError
from ..engines.export.formats import ExportFormat, write_formats
from ..engines.images import DecodedImage, decode_image
from ..engines.stream import Frame, estimate_stream
from .camera_options import camera_options, resolve_camera
from .engine_options import EngineOptions, engine_options, open_engine


def _parse_formats(context: click.Context, parameter: click.Parameter, value: str) -> tuple[ExportFormat, ...]:
    """``npz,preview``: format names with commas between them, each counted once."""
    known = {str(item): item for item in ExportFormat}
    words = [word.strip().lower() for word in value.split(",") if word.strip()]
    unknown = [word for word in words if word not in known]
    if unknown or not words:
        raise click.BadParameter(f"{', '.join(unknown) or 'nothing'} is no format; choose from {','.join(known)}.")
    return tuple(dict.fromkeys(known[word] for word in words))


@click.command()
@click.argument("images", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="IMAGE...")
@click.option("--out", required=True, type=click.Path(path_type=Path), metavar="DIR", help="Folder for the files; made if missing.")
@click.option("--model", default="depthbridge-mini", show_default=True, metavar="ID|FILE", help="Catalogue id, or an ONNX file.")
@camera_options
@click.option(
    "--save",
    "formats",
    callback=_parse_formats,
    default="npz,preview",
    show_default=True,
    metavar="LIST",
    help="What to write: npz,png16,exr,ply,glb,preview.",
)
@click.option(
    "--max-points", type=click.IntRange(min=1), default=2_000_000, show_default=True, help="Points of a PLY; a random choice above that."
)
@click.option(
    "--max-vertices",
    type=click.IntRange(min=4),
    default=1_000_000,
    show_default=True,
    help="Vertices of a GLB; every 2nd, 3rd, ... pixel above that.",
)
@engine_options
@click.option("--force", is_flag=True, help="Overwrite existing output files.")
def command(
    images: tuple[Path, ...],
    out: Path,
    model: str,
    fov_v: float | None,
    fov_h: float | None,
    intrinsics: Path | None,
    formats: tuple[ExportFormat, ...],
    max_points: int,
    max_vertices: int,
    options: EngineOptions,
    force: bool,
) -> None:
    """Estimate the depth of IMAGE... and write it into a folder, named after each picture.

    The camera is the one given here, else EXIF's, else the model's. Without any, a model that needs the focal length gives relative
    depth, and PLY and GLB assume 50 degrees vertical and say so. Prints one JSON line per picture. A picture that fails has its reason
    on stderr and leaves no file; the others go on, and the exit status is 2.
    """
    # Pillow comments on odd metadata of a picture it reads well; what matters of it comes as a sentence of our own.
    warnings.filterwarnings("ignore", module="PIL")
    _refuse_shared_names(images)
    if fov_v is not None or fov_h is not None:
        resolve_camera(fov_v, fov_h, intrinsics, 1000, 1000)  # a wrong angle is wrong for every picture: said once, before any work
    with open_engine(model, options) as engine:
        _refuse_shapeless(engine, formats)
        make_folder(out)
        with atomic_folder_contents(out):
            pass  # likewise a folder that cannot be written
        job = _Job(engine, out, formats, fov_v, fov_h, intrinsics, max_points, max_vertices, force, frozenset(map(_identity, images)))
        failed = _run_all(job, images)
    if failed:
        click.get_current_context().exit(2)


@dataclass(slots=True)
class _Job:
    """What the command line asks of each picture. ``told`` holds what has been said on stderr: each note once."""

    engine: DepthEngine
    out: Path
    formats: tuple[ExportFormat, ...]
    fov_v: float | None
    fov_h: float | None
    intrinsics: Path | None
    max_points: int
    max_vertices: int
    force: bool
    inputs: frozenset[str]
    told: set[str] = field(default_factory=set)

    def tell(self, notes: Iterable[str]) -> None:
        for note in notes:
            if note not in self.told:
                self.told.add(note)
                click.echo(f"depthbridge: {note}", err=True)


@dataclass(frozen=True, slots=True)
class _Read:
    """A picture that was read and is on its way through the engine."""

    path: Path
    names: list[str]
    picture: DecodedImage
    decode_ms: float


class _Way:
    """The pictures on their way: while one is written, the next are in the engine. ``failed``: how many had to be left out."""

    def __init__(self, job: _Job, on_done: Callable[[], None]) -> None:
        self._job = job
        self._on_done = on_done
        self._read: deque[_Read] = deque()
        self.failed = 0

    def go(self, images: Sequence[Path]) -> None:
        """Every picture in turn: its line on stdout, or its reason on stderr."""
        with estimate_stream(self._job.engine, self._frames(images)) as stream:
            while True:
                try:
                    depth = next(stream, None)
                except DepthbridgeError as error:
                    self._read.popleft()
                    self._fail(error)
                    continue
                if depth is None:
                    return
                try:
                    line = _write(self._job, self._read.popleft(), depth)
                except DepthbridgeError as error:
                    self._fail(error)
                else:
                    click.echo(json.dumps(line, allow_nan=False))
                    self._on_done()

    def _frames(self, images: Sequence[Path]) -> Iterator[Frame]:
        for path in images:
            try:
                read, camera = _read(self._job, path)
            except DepthbridgeError as error:
                self._fail(error)
            else:
                self._read.append(read)
                yield read.picture, camera

    def _fail(self, error: DepthbridgeError) -> None:
        self.failed += 1
        click.echo(f"depthbridge: {error}", err=True)
        self._on_done()


def _run_all(job: _Job, images: Sequence[Path]) -> int:
    """Every picture in turn; how many failed."""
    # Only on a terminal: in a log, a bar is noise. stdout belongs to the JSON lines.
    console = Console(stderr=True)
    show = len(images) > 1 and console.is_terminal
    with Progress(console=console, transient=True, disable=not show, redirect_stdout=False, redirect_stderr=False) as progress:
        bar = progress.add_task("estimating", total=len(images))
        way = _Way(job, lambda: progress.advance(bar))
        way.go(images)
    return way.failed


def _read(job: _Job, path: Path) -> tuple[_Read, CameraIntrinsics | None]:
    """A decoded picture and its camera, if its files may be written. Raises a ``DepthbridgeError``."""
    names = [name for wanted in job.formats for name in wanted.file_names(path.stem)]
    _refuse_targets(job, names)
    started = time.perf_counter()
    picture = decode_image(path)
    job.tell(picture.notes)
    camera = resolve_camera(job.fov_v, job.fov_h, job.intrinsics, picture.width, picture.height)
    return _Read(path, names, picture, (time.perf_counter() - started) * 1e3), camera


def _write(job: _Job, read: _Read, depth: DepthMap) -> dict[str, object]:
    """Writes what was asked for; the JSON line about it. Raises a ``DepthbridgeError`` and leaves no file then."""
    job.tell(job.engine.info.notes)
    if depth.scale_note:
        job.tell([depth.scale_note])
    shaped = _with_shape(job, depth)
    started = time.perf_counter()
    with atomic_folder_contents(job.out, overwrite=job.force) as staging:
        write_formats(
            job.formats,
            staging,
            read.path.stem,
            depth,
            read.picture.rgb,
            shaped=shaped,
            max_points=job.max_points,
            max_vertices=job.max_vertices,
        )
    times = {"decode": read.decode_ms, "write": (time.perf_counter() - started) * 1e3}
    return _describe(read.path, read.picture, shaped, times, [str(job.out / name) for name in read.names])


def _with_shape(job: _Job, depth: DepthMap) -> DepthMap:
    """``depth``, with the assumed camera when a format needs one and none is known."""
    wanting = [wanted for wanted in job.formats if wanted.needs_shape]
    if not wanting or depth.camera is not None:
        return depth
    job.tell(
        [
            f"No camera is known: {' and '.join(wanting)} assume {ASSUMED_FOV_VERTICAL_DEG:g} degrees vertical. "
            "Give --fov-v or --intrinsics for the true shape."
        ]
    )
    return depth.assuming_camera()


def _describe(path: Path, picture: DecodedImage, depth: DepthMap, times: dict[str, float], files: list[str]) -> dict[str, object]:
    """The JSON line: numbers of the valid pixels in ``unit``, null where there is none. ``focal_px`` is the focal length of the
    network's input, which scaled the depth to metres; ``fov_vertical_deg`` that of the whole picture."""
    values = depth.values[depth.valid]
    stages = depth.stage_ms
    return {
        "image": str(path),
        "width": picture.width,
        "height": picture.height,
        "model": depth.model_id,
        "kind": depth.kind.value,
        "unit": depth.kind.unit,
        "min": _number(np.min(values)) if len(values) else None,
        "median": _number(np.median(values)) if len(values) else None,
        "max": _number(np.max(values)) if len(values) else None,
        "valid_fraction": _number(depth.valid.mean()),
        "sky_fraction": None if depth.sky is None else _number(depth.sky_mask.mean()),
        "focal_px": None if depth.focal_px is None else _number(depth.focal_px),
        "fov_vertical_deg": None if depth.camera is None else _number(depth.camera.fov_vertical_deg),
        "camera_source": depth.camera_source.value,
        "ms": {
            "decode": round(times["decode"], 1),
            "preprocess": None if stages is None else round(stages.preprocess_ms, 1),
            "infer": None if stages is None else round(stages.infer_ms, 1),
            "postprocess": None if stages is None else round(stages.postprocess_ms, 1),
            "write": round(times["write"], 1),
        },
        "files": files,
    }


def _number(value: float | np.floating) -> float:
    """Six significant digits: float32 holds no more that mean anything."""
    return float(f"{float(value):.6g}")


# ---- what is refused before any work ----------------------------------------------------------------------------------


def _identity(path: Path) -> str:
    """One name per file, whatever path leads to it."""
    return os.path.normcase(path.resolve())


def _refuse_shared_names(images: Sequence[Path]) -> None:
    """Outputs are named after the picture alone, so no two may share a name (nor differ only in case: some disks see no difference)."""
    first: dict[str, Path] = {}
    for image in images:
        other = first.setdefault(image.stem.casefold(), image)
        if other is not image:
            raise OutputError(
                f"{other} and {image} would both be written as {image.stem}.*; rename one, or give them to two runs with two folders."
            )


def _refuse_shapeless(engine: DepthEngine, formats: Sequence[ExportFormat]) -> None:
    wanting = [wanted for wanted in formats if wanted.needs_shape]
    if wanting and engine.info.kind is DepthKind.DISPARITY:
        raise DepthKindError(
            f"{engine.model_id} gives disparity, which has no shape until its scale and shift are known, so there is no "
            f"{' and no '.join(wanting)} of it; choose a model of metric or relative depth (depthbridge models list)."
        )


def _refuse_targets(job: _Job, names: Sequence[str]) -> None:
    """Early, so that nobody waits for an estimate that has no place to go; and no option makes us write over a picture we were given."""
    for name in names:
        target = job.out / name
        if _identity(target) in job.inputs:
            raise OutputError(f"Cannot write {target}: it is one of the pictures to read; choose another output folder.")
        with writing_to(target):
            taken = target.exists() and not job.force
        if taken:
            raise OutputError(f"Cannot write {target}: it exists already; choose another folder or add --force.")
