# SPDX-License-Identifier: Apache-2.0
"""The C# session on mono against the real server: what it answers is exact, and every request ends once, whatever the server does."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest

from depthbridge.engines import CameraSource, DepthKind, DepthMap
from depthbridge.unity_bridge.serving.server import BridgeServer
from support.bridge_peers import LOOPBACK
from support.session_tool import SessionTool, build_session_tool


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_session_tool(tmp_path_factory.mktemp("session"))


class Oracle:
    """Knows the depth of every pixel: red and green hold it in centimetres."""

    model_id = "oracle"
    kind = DepthKind.METRIC
    needs_camera = True

    def estimate(self, image, camera=None, *, cancel=None):
        depth = (image[..., 0].astype(np.float32) + 256 * image[..., 1].astype(np.float32)) / 100
        return DepthMap(depth, DepthKind.METRIC, depth > 0, None, None, camera, self.model_id, CameraSource.GIVEN)


@dataclass
class Camera:
    """A camera of Unity: its matrices, and where a pixel's ray goes, worked out apart from the code under test."""

    width: int
    height: int
    focal: float = 1.1  # of half the height
    stretch: float = 1.0
    shift: tuple[float, float] = (0.0, 0.0)
    place: npt.NDArray[np.float64] = field(default_factory=lambda: np.zeros(3))
    turn: npt.NDArray[np.float64] = field(default_factory=lambda: np.eye(3))
    """Columns: right, up, forward."""

    @property
    def projection(self) -> npt.NDArray[np.float64]:
        matrix = np.zeros((4, 4))
        matrix[0, 0], matrix[1, 1] = self.focal * self.height / self.width * self.stretch, self.focal
        matrix[0, 2], matrix[1, 2] = self.shift
        matrix[2, 2], matrix[2, 3], matrix[3, 2] = -1.002, -0.2, -1
        return matrix

    @property
    def world_to_camera(self) -> npt.NDArray[np.float64]:
        matrix = np.eye(4)
        matrix[:3, :3] = np.diag([1, 1, -1]) @ self.turn.T
        matrix[:3, 3] = -matrix[:3, :3] @ self.place
        return matrix

    def local(self, u: float, v: float, depth: float) -> npt.NDArray[np.float64]:
        """Right, up and forward of the point at planar ``depth`` that is seen at pixel (u, v from above)."""
        right, up = 2 * u / self.width - 1, 1 - 2 * v / self.height
        matrix = self.projection
        return np.array([(right + matrix[0, 2]) * depth / matrix[0, 0], (up + matrix[1, 2]) * depth / matrix[1, 1], depth])


def random_camera(rng: np.random.Generator, width: int, height: int) -> Camera:
    turn = np.linalg.qr(rng.normal(size=(3, 3)))[0]
    turn[:, 0] *= np.linalg.det(turn)
    return Camera(width, height, rng.uniform(0.8, 3), rng.uniform(0.7, 1.4), tuple(rng.uniform(-0.3, 0.3, 2)), rng.uniform(-9, 9, 3), turn)


@dataclass
class Scene:
    """Rectangles at known depths before a wall; ``depths`` by mask value, in centimetres."""

    image: npt.NDArray[np.uint8]
    mask: npt.NDArray[np.uint16]
    depths: dict[int, int]


def random_scene(rng: np.random.Generator, width: int, height: int, across: int = 4) -> Scene:
    centimetres = np.full((height, width), 4000, np.int64)
    mask = np.zeros((height, width), np.uint16)
    depths = {}
    for cell in range(across * 2):
        left, top = cell % across * width // across, cell // across * height // 2
        mask_value = int(rng.integers(1, 65536))
        if mask_value in depths:
            continue
        right, bottom = left + int(rng.integers(1, width // across)), top + int(rng.integers(1, height // 2))
        depths[mask_value] = int(rng.integers(30, 3000))
        mask[top:bottom, left:right] = mask_value
        centimetres[top:bottom, left:right] = depths[mask_value]
    image = rng.integers(0, 256, (height, width, 4)).astype(np.uint8)
    image[..., 0], image[..., 1] = centimetres % 256, centimetres // 256
    return Scene(image, mask, depths)


def request_of(folder: Path, frame: int, scene: Scene, camera: Camera | None, *, image_origin="bottom_left", mask_origin="bottom_left", **more):
    """The command that submits a scene, its pixels in files as they lie in memory."""
    height, width = scene.mask.shape
    image = scene.image[::-1] if image_origin == "bottom_left" else scene.image
    mask = scene.mask[::-1] if mask_origin == "bottom_left" else scene.mask
    image_path, mask_path = folder / f"{frame}.rgba", folder / f"{frame}.u16"
    image_path.write_bytes(image.tobytes())
    mask_path.write_bytes(mask.astype("<u2").tobytes())
    size = {"width": width, "height": height}
    command: dict[str, Any] = {
        "frame": frame,
        "image": {"path": str(image_path), "channels": 4, "origin": image_origin, **size},
        "mask": {"path": str(mask_path), "dtype": "u16", "origin": mask_origin, **size},
        **more,
    }
    if camera is not None:
        command["projection"] = camera.projection.ravel().tolist()
        command["world_to_camera"] = camera.world_to_camera.ravel().tolist()
    return command


def check_objects(event: dict[str, Any], scene: Scene, camera: Camera) -> None:
    """Every number of every object against the scene's own."""
    assert event["event"] == "Answered" and event["unit"] == "m", event
    assert sorted(item["mask_value"] for item in event["objects"]) == sorted(scene.depths)
    for item in event["objects"]:
        depth = scene.depths[item["mask_value"]] / 100
        assert item["distance"] == pytest.approx([depth] * 5, abs=2e-6)
        assert item["pixels"] == (scene.mask == item["mask_value"]).sum()
        u, v = item["center_px"]
        assert scene.mask[int(v), int(u)] == item["mask_value"]
        right, up, forward = camera.local(u, v, depth)
        assert item["position"] == pytest.approx([right, -up, forward], abs=3e-5 * depth)
        assert item["range"][0] == pytest.approx(np.linalg.norm([right, up, forward]), abs=3e-5 * depth)
        assert item["world"] == pytest.approx(camera.place + camera.turn @ [right, up, forward], abs=3e-5 * depth)


def test_distances_positions_and_the_world_are_exact(program, tmp_path):
    rng = np.random.default_rng(4)
    with BridgeServer(Oracle(), LOOPBACK) as server, SessionTool(program) as tool:
        tool.start(server.endpoint, flow="Lossless", queue=100)
        sent = {}
        for frame in range(24):
            width, height = int(rng.integers(8, 90)), int(rng.integers(6, 70))
            scene, camera = random_scene(rng, width, height), random_camera(rng, width, height)
            origins = {name: ("bottom_left", "top_left")[int(rng.integers(2))] for name in ("image_origin", "mask_origin")}
            sent[frame] = scene, camera
            assert tool.ask("submit", **request_of(tmp_path, frame, scene, camera, **origins))["outcome"] == "Queued"
        ends = tool.wait_ends(24)
        for frame, (scene, camera) in sent.items():
            check_objects(ends[frame], scene, camera)
        tool.ask("stop")
        assert tool.state()["releases"] == {str(frame): 1 for frame in range(24)}
