# SPDX-License-Identifier: GPL-3.0-or-later
"""Where the vertices of a carrier lie under its sliders, without evaluating it: they may be cut from what is seen and still be known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import bmesh
import bpy
import numpy as np
import numpy.typing as npt

from ...engines.depth_map import SKY_THRESHOLD
from ...engines.errors import DepthKindError
from ..nodes.inputs import carrier_modifier, get_input
from ..provenance import NotBuiltError

FloatArray = npt.NDArray[np.float32]


_LAYERS = {"depth": 1, "ray": 3, "sky": 1, "confidence": 1}
_SLIDERS = ("Scale", "Sky Distance", "Sky Cut", "Confidence Cut", "Depth Min", "Depth Max")


def _sliders(built: bpy.types.Object) -> dict[str, float]:
    modifier = carrier_modifier(built)
    return {name: float(get_input(modifier, name)) for name in _SLIDERS}


def selected_vertices(built: bpy.types.Object) -> list[int]:
    """Indices of the vertices selected in edit mode; they are the mesh's once edit mode is left."""
    mesh = bmesh.from_edit_mesh(built.data)
    mesh.verts.index_update()
    return [vertex.index for vertex in mesh.verts if vertex.select]


@dataclass(frozen=True, slots=True, eq=False)
class LiveShape:
    """``depth`` float32 (V,) at a Scale of 1, ``rays`` float32 (V,3) in the object's axes, ``sky`` and ``confidence`` float32 (V,); ``sliders``
    by their names; ``to_world`` float64 (3,3), rotation and scale of the object."""

    name: str
    depth: FloatArray
    rays: FloatArray
    sky: FloatArray
    confidence: FloatArray
    sliders: dict[str, float]
    to_world: npt.NDArray[np.float64]

    @classmethod
    def of(cls, built: bpy.types.Object) -> LiveShape:
        """Of a surface or points with sliders, in object mode. Raises :class:`NotBuiltError` when the vertices have lost their values."""
        mesh: Any = built.data
        count = len(mesh.vertices)
        layers = {}
        for name, width in _LAYERS.items():
            attribute = mesh.attributes.get(name)
            if attribute is None or len(attribute.data) != count:
                raise NotBuiltError(f"The vertices of {built.name} have lost their attribute {name!r}; rebuild the object.")
            values = np.empty(count * width, dtype=np.float32)
            attribute.data.foreach_get("vector" if width == 3 else "value", values)
            layers[name] = values
        return cls._of_layers(built, layers)

    @classmethod
    def of_edited(cls, built: bpy.types.Object, indices: Sequence[int]) -> LiveShape:
        """The vertices ``indices`` alone, in that order, of an object in edit mode. Raises as :meth:`of`."""
        mesh = bmesh.from_edit_mesh(built.data)
        mesh.verts.ensure_lookup_table()
        vertices = [mesh.verts[index] for index in indices]
        layers = {}
        for name, width in _LAYERS.items():
            layer = (mesh.verts.layers.float_vector if width == 3 else mesh.verts.layers.float).get(name)
            if layer is None:
                raise NotBuiltError(f"The vertices of {built.name} have lost their attribute {name!r}; rebuild the object.")
            layers[name] = np.array([vertex[layer] for vertex in vertices], dtype=np.float32)
        return cls._of_layers(built, layers)

    @classmethod
    def _of_layers(cls, built: bpy.types.Object, layers: Mapping[str, FloatArray]) -> LiveShape:
        return cls(
            name=built.name,
            depth=layers["depth"],
            rays=layers["ray"].reshape(-1, 3),
            sky=layers["sky"],
            confidence=layers["confidence"],
            sliders=_sliders(built),
            to_world=np.array(built.matrix_world.to_3x3(), dtype=np.float64),
        )

    @property
    def scale(self) -> float:
        """The Scale slider."""
        return self.sliders["Scale"]

    @property
    def rays_y(self) -> FloatArray:
        """The rays' part downwards in the picture, float32 (V,): OpenCV's y."""
        return -self.rays[:, 2]

    def positions(self) -> FloatArray:
        """Where the sliders put every vertex, float32 (V,3), in the object's axes."""
        return self.rays * self._placed_depth()[:, None]

    def cut(self) -> npt.NDArray[np.bool_]:
        """Which vertices the sliders take away, bool (V,); those at torn edges alone are not known here."""
        depth, sliders = self._placed_depth(), self.sliders
        gone = (self.confidence < sliders["Confidence Cut"]) | (depth < sliders["Depth Min"])
        if sliders["Depth Max"] > 0:
            gone |= depth > sliders["Depth Max"]
        if sliders["Sky Cut"] < 1:
            gone |= self.sky >= sliders["Sky Cut"]
        return gone

    def _placed_depth(self) -> FloatArray:
        depth = self.depth * np.float32(self.scale)
        if self.sliders["Sky Distance"] > 0:
            depth = np.where(self.sky >= SKY_THRESHOLD, np.float32(self.sliders["Sky Distance"]), depth)
        return depth

    def world_distance(self, first: int, second: int) -> float:
        """Between two vertices, in units of the world. Raises :class:`DepthKindError` when they have no distance that means something."""
        for index in (first, second):
            if not 0 <= index < len(self.depth):
                raise DepthKindError(f"{self.name} has no vertex {index}; it has 0 to {len(self.depth) - 1}.")
            if self.sky[index] >= SKY_THRESHOLD:
                raise DepthKindError(f"Vertex {index} of {self.name} is sky, which has no distance; choose two points on something solid.")
        if first == second:
            raise DepthKindError("Both points are the same one; choose two different ones.")
        ends = self.rays[[first, second]].astype(np.float64) * self.depth[[first, second]].astype(np.float64)[:, None] * self.scale
        distance = float(np.linalg.norm(self.to_world @ (ends[0] - ends[1])))
        if not distance > 0:
            raise DepthKindError(f"The two points of {self.name} lie in one place (is its Scale 0?); choose others.")
        return distance


def uniform_scale(built: bpy.types.Object) -> float:
    """How many units of the world one unit of the object is. Raises :class:`DepthKindError` for an object that is stretched."""
    sizes = np.linalg.svd(np.array(built.matrix_world.to_3x3(), dtype=np.float64), compute_uv=False)
    if not sizes[-1] > 0 or sizes[0] / sizes[-1] > 1 + 1e-4:
        raise DepthKindError(f"{built.name} is stretched unevenly, which bends what is measured; give it the same scale along all axes first.")
    return float(sizes.mean())
