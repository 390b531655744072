# SPDX-License-Identifier: Apache-2.0
"""Hypersim (Roberts et al., ICCV 2021) as its archives unpack::

    ai_001_001/images/scene_cam_00_geometry_hdf5/frame.0000.depth_meters.hdf5      "dataset": (768, 1024), metres along the ray
    ai_001_001/images/scene_cam_00_final_preview/frame.0000.tonemap.jpg            the picture, or frame.0000.color.jpg
    ai_001_001/images/scene_cam_00_final_hdf5/frame.0000.color.hdf5                else this, in linear light, with geometry's render_entity_id
    metadata_images_split_scene_v1.csv                                             optional, from evermotion_dataset/analysis of its repository
    metadata_camera_parameters.csv                                                 optional, from contrib/mikeroberts3000 of its repository

Distances along the ray become planar depth: of a pixel's ray r in the camera's frame, ``z = distance * r_z / |r|``. Without the second
table the camera is the usual one, a focal length of 886.81 px at 1024x768 (a horizontal field of view of 60 degrees), as in Depth Anything
V2 (``metric_depth/dataset/hypersim.py``); with it each scene has its own, tilted lenses included (``M_cam_from_uv``). For published figures
leave it out.

What no surface was hit at is not finite: those pixels are taken as sky. It is what lies behind open windows, mostly.

Depth Anything V2 counts depth from 0.001 to 20 m, without a crop (``metric_depth/train.py``). The table's split "val" is taken; its own list
(``splits/hypersim/val.txt``) has 7,386 pictures: the protocol's line says how many there are here.
"""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import numpy.typing as npt

from ....engines.camera import CameraIntrinsics
from ..samples import DatasetError, FloatArray, Sample, UInt8Array
from .base import LayoutReader, assemble
from .counting import Counting
from .files import read_hdf5_array, read_rgb, read_text
from .tonemap import tonemapped

Rays = npt.NDArray[np.float64]
"""float64 (3, 3): times (x, y, 1) in pixels of the depth, edge convention, it gives the ray in the camera's frame (x right, y down)."""

_FOCAL_PX, _WIDTH_PX = 886.81, 1024
_DEPTHS = "ai_*/images/scene_cam_*_geometry_hdf5/frame.*.depth_meters.hdf5"
_DEPTH = re.compile(r"frame\.(\d+)\.depth_meters\.hdf5")
_FOLDER = re.compile(r"scene_(cam_\d+)_geometry_hdf5")
_SPLIT, _CAMERAS = "metadata_images_split_scene_v1.csv", "metadata_camera_parameters.csv"
_PARTITION = "val"
_TABLE_FOLDERS = ("", "evermotion_dataset/analysis", "contrib/mikeroberts3000")


class Hypersim(LayoutReader):
    """Hypersim. Names are ``ai_001_001/cam_00/0000``."""

    layout = "Hypersim"

    def __init__(self, root: Path, names: list[str], split: str, lenses: dict[str, Rays] | None) -> None:
        """``lenses``: of each scene its ``M_cam_from_uv``; None for the usual camera in all."""
        counting = Counting(
            split=split,
            truth=f"metres along the ray made planar with {'the usual camera of 886.81 px' if lenses is None else 'the camera of each scene'}",
            source="Depth Anything V2, metric_depth/train.py",
            above_m=1e-3,
            below_m=20.0,
            below_too=True,
        )
        super().__init__(names, counting)
        self._root = root
        self._lenses = lenses

    @staticmethod
    def recognises(path: Path) -> bool:
        return path.is_dir() and next(path.glob(_DEPTHS), None) is not None

    @classmethod
    def open(cls, path: Path) -> Hypersim:
        """Raises :class:`DatasetError`."""
        names = sorted(name for file in path.glob(_DEPTHS) if (name := _name(file)) is not None) if path.is_dir() else []
        if not names:
            raise DatasetError(
                f"{path} has no ai_001_001/images/scene_cam_00_geometry_hdf5/frame.0000.depth_meters.hdf5 or the like; give Hypersim's folder."
            )
        split, table = "all pictures that are there", _table(path, _SPLIT)
        if table is not None:
            official = _of_partition(table)
            names = [name for name in names if name in official]
            split = f'{len(names)} of the {len(official)} pictures of the official split "{_PARTITION}"'
            if not names:
                raise DatasetError(f'{path} has no picture of the split "{_PARTITION}" that {table} lists; take the table away to use all.')
        table = _table(path, _CAMERAS)
        return cls(path, names, split, None if table is None else _lenses(table))

    def _read(self, name: str) -> Sample:
        scene, camera_name, frame = name.split("/")
        images = self._root / scene / "images"
        geometry = images / f"scene_{camera_name}_geometry_hdf5"
        source = geometry / f"frame.{frame}.depth_meters.hdf5"
        distance = read_hdf5_array(source).astype(np.float32)
        if distance.ndim != 2:
            raise DatasetError(f"{source} holds an array of the shape {distance.shape}, not rows and columns; unpack it again.")
        rgb = _picture(images, geometry, camera_name, frame)
        rays = self._rays(scene, distance.shape[0], distance.shape[1])
        camera, notes = _pinhole(rays, distance.shape[0], distance.shape[1])
        sky = ~np.isfinite(distance)
        planar = planar_of_distance(np.where(sky, np.float32(0), distance), rays)
        return assemble(name, rgb, planar, self.counting, sky, camera.resized(rgb.shape[1], rgb.shape[0]), notes)

    def _rays(self, scene: str, height: int, width: int) -> Rays:
        if self._lenses is None:
            focal = _FOCAL_PX * width / _WIDTH_PX
            return np.array([[1 / focal, 0, -width / 2 / focal], [0, 1 / focal, -height / 2 / focal], [0, 0, 1]])
        if scene not in self._lenses:
            raise DatasetError(f"{_CAMERAS} has no scene {scene}; download it again, or take it away to use the usual camera for all.")
        # u right and v up from -1 to 1; the camera looks along -z, y up.
        uv_from_pixel = np.array([[2 / width, 0, -1], [0, -2 / height, 1], [0, 0, 1]])
        return np.asarray(np.diag([1.0, -1.0, -1.0]) @ self._lenses[scene] @ uv_from_pixel)


def planar_of_distance(distance_m: FloatArray, rays: Rays) -> FloatArray:
    """Planar depth (H, W) of metres along each pixel's ray: ``z = distance * r_z / |r|``."""
    height, width = distance_m.shape
    x, y = np.arange(width) + 0.5, (np.arange(height) + 0.5)[:, None]
    right, down, forward = (row[0] * x + row[1] * y + row[2] for row in rays)
    return np.asarray(distance_m * (forward / np.sqrt(right**2 + down**2 + forward**2)), np.float32)


def _name(depth: Path) -> str | None:
    frame, folder = _DEPTH.fullmatch(depth.name), _FOLDER.fullmatch(depth.parent.name)
    return None if frame is None or folder is None else f"{depth.parents[2].name}/{folder[1]}/{frame[1]}"


def _pinhole(rays: Rays, height: int, width: int) -> tuple[CameraIntrinsics, tuple[str, ...]]:
    """The pinhole of the depth's size; of a tilted lens, which no pinhole is, the one that agrees with it on the axis, and a note."""
    k = np.linalg.inv(rays)
    k = k / k[2, 2]
    camera = CameraIntrinsics(k[0, 0], k[1, 1], k[0, 2], k[1, 2], width, height)
    tilted = abs(k[0, 1]) > 1e-3 * k[0, 0] or abs(k[1, 0]) > 1e-3 * k[1, 1] or max(abs(k[2, :2])) > 1e-3
    return camera, ("its lens is tilted: true depth is exact, the focal length that models get is that of the axis",) if tilted else ()


def _picture(images: Path, geometry: Path, camera_name: str, frame: str) -> UInt8Array:
    preview = images / f"scene_{camera_name}_final_preview"
    for kind in ("tonemap", "color"):
        if (file := preview / f"frame.{frame}.{kind}.jpg").exists():
            return read_rgb(file)
    linear = images / f"scene_{camera_name}_final_hdf5" / f"frame.{frame}.color.hdf5"
    if not linear.exists():
        raise DatasetError(f"{preview / f'frame.{frame}.tonemap.jpg'} is missing, and so is {linear}; unpack one of them.")
    colour = read_hdf5_array(linear).astype(np.float32)
    surface = read_hdf5_array(geometry / f"frame.{frame}.render_entity_id.hdf5") != -1
    if colour.ndim != 3 or colour.shape[2] != 3 or surface.shape != colour.shape[:2]:
        raise DatasetError(f"{linear} has the shape {colour.shape} and its render_entity_id {surface.shape}; unpack both again.")
    return tonemapped(colour, surface)


# ---- its tables -----------------------------------------------------------------------------------------------------


def _table(path: Path, name: str) -> Path | None:
    return next((file for folder in _TABLE_FOLDERS if (file := path / folder / name).is_file()), None)


def _rows(table: Path, columns: tuple[str, ...]) -> Iterator[dict[str, str]]:
    reader = csv.DictReader(io.StringIO(read_text(table)))
    missing = [column for column in columns if column not in (reader.fieldnames or ())]
    if missing:
        raise DatasetError(f"{table} has no column {', '.join(missing)}; download it again.")
    yield from reader


def _of_partition(table: Path) -> frozenset[str]:
    columns = ("scene_name", "camera_name", "frame_id", "included_in_public_release", "split_partition_name")
    try:
        return frozenset(
            f"{row['scene_name']}/{row['camera_name']}/{int(row['frame_id']):04d}"
            for row in _rows(table, columns)
            if row["included_in_public_release"] == "True" and row["split_partition_name"] == _PARTITION
        )
    except (TypeError, ValueError) as error:
        raise DatasetError(f"{table} has a row without a frame's number; download it again.") from error


def _lenses(table: Path) -> dict[str, Rays]:
    columns = tuple(f"M_cam_from_uv_{row}{column}" for row in range(3) for column in range(3))
    lenses: dict[str, Rays] = {}
    for row in _rows(table, ("scene_name", *columns)):
        try:
            lens = np.array([float(row[column]) for column in columns]).reshape(3, 3)
        except (TypeError, ValueError) as error:
            raise DatasetError(f"{table} has no whole M_cam_from_uv for {row['scene_name']}; download it again.") from error
        # Singular, it maps the picture onto a line: no camera.
        if not np.isfinite(lens).all() or abs(np.linalg.det(lens)) < 1e-9:
            raise DatasetError(f"{table} has a M_cam_from_uv for {row['scene_name']} that is no camera's; download it again.")
        lenses[row["scene_name"]] = lens
    return lenses
