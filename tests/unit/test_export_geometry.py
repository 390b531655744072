# SPDX-License-Identifier: Apache-2.0
"""Point clouds and meshes, read back by trimesh and by the bare file formats: every vertex lies and is coloured as its pixel says."""

from __future__ import annotations

import io
import json
import struct
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import trimesh
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from depthbridge.engines.camera import CameraIntrinsics, CameraSource
from depthbridge.engines.depth_map import DepthKind, DepthMap
from depthbridge.engines.errors import DepthKindError, OutputError
from depthbridge.engines.export.glb import MAX_TEXTURE_SIDE, write_glb
from depthbridge.engines.export.ply import write_ply

GEOMETRY_WRITERS = [write_ply, write_glb]


def _scene(width: int = 12, height: int = 9, kind: DepthKind = DepthKind.METRIC) -> tuple[DepthMap, np.ndarray]:
    """A bent surface with a hole, off-centre camera; every pixel of the picture has its own colour."""
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    values = (2 + 0.02 * x + 0.03 * y + 0.0005 * x * y).astype(np.float32)
    valid = np.ones((height, width), bool)
    valid[height // 3, width // 4] = False
    image = np.stack([x * 251 // max(width - 1, 1), y * 241 // max(height - 1, 1), (7 * x + 13 * y) % 256], axis=-1).astype(np.uint8)
    camera = CameraIntrinsics(0.9 * width, 1.1 * width, 0.45 * width, 0.55 * height, width, height)
    return DepthMap(values, kind, valid, None, None, camera, "oracle", CameraSource.GIVEN), image


def _expected_point(depth: DepthMap, row: int, column: int) -> np.ndarray:
    """The pinhole model written out, in glTF's axes."""
    camera = depth.camera
    assert camera is not None
    z = float(depth.values[row, column])
    return np.array([(column + 0.5 - camera.cx) / camera.fx * z, -(row + 0.5 - camera.cy) / camera.fy * z, -z])


def _read_glb(path: Path) -> tuple[dict, dict[str, np.ndarray], np.ndarray, np.ndarray]:
    """JSON, vertex attributes, triangles and texture of a one-mesh GLB, by the letter of the glTF 2.0 specification."""
    data = path.read_bytes()
    magic, version, length = struct.unpack_from("<4sII", data)
    assert (magic, version, length) == (b"glTF", 2, len(data))
    json_length, json_type = struct.unpack_from("<I4s", data, 12)
    assert json_type == b"JSON"
    tree = json.loads(data[20 : 20 + json_length])
    bin_length, bin_type = struct.unpack_from("<I4s", data, 20 + json_length)
    assert bin_type == b"BIN\0"
    blob = data[28 + json_length : 28 + json_length + bin_length]

    def view(index: int) -> bytes:
        entry = tree["bufferViews"][index]
        start = entry.get("byteOffset", 0)
        return blob[start : start + entry["byteLength"]]

    def accessor(index: int) -> np.ndarray:
        entry = tree["accessors"][index]
        dtype = {5126: "<f4", 5125: "<u4", 5123: "<u2"}[entry["componentType"]]
        columns = {"SCALAR": 1, "VEC2": 2, "VEC3": 3}[entry["type"]]
        flat = np.frombuffer(view(entry["bufferView"]), dtype, offset=entry.get("byteOffset", 0), count=entry["count"] * columns)
        return flat.reshape(entry["count"], columns)

    (mesh,) = tree["meshes"]
    (primitive,) = mesh["primitives"]
    attributes = {name: accessor(index) for name, index in primitive["attributes"].items()}
    faces = accessor(primitive["indices"]).reshape(-1, 3)
    texture = np.asarray(Image.open(io.BytesIO(view(tree["images"][0]["bufferView"]))).convert("RGB"))
    return tree, attributes, faces, texture


# ---- PLY ----------------------------------------------------------------------------------------------------------


@given(st.integers(1, 12), st.integers(1, 9), st.sampled_from([DepthKind.METRIC, DepthKind.RELATIVE]))
@settings(max_examples=25, deadline=None)
def test_ply_holds_each_valid_pixel_where_it_is_seen(
    tmp_path_factory: pytest.TempPathFactory, width: int, height: int, kind: DepthKind
) -> None:
    depth, image = _scene(width, height, kind)
    if not depth.valid.any():
        return
    path = tmp_path_factory.mktemp("ply") / "cloud.ply"
    count = write_ply(path, depth, image)
    cloud = trimesh.load(path)
    rows, columns = np.nonzero(depth.valid)
    assert count == len(cloud.vertices) == len(rows)
    expected = np.array([_expected_point(depth, r, c) for r, c in zip(rows, columns, strict=True)])
    assert np.allclose(cloud.vertices, expected, rtol=1e-6, atol=1e-6)
    assert np.array_equal(np.asarray(cloud.colors)[:, :3], image[depth.valid])


def test_ply_header_says_unit_axes_and_camera(tmp_path: Path) -> None:
    depth, image = _scene(kind=DepthKind.RELATIVE)
    named = replace(depth, model_id="mein schönes\nModell", camera_source=CameraSource.ASSUMED)
    write_ply(tmp_path / "cloud.ply", named, image)
    header = (tmp_path / "cloud.ply").read_bytes().split(b"end_header\n")[0].decode("ascii").splitlines()
    assert header[:2] == ["ply", "format binary_little_endian 1.0"]
    assert "comment unit relative" in header and "comment camera_source assumed" in header
    assert "comment model mein sch?nes Modell" in header
    assert any(line.startswith("comment axes x right, y up") for line in header)
    assert len(trimesh.load(tmp_path / "cloud.ply").vertices) == int(depth.valid.sum())


def test_ply_is_thinned_to_exactly_the_number_asked_for(tmp_path: Path) -> None:
    depth, image = _scene(80, 60)
    assert write_ply(tmp_path / "all.ply", depth, image, max_points=10_000) == int(depth.valid.sum())
    assert write_ply(tmp_path / "some.ply", depth, image, max_points=500) == 500
    everything, some = trimesh.load(tmp_path / "all.ply"), trimesh.load(tmp_path / "some.ply")
    known = {(*p, *c) for p, c in zip(everything.vertices.tolist(), np.asarray(everything.colors).tolist(), strict=True)}
    chosen = {(*p, *c) for p, c in zip(some.vertices.tolist(), np.asarray(some.colors).tolist(), strict=True)}
    assert len(chosen) == 500 and chosen <= known
    # Spread over the picture: each quarter has its share (125 of 500; the binomial's six sigma is 58).
    middle = np.median(everything.vertices, axis=0)
    for right in (True, False):
        for top in (True, False):
            share = ((some.vertices[:, 0] > middle[0]) == right) & ((some.vertices[:, 1] > middle[1]) == top)
            assert 65 < int(share.sum()) < 185
    write_ply(tmp_path / "again.ply", depth, image, max_points=500)
    assert (tmp_path / "again.ply").read_bytes() == (tmp_path / "some.ply").read_bytes()


# ---- GLB ----------------------------------------------------------------------------------------------------------


@given(st.integers(2, 12), st.integers(2, 9))
@settings(max_examples=20, deadline=None)
def test_glb_vertices_lie_and_are_coloured_as_their_pixels(tmp_path_factory: pytest.TempPathFactory, width: int, height: int) -> None:
    depth, image = _scene(width, height)
    depth = replace(depth, valid=np.ones_like(depth.valid))
    path = tmp_path_factory.mktemp("glb") / "mesh.glb"
    mesh = write_glb(path, depth, image)
    _, attributes, faces, texture = _read_glb(path)
    rows, columns = np.divmod(mesh.pixels, width)
    expected = np.array([_expected_point(depth, r, c) for r, c in zip(rows, columns, strict=True)])
    assert np.allclose(attributes["POSITION"], expected, rtol=1e-6, atol=1e-6)
    # In glTF the first texel lies at (0, 0) and v counts downwards.
    u, v = attributes["TEXCOORD_0"].T
    assert np.array_equal(texture[(v * height).astype(int), (u * width).astype(int)], image[rows, columns])
    assert len(faces) == 2 * len(mesh.faces) == 2 * (width - 1) * (height - 1)


def test_glb_faces_look_at_the_camera_and_cover_what_is_valid(tmp_path: Path) -> None:
    depth, image = _scene()
    mesh = write_glb(tmp_path / "mesh.glb", depth, image)
    _, attributes, faces, _ = _read_glb(tmp_path / "mesh.glb")
    corners = attributes["POSITION"][faces].astype(np.float64)
    normals = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    # The camera is at the origin: a normal towards it points against the vertex. Counter-clockwise is the front in glTF.
    assert np.all(np.einsum("ij,ij->i", normals, corners.mean(axis=1)) < 0)
    quads = (12 - 1) * (9 - 1) - 4  # the hole takes the four quads around it
    assert len(mesh.faces) == quads and len(faces) == 2 * quads


def test_glb_as_trimesh_reads_it(tmp_path: Path) -> None:
    depth, image = _scene(40, 30)
    write_glb(tmp_path / "mesh.glb", depth, image)
    (loaded,) = trimesh.load(tmp_path / "mesh.glb", process=False).geometry.values()
    texture = np.asarray(loaded.visual.material.baseColorTexture.convert("RGB"))
    assert np.array_equal(texture, image)
    corner = int(np.argmax(loaded.vertices[:, 1] - loaded.vertices[:, 0]))  # top left: highest and leftmost
    u, v = loaded.visual.uv[corner]
    assert np.array_equal(texture[int((1 - v) * 30), int(u * 40)], image[0, 0]), "trimesh counts v upwards"


def test_glb_material_is_unlit_and_the_unit_is_told(tmp_path: Path) -> None:
    depth, image = _scene()
    write_glb(tmp_path / "mesh.glb", replace(depth, kind=DepthKind.RELATIVE, camera_source=CameraSource.ASSUMED), image)
    tree, *_ = _read_glb(tmp_path / "mesh.glb")
    (material,) = tree["materials"]
    assert material["extensions"] == {"KHR_materials_unlit": {}} and tree["extensionsUsed"] == ["KHR_materials_unlit"]
    assert material["pbrMetallicRoughness"]["metallicFactor"] == 0 and material["pbrMetallicRoughness"]["roughnessFactor"] == 1
    assert tree["asset"]["version"] == "2.0"
    assert tree["asset"]["extras"] == {"unit": "relative", "model": "oracle", "camera_source": "assumed"}


@pytest.mark.parametrize("limit", [50, 1000, 4800, 100_000])
def test_glb_is_thinned_below_the_number_asked_for(limit: int, tmp_path: Path) -> None:
    depth, image = _scene(80, 60)
    depth = replace(depth, valid=np.ones_like(depth.valid))
    mesh = write_glb(tmp_path / "mesh.glb", depth, image, max_vertices=limit, tear_above=np.inf)
    _, attributes, _, texture = _read_glb(tmp_path / "mesh.glb")
    assert len(attributes["POSITION"]) == len(mesh.vertices) <= limit
    assert len(mesh.vertices) >= min(limit, 4800) / 5, "not thinner than need be"
    assert texture.shape == image.shape, "the texture keeps its size"
    u, v = attributes["TEXCOORD_0"].T
    rows, columns = np.divmod(mesh.pixels, 80)
    assert np.array_equal(texture[(v * 60).astype(int), (u * 80).astype(int)], image[rows, columns])


def test_glb_texture_is_at_most_what_viewers_take(tmp_path: Path) -> None:
    width, height = MAX_TEXTURE_SIDE + 800, 20
    depth, image = _scene(width, height)
    write_glb(tmp_path / "mesh.glb", replace(depth, values=np.full_like(depth.values, 3)), image, max_vertices=2000)
    _, _, _, texture = _read_glb(tmp_path / "mesh.glb")
    assert texture.shape == (round(height * MAX_TEXTURE_SIDE / width), MAX_TEXTURE_SIDE, 3)


# ---- both ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("writer", GEOMETRY_WRITERS)
def test_what_has_no_shape_is_refused(writer, tmp_path: Path) -> None:  # type: ignore[no-untyped-def]
    depth, image = _scene()
    path = tmp_path / "x.out"
    for bad, words in (
        (replace(depth, kind=DepthKind.DISPARITY), "to_metric"),
        (replace(depth, camera=None), "no camera"),
        (replace(depth, valid=np.zeros_like(depth.valid)), "all sky"),
    ):
        with pytest.raises(DepthKindError, match=words):
            writer(path, bad, image)
    assert list(tmp_path.iterdir()) == []
    path.write_bytes(b"mine")
    with pytest.raises(OutputError, match="exists already"):
        writer(path, depth, image)
    assert path.read_bytes() == b"mine"


def test_one_pixel_is_a_point_but_no_surface(tmp_path: Path) -> None:
    depth, image = _scene(1, 1)
    depth = replace(depth, valid=np.ones((1, 1), bool))
    assert write_ply(tmp_path / "one.ply", depth, image) == 1
    with pytest.raises(DepthKindError, match="point cloud instead"):
        write_glb(tmp_path / "one.glb", depth, image)
    with pytest.raises(DepthKindError):
        write_ply(tmp_path / "none.ply", depth, image, max_points=0)
    with pytest.raises(DepthKindError):
        write_glb(tmp_path / "none.glb", depth, image, max_vertices=3)
    with pytest.raises(DepthKindError, match="allow more vertices"):
        write_glb(tmp_path / "none.glb", *_scene(80, 60), max_vertices=4)
    assert [path.name for path in tmp_path.iterdir()] == ["one.ply"]
