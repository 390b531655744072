# SPDX-License-Identifier: GPL-3.0-or-later
"""A depth map and its photo as a Blender scene: one object, the camera that took the photo, and where everything came from.

The object's origin is the camera's place; the camera is the object's child, so moving, turning or scaling the object keeps the
photo matched.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import bpy
import numpy as np
import numpy.typing as npt

from .. import __version__
from ..engines.atomic import atomic_path
from ..engines.depth_map import DepthKind, DepthMap
from ..engines.errors import DepthKindError, ImageError, OutputError
from ..engines.grid_mesh import DEFAULT_TEAR, GridMesh, build_grid_mesh, stride_for
from .axes import CAMERA_ROTATION
from .camera import add_camera, check_renderable, set_background, set_clipping
from .console import quiet_console
from .material import add_photo, color_material, photo_material
from .mesh import add_grid_mesh, add_point_values, add_vertices
from .points import add_point_cloud

DEFAULT_MAX_VERTICES = 1_000_000
"""A 1280x720 picture keeps every pixel; larger ones are built from every second, third, ... pixel."""

# Points just overlap their neighbours, so that a surface seen from its own camera has no gaps.
_POINT_OVERLAP = 0.75


@dataclass(frozen=True, slots=True)
class SceneObjects:
    """What one build made. ``faces`` is 0 for points; ``stride`` is in pixels of the depth map."""

    object: bpy.types.Object
    camera: bpy.types.Object
    photo: bpy.types.Image
    depth: DepthMap
    vertices: int
    faces: int
    stride: int


def start_empty_file() -> bpy.types.Scene:
    """A new file with nothing in it, in place of the one that is open, and colours shown as they are in the photo."""
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    scene = bpy.context.scene
    world: Any = bpy.data.worlds.new("World")
    world.color = (0.05, 0.05, 0.05)
    scene.world = world
    return scene


def build_scene(
    depth: DepthMap,
    image: npt.NDArray[np.uint8],
    *,
    as_: Literal["mesh", "points"] = "mesh",
    max_vertices: int = DEFAULT_MAX_VERTICES,
    tear_above: float | None = DEFAULT_TEAR,
    name: str = "Depth",
) -> SceneObjects:
    """Build ``depth`` (H,W), coloured by ``image`` (uint8 RGB, same size), into the open file, matched by the scene's camera.

    METRIC maps come out in metres, RELATIVE ones in their own unit, and the object says which (``depthbridge_unit``). Without a
    camera 50 degrees vertical is assumed and marked (``depthbridge_camera_source = "assumed"``). Raises :class:`DepthKindError`
    for disparity and for a map without a valid pixel, :class:`ImageError` when the sizes differ; nothing is added to the file
    then.
    """
    if depth.kind is DepthKind.DISPARITY:
        raise DepthKindError(
            f"{depth.model_id} gives disparity, which has no shape until its scale and shift are known; convert it with "
            "to_metric(scale, shift), or choose a metric model."
        )
    if image.shape != (depth.height, depth.width, 3):
        raise ImageError(
            f"The picture has shape {image.shape} and its depth map {depth.width}x{depth.height} pixels; "
            "give the RGB picture the depth was made from."
        )
    if max_vertices < 4:
        raise DepthKindError(f"A limit of {max_vertices} vertices leaves no surface; allow at least 4.")
    depth = depth.assuming_camera()
    assert depth.camera is not None
    check_renderable(depth.camera)
    stride = stride_for(depth.width, depth.height, max_vertices)
    grid = build_grid_mesh(depth, image, stride=stride, tear_above=tear_above)

    scene = bpy.context.scene
    photo = add_photo(image, f"{name} photo")
    if as_ == "mesh":
        built = bpy.data.objects.new(name, add_grid_mesh(grid, depth, name))
        material = photo_material(photo, name)
    else:
        built = _points_object(scene, grid, depth, stride, name)
        material = color_material(name)
    built.data.materials.append(material)

    camera = _matched_camera(scene, depth, built, photo, name)
    _link(scene, name, built, camera)
    _show_colours_exactly(scene)
    _record_provenance(built, camera, depth, grid, stride)
    return SceneObjects(
        object=built,
        camera=camera,
        photo=photo,
        depth=depth,
        vertices=len(grid.vertices),
        faces=len(grid.faces) if as_ == "mesh" else 0,
        stride=stride,
    )


def save_blend(path: Path, *, overwrite: bool = False) -> None:
    """Save the open file to ``path``; it appears whole or not at all. Raises :class:`OutputError`."""
    with atomic_path(path, overwrite=overwrite) as temporary:
        try:
            with quiet_console():
                bpy.ops.wm.save_as_mainfile(filepath=str(temporary), check_existing=False, compress=True, copy=True)
                _check_whole(temporary)
        except RuntimeError as error:
            raise OutputError(f"Cannot write {path} ({_reason(error)}); free some space or choose another folder.") from error


def _check_whole(written: Path) -> None:
    """Blender 4.5 overlooks a disk that fills up at the last write. What comes last in a file is needed to list what it holds."""
    try:
        with bpy.data.libraries.load(str(written)):
            pass
    except OSError as error:
        raise RuntimeError("the file came out incomplete") from error


def _reason(error: Exception) -> str:
    """What Blender reports, on one line and without its own label."""
    return " ".join(str(error).replace("Error:", "").split())


def _points_object(scene: bpy.types.Scene, grid: GridMesh, depth: DepthMap, stride: int, name: str) -> bpy.types.Object:
    assert depth.camera is not None
    vertices = add_vertices(grid, depth, name)
    spacing = grid.vertices[:, 2] * np.float32(stride / min(depth.camera.fx, depth.camera.fy))
    add_point_values(vertices, "radius", spacing * np.float32(_POINT_OVERLAP))
    return add_point_cloud(vertices, scene, name)


def _matched_camera(scene: bpy.types.Scene, depth: DepthMap, built: bpy.types.Object, photo: bpy.types.Image, name: str) -> bpy.types.Object:
    assert depth.camera is not None
    camera = add_camera(scene, depth.camera, f"{name} camera")
    camera.parent = built
    camera.rotation_euler = CAMERA_ROTATION
    surface = depth.values[depth.valid]
    set_clipping(camera, float(surface.min()), float(surface.max()))
    set_background(camera, photo)
    return camera


def _link(scene: bpy.types.Scene, name: str, *objects: bpy.types.Object) -> None:
    collection = bpy.data.collections.new(name)
    scene.collection.children.link(collection)
    for item in objects:
        collection.objects.link(item)


def _show_colours_exactly(scene: bpy.types.Scene) -> None:
    view = scene.view_settings
    # The default, AgX, changes a photo by 20 of 255 on average.
    view.view_transform, view.look = "Standard", "None"
    view.exposure, view.gamma = 0.0, 1.0


def _record_provenance(built: bpy.types.Object, camera: bpy.types.Object, depth: DepthMap, grid: GridMesh, stride: int) -> None:
    """What the numbers are and where they came from, as custom properties that travel with the object."""
    assert depth.camera is not None
    record: dict[str, Any] = {
        "depthbridge_version": __version__,
        "depthbridge_model": depth.model_id,
        "depthbridge_kind": str(depth.kind),
        "depthbridge_unit": depth.kind.unit,
        "depthbridge_scale": 1.0,
        "depthbridge_stride": stride,
        "depthbridge_median_depth": float(np.median(grid.vertices[:, 2])),
        "depthbridge_camera_source": str(depth.camera_source),
        "depthbridge_camera": json.dumps(depth.camera.to_json()),
    }
    if depth.scale_note:
        record["depthbridge_note"] = depth.scale_note
    for key, value in record.items():
        built[key] = value
    camera["depthbridge_camera_source"] = record["depthbridge_camera_source"]
    camera["depthbridge_camera"] = record["depthbridge_camera"]
