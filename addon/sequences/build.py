# SPDX-License-Identifier: GPL-3.0-or-later
"""Finished sequence files become one object of the open file that plays: depth and photo follow the scene's time, frame by frame.

Nothing is stored per frame: one carrier reads its depth from the EXR of the moment. The files stay where they are.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import bpy
import numpy as np

from ... import __version__
from ...engines.camera import CameraIntrinsics
from ...engines.depth_map import DepthMap
from ...engines.errors import DepthKindError, ImageError
from ...engines.grid_mesh import GridMesh, build_grid_mesh, grid_positions, grid_uv
from ..axes import CAMERA_ROTATION, to_world
from ..build import link_together, set_cuts, set_points, show_colours_exactly
from ..camera import check_renderable, match_render, set_background, set_clipping, set_intrinsics
from ..carrier import add_faces, write_values
from ..material import photo_material
from ..nodes.inputs import MODIFIER_NAME, set_input
from ..nodes.sequence import FRAME_UV, PHOTO_UV, QUAD_UV, sequence_group
from ..options import BuildAs, BuildOptions
from ..prepare import SKY_BEHIND
from ..provenance import Provenance, record_camera, write_provenance
from ..transaction import all_or_nothing
from .files import SequenceFiles
from .playing import follow
from .record import SequenceHeader, frame_path


@dataclass(frozen=True, slots=True)
class BuiltSequence:
    """What one build added. ``depth_image`` and ``photo`` are the sequences of files. ``notes``: sentences the user should read."""

    object: bpy.types.Object
    camera: bpy.types.Object
    photo: bpy.types.Image
    depth_image: bpy.types.Image
    vertices: int
    faces: int
    files: SequenceFiles
    notes: tuple[str, ...]


def build_sequence(
    files: SequenceFiles,
    name: str,
    options: BuildOptions | None = None,
    *,
    start_frame: int = 1,
    set_up_scene: bool = True,
    set_time: bool = False,
) -> BuiltSequence:
    """Add the object that plays ``files`` to the open file, in a collection of its own. Main thread only.

    ``set_up_scene``: as for ``build_objects``. ``set_time`` gives the scene the sequence's range of frames, and its frame rate where that is
    known, unless something in the scene is animated already. Raises a ``DepthbridgeError``, and adds nothing then.
    """
    options = options or BuildOptions()
    if options.as_ is BuildAs.RELIEF:
        raise DepthKindError("A sequence is built as a mesh or as points, not as a relief; choose one of these.")
    header, scene = files.header, bpy.context.scene
    check_renderable(header.camera)
    notes = list(files.notes)
    animated = _is_animated(scene)
    with all_or_nothing():
        photo = _load(files.ending.photo, f"{name} photo", "MOVIE" if files.ending.movie else "SEQUENCE")
        depth_image = _load(frame_path(files.folder, 0).absolute(), f"{name} depth", "SEQUENCE")
        depth_image.colorspace_settings.name = "Non-Color"
        grid = _plane(header)
        built = bpy.data.objects.new(name, _add_carrier(grid, files, name))
        modifier = _add_sliders(built, files, depth_image, options, start_frame)
        player = _Player(built, modifier, files)
        built.data.materials.append(_playing_material(photo, name, player))
        set_input(modifier, "Point Material", _playing_material(photo, f"{name} points", player, of_points=True))
        camera = _add_matched_camera(built, files, photo, player, name)
        link_together(scene, name, built, camera)
        _record(built, camera, files, options, photo, depth_image)
        if set_up_scene:
            match_render(scene, camera, header.camera)
            show_colours_exactly(scene)
        if set_time and animated:
            notes.append("The scene is animated already, so its frame range and rate were left as they are.")
        elif set_time:
            _set_time(scene, files, start_frame)
    return BuiltSequence(built, camera, photo, depth_image, len(built.data.vertices), len(built.data.polygons), files, tuple(notes))


@dataclass(frozen=True, slots=True)
class _Player:
    """Lets whatever shows the photo follow the object's own Start Frame."""

    built: bpy.types.Object
    modifier: Any
    files: SequenceFiles

    def follow(self, user: Any) -> None:
        """``user``: a ``bpy.types.ImageUser``."""
        follow(user, self.built, self.modifier, self.files.count, self.files.ending.first_number)


def _load(path: Path, name: str, source: str) -> bpy.types.Image:
    try:
        image = bpy.data.images.load(_portable(path), check_existing=False)
    except RuntimeError as error:
        raise ImageError(f"Blender cannot read {path}; build the sequence again from its pictures.") from error
    image.name, image.source = name, source
    return image


def _portable(path: Path) -> str:
    """Relative to the .blend for what lies in its folder, so that both can be moved together."""
    blend = Path(bpy.data.filepath)
    if bpy.data.filepath and blend.parent in path.parents:
        return "//" + path.relative_to(blend.parent).as_posix()
    return str(path)


def _plane(header: SequenceHeader) -> GridMesh:
    """The grid of a frame at depth 1, where its vertices are their own rays, in the camera's axes."""
    stride, camera = header.stride, header.camera
    first = int(grid_positions(header.width, stride)[0]), int(grid_positions(header.height, stride)[0])
    # The same rays through a picture of the grid's pixels: pixel c of it is pixel first + c * stride of the photo.
    thinned = CameraIntrinsics(
        camera.fx / stride,
        camera.fy / stride,
        (camera.cx - first[0] - 0.5) / stride + 0.5,
        (camera.cy - first[1] - 0.5) / stride + 0.5,
        header.columns,
        header.rows,
    )
    plane = DepthMap.exact(np.ones((header.rows, header.columns), dtype=np.float32), thinned, header.model)
    return build_grid_mesh(plane, np.zeros((header.rows, header.columns, 3), dtype=np.uint8), tear_above=None)


def _add_carrier(grid: GridMesh, files: SequenceFiles, name: str) -> bpy.types.Mesh:
    """Every pixel a vertex, every four a face, at the depth of the first frame; the modifier moves them from there."""
    header = files.header
    rays = to_world(grid.vertices)
    photo_uv = grid_uv(header.width, header.height, header.stride).reshape(-1, 2)
    mesh = bpy.data.meshes.new(name)
    mesh.vertices.add(len(rays))
    write_values(mesh.attributes["position"], "vector", rays * files.frame(0).depth.reshape(-1, 1))
    add_faces(mesh, grid)
    # No loop over the corners: flat arrays throughout.
    write_values(mesh.attributes.new("UVMap", "FLOAT2", "CORNER"), "vector", photo_uv[grid.faces.ravel()])
    write_values(mesh.attributes.new("ray", "FLOAT_VECTOR", "POINT"), "vector", rays)
    write_values(mesh.attributes.new(FRAME_UV, "FLOAT2", "POINT"), "vector", grid.uv)
    write_values(mesh.attributes.new(QUAD_UV, "FLOAT2", "FACE"), "vector", grid.uv[grid.faces[:, 0]])
    write_values(mesh.attributes.new(PHOTO_UV, "FLOAT2", "POINT"), "vector", photo_uv)
    mesh.update()
    return mesh


def _add_sliders(built: bpy.types.Object, files: SequenceFiles, depth_image: bpy.types.Image, options: BuildOptions, start_frame: int) -> Any:
    modifier: Any = built.modifiers.new(MODIFIER_NAME, "NODES")
    modifier.node_group = sequence_group()
    header = files.header
    set_cuts(modifier, options, header.camera, header.stride, files.farthest * SKY_BEHIND)
    set_points(modifier, options, header.camera, header.stride)
    for slider, value in {"Start Frame": start_frame, "Frame Count": files.count, "Depth Sequence": depth_image}.items():
        set_input(modifier, slider, value)
    return modifier


def _playing_material(photo: bpy.types.Image, name: str, player: _Player, *, of_points: bool = False) -> bpy.types.Material:
    """Shows the photo of the moment, by the UV map, or for points by their own attribute."""
    material = photo_material(photo, name)
    tree: Any = material.node_tree
    texture = next(node for node in tree.nodes if node.type == "TEX_IMAGE")
    if of_points:
        where = tree.nodes.new("ShaderNodeAttribute")
        where.attribute_name = PHOTO_UV
        tree.links.new(where.outputs["Vector"], texture.inputs["Vector"])
    player.follow(texture.image_user)
    return material


def _add_matched_camera(built: bpy.types.Object, files: SequenceFiles, photo: bpy.types.Image, player: _Player, name: str) -> bpy.types.Object:
    camera = bpy.data.objects.new(f"{name} camera", bpy.data.cameras.new(f"{name} camera"))
    set_intrinsics(camera, files.header.camera)
    camera.parent = built
    camera.rotation_euler = CAMERA_ROTATION
    data: Any = camera.data
    set_clipping(camera, files.nearest, files.farthest * SKY_BEHIND)
    set_background(camera, photo)
    player.follow(data.background_images[0].image_user)
    return camera


def _record(
    built: bpy.types.Object,
    camera: bpy.types.Object,
    files: SequenceFiles,
    options: BuildOptions,
    photo: bpy.types.Image,
    depth_image: bpy.types.Image,
) -> None:
    """The memory of a build (:mod:`~..provenance`), and where the frames lie."""
    header, first = files.header, files.frame(0)
    known = Provenance(
        version=__version__,
        model=header.model,
        kind=header.kind,
        unit=header.unit,
        camera=header.camera,
        camera_source=header.camera_source,
        as_=options.as_,
        stride=header.stride,
        conversion=header.conversion,
        has_sky=header.has_sky,
        has_confidence=False,
        note=header.scale_note,
        photo=photo,
        depth=depth_image,
    )
    write_provenance(built, known, float(np.median(first.depth[first.ground])) if first.ground.any() else files.nearest)
    built["depthbridge_sequence"] = str(files.folder)
    record_camera(camera, header.camera, header.camera_source)


def _is_animated(scene: bpy.types.Scene) -> bool:
    owners = [scene, *(item for thing in scene.objects for item in (thing, thing.data) if item is not None)]
    return any(owner.animation_data is not None and (owner.animation_data.action or owner.animation_data.nla_tracks) for owner in owners)


def _set_time(scene: bpy.types.Scene, files: SequenceFiles, start_frame: int) -> None:
    scene.frame_start, scene.frame_end = start_frame, start_frame + files.count - 1
    scene.frame_set(start_frame)
    if files.header.fps is not None:
        # Blender's rate is a whole number over a base: 29.97 is 30 / 1.001.
        scene.render.fps = max(1, round(files.header.fps))
        scene.render.fps_base = scene.render.fps / files.header.fps
