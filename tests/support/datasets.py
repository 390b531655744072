# SPDX-License-Identifier: Apache-2.0
"""Tiny data sets in each owner's layout, written with h5py, OpenCV, Pillow and SciPy alone, so that what is read back is known beforehand."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import cv2
import h5py
import numpy as np
import scipy.io
from PIL import Image

RED, BLUE = (200, 30, 40), (20, 60, 210)


def two_colours(height: int, width: int) -> np.ndarray:
    """Red above, blue below: upside down and blue first are told apart."""
    picture = np.empty((height, width, 3), np.uint8)
    picture[: height // 2], picture[height // 2 :] = RED, BLUE
    return picture


def is_two_colours(rgb: np.ndarray) -> bool:
    """Whether a picture, JPEG perhaps, is :func:`two_colours`."""
    return bool(np.abs(rgb.astype(int) - two_colours(*rgb.shape[:2])).mean() < 3)


def save_picture(path: Path, height: int, width: int) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(two_colours(height, width)).save(path, **({"quality": 95, "subsampling": 0} if path.suffix == ".jpg" else {}))
    return path


def save_uint16(path: Path, values: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    assert cv2.imwrite(str(path), np.asarray(values, np.uint16))
    return path


def save_hdf5(path: Path, **arrays: Any) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    with h5py.File(path, "w") as file:
        for name, values in arrays.items():
            file.create_dataset(name, data=np.asarray(values))
    return path


# ---- NYU Depth v2 --------------------------------------------------------------------------------------------------


def write_nyu(folder: Path, depths: Mapping[int, np.ndarray], test: list[int], count: int = 5) -> Path:
    """``count`` pictures, of which those numbered (from 1) in ``depths`` have content. MATLAB's axes are height, width, channel, picture, and
    its HDF5 has them reversed."""
    folder.mkdir(parents=True, exist_ok=True)
    with h5py.File(folder / "nyu_depth_v2_labeled.mat", "w", userblock_size=512) as file:
        images = file.create_dataset("images", (count, 3, 640, 480), np.uint8, chunks=(1, 3, 640, 480))
        raw = file.create_dataset("rawDepths", (count, 640, 480), np.float32, chunks=(1, 640, 480))
        filled = file.create_dataset("depths", (count, 640, 480), np.float32, chunks=(1, 640, 480))
        for number, depth in depths.items():
            images[number - 1] = np.transpose(two_colours(480, 640), (2, 1, 0))
            raw[number - 1] = depth.T
            filled[number - 1] = np.where(depth > 0, depth, 7.0).T
    train = [number for number in range(1, count + 1) if number not in test]
    scipy.io.savemat(folder / "splits.mat", {"testNdxs": np.array(test)[:, None], "trainNdxs": np.array(train)[:, None]})
    return folder


# ---- KITTI ---------------------------------------------------------------------------------------------------------

PROJECTION = "7.215377e+02 0.000000e+00 6.095593e+02 4.485728e+01 0.000000e+00 7.215377e+02 1.728540e+02 2.163791e-01 0 0 1 2.745884e-03"


def write_kitti(folder: Path, drive: str, frame: int, stored: np.ndarray, part: str = "val", raw: str = "", depth: str = "") -> None:
    """One picture of camera 2, its depth below ``part``, its day's calibration."""
    day = drive[:10]
    save_picture(folder / raw / day / drive / "image_02/data" / f"{frame:010d}.png", *stored.shape)
    save_uint16(folder / depth / part / drive / "proj_depth/groundtruth/image_02" / f"{frame:010d}.png", stored)
    other = PROJECTION.replace("7.215377e+02", "1.000000e+03")
    lines = f"calib_time: 09-Jan-2012 13:57:47\ncorner_dist: 9.950000e-02\nP_rect_00: {other}\nP_rect_02: {PROJECTION}\nP_rect_03: {other}\n"
    (folder / raw / day / "calib_cam_to_cam.txt").write_text(lines)


def write_kitti_selection(folder: Path, stored: np.ndarray) -> None:
    root, drive = folder / "depth_selection/val_selection_cropped", "2011_09_26_drive_0002_sync"
    save_picture(root / f"image/{drive}_image_0000000005_image_02.png", *stored.shape)
    save_uint16(root / f"groundtruth_depth/{drive}_groundtruth_depth_0000000005_image_02.png", stored)
    (root / "intrinsics").mkdir()
    (root / f"intrinsics/{drive}_image_0000000005_image_02.txt").write_text("721.5 0.0 30.25 0.0 720.5 20.75 0.0 0.0 1.0\n")


# ---- Virtual KITTI 2 -----------------------------------------------------------------------------------------------


def write_vkitti(folder: Path, stored: np.ndarray, place: str = "Scene01/clone", frame: int = 0, camera: int = 0, archives: bool = False) -> None:
    """``archives``: each archive unpacked into a folder of its own."""
    rgb, depth, text = (folder / each if archives else folder for each in ("vkitti_2.0.3_rgb", "vkitti_2.0.3_depth", "vkitti_2.0.3_textgt"))
    save_picture(rgb / place / f"frames/rgb/Camera_{camera}/rgb_{frame:05d}.jpg", *stored.shape)
    save_uint16(depth / place / f"frames/depth/Camera_{camera}/depth_{frame:05d}.png", stored)
    (text / place).mkdir(parents=True, exist_ok=True)
    rows = [f"{number} {each} {725.0087 + number} {726.0087 + each} 620.5 187" for number in range(frame + 2) for each in (0, 1)]
    (text / place / "intrinsic.txt").write_text("\n".join(["frame cameraID K[0,0] K[1,1] K[0,2] K[1,2]", *rows]) + "\n")


# ---- Hypersim ------------------------------------------------------------------------------------------------------


def write_hypersim(folder: Path, distance: np.ndarray, name: str = "ai_001_002/cam_00/0000", picture: str = "tonemap") -> None:
    """``picture``: the preview's kind, or ""."""
    scene, camera, frame = name.split("/")
    images = folder / scene / "images"
    save_hdf5(images / f"scene_{camera}_geometry_hdf5/frame.{frame}.depth_meters.hdf5", dataset=distance)
    if picture:
        save_picture(images / f"scene_{camera}_final_preview/frame.{frame}.{picture}.jpg", *distance.shape)


def write_hypersim_split(folder: Path, rows: list[tuple[str, str, int, bool, str]]) -> None:
    head = "scene_name,camera_name,frame_id,included_in_public_release,exclude_reason,split_partition_name"
    lines = [f"{scene},{camera},{frame},{public},,{split}" for scene, camera, frame, public, split in rows]
    (folder / "metadata_images_split_scene_v1.csv").write_text("\n".join([head, *lines]) + "\n")


def write_hypersim_lenses(folder: Path, lenses: Mapping[str, np.ndarray]) -> None:
    head = ",".join(["scene_name", "settings_camera_fov", *(f"M_cam_from_uv_{row}{column}" for row in range(3) for column in range(3))])
    lines = [",".join([scene, "1.0471975", *(repr(float(value)) for value in lens.ravel())]) for scene, lens in lenses.items()]
    (folder / "metadata_camera_parameters.csv").write_text("\n".join([head, *lines]) + "\n")


# ---- SUN RGB-D -----------------------------------------------------------------------------------------------------


def write_sun(folder: Path, millimetres: np.ndarray, name: str = "kv2/kinect2data/000002_2014-05-26", depth: str = "depth") -> None:
    """``millimetres`` below 65536; each is turned left by three bits, as the sensors' files have them."""
    turned = [[((int(value) << 3) | (int(value) >> 13)) & 0xFFFF for value in row] for row in millimetres]
    place = folder / "SUNRGBD" / name
    save_picture(place / "image/0000103.jpg", *millimetres.shape)
    save_uint16(place / depth / "0000087.png", turned)
    (place / "annotation2D3D/index.json").parent.mkdir(parents=True, exist_ok=True)
    (place / "intrinsics.txt").write_text("529.5 0 365 \n0 528.5 265 \n0 0 1 \n")


def write_sun_split(folder: Path, names: list[str]) -> None:
    cells = np.empty((1, len(names)), object)
    cells[0] = [f"/n/fs/sun3d/data/SUNRGBD/{name}/" for name in names]
    table = folder / "SUNRGBDtoolbox/traintestSUNRGBD/allsplit.mat"
    table.parent.mkdir(parents=True)
    scipy.io.savemat(table, {"alltest": cells, "alltrain": cells[:, :0]})


# ---- plain ---------------------------------------------------------------------------------------------------------


def write_plain(folder: Path, stored: np.ndarray, facts: Mapping[str, Any] | None = None) -> None:
    save_picture(folder / "rgb/0001.jpg", *stored.shape)
    save_uint16(folder / "depth/0001.png", stored)
    if facts is not None:
        (folder / "camera.json").write_text(json.dumps(facts))
