# SPDX-License-Identifier: Apache-2.0
"""COCO datasets, read: one JSON file of images, annotations and categories, and the pictures beside it.

The JSON lies in the folder or in ``annotations/`` below it; a picture is looked for beside the JSON and in the folder, there also in
``images/``, ``data/``, and in the folder that the JSON is named after (``instances_val2017.json``: ``val2017/``, ``images/val2017/``). Pictures
have no camera of their own in COCO: ``camera_intrinsics.json`` beside the JSON or in the folder, a ``camera`` object in an image's entry, the
field of view the user gives, or EXIF. True depth is ``depth/NAME.exr``, as in our own layout.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from ...engines.camera import CameraIntrinsics, CameraSource
from ...engines.errors import CaptureError
from ...engines.images import DecodedImage, decode_image
from .cameras import INTRINSICS, camera_from_json
from .capture import read_intrinsics
from .coco_masks import decode_segmentation, load_pycocotools, needs_pycocotools
from .files import check_name, fingerprint, read_json, with_suffix
from .reader import CaptureFrame, CaptureObject, Layout, LoadedFrame, Mask, Pose, known_distance
from .truth import read_depth_exr

Record = Mapping[str, Any]


class CocoCapture:
    """A COCO dataset, its JSON in memory as every reader of COCO has it."""

    def __init__(self, json_path: Path, folder: Path, data: Record, fov_vertical_deg: float | None) -> None:
        self.json_path = json_path
        self._folder = folder
        self._data = data
        self._images: list[Record] = data["images"]
        self._by_image: dict[Any, list[Record]] = {}
        for annotation in data["annotations"]:
            self._by_image.setdefault(annotation.get("image_id"), []).append(annotation)
        listed = data.get("categories")
        self._categories = {
            item["id"]: item.get("name")
            for item in (listed if isinstance(listed, list) else [])
            if isinstance(item, Mapping) and isinstance(item.get("id"), (int, str))
        }
        self._fov_vertical_deg = fov_vertical_deg
        here = read_intrinsics(json_path.parent / INTRINSICS)
        self._intrinsics = here if here is not None else read_intrinsics(folder / INTRINSICS)
        if self._intrinsics is not None and fov_vertical_deg is not None:
            raise CaptureError(f"{folder} has a {INTRINSICS}, which says the camera; leave out --fov-v.")
        self._frames = tuple(CaptureFrame(image["file_name"], place) for place, image in enumerate(self._images))
        self._bases = list(_bases(json_path, folder))

    @classmethod
    def open(cls, json_path: Path, folder: Path, *, fov_vertical_deg: float | None = None) -> CocoCapture:
        """Read the JSON; ``folder`` is the dataset's own. Raises :class:`CaptureError` naming the entry, or what has to be installed."""
        data = read_json(json_path)
        if not isinstance(data, Mapping) or not isinstance(data.get("images"), list) or not isinstance(data.get("annotations"), list):
            raise CaptureError(f'{json_path} is no COCO file; it needs the lists "images" and "annotations".')
        for number, image in enumerate(data["images"], start=1):
            if not isinstance(image, Mapping) or not isinstance(image.get("file_name"), str) or not isinstance(image.get("id"), (int, str)):
                raise CaptureError(f'Image {number} of {json_path} has no "file_name" and "id"; add them.')
        for number, annotation in enumerate(data["annotations"], start=1):
            if not isinstance(annotation, Mapping) or not isinstance(annotation.get("image_id"), (int, str)):
                raise CaptureError(f'Annotation {number} of {json_path} has no "image_id"; add it.')
        if not data["images"]:
            raise CaptureError(f"{json_path} lists no images.")
        _refuse_shared_ids(json_path, data["images"])
        if any(needs_pycocotools(annotation.get("segmentation")) for annotation in data["annotations"]):
            load_pycocotools()
        return cls(json_path, folder, data, fov_vertical_deg)

    @property
    def layout(self) -> Layout:
        return Layout.COCO

    @property
    def folder(self) -> Path:
        return self._folder

    @property
    def frames(self) -> tuple[CaptureFrame, ...]:
        return self._frames

    @property
    def head(self) -> Record:
        """The JSON's content without its annotations."""
        return {name: value for name, value in self._data.items() if name != "annotations"}

    def image(self, frame: CaptureFrame) -> Record:
        """The image's record, verbatim."""
        return self._images[frame.place]

    def annotations(self, frame: CaptureFrame) -> list[Record]:
        """Those of one picture, verbatim, in their order."""
        return self._by_image.get(self._images[frame.place]["id"], [])

    @property
    def orphans(self) -> list[Record]:
        """Annotations of images that are not listed."""
        known = {image["id"] for image in self._images}
        return [annotation for image_id, found in self._by_image.items() if image_id not in known for annotation in found]

    def entry(self, frame: CaptureFrame) -> dict[str, Any]:
        """The image's own fields, and its annotations without their segmentations, boxes as corners beside the original."""
        objects = [self._record(annotation) for annotation in self.annotations(frame)]
        return {"image": frame.name, **self._images[frame.place], "objects": objects}

    def load(self, frame: CaptureFrame) -> LoadedFrame:
        """Read one picture. Raises :class:`CaptureError`, ``ImageError`` or ``CameraError``, in one sentence."""
        check_name(frame.name, "the dataset")
        record = self._images[frame.place]
        picture = decode_image(self._picture(frame.name), name=frame.name)
        size = [record.get("width", picture.width), record.get("height", picture.height)]
        if size != [picture.width, picture.height]:
            raise CaptureError(f"the dataset says {size[0]}x{size[1]} and the picture has {picture.width}x{picture.height}.")
        camera, pose, source, notes = self._camera(record, picture)
        layers, objects = self._masks(frame, picture)
        truth = self._truth(frame.name)
        depth = read_depth_exr(truth, picture.width, picture.height) if truth.exists() else None
        return LoadedFrame(picture.rgb, layers, camera, objects, depth, tuple(notes), pose, source)

    def fingerprint(self, frame: CaptureFrame) -> str:
        found = self.annotations(frame)
        names = [self._category(each) for each in found]
        about = [self.layout, self._images[frame.place], found, names, self._intrinsics, self._fov_vertical_deg]
        return fingerprint(about, [self._picture(frame.name), self._truth(frame.name)])

    def _picture(self, name: str) -> Path:
        """The first place that has it, which is tried first for the next; the likeliest place when none has."""
        for number, base in enumerate(self._bases):
            if (base / name).is_file():
                if number:
                    self._bases = [base, *(other for other in self._bases if other != base)]
                return base / name
        return self._bases[0] / name

    def _truth(self, name: str) -> Path:
        return with_suffix(self._folder / "depth", name, ".exr")

    def _category(self, annotation: Record) -> Any:
        key = annotation.get("category_id")
        return self._categories.get(key) if isinstance(key, (int, str)) else None

    def _camera(self, record: Record, picture: DecodedImage) -> tuple[CameraIntrinsics | None, Pose | None, CameraSource, list[str]]:
        width, height = picture.width, picture.height
        own = record.get("camera")
        if own is not None or self._intrinsics is not None:
            source, where = (own, "its camera") if own is not None else (self._intrinsics, INTRINSICS)
            return *camera_from_json(source, where, width, height)[:2], CameraSource.GIVEN, []
        if self._fov_vertical_deg is not None:
            return CameraIntrinsics.from_vertical_fov(self._fov_vertical_deg, width, height), None, CameraSource.GIVEN, []
        return picture.exif_camera, None, CameraSource.EXIF, []

    def _record(self, annotation: Record) -> dict[str, Any]:
        record: dict[str, Any] = {"id": annotation.get("id"), "category": self._category(annotation)}
        for name, value in annotation.items():
            if name == "bbox":
                record |= _corners(value)
            elif name != "segmentation":
                record[name] = value
        return record

    def _masks(self, frame: CaptureFrame, picture: DecodedImage) -> tuple[tuple[Mask, ...], tuple[CaptureObject, ...]]:
        """Objects may overlap in COCO: each goes into the first layer in which its pixels are free."""
        shape = (picture.height, picture.width)
        layers = [np.zeros(shape, dtype=np.int32)]
        objects: dict[int, CaptureObject] = {}
        found = list(enumerate(self.annotations(frame), start=1))
        # Those with known distances first, so that one layer holds all of them.
        for value, annotation in sorted(found, key=lambda pair: pair[1].get("known_distance_m") is None):
            record, known = self._record(annotation), known_distance(annotation)
            try:
                mask = decode_segmentation(annotation.get("segmentation"), picture.width, picture.height)
            except CaptureError as error:
                if "pip install" in str(error):
                    raise
                objects[value] = CaptureObject(record, value, 0, None, f"Its segmentation {error}.")
                continue
            layer = next((number for number, each in enumerate(layers) if not each[mask].any()), len(layers))
            if layer == len(layers):
                layers.append(np.zeros(shape, dtype=np.int32))
            layers[layer][mask] = value
            objects[value] = CaptureObject(record, value, layer, known, "Its segmentation covers no pixel.")
        return tuple(layers), tuple(objects[value] for value, _ in found)


def _refuse_shared_ids(json_path: Path, images: list[Record]) -> None:
    seen: dict[Any, Record] = {}
    for image in images:
        other = seen.setdefault(image["id"], image)
        if other is not image:
            raise CaptureError(
                f"{json_path}: {other['file_name']} and {image['file_name']} have the same id {image['id']!r}; give each its own."
            )


def _corners(box: object) -> dict[str, Any]:
    if isinstance(box, list) and len(box) == 4 and all(isinstance(side, (int, float)) for side in box):
        x, y, width, height = box
        with suppress(OverflowError):  # a whole number that no float holds, and a float
            return {"bbox": [x, y, x + width, y + height], "bbox_xywh": box}
    return {"bbox_xywh": box}


def _bases(json_path: Path, folder: Path) -> Iterator[Path]:
    """Where pictures may lie, likeliest first."""
    named = json_path.stem.rsplit("_", 1)[-1]
    tried = [folder / "images", folder / "images" / named, folder / named, json_path.parent, folder, folder / "data"]
    yield from dict.fromkeys(path for path in tried if path.is_dir())
