# SPDX-License-Identifier: GPL-3.0-or-later
"""A small capture folder that stands in for Unity's: red cubes with green boxes on top, on a tiled floor, with exact truth.

Cycles renders the pictures; depth and instance masks come from the same scene, camera and pixels (:mod:`.truth`). The folder is
laid out as ``depthbridge annotate`` reads it: ``images/``, ``masks/``, ``depth/``, ``camera_intrinsics.json``,
``annotations.json``. Ids start at 0 and there is no ``mask_value``, so a mask holds ``id + 1``.

    python -m depthbridge.addon.samples.capture OUT [--seed N]
"""

from __future__ import annotations

import argparse
import json
import math
import random
import shutil
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np
import numpy.typing as npt
from PIL import Image

from ...engines.atomic import make_folder, writing_to
from ...engines.camera import CameraIntrinsics
from ...engines.depth_map import DepthMap
from ...engines.errors import CaptureError, DepthbridgeError, OutputError
from ...engines.export.exr import write_exr
from ..camera import add_camera
from ..render import render_still
from ..scene import start_empty_file
from .studio import add_area_light, add_box, add_quad, painted, set_sky_light, tiled
from .truth import render_depth, render_indices

FOV_VERTICAL_DEG = 60.0
SHIPPED_SEED = 26
# An object counts as seen from 118 pixels of a 512x288 picture on.
_MIN_VISIBLE_SHARE = 0.0008
_MAX_TRIES = 60
_SAMPLES = 24


@dataclass(frozen=True, slots=True)
class _Box:
    """A box of the scene. ``id`` is that of the annotation, its ``pass_index`` is ``id + 1``."""

    id: int
    category: str
    parent_id: int | None


@dataclass(frozen=True, slots=True)
class _Frame:
    depth: DepthMap
    indices: npt.NDArray[np.int32]
    objects: list[dict[str, Any]]


def make_capture(folder: Path, seed: int | None = None, frames: int = 3, width: int = 512, height: int = 288) -> Path:
    """Render a capture of ``frames`` pictures into ``folder``, which must be missing or empty, and return it.

    ``seed`` chooses layouts, cameras and lights; None is the capture shipped with the tests. Depth is planar metres, float32, 0
    where nothing is. The open Blender file is replaced. Raises :class:`OutputError` for a folder in use, :class:`CaptureError`
    for sizes too small to show anything; nothing is left half-written.
    """
    folder = Path(folder)
    if frames < 1 or width < 64 or height < 64:
        raise CaptureError(f"A capture of {frames} frames of {width}x{height} shows nothing; ask for 1 or more of 64x64 or more.")
    make_folder(folder.parent)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise OutputError(f"Cannot write {folder}: it exists and is not an empty folder; choose another name.")
    with writing_to(folder):
        staging = Path(tempfile.mkdtemp(prefix=".depthbridge-", dir=folder.parent))
    try:
        with writing_to(folder, staging):
            _write_capture(staging, SHIPPED_SEED if seed is None else seed, frames, width, height)
            staging.chmod(0o755)
            if folder.exists():
                folder.rmdir()
            staging.rename(folder)
    finally:
        shutil.rmtree(staging, ignore_errors=True)
    return folder


def _write_capture(folder: Path, seed: int, frames: int, width: int, height: int) -> None:
    camera = CameraIntrinsics.from_vertical_fov(FOV_VERTICAL_DEG, width, height)
    for name in ("images", "masks", "depth"):
        (folder / name).mkdir()
    annotations = []
    for number in range(frames):
        frame = _make_frame(camera, seed, number)
        stem = f"{number:05d}"
        render_still(folder / "images" / f"{stem}.png", samples=_SAMPLES, denoise=True)
        Image.fromarray(frame.indices.astype(np.uint8)).save(folder / "masks" / f"{stem}.png", optimize=True)
        write_exr(folder / "depth" / f"{stem}.exr", frame.depth)
        annotations.append({"image": f"{stem}.png", "objects": frame.objects})
    intrinsics = {
        "fov_vertical": FOV_VERTICAL_DEG,
        "width": width,
        "height": height,
        "focal_length_x": camera.fx,
        "focal_length_y": camera.fy,
        "principal_point_x": camera.cx,
        "principal_point_y": camera.cy,
    }
    (folder / "camera_intrinsics.json").write_text(json.dumps(intrinsics, indent=2) + "\n", encoding="utf-8")
    (folder / "annotations.json").write_text(_one_object_per_line(annotations), encoding="utf-8")


def _make_frame(camera: CameraIntrinsics, seed: int, number: int) -> _Frame:
    """Build the first layout in which every cube can be seen, and leave it open for the picture."""
    for attempt in range(_MAX_TRIES):
        dice = random.Random(f"capture {seed} {number} {attempt}")
        boxes = build_frame_scene(camera, dice)
        indices = render_indices()
        objects = [_annotation(box, indices) for box in boxes]
        if all(found is not None for found in objects):
            return _Frame(_true_depth(camera), indices, [found for found in objects if found is not None])
    raise CaptureError(f"Seed {seed} gives no picture of {camera.width}x{camera.height} that shows its objects; try another seed.")


def _true_depth(camera: CameraIntrinsics) -> DepthMap:
    return DepthMap.exact(render_depth(), camera, "cycles")


def _annotation(box: _Box, indices: npt.NDArray[np.int32]) -> dict[str, Any] | None:
    rows, columns = np.nonzero(indices == box.id + 1)
    if len(rows) < _MIN_VISIBLE_SHARE * indices.size:
        return None
    bbox = [int(columns.min()), int(rows.min()), int(columns.max()) + 1, int(rows.max()) + 1]
    found: dict[str, Any] = {"id": box.id, "category": box.category, "bbox": bbox}
    if box.parent_id is not None:
        found["parent_id"] = box.parent_id
    return found


def build_frame_scene(camera: CameraIntrinsics, dice: random.Random) -> list[_Box]:
    """A fresh file with a hall, its light, and 3 or 4 pairs of boxes 0.8 to 4 m from the camera.

    The camera is 1.0 to 1.6 m above the floor and looks 15 to 35 degrees down.
    """
    scene = start_empty_file()
    scene.cycles.max_bounces = 4
    _build_hall(scene, dice)
    camera_object = add_camera(scene, camera, "camera")
    camera_object.location = (0.0, 0.0, dice.uniform(1.0, 1.6))
    camera_object.rotation_euler = (math.radians(90 - dice.uniform(15, 35)), 0.0, dice.uniform(-0.1, 0.1))
    scene.collection.objects.link(camera_object)

    red = painted("red", (0.55, 0.03, 0.025), roughness=0.45)
    green = painted("green", (0.04, 0.33, 0.07), roughness=0.4)
    boxes: list[_Box] = []
    taken: list[tuple[float, float, float]] = []
    for _ in range(dice.randint(3, 4)):
        side = dice.uniform(0.15, 0.5)
        x, y = _free_place(dice, side, taken)
        taken.append((x, y, side))
        turn = dice.uniform(0, math.pi / 2)
        cube = _Box(len(boxes), "red_cube", None)
        add_box(scene, (side, side, side), (x, y, 0.0), red, "red cube", turn=turn).pass_index = cube.id + 1
        size = (side * dice.uniform(0.35, 0.8), side * dice.uniform(0.25, 0.5), side * dice.uniform(0.25, 0.6))
        lid = _Box(len(boxes) + 1, "green_parallelepiped", cube.id)
        turn += dice.uniform(-0.4, 0.4)
        add_box(scene, size, (x, y, side), green, "green box", turn=turn).pass_index = lid.id + 1
        boxes += [cube, lid]
    return boxes


def _free_place(dice: random.Random, side: float, taken: list[tuple[float, float, float]]) -> tuple[float, float]:
    """A spot on the floor before the camera, clear of the boxes already there."""
    while True:
        away, bearing = dice.uniform(1.1, 4.0), dice.uniform(-0.65, 0.65)
        x, y = away * math.sin(bearing), away * math.cos(bearing)
        if all(math.hypot(x - other_x, y - other_y) > 0.75 * (side + other) for other_x, other_y, other in taken):
            return x, y


def _build_hall(scene: bpy.types.Scene, dice: random.Random) -> None:
    """A hall without a ceiling around the origin, with a tiled floor, two large lamps and the light of the sky."""
    far, side, high = dice.uniform(4.8, 6.0), dice.uniform(3.0, 4.2), 5.0
    grey = dice.uniform(0.22, 0.4)
    floor = tiled(
        "floor", (grey * 1.1, grey, grey * 0.85), (0.05, 0.05, 0.05), size=dice.uniform(0.3, 0.6),
        offset=dice.choice((0.0, 0.5)), roughness=dice.uniform(0.25, 0.6),
    )  # fmt: skip
    tint = dice.uniform(-0.08, 0.08)
    wall = painted("wall", (0.55 + tint, 0.56, 0.55 - tint), roughness=0.9, grain=0.08, scale=1.5)
    add_quad(scene, [(-side, -3, 0), (side, -3, 0), (side, far, 0), (-side, far, 0)], floor, "floor")
    add_quad(scene, [(-side, far, 0), (side, far, 0), (side, far, high), (-side, far, high)], wall, "far wall")
    add_quad(scene, [(-side, -3, 0), (-side, far, 0), (-side, far, high), (-side, -3, high)], wall, "left wall")
    add_quad(scene, [(side, far, 0), (side, -3, 0), (side, -3, high), (side, far, high)], wall, "right wall")
    angle = dice.uniform(-2.4, 2.4)
    place = (2.4 * math.sin(angle), 2.0 + 2.0 * math.cos(angle), dice.uniform(2.6, 3.6))
    add_area_light(scene, dice.uniform(120, 190), dice.uniform(0.3, 0.9), place, (0.0, 2.0, 0.0), (1.0, 0.9, 0.78))
    add_area_light(scene, 45, 1.5, (-place[0], 0.0, 3.5), (0.0, 2.5, 0.0), (0.8, 0.9, 1.0))
    set_sky_light(scene, (0.75, 0.85, 1.0), dice.uniform(0.25, 0.45))


def _one_object_per_line(annotations: list[dict[str, Any]]) -> str:
    frames = []
    for entry in annotations:
        objects = ",\n".join(f"    {json.dumps(item)}" for item in entry["objects"])
        frames.append(f'  {{"image": {json.dumps(entry["image"])}, "objects": [\n{objects}]}}')
    return "[\n" + ",\n".join(frames) + "\n]\n"


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(prog="python -m depthbridge.addon.samples.capture", description=__doc__.split("\n")[0])
    parser.add_argument("out", type=Path, help="folder to make")
    parser.add_argument("--seed", type=int, help="layouts, cameras and lights; without it, those of the shipped capture")
    parser.add_argument("--frames", type=int, default=3)
    parser.add_argument("--width", type=int, default=512)
    parser.add_argument("--height", type=int, default=288)
    options = parser.parse_args(arguments)
    try:
        print(make_capture(options.out, options.seed, options.frames, options.width, options.height))
    except DepthbridgeError as error:
        print(f"sample_capture: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
