# SPDX-License-Identifier: Apache-2.0
"""A Blender session that renders one training place after another: materials stay, the mesh, the lights and the camera change."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from ..places.description import Place, Source
from ..places.lighting import INDOOR_SKY
from ..places.looks import GROUNDS, PICTURES, photographs_at_hand
from ..places.stage import Stage
from . import studio_materials as shared
from .silence import quiet
from .stage_mesh import StageMesh, stage_mesh

Image = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Manner:
    """How a picture is rendered: paths per pixel, cleaned or not, bounces of light (0: the even light that reaches within `reach_m`)."""

    samples: int
    denoised: bool
    bounces: int
    reach_m: float
    lamps: float
    """Brightness of lamps against what comes from all around; 1 as training's own renderer has it."""
    seed: int


class Studio:
    """Sets Blender up from nothing; `folder` takes the raw pictures. `mathutils` and `bpy` load here."""

    def __init__(self, bpy: Any, folder: Path, threads: int = 1) -> None:
        self._bpy = bpy
        self._raw = folder / "studio.exr"
        with quiet():
            bpy.ops.wm.read_factory_settings(use_empty=True)
        self.scene = bpy.context.scene
        photos = tuple(f"photo:{name}" for name in PICTURES + GROUNDS) if photographs_at_hand() else ()
        slots = ("plain", shared.GLOWING, shared.CLEAR, shared.SPINES, *shared.PATTERNS, *photos)
        self._materials = {name: shared.make_material(bpy, name) for name in slots}
        self._slots = {name: i for i, name in enumerate(slots)}
        self._camera = bpy.data.objects.new("camera", bpy.data.cameras.new("camera"))
        self._camera.data.sensor_fit, self._camera.data.clip_start, self._camera.data.clip_end = "VERTICAL", 0.005, 10_000
        self.scene.collection.objects.link(self._camera)
        self.scene.camera = self._camera
        self._passing: list[Any] = []
        self._world = _make_world(bpy)
        self.scene.world = self._world
        self._settle(threads)

    def _settle(self, threads: int) -> None:
        render, cycles = self.scene.render, self.scene.cycles
        render.engine, render.threads_mode, render.threads = "CYCLES", "FIXED", threads
        render.resolution_percentage = 100
        render.use_persistent_data = False  # saves 3 %, but what is cleaned of noise then depends on the picture before
        render.image_settings.file_format, render.image_settings.color_depth = "OPEN_EXR", "32"
        render.image_settings.exr_codec = "NONE"
        render.filepath = str(self._raw)
        self.scene.view_settings.view_transform = "Raw" if "Raw" in _transforms(self.scene) else "Standard"
        cycles.device, cycles.use_adaptive_sampling, cycles.use_auto_tile = "CPU", False, False
        cycles.use_light_tree = False  # a place has three lamps at most
        cycles.caustics_reflective = cycles.caustics_refractive = False
        cycles.sample_clamp_indirect, cycles.transparent_max_bounces, cycles.pixel_filter_type = 4.0, 6, "BOX"
        cycles.filter_width = 1.0

    def clear(self) -> None:
        """Takes the last place away."""
        for kept in self._passing:
            data, owner = kept.data, self._bpy.data.meshes if kept.type == "MESH" else self._bpy.data.lights
            self._bpy.data.objects.remove(kept)
            owner.remove(data)
        self._passing = []

    def _add(self, name: str, data: Any) -> Any:
        made = self._bpy.data.objects.new(name, data)
        self.scene.collection.objects.link(made)
        self._passing.append(made)
        return made

    def put(self, stage: Stage, factor: float, lamps: float = 1.0) -> None:
        """Builds a place in front of the camera, pictures `factor` times its size. Raises `UnknownBody`, the last place still there."""
        mesh = stage_mesh(stage)
        self.clear()
        self._add("place", self._mesh(mesh))
        for source in stage.place.lights:
            self._light(source, lamps)
        self._aim(stage.place, factor)
        _set_world(self._world, stage.place)

    def _mesh(self, stage: StageMesh) -> Any:
        data = self._bpy.data.meshes.new("place")
        count = len(stage.triangles)
        data.vertices.add(len(stage.points))
        data.vertices.foreach_set("co", stage.points.ravel())
        data.loops.add(3 * count)
        data.loops.foreach_set("vertex_index", stage.triangles.ravel())
        data.polygons.add(count)
        data.polygons.foreach_set("loop_start", np.arange(0, 3 * count, 3, dtype=np.int32))
        data.polygons.foreach_set("use_smooth", stage.smooth)
        names = [shared.slot_of(finish) for finish in stage.finishes]
        used = list(dict.fromkeys(names))
        for name in used:
            data.materials.append(self._materials.get(name, self._materials["plain"]))
        slots = np.array([used.index(name) for name in names], np.int32)
        data.polygons.foreach_set("material_index", slots[stage.finish])
        data.uv_layers.new(name="uv", do_init=False).data.foreach_set("uv", stage.uv.ravel())
        for name, values in shared.face_values(stage.finishes).items():
            data.attributes.new(name, "FLOAT_COLOR", "FACE").data.foreach_set("color", values[stage.finish].ravel())
        data.update(calc_edges=True)
        return data

    def _light(self, source: Source, lamps: float) -> None:
        """Energies that give at two metres about what training's own renderer gives."""
        from mathutils import Vector

        x, y, z = source.place
        kind = {"sun": "SUN", "lamp": "POINT", "panel": "AREA"}[source.kind]
        light = self._bpy.data.lights.new(source.kind, kind)
        light.color = source.colour
        made = self._add(source.kind, light)
        if source.kind == "sun":
            light.energy, light.angle = math.pi * source.strength, 2 * math.atan(source.size)
            made.rotation_euler = Vector((-x, -z, -y)).to_track_quat("-Z", "Y").to_euler()
            return
        made.location = (x, z, y)
        if source.kind == "lamp":
            light.energy, light.shadow_soft_size = 96 * lamps * source.strength, source.size
            return
        u, v = np.array(source.u)[[0, 2, 1]], np.array(source.v)[[0, 2, 1]]
        light.shape, light.size, light.size_y = "RECTANGLE", 2 * float(np.linalg.norm(u)), 2 * float(np.linalg.norm(v))
        light.energy = 24 * lamps * source.strength
        face = np.cross(source.u, source.v)[[0, 2, 1]]
        made.location = tuple(np.array(made.location) + 0.01 * face / max(float(np.linalg.norm(face)), 1e-9))
        made.rotation_euler = Vector(face.tolist()).to_track_quat("-Z", "Y").to_euler()

    def _aim(self, place: Place, factor: float) -> None:
        from mathutils import Matrix

        camera, swap = place.camera, [0, 2, 1]
        turned = camera.rotation().astype(np.float64)[swap]  # columns: right, up, forward, told in Blender's axes
        right, up, forward = turned.T
        x, y, z = camera.position
        rows = np.column_stack([right, up, -forward, (x, z, y)])
        self._camera.matrix_world = Matrix([*rows.tolist(), [0, 0, 0, 1]])
        self._camera.data.angle = math.radians(camera.fov_vertical_deg)
        self.scene.render.resolution_x, self.scene.render.resolution_y = round(camera.width * factor), round(camera.height * factor)

    def shoot(self, manner: Manner) -> Image:
        """(H, W, 3) linear light of what was put there."""
        cycles = self.scene.cycles
        cycles.samples, cycles.use_denoising, cycles.seed = manner.samples, manner.denoised, manner.seed
        cycles.denoising_input_passes, cycles.denoising_prefilter = "RGB_ALBEDO", "FAST"
        cycles.use_fast_gi, cycles.fast_gi_method, cycles.ao_bounces_render = manner.bounces == 0, "REPLACE", 1
        cycles.max_bounces = max(manner.bounces, 3)
        self._world.light_settings.distance = manner.reach_m
        cycles.diffuse_bounces, cycles.glossy_bounces = max(manner.bounces, 1), 2
        with quiet():
            self._bpy.ops.render.render(write_still=True)
            return self.read()

    def read(self) -> Image:
        """The picture just rendered, (H, W, 3) float32."""
        image = self._bpy.data.images.load(str(self._raw))
        width, height = image.size
        pixels = np.empty(width * height * 4, np.float32)
        image.pixels.foreach_get(pixels)
        self._bpy.data.images.remove(image)
        return np.ascontiguousarray(pixels.reshape(height, width, 4)[::-1, :, :3])


def _transforms(scene: Any) -> list[str]:
    return [item.identifier for item in scene.view_settings.bl_rna.properties["view_transform"].enum_items]


def _make_world(bpy: Any) -> Any:
    """The sky for what is seen, a place's own even light for what is lit."""
    world = bpy.data.worlds.new("world")
    if world.node_tree is None:  # from 5.0 on there always is one
        world.use_nodes = True
    nodes, links = world.node_tree.nodes, world.node_tree.links
    background, place, split = nodes["Background"], nodes.new("ShaderNodeTexCoord"), nodes.new("ShaderNodeSeparateXYZ")
    ramp, path, mix = nodes.new("ShaderNodeValToRGB"), nodes.new("ShaderNodeLightPath"), nodes.new("ShaderNodeMixRGB")
    ramp.name, mix.name = "sky", "light"
    noise, cover, white = nodes.new("ShaderNodeTexNoise"), nodes.new("ShaderNodeMath"), nodes.new("ShaderNodeMixRGB")
    noise.inputs["Scale"].default_value, noise.inputs["Detail"].default_value = 2.5, 5.0
    cover.name, cover.operation, cover.use_clamp, white.name = "cover", "MULTIPLY_ADD", True, "white"
    links.new(place.outputs["Generated"], split.inputs[0])
    links.new(place.outputs["Generated"], noise.inputs["Vector"])
    links.new(noise.outputs[0], cover.inputs[0])
    links.new(split.outputs[2], ramp.inputs[0])
    links.new(cover.outputs[0], white.inputs[0])
    links.new(ramp.outputs[0], white.inputs[1])
    links.new(path.outputs["Is Diffuse Ray"], mix.inputs[0])
    links.new(white.outputs[0], mix.inputs[1])
    links.new(mix.outputs[0], background.inputs["Color"])
    world.cycles.sampling_method = "NONE"
    return world


def _set_world(world: Any, place: Place) -> None:
    nodes, around = world.node_tree.nodes, place.enclosure
    level = INDOOR_SKY if around.high is not None else 1.0
    ramp = nodes["sky"].color_ramp.elements
    ramp[0].position, ramp[1].position = 0.0, 0.7
    ramp[0].color = (*(level * c for c in around.sky_horizon), 1)
    ramp[1].color = (*(level * c for c in around.sky_zenith), 1)
    nodes["cover"].inputs[1].default_value = 4.0 if around.clouds > 0 else 0.0
    nodes["cover"].inputs[2].default_value = 4 * (0.55 * around.clouds - 0.75) if around.clouds > 0 else 0.0
    nodes["white"].inputs[2].default_value = (level, level, level, 1)
    nodes["light"].inputs[2].default_value = (*place.ambient, 1)
