# SPDX-License-Identifier: Apache-2.0
"""Takes the pictures of this folder of the real program. Runs inside a Blender that has a window and the extension, under X11:

    blender --python docs/images/take.py

Every step waits until the window stands still; ImageMagick's ``import`` photographs the screen. What it shows was built by the operator
behind the button, from the sample picture, with the embedded model.
"""

from __future__ import annotations

import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import bpy

HERE = Path(__file__).resolve().parent
SAMPLE = HERE.parents[1] / "models" / "samples" / "room.jpg"
STILL_S = 3.0
SHADERS_S = 15.0
"""What compiling shaders takes without a graphics card."""


def photograph(name: str) -> None:
    subprocess.run(["import", "-window", "root", str(HERE / name)], check=True)


def view() -> tuple[Any, Any, Any]:
    """The window, its 3D View and that view's main region."""
    window = bpy.context.window_manager.windows[0]
    area = next(area for area in window.screen.areas if area.type == "VIEW_3D")
    return window, area, next(region for region in area.regions if region.type == "WINDOW")


def call(operator: Any, **arguments: Any) -> None:
    """As if its button had been pressed in the 3D View."""
    window, area, region = view()
    with bpy.context.temp_override(window=window, area=area, region=region):
        operator("INVOKE_DEFAULT", **arguments)


def building() -> bool:
    return bool(bpy.ops.depthbridge.cancel.poll())


def steps() -> Iterator[float]:
    for item in list(bpy.data.objects):
        bpy.data.objects.remove(item)
    _, area, _ = view()
    area.spaces.active.show_region_ui = True
    area.spaces.active.overlay.show_floor = area.spaces.active.overlay.show_axis_x = area.spaces.active.overlay.show_axis_y = False
    yield STILL_S
    next(region for region in area.regions if region.type == "UI").active_panel_category = "Depthbridge"
    settings = bpy.context.scene.depthbridge
    # Beside a saved .blend, so that the pictures show the short path an artist would see.
    project = Path(tempfile.mkdtemp())
    shutil.copy(SAMPLE, project)
    bpy.ops.wm.save_as_mainfile(filepath=str(project / "room.blend"))
    settings.filepath = f"//{SAMPLE.name}"
    yield STILL_S
    call(bpy.ops.depthbridge.build)
    while building():
        yield 0.1
    placed = area.spaces.active.region_3d
    beside = placed.view_rotation.copy(), placed.view_location.copy(), placed.view_distance
    bpy.context.view_layer.objects.active.select_set(False)
    call(bpy.ops.depthbridge.look_through)
    yield SHADERS_S
    photograph("matched.png")
    placed.view_perspective = "PERSP"
    placed.view_rotation, placed.view_location, placed.view_distance = beside
    yield STILL_S
    photograph("built.png")


def main() -> None:
    bpy.context.preferences.view.show_splash = False
    waiting = steps()

    def tick() -> float | None:
        wait = next(waiting, None)
        if wait is None:
            bpy.ops.wm.quit_blender()
        return wait

    bpy.app.timers.register(tick, first_interval=STILL_S)


main()
