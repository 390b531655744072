# SPDX-License-Identifier: Apache-2.0
"""What a build costs in Blender over the bare attribute route, what real points cost over the carrier, and what a slider costs.

    python bench/blender_mesh.py [--side 1024] [--rounds 7]

The floor is the least that a textured grid of this size can cost: positions, analytic edges, faces and one UV map handed over as flat
arrays, the arrays' making included. Rounds alternate, medians are compared, everything in one process.
"""

from __future__ import annotations

import argparse
import statistics
import time
from collections.abc import Callable
from typing import Any

import bpy
import numpy as np

from depthbridge.addon.apply import apply_points
from depthbridge.addon.build import add_carrier_object, link_together
from depthbridge.addon.nodes.inputs import carrier_modifier, set_input
from depthbridge.addon.options import BuildAs, BuildOptions
from depthbridge.addon.pictures import add_data, add_photo
from depthbridge.addon.prepare import prepare
from depthbridge.addon.provenance import record_provenance
from depthbridge.engines.camera import CameraIntrinsics
from depthbridge.engines.depth_map import DepthMap


def floor_mesh(depth: np.ndarray[Any, Any], focal: float) -> bpy.types.Mesh:
    """Positions, edges, faces, UVs: nothing else."""
    rows, columns = depth.shape
    x = ((np.arange(columns, dtype=np.float32) + np.float32(0.5) - np.float32(columns / 2)) / np.float32(focal)).astype(np.float32)
    y = ((np.arange(rows, dtype=np.float32) + np.float32(0.5) - np.float32(rows / 2)) / np.float32(focal)).astype(np.float32)
    position = np.empty((rows, columns, 3), np.float32)
    np.multiply(depth, x[None, :], out=position[..., 0])
    position[..., 1] = depth
    np.multiply(depth, -y[:, None], out=position[..., 2])
    index = np.arange(depth.size, dtype=np.int32).reshape(rows, columns)
    faces = np.empty((rows - 1, columns - 1, 4), np.int32)
    faces[..., 0], faces[..., 1], faces[..., 2], faces[..., 3] = index[:-1, :-1], index[1:, :-1], index[1:, 1:], index[:-1, 1:]
    down_count = (rows - 1) * columns
    edges = np.empty((down_count + rows * (columns - 1), 2), np.int32)
    edges[:down_count, 0], edges[:down_count, 1] = index[:-1].ravel(), index[1:].ravel()
    edges[down_count:, 0], edges[down_count:, 1] = index[:, :-1].ravel(), index[:, 1:].ravel()
    right = np.arange(down_count, len(edges), dtype=np.int32).reshape(rows, columns - 1)
    corner_edge = np.empty((rows - 1, columns - 1, 4), np.int32)
    corner_edge[..., 0], corner_edge[..., 1], corner_edge[..., 2], corner_edge[..., 3] = index[:-1, :-1], right[1:], index[:-1, 1:], right[:-1]
    u = ((np.arange(columns, dtype=np.float32) + np.float32(0.5)) / np.float32(columns)).astype(np.float32)
    v = (1 - (np.arange(rows, dtype=np.float32) + np.float32(0.5)) / np.float32(rows)).astype(np.float32)
    uv = np.empty((rows - 1, columns - 1, 4, 2), np.float32)
    uv[..., 0, 0] = uv[..., 1, 0] = u[None, :-1]
    uv[..., 2, 0] = uv[..., 3, 0] = u[None, 1:]
    uv[..., 0, 1] = uv[..., 3, 1] = v[:-1, None]
    uv[..., 1, 1] = uv[..., 2, 1] = v[1:, None]
    mesh = bpy.data.meshes.new("floor")
    mesh.vertices.add(depth.size)
    mesh.edges.add(len(edges))
    mesh.loops.add(faces.size)
    mesh.polygons.add(faces.size // 4)
    for name, kind, domain, prop, values in (
        ("position", "FLOAT_VECTOR", "POINT", "vector", position),
        (".edge_verts", "INT32_2D", "EDGE", "value", edges),
        (".corner_vert", "INT", "CORNER", "value", faces),
        (".corner_edge", "INT", "CORNER", "value", corner_edge),
    ):
        attribute: Any = mesh.attributes.get(name) or mesh.attributes.new(name, kind, domain)
        attribute.data.foreach_set(prop, values.ravel())
    mesh.polygons.foreach_set("loop_start", np.arange(0, faces.size, 4, dtype=np.int32))
    layer: Any = mesh.attributes.new("UVMap", "FLOAT2", "CORNER")
    layer.data.foreach_set("vector", uv.ravel())
    mesh.update()
    return mesh


def timed(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--side", type=int, default=1024)
    parser.add_argument("--rounds", type=int, default=7)
    chosen = parser.parse_args()
    bpy.ops.wm.read_homefile(use_empty=True, use_factory_startup=True)
    side = chosen.side
    y, x = np.mgrid[0:side, 0:side].astype(np.float32)
    values = (3 + 0.5 * np.sin(x / 40) + 0.4 * np.cos(y / 31)).astype(np.float32)
    values[(x - side / 2) ** 2 + (y - side / 2) ** 2 < (side / 5) ** 2] -= 1.5
    camera = CameraIntrinsics.assumed(side, side)
    depth = DepthMap.exact(values, camera, "known depth")
    image = np.random.default_rng(0).integers(0, 256, (side, side, 3), dtype=np.uint8)
    options = BuildOptions(as_=BuildAs.MESH, max_vertices=side * side)

    encoded = prepare(depth, image, options)
    assert encoded.photo is not None and encoded.depth_picture is not None
    photo = add_photo(encoded.photo, "photo")
    depth_image = add_data(encoded.depth_picture, "depth")

    def build() -> bpy.types.Object:
        prepared = prepare(depth, image, options, pictures=False)
        built = add_carrier_object(prepared, photo, "Depth")
        link_together(bpy.context.scene, "Depth", built)
        record_provenance(built, prepared, photo, depth_image)
        return built

    floors, builds = [], []
    for _ in range(chosen.rounds + 1):
        floors.append(timed(lambda: floor_mesh(values, camera.fx)))
        builds.append(timed(build))
        for item in list(bpy.data.objects):
            bpy.data.objects.remove(item)
        for mesh in list(bpy.data.meshes):
            bpy.data.meshes.remove(mesh)
    floor, cost = statistics.median(floors[1:]), statistics.median(builds[1:])
    print(f"Blender {bpy.app.version_string}, {side}x{side}, median of {chosen.rounds}")
    print(f"bare attribute route {floor:.3f} s; map to finished object {cost:.3f} s; ratio {cost / floor:.2f}")

    built = build()
    bpy.context.view_layer.update()
    modifier = carrier_modifier(built)
    slides: dict[str, list[float]] = {}
    for step in range(chosen.rounds):
        moved = {"Scale": 1.0 + 0.1 * step, "Tear": 0.05 + 0.01 * step, "Depth Max": 9.0 - 0.9 * step, "As Points": step % 2 == 0}
        for name, value in moved.items():
            set_input(modifier, name, value)
            slides.setdefault(name, []).append(timed(bpy.context.view_layer.update))
    print("one slider moved, evaluated: " + ", ".join(f"{name} {statistics.median(times):.3f} s" for name, times in slides.items()))
    print(f"real PointCloud object made of the carrier: {timed(lambda: apply_points(built)):.3f} s")


if __name__ == "__main__":
    main()
