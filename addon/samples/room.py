# SPDX-License-Identifier: GPL-3.0-or-later
"""The rendered sample picture: a furnished living room, as a JPEG whose EXIF tells the lens, the way a camera's does.

python -m depthbridge.addon.samples.room OUT.jpg
"""

from __future__ import annotations

import argparse
import math
import sys
import tempfile
from pathlib import Path
from typing import Any

import bpy
from PIL import Image

from ...engines.atomic import atomic_path
from ...engines.camera import CameraIntrinsics
from ...engines.errors import DepthbridgeError
from ...engines.exif_camera import FOCAL_LENGTH_IN_35MM_FILM
from ..camera import add_camera
from ..render import render_still
from ..scene import start_empty_file
from .studio import add_area_light, add_box, add_cylinder, add_quad, add_sphere, painted, set_sky_light, tiled

FOCAL_35MM = 24
"""The lens, in millimetres of a 35 mm film camera with the same picture diagonal (CIPA DCG-001)."""
_EXIF_IFD = 0x8769


def room_camera(width: int, height: int) -> CameraIntrinsics:
    """The intrinsics that the picture's EXIF describes."""
    focal = FOCAL_35MM * math.hypot(width, height) / math.hypot(36, 24)
    return CameraIntrinsics(focal, focal, width / 2, height / 2, width, height)


def make_room(path: Path, *, width: int = 1280, height: int = 720, samples: int = 64, overwrite: bool = False) -> Path:
    """Render the room to a JPEG at ``path``. The open Blender file is replaced by the room's. Raises :class:`OutputError`."""
    build_room(room_camera(width, height))
    with tempfile.TemporaryDirectory() as folder, atomic_path(path, overwrite=overwrite) as temporary:
        still = Path(folder) / "room.png"
        render_still(still, samples=samples, denoise=True)
        exif = Image.Exif()
        exif.get_ifd(_EXIF_IFD)[FOCAL_LENGTH_IN_35MM_FILM] = FOCAL_35MM
        with Image.open(still) as picture:
            picture.save(temporary, format="JPEG", quality=90, exif=exif)
    return path


def build_room(camera: CameraIntrinsics) -> None:
    """A fresh file with the room, in metres: 4.4 wide, 5.6 deep, 2.6 high, seen from 1.45 above the floor."""
    scene = start_empty_file()
    scene.cycles.max_bounces = 6
    placed = add_camera(scene, camera, "camera")
    placed.location = (-1.25, -2.2, 1.45)
    placed.rotation_euler = (math.radians(80), 0.0, math.radians(-17))
    scene.collection.objects.link(placed)
    _shell(scene)
    _sofa(scene)
    _table(scene)
    _shelf(scene)
    _chair(scene)
    _small_things(scene)
    # Daylight through the window in the left wall, and the lamp of the room.
    add_area_light(scene, 160, 1.3, (-2.1, 1.2, 1.7), (1.0, 1.0, 0.6), (1.0, 0.96, 0.9))
    add_area_light(scene, 32, 1.0, (0.2, 0.2, 2.5), (0.3, 0.8, 0.0), (1.0, 0.87, 0.72))
    set_sky_light(scene, (0.8, 0.88, 1.0), 0.15)


def _shell(scene: bpy.types.Scene) -> None:
    planks = tiled("planks", (0.36, 0.21, 0.11), (0.05, 0.03, 0.02), size=0.16, offset=0.4, roughness=0.35)
    cream = painted("cream", (0.72, 0.68, 0.6), roughness=0.9, grain=0.04, scale=1.2)
    blue = painted("blue wall", (0.3, 0.4, 0.46), roughness=0.9, grain=0.05, scale=1.2)
    white = painted("white", (0.8, 0.8, 0.8), roughness=0.8, grain=0.02)
    left, right, back, front, top = -2.2, 2.2, 3.0, -2.6, 2.6
    add_quad(scene, [(left, front, 0), (right, front, 0), (right, back, 0), (left, back, 0)], planks, "floor")
    add_quad(scene, [(left, back, top), (right, back, top), (right, front, top), (left, front, top)], white, "ceiling")
    add_quad(scene, [(left, back, 0), (right, back, 0), (right, back, top), (left, back, top)], blue, "back wall")
    add_quad(scene, [(left, front, 0), (left, back, 0), (left, back, top), (left, front, top)], cream, "left wall")
    add_quad(scene, [(right, back, 0), (right, front, 0), (right, front, top), (right, back, top)], cream, "right wall")
    add_quad(scene, [(right, front, 0), (left, front, 0), (left, front, top), (right, front, top)], cream, "front wall")
    add_box(scene, (right - left, 0.02, 0.1), (0, back - 0.01, 0), white, "skirting")
    rug = tiled("rug", (0.5, 0.42, 0.33), (0.25, 0.08, 0.06), size=0.22, roughness=1.0)
    add_box(scene, (2.3, 1.6, 0.015), (0.45, 1.1, 0), rug, "rug", turn=0.03)
    frame = painted("frame", (0.05, 0.04, 0.035), roughness=0.4)
    for x, width, height, color in ((0.25, 0.75, 0.5, (0.62, 0.3, 0.12)), (1.05, 0.45, 0.6, (0.12, 0.32, 0.3))):
        add_box(scene, (width, 0.03, height), (x, back - 0.016, 1.35), frame, "picture frame")
        art = painted("art", color, grain=0.8, scale=3.5)
        add_box(scene, (width - 0.08, 0.01, height - 0.08), (x, back - 0.036, 1.39), art, "picture")


def _sofa(scene: bpy.types.Scene) -> None:
    cloth = painted("cloth", (0.1, 0.2, 0.24), roughness=0.95, grain=0.2, scale=30)
    add_box(scene, (1.9, 0.85, 0.24), (0.6, 2.5, 0.1), cloth, "seat base")
    for x in (0.12, 1.08):
        add_box(scene, (0.93, 0.68, 0.14), (x, 2.4, 0.345), cloth, "cushion")
    add_box(scene, (1.9, 0.22, 0.5), (0.6, 2.82, 0.35), cloth, "back rest")
    for x in (-0.44, 1.64):
        add_box(scene, (0.2, 0.85, 0.55), (x, 2.5, 0.08), cloth, "arm rest")
    mustard = painted("mustard", (0.62, 0.36, 0.04), roughness=0.95, grain=0.15, scale=25)
    add_box(scene, (0.42, 0.13, 0.4), (0.0, 2.62, 0.485), mustard, "pillow", turn=0.2).rotation_euler[0] = -0.25


def _table(scene: bpy.types.Scene) -> None:
    wood = tiled("oak", (0.45, 0.27, 0.13), (0.3, 0.18, 0.09), size=0.12, offset=0.5, roughness=0.35)
    add_box(scene, (1.0, 0.55, 0.04), (0.55, 1.15, 0.4), wood, "table top")
    for x in (0.12, 0.98):
        for y in (0.94, 1.36):
            add_box(scene, (0.05, 0.05, 0.4), (x, y, 0), wood, "table leg")
    paper = painted("paper", (0.7, 0.66, 0.6), grain=0.3, scale=14)
    red = painted("red cover", (0.45, 0.06, 0.05), grain=0.1)
    add_box(scene, (0.28, 0.2, 0.035), (0.3, 1.12, 0.44), red, "book", turn=0.3)
    add_box(scene, (0.25, 0.18, 0.03), (0.31, 1.13, 0.475), paper, "book", turn=0.1)
    glaze = painted("glaze", (0.65, 0.68, 0.66), roughness=0.15, grain=0.05)
    add_cylinder(scene, (0.05, 0.09), 0.17, (0.82, 1.2, 0.44), glaze, "vase")
    leaf = painted("leaf", (0.06, 0.2, 0.04), grain=0.4, scale=20)
    add_sphere(scene, 0.12, (0.82, 1.2, 0.7), leaf, "bouquet")


def _shelf(scene: bpy.types.Scene) -> None:
    dark = painted("walnut", (0.12, 0.06, 0.035), roughness=0.4, grain=0.25, scale=4)
    for y in (0.52, 1.98):
        add_box(scene, (0.3, 0.03, 1.8), (2.04, y, 0), dark, "shelf side")
    colors = ((0.5, 0.1, 0.07), (0.1, 0.22, 0.4), (0.65, 0.5, 0.2), (0.16, 0.3, 0.16), (0.6, 0.58, 0.52), (0.25, 0.12, 0.25))
    covers = [painted("cover", color, grain=0.1) for color in colors]
    for level in range(5):
        z = 0.05 + 0.42 * level
        add_box(scene, (0.3, 1.46, 0.03), (2.04, 1.25, z), dark, "shelf board")
        y, book = 0.56, 0
        while level < 4 and y < 1.1 + 0.22 * ((level * 7) % 4):
            thick = 0.025 + 0.012 * ((book * 5 + level * 3) % 4)
            tall = 0.21 + 0.035 * ((book * 3 + level) % 4)
            add_box(scene, (0.2, thick, tall), (2.0, y + thick / 2, z + 0.03), covers[(book * 5 + level) % 6], "book")
            y, book = y + thick + 0.003, book + 1


def _chair(scene: bpy.types.Scene) -> None:
    birch = painted("birch", (0.55, 0.4, 0.25), roughness=0.45, grain=0.15, scale=5)
    seat_x, seat_y = -1.35, 1.35
    add_box(scene, (0.44, 0.44, 0.04), (seat_x, seat_y, 0.44), birch, "chair seat")
    for dx in (-0.19, 0.19):
        add_box(scene, (0.04, 0.04, 0.44), (seat_x + dx, seat_y - 0.19, 0), birch, "chair leg")
        add_box(scene, (0.04, 0.04, 0.92), (seat_x + dx, seat_y + 0.19, 0), birch, "chair leg")
    for z in (0.62, 0.78):
        add_box(scene, (0.38, 0.02, 0.1), (seat_x, seat_y + 0.19, z), birch, "chair rail")


def _small_things(scene: bpy.types.Scene) -> None:
    brass = painted("brass", (0.4, 0.28, 0.1), roughness=0.3, grain=0.05)
    shade = painted("shade", (0.75, 0.68, 0.52), roughness=0.9, grain=0.05)
    add_cylinder(scene, (0.16, 0.16), 0.03, (-1.75, 2.6, 0), brass, "lamp foot")
    add_cylinder(scene, (0.015, 0.015), 1.4, (-1.75, 2.6, 0), brass, "lamp pole")
    add_cylinder(scene, (0.24, 0.15), 0.3, (-1.75, 2.6, 1.35), shade, "lamp shade")
    clay = painted("clay", (0.42, 0.16, 0.08), roughness=0.8, grain=0.15)
    leaf: Any = painted("plant", (0.05, 0.17, 0.04), grain=0.5, scale=12)
    add_cylinder(scene, (0.14, 0.19), 0.34, (-0.95, 2.62, 0), clay, "plant pot")
    for x, y, z, radius in ((-0.95, 2.62, 0.55, 0.22), (-1.05, 2.55, 0.78, 0.17), (-0.86, 2.65, 0.83, 0.15)):
        add_sphere(scene, radius, (x, y, z), leaf, "foliage")
    ball = painted("ball", (0.6, 0.1, 0.06), roughness=0.35, grain=0.05)
    add_sphere(scene, 0.13, (-0.35, 0.55, 0.13), ball, "ball")
    crate = tiled("crate", (0.4, 0.3, 0.17), (0.12, 0.08, 0.04), size=0.09, offset=0.5, roughness=0.8)
    add_box(scene, (0.42, 0.34, 0.3), (1.35, 0.15, 0), crate, "crate", turn=0.5)


def main(arguments: list[str] | None = None) -> int:
    """Entry point of ``python -m depthbridge.addon.samples.room``; returns the exit status."""
    parser = argparse.ArgumentParser(prog="python -m depthbridge.addon.samples.room", description="Render the sample room.")
    parser.add_argument("out", type=Path, help="JPEG to write")
    parser.add_argument("--force", action="store_true", help="overwrite it")
    options = parser.parse_args(arguments)
    try:
        print(make_room(options.out, overwrite=options.force))
    except DepthbridgeError as error:
        print(f"sample_room: {error}", file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
