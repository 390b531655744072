# SPDX-License-Identifier: Apache-2.0
"""Each layout is recognised by what is there, unknown ones are told what was looked for, and no damaged file ends in a traceback."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from depthbridge.cli.evaluation.datasets.base import assemble
from depthbridge.cli.evaluation.datasets.counting import EIGEN_CROP_NYU, GARG_CROP, Counting
from depthbridge.cli.evaluation.datasets.opening import LAYOUTS, open_dataset
from depthbridge.cli.evaluation.samples import DatasetError, Sample
from depthbridge.engines.errors import DepthbridgeError
from support.captures import make_capture, ramp, write_exr
from support.datasets import (
    save_hdf5,
    save_picture,
    save_uint16,
    write_hypersim,
    write_hypersim_lenses,
    write_hypersim_split,
    write_kitti,
    write_kitti_selection,
    write_nyu,
    write_plain,
    write_sun,
    write_sun_split,
    write_vkitti,
)

STORED = np.full((36, 48), 1500, np.uint16)


def _nyu(folder: Path) -> None:
    write_nyu(folder, {1: np.full((480, 640), 2, np.float32)}, test=[1], count=2)


def _kitti(folder: Path) -> None:
    write_kitti(folder, "2011_09_26_drive_0002_sync", 69, STORED)


def _vkitti(folder: Path) -> None:
    write_vkitti(folder, STORED)
    save_picture(folder / "Scene01/clone/frames/classSegmentation/Camera_0/classgt_00000.png", *STORED.shape)


def _hypersim(folder: Path) -> None:
    write_hypersim(folder, STORED.astype(np.float32) / 1000)
    write_hypersim_split(folder, [("ai_001_002", "cam_00", 0, True, "val")])
    write_hypersim_lenses(folder, {"ai_001_002": np.diag([0.5, 0.4, -1.0])})


def _sun(folder: Path) -> None:
    write_sun(folder, STORED)
    write_sun_split(folder, ["kv2/kinect2data/000002_2014-05-26"])


def _capture(folder: Path) -> None:
    make_capture(folder, [{"image": "0.png", "objects": []}])
    (folder / "depth").mkdir()
    write_exr(folder / "depth/0.exr", ramp())


def _plain(folder: Path) -> None:
    write_plain(folder, STORED, {"fx": 40.0, "depth_unit_m": 0.001})


WRITERS: dict[str, Callable[[Path], None]] = {
    "nyu": _nyu,
    "kitti": _kitti,
    "kitti-selection": lambda folder: write_kitti_selection(folder, STORED),
    "vkitti2": _vkitti,
    "hypersim": _hypersim,
    "sunrgbd": _sun,
    "capture": _capture,
    "plain": _plain,
}


@pytest.mark.parametrize("layout", LAYOUTS)
def test_each_layout_is_recognised_and_has_what_a_sample_needs(tmp_path: Path, layout: str) -> None:
    WRITERS[layout](tmp_path / "set")
    found, named = open_dataset(tmp_path / "set"), open_dataset(tmp_path / "set", layout)
    assert type(found) is type(named) and found.names() == named.names() and len(found.names()) == 1
    assert "\n" not in found.protocol and found.protocol.count(";") >= 2
    sample = found.load(found.names()[0])
    assert sample.rgb.dtype == np.uint8 and sample.depth_m.dtype == np.float32 and sample.counted.dtype == np.bool_
    assert sample.counted.any() and sample.name == found.names()[0] and sample.intrinsics is not None


@pytest.mark.parametrize("layout", LAYOUTS)
def test_a_layout_that_is_not_there_says_what_it_looked_for(tmp_path: Path, layout: str) -> None:
    (tmp_path / "note.txt").write_text("nothing")
    for path in (tmp_path, tmp_path / "note.txt", tmp_path / "absent"):
        with pytest.raises(DepthbridgeError, match=str(tmp_path)):
            open_dataset(path, layout)


def test_what_is_no_data_set_is_told_all_that_was_looked_for(tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("nothing")
    for path in (tmp_path, tmp_path / "note.txt"):
        with pytest.raises(DatasetError) as raised:
            open_dataset(path)
        assert all(f"({key})" in str(raised.value) for key in LAYOUTS)
    with pytest.raises(DatasetError, match="absent does not exist"):
        open_dataset(tmp_path / "absent")
    with pytest.raises(DatasetError, match="'tum' is no layout; give one of nyu, kitti"):
        open_dataset(tmp_path, "tum")


def test_a_name_that_is_none_of_the_sets_is_refused(tmp_path: Path) -> None:
    _plain(tmp_path)
    with pytest.raises(DatasetError, match=r"no picture '\.\./secret'"):
        open_dataset(tmp_path).load("../secret")


# ---- damaged files --------------------------------------------------------------------------------------------------


def _read_all(path: Path, layout: str | None) -> None:
    data = open_dataset(path, layout)
    for name in data.names():
        data.load(name)


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_file_may_be_damaged_and_is_told_in_one_sentence(tmp_path: Path, layout: str) -> None:
    WRITERS[layout](tmp_path / "set")
    files = sorted(file for file in (tmp_path / "set").rglob("*") if file.is_file())
    refused = set()
    for file in files:
        whole = file.read_bytes()
        for content in (b"", whole[: len(whole) // 2], whole[: len(whole) - 7], b"\xff\x00garbage" * 9, b"\x89PNG\r\n\x1a\n", b"[]", b"{}"):
            file.write_bytes(content)
            for named in (layout, None):
                try:
                    _read_all(tmp_path / "set", named)
                except DepthbridgeError as error:
                    assert "\n" not in str(error) and 20 < len(str(error)) < 1200
                    refused.add(file)
        file.write_bytes(whole)
    _read_all(tmp_path / "set", layout)
    unread = {"index.json"}
    assert {file.name for file in files if file not in refused} <= unread


@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_file_may_be_missing(tmp_path: Path, layout: str) -> None:
    WRITERS[layout](tmp_path / "set")
    for file in sorted(file for file in (tmp_path / "set").rglob("*") if file.is_file()):
        whole = file.read_bytes()
        file.unlink()
        try:
            _read_all(tmp_path / "set", layout)
        except DepthbridgeError as error:
            assert "\n" not in str(error)
        file.write_bytes(whole)


def test_depth_of_eight_bits_in_place_of_sixteen_is_told(tmp_path: Path) -> None:
    _vkitti(tmp_path)
    depth = tmp_path / "Scene01/clone/frames/depth/Camera_0/depth_00000.png"
    save_picture(depth, *STORED.shape)
    with pytest.raises(DatasetError, match=r"depth_00000\.png has pixels of uint8 in 3 dimensions"):
        _read_all(tmp_path, "vkitti2")


def test_what_is_wrong_with_an_hdf5_file_is_told(tmp_path: Path) -> None:
    _hypersim(tmp_path)
    path = tmp_path / "ai_001_002/images/scene_cam_00_geometry_hdf5/frame.0000.depth_meters.hdf5"
    path.write_bytes(path.read_bytes()[:900])
    with pytest.raises(DatasetError, match=r"frame\.0000\.depth_meters\.hdf5 is no whole HDF5 file"):
        _read_all(tmp_path, "hypersim")
    save_hdf5(path, other=STORED)
    with pytest.raises(DatasetError, match=r"depth_meters\.hdf5 lacks the array it should hold"):
        _read_all(tmp_path, "hypersim")
    save_hdf5(path, **{"dataset/inner": STORED})
    with pytest.raises(DatasetError, match=r"depth_meters\.hdf5 is no whole HDF5 file"):
        _read_all(tmp_path, "hypersim")
    save_hdf5(path, dataset=STORED[0])
    with pytest.raises(DatasetError, match=r"depth_meters\.hdf5 holds an array of the shape \(48,\)"):
        _read_all(tmp_path, "hypersim")


@pytest.mark.parametrize(("library", "writer", "layout"), [("h5py", _hypersim, "hypersim"), ("h5py", _nyu, "nyu"), ("scipy", _nyu, "nyu"), ("scipy", _sun, "sunrgbd")])
def test_a_library_that_is_missing_is_named_with_what_brings_it(tmp_path: Path, library: str, writer: Callable[[Path], None], layout: str) -> None:
    writer(tmp_path / "set")
    code = (
        f"import sys; sys.modules[{library!r}] = None\n"
        "from pathlib import Path\n"
        "from depthbridge.cli.evaluation.datasets.opening import open_dataset\n"
        "from depthbridge.cli.evaluation.samples import DatasetError\n"
        f"try:\n    data = open_dataset(Path(sys.argv[1]), {layout!r}); data.load(data.names()[0])\n"
        "except DatasetError as error:\n    print(error)\n"
    )
    said = subprocess.check_output([sys.executable, "-c", code, str(tmp_path / "set")], text=True)
    assert f"{library} is not installed" in said and 'pip install "depthbridge[evaluate]"' in said


def test_opening_and_reading_other_layouts_loads_neither_library(tmp_path: Path) -> None:
    _plain(tmp_path)
    code = (
        "import sys; from pathlib import Path\n"
        "from depthbridge.cli.evaluation.datasets.opening import open_dataset\n"
        "data = open_dataset(Path(sys.argv[1])); data.load(data.names()[0])\n"
        "print([name for name in ('h5py', 'scipy') if name in sys.modules])\n"
    )
    assert subprocess.check_output([sys.executable, "-c", code, str(tmp_path)], text=True).strip() == "[]"


# ---- laws -----------------------------------------------------------------------------------------------------------


@given(
    values=st.lists(st.floats(-5, 100, width=32) | st.just(float("nan")) | st.just(float("inf")), min_size=12, max_size=12),
    sky=st.none() | st.lists(st.booleans(), min_size=12, max_size=12),
    above=st.floats(0, 10),
    below=st.floats(10, 50),
    cropped=st.booleans(),
)
def test_only_truth_in_the_range_and_crop_counts_and_never_sky(
    values: list[float], sky: list[bool] | None, above: float, below: float, cropped: bool
) -> None:
    depth = np.array(values, np.float32).reshape(3, 4)
    mask = None if sky is None else np.array(sky).reshape(3, 4)
    counting = Counting("all", "metres", above_m=above, below_m=below, crop=GARG_CROP if cropped else None)
    sample = assemble("x", np.zeros((3, 4, 3), np.uint8), depth, counting, mask)
    for row in range(3):
        for column in range(4):
            value, hidden = depth[row, column], mask is not None and mask[row, column]
            known = np.isfinite(value) and value > 0 and not hidden
            assert sample.depth_m[row, column] == (value if known else 0)
            inside = not cropped or (1 <= row < 2 and 0 <= column < 3)  # 0.408 * 3, 0.992 * 3; 0.036 * 4, 0.964 * 4
            assert sample.counted[row, column] == (known and np.float32(above) < value < np.float32(below) and inside)


def test_eigens_crop_is_that_of_its_pictures_to_the_pixel() -> None:
    rows, columns = np.nonzero(EIGEN_CROP_NYU.mask(480, 640))
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (45, 470, 41, 600)


def test_a_sample_that_contradicts_itself_is_refused() -> None:
    rgb, depth, none = np.zeros((2, 3, 3), np.uint8), np.ones((2, 3), np.float32), np.zeros((2, 3), bool)
    with pytest.raises(DatasetError, match="the depth has shape"):
        Sample("x", rgb, depth.T, none)
    with pytest.raises(DatasetError, match="no true depth"):
        Sample("x", rgb, depth * 0, ~none)


def test_sky_of_another_size_than_depth_is_refused(tmp_path: Path) -> None:
    _plain(tmp_path)
    save_uint16(tmp_path / "sky/0001.png", np.zeros((5, 5)))
    with pytest.raises(DatasetError, match="its sky is 5x5 and its depth 48x36"):
        _read_all(tmp_path, "plain")
