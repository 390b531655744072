# SPDX-License-Identifier: Apache-2.0
"""A depth map as a binary glTF 2.0 file: a mesh textured with its picture, in the unit of the map.

Axes of glTF (x right, y up, the camera at the origin looking along -z). The material is unlit (``KHR_materials_unlit``): the light is in the
photograph already; a viewer without the extension sees a dielectric of roughness 1.
"""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from ..atomic import atomic_path
from ..depth_map import DepthMap
from ..errors import DepthKindError
from ..grid_mesh import GridMesh, build_grid_mesh, stride_for, tear_of_slant
from .ply import Y_UP

MAX_TEXTURE_SIDE = 4096
"""Longest side of the texture in pixels, what every current viewer and telephone takes."""

_UNLIT = "KHR_materials_unlit"


def write_glb(
    path: Path,
    depth: DepthMap,
    image: npt.NDArray[np.uint8],
    *,
    max_vertices: int | None = None,
    tear_above: float | None = None,
    overwrite: bool = False,
) -> GridMesh:
    """Writes the surface of ``depth`` with ``image`` (uint8 RGB, same size) as its texture and returns the mesh that was written.

    Above ``max_vertices`` only every n-th pixel in both directions becomes a vertex; the texture keeps its size. ``tear_above`` as in
    :func:`~..grid_mesh.build_grid_mesh`, and by default :func:`~..grid_mesh.tear_of_slant`; infinity keeps all. Raises
    :class:`DepthKindError` for disparity, without a camera, and when not one quad of valid neighbours exists; :class:`~..errors.OutputError`.
    """
    if max_vertices is not None and max_vertices < 4:
        raise DepthKindError(f"A mesh of at most {max_vertices} vertices has no face; allow four or more.")
    stride = 1 if max_vertices is None else stride_for(depth.width, depth.height, max_vertices)
    if tear_above is None and depth.camera is not None:
        tear_above = tear_of_slant(depth.camera, stride)
    mesh = build_grid_mesh(depth, image, stride=stride, tear_above=tear_above)
    if len(mesh.faces) == 0:
        remedy = "write a point cloud instead" if stride == 1 else "allow more vertices"
        raise DepthKindError(
            f"No four neighbours of this {depth.width}x{depth.height} map, every {stride}. pixel taken, form a surface; {remedy}."
        )
    with atomic_path(path, overwrite=overwrite) as temporary:
        temporary.write_bytes(_to_glb(mesh, image, depth))
    return mesh


def _to_glb(mesh: GridMesh, image: npt.NDArray[np.uint8], depth: DepthMap) -> bytes:
    trimesh = importlib.import_module("trimesh")  # slow to import, and only two formats need it
    texture = Image.fromarray(image)
    texture.thumbnail((MAX_TEXTURE_SIDE, MAX_TEXTURE_SIDE), Image.Resampling.LANCZOS)
    material = trimesh.visual.material.PBRMaterial(
        name="picture", baseColorTexture=texture, metallicFactor=0.0, roughnessFactor=1.0, doubleSided=True
    )
    surface = trimesh.Trimesh(
        vertices=mesh.vertices * Y_UP,
        faces=np.concatenate([mesh.faces[:, (0, 1, 2)], mesh.faces[:, (0, 2, 3)]]),
        # trimesh, too, counts v upwards, and turns it round for glTF itself.
        visual=trimesh.visual.TextureVisuals(uv=mesh.uv, material=material),
        process=False,
        validate=False,
    )

    def finish(tree: dict[str, Any]) -> None:
        for entry in tree["materials"]:
            entry.setdefault("extensions", {})[_UNLIT] = {}
        tree["extensionsUsed"] = sorted({*tree.get("extensionsUsed", ()), _UNLIT})
        tree["asset"]["extras"] = {
            "unit": depth.kind.unit,
            "model": depth.model_id,
            "camera_source": depth.camera_source.value,
        }

    scene = trimesh.Scene()
    scene.add_geometry(surface, node_name="depth", geom_name="depth")
    data: bytes = trimesh.exchange.gltf.export_glb(scene, tree_postprocessor=finish)
    return data
