# SPDX-License-Identifier: Apache-2.0
"""Blender materials that every picture of a run shares: what differs from face to face is told by attributes of the mesh.

Patterns are training's own, laid out once on images; the light on them is Cycles' own. Takes `bpy`, imports none.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from .. import textures
from ..places import looks
from ..places.description import Finish

SPAN = 8
"""Periods of a pattern on its image, on each side."""
_SIDE = 512
PATTERNS = tuple(sorted({*textures.PATTERNS, *looks.OWN} - {"plain"}))
GLOWING, CLEAR, SPINES = "glowing", "clear", "spines"


def slot_of(finish: Finish) -> str:
    """The shared material of a finish."""
    if finish.glow > 0:
        return GLOWING
    if finish.clear > 0.02:
        return CLEAR
    if finish.pattern == SPINES or finish.pattern.startswith("photo:"):
        return finish.pattern
    return finish.pattern if finish.pattern in PATTERNS else "plain"


def _tile(name: str) -> npt.NDArray[np.float32]:
    """(512, 512, 3): the weight of the second colour, or linear colours around a mean of about a half."""
    at = (np.arange(_SIDE, dtype=np.float32) + 0.5) / _SIDE
    u, v = np.meshgrid(at, at)
    uv = np.stack([u.ravel(), v.ravel()]) * np.float32(1 if name.startswith("photo:") else SPAN)
    if name == SPINES or name.startswith("photo:"):
        grey = Finish(name, (0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
        return np.asarray(looks.colours(grey, uv, np.zeros(uv.shape[1], np.float32)).T.reshape(_SIDE, _SIDE, 3), np.float32)
    weight = (looks.OWN.get(name) or textures.PATTERNS[name])(uv + np.float32(0.37))
    return np.repeat(weight.astype(np.float32).reshape(_SIDE, _SIDE, 1), 3, axis=2)


def _image(bpy: Any, name: str) -> Any:
    made = bpy.data.images.new(name, _SIDE, _SIDE, float_buffer=True, is_data=True)
    pixels = np.ones((_SIDE, _SIDE, 4), np.float32)
    pixels[..., :3] = _tile(name)
    made.pixels.foreach_set(pixels.ravel())
    made.pack()
    return made


def _read(nodes: Any, name: str, output: str = "Color") -> Any:
    node = nodes.new("ShaderNodeAttribute")
    node.attribute_name = name
    return node.outputs[output]


def _colour(bpy: Any, nodes: Any, links: Any, name: str) -> Any:
    """The socket of a surface's colour: the first attribute, or mixed with the second by a pattern, or times a coloured image."""
    first = _read(nodes, "first")
    if name in ("plain", GLOWING, CLEAR):
        return first
    coordinates, scale, texture = nodes.new("ShaderNodeUVMap"), nodes.new("ShaderNodeVectorMath"), nodes.new("ShaderNodeTexImage")
    coordinates.uv_map, scale.operation = "uv", "SCALE"
    scale.inputs["Scale"].default_value = 1.0 if name.startswith("photo:") else 1 / SPAN
    texture.image = _image(bpy, name)
    links.new(coordinates.outputs[0], scale.inputs[0])
    links.new(scale.outputs[0], texture.inputs["Vector"])
    mix = nodes.new("ShaderNodeMixRGB")
    own_colour = name == SPINES or name.startswith("photo:")
    mix.blend_type = "MULTIPLY" if own_colour else "MIX"
    links.new(texture.outputs["Color"], mix.inputs[1 if own_colour else 0])
    if own_colour:
        mix.inputs[0].default_value = 1.0
        links.new(_read(nodes, "doubled"), mix.inputs[2])
    else:
        links.new(first, mix.inputs[1])
        links.new(_read(nodes, "second"), mix.inputs[2])
    return mix.outputs[0]


def make_material(bpy: Any, name: str) -> Any:
    """The shared material of a slot; glow is no light source of its own, lamps are."""
    material = bpy.data.materials.new(name)
    if material.node_tree is None:  # from 5.0 on there always is one
        material.use_nodes = True
    nodes, links = material.node_tree.nodes, material.node_tree.links
    shader, out = nodes["Principled BSDF"], nodes["Material Output"]
    colour = _colour(bpy, nodes, links, name)
    if name == GLOWING:
        shine = nodes.new("ShaderNodeEmission")
        links.new(colour, shine.inputs["Color"])
        links.new(_read(nodes, "answer", "Alpha"), shine.inputs["Strength"])
        links.new(shine.outputs[0], out.inputs["Surface"])
        material.cycles.emission_sampling = "NONE"
        return material
    links.new(colour, shader.inputs["Base Color"])
    split = nodes.new("ShaderNodeSeparateColor")
    links.new(_read(nodes, "answer"), split.inputs[0])
    links.new(split.outputs[0], shader.inputs["Roughness"])
    links.new(split.outputs[1], shader.inputs["Metallic"])
    if name == CLEAR:
        through, mix = nodes.new("ShaderNodeBsdfTransparent"), nodes.new("ShaderNodeMixShader")
        links.new(_read(nodes, "answer", "Alpha"), mix.inputs[0])
        links.new(shader.outputs[0], mix.inputs[1])
        links.new(through.outputs[0], mix.inputs[2])
        links.new(colour, through.inputs["Color"])
        links.new(mix.outputs[0], out.inputs["Surface"])
    return material


def face_values(finishes: tuple[Finish, ...]) -> dict[str, npt.NDArray[np.float32]]:
    """Attributes (F, 4) of finishes: `first`, `second`, `doubled` colours, and `answer`: roughness, metallic, 0, glow or clearness."""
    first = np.array([(*f.colour, 1) for f in finishes], np.float32)
    second = np.array([(*f.second, 1) for f in finishes], np.float32)
    answer = np.zeros((len(finishes), 4), np.float32)
    for row, f in zip(answer, finishes, strict=True):
        sharp = max(f.gloss, min(1.0, 0.6 + f.mirror) if f.mirror > 0.03 else 0.0)
        row[:] = (0.95 - 0.9 * sharp if f.mirror < 0.8 else 0.01, min(1.0, f.mirror * 1.1) if f.mirror > 0.09 else 0.0, 0, f.glow or f.clear)
    return {"first": first, "second": second, "doubled": np.minimum(first * 2, 4), "answer": answer}
