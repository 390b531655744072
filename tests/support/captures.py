# SPDX-License-Identifier: Apache-2.0
"""Small captures in each layout, written as the programs that make real ones write them, and estimators whose depth is known."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from depthbridge.engines import CameraIntrinsics, CameraSource, DepthKind, DepthMap
from depthbridge.engines.export.exr import encode_exr

HEIGHT, WIDTH = 24, 32
INTRINSICS = {"width": WIDTH, "height": HEIGHT, "focal_length_x": 30.0, "focal_length_y": 31.0}


class FixedDepth:
    """The same depth for every picture, and the cameras it was asked with. ``before`` is called with the number of each estimate."""

    model_id = "oracle"
    needs_camera = False

    def __init__(self, depth: Any, kind: DepthKind = DepthKind.METRIC, before: Callable[[int], None] | None = None) -> None:
        self.depth, self.kind, self.before = np.asarray(depth, np.float32), kind, before
        self.cameras: list[CameraIntrinsics | None] = []

    def estimate(self, image: np.ndarray, camera: CameraIntrinsics | None = None, *, cancel: Any = None) -> DepthMap:
        if self.before is not None:
            self.before(len(self.cameras))
        assert image.shape == (*self.depth.shape, 3)
        self.cameras.append(camera)
        source = CameraSource.NONE if camera is None else CameraSource.GIVEN
        return DepthMap(self.depth, self.kind, self.depth > 0, None, None, camera, self.model_id, source)


class DepthFromRed:
    """Metres that stand in the red of each pixel, in tenths: a picture says its own depth."""

    model_id, kind, needs_camera = "red", DepthKind.METRIC, False

    def estimate(self, image: np.ndarray, camera: CameraIntrinsics | None = None, *, cancel: Any = None) -> DepthMap:
        depth = image[..., 0].astype(np.float32) / 10
        source = CameraSource.NONE if camera is None else CameraSource.GIVEN
        return DepthMap(depth, self.kind, depth > 0, None, None, camera, self.model_id, source)


def ramp(height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """Depth of 1 to 5 m, another in every pixel."""
    return np.linspace(1, 5, height * width, dtype=np.float32).reshape(height, width)


def two_boxes(height: int = HEIGHT, width: int = WIDTH) -> np.ndarray:
    """Mask values 1 and 2."""
    mask = np.zeros((height, width), np.uint8)
    mask[4:10, 5:9], mask[12:20, 10:30] = 1, 2
    return mask


def write_exr(path: Path, depth: Any) -> None:
    """One channel, or three with blue first."""
    path.write_bytes(encode_exr(np.asarray(depth, np.float32)))


def make_capture(
    folder: Path,
    entries: Sequence[Mapping[str, Any]],
    mask: np.ndarray | None = None,
    intrinsics: Mapping[str, Any] | None = INTRINSICS,
    size: tuple[int, int] = (HEIGHT, WIDTH),
) -> Path:
    """Our own layout, the same grey picture and mask for every entry."""
    for name in ("images", "masks"):
        (folder / name).mkdir(parents=True)
    if mask is None:
        mask = np.zeros(size, np.uint8)
        mask[4:10, 5:9], mask[12:20, 10:30] = 1, 2
    for entry in entries:
        Image.fromarray(np.full((*size, 3), 90, np.uint8)).save(folder / "images" / entry["image"])
        Image.fromarray(mask).save((folder / "masks" / entry["image"]).with_suffix(".png"))
    (folder / "annotations.json").write_text(json.dumps(entries))
    if intrinsics is not None:
        (folder / "camera_intrinsics.json").write_text(json.dumps(intrinsics))
    return folder


def tree(folder: Path) -> dict[str, tuple[int, str]]:
    """Time and digest of every file."""
    return {
        str(path.relative_to(folder)): (path.stat().st_mtime_ns, hashlib.sha256(path.read_bytes()).hexdigest())
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def results(out: Path) -> Any:
    """The annotations of a result."""
    return json.loads((out / "annotations.json").read_text(encoding="utf-8"))


# ---- Unity Perception --------------------------------------------------------------------------------------------

SOLO_TYPE = "type.unity.com/unity.solo."
# Written by Perception 0.10 on Unity 2020.3 for a camera of 60 degrees vertical and 1024x768, as published with pysolotools.
REAL_MATRIX = [1.299259, 0.0, 0.0, 0.0, 1.73234534, 0.0, 0.0, 0.0, -1.0006001]


def projection_by_columns(fx: float, fy: float, cx: float, cy: float, width: int, height: int) -> list[float]:
    """Unity's projection of a camera in pixels (rows from the top), its upper 3x3 as Perception writes it."""
    p02, p12 = 1 - 2 * cx / width, 2 * cy / height - 1
    return [2 * fx / width, 0.0, 0.0, 0.0, 2 * fy / height, 0.0, p02, p12, -1.0006001]


def solo_capture(
    mask: np.ndarray,
    instances: Sequence[tuple[int, str, Sequence[int]]],
    *,
    matrix: Sequence[float],
    step: int = 0,
    sensor: str = "camera",
    annotations: Sequence[Mapping[str, Any]] = (),
    **fields: Any,
) -> dict[str, Any]:
    """A capture record with an instance segmentation and its boxes; ``mask`` holds places in ``instances``, from 1."""
    height, width = mask.shape
    listed = [{"instanceId": number, "labelId": place, "labelName": label, "color": list(colour)}
              for place, (number, label, colour) in enumerate(instances, start=1)]  # fmt: skip
    boxes = []
    for place, (number, label, _) in enumerate(instances, start=1):
        rows, columns = np.nonzero(mask == place)
        if len(rows):
            x, y = float(columns.min()), float(rows.min())
            size = [float(columns.max()) + 1 - x, float(rows.max()) + 1 - y]
            boxes.append({"instanceId": number, "labelId": place, "labelName": label, "origin": [x, y], "dimension": size})
    about = {"sensorId": sensor, "description": "..."}
    return {
        "@type": SOLO_TYPE + "RGBCamera", "id": sensor, "description": None,
        "position": [0.0, 0.0, 0.0], "rotation": [0.0, 0.0, 0.0, 1.0], "velocity": [0.0, 0.0, 0.0], "acceleration": [0.0, 0.0, 0.0],
        "filename": f"step{step}.{sensor}.png", "imageFormat": "Png", "dimension": [float(width), float(height)],
        "projection": "Perspective", "matrix": list(matrix),
        "annotations": [
            {"@type": SOLO_TYPE + "BoundingBox2DAnnotation", "id": "bounding box", **about, "values": boxes},
            {"@type": SOLO_TYPE + "InstanceSegmentationAnnotation", "id": "instance segmentation", **about, "imageFormat": "Png",
             "dimension": [float(width), float(height)], "filename": f"step{step}.{sensor}.instance segmentation.png", "instances": listed},
            *annotations,
        ],
        **fields,
    }  # fmt: skip


def write_solo_frame(
    folder: Path,
    captures: Sequence[Mapping[str, Any]],
    images: Sequence[np.ndarray],
    masks: Sequence[np.ndarray],
    *,
    sequence: int = 0,
    step: int = 0,
) -> Path:
    """One frame file with its pictures, and the files of the dataset's top if they are missing."""
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "metadata.json").exists():
        top = {"unityVersion": "2021.3.45f1", "perceptionVersion": "1.0.0-preview.1", "renderPipeline": "HDRP", "sensors": ["camera"]}
        (folder / "metadata.json").write_text(json.dumps(top, indent=2))
        for name in ("annotation", "metric", "sensor"):
            (folder / f"{name}_definitions.json").write_text(json.dumps({f"{name}Definitions": []}, indent=2))
    home = folder / f"sequence.{sequence}"
    home.mkdir(exist_ok=True)
    for capture, image, mask in zip(captures, images, masks, strict=True):
        Image.fromarray(image).save(home / capture["filename"])
        segmentation = next(each for each in capture["annotations"] if "InstanceSegmentation" in each["@type"])
        colours = np.zeros((*mask.shape, 4), np.uint8)
        colours[..., 3] = 255
        for place, instance in enumerate(segmentation["instances"], start=1):
            colours[mask == place] = instance["color"]
        Image.fromarray(colours).save(home / segmentation["filename"])
    data = {"frame": 2 + step, "sequence": sequence, "step": step, "captures": list(captures), "metrics": [{"@type": "m", "id": "ObjectCount"}]}
    path = home / f"step{step}.frame_data.json"
    path.write_text(json.dumps(data, indent=2))
    return path


# ---- COCO --------------------------------------------------------------------------------------------------------


def runs_of(mask: np.ndarray) -> dict[str, Any]:
    """COCO's uncompressed run lengths, down the columns, background first."""
    flat = np.asarray(mask, bool).T.ravel()
    changes = np.flatnonzero(np.diff(flat)) + 1
    counts = np.diff(np.concatenate([[0], changes, [flat.size]])).tolist()
    return {"size": list(mask.shape), "counts": ([0] if flat[0] else []) + counts}


def write_coco(
    folder: Path,
    images: Mapping[str, np.ndarray],
    annotations: Sequence[Mapping[str, Any]],
    *,
    json_name: str = "annotations/instances_default.json",
    pictures: str = "images",
    intrinsics: Mapping[str, Any] | None = None,
    **more: Any,
) -> Path:
    """A dataset whose images have the ids 10, 11, ... in their order."""
    (folder / pictures).mkdir(parents=True, exist_ok=True)
    records = []
    for number, (name, pixels) in enumerate(images.items(), start=10):
        (folder / pictures / name).parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(pixels).save(folder / pictures / name)
        records.append({"id": number, "file_name": name, "width": pixels.shape[1], "height": pixels.shape[0], "license": 1})
    data = {
        "info": {"year": 2026}, "licenses": [], "images": records, "annotations": list(annotations),
        "categories": [{"id": 1, "name": "cube", "supercategory": "shape"}, {"id": 2, "name": "box"}], **more,
    }  # fmt: skip
    path = folder / json_name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(data))
    if intrinsics is not None:
        (folder / "camera_intrinsics.json").write_text(json.dumps(intrinsics))
    return folder
